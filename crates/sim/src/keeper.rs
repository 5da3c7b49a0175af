//! A virtual keeper: the real [`ShardHost`], with processes that are only pretended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use engine::input::Report;
use engine::shard::{HostInput, ShardHost};
use engine::{AllocationId, AttemptId, Epoch};
use spec::{Bytes, Resources, Timestamp, ZoneId};

use crate::truth::Failure;

/// Where a keeper stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Asked for; not admitted yet.
    Waiting,
    /// Admitted; not there yet.
    Launching,
    Up,
    Ended,
    Dead,
}

/// One keeper of one allocation.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) allocation: AllocationId,
    pub(crate) zone: ZoneId,
    pub(crate) host: ShardHost,
    pub(crate) capacity: Resources,
    pub(crate) stage: Stage,
    /// Appended by orchestrators, not yet taken in.
    pub(crate) orders: VecDeque<HostInput>,
    /// What follows from its own outputs.
    pub(crate) inbox: VecDeque<HostInput>,
    pub(crate) processes: BTreeMap<AttemptId, Process>,
    /// When it is to be woken; other wakes are no longer meant.
    pub(crate) wake: Option<Timestamp>,
    pub(crate) launched: Option<Timestamp>,
    pub(crate) up: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) idle_since: Option<Timestamp>,
    /// When it last heard of an orchestrator.
    pub(crate) heard: Timestamp,
    /// Its tasks take so many times as long.
    pub(crate) slowness: f64,
    /// Its clock is ahead by so many microseconds.
    pub(crate) skew: i64,
    /// It has been told that it will be preempted.
    pub(crate) is_doomed: bool,
    pub(crate) is_preempted: bool,
    /// It has been said to be lost, and is not.
    pub(crate) is_disowned: bool,
    /// Until then nothing passes between it and the orchestrator.
    pub(crate) cut_off_until: Timestamp,
    /// How likely a task leaves wrong outputs on this node.
    pub(crate) corruption: f64,
    /// What it has to remember only where things can go wrong.
    pub(crate) memory: Memory,
}

/// What a keeper remembers for those who ask again.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The newest orchestrator that wrote it an order.
    pub(crate) ordered_by: Epoch,
    /// Attempts it was ever sent.
    pub(crate) known: Vec<AttemptId>,
    /// What they were granted.
    pub(crate) granted: BTreeMap<AttemptId, Resources>,
    pub(crate) started: BTreeSet<AttemptId>,
    /// Attempts that it was told to give back or to kill.
    pub(crate) taken_back: BTreeSet<AttemptId>,
    /// Attempts committed here.
    pub(crate) committed: BTreeSet<AttemptId>,
    /// Its progress file.
    pub(crate) progress: Vec<Report>,
}

/// A process that was asked for and has not ended.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) granted: Resources,
    pub(crate) slot: u32,
    /// When its slot was taken.
    pub(crate) since: Timestamp,
    pub(crate) spawned: Option<Timestamp>,
    /// How it will fail; none if it will succeed.
    pub(crate) failure: Option<Failure>,
    /// Whether what it read, or what it makes, is wrong.
    pub(crate) is_wrong: bool,
}

impl Process {
    /// Whether it has a limit and needs more.
    pub(crate) fn is_short(&self, needs: Bytes) -> bool {
        self.granted.memory.0 > 0 && needs > self.granted.memory
    }

    /// Cpus times time until `now`, in core-seconds.
    pub(crate) fn work(&self, now: Timestamp) -> f64 {
        f64::from(self.granted.cpus.0) / 1e3 * now.since(self.since).as_secs_f64()
    }
}

impl Keeper {
    pub(crate) fn new(
        allocation: AllocationId,
        zone: ZoneId,
        epoch: Epoch,
        capacity: Resources,
        now: Timestamp,
    ) -> Self {
        Self {
            allocation,
            zone,
            host: ShardHost::new(epoch, capacity.clone()),
            capacity,
            stage: Stage::Waiting,
            orders: VecDeque::new(),
            inbox: VecDeque::new(),
            processes: BTreeMap::new(),
            wake: None,
            launched: None,
            up: None,
            ended: None,
            idle_since: None,
            heard: now,
            slowness: 1.0,
            skew: 0,
            is_doomed: false,
            is_preempted: false,
            is_disowned: false,
            cut_off_until: Timestamp(i64::MIN),
            corruption: 0.0,
            memory: Memory::default(),
        }
    }

    /// Whether it is, or may come to be, at work.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.stage, Stage::Waiting | Stage::Launching | Stage::Up)
    }

    /// Attempts that it was sent and that certainly never started.
    pub(crate) fn not_started(&self) -> Vec<AttemptId> {
        let Memory { known, started, .. } = &self.memory;
        known.iter().copied().filter(|attempt| !started.contains(attempt)).collect()
    }

    /// What its processes hold.
    pub(crate) fn held(&self) -> Resources {
        let mut held = Resources::default();
        for process in self.processes.values() {
            held.put(&process.granted);
        }
        held
    }

    /// What its clock says.
    pub(crate) fn clock(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0 + self.skew)
    }

    /// When its clock will say `time`.
    pub(crate) fn real(&self, time: Timestamp) -> Timestamp {
        Timestamp(time.0 - self.skew)
    }
}
