//! A document as flat tables: who there is, who waits for whom, how it went.
//!
//! Ids and paths are interned as they come by, so nothing of the text is held twice. What is
//! wrong with a single task or file is noted here; what is wrong between them, in [`super::graph`].

use std::borrow::Cow;

use serde::Deserialize;

use super::kind;
use super::mistakes::Mistakes;
use super::names::Names;
use super::replay::encode_into;
use crate::csr::Csr;
use crate::diagnostic::Code;
use crate::files::FileTable;
use crate::id::FileId;

/// In a table of positions: no such task.
pub(super) const NONE: u32 = u32::MAX;

/// Larger than any file or memory, and the last whole number that a float tells from the next.
const MAX_BYTES: f64 = 9_007_199_254_740_992.0;
/// The longest id; as a path it may be three times as long, and paths end at 4,096 bytes.
const MAX_ID: usize = 1_000;
/// More than any machine has, and still exact in thousandths.
const MAX_CPUS: f64 = 1e6;

/// Text of the document, copied only if it has escapes.
#[derive(Deserialize, PartialEq)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A task in any of the three lists that tasks are in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Task<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    category: Option<Text<'a>>,
    #[serde(borrow, default)]
    parents: Vec<Text<'a>>,
    #[serde(borrow, default)]
    children: Vec<Text<'a>>,
    #[serde(borrow, default)]
    input_files: Vec<Text<'a>>,
    #[serde(borrow, default)]
    output_files: Vec<Text<'a>>,
    #[serde(borrow, default)]
    files: Vec<File<'a>>,
    #[serde(alias = "runtime")]
    runtime_in_seconds: Option<f64>,
    #[serde(alias = "cores")]
    core_count: Option<f64>,
    #[serde(rename = "avgCPU")]
    avg_cpu: Option<f64>,
    memory_in_bytes: Option<f64>,
    /// Up to 1.3, in units of 1,000 bytes.
    memory: Option<f64>,
}

/// A file in `specification.files`, or up to 1.4 in a task.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct File<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    path: Option<Text<'a>>,
    #[serde(borrow)]
    link: Option<Text<'a>>,
    #[serde(alias = "size")]
    size_in_bytes: Option<f64>,
}

/// What a task is.
#[derive(Clone, Copy)]
pub(super) struct RecordedTask {
    /// Its id, as a name.
    pub(super) id: u32,
    /// Its type.
    pub(super) kind: u32,
}

/// How a task went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) seconds: f64,
    /// Cpus set aside.
    pub(super) cores: f32,
    /// Cpus kept busy.
    pub(super) cpu: f32,
    /// Bytes; 0 is unknown.
    pub(super) memory: u64,
}

impl Default for Run {
    fn default() -> Self {
        Self { seconds: 0.0, cores: 1.0, cpu: 1.0, memory: 0 }
    }
}

/// A document as tables.
#[derive(Default)]
pub(super) struct Recorded {
    /// A name that a workflow can have.
    pub(super) name: String,
    /// Where the files are replayed: `replay/NAME/`.
    pub(super) folder: String,
    /// Everything that tasks are called by, in order of first mention.
    pub(super) names: Names,
    /// By name: the position of the task in the document, or [`NONE`].
    pub(super) position: Vec<u32>,
    /// By position.
    pub(super) tasks: Vec<RecordedTask>,
    /// Types of tasks.
    pub(super) kinds: Names,
    /// By position: names.
    pub(super) parents: Csr<u32>,
    /// By position: names.
    pub(super) children: Csr<u32>,
    /// By position.
    pub(super) inputs: Csr<FileId>,
    /// By position.
    pub(super) outputs: Csr<FileId>,
    /// Under the paths of the replay.
    pub(super) files: FileTable,
    /// By file, before scaling; none where the document does not say.
    pub(super) sizes: Vec<Option<u64>>,
    /// By name.
    pub(super) runs: Vec<Option<Run>>,
    /// Whether tasks and runs are apart and `children` mirrors `parents`: from 1.5 on.
    pub(super) split: bool,
    pub(super) mistakes: Mistakes,
    scratch: String,
}

impl Recorded {
    pub(super) fn new(name: String, split: bool) -> Self {
        let folder = format!("replay/{name}/");
        Self { name, folder, split, ..Self::default() }
    }

    /// Makes the tables as long as what they are indexed by.
    pub(super) fn finish(&mut self) {
        self.position.resize(self.names.len(), NONE);
        self.runs.resize(self.names.len(), None);
        self.sizes.resize(self.files.len(), None);
    }

    /// The id that a position's task has in the document.
    pub(super) fn id_at(&self, position: u32) -> &str {
        self.names.text(self.tasks[position as usize].id)
    }

    /// Takes in a task of `specification.tasks`, or up to 1.4 of `tasks`.
    pub(super) fn task(&mut self, task: &Task<'_>) {
        let id = if self.split { Cow::Borrowed(text(&task.id)) } else { joined_id(task) };
        if let Some(wrong) = wrong_with(&id) {
            let message = format!("the task id `{}` {wrong}", shown(&id));
            self.mistakes.error("task ids that cannot be used", Code::Name, message);
            return;
        }
        let number = self.names.intern(&id);
        if *slot(&mut self.position, number, NONE) != NONE {
            let message = format!("two tasks have the id `{id}`");
            self.mistakes.error("ids of two tasks", Code::DuplicateKey, message);
            return;
        }
        let position = u32::try_from(self.tasks.len()).expect("fewer than 2^32 tasks");
        self.position[number as usize] = position;
        let kind = self.kind(task, &id);
        self.tasks.push(RecordedTask { id: number, kind });
        if !self.split {
            self.alias(task, position);
            let run = self.run(task, &id);
            *slot(&mut self.runs, number, None) = Some(run);
        }
        self.links(task);
    }

    /// Up to 1.4, tasks are referred to by name, and by some tools by id.
    fn alias(&mut self, task: &Task<'_>, position: u32) {
        for other in [text(&task.name), text(&task.id)] {
            if !other.is_empty() {
                let number = self.names.intern(other);
                let known = slot(&mut self.position, number, NONE);
                if *known == NONE {
                    *known = position;
                }
            }
        }
    }

    fn kind(&mut self, task: &Task<'_>, id: &str) -> u32 {
        let kind = match (text(&task.category), text(&task.name)) {
            ("", "") => kind::of(id),
            ("", name) => kind::of(name),
            (category, _) => kind::of(category),
        };
        self.kinds.intern(&kind)
    }

    fn links(&mut self, task: &Task<'_>) {
        let names = &mut self.names;
        self.parents.push_row(task.parents.iter().map(|name| names.intern(&name.0)));
        self.children.push_row(task.children.iter().map(|name| names.intern(&name.0)));
        let mut inputs: Vec<FileId> = task.input_files.iter().map(|id| self.file(&id.0)).collect();
        let mut outputs: Vec<FileId> =
            task.output_files.iter().map(|id| self.file(&id.0)).collect();
        for file in &task.files {
            let (id, _) = self.sized_file(file);
            let is_input = text(&file.link).eq_ignore_ascii_case("input");
            if is_input { inputs.push(id) } else { outputs.push(id) }
        }
        self.inputs.push_row(once_each(inputs));
        self.outputs.push_row(once_each(outputs));
    }

    /// Takes in a file of `specification.files`.
    pub(super) fn listed_file(&mut self, file: &File<'_>) {
        let (number, before) = self.sized_file(file);
        if before.is_some() && self.sizes[number.index()] != before {
            let message = format!("the file `{}` is listed with two sizes", text(&file.id));
            self.mistakes.error("files with two sizes", Code::DuplicateKey, message);
        }
    }

    /// The file, and the size that it had before this mention.
    fn sized_file(&mut self, file: &File<'_>) -> (FileId, Option<u64>) {
        let (path, name) = (text(&file.path), text(&file.name));
        let id = match &file.id {
            Some(id) => Cow::Borrowed(&*id.0),
            None => Cow::Owned(format!("{path}{name}")),
        };
        let number = self.file(&id);
        let size = file
            .size_in_bytes
            .map(|size| self.bytes(size, || format!("the size of the file `{id}`")));
        let known = slot(&mut self.sizes, number.0, None);
        let before = *known;
        *known = size.or(before);
        (number, before)
    }

    fn file(&mut self, id: &str) -> FileId {
        self.scratch.clear();
        self.scratch.push_str(&self.folder);
        encode_into(id, &mut self.scratch);
        let known = self.files.len();
        let number = self.files.intern(&self.scratch);
        if self.files.len() > known
            && let Some(wrong) = wrong_with(id)
        {
            let message = format!("the file id `{}` {wrong}", shown(id));
            self.mistakes.error("file ids that cannot be used", Code::Path, message);
        }
        number
    }

    /// Takes in a task of `execution.tasks`.
    pub(super) fn executed(&mut self, task: &Task<'_>) {
        let id = text(&task.id);
        let number = self.names.intern(id);
        let run = self.run(task, id);
        if slot(&mut self.runs, number, None).replace(run).is_some() {
            let message = format!("`execution` lists the task `{id}` twice");
            self.mistakes.error("tasks executed twice", Code::DuplicateKey, message);
        }
    }

    fn run(&mut self, task: &Task<'_>, id: &str) -> Run {
        let of = |what: &str| format!("the {what} of the task `{id}`");
        if task.runtime_in_seconds.is_none() {
            let message = format!("{} is not recorded; it is taken to be none", of("runtime"));
            self.mistakes.warning("tasks without a runtime", Code::MissingField, message);
        }
        let seconds = task.runtime_in_seconds.unwrap_or(0.0);
        let cores = task.core_count.unwrap_or(1.0);
        let cpu = task.avg_cpu.unwrap_or(100.0) / 100.0;
        let memory = task.memory_in_bytes.or(task.memory.map(|kilobytes| kilobytes * 1e3));
        let memory = self.bytes(memory.unwrap_or(0.0), || of("memory"));
        Run {
            seconds: self.within(seconds, 0.0, 3.156e9, || of("runtime")),
            cores: self.within(cores, 1e-3, MAX_CPUS, || of("core count")) as f32,
            cpu: self.within(cpu, 0.0, MAX_CPUS, || of("cpu use")) as f32,
            memory,
        }
    }

    fn bytes(&mut self, value: f64, what: impl Fn() -> String) -> u64 {
        self.within(value, 0.0, MAX_BYTES, what).round() as u64
    }

    fn within(&mut self, value: f64, min: f64, max: f64, what: impl Fn() -> String) -> f64 {
        if (min..=max).contains(&value) {
            return value;
        }
        let message = format!("{} is {value}; it must be from {min} to {max}", what());
        self.mistakes.error("numbers out of bounds", Code::Value, message);
        min
    }
}

fn text<'a>(field: &'a Option<Text<'_>>) -> &'a str {
    field.as_ref().map_or("", |text| &text.0)
}

/// The id that version 1.5 gives to a task of an earlier one: its name, which holds the id or
/// has it appended.
fn joined_id<'a>(task: &'a Task<'_>) -> Cow<'a, str> {
    match (text(&task.name), text(&task.id)) {
        ("", id) => Cow::Borrowed(id),
        (name, id) if name.contains(id) => Cow::Borrowed(name),
        (name, id) => Cow::Owned(format!("{name}_{id}")),
    }
}

/// Why an id cannot be used; reads after "the id `x` ".
fn wrong_with(id: &str) -> Option<&'static str> {
    match id {
        "" => Some("is missing or empty"),
        _ if id.len() > MAX_ID => Some("is longer than 1000 bytes"),
        _ if id.chars().any(char::is_control) => Some("contains a control character"),
        _ if id.split('/').any(|part| part == "..") => Some("contains `..`"),
        _ => None,
    }
}

fn shown(id: &str) -> String {
    id.escape_debug().take(80).collect()
}

fn slot<T: Clone>(table: &mut Vec<T>, index: u32, empty: T) -> &mut T {
    let index = index as usize;
    if index >= table.len() {
        table.resize(index + 1, empty);
    }
    &mut table[index]
}

fn once_each(mut files: Vec<FileId>) -> Vec<FileId> {
    if files.len() < 50 {
        for i in (1..files.len()).rev() {
            if files[..i].contains(&files[i]) {
                files.remove(i);
            }
        }
    } else {
        let mut seen = std::collections::BTreeSet::new();
        files.retain(|file| seen.insert(*file));
    }
    files
}
