//! Command templates: what `run`, `argv` and paths may contain between braces.
//!
//! [`placeholder`] finds the braces, [`shell`] finds out what quotes they stand in, and
//! [`render`] writes values so that a program sees exactly their bytes. Nothing here runs
//! anything.

pub mod digest;
pub mod placeholder;
pub mod render;
pub mod shell;

pub use render::{Bindings, RenderError, RenderedCommand};

use crate::template::Value;

/// A text with placeholders, such as a path or the value of an environment variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextTemplate(pub Vec<Segment>);

/// What a task runs.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandTemplate {
    /// One line for `/bin/sh -c`.
    Shell(TextTemplate),
    /// A program and its arguments, without a shell.
    Argv(Vec<TextTemplate>),
}

/// Part of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Segment {
    /// As written.
    Literal(String),
    /// A placeholder.
    Placeholder {
        /// What it stands for.
        what: Placeholder,
        /// Where in a shell line it stands.
        quoting: Quoting,
    },
}

/// What stands between braces.
#[derive(Clone, Debug, PartialEq)]
pub enum Placeholder {
    /// `{params.name}`: filled in when the file is read.
    Param(Value),
    /// `{name}` of a `foreach` or `matrix` variable, by position.
    Variable(u16),
    /// `{inputs}`, or one slot of it.
    Inputs(Option<u16>),
    /// `{outputs}`, or one slot of it.
    Outputs(Option<u16>),
    /// `{cpus}`: whole cpus granted, at least 1.
    Cpus,
    /// `{memory}`: granted, in bytes; with a unit, in whole units.
    Memory(MemoryUnit),
    /// `{attempt}`: 1 for the first try.
    Attempt,
    /// `{task}`: the name of the task.
    Task,
    /// `{project}`: the absolute project directory.
    Project,
}

/// The unit of a `{memory}` placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryUnit {
    /// `{memory}`
    Bytes,
    /// `{memory.mib}`
    Mebibytes,
    /// `{memory.gib}`
    Gibibytes,
}

/// How a placeholder stands, and so how its value must be written so that the receiving program sees exactly its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoting {
    /// No shell reads it.
    None,
    /// Bare in a shell line: quoted whole.
    Bare,
    /// Between double quotes.
    Double,
    /// Between single quotes.
    Single,
}
