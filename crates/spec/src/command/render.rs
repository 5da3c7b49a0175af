//! Fills placeholders in, quoted so that a program sees exactly the bytes of the value.
//!
//! Knows how `/bin/sh` reads quotes and how much the operating system passes to a program.
//! What no longer fits is refused here, by name, before anything is started.

use std::borrow::Cow;

use super::{CommandTemplate, MemoryUnit, Placeholder, Quoting, Segment, TextTemplate};
use crate::id::TaskId;
use crate::resources::Resources;
use crate::template::{Template, Value};
use crate::workflow::Workflow;

/// The longest argument or variable that Linux passes on (`MAX_ARG_STRLEN`, its end included).
pub const MAX_STRING: usize = 128 << 10;
/// The longest arguments and environment together: `ARG_MAX` less what a program needs itself.
pub const MAX_TOTAL: usize = 1_800_000;

/// Longer lists are for fanning out; each of a thousand tasks need not carry a thousand values.
pub const LIST_MAX: usize = 100;

/// What is known only when a task starts.
#[derive(Clone, Copy, Debug)]
pub struct Bindings<'a> {
    /// By slot of `inputs`: the files there, relative to where the command starts.
    pub inputs: &'a [Vec<String>],
    /// By slot of `outputs`: the path as declared.
    pub outputs: &'a [String],
    /// What was set aside for the task.
    pub granted: &'a Resources,
    /// 1 for the first try.
    pub attempt: u32,
    /// The absolute project directory.
    pub project: &'a str,
    /// The id of the run.
    pub run: &'a str,
}

/// A command that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RenderedCommand {
    /// A script for `/bin/sh`.
    Shell(String),
    /// A program and its arguments.
    Argv(Vec<String>),
}

impl RenderedCommand {
    /// The program and its arguments, the shell included.
    #[must_use]
    pub fn into_argv(self) -> Vec<String> {
        match self {
            Self::Shell(script) => vec!["/bin/sh".to_owned(), "-ec".to_owned(), script],
            Self::Argv(argv) => argv,
        }
    }
}

/// Why a command cannot be started with these values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A byte that would end an argument early.
    #[error("a value in {whole} contains a NUL character, which no program can be given")]
    Nul {
        /// What it is part of.
        whole: String,
    },
    /// One argument or variable that is too long.
    #[error("{whole} has {bytes} bytes; the system passes at most {MAX_STRING} in one piece")]
    TooLong {
        /// What it is.
        whole: String,
        /// How long it is.
        bytes: usize,
    },
    /// A script that is too long, most often by a list of files.
    #[error(
        "the script has {bytes} bytes with its values; the system passes at most {MAX_STRING} in one \
         piece: let the script list the files itself (`ls folder`) or gather in two steps"
    )]
    ScriptTooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Everything together is too long.
    #[error(
        "arguments and environment have {bytes} bytes; the system passes at most {MAX_TOTAL} (ARG_MAX)"
    )]
    TooMuch {
        /// How long it is.
        bytes: usize,
    },
    /// A program without a name: an empty list stood first.
    #[error("`argv` is empty with these values, so there is no program to start")]
    NoProgram,
}

impl Workflow {
    /// The command of a task with all values filled in.
    ///
    /// # Errors
    /// Values that no program can be given: a NUL character, or too much text.
    pub fn command(
        &self,
        task: TaskId,
        bindings: &Bindings<'_>,
    ) -> Result<RenderedCommand, RenderError> {
        let values = Values { workflow: self, task, bindings };
        let Template { command, setup, .. } = self.template(task);
        match command {
            CommandTemplate::Shell(text) => {
                let mut script = values.setup(setup);
                script.push_str(&values.text(text));
                shell(script)
            }
            CommandTemplate::Argv(arguments) => {
                let argv: Vec<String> =
                    arguments.iter().flat_map(|text| values.arguments(text)).collect();
                for (index, argument) in argv.iter().enumerate() {
                    check_string(argument, || format!("argument {index}"))?;
                }
                check_total(argv.iter().map(String::len))?;
                if argv.first().is_none_or(String::is_empty) {
                    return Err(RenderError::NoProgram);
                }
                if setup.is_none() {
                    return Ok(RenderedCommand::Argv(argv));
                }
                // In the script, not behind it: lines that source a file must not hand it the
                // arguments of the command.
                let mut script = values.setup(setup) + "exec";
                for argument in &argv {
                    script.push_str(" '");
                    script.push_str(&argument.replace('\'', r"'\''"));
                    script.push('\'');
                }
                shell(script)
            }
        }
    }

    /// What is added to the environment of a task, in order; later entries win.
    ///
    /// # Errors
    /// Values that no program can be given: a NUL character, or too much text.
    pub fn environment(
        &self,
        task: TaskId,
        bindings: &Bindings<'_>,
    ) -> Result<Vec<(String, String)>, RenderError> {
        let values = Values { workflow: self, task, bindings };
        let mut variables: Vec<(String, String)> = Vec::new();
        let is_variable = |name: &str| self.variables(task).any(|(variable, _)| variable == name);
        for (name, value) in self.params_of(task).iter().filter(|(name, _)| !is_variable(name)) {
            if matches!(value, Value::List(items) if items.len() > LIST_MAX) {
                continue;
            }
            variables.push((format!("PARAM_{name}"), value.to_string()));
        }
        for (name, value) in self.variables(task) {
            variables.push((format!("PARAM_{name}"), value.to_string()));
        }
        for (name, text) in &self.template(task).env {
            variables.push((name.clone(), values.text(text)));
        }
        let own = [
            ("PROJECT", bindings.project.to_owned()),
            ("RUN", bindings.run.to_owned()),
            ("TASK", self.task_name(task)),
            ("ATTEMPT", bindings.attempt.to_string()),
            ("CPUS", whole_cpus(bindings.granted).to_string()),
            ("MEMORY", bindings.granted.memory.0.to_string()),
        ];
        variables.extend(own.map(|(name, value)| (format!("FORESHARD_{name}"), value)));
        for (name, value) in &variables {
            refuse_nul(value, || format!("the variable `{name}`"))?;
            // The name and the equals sign count as well.
            let bytes = name.len() + 1 + value.len();
            if bytes >= MAX_STRING {
                return Err(RenderError::TooLong {
                    whole: format!("the variable `{name}`"),
                    bytes,
                });
            }
        }
        check_total(variables.iter().map(|(name, value)| name.len() + 1 + value.len()))?;
        Ok(variables)
    }
}

fn shell(script: String) -> Result<RenderedCommand, RenderError> {
    refuse_nul(&script, || "the script".to_owned())?;
    if script.len() >= MAX_STRING {
        return Err(RenderError::ScriptTooLong { bytes: script.len() });
    }
    Ok(RenderedCommand::Shell(script))
}

/// Refuses a command and its whole environment if the system would not pass them on together.
///
/// # Errors
/// [`RenderError::TooMuch`].
pub fn check_total(lengths: impl IntoIterator<Item = usize>) -> Result<(), RenderError> {
    // Each string also costs its end and a pointer.
    let bytes = lengths.into_iter().map(|len| len + 1 + size_of::<usize>()).sum();
    if bytes > MAX_TOTAL { Err(RenderError::TooMuch { bytes }) } else { Ok(()) }
}

fn check_string(text: &str, whole: impl Fn() -> String) -> Result<(), RenderError> {
    refuse_nul(text, &whole)?;
    if text.len() >= MAX_STRING {
        return Err(RenderError::TooLong { whole: whole(), bytes: text.len() });
    }
    Ok(())
}

fn refuse_nul(text: &str, whole: impl Fn() -> String) -> Result<(), RenderError> {
    if text.contains('\0') { Err(RenderError::Nul { whole: whole() }) } else { Ok(()) }
}

fn whole_cpus(granted: &Resources) -> u32 {
    (granted.cpus.0 / 1_000).max(1)
}

struct Values<'a> {
    workflow: &'a Workflow,
    task: TaskId,
    bindings: &'a Bindings<'a>,
}

impl Values<'_> {
    /// The words that a placeholder stands for: one, unless it is a list.
    fn words(&self, what: &Placeholder) -> Vec<String> {
        let granted = self.bindings.granted;
        let one = match what {
            Placeholder::Param(value) => return words_of(value),
            Placeholder::Variable(position) => {
                let variable = &self.workflow.template(self.task).variables[*position as usize];
                return words_of(&variable.value(self.workflow.row(self.task)));
            }
            Placeholder::Inputs(None) => {
                return self.bindings.inputs.iter().flatten().map(|p| path_word(p)).collect();
            }
            Placeholder::Inputs(Some(slot)) => {
                let files = &self.bindings.inputs[*slot as usize];
                return files.iter().map(|p| path_word(p)).collect();
            }
            Placeholder::Outputs(None) => {
                return self.bindings.outputs.iter().map(|p| path_word(p)).collect();
            }
            Placeholder::Outputs(Some(slot)) => path_word(&self.bindings.outputs[*slot as usize]),
            Placeholder::Cpus => whole_cpus(granted).to_string(),
            Placeholder::Memory(unit) => (granted.memory.0 >> shift(*unit)).to_string(),
            Placeholder::Attempt => self.bindings.attempt.to_string(),
            Placeholder::Task => self.workflow.task_name(self.task),
            Placeholder::Project => self.bindings.project.to_owned(),
        };
        vec![one]
    }

    /// The lines before the command, each ended.
    fn setup(&self, setup: &Option<TextTemplate>) -> String {
        setup.as_ref().map_or_else(String::new, |lines| self.text(lines) + "\n")
    }

    /// One argument, or several if it is exactly a list.
    fn arguments(&self, text: &TextTemplate) -> Vec<String> {
        match &text.0[..] {
            [Segment::Placeholder { what, .. }] => self.words(what),
            _ => vec![self.text(text)],
        }
    }

    fn text(&self, text: &TextTemplate) -> String {
        let segments = &text.0;
        let mut out = String::new();
        for (index, segment) in segments.iter().enumerate() {
            match segment {
                Segment::Literal(literal) => out.push_str(literal),
                Segment::Placeholder { what, quoting } => {
                    let words = self.words(what);
                    let next = segments.get(index + 1);
                    match quoting {
                        Quoting::None => out.push_str(&words.join(" ")),
                        Quoting::Single => out.push_str(&words.join(" ").replace('\'', r"'\''")),
                        Quoting::Double => push_in_double(&mut out, &words.join(" ")),
                        Quoting::Bare => {
                            let alone = stands_alone(segments, index);
                            push_bare(&mut out, &words, alone, next);
                        }
                    }
                }
            }
        }
        out
    }
}

fn words_of(value: &Value) -> Vec<String> {
    match value {
        Value::List(values) => values.iter().map(ToString::to_string).collect(),
        value => vec![value.to_string()],
    }
}

/// A relative path that begins with a dash would be taken for an option.
fn path_word(path: &str) -> String {
    if path.starts_with('-') { format!("./{path}") } else { path.to_owned() }
}

fn shift(unit: MemoryUnit) -> u32 {
    match unit {
        MemoryUnit::Bytes => 0,
        MemoryUnit::Mebibytes => 20,
        MemoryUnit::Gibibytes => 30,
    }
}

/// Whether blanks or the edges of the script are on both sides of a placeholder.
fn stands_alone(segments: &[Segment], index: usize) -> bool {
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\n');
    let before = match index.checked_sub(1).map(|i| &segments[i]) {
        None => true,
        Some(Segment::Literal(text)) => text.ends_with(is_blank),
        Some(Segment::Placeholder { .. }) => false,
    };
    let after = match segments.get(index + 1) {
        None => true,
        Some(Segment::Literal(text)) => text.starts_with(|c| is_blank(c) || matches!(c, ';' | ')')),
        Some(Segment::Placeholder { .. }) => false,
    };
    before && after
}

fn push_bare(out: &mut String, words: &[String], alone: bool, next: Option<&Segment>) {
    if words.is_empty() && !alone {
        // Nothing at all could join what stands left and right of it into an operator.
        let ends =
            matches!(next, Some(Segment::Literal(text)) if text.starts_with(['|', '>', '&']));
        if !(ends && out.ends_with([' ', '\t'])) {
            out.push_str("''");
        }
        return;
    }
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        if alone && is_plain_word(word) { out.push_str(word) } else { out.push_str(&quoted(word)) }
    }
}

/// Whether a word is the same with and without quotes: no keyword, no assignment, no pattern.
fn is_plain_word(word: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,+@%".contains(c);
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    word.chars().all(is_plain) && word.contains(|c| !is_letter(c))
}

fn quoted(word: &str) -> Cow<'static, str> {
    if word.is_empty() {
        return Cow::Borrowed("''");
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

/// Inside double quotes: as it is where nothing can go wrong, else out of the double quotes, in
/// single ones, and back in.
fn push_in_double(out: &mut String, value: &str) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,+@% ".contains(c);
    // After `$name` a letter of the value would become part of the name.
    let joins = out.ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'));
    if value.chars().all(is_plain) && !joins {
        out.push_str(value);
    } else {
        out.push('"');
        out.push_str(&quoted(value));
        out.push('"');
    }
}
