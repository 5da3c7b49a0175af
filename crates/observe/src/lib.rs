//! Measurements, and where they come from: this machine, Prometheus, files, feeds.
//!
//! Knows files, HTTP, `/proc` and the history of a project. Does not know models: what is measured
//! goes into the history as it is, tidied, and comes out as recordings.
//!
//! Reading order: [`store`] (a recording into the history and out of it), [`past`] (all of it, as forecasts take it), [`file`] (CSV, JSON lines
//! and traces), [`prometheus`], [`machine`] and [`sampler`] (this machine), [`feed`] (files and
//! addresses alike, with limits), [`ics`] (calendars), [`ahead`] (what a site says is known
//! ahead), [`time`] and [`unit`] (as people write them).

pub mod ahead;
pub mod feed;
pub mod file;
pub mod ics;
pub mod machine;
pub mod past;
pub mod prometheus;
pub mod sampler;
pub mod store;
pub mod time;
pub mod unit;
