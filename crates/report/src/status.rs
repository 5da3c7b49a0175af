//! Where a run stands right now, as a value, as text and as JSON.

use engine::event::Record;
use engine::run_state::RunState;
use serde::Serialize;
use spec::{Timestamp, Workflow};

use crate::printable::printable;
use crate::quantity::{Moment, Seconds, count, plural};
use crate::summary::{Counts, TaskRef, phase_word};
use crate::text::{attempt_name, tasks_line};
use crate::words;

/// The version of the JSON.
pub const FORMAT: u32 = 1;

/// How many rows a list has at most.
pub const LISTED_MAX: usize = 1_000;

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// [`FORMAT`].
    pub format: u32,
    /// The name of the workflow.
    pub workflow: String,
    /// `running`, `draining`, `paused`, `cancelling`, `succeeded`, `failed`, `cancelled`, `stalled`.
    pub phase: &'static str,
    /// Tasks by state; what was reused is not told apart here.
    pub tasks: Counts,
    /// How many orchestrators the run has had before this one.
    pub epoch: u64,
    /// Attempts that run, the one that started first first.
    pub running: Vec<RunningTask>,
    /// How many tasks failed for good.
    pub n_failed: usize,
    /// The first of them.
    pub failed: Vec<FailedTask>,
    /// The last record.
    pub last_event: Option<LastEvent>,
}

/// An attempt that runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunningTask {
    /// Which task.
    pub task: TaskRef,
    /// Which try.
    pub attempt: u32,
    /// Where, such as `a1`.
    pub allocation: String,
    /// In which of its slots.
    pub slot: u32,
    /// Since when.
    pub started_at: Moment,
    /// For how long.
    pub elapsed_seconds: Seconds,
}

/// A task that failed for good.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FailedTask {
    /// Which.
    pub task: TaskRef,
    /// How, for people.
    pub cause: String,
    /// After how many attempts.
    pub attempts: u32,
}

/// What was recorded last.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LastEvent {
    /// Its number.
    pub seq: u64,
    /// When.
    pub at: Moment,
    /// What, for people.
    pub what: String,
}

impl Status {
    /// At `now`, after `last`, the last record that `state` has taken in.
    #[must_use]
    pub fn of(
        workflow: &Workflow,
        state: &RunState,
        last: Option<&Record>,
        now: Timestamp,
    ) -> Self {
        let failed = |(&task, cause): (&spec::TaskId, &engine::cause::FailureCause)| FailedTask {
            task: TaskRef::of(workflow, task),
            cause: cause.to_string(),
            attempts: state.task(task).attempts,
        };
        Self {
            format: FORMAT,
            workflow: workflow.name().to_owned(),
            phase: phase_word(state.phase()),
            tasks: Counts::of_state(state),
            epoch: state.epoch().0,
            running: running(workflow, state, now),
            n_failed: state.failures().len(),
            failed: state.failures().iter().take(LISTED_MAX).map(failed).collect(),
            last_event: last.map(|record| LastEvent {
                seq: record.seq,
                at: Moment(record.at),
                what: words::line(workflow, record),
            }),
        }
    }

    /// As JSON, for programs.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a status has no keys but texts")
    }

    /// As text, for people.
    #[must_use]
    pub fn text(&self) -> String {
        const ROWS: usize = 20;
        let mut lines =
            vec![format!("{}: {}", printable(&self.workflow), self.phase), tasks_line(&self.tasks)];
        for row in self.running.iter().take(ROWS) {
            let name = attempt_name(&row.task.name, Some(row.attempt));
            let place = format!("{}.{}", row.allocation, row.slot);
            lines.push(format!(
                "  running {} for {} in {place}",
                printable(&name),
                row.elapsed_seconds
            ));
        }
        lines.extend(more(self.running.len(), ROWS));
        for row in self.failed.iter().take(ROWS) {
            let attempts = plural(row.attempts as usize, "attempt", "attempts");
            let (name, cause) = (printable(&row.task.name), printable(&row.cause));
            lines.push(format!("  failed {name}: {cause} ({attempts})"));
        }
        lines.extend(more(self.n_failed, ROWS));
        if let Some(last) = &self.last_event {
            lines.push(format!(
                "last event {} at {}: {}",
                count(last.seq as usize),
                last.at,
                last.what
            ));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

fn more(n_all: usize, n_shown: usize) -> Option<String> {
    (n_all > n_shown).then(|| format!("  … and {} more", count(n_all - n_shown)))
}

fn running(workflow: &Workflow, state: &RunState, now: Timestamp) -> Vec<RunningTask> {
    let started = state.live().iter().filter_map(|(&task, live)| {
        let (at, slot) = live.started?;
        Some((at, task, live, slot))
    });
    let mut rows: Vec<_> = started.collect();
    rows.sort_by_key(|&(at, task, ..)| (at, task));
    let row = |&(at, task, live, slot): &(_, _, &engine::run_state::LiveAttempt, _)| RunningTask {
        task: TaskRef::of(workflow, task),
        attempt: live.number,
        allocation: live.allocation.to_string(),
        slot,
        started_at: Moment(at),
        elapsed_seconds: Seconds(now.since(at)),
    };
    rows.iter().take(LISTED_MAX).map(row).collect()
}
