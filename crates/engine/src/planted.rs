//! Bugs that are put in on purpose, one at a time, to see whether the tests catch them.
//!
//! Without the feature `planted-bugs` there is no way to plant one, and [`is`] is the constant
//! `false`: the sites cost nothing. With it, the thread that plants a bug has it, and no other.

macro_rules! bugs {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A bug to be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bug {
            $($(#[$doc])* $variant,)*
        }

        #[cfg(feature = "planted-bugs")]
        impl Bug {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name on the command line.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

bugs! {
    /// A second report of a publication is recorded, too.
    PublishTwice = "publish-twice",
    /// A task can start when all but one of its parents are published.
    SkipDependency = "skip-dependency",
    /// Orders of an older orchestrator are obeyed.
    DropEpochCheck = "drop-epoch-check",
    /// A task pays with its retries for the loss of its place.
    ChargeLoss = "charge-loss",
    /// An allocation in doubt after a resume does not count as held.
    ForgetOrphan = "forget-orphan",
    /// A report of an attempt that is not the current one is taken for one that is.
    AcceptLateResult = "accept-late-result",
    /// A task that is given back stays with its allocation for ever.
    LoseRevoked = "lose-revoked",
    /// A time limit is set, and nothing happens when it is over.
    NeverTimeOut = "never-time-out",
    /// A task that ignores being asked to end is never killed.
    NeverKill = "never-kill",
    /// A task may fail once more than its retries allow.
    OneRetryMore = "one-retry-more",
    /// Nobody is woken when a pause before a retry is over.
    ForgetRetry = "forget-retry",
    /// A pause before a retry is over at once.
    NoPause = "no-pause",
    /// What was ready before a cancel still starts.
    StartAfterCancel = "start-after-cancel",
    /// A run that should fail fast goes on.
    IgnoreFailFast = "ignore-fail-fast",
    /// A task that is not idempotent is started again though it may have run.
    RepeatDoubtful = "repeat-doubtful",
    /// Whatever was not said to have started is taken as not started.
    TrustSilence = "trust-silence",
    /// A publication that was under way is not taken up after a resume.
    NoRepublish = "no-republish",
    /// Commits that were not published yet are forgotten in a resume.
    ForgetCommits = "forget-commits",
    /// Comparisons with earlier results are forgotten in a resume.
    ForgetChecks = "forget-checks",
    /// A commit is published though what it was made from is not.
    PublishTooEarly = "publish-too-early",
    /// A commit stays though what it was made from came to nothing.
    KeepCommitOnSand = "keep-commit-on-sand",
    /// A commit is taken in though what it was made from came to nothing.
    BuildOnSand = "build-on-sand",
    /// After a resume, what an allocation does not know is not sent again.
    NoResend = "no-resend",
    /// Work is granted to an allocation before it is up, and is not sent.
    GrantTooEarly = "grant-too-early",
    /// A keeper starts all that it has, whatever runs already.
    OverCommit = "over-commit",
    /// A keeper never gets back what an ended task held.
    LeakSlot = "leak-slot",
    /// What waits inside a shard for a task that failed waits on.
    ForgetDependents = "forget-dependents",
    /// What should wait inside a shard for another task does not.
    StartTooEarly = "start-too-early",
    /// A shard of which something runs is granted again.
    GrantTwice = "grant-twice",
    /// Only the children of a failed task are skipped, not theirs.
    SkipChildrenOnly = "skip-children-only",
    /// A task can be lost as often as it likes.
    LoseForEver = "lose-for-ever",
    /// An earlier result is compared before its inputs are there.
    CompareTooEarly = "compare-too-early",
    /// Nothing follows when a commit cannot be published.
    IgnorePublishFailure = "ignore-publish-failure",
    /// A run is over though its allocations are held.
    LeaveAllocations = "leave-allocations",
    /// A revision moves what is granted.
    MoveGranted = "move-granted",
    /// A publication does not wait until its record is safe.
    PublishUnsynced = "publish-unsynced",
    /// The start of a task that is not idempotent does not wait until its record is safe.
    StartUnsynced = "start-unsynced",
    /// The loss of an allocation is recorded, and not what was lost with it.
    LoseAllocationOnly = "lose-allocation-only",
    /// A failed task keeps its used retries when it is asked for again.
    KeepFailures = "keep-failures",
    /// A task is published before what it adds to the graph is read.
    PublishBeforeGrowth = "publish-before-growth",
    /// What was there before does not wait for what was added to the graph.
    ForgetNewParents = "forget-new-parents",
    /// What was added to the graph is taken for part of the shard of whoever added it.
    GrowIntoShard = "grow-into-shard",
    /// A keeper starts what it was told to give back, if that order came first.
    StartRevoked = "start-revoked",
    /// A keeper starts an attempt again when it is told to start it a second time.
    StartAgain = "start-again",
    /// What a failed attempt used is charged to nobody.
    ForgetUsage = "forget-usage",
    /// A task is done when its process ends well, and its outputs stay where they are.
    SkipCommit = "skip-commit",
}

#[cfg(feature = "planted-bugs")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug in this thread, in place of the one that was there.
#[cfg(feature = "planted-bugs")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether a bug is planted here.
#[cfg(feature = "planted-bugs")]
pub(crate) fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Whether a bug is planted here: never.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub(crate) const fn is(_: Bug) -> bool {
    false
}
