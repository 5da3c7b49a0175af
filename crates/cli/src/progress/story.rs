//! Which records are told to people while a run goes on, and in which words.

use engine::event::Event;
use engine::{Command, Record};
use report::words;
use spec::Workflow;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Also ordinary starts and ends.
    Everything,
    /// Only what a person may want to act upon.
    Notable,
}

/// What a record means to people; most mean nothing.
#[must_use]
pub(crate) fn of(record: &Record, workflow: &Workflow, detail: Detail) -> Option<String> {
    let is_told = match &record.event {
        Event::AttemptStarted { .. }
        | Event::AttemptCommitted { .. }
        | Event::TaskReused { .. }
        | Event::TaskChanged { .. } => detail == Detail::Everything,
        Event::RunResumed { .. }
        | Event::AttemptFailed { .. }
        | Event::AttemptLost { .. }
        | Event::AllocationLost { .. }
        | Event::WorkflowGrown { .. }
        | Event::FinalsDue { .. }
        | Event::CommandAccepted { .. } => true,
        Event::RunStarted { .. }
        | Event::PlanAdopted { .. }
        | Event::PlanRevised { .. }
        | Event::AllocationRequested { .. }
        | Event::AllocationUp { .. }
        | Event::CapacityChanged { .. }
        | Event::AllocationEnded { .. }
        | Event::ShardsGranted { .. }
        | Event::AttemptRevoked { .. }
        | Event::RetriesDue { .. }
        | Event::PublishIntended { .. }
        | Event::Published { .. }
        | Event::RunPaused
        | Event::RunFinished { .. }
        | Event::ForecastChanged { .. }
        | Event::MachineMeasured { .. } => false,
    };
    is_told.then(|| words::line(workflow, record) + next_step(&record.event))
}

fn next_step(event: &Event) -> &'static str {
    match event {
        Event::CommandAccepted { command: Command::Drain } => {
            "; starts nothing more (interrupt again to stop what runs)"
        }
        _ => "",
    }
}
