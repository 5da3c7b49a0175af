//! What went wrong: retries, failures, and tasks that could not run because of them.

use std::collections::BTreeMap;

use engine::cause::FailureCause;
use engine::id::AttemptId;
use serde::Serialize;
use spec::{TaskId, Workflow};

use super::{LISTED_MAX, TaskRef};
use crate::quantity::{CoreSeconds, Moment, Seconds};
use crate::timeline::{Attempt, End, Timeline};
use crate::work::core_time;

/// How many lines of error output a failure shows.
const ERROR_LINES_MAX: usize = 20;

/// An attempt that failed or was lost, and was followed by another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Retry {
    /// Which task.
    pub task: TaskRef,
    /// Which try.
    pub attempt: u32,
    /// When it ended.
    pub at: Moment,
    /// `failed` uses one of the task's retries, `out_of_memory` one of its `oom_retries`; `lost`
    /// and `killed` use none.
    pub kind: &'static str,
    /// How it ended, for people.
    pub cause: String,
    /// What it had spent.
    pub lost_core_seconds: CoreSeconds,
}

/// A task that failed for good.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// Which task.
    pub task: TaskRef,
    /// How its last attempt ended, for people.
    pub cause: String,
    /// How many attempts there were.
    pub attempts: u32,
    /// How long the last one ran.
    pub ran_seconds: Seconds,
    /// How many tasks could not run because of it.
    pub n_skipped: usize,
    /// From its error output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub error_lines: Vec<String>,
}

/// Tasks that could not run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Skipped {
    /// The failed task that is to blame.
    pub because: TaskRef,
    /// How many tasks.
    pub n: usize,
}

/// Positions of attempts that were tried again, by when they were granted.
pub(super) fn retries(timeline: &Timeline) -> Vec<u32> {
    let is_retried = |attempt: &Attempt| {
        let row = timeline.state().task(attempt.id.task());
        let ran = attempt.started_at.is_some() || matches!(attempt.end, End::Failed(_));
        attempt.end.is_lost_work() && ran && row.attempts > attempt.id.number()
    };
    let attempts = (0_u32..).zip(timeline.attempts());
    attempts.filter(|(_, attempt)| is_retried(attempt)).map(|(i, _)| i).collect()
}

pub(super) fn describe_retries(
    workflow: &Workflow,
    timeline: &Timeline,
    positions: &[u32],
) -> Vec<Retry> {
    let describe = |&position: &u32| {
        let attempt = &timeline.attempts()[position as usize];
        Retry {
            task: TaskRef::of(workflow, attempt.id.task()),
            attempt: attempt.id.number(),
            at: Moment(timeline.end_of(attempt)),
            kind: kind_of(&attempt.end),
            cause: cause_of(&attempt.end),
            lost_core_seconds: core_time(workflow, timeline, attempt),
        }
    };
    positions.iter().take(LISTED_MAX).map(describe).collect()
}

/// One word for how an attempt ended.
pub(crate) fn kind_of(end: &End) -> &'static str {
    match end {
        End::Live => "running",
        End::Succeeded => "succeeded",
        End::Failed(cause) if matches!(**cause, FailureCause::OutOfMemory { .. }) => {
            "out_of_memory"
        }
        End::Failed(_) => "failed",
        End::Lost(_) => "lost",
        End::Killed => "killed",
        End::Revoked => "revoked",
    }
}

fn cause_of(end: &End) -> String {
    match end {
        End::Failed(cause) => cause.to_string(),
        End::Lost(cause) => cause.to_string(),
        End::Live | End::Succeeded | End::Killed | End::Revoked => end.to_string(),
    }
}

pub(super) fn failures(
    workflow: &Workflow,
    timeline: &Timeline,
    error_lines: Option<&dyn Fn(AttemptId) -> Vec<String>>,
) -> Vec<Failure> {
    let skipped = skipped_by(timeline);
    let describe = |(&task, cause): (&TaskId, &FailureCause)| {
        let last = timeline.attempts_of(task).next();
        let mut lines = match (last, error_lines) {
            (Some(last), Some(lines_of)) => lines_of(last.id),
            (None, _) | (_, None) => Vec::new(),
        };
        lines.truncate(ERROR_LINES_MAX);
        Failure {
            task: TaskRef::of(workflow, task),
            cause: cause.to_string(),
            attempts: timeline.state().task(task).attempts,
            ran_seconds: Seconds(last.map(|a| timeline.elapsed(a)).unwrap_or_default()),
            n_skipped: skipped.get(&task).copied().unwrap_or(0),
            error_lines: lines,
        }
    };
    timeline.state().failures().iter().take(LISTED_MAX).map(describe).collect()
}

fn skipped_by(timeline: &Timeline) -> BTreeMap<TaskId, usize> {
    let mut by_root = BTreeMap::new();
    for root in timeline.state().skipped().values() {
        *by_root.entry(*root).or_default() += 1;
    }
    by_root
}

pub(super) fn skipped(workflow: &Workflow, timeline: &Timeline) -> Vec<Skipped> {
    let mut rows: Vec<(TaskId, usize)> = skipped_by(timeline).into_iter().collect();
    rows.sort_by_key(|&(root, n)| (std::cmp::Reverse(n), root));
    let row = |(root, n)| Skipped { because: TaskRef::of(workflow, root), n };
    rows.into_iter().take(LISTED_MAX).map(row).collect()
}
