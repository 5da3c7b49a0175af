//! How far a living run is: a fold over its records, asked as often as a display likes.
//!
//! Knows what is done, what runs and for how long, and guesses when the rest will be done. Time
//! is an argument. Taking in a record costs about what the engine's own fold costs; a view costs
//! one look at each template and at each running task.

use std::collections::VecDeque;
use std::sync::Arc;

use engine::event::{Event, Record};
use engine::id::{AllocationId, AttemptId};
use engine::outcome::Usage;
use engine::phase::Phase;
use engine::run_state::{InvalidHistory, RunState};
use engine::task_state::TaskState;
use spec::{Duration, TaskId, Timestamp, Workflow};

use crate::summary::Counts;

/// Over how long the rate is taken.
const RATE_WINDOW: Duration = Duration::from_secs(30);

/// Templates nobody has seen end are guessed by the mean of the others only after so many ends.
const GUESS_AFTER: usize = 20;

/// What is known of a living run.
#[derive(Clone, Debug)]
pub struct Progress {
    state: RunState,
    started_at: Timestamp,
    reused: usize,
    templates: Vec<TemplateProgress>,
    /// Whole seconds, and how many tasks ended in them.
    recent: VecDeque<(i64, u32)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct TemplateProgress {
    /// Wanted tasks that have not come to a final end, as far as records tell; skips do not.
    left: usize,
    measured: u32,
    sum: Duration,
    /// The mean of declared estimates.
    estimate: Option<Duration>,
}

/// How far a run is at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Where the run stands.
    pub phase: Phase,
    /// Tasks by state.
    pub counts: Counts,
    /// Wanted tasks that came to a final end: published, failed or skipped.
    pub n_done: usize,
    /// Since the run began.
    pub elapsed: Duration,
    /// Attempts that run, the one that started first first.
    pub running: Vec<Running>,
    /// Tasks that ended per second, over the last half minute; none before the first end.
    pub rate: Option<f64>,
    /// How long the rest will take; none while that would be a guess out of nothing.
    pub eta: Option<Duration>,
}

/// An attempt that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Which try.
    pub attempt: AttemptId,
    /// Where.
    pub allocation: AllocationId,
    /// In which of its slots.
    pub slot: u32,
    /// For how long.
    pub elapsed: Duration,
}

impl Progress {
    /// Before the first record.
    #[must_use]
    pub fn new(workflow: Arc<Workflow>) -> Self {
        let templates = vec![TemplateProgress::default(); workflow.templates().len()];
        let state = RunState::new(workflow);
        let (started_at, reused, recent) = (Timestamp::default(), 0, VecDeque::new());
        Self { state, started_at, reused, templates, recent }
    }

    /// Takes in the next record.
    ///
    /// # Errors
    /// The record does not follow from those before it.
    pub fn apply(&mut self, record: &Record) -> Result<(), InvalidHistory> {
        self.state.apply(record)?;
        match &record.event {
            Event::RunStarted { .. } => {
                self.started_at = record.at;
                self.count_left();
            }
            Event::AttemptCommitted { attempt, usage, .. } => {
                self.learn(*attempt, usage);
                if self.state.task(attempt.task()).state == TaskState::Published {
                    self.ended(record.at, attempt.task());
                }
            }
            Event::Published { attempts } => {
                for attempt in attempts {
                    self.ended(record.at, attempt.task());
                }
            }
            Event::AttemptFailed { attempt, retry_at: None, .. } => {
                self.ended(record.at, attempt.task());
            }
            Event::TaskReused { task, .. } => {
                self.reused += 1;
                self.ended(record.at, *task);
            }
            Event::CommandAccepted { command } => {
                if *command == engine::Command::RetryFailed {
                    self.count_left();
                }
            }
            Event::WorkflowGrown { .. } => {
                let n = self.state.workflow().templates().len();
                self.templates.resize(n, TemplateProgress::default());
                self.count_left();
            }
            Event::AttemptFailed { retry_at: Some(_), .. }
            | Event::RunResumed { .. }
            | Event::PlanAdopted { .. }
            | Event::PlanRevised { .. }
            | Event::AllocationRequested { .. }
            | Event::AllocationUp { .. }
            | Event::CapacityChanged { .. }
            | Event::AllocationLost { .. }
            | Event::AllocationEnded { .. }
            | Event::ShardsGranted { .. }
            | Event::AttemptStarted { .. }
            | Event::AttemptLost { .. }
            | Event::AttemptRevoked { .. }
            | Event::RetriesDue { .. }
            | Event::PublishIntended { .. }
            | Event::TaskChanged { .. }
            | Event::FinalsDue { .. }
            | Event::RunPaused
            | Event::RunFinished { .. }
            | Event::ForecastChanged { .. }
            | Event::MachineMeasured { .. } => {}
        }
        Ok(())
    }

    /// What the records so far mean.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// How far the run is at `now`.
    #[must_use]
    pub fn view(&self, now: Timestamp) -> View {
        let running = self.running(now);
        View {
            phase: self.state.phase(),
            counts: Counts { reused: self.reused, ..Counts::of_state(&self.state) },
            n_done: self.state.n_selected() - self.state.n_unfinished(),
            elapsed: now.since(self.started_at),
            rate: self.rate(now),
            eta: self.eta(&running),
            running,
        }
    }

    fn count_left(&mut self) {
        for (index, template) in self.templates.iter_mut().enumerate() {
            let id = spec::TemplateId::from_index(index);
            let is_left = |task: &TaskId| !self.state.task(*task).state.is_final();
            let left = self.state.workflow().tasks_of(id).filter(is_left);
            let (mut n, mut estimated, mut sum) = (0, 0_u64, Duration::ZERO);
            for task in left {
                n += 1;
                if let Some(estimate) = self.state.workflow().estimate(task) {
                    estimated += 1;
                    sum = sum + estimate;
                }
            }
            template.left = n;
            template.estimate = sum.0.checked_div(estimated).map(Duration);
        }
    }

    fn learn(&mut self, attempt: AttemptId, usage: &Usage) {
        let template =
            &mut self.templates[self.state.workflow().template_of(attempt.task()).index()];
        template.measured += 1;
        template.sum = template.sum + usage.elapsed();
    }

    fn ended(&mut self, at: Timestamp, task: TaskId) {
        let template = &mut self.templates[self.state.workflow().template_of(task).index()];
        template.left = template.left.saturating_sub(1);
        let second = at.0.div_euclid(1_000_000);
        match self.recent.back_mut() {
            Some((last, n)) if *last == second => *n += 1,
            _ => self.recent.push_back((second, 1)),
        }
        let oldest = second - (RATE_WINDOW.0 / 1_000_000) as i64;
        while self.recent.front().is_some_and(|&(at, _)| at < oldest) {
            self.recent.pop_front();
        }
    }

    fn running(&self, now: Timestamp) -> Vec<Running> {
        let started = self.state.live().iter().filter_map(|(&task, live)| {
            let (at, slot) = live.started?;
            let attempt = AttemptId(task, live.number);
            Some(Running { attempt, allocation: live.allocation, slot, elapsed: now.since(at) })
        });
        let mut running: Vec<Running> = started.collect();
        running.sort_by_key(|r| (std::cmp::Reverse(r.elapsed), r.attempt));
        running
    }

    fn rate(&self, now: Timestamp) -> Option<f64> {
        if self.recent.is_empty() {
            return None;
        }
        let window = now.since(self.started_at).min(RATE_WINDOW).as_secs_f64().max(1.0);
        let from = now.0.div_euclid(1_000_000) - window as i64;
        let n: u32 = self.recent.iter().filter(|&&(at, _)| at >= from).map(|&(_, n)| n).sum();
        Some(f64::from(n) / window)
    }

    /// What is left, in seconds of tasks, over how many run at once.
    fn eta(&self, running: &[Running]) -> Option<Duration> {
        let n_unfinished = self.state.n_unfinished();
        if n_unfinished == 0 || running.is_empty() || self.state.phase() != Phase::Running {
            return None;
        }
        let mut left_seconds = 0.0;
        let mut left = 0;
        for template in self.templates.iter().filter(|template| template.left > 0) {
            let mean = self.expected(template)?;
            left_seconds += mean.as_secs_f64() * template.left as f64;
            left += template.left;
        }
        // Records do not name the tasks that a failure skips; spread them over all templates.
        left_seconds *= n_unfinished as f64 / (left.max(1)) as f64;
        for run in running {
            let template =
                &self.templates[self.state.workflow().template_of(run.attempt.task()).index()];
            let mean = self.expected(template).unwrap_or_default();
            left_seconds -= run.elapsed.min(mean).as_secs_f64();
        }
        Some(Duration::from_secs_f64(left_seconds / running.len() as f64))
    }

    /// How long a task of a template takes: by those that ended, else as declared, else by those
    /// of other templates if there are enough of them.
    fn expected(&self, template: &TemplateProgress) -> Option<Duration> {
        let own = template.mean().or(template.estimate);
        own.or_else(|| {
            let measured: u32 = self.templates.iter().map(|t| t.measured).sum();
            let sum = self.templates.iter().map(|t| t.sum).fold(Duration::ZERO, std::ops::Add::add);
            let is_enough = measured as usize >= GUESS_AFTER;
            is_enough.then(|| Duration(sum.0 / u64::from(measured)))
        })
    }
}

impl TemplateProgress {
    fn mean(&self) -> Option<Duration> {
        self.sum.0.checked_div(u64::from(self.measured)).map(Duration)
    }
}
