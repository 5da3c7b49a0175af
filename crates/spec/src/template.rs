//! A task as declared: one [`Template`] makes one task, or one per row of its `foreach`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::command::{CommandTemplate, TextTemplate};
use crate::diagnostic::{Place, SourceId};
use crate::id::TaskId;
use crate::resources::{MilliCpus, Resources};
use crate::units::{Bytes, Duration};

/// A value that a parameter or a `foreach` variable can have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Anything else.
    Text(String),
    /// Several, each one word of a command.
    List(Vec<Self>),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(b) => write!(f, "{b}"),
            Self::Int(n) => write!(f, "{n}"),
            Self::Float(x) => write!(f, "{x}"),
            Self::Text(s) => f.write_str(s),
            Self::List(values) => {
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { " " })?;
                }
                Ok(())
            }
        }
    }
}

/// The values that a variable takes, in order; ranges are not spelled out.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// `start`, `start + step`, …: `len` values.
    Range {
        /// The first value.
        start: i64,
        /// The distance between two values.
        step: i64,
        /// How many values.
        len: u32,
    },
    /// As listed.
    List(Vec<Value>),
}

impl Domain {
    /// How many values.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Range { len, .. } => *len as usize,
            Self::List(values) => values.len(),
        }
    }

    /// Whether there is no value at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn value(&self, index: usize) -> Value {
        match self {
            Self::Range { start, step, .. } => Value::Int(start + step * index as i64),
            Self::List(values) => values[index].clone(),
        }
    }
}

/// A `foreach` or `matrix` variable. In a matrix, earlier variables change slowest:
/// each value stays for `repeat` rows, then the next one comes, and so on in a cycle.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// As used in `{name}`.
    pub name: String,
    /// What it ranges over.
    pub domain: Domain,
    /// For how many rows each value stays.
    pub repeat: u32,
}

impl Variable {
    /// The value in a row.
    #[must_use]
    pub fn value(&self, row: usize) -> Value {
        self.domain.value(self.index(row))
    }

    /// Appends the value in a row as text, without a copy of it.
    pub fn write(&self, row: usize, out: &mut String) {
        use std::fmt::Write as _;
        let index = self.index(row);
        let written = match &self.domain {
            Domain::Range { start, step, .. } => write!(out, "{}", start + step * index as i64),
            Domain::List(values) => match &values[index] {
                Value::Text(text) => {
                    out.push_str(text);
                    Ok(())
                }
                value => write!(out, "{value}"),
            },
        };
        written.expect("a string takes any text");
    }

    fn index(&self, row: usize) -> usize {
        row / self.repeat as usize % self.domain.len()
    }
}

/// One value for all rows of a template, or one for each.
#[derive(Clone, Debug, PartialEq)]
pub enum Per<T> {
    /// The same everywhere.
    Same(T),
    /// By row.
    Each(Vec<T>),
}

impl<T> Per<T> {
    /// The value in a row.
    #[must_use]
    pub fn get(&self, row: usize) -> &T {
        match self {
            Self::Same(value) => value,
            Self::Each(values) => &values[row],
        }
    }
}

/// How often a task that fails by itself is tried again, and how long between.
///
/// Lost capacity never uses a retry.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retries {
    /// Tries after the first.
    pub count: u16,
    /// The pause before the first retry.
    pub backoff: Duration,
    /// What the pause grows by each time.
    pub factor: f64,
    /// The longest pause.
    pub max: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        let (backoff, max) = (Duration::from_secs(1), Duration::from_secs(300));
        Self { count: 0, backoff, factor: 2.0, max }
    }
}

impl Retries {
    /// The pause before retry number `retry` (1 is the first): `backoff · factor^(retry − 1)`,
    /// at most `max`.
    #[must_use]
    pub fn pause(&self, retry: u32) -> Duration {
        let grown = self.backoff.mul_f64(self.factor.powi(retry.saturating_sub(1).min(64) as i32));
        grown.min(self.max)
    }
}

/// How a task that runs out of memory gets more: what is granted, how often, how far.
///
/// Apart from [`Retries`]: a task that was given too little has not failed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryGrowth {
    /// `oom_retries`: tries after an attempt that ran out of memory.
    pub retries: u16,
    /// `resources.memory.grow`: what the memory grows by each time.
    pub factor: f64,
    /// `resources.memory.max`: the most that is ever granted.
    pub max: Option<Bytes>,
    /// Whether what earlier runs took may take the place of the start, which is only a guess
    /// then: it was written as `{start, …}`. A plain size gives way only once it was too small.
    pub is_open: bool,
}

impl Default for MemoryGrowth {
    fn default() -> Self {
        Self { retries: 3, factor: 2.0, max: None, is_open: false }
    }
}

impl MemoryGrowth {
    /// What is granted after `times` attempts that ran out of memory: `start · factor^times`, at
    /// most `max` and `ceiling`; the same on every machine. Without a start there is no limit,
    /// and nothing grows.
    #[must_use]
    pub fn granted(&self, start: Bytes, times: u16, ceiling: Bytes) -> Bytes {
        let top = self.max.map_or(ceiling, |max| max.min(ceiling));
        let mut grown = start;
        for _ in 0..times {
            if grown >= top || start == Bytes(0) {
                break;
            }
            // Products of doubles are the same everywhere; `powi` need not be.
            grown = Bytes((grown.0 as f64 * self.factor).ceil() as u64);
        }
        grown.min(top)
    }
}

/// One entry of `inputs` or `outputs`: a path with placeholders, perhaps with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// For `{inputs.name}`.
    pub name: Option<String>,
    /// The path, relative to the project, before placeholders are filled in.
    pub path: TextTemplate,
}

/// A value that must stay where it is kept: the name a task knows it by, and where to get it.
///
/// Never the value itself: whoever starts the task asks for it then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Secret {
    /// The variable that holds it in the environment of the task.
    pub name: String,
    /// Where it is kept.
    pub source: SecretSource,
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// A variable of the environment that `foreshard` was started with.
    Env(String),
    /// A file: absolute, below the home folder (`~/…`), or relative to the project.
    File(String),
    /// A program that prints it, and its arguments.
    Command(Vec<String>),
}

/// `foreach: {x: PATTERN, from: TASK}`: one task for each file that `TASK` turns out to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// The task, or the fan-out each of whose tasks discovers some.
    pub from: String,
    /// Which of its files, as a pattern that [`crate::assemble::compile_glob`] reads.
    pub glob: String,
    /// The pattern as written, where `{name}` stands for a part of a file's path.
    pub(crate) pattern: String,
}

/// A task as declared in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The key under `tasks:`.
    pub name: String,
    /// `run` or `argv`.
    pub command: CommandTemplate,
    /// `setup`: lines for the same shell, before the command.
    pub setup: Option<TextTemplate>,
    /// `image`: what the command runs in, as the file names it.
    pub image: Option<String>,
    /// `foreach` or `matrix`; empty for a single task.
    pub variables: Vec<Variable>,
    /// `inputs`, in order. A slot made from `outputs_of` holds many files.
    pub inputs: Vec<Slot>,
    /// `outputs`, in order; each holds exactly one declared path per task.
    pub outputs: Vec<Slot>,
    /// `env`: names and values.
    pub env: Vec<(String, TextTemplate)>,
    /// `env_from`: names of variables whose outside value counts as an input of the task.
    pub env_from: Vec<String>,
    /// `secrets`, in the order of the file.
    pub secrets: Vec<Secret>,
    /// `workdir`, relative to the project.
    pub workdir: Option<String>,
    /// `resources`.
    pub resources: Per<Resources>,
    /// `estimate`: the expected duration, a prior for the forecast.
    pub estimate: Per<Option<Duration>>,
    /// `priority`: among tasks of equal rank, higher goes first.
    pub priority: i32,
    /// `critical`: the author wants it checked by a shadow.
    pub critical: bool,
    /// `empty_outputs`: whether an output may be empty.
    pub empty_outputs: bool,
    /// `idempotent`: whether running it twice is harmless.
    pub idempotent: bool,
    /// `retries`.
    pub retries: Retries,
    /// `oom_retries`, and how `resources.memory` grows.
    pub memory: MemoryGrowth,
    /// `timeout`: killed after this long, which counts as its own failure.
    pub timeout: Option<Duration>,
    /// `emits`: which of its outputs declares more tasks, when it has made it.
    pub emits: Option<usize>,
    /// `foreach` over files that another task has yet to make: no tasks before that.
    pub discovers: Option<Discovery>,
    /// The task whose success brought these tasks into the graph; none for those of the file.
    pub grown_by: Option<TaskId>,
    /// Whether it stands below `final:`, and so runs when all else has ended.
    pub is_final: bool,
    /// Whether `needs` names that task, so that whatever it made counts among what these read.
    pub needs_grower: bool,
    /// The parameters of the file it stands in, if that is not the workflow's own file.
    pub params: Option<Arc<BTreeMap<String, Value>>>,
    /// Why no task is made of it, if its `when` does not hold.
    pub off: Option<String>,
    /// Which text it stands in, for later messages.
    pub source: SourceId,
    /// Where it stands there, in bytes.
    pub span: std::ops::Range<usize>,
}

impl Template {
    /// Where it was declared.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { source: self.source, span: self.span.clone() }
    }
}

impl Default for Template {
    /// A task without a name or a command that asks for one cpu.
    fn default() -> Self {
        let resources = Resources { cpus: MilliCpus::ONE, ..Resources::default() };
        Self {
            name: String::new(),
            command: CommandTemplate::Argv(Vec::new()),
            setup: None,
            image: None,
            variables: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            env: Vec::new(),
            env_from: Vec::new(),
            secrets: Vec::new(),
            workdir: None,
            resources: Per::Same(resources),
            estimate: Per::Same(None),
            priority: 0,
            critical: false,
            empty_outputs: true,
            idempotent: true,
            retries: Retries::default(),
            memory: MemoryGrowth::default(),
            timeout: None,
            emits: None,
            discovers: None,
            grown_by: None,
            is_final: false,
            needs_grower: false,
            params: None,
            off: None,
            source: SourceId::MAIN,
            span: 0..0,
        }
    }
}
