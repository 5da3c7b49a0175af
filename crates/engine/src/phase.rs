//! The lifecycle of a run, as one table.
//!
//! ```text
//! Running ─> Draining ─> Paused ─> Running          Running | Draining | Paused ─> Cancelling
//! Running ─> Finished(outcome) ─> Running           Cancelling ─> Finished(cancelled)
//! ```

use crate::input::Command;
use crate::outcome::Outcome;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Starts what can start.
    Running,
    /// Starts nothing new; what runs may finish, or is being killed.
    Draining {
        /// Whether what runs is being killed.
        is_killing: bool,
    },
    /// Nothing runs; can be resumed.
    Paused,
    /// Being killed for good.
    Cancelling,
    /// Over.
    Finished(Outcome),
}

/// What can happen to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhaseStep {
    /// A person asked.
    Command(Command),
    /// Nothing runs any more.
    Paused,
    /// An orchestrator took over.
    Resumed,
    /// Nothing is left to do.
    Finished(Outcome),
}

impl Phase {
    /// The phase after a step; none if the step changes nothing.
    #[must_use]
    pub fn next(self, step: PhaseStep) -> Option<Self> {
        use Command as C;
        use Phase as P;
        use PhaseStep as T;
        match (self, step) {
            (P::Running, T::Command(C::Drain)) => Some(P::Draining { is_killing: false }),
            (P::Running | P::Draining { is_killing: false }, T::Command(C::Stop)) => {
                Some(P::Draining { is_killing: true })
            }
            (P::Running | P::Draining { .. } | P::Paused, T::Command(C::Cancel)) => {
                Some(P::Cancelling)
            }
            (P::Finished(Outcome::Failed), T::Command(C::RetryFailed)) => Some(P::Running),
            (P::Draining { .. }, T::Paused) => Some(P::Paused),
            (P::Draining { .. } | P::Paused, T::Resumed) => Some(P::Running),
            (P::Running | P::Cancelling | P::Draining { .. }, T::Finished(outcome)) => {
                Some(P::Finished(outcome))
            }
            (
                P::Running | P::Draining { .. } | P::Paused | P::Cancelling | P::Finished(_),
                T::Command(_) | T::Paused | T::Resumed | T::Finished(_),
            ) => None,
        }
    }
}
