//! Faults: what can go wrong with orchestrator, journal, messages, places, tasks, the store, plans and clocks.
//!
//! Swarm testing (Groce et al., "Swarm testing", ISSTA 2012): each seed switches classes of faults
//! on or off and draws how strong they are, so that rare combinations come up, too. Knows what
//! kinds there are and how often they strike; what they do is up to [`crate::world`].

use std::fmt;

use spec::Timestamp;

use crate::chance::Stream;

macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A class of faults, switched on or off as one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Class {
            $($(#[$doc])* $variant,)*
        }

        impl Class {
            /// All of them.
            pub const ALL: [Self; N_CLASSES] = [$(Self::$variant,)*];

            /// In one word.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        const N_CLASSES: usize = [$($name,)*].len();
    };
}

classes! {
    /// The orchestrator.
    Orchestrator = "orchestrator",
    /// Its journal.
    Journal = "journal",
    /// Asking for capacity and handing over work.
    Submit = "submit",
    /// What is heard of it.
    Status = "status",
    /// Places and their keepers.
    Place = "place",
    /// Tasks.
    Task = "task",
    /// Silent corruption.
    Corruption = "corruption",
    /// Where outputs get their final names.
    Store = "store",
    /// Whoever asks something of the run.
    Person = "person",
    /// Whoever revises the plan.
    Plan = "plan",
    /// Clocks.
    Clock = "clock",
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident: $class:ident = $name:literal,)*) => {
        /// One kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[$doc])* $variant,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: [Self; N_FAULTS] = [$(Self::$variant,)*];

            /// The class it belongs to.
            #[must_use]
            pub fn class(self) -> Class {
                match self {
                    $(Self::$variant => Class::$class,)*
                }
            }

            /// In words.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }

        /// How many kinds there are.
        pub const N_FAULTS: usize = [$($name,)*].len();
    };
}

faults! {
    /// The orchestrator dies, after any record or before any action.
    OrchestratorCrash: Orchestrator = "orchestrator crash",
    /// It dies before it has settled after a resume. Follows from the one before.
    CrashInRecovery: Orchestrator = "crash in recovery",
    /// It is only paused, another takes over, and it wakes up with orders at hand.
    Zombie: Orchestrator = "zombie orchestrator",
    /// The machine goes with it: what was not synced is lost, and every keeper.
    MachineCrash: Orchestrator = "machine crash",
    /// A record cannot be written, nor any other for a while: whoever tries dies of it.
    DiskFull: Journal = "journal disk full",
    /// A sync takes long; what waits for it comes after what does not.
    SlowSync: Journal = "slow sync",
    /// Asking for capacity is reported as failed, and was accepted.
    SubmitFailedThoughAccepted: Submit = "submit failed though accepted",
    /// Asking for capacity is accepted, and nothing comes of it.
    SubmitLost: Submit = "submit accepted and lost",
    /// Whoever is asked is asked too often, and takes it in only after minutes.
    RateLimit: Submit = "submit rate limited",
    /// The launch fails.
    LaunchFailure: Submit = "launch failure",
    /// An order comes again, at once or after others.
    OrderDoubled: Submit = "order doubled",
    /// An observation is lost, and made up for by a later reading.
    ObservationLost: Status = "observation lost",
    /// An observation comes twice.
    ObservationDoubled: Status = "observation doubled",
    /// Old observations come again.
    ObservationStale: Status = "observation stale",
    /// An observation comes late, and after later ones.
    ObservationLate: Status = "observation late",
    /// Nothing is heard of an allocation for minutes.
    Unknown: Status = "unknown for minutes",
    /// Neither orders nor observations pass between orchestrator and keeper for minutes.
    Partition: Status = "partition",
    /// An allocation is said to be lost, and goes on.
    FalseLoss: Status = "false report of a loss",
    /// A zone has less room than before. Comes from its trace.
    Preemption: Place = "preemption",
    /// A zone goes away with all that it holds. Comes from its trace.
    Outage: Place = "zone outage",
    /// The room of a zone changes within seconds of the change before. Comes from its trace.
    Oscillation: Place = "capacity oscillates",
    /// The time of an allocation is over.
    WalltimeOver: Place = "walltime over",
    /// A keeper dies, and its tasks with it.
    KeeperDeath: Place = "keeper death",
    /// A node is slow.
    SlowNode: Place = "slow node",
    /// What may be used of an allocation changes.
    CapacityFlap: Place = "capacity change",
    /// A task fails by itself. Comes from its script.
    TaskFailure: Task = "task failure",
    /// A task hangs until its time limit. Comes from its script.
    TaskHang: Task = "task hang",
    /// A task needs more memory than it is granted. Comes from its script.
    OutOfMemory: Task = "out of memory",
    /// Outputs are wrong, and nobody is told. Comes from the zone.
    Corruption: Corruption = "silent corruption by zone",
    /// Outputs are wrong, time and again, on one node.
    MercurialNode: Corruption = "silent corruption by node",
    /// Committed outputs are gone before they are published.
    CommitLost: Store = "commit lost",
    /// Outputs cannot be given their final names. Comes from the script.
    PublishFailure: Store = "publish failure",
    /// Giving outputs their final names takes minutes.
    SlowStore: Store = "slow store",
    /// A person drains, stops or cancels the run, at any time.
    Command: Person = "command at any time",
    /// A person asks again for what was asked for before.
    CommandDoubled: Person = "command doubled",
    /// A revision of the plan moves anything anywhere. Comes from the policy.
    SenselessPlan: Plan = "senseless revision",
    /// A revision comes late, from a plan that is perhaps no longer in force.
    StalePlan: Plan = "stale revision",
    /// The clock of a keeper's machine is wrong.
    ClockSkew: Clock = "clock skew",
    /// The orchestrator's clock jumps ahead.
    ClockJump: Clock = "clock jump ahead",
    /// The orchestrator's clock is set back.
    ClockBack: Clock = "clock set back",
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hits([u64; N_FAULTS]);

impl Default for Hits {
    fn default() -> Self {
        Self([0; N_FAULTS])
    }
}

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
