//! When a run ends or pauses, and what comes before: final tasks, and the end of its allocations.

use std::collections::BTreeSet;

use crate::action::Action;
use crate::engine::Engine;
use crate::event::Event;
use crate::id::AllocationId;
use crate::outcome::Outcome;
use crate::phase::Phase;
use crate::planted::{self, Bug};
use crate::task_state::TaskState;

impl Engine {
    /// Ends or pauses the run when nothing is left to wait for; before the end come final tasks:
    /// true when they have just become due.
    pub(crate) fn conclude(&mut self) -> bool {
        let or_failed = |outcome| {
            let failed = self.state.count(TaskState::Failed) > 0;
            Some(if failed { Outcome::Failed } else { outcome })
        };
        let n_left = self.state.n_unfinished() - self.state.n_open_finals();
        let outcome = match self.state.phase {
            Phase::Running if self.is_idle() && n_left == 0 => or_failed(Outcome::Succeeded),
            Phase::Running if self.is_stalled() => or_failed(Outcome::Stalled),
            Phase::Cancelling if self.is_idle() => Some(Outcome::Cancelled),
            Phase::Finishing(outcome) if self.are_finals_over() => match outcome {
                Outcome::Cancelled => Some(outcome),
                outcome => or_failed(outcome),
            },
            Phase::Draining { .. } if self.is_idle() => None,
            Phase::Running
            | Phase::Draining { .. }
            | Phase::Cancelling
            | Phase::Finishing(_)
            | Phase::Paused
            | Phase::Finished(_) => return false,
        };
        if let Some(outcome) = outcome.filter(|_| self.state.finals_wait()) {
            // Those that were told to end would only give back what they are granted.
            if self.is_closing && !self.close_allocations() {
                return false;
            }
            self.emit(Event::FinalsDue { outcome });
            self.is_closing = false;
            return true;
        }
        if !self.close_allocations() && !planted::is(Bug::LeaveAllocations) {
            return false;
        }
        match outcome {
            Some(outcome) => self.emit(Event::RunFinished { outcome }),
            None => self.emit(Event::RunPaused),
        }
        false
    }

    /// Whether anything is under way or can still start: only then is capacity wanted. A run that
    /// fails fast leaves tasks behind that nobody will start.
    pub(crate) fn has_work(&self) -> bool {
        match self.state.phase {
            Phase::Finishing(_) => !self.are_finals_over(),
            _ => self.state.n_unfinished() > 0,
        }
    }

    /// Whether final tasks have ended, or nothing can start those that are left.
    fn are_finals_over(&self) -> bool {
        let can_start = || {
            self.retries().next().is_some()
                || !self.state.unplaced.is_empty()
                || self.state.has_waiting()
        };
        self.is_idle() && (self.state.n_open_finals() == 0 || !can_start())
    }

    fn is_idle(&self) -> bool {
        self.state.live.is_empty() && self.state.committed.is_empty()
    }

    /// Nothing runs, nothing is awaited, and nothing may start, though tasks are left.
    fn is_stalled(&self) -> bool {
        self.is_idle()
            && self.state.count(TaskState::Checking) == 0
            && (self.is_failing_fast()
                || self.state.count(TaskState::Held) == 0
                    && self.state.unplaced.is_empty()
                    && self.state.grantable.iter().all(BTreeSet::is_empty))
    }

    pub(crate) fn is_failing_fast(&self) -> bool {
        self.state.options.fail_fast
            && self.state.count(TaskState::Failed) > 0
            && !planted::is(Bug::IgnoreFailFast)
    }

    /// Tells allocations to end, once; true when none is left.
    fn close_allocations(&mut self) -> bool {
        let live: Vec<AllocationId> = self
            .state
            .allocations
            .iter()
            .filter(|(_, row)| row.state.is_live())
            .map(|(&id, _)| id)
            .collect();
        if !self.is_closing {
            for &allocation in &live {
                self.perform(Action::Close { allocation });
            }
        }
        self.is_closing = !live.is_empty();
        live.is_empty()
    }
}
