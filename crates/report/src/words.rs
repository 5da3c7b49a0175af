//! One line of plain words for each event: for logs, status, and progress without a terminal.

use engine::cause::FailureCause;
use engine::event::{Event, Record};
use engine::id::AttemptId;
use engine::input::Command;
use engine::outcome::Outcome;
use spec::{TaskId, Timestamp, Workflow};

use crate::printable::printable;
use crate::quantity::{Seconds, plural};
use crate::text::attempt_name;

/// What a record says, such as `align[a] failed: exit code 3; tries again`. Several tasks of one
/// record are counted, not listed. Safe to print on a terminal.
#[must_use]
pub fn line(workflow: &Workflow, record: &Record) -> String {
    printable(&phrase(workflow, record)).into_owned()
}

/// Of a failure: whether the task is tried again.
fn what_follows(cause: &FailureCause, at: Timestamp, retry_at: Option<Timestamp>) -> String {
    match (retry_at, cause) {
        (Some(_), FailureCause::OutOfMemory { .. }) => "tries again with more".to_owned(),
        (Some(retry_at), _) => format!("tries again in {}", Seconds(retry_at.since(at))),
        (None, _) => "no tries left".to_owned(),
    }
}

fn phrase(workflow: &Workflow, record: &Record) -> String {
    let name = |attempt: &AttemptId| {
        attempt_name(&workflow.task_name(attempt.task()), Some(attempt.number()))
    };
    match &record.event {
        Event::RunStarted { selected, .. } => {
            format!("run started: {}", plural(selected.len(), "task", "tasks"))
        }
        Event::RunResumed { epoch } => format!("run resumed, orchestrator {}", epoch.0),
        Event::PlanAdopted { plan } => format!("plan {} adopted", plan.id.0),
        Event::PlanRevised { revision } => format!("plan {} adopted", revision.id.0),
        Event::ForecastChanged { forecast } => {
            format!("forecast of {} changed", plural(forecast.zones.len(), "zone", "zones"))
        }
        Event::AllocationRequested { .. }
        | Event::AllocationUp { .. }
        | Event::CapacityChanged { .. }
        | Event::AllocationLost { .. }
        | Event::AllocationEnded { .. }
        | Event::MachineMeasured { .. } => allocation_phrase(&record.event),
        Event::ShardsGranted { allocation, shards } => {
            let attempts: Vec<&AttemptId> = shards.iter().flat_map(|grant| &grant.2).collect();
            format!("{} granted to {allocation}", some(&attempts, name))
        }
        Event::AttemptStarted { attempt, .. } => format!("{} started", name(attempt)),
        Event::AttemptCommitted { attempt, usage, .. } => {
            format!("{} succeeded in {}", name(attempt), Seconds(usage.elapsed()))
        }
        Event::AttemptFailed { attempt, cause, retry_at, .. } => {
            let then = what_follows(cause, record.at, *retry_at);
            format!("{} failed: {cause}; {then}", name(attempt))
        }
        Event::AttemptLost { attempt, cause } => format!("{} lost: {cause}", name(attempt)),
        Event::AttemptRevoked { attempt } => format!("{} taken back", name(attempt)),
        Event::RetriesDue { tasks } => {
            let task_name = |task: &TaskId| workflow.task_name(*task);
            format!("{} can be tried again", some(&tasks.iter().collect::<Vec<_>>(), task_name))
        }
        Event::PublishIntended { attempts } => {
            format!("{} about to be published", some(&attempts.iter().collect::<Vec<_>>(), name))
        }
        Event::Published { attempts } => {
            format!("{} published", some(&attempts.iter().collect::<Vec<_>>(), name))
        }
        Event::TaskReused { task, run, .. } => {
            format!("{} reused from {run}", workflow.task_name(*task))
        }
        Event::TaskChanged { task, why } => {
            format!("{} runs again: {why}", workflow.task_name(*task))
        }
        Event::WorkflowGrown { by, zones, .. } => {
            format!("{} adds {}", workflow.task_name(*by), plural(zones.len(), "task", "tasks"))
        }
        Event::CommandAccepted { command } => command_phrase(*command).to_owned(),
        Event::FinalsDue { outcome } => {
            format!("{}; final tasks follow", outcome_phrase(*outcome))
        }
        Event::RunPaused => "run paused; it can be resumed".to_owned(),
        Event::RunFinished { outcome } => outcome_phrase(*outcome).to_owned(),
    }
}

fn allocation_phrase(event: &Event) -> String {
    match event {
        Event::AllocationRequested { allocation, zone } => {
            format!("allocation {allocation} requested in zone {zone}")
        }
        Event::AllocationUp { allocation, capacity } => {
            format!("allocation {allocation} up: {capacity}")
        }
        Event::CapacityChanged { allocation, capacity } => {
            format!("allocation {allocation} now has {capacity}")
        }
        Event::AllocationLost { allocation, cause } => {
            format!("allocation {allocation} lost: {cause}")
        }
        Event::AllocationEnded { allocation } => format!("allocation {allocation} ended"),
        Event::MachineMeasured { usage, .. } => format!(
            "machine: {:.1} cpus busy, {} in use, network {} in, {} out",
            usage.cpus_busy, usage.memory_used, usage.network_in, usage.network_out
        ),
        _ => unreachable!("only events about allocations are handed here"),
    }
}

fn command_phrase(command: Command) -> &'static str {
    match command {
        Command::Drain => "asked to finish what runs and pause",
        Command::Stop => "asked to stop what runs and pause",
        Command::Cancel => "asked to cancel",
        Command::RetryFailed => "asked to try failed tasks again",
    }
}

fn outcome_phrase(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "run succeeded",
        Outcome::Failed => "run failed",
        Outcome::Cancelled => "run cancelled",
        Outcome::Stalled => "run stalled: tasks are left that nothing can start",
    }
}

/// The name of one, the number of several.
fn some<T>(items: &[&T], name: impl Fn(&T) -> String) -> String {
    match items {
        [one] => name(one),
        _ => plural(items.len(), "task", "tasks"),
    }
}
