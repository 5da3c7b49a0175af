//! What a virtual run comes to: time, money, work kept and lost, and where it went.

use engine::{AttemptId, Outcome as RunOutcome, Record};
use spec::{Digest, Duration, TaskId, Timestamp, ZoneId};

use crate::faults::Hits;
use crate::watch::{Taken, Violation};

/// A run that came to its end, or was given up.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// From the begin to the end of the run.
    pub makespan: Duration,
    /// Money for allocations and for moving data.
    pub cost: f64,
    /// Of which for moving data.
    pub transfer_cost: f64,
    /// Core-seconds of attempts whose outputs are published.
    pub useful_work: f64,
    /// Core-seconds of attempts that came to nothing.
    pub lost_work: f64,
    /// Core-seconds of attempts that committed when another one was, or is, published.
    pub redundant_work: f64,
    /// How often capacity was asked for.
    pub requests: u64,
    /// How many allocations came up.
    pub allocations: u64,
    /// How many allocations were preempted.
    pub preemptions: u64,
    /// Seconds for which allocations were held and billed.
    pub held_seconds: f64,
    /// How many shard attempts were granted.
    pub jobs: u64,
    /// How many attempts had a process.
    pub attempts: u64,
    /// Between zones.
    pub bytes_moved: u64,
    /// Tasks whose published outputs are wrong.
    pub wrong: Vec<TaskId>,
    /// By kind, how often faults struck.
    pub hits: Hits,
    /// How much happened.
    pub n_happenings: u64,
    /// How many records the run made, those lost in crashes too.
    pub n_records: u64,
    /// Of all records and actions, where everything is watched.
    pub trace: Option<Digest>,
    /// Which changes of state were seen, where everything is watched.
    pub taken: Taken,
    /// What ran where, where a timeline is kept.
    pub timeline: Vec<Bar>,
    /// What was held where, where a timeline is kept.
    pub holdings: Vec<Holding>,
    /// The records of the run, where they are kept.
    pub records: Vec<Record>,
}

/// How a virtual run ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// As runs do.
    Finished(RunOutcome),
    /// Something held no longer that must always hold.
    Violated(Violation),
    /// The time that was given is over.
    GaveUp,
}

impl Outcome {
    /// Whether every task was published.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.ending == Ending::Finished(RunOutcome::Succeeded)
    }

    /// What was violated, if anything.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        match &self.ending {
            Ending::Violated(violation) => Some(violation),
            Ending::Finished(_) | Ending::GaveUp => None,
        }
    }
}

/// A process on the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// Which try.
    pub attempt: AttemptId,
    /// Where.
    pub zone: ZoneId,
    /// On which allocation.
    pub allocation: u32,
    /// In which of its slots.
    pub slot: u32,
    /// From the begin of fetching its inputs.
    pub from: Timestamp,
    /// When its process was there.
    pub started: Option<Timestamp>,
    /// Until its process was gone.
    pub to: Timestamp,
    /// Whether it ended well.
    pub is_done: bool,
}

/// An allocation on the timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// Its number.
    pub allocation: u32,
    /// Where.
    pub zone: ZoneId,
    /// From the begin of its launch.
    pub from: Timestamp,
    /// When it was up.
    pub up: Option<Timestamp>,
    /// Until its end.
    pub to: Timestamp,
    /// Whether it was preempted.
    pub is_preempted: bool,
}
