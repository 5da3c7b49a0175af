//! The real world: the drive loop, executors, keepers, artifacts.
//!
//! Knows processes, files, threads and the clock. Does not know how plans are made: it carries
//! out what the engine decides and tells it what it sees.
//!
//! Reading order: [`run_dir`] (where everything lies), [`protocol`] (what orchestrator and keeper
//! write to each other), [`artifact`] (outputs become safe, then visible), [`keeper`] (owns the
//! processes of an allocation), `drive` (joins engine, journal and executor).

pub mod artifact;
pub mod keeper;
pub mod protocol;
pub mod run_dir;
