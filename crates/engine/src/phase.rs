//! The lifecycle of a run, as one table.
//!
//! ```text
//! Running ─> Draining ─> Paused ─> Running          Running | Draining | Paused ─> Cancelling
//! Running ─> Finished(outcome) ─> Running           Cancelling ─> Finished(cancelled)
//! Running | Cancelling ─> Finishing(outcome) ─> Finished(outcome) | Draining | Cancelling
//! ```
//!
//! `Finishing`, in which final tasks run, is left out where there are none. A run that is drained
//! in it is resumed in it, and one that is cancelled in it ends without the rest of them.

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
    /// All else has ended like this; final tasks run.
    Finishing(Outcome),
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
    Resumed {
        /// How all else ended, if final tasks were due already.
        finishing: Option<Outcome>,
    },
    /// All but final tasks has ended.
    FinalsDue(Outcome),
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
            (P::Running | P::Finishing(_), T::Command(C::Drain)) => {
                Some(P::Draining { is_killing: false })
            }
            (
                P::Running | P::Finishing(_) | P::Draining { is_killing: false },
                T::Command(C::Stop),
            ) => Some(P::Draining { is_killing: true }),
            (
                P::Running | P::Finishing(_) | P::Draining { .. } | P::Paused,
                T::Command(C::Cancel),
            ) => Some(P::Cancelling),
            (P::Finished(Outcome::Failed), T::Command(C::RetryFailed)) => Some(P::Running),
            (P::Draining { .. }, T::Paused) => Some(P::Paused),
            (P::Draining { .. } | P::Paused, T::Resumed { finishing }) => {
                Some(finishing.map_or(P::Running, P::Finishing))
            }
            (P::Running | P::Cancelling, T::FinalsDue(outcome)) => Some(P::Finishing(outcome)),
            (
                P::Running | P::Finishing(_) | P::Cancelling | P::Draining { .. },
                T::Finished(outcome),
            ) => Some(P::Finished(outcome)),
            (
                P::Running
                | P::Draining { .. }
                | P::Paused
                | P::Cancelling
                | P::Finishing(_)
                | P::Finished(_),
                T::Command(_) | T::Paused | T::Resumed { .. } | T::FinalsDue(_) | T::Finished(_),
            ) => None,
        }
    }
}
