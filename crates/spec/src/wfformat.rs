//! Recorded executions in WfFormat 1.3 to 1.6, read as workflows that replay them, and written.
//!
//! Every recorded task becomes a real one: a process that takes the recorded time, cpu and memory
//! and writes files of the recorded sizes. Knows the format and its habits; what a replayed task
//! does is for the runner. The sizes and ids that a [`Workflow`] has no place for are in
//! [`Replay`].

mod document;
mod export;
mod graph;
mod kind;
mod mistakes;
mod names;
mod recorded;
mod replay;

pub use export::{Cpu, ExportMeta, Machine, TaskExecution, export};
pub use replay::Replay;

use crate::diagnostic::{Code, Diagnostic};
use crate::workflow::Workflow;

/// `argv[0]` of a replayed task: whoever starts it puts the path of its own program here.
pub const PROGRAM: &str = "foreshard";

/// How far a replay is scaled down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplayOptions {
    /// What time, file sizes and memory are multiplied by.
    pub scale: f64,
    /// What memory is multiplied by instead.
    pub scale_memory: Option<f64>,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self { scale: 1.0, scale_memory: None }
    }
}

impl ReplayOptions {
    fn memory(self) -> f64 {
        self.scale_memory.unwrap_or(self.scale)
    }
}

/// Whether a text is meant to be WfFormat: a JSON object that names its `schemaVersion`.
#[must_use]
pub fn is_wfformat(text: &str) -> bool {
    let looks_like_it = text.trim_start_matches('\u{feff}').trim_start().starts_with('{')
        && text.contains("\"schemaVersion\"");
    // A document that cannot be read is still meant to be one; its reader says what is wrong.
    looks_like_it && document::head(text).is_none_or(|head| head.schema_version.is_some())
}

/// Reads a document; a workflow comes back if there is no error among the diagnostics.
#[must_use]
pub fn parse(text: &str, options: &ReplayOptions) -> (Option<Workflow>, Vec<Diagnostic>) {
    let scales = [("scale", options.scale), ("scale-memory", options.memory())];
    for (name, scale) in scales {
        if !(scale.is_finite() && (0.0..=1e6).contains(&scale)) {
            let message = format!("`--{name}` is {scale}; it must be a number from 0 to 1000000");
            return (None, vec![Diagnostic::error(Code::Value, 0..0).message(message)]);
        }
    }
    match document::read(text) {
        Ok(recorded) => graph::build(text, recorded, options),
        Err(diagnostic) => (None, vec![*diagnostic]),
    }
}
