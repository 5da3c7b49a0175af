//! What the user declared: workflow files and site files become checked values.
//!
//! Knows file formats, units, the DAG and diagnostics with source positions. Does not know
//! forecasts, clocks, processes or the disk: whoever calls hands in text and gets back values
//! and a list of every mistake.
//!
//! Reading order: [`units`] and [`resources`] (values), [`command`] (command templates and
//! quoting), [`template`] and [`workflow`] (the Workflow Graph), [`site`] (the Resource Pool),
//! then the readers that make them.

pub mod assemble;
pub mod builder;
pub mod command;
pub mod csr;
pub mod diagnostic;
pub mod digest;
pub mod files;
pub mod growth;
pub mod id;
mod left_out;
pub mod notify;
pub mod resources;
pub mod schema;
pub mod site;
pub mod site_file;
pub mod source;
pub mod template;
pub mod units;
pub mod wfformat;
pub mod workflow;
pub mod workflow_file;
pub mod wrap;

pub use digest::Digest;
pub use id::{FileId, TaskId, TemplateId, ZoneId};
pub use resources::Resources;
pub use site::Site;
pub use template::Template;
pub use units::{Bytes, Duration, Timestamp};
pub use workflow::Workflow;
