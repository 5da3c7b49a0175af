//! The lifecycle of an allocation, as one table.
//!
//! ```text
//! Requested ─> Up ─> Ended
//!     └────────┴───> Lost        Unknown (after a resume) ─> Up | Lost | Ended
//! ```

/// Where an allocation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllocationState {
    /// Asked for, not there yet.
    Requested,
    /// Answers, and takes leases.
    Up,
    /// It was there when the last orchestrator ended; being probed.
    Unknown,
    /// Given back in order.
    Ended,
    /// Gone.
    Lost,
}

/// What can happen to an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllocationStep {
    /// It answers.
    Up,
    /// It is gone.
    Lost,
    /// It ended in order.
    Ended,
    /// Another orchestrator took over and has not heard of it yet.
    Resumed,
}

impl AllocationState {
    /// The state after a step; none if it cannot happen or changes nothing.
    #[must_use]
    pub fn next(self, step: AllocationStep) -> Option<Self> {
        use AllocationState as S;
        use AllocationStep as T;
        match (self, step) {
            (S::Requested | S::Unknown, T::Up) => Some(S::Up),
            (S::Requested | S::Unknown | S::Up, T::Lost) => Some(S::Lost),
            (S::Requested | S::Unknown | S::Up, T::Ended) => Some(S::Ended),
            (S::Requested | S::Up, T::Resumed) => Some(S::Unknown),
            (S::Up, T::Up)
            | (S::Unknown, T::Resumed)
            | (S::Ended | S::Lost, T::Up | T::Lost | T::Ended | T::Resumed) => None,
        }
    }

    /// Whether it may still hold attempts.
    #[must_use]
    pub fn is_live(self) -> bool {
        match self {
            Self::Requested | Self::Up | Self::Unknown => true,
            Self::Ended | Self::Lost => false,
        }
    }
}
