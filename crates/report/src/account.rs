//! What became of one task, and why: it ran, did not have to, could not, or waits, and for what.
//!
//! Everything is derived from the records; what was run exactly (command, environment) is known
//! to whoever started it, and shown beside this. [`groups`] tells many tasks at once.

use std::collections::BTreeMap;

use engine::phase::Phase;
use engine::task_state::TaskState;
use serde::Serialize;
use spec::{Bytes, Site, TaskId, Timestamp, Workflow};

use crate::quantity::{Moment, Seconds};
use crate::summary::TaskRef;
use crate::timeline::{Attempt, End, Timeline, Why};

mod telling;
mod waiting;

pub use telling::fact;
pub use waiting::{Blocker, Queue};

/// The version of the JSON.
pub const FORMAT: u32 = 1;

/// How many rows a list has at most.
pub const LISTED_MAX: usize = 1_000;

/// What an account needs beyond the records.
#[derive(Clone, Copy)]
pub struct Extras<'a> {
    /// What the run is called.
    pub run: &'a str,
    /// Whether somebody drives the run now.
    pub is_driven: bool,
    /// Whether earlier results were to count for nothing.
    pub is_fresh: bool,
    /// What was asked for; everything if empty.
    pub targets: &'a [String],
    /// For names of zones.
    pub site: &'a Site,
    /// The present; of a run that nobody drives, the time of its last record.
    pub now: Timestamp,
    /// Whether a task has nothing by which an earlier result could be known again.
    pub always_runs: &'a dyn Fn(TaskId) -> bool,
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Account {
    /// [`FORMAT`].
    pub format: u32,
    /// What the run is called.
    pub run: String,
    /// The name of the workflow.
    pub workflow: String,
    /// Which task.
    pub task: TaskRef,
    /// `excluded`, `waiting`, `checking`, `ready`, `held`, `granted`, `running`, `publishing`,
    /// `published`, `failed`, `skipped`; `reused` of a published one that did not have to run.
    pub state: &'static str,
    /// Why it is in this state, for people.
    pub because: String,
    /// Why its command is or was run; none if it was not.
    pub ran_because: Option<String>,
    /// Tasks that must be published before it.
    pub waits_for: Vec<Blocker>,
    /// Where these tasks wait themselves: what everything waits for in the end.
    pub held_up_by: Vec<Blocker>,
    /// If it waits for room: what there is.
    pub queue: Option<Queue>,
    /// If it failed and will be tried again: when.
    pub retry_at: Option<Moment>,
    /// The tries so far, the first first.
    pub tries: Vec<Try>,
}

/// One try at a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Try {
    /// From 1.
    pub attempt: u32,
    /// How it ended, or that it has not, for people.
    pub end: String,
    /// The zone it was in.
    pub zone: String,
    /// The allocation and the slot there, such as `a1.0`.
    pub place: String,
    /// When it was handed to the allocation.
    pub granted_at: Moment,
    /// When its process started.
    pub started_at: Option<Moment>,
    /// When its process ended.
    pub ended_at: Option<Moment>,
    /// How long it ran, or runs.
    pub ran_seconds: Option<Seconds>,
    /// Cpu time of its processes.
    pub cpu_seconds: Option<Seconds>,
    /// The memory that was set aside for it, and is its limit; none without one.
    pub memory_granted_bytes: Option<Bytes>,
    /// Largest resident memory.
    pub memory_peak_bytes: Option<Bytes>,
}

impl Account {
    /// Of a task.
    #[must_use]
    pub fn of(workflow: &Workflow, timeline: &Timeline, task: TaskId, extras: Extras<'_>) -> Self {
        let asked = Asked { workflow, timeline, extras };
        let (waits_for, held_up_by) = asked.blockers(task);
        Self {
            format: FORMAT,
            run: extras.run.to_owned(),
            workflow: workflow.name().to_owned(),
            task: TaskRef::of(workflow, task),
            state: asked.state_word(task),
            because: asked.because(task),
            ran_because: asked.ran_because(task),
            waits_for,
            held_up_by,
            queue: asked.queue(task),
            retry_at: asked.retry_at(task).map(Moment),
            tries: asked.tries(task),
        }
    }
}

/// Tasks of which the same can be said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// As in [`Account::state`].
    pub state: &'static str,
    /// Why they are in this state.
    pub because: String,
    /// How many.
    pub n: usize,
    /// The first of them.
    pub tasks: Vec<TaskRef>,
}

/// Tells many tasks by what can be said of them, the commonest first; names three of each.
#[must_use]
pub fn groups(
    workflow: &Workflow,
    timeline: &Timeline,
    tasks: &[TaskId],
    extras: Extras<'_>,
) -> Vec<Group> {
    const NAMED: usize = 3;
    let asked = Asked { workflow, timeline, extras };
    let mut groups: BTreeMap<(&'static str, String), (usize, Vec<TaskRef>)> = BTreeMap::new();
    for &task in tasks {
        let because = asked.ran_because(task).filter(|_| asked.is_done(task));
        let because = because.unwrap_or_else(|| asked.because(task));
        let (n, named) = groups.entry((asked.state_word(task), because)).or_default();
        *n += 1;
        if named.len() < NAMED {
            named.push(TaskRef::of(workflow, task));
        }
    }
    let group = |((state, because), (n, tasks))| Group { state, because, n, tasks };
    let mut groups: Vec<Group> = groups.into_iter().map(group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.n));
    groups
}

/// The question, and all that it is answered from.
#[derive(Clone, Copy)]
struct Asked<'a> {
    workflow: &'a Workflow,
    timeline: &'a Timeline,
    extras: Extras<'a>,
}

impl Asked<'_> {
    fn state(&self, task: TaskId) -> TaskState {
        self.timeline.state().task(task).state
    }

    fn is_done(&self, task: TaskId) -> bool {
        self.state(task) == TaskState::Published
    }

    fn is_running(&self, task: TaskId) -> bool {
        is_running(self.timeline, task)
    }

    fn state_word(&self, task: TaskId) -> &'static str {
        state_word(self.timeline, task)
    }

    /// Why it is where it is; a fragment that can follow a colon.
    fn because(&self, task: TaskId) -> String {
        let name = |task: TaskId| self.workflow.task_name(task);
        match self.state(task) {
            TaskState::Excluded => {
                format!("{} does not need it", some_of(self.extras.targets))
            }
            TaskState::Published => match self.timeline.why(task) {
                Why::Reused(run) => format!(
                    "nothing changed since run {run}: the same command, inputs and environment, and its outputs are still there"
                ),
                Why::New | Why::Changed(_) | Why::Unchecked => "it succeeded".to_owned(),
            },
            TaskState::Failed => {
                let cause = self.timeline.state().failures().get(&task);
                cause.map_or_else(String::new, |cause| format!("{cause}, and no tries are left"))
            }
            TaskState::Skipped => {
                let root = self.timeline.state().skipped().get(&task).copied().unwrap_or(task);
                let cause = self.timeline.state().failures().get(&root);
                let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
                format!("it needs {}, which failed{cause}", name(root))
            }
            TaskState::Checking => "its earlier result is being compared".to_owned(),
            TaskState::Held => {
                let last = self.timeline.attempts_of(task).next();
                let end = last.map_or_else(String::new, |last| last.end.to_string());
                format!("its last try {end}")
            }
            TaskState::Leased if self.is_running(task) => "it has not ended".to_owned(),
            TaskState::Waiting | TaskState::Ready | TaskState::Leased => self.waits_because(task),
            TaskState::Committed | TaskState::Publishing => {
                let (waits_for, _) = self.blockers(task);
                match waits_for.first() {
                    Some(first) => format!("its outputs are safe; {} comes first", first.task.name),
                    None => "its outputs are safe and get their final names".to_owned(),
                }
            }
        }
    }

    /// What it waits for that is not said elsewhere: the run itself, or others.
    fn waits_because(&self, task: TaskId) -> String {
        let state = self.timeline.state();
        if !self.extras.is_driven {
            return "nobody drives the run".to_owned();
        }
        match state.phase() {
            Phase::Running if state.is_final(task) => {
                return "it runs when all others have ended".to_owned();
            }
            Phase::Running | Phase::Finishing(_) => {}
            Phase::Draining { .. } | Phase::Paused => {
                return "the run pauses, and starts nothing new".to_owned();
            }
            Phase::Cancelling | Phase::Finished(_) => return "the run is over".to_owned(),
        }
        if state.options().fail_fast && !state.failures().is_empty() {
            return "a task failed, and the run was to start nothing new then".to_owned();
        }
        if self.state(task) == TaskState::Waiting {
            return "tasks that it needs are not done".to_owned();
        }
        "it waits for room".to_owned()
    }

    /// Why its command was run, if it was, or will be.
    fn ran_because(&self, task: TaskId) -> Option<String> {
        if self.state(task) == TaskState::Excluded {
            return None;
        }
        let has_run = self.timeline.state().task(task).attempts > 0;
        match self.timeline.why(task) {
            Why::Reused(_) => None,
            Why::Changed(why) => Some(why.to_owned()),
            Why::New | Why::Unchecked if !has_run => None,
            Why::New | Why::Unchecked if (self.extras.always_runs)(task) => {
                Some("it declares no files, so it always runs".to_owned())
            }
            Why::New | Why::Unchecked if self.extras.is_fresh => {
                Some("every task was to run again (`--fresh`)".to_owned())
            }
            Why::New => Some("it has not been run before".to_owned()),
            // A task of its shard had to run again, and made its result worthless.
            Why::Unchecked => Some("something that it reads was made again".to_owned()),
        }
    }

    fn retry_at(&self, task: TaskId) -> Option<Timestamp> {
        let last = self.timeline.attempts_of(task).next()?;
        last.retry_at.filter(|_| self.state(task) == TaskState::Held)
    }

    fn tries(&self, task: TaskId) -> Vec<Try> {
        let mut tries: Vec<Try> =
            self.timeline.attempts_of(task).map(|a| self.attempt(a)).collect();
        tries.reverse();
        tries
    }

    fn attempt(&self, attempt: &Attempt) -> Try {
        let zone = self.timeline.allocations().get(&attempt.allocation).map(|span| span.zone);
        let zone = zone.and_then(|zone| self.extras.site.zones.get(zone.index()));
        let slot = attempt.slot.map_or_else(String::new, |slot| format!(".{slot}"));
        let end = match (&attempt.end, attempt.started_at) {
            (End::Live, None) => "waits to be started".to_owned(),
            (end, _) => end.to_string(),
        };
        let ended_at = attempt.ended_at.unwrap_or(self.extras.now);
        Try {
            attempt: attempt.id.number(),
            end,
            zone: zone.map(|zone| zone.name.clone()).unwrap_or_default(),
            place: format!("{}{slot}", attempt.allocation),
            granted_at: Moment(attempt.granted_at),
            started_at: attempt.started_at.map(Moment),
            ended_at: attempt.ended_at.map(Moment),
            ran_seconds: attempt.started_at.map(|start| Seconds(ended_at.since(start))),
            cpu_seconds: attempt.cpu.map(Seconds),
            memory_granted_bytes: Some(attempt.memory_granted).filter(|bytes| bytes.0 > 0),
            memory_peak_bytes: attempt.memory_peak.filter(|bytes| bytes.0 > 0),
        }
    }
}

/// How a task stands, as in [`Account::state`].
pub(crate) fn state_word(timeline: &Timeline, task: TaskId) -> &'static str {
    match timeline.state().task(task).state {
        TaskState::Excluded => "excluded",
        TaskState::Waiting => "waiting",
        TaskState::Checking => "checking",
        TaskState::Ready => "ready",
        TaskState::Held => "held",
        TaskState::Leased if is_running(timeline, task) => "running",
        TaskState::Leased => "granted",
        TaskState::Committed | TaskState::Publishing => "publishing",
        TaskState::Published if matches!(timeline.why(task), Why::Reused(_)) => "reused",
        TaskState::Published => "published",
        TaskState::Failed => "failed",
        TaskState::Skipped => "skipped",
    }
}

fn is_running(timeline: &Timeline, task: TaskId) -> bool {
    timeline.state().live().get(&task).is_some_and(|live| live.started.is_some())
}

fn some_of(targets: &[String]) -> String {
    match targets {
        [] => "what was asked for".to_owned(),
        [one] => format!("`{one}`"),
        [one, rest @ ..] => format!("`{one}` and {} more", rest.len()),
    }
}
