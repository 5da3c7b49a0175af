//! Events: facts that the engine has accepted. The journal holds nothing else.
//!
//! Adding one: the compiler shows every reader; then `docs/formats/events.md` and a fixture.

use plan::{Plan, Revision, ShardId};
use serde::{Deserialize, Serialize};
use spec::{Digest, Resources, TaskId, Timestamp, ZoneId};

use crate::cause::{FailureCause, LossCause};
use crate::forecast::ForecastSummary;
use crate::id::{AllocationId, AttemptId, Epoch, Generation};
use crate::memory::MemoryTerms;
use crate::outcome::{Manifest, Outcome, Usage};
use crate::ranges::TaskRanges;

/// An event with its number and time, as the journal stores it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Numbered from 1 without gaps.
    pub seq: u64,
    /// When the engine accepted it.
    pub at: Timestamp,
    /// The fact.
    pub event: Event,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run exists. Always the first event.
    RunStarted {
        /// Of the workflow in force; a resumed run must have the same.
        workflow: Digest,
        /// What the user chose.
        options: Options,
        /// The tasks that are wanted; the others stay out of the run.
        selected: TaskRanges,
        /// Wanted tasks with a result of an earlier run, to be compared when they become ready.
        reusable: TaskRanges,
        /// What attempts are granted of memory beyond what the workflow says.
        #[serde(default, skip_serializing_if = "MemoryTerms::is_empty")]
        memory: MemoryTerms,
        /// Names of `foreach` tasks that are wanted and still to come; left out if all are.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        wanted: Vec<String>,
    },
    /// Another orchestrator took over.
    RunResumed {
        /// Its epoch.
        epoch: Epoch,
    },
    /// The plan in force from here on.
    PlanAdopted {
        /// The whole plan.
        plan: Plan,
    },
    /// A part of the plan is different from here on.
    PlanRevised {
        /// What.
        revision: Revision,
    },
    /// Capacity was asked for.
    AllocationRequested {
        /// Its name.
        allocation: AllocationId,
        /// Where.
        zone: ZoneId,
    },
    /// Capacity is there.
    AllocationUp {
        /// Its name.
        allocation: AllocationId,
        /// What may be used now.
        capacity: Resources,
    },
    /// More or less of an allocation may be used than before.
    CapacityChanged {
        /// Its name.
        allocation: AllocationId,
        /// What may be used now.
        capacity: Resources,
    },
    /// Capacity is gone, with everything on it that was not committed.
    AllocationLost {
        /// Its name.
        allocation: AllocationId,
        /// Why.
        cause: LossCause,
    },
    /// Capacity was given back, with nothing left on it.
    AllocationEnded {
        /// Its name.
        allocation: AllocationId,
    },
    /// Shards may start in an allocation, in this order.
    ShardsGranted {
        /// Where.
        allocation: AllocationId,
        /// Which.
        shards: Vec<ShardGrant>,
    },
    /// A process was started.
    AttemptStarted {
        /// Which try.
        attempt: AttemptId,
        /// When.
        started_at: Timestamp,
        /// Which of the allocation's slots it occupies, from 0.
        slot: u32,
    },
    /// Declared outputs were checked, hashed and synced. Without outputs, the task is published by it.
    AttemptCommitted {
        /// Which try.
        attempt: AttemptId,
        /// For which publication of the task; left out if it is the first.
        #[serde(default, skip_serializing_if = "Generation::is_first")]
        generation: Generation,
        /// What it took.
        usage: Usage,
        /// What it made.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        outputs: Manifest,
    },
    /// The task failed by itself.
    AttemptFailed {
        /// Which try.
        attempt: AttemptId,
        /// How.
        cause: FailureCause,
        /// What it took.
        usage: Usage,
        /// When it will be tried again; never if its retries are used up.
        retry_at: Option<Timestamp>,
    },
    /// The place failed the task: tried again, at no cost to its retries.
    AttemptLost {
        /// Which try.
        attempt: AttemptId,
        /// How.
        cause: LossCause,
    },
    /// Taken back before it started.
    AttemptRevoked {
        /// Which try.
        attempt: AttemptId,
    },
    /// The pause before a retry is over.
    RetriesDue {
        /// Of these tasks.
        tasks: Vec<TaskId>,
    },
    /// These commits are about to get their final names.
    PublishIntended {
        /// Which.
        attempts: Vec<AttemptId>,
    },
    /// The outputs have their final names.
    Published {
        /// Of these commits.
        attempts: Vec<AttemptId>,
    },
    /// An earlier run's result still stands.
    TaskReused {
        /// Which task.
        task: TaskId,
        /// The run that made it.
        run: String,
        /// What is there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        outputs: Manifest,
    },
    /// An earlier run's result does not stand any more.
    TaskChanged {
        /// Which task.
        task: TaskId,
        /// What changed, for people.
        why: String,
    },
    /// A task that is committed, or about to be reused, adds tasks to the graph. Nothing that comes
    /// after it has started yet. The new tasks are numbered after all others.
    WorkflowGrown {
        /// By which task.
        by: TaskId,
        /// What it made, as far as the graph depends on it.
        growth: spec::growth::Growth,
        /// Where the new tasks go, in their order; each is a shard of its own.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        zones: Vec<ZoneId>,
        /// Which of them have a result of an earlier run, counted from the first new one.
        #[serde(default, skip_serializing_if = "TaskRanges::is_empty")]
        reusable: TaskRanges,
    },
    /// A person asked for something, and the engine took it on.
    CommandAccepted {
        /// What.
        command: crate::input::Command,
    },
    /// All else has ended: the final tasks may start.
    FinalsDue {
        /// How the run would have ended without them.
        outcome: Outcome,
    },
    /// Nothing runs any more, tasks are left, and the run can be resumed.
    RunPaused,
    /// Nothing will happen any more, unless failed tasks are asked for again.
    RunFinished {
        /// How it ended.
        outcome: Outcome,
    },
    /// Zones are forecast otherwise than before.
    ForecastChanged {
        /// The forecast that counts from here on.
        forecast: ForecastSummary,
    },
    /// The machine of a zone was measured.
    MachineMeasured {
        /// By whom.
        allocation: AllocationId,
        /// What was seen.
        usage: crate::input::MachineUsage,
    },
}

/// Permission for a shard attempt: the remaining tasks of a shard, under an epoch of its own.
///
/// Serialized as `[shard, epoch, [attempts]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardGrant(pub ShardId, pub u32, pub Vec<AttemptId>);

/// What the user chose for the whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Start nothing new after the first task that fails for good.
    pub fail_fast: bool,
    /// How many attempts an allocation may hold beyond those that run, so that a flush of the
    /// journal never idles a slot.
    pub queue_ahead: u32,
    /// How often a task may be lost with its place before it counts as failed.
    pub losses_max: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { fail_fast: false, queue_ahead: 128, losses_max: 20 }
    }
}
