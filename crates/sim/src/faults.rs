//! Faults: what can go wrong with orchestrator, messages, places, tasks and clocks.
//!
//! Swarm testing (Groce et al., "Swarm testing", ISSTA 2012): each seed switches classes of faults
//! on or off and draws how strong they are, so that rare combinations come up, too.

use std::fmt;

use spec::Timestamp;

use crate::chance::Stream;

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The orchestrator dies, after any record or before any action.
    OrchestratorCrash,
    /// It dies before it has settled after a resume. Follows from the one before.
    CrashInRecovery,
    /// It is only paused, another takes over, and it wakes up with orders at hand.
    Zombie,
    /// The machine goes with it: what was not synced is lost, and every keeper.
    MachineCrash,
    /// Asking for capacity is reported as failed, and was accepted.
    SubmitFailedThoughAccepted,
    /// Asking for capacity is accepted, and nothing comes of it.
    SubmitLost,
    /// The launch fails.
    LaunchFailure,
    /// An observation is lost, and made up for by a later reading.
    ObservationLost,
    /// An observation comes twice.
    ObservationDoubled,
    /// Old observations come again.
    ObservationStale,
    /// An observation comes late, and after later ones.
    ObservationLate,
    /// Nothing is heard of an allocation for minutes.
    Unknown,
    /// An allocation is said to be lost, and goes on.
    FalseLoss,
    /// A zone has less room than before. Comes from its trace.
    Preemption,
    /// A keeper dies, and its tasks with it.
    KeeperDeath,
    /// A node is slow.
    SlowNode,
    /// What may be used of an allocation changes.
    CapacityFlap,
    /// Committed outputs are gone before they are published.
    CommitLost,
    /// A task fails by itself. Comes from its script.
    TaskFailure,
    /// A task hangs until its time limit. Comes from its script.
    TaskHang,
    /// A task needs more memory than it is granted. Comes from its script.
    OutOfMemory,
    /// Outputs cannot be given their final names. Comes from the script.
    PublishFailure,
    /// Outputs are wrong, and nobody is told.
    Corruption,
    /// The clock of a keeper's machine is wrong.
    ClockSkew,
    /// The orchestrator's clock jumps ahead.
    ClockJump,
}

/// How many kinds there are.
pub const N_FAULTS: usize = 25;

/// A class of faults, switched on or off as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The orchestrator and its journal.
    Orchestrator,
    /// Asking for capacity.
    Submit,
    /// What is heard of it.
    Status,
    /// Places and their keepers.
    Place,
    /// Tasks.
    Task,
    /// Silent corruption.
    Corruption,
    /// Clocks.
    Clock,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; N_FAULTS] = [
        Self::OrchestratorCrash,
        Self::CrashInRecovery,
        Self::Zombie,
        Self::MachineCrash,
        Self::SubmitFailedThoughAccepted,
        Self::SubmitLost,
        Self::LaunchFailure,
        Self::ObservationLost,
        Self::ObservationDoubled,
        Self::ObservationStale,
        Self::ObservationLate,
        Self::Unknown,
        Self::FalseLoss,
        Self::Preemption,
        Self::KeeperDeath,
        Self::SlowNode,
        Self::CapacityFlap,
        Self::CommitLost,
        Self::TaskFailure,
        Self::TaskHang,
        Self::OutOfMemory,
        Self::PublishFailure,
        Self::Corruption,
        Self::ClockSkew,
        Self::ClockJump,
    ];

    /// The class it belongs to.
    #[must_use]
    pub fn class(self) -> Class {
        use Fault as F;
        match self {
            F::OrchestratorCrash | F::CrashInRecovery | F::Zombie | F::MachineCrash => {
                Class::Orchestrator
            }
            F::SubmitFailedThoughAccepted | F::SubmitLost | F::LaunchFailure => Class::Submit,
            F::ObservationLost
            | F::ObservationDoubled
            | F::ObservationStale
            | F::ObservationLate
            | F::Unknown
            | F::FalseLoss => Class::Status,
            F::Preemption | F::KeeperDeath | F::SlowNode | F::CapacityFlap | F::CommitLost => {
                Class::Place
            }
            F::TaskFailure | F::TaskHang | F::OutOfMemory | F::PublishFailure => Class::Task,
            F::Corruption => Class::Corruption,
            F::ClockSkew | F::ClockJump => Class::Clock,
        }
    }

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OrchestratorCrash => "orchestrator crash",
            Self::CrashInRecovery => "crash in recovery",
            Self::Zombie => "zombie orchestrator",
            Self::MachineCrash => "machine crash",
            Self::SubmitFailedThoughAccepted => "submit failed though accepted",
            Self::SubmitLost => "submit accepted and lost",
            Self::LaunchFailure => "launch failure",
            Self::ObservationLost => "observation lost",
            Self::ObservationDoubled => "observation doubled",
            Self::ObservationStale => "observation stale",
            Self::ObservationLate => "observation late",
            Self::Unknown => "unknown for minutes",
            Self::FalseLoss => "false report of a loss",
            Self::Preemption => "preemption",
            Self::KeeperDeath => "keeper death",
            Self::SlowNode => "slow node",
            Self::CapacityFlap => "capacity change",
            Self::CommitLost => "commit lost",
            Self::TaskFailure => "task failure",
            Self::TaskHang => "task hang",
            Self::OutOfMemory => "out of memory",
            Self::PublishFailure => "publish failure",
            Self::Corruption => "silent corruption",
            Self::ClockSkew => "clock skew",
            Self::ClockJump => "clock jump",
        }
    }
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Orchestrator,
        Self::Submit,
        Self::Status,
        Self::Place,
        Self::Task,
        Self::Corruption,
        Self::Clock,
    ];

    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Orchestrator => "orchestrator",
            Self::Submit => "submit",
            Self::Status => "status",
            Self::Place => "place",
            Self::Task => "task",
            Self::Corruption => "corruption",
            Self::Clock => "clock",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How often each kind strikes, out of the occasions it has, and until when.
#[derive(Clone, Debug, PartialEq)]
pub struct Faults {
    /// From here on the world behaves.
    pub until: Timestamp,
    strength: [f64; N_FAULTS],
}

impl Faults {
    /// None at all.
    pub const NONE: Self = Self { until: Timestamp(i64::MIN), strength: [0.0; N_FAULTS] };

    /// None yet, until a time.
    #[must_use]
    pub fn until(until: Timestamp) -> Self {
        Self { until, ..Self::NONE }
    }

    /// Lets a kind strike with this probability.
    pub fn set(&mut self, fault: Fault, probability: f64) {
        self.strength[fault as usize] = probability;
    }

    /// Switches a class off.
    pub fn forgive(&mut self, class: Class) {
        for fault in Fault::ALL.into_iter().filter(|fault| fault.class() == class) {
            self.set(fault, 0.0);
        }
    }

    /// Whether a kind can strike.
    #[must_use]
    pub fn is_on(&self, fault: Fault) -> bool {
        self.strength[fault as usize] > 0.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.strength.iter().all(|&strength| strength == 0.0)
    }

    pub(crate) fn strikes(&self, fault: Fault, now: Timestamp, stream: &mut Stream) -> bool {
        let strength = self.strength[fault as usize];
        strength > 0.0 && now < self.until && stream.chance(strength)
    }
}

/// How often each kind has struck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits([u64; N_FAULTS]);

impl Hits {
    /// How often a kind has struck.
    #[must_use]
    pub fn of(&self, fault: Fault) -> u64 {
        self.0[fault as usize]
    }

    /// How often anything has.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Counts one more.
    pub fn count(&mut self, fault: Fault) {
        self.0[fault as usize] += 1;
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}
