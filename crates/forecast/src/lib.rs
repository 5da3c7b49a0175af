//! What will be free, where, with what probability and for how long.
//!
//! Knows series, models, distributions and backtests. Does not know DAGs, files, sockets or
//! backends; time is a count of steps, given by whoever observes.
//!
//! Reading order: [`rows`], [`boost`].

pub mod boost;
pub mod rows;
pub mod seed;
