//! What can be wrong with files that must not lie: errors that name the file, the records and
//! the next step.

use std::path::{Path, PathBuf};

use crate::number::{Epoch, Seq};

/// Why a journal could not be made, opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no journal in the directory, or its creation was interrupted before any record.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The journal that was looked for.
        path: PathBuf,
    },
    /// A journal is there already.
    #[error("{} exists already", path.display())]
    Exists {
        /// The journal in the way.
        path: PathBuf,
    },
    /// Bytes that once were written are gone or changed. [`crate::repair`] salvages the rest.
    #[error("{} is damaged at {}: {what}", path.display(), Span(*first, *last))]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// The first record that cannot be trusted; 0 is the head of the journal.
        first: Seq,
        /// The last record known to be affected.
        last: Seq,
        /// What does not hold.
        what: Damage,
    },
    /// Made by another version of the format.
    #[error("{} has format {found}, this program reads {known}", path.display())]
    Version {
        /// The journal.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The format of this program.
        known: i64,
    },
    /// The journal belongs to another run.
    #[error("{} belongs to run {found:?}, not {expected:?}", path.display())]
    OtherRun {
        /// The journal.
        path: PathBuf,
        /// The run asked for.
        expected: String,
        /// The run it was made for.
        found: String,
    },
    /// A file that is not a plain file, or that anybody may write, is not read.
    #[error("{} {what}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        what: &'static str,
    },
    /// Another process writes this journal.
    #[error("{} is being written by another process", path.display())]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// A writer of a later term has been here; this one is fenced off.
    #[error("{} was written in epoch {found}; epoch {ours} is over", path.display())]
    StaleEpoch {
        /// The journal.
        path: PathBuf,
        /// The latest epoch in it.
        found: Epoch,
        /// The epoch of the caller.
        ours: Epoch,
    },
    /// A repair was interrupted; run it again.
    #[error("a repair of {} was interrupted: run it again", path.display())]
    RepairUnfinished {
        /// The journal under repair.
        path: PathBuf,
    },
    /// Neither the head of the journal nor its copy can be read: nothing to build on.
    #[error("{} has lost its head and the copy of it: cannot be repaired", path.display())]
    HeadLost {
        /// The journal.
        path: PathBuf,
    },
    /// The writer has stopped; nothing is ever retried on the same file.
    #[error("journal stopped: {0}")]
    Stopped(Failure),
    /// The linked SQLite has a known bug that damages databases.
    #[error("SQLite {found} can damage a journal; 3.51.3 or later is needed")]
    OldSqlite {
        /// The version that is linked.
        found: &'static str,
    },
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// SQLite refused, for a reason that is not damage.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
}

impl Error {
    /// Wraps an error of the operating system.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// Wraps an error of SQLite.
    pub(crate) fn sqlite(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Sqlite { path, source }
    }
}

/// What does not hold in a damaged journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// SQLite cannot make sense of a page.
    #[error("{0}")]
    Database(String),
    /// A row is not what was written.
    #[error("checksum differs")]
    Checksum,
    /// A row does not follow the row before it.
    #[error("hash chain is broken")]
    Chain,
    /// A row starts at the wrong place.
    #[error("next row starts at record {found}")]
    Order {
        /// Where it starts.
        found: i64,
    },
    /// A row of an earlier term follows one of a later term.
    #[error("epoch goes back")]
    Epoch,
    /// A row whose columns have the wrong types or sizes.
    #[error("row is malformed")]
    Row,
    /// Records that were synced are not there: a dropped write, or an older file put back.
    #[error("records that were synced are missing")]
    Missing,
    /// The records differ from those that were synced.
    #[error("records differ from those that were synced")]
    Forked,
    /// The high-water mark cannot be read.
    #[error("the high-water mark is unreadable")]
    Mark,
    /// The copy of the head in the mark differs from the head.
    #[error("the head differs from its copy in the mark")]
    Head,
}

struct Span(Seq, Seq);

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0, self.1) {
            (Seq::ZERO, Seq::ZERO) => f.write_str("the head"),
            (Seq::ZERO, last) => write!(f, "the head and records up to {last}"),
            (first, last) if first >= last => write!(f, "record {first}"),
            (first, last) => write!(f, "records {first} to {last}"),
        }
    }
}

/// Why the writer stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// The class of the reason.
    pub kind: FailureKind,
    /// The reason in words.
    pub what: String,
}

/// The class of a failure, for those who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The disk, or the quota, or the limit set for the journal is full.
    NoSpace,
    /// The device failed.
    Device,
    /// Anything else: files replaced while in use, a bug.
    Other,
}

impl From<&std::io::Error> for Failure {
    fn from(error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                FailureKind::NoSpace
            }
            _ if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => {
                FailureKind::Device
            }
            _ => FailureKind::Other,
        };
        Self { kind, what: error.to_string() }
    }
}

impl From<&rusqlite::Error> for Failure {
    fn from(error: &rusqlite::Error) -> Self {
        let kind = match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => FailureKind::NoSpace,
            Some(rusqlite::ErrorCode::SystemIoFailure) => FailureKind::Device,
            _ => FailureKind::Other,
        };
        Self { kind, what: error.to_string() }
    }
}
