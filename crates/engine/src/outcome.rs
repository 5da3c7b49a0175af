//! What a try leaves: usage, a manifest of outputs; and how a run ends.

use serde::{Deserialize, Serialize};
use spec::{Bytes, Digest, Duration, Timestamp};

/// What an attempt took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// When its process started.
    pub started_at: Timestamp,
    /// When its process ended.
    pub ended_at: Timestamp,
    /// Cpu time in user mode, of the process and the children it waited for.
    pub cpu_user: Duration,
    /// Cpu time in the kernel.
    pub cpu_system: Duration,
    /// Largest resident memory of any one process of the attempt.
    pub memory_peak: Bytes,
    /// Bytes received and sent; unknown unless the attempt had a namespace of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<(Bytes, Bytes)>,
}

impl Usage {
    /// Wall-clock time from start to end.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.ended_at.since(self.started_at)
    }
}

/// An output that was checked, hashed and synced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedFile {
    /// Relative to the project.
    pub path: String,
    /// In bytes; of a directory, the sum of its files.
    pub size: Bytes,
    /// Of the content; of a directory, of its sorted listing with the digests of its files.
    pub digest: Digest,
    /// Whether it is a directory, published as a whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_directory: bool,
}

/// The declared outputs of an attempt, sorted by path.
pub type Manifest = Vec<PublishedFile>;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every task was published.
    Succeeded,
    /// At least one task failed for good.
    Failed,
    /// A person cancelled it.
    Cancelled,
    /// Tasks are left, and nothing can ever start them: a defect of ours.
    Stalled,
}

impl Outcome {
    /// One word for it, as in events.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Stalled => "stalled",
        }
    }
}
