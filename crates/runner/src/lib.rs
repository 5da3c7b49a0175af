//! The real world: the drive loop, executors, keepers, artifacts.
//!
//! Knows processes, files, threads and the clock. Does not know how plans are made: it carries
//! out what the engine decides and tells it what it sees.
//!
//! Reading order: [`run_dir`] (where everything lies), [`load`] and [`manifest`] (what is run),
//! [`start`] (a run begins or is taken over), [`drive`] (joins engine, journal and executor);
//! then its helpers: [`work`] (commands are filled in), [`executor`], [`publishing`],
//! [`results`] and [`reuse`], [`demand`], [`inbox`]. On the other side of [`protocol`], [`keeper`] owns the
//! processes of an allocation, and [`artifact`] makes outputs safe, then visible.

pub mod artifact;
mod ask;
pub mod clean;
pub mod demand;
pub mod drive;
pub mod dry_run;
pub mod embedded;
pub mod executor;
mod follow;
mod forecaster;
mod growing;
pub mod images;
pub mod inbox;
pub mod initial;
pub mod keeper;
pub mod load;
pub mod manifest;
mod notify;
pub mod past;
pub mod process;
pub mod protocol;
mod publishing;
pub mod record;
pub mod replay;
pub mod results;
pub mod reuse;
pub mod run_dir;
pub mod start;
mod waits;
pub mod work;
