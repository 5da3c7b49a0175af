//! The lifecycle of a task, as one table.
//!
//! ```text
//! Excluded                                                    (not wanted in this run)
//! Waiting ─> Checking ─> Ready ─> Leased ─> Committed ─> Publishing ─> Published
//!    │           └───────────────────────────────────────────────────────^
//!    │                                      (Published, Failed, Skipped ─> Waiting: final tasks)
//!    └─> Skipped     Ready <─ Held <─ Leased ─> Failed      Leased ─> Published (no outputs)
//! ```

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Not wanted in this run.
    Excluded,
    /// Some parent is not published yet.
    Waiting,
    /// An earlier result is being compared with what would be run now.
    Checking,
    /// Can be granted.
    Ready,
    /// Failed, and will be tried again after a pause.
    Held,
    /// An attempt is granted, and perhaps running.
    Leased,
    /// An attempt's outputs are safe, but not visible.
    Committed,
    /// Final names are being given.
    Publishing,
    /// Done: its outputs are visible, once.
    Published,
    /// Failed for good.
    Failed,
    /// Cannot run, because something it needs failed.
    Skipped,
}

/// What can happen to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStep {
    /// The last parent was published; there is an earlier result to compare.
    Unblocked {
        /// Whether there is an earlier result to compare.
        is_reusable: bool,
    },
    /// The earlier result stands.
    Reused,
    /// The earlier result does not stand, or is not wanted.
    Changed,
    /// An attempt was granted.
    Granted,
    /// The attempt ended without blame: lost, revoked or killed.
    GivenBack,
    /// The attempt committed.
    Committed {
        /// Whether publishing is a step of its own: there is something to publish, or something of
        /// its shard that must be published before.
        has_outputs: bool,
    },
    /// The attempt failed.
    Failed {
        /// Whether it will be tried again.
        retries: bool,
    },
    /// The pause before the retry is over.
    RetryDue,
    /// Publishing begins.
    PublishIntended,
    /// Publishing is done.
    Published,
    /// Something it needs failed.
    Skipped,
    /// A final task is to run at the next end of the run.
    Rearmed,
    /// A person wants it tried again.
    Reset {
        /// Whether all its parents are published.
        is_unblocked: bool,
    },
}

/// A step that cannot happen in a state: the history is not one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step:?} cannot happen to a task that is {state:?}")]
pub struct Impossible {
    /// Where the task stood.
    pub state: TaskState,
    /// What was to happen.
    pub step: TaskStep,
}

impl TaskState {
    /// The state after a step. The whole truth of the lifecycle.
    ///
    /// # Errors
    /// The step cannot happen in this state.
    pub fn next(self, step: TaskStep) -> Result<Self, Impossible> {
        use TaskState as S;
        use TaskStep as T;
        match (self, step) {
            (S::Waiting, T::Unblocked { is_reusable: true }) => Ok(S::Checking),
            (S::Waiting, T::Unblocked { is_reusable: false }) => Ok(S::Ready),
            (S::Checking, T::Reused) => Ok(S::Published),
            (S::Checking, T::Changed) => Ok(S::Ready),
            (S::Ready, T::Granted) => Ok(S::Leased),
            (S::Leased | S::Committed | S::Publishing, T::GivenBack) => Ok(S::Ready),
            (S::Leased, T::Committed { has_outputs: true }) => Ok(S::Committed),
            (S::Leased, T::Committed { has_outputs: false }) => Ok(S::Published),
            (S::Leased | S::Committed | S::Publishing, T::Failed { retries: true }) => Ok(S::Held),
            (S::Leased | S::Committed | S::Publishing, T::Failed { retries: false }) => {
                Ok(S::Failed)
            }
            (S::Held, T::RetryDue) => Ok(S::Ready),
            (S::Committed, T::PublishIntended) => Ok(S::Publishing),
            (S::Publishing, T::Published) => Ok(S::Published),
            (S::Waiting | S::Checking | S::Ready | S::Held, T::Skipped) => Ok(S::Skipped),
            (S::Published | S::Failed | S::Skipped, T::Rearmed) => Ok(S::Waiting),
            (S::Failed | S::Skipped, T::Reset { is_unblocked: true }) => Ok(S::Ready),
            (S::Failed | S::Skipped, T::Reset { is_unblocked: false }) => Ok(S::Waiting),
            (state, step) => Err(Impossible { state, step }),
        }
    }

    /// Whether nothing more will happen to it without a person.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Excluded | Self::Published | Self::Failed | Self::Skipped => true,
            Self::Waiting
            | Self::Checking
            | Self::Ready
            | Self::Held
            | Self::Leased
            | Self::Committed
            | Self::Publishing => false,
        }
    }
}
