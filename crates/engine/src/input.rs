//! Inputs: what people ask and what executors say they saw.

use plan::Revision;
use serde::{Deserialize, Serialize};
use spec::growth::Growth;
use spec::{Bytes, Duration, Resources, TaskId, Timestamp, ZoneId};

use crate::cause::{FailureCause, LossCause};
use crate::forecast::ForecastSummary;
use crate::id::{AllocationId, AttemptId};
use crate::outcome::{Manifest, Usage};
use crate::ranges::TaskRanges;

/// Whatever the engine can be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A person asks.
    Command(Command),
    /// Executors report; in the order they said it. One call for many keeps grants together.
    Observations(Vec<Observation>),
    /// Somebody who watches the run would change the plan. What no longer applies is left out; a
    /// proposal that starts from another plan than the one in force is dropped.
    PlanProposed(Revision),
    /// Zones are forecast otherwise than before. One that is no news, or comes when nothing can
    /// follow from it, is dropped.
    ForecastChanged(ForecastSummary),
    /// The time that was waited for has come.
    Wake,
}

/// What a person asks of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Start nothing new, let what runs finish, then pause.
    Drain,
    /// Kill what runs, then pause.
    Stop,
    /// Kill what runs and end the run for good.
    Cancel,
    /// Try tasks that failed for good once more, with fresh retries, and what they held up.
    RetryFailed,
}

/// What an executor saw. Repeated, late and stale ones are harmless.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// The allocation answers. After a resume, it tells which attempts it has ever been sent.
    AllocationUp {
        /// Which.
        allocation: AllocationId,
        /// What may be used now.
        capacity: Resources,
        /// Attempts it knows; what it does not know is sent again.
        known: Vec<AttemptId>,
    },
    /// The allocation is gone.
    AllocationLost {
        /// Which.
        allocation: AllocationId,
        /// Why.
        cause: LossCause,
        /// Attempts that certainly never started.
        not_started: Vec<AttemptId>,
    },
    /// The allocation ended in order, with nothing left on it.
    AllocationEnded {
        /// Which.
        allocation: AllocationId,
    },
    /// The allocation's keeper reports.
    Reported {
        /// Which.
        allocation: AllocationId,
        /// What.
        report: Report,
    },
    /// A commit has its final names.
    Published {
        /// Which.
        attempt: AttemptId,
    },
    /// A commit could not be given its final names.
    PublishFailed {
        /// Which.
        attempt: AttemptId,
        /// Whether the committed files themselves are gone or damaged.
        is_lost: bool,
        /// Why, for people.
        why: String,
    },
    /// An earlier result was compared with what would be run now.
    ReuseChecked {
        /// Which task.
        task: TaskId,
        /// What came out.
        verdict: ReuseVerdict,
    },
    /// What a committed task, or one that is about to be reused, adds to the graph was read.
    GrowthRead {
        /// Which task.
        task: TaskId,
        /// The commit that was read; none if it was an earlier run's result.
        attempt: Option<AttemptId>,
        /// What came out.
        verdict: GrowthVerdict,
    },
}

/// What a task adds to the graph.
#[derive(Clone, Debug, PartialEq)]
pub enum GrowthVerdict {
    /// As read from its outputs.
    Read {
        /// What it made.
        growth: Growth,
        /// Where the new tasks go, in their order.
        zones: Vec<ZoneId>,
        /// Which of them have a result of an earlier run, counted from the first new one.
        reusable: TaskRanges,
    },
    /// Nothing that could be added; a failure of the task.
    Unfit {
        /// Why, for people.
        why: String,
    },
}

/// Whether an earlier result still stands.
#[derive(Clone, Debug, PartialEq)]
pub enum ReuseVerdict {
    /// Command, inputs, environment and outputs are the same.
    Unchanged {
        /// The run that made it.
        run: String,
        /// What is there.
        outputs: Manifest,
    },
    /// Something is not the same.
    Changed {
        /// What, for people.
        why: String,
    },
}

/// A line of a keeper's progress file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// A process was started.
    Started {
        /// Which try.
        attempt: AttemptId,
        /// When.
        at: Timestamp,
        /// In which slot, from 0.
        slot: u32,
        /// Its process id, which is also its process group.
        pid: u32,
    },
    /// Ended well; outputs are checked, hashed and synced.
    Committed {
        /// Which try.
        attempt: AttemptId,
        /// What it took.
        usage: Usage,
        /// What it made.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        outputs: Manifest,
    },
    /// Failed by itself.
    Failed {
        /// Which try.
        attempt: AttemptId,
        /// How.
        cause: FailureCause,
        /// What it took.
        usage: Usage,
    },
    /// Given back before it started, as asked.
    Returned {
        /// Which try.
        attempt: AttemptId,
    },
    /// Killed, as asked.
    Killed {
        /// Which try.
        attempt: AttemptId,
        /// What it took.
        usage: Usage,
    },
    /// More or less may be used than before.
    Capacity {
        /// What may be used now.
        capacity: Resources,
    },
    /// The machine was measured.
    Measured {
        /// What was seen.
        usage: MachineUsage,
    },
}

/// What a whole machine did over an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MachineUsage {
    /// The end of the interval.
    pub at: Timestamp,
    /// Its length.
    pub interval: Duration,
    /// Mean number of busy cpus.
    pub cpus_busy: f32,
    /// Memory in use at the end.
    pub memory_used: Bytes,
    /// Received over all interfaces but loopback.
    pub network_in: Bytes,
    /// Sent over all interfaces but loopback.
    pub network_out: Bytes,
}
