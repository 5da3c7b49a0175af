//! Why an attempt did not succeed, and with that, who pays for it.

use serde::{Deserialize, Serialize};
use spec::{Bytes, Duration};

/// The task's own failure: uses one of its retries, or, out of memory, of its `oom_retries`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    /// Ended with this code.
    Exit(i32),
    /// Ended by this signal, which we did not send.
    Signal(i32),
    /// Ran longer than its `timeout`.
    Timeout(Duration),
    /// Used more memory than it was granted.
    OutOfMemory {
        /// What it was granted.
        granted: Bytes,
        /// What it was seen to use.
        used: Bytes,
        /// Why it gets no more; none if it is tried again with more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound: Option<MemoryBound>,
    },
    /// Wrote more log than a task may.
    LogTooLong(Bytes),
    /// Ran more processes at once than a task may.
    TooManyProcesses(u32),
    /// Ended well, but declared outputs are not there.
    MissingOutput(Vec<String>),
    /// Ended well, but an output cannot be taken.
    UnfitOutput {
        /// Relative to the project.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Ended well, but what it would add to the graph cannot be added.
    UnfitGrowth(String),
    /// Could not be started at all.
    CannotStart(String),
    /// Committed, but its outputs could not be given their final names.
    CannotPublish(String),
    /// `idempotent: false`, lost, and perhaps half done: a person must look.
    MayHaveRun(LossCause),
    /// Lost more often than the run's limit, without ever failing by itself.
    LostTooOften(u32),
}

/// Why a task that ran out of memory gets no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryBound {
    /// Its `oom_retries` are used up.
    Retries(u16),
    /// It had its `max`.
    Max(Bytes),
    /// It had all that the largest node has which can hold it.
    Node(Bytes),
    /// It must not run twice.
    NotIdempotent,
}

/// The place's failure: the task pays nothing and is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossCause {
    /// The keeper of the allocation died, and its tasks with it.
    KeeperDied,
    /// The machine was restarted.
    MachineRestarted,
    /// A person stopped the run; it can be resumed.
    Stopped,
    /// Its committed outputs were no longer there, or no longer the same, when they were to be published.
    CommitLost,
}

impl LossCause {
    /// Whether it counts towards how often a task may be lost; a person who stops a run does not
    /// wear its tasks out.
    #[must_use]
    pub fn is_held_against_task(self) -> bool {
        match self {
            Self::KeeperDied | Self::MachineRestarted | Self::CommitLost => true,
            Self::Stopped => false,
        }
    }
}

impl std::fmt::Display for FailureCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::Timeout(limit) => write!(f, "ran longer than its timeout of {limit}"),
            Self::OutOfMemory { granted, used, bound } => {
                write!(f, "out of memory: used {used} of {granted}")?;
                bound.map_or(Ok(()), |bound| write!(f, ", and gets no more: {bound}"))
            }
            Self::LogTooLong(limit) => write!(f, "wrote more than {limit} of log"),
            Self::TooManyProcesses(limit) => write!(f, "ran more than {limit} processes"),
            Self::MissingOutput(paths) => {
                write!(f, "declared outputs are missing: {}", paths.join(", "))
            }
            Self::UnfitOutput { path, why } => write!(f, "output {path} {why}"),
            Self::UnfitGrowth(why) => write!(f, "it adds tasks that cannot be added: {why}"),
            Self::CannotStart(why) => write!(f, "could not be started: {why}"),
            Self::CannotPublish(why) => write!(f, "outputs could not be published: {why}"),
            Self::MayHaveRun(cause) => {
                write!(f, "{cause}, and it is not idempotent: it may have run in part")
            }
            Self::LostTooOften(times) => write!(f, "lost {times} times"),
        }
    }
}

impl std::fmt::Display for MemoryBound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Retries(0) => write!(f, "it has no `oom_retries`"),
            Self::Retries(1) => write!(f, "its one `oom_retries` is used up"),
            Self::Retries(n) => write!(f, "its {n} `oom_retries` are used up"),
            Self::Max(max) => write!(f, "its `max` is {max}"),
            Self::Node(memory) => write!(f, "the largest node for it has {memory}"),
            Self::NotIdempotent => write!(f, "it is not idempotent, so it is not tried again"),
        }
    }
}

impl std::fmt::Display for LossCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::KeeperDied => "its keeper died",
            Self::MachineRestarted => "the machine was restarted",
            Self::Stopped => "stopped",
            Self::CommitLost => "its committed outputs were lost",
        })
    }
}
