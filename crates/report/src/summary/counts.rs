//! How many tasks are where, and how many did not have to run.

use std::collections::BTreeMap;

use engine::outcome::Outcome;
use engine::phase::Phase;
use engine::run_state::RunState;
use engine::task_state::TaskState;
use serde::Serialize;
use spec::Workflow;

use crate::timeline::{Timeline, Why};

/// Tasks by state. Those of the workflow that are not wanted in this run are in none but `excluded`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// In the workflow.
    pub total: usize,
    /// Wanted in this run: all states below but `excluded`.
    pub selected: usize,
    /// Done: outputs are visible. Reused results are among them.
    pub published: usize,
    /// Done without running: an earlier result still stands.
    pub reused: usize,
    /// Failed for good.
    pub failed: usize,
    /// Cannot run, because something they need failed.
    pub skipped: usize,
    /// Waiting for something they need.
    pub waiting: usize,
    /// An earlier result is being compared.
    pub checking: usize,
    /// Could start.
    pub ready: usize,
    /// Failed, and pausing before the next try.
    pub held: usize,
    /// Handed to an allocation, and not started.
    pub granted: usize,
    /// Running.
    pub running: usize,
    /// Ended well; outputs safe but not visible yet.
    pub publishing: usize,
    /// Not wanted in this run.
    pub excluded: usize,
}

impl Counts {
    /// Of a timeline.
    #[must_use]
    pub fn of(workflow: &Workflow, timeline: &Timeline) -> Self {
        let is_reused = |&task: &spec::TaskId| matches!(timeline.why(task), Why::Reused(_));
        let reused = workflow.tasks().filter(is_reused).count();
        Self { reused, ..Self::of_state(timeline.state()) }
    }

    /// Of a state alone, which does not know what was reused.
    #[must_use]
    pub fn of_state(state: &RunState) -> Self {
        let started = state.live().values().filter(|live| live.started.is_some()).count();
        let in_state = |of| state.count(of);
        Self {
            total: state.n_selected() + in_state(TaskState::Excluded),
            selected: state.n_selected(),
            published: in_state(TaskState::Published),
            reused: 0,
            failed: in_state(TaskState::Failed),
            skipped: in_state(TaskState::Skipped),
            waiting: in_state(TaskState::Waiting),
            checking: in_state(TaskState::Checking),
            ready: in_state(TaskState::Ready),
            held: in_state(TaskState::Held),
            granted: in_state(TaskState::Leased) - started.min(in_state(TaskState::Leased)),
            running: started,
            publishing: in_state(TaskState::Committed) + in_state(TaskState::Publishing),
            excluded: in_state(TaskState::Excluded),
        }
    }
}

/// The word for where a run stands.
pub(crate) fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Running => "running",
        Phase::Draining { .. } => "draining",
        Phase::Paused => "paused",
        Phase::Cancelling => "cancelling",
        Phase::Finishing(_) => "finishing",
        Phase::Finished(Outcome::Succeeded) => "succeeded",
        Phase::Finished(Outcome::Failed) => "failed",
        Phase::Finished(Outcome::Cancelled) => "cancelled",
        Phase::Finished(Outcome::Stalled) => "stalled",
    }
}

/// What became of results of earlier runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reuse {
    /// Tasks whose earlier result still stands.
    pub reused: usize,
    /// Tasks whose earlier result does not stand any more.
    pub changed: usize,
    /// Tasks without an earlier result.
    pub new: usize,
    /// Tasks with an earlier result that was not looked at (yet).
    pub unchecked: usize,
    /// Reused results by the run that made them.
    pub by_run: BTreeMap<String, usize>,
    /// Changed results by what changed, the commonest reasons only.
    pub by_change: BTreeMap<String, usize>,
}

const REASONS_MAX: usize = 20;

impl Reuse {
    /// Of a timeline.
    #[must_use]
    pub fn of(workflow: &Workflow, timeline: &Timeline) -> Self {
        let mut reuse = Self::default();
        let mut changes: BTreeMap<&str, usize> = BTreeMap::new();
        let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
        let is_wanted =
            |task: &spec::TaskId| timeline.state().task(*task).state != TaskState::Excluded;
        for task in workflow.tasks().filter(is_wanted) {
            match timeline.why(task) {
                Why::New => reuse.new += 1,
                Why::Unchecked => reuse.unchecked += 1,
                Why::Changed(why) => {
                    reuse.changed += 1;
                    *changes.entry(why).or_default() += 1;
                }
                Why::Reused(run) => {
                    reuse.reused += 1;
                    *runs.entry(run).or_default() += 1;
                }
            }
        }
        reuse.by_run = runs.into_iter().map(|(run, n)| (run.to_owned(), n)).collect();
        let mut common: Vec<_> = changes.into_iter().collect();
        common.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
        common.truncate(REASONS_MAX);
        reuse.by_change = common.into_iter().map(|(why, n)| (why.to_owned(), n)).collect();
        reuse
    }
}
