//! The running of a plan: inputs in, events and actions out; no IO, no clock, no thread.
//!
//! Knows the workflow, the plan and what has happened. Does not know files, processes or
//! sockets, and takes time as an argument. Three vocabularies in three grammatical forms:
//! an [`Input`] is what is said to us, an [`Event`] is a recorded fact in the past tense, an
//! [`Action`] is an order to the outside.
//!
//! Reading order: [`input`], [`event`], [`action`]; the lifecycles ([`task_state`],
//! [`allocation_state`], [`phase`]); [`run_state`], the fold; [`engine`](crate::engine), which
//! decides; [`shard`], the same for the inside of an allocation.

pub mod action;
pub mod allocation_state;
mod built_on;
pub mod cause;
pub mod decision;
mod dispatch;
mod ending;
pub mod engine;
pub mod event;
pub mod forecast;
mod growing;
pub mod id;
pub mod input;
pub mod memory;
pub mod outcome;
pub mod phase;
#[cfg_attr(not(feature = "planted-bugs"), doc(hidden))]
pub mod planted;
pub mod ranges;
pub mod run_state;
pub mod shard;
pub mod task_state;

pub use action::Action;
pub use engine::{Engine, Output};
pub use event::{Event, Record};
pub use forecast::ForecastSummary;
pub use id::{AllocationId, AttemptId, Epoch, Generation};
pub use input::{Command, Input, Observation};
pub use outcome::{Manifest, Outcome, PublishedFile, Usage};
pub use run_state::RunState;
