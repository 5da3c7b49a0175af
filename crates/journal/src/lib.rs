//! What must survive: the events of a run, and what machines and projects remember between runs.
//!
//! Knows files, SQLite, syncing and recovery. Does not know what a record means, nor how plans
//! are made.
//!
//! - [`Journal`]: the records of one run, on disk before they have effects.
//! - [`repair`]: salvaging a damaged journal.
//! - [`lease`]: one orchestrator per run, and the epoch that fences the others.
//! - [`ledger`]: how runs share a machine.
//! - [`history`]: what a project remembers between runs.
//! - [`fault`]: where a test harness lets a process die.

mod error;
pub mod fault;
pub mod history;
mod journal;
pub mod lease;
pub mod ledger;
mod number;
mod process;
mod repair;

pub use error::{Damage, Error, Failure, FailureKind};
pub use journal::{
    Follower, Head, Journal, OnProgress, Options, Progress, Recovered, Setup, Tail, Verified, read,
    verify,
};
pub use number::{Epoch, Seq};
pub use process::ProcessStamp;
pub use repair::{RepairReport, repair};
