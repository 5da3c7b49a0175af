//! Writes a workflow and how it went as WfFormat 1.5.
//!
//! Works for every workflow, not only for replays. Ids of a replay are those of the recording;
//! others are written in the letters that the format allows, no two alike.

use serde::{Serialize, Serializer};

use crate::id::{FileId, TaskId};
use crate::workflow::Workflow;

/// How one task went; what is not known stays out of the document.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskExecution {
    /// Which task.
    pub task: TaskId,
    /// From start to end.
    pub seconds: f64,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Cpus set aside.
    pub cores: Option<f64>,
    /// Cpus kept busy, in percent of one.
    pub cpu_percent: Option<f64>,
    /// Largest resident memory, bytes.
    pub memory: Option<u64>,
    /// Bytes read.
    pub read: Option<u64>,
    /// Bytes written.
    pub written: Option<u64>,
    /// Names of [`Machine`]s.
    pub machines: Vec<String>,
}

impl TaskExecution {
    /// A task of which only the duration is known.
    #[must_use]
    pub fn new(task: TaskId, seconds: f64) -> Self {
        Self {
            task,
            seconds,
            command: Vec::new(),
            cores: None,
            cpu_percent: None,
            memory: None,
            read: None,
            written: None,
            machines: Vec::new(),
        }
    }
}

/// A machine that tasks ran on.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Its host name.
    pub node_name: String,
    /// `linux`, `macos` or `windows`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Such as `x86_64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Memory, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_in_bytes: Option<u64>,
    /// Cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Cpu>,
}

/// What a machine computes with.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cpu {
    /// How many cores.
    pub core_count: u32,
}

/// What is known of a run as a whole. Times are RFC 3339 text: whoever calls has the clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExportMeta {
    /// When the document is written.
    pub created_at: String,
    /// When the run began.
    pub executed_at: String,
    /// From the start of the run to its end.
    pub makespan_seconds: f64,
    /// Version of the program that ran it.
    pub version: String,
    /// Machines that tasks ran on.
    pub machines: Vec<Machine>,
    /// By file, bytes; where it ends, the sizes of a replay are used, else 0.
    pub sizes: Vec<Option<u64>>,
}

/// The document, as pretty JSON.
#[must_use]
pub fn export(workflow: &Workflow, executions: &[TaskExecution], meta: &ExportMeta) -> String {
    let tasks = Tasks(workflow);
    let files = Files { workflow, meta };
    let document = Document {
        name: workflow.name(),
        description: "Exported by Foreshard",
        created_at: &meta.created_at,
        schema_version: "1.5",
        runtime_system: RuntimeSystem { name: "Foreshard", version: &meta.version },
        workflow: Body {
            specification: Specification { tasks, files },
            execution: Execution {
                makespan_in_seconds: meta.makespan_seconds,
                executed_at: &meta.executed_at,
                tasks: Executions { workflow, executions },
                machines: &meta.machines,
            },
        },
    };
    serde_json::to_string_pretty(&document).expect("maps have text keys and numbers are finite")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    name: &'a str,
    description: &'a str,
    created_at: &'a str,
    schema_version: &'a str,
    runtime_system: RuntimeSystem<'a>,
    workflow: Body<'a>,
}

#[derive(Serialize)]
struct RuntimeSystem<'a> {
    name: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct Body<'a> {
    specification: Specification<'a>,
    execution: Execution<'a>,
}

#[derive(Serialize)]
struct Specification<'a> {
    tasks: Tasks<'a>,
    files: Files<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Execution<'a> {
    makespan_in_seconds: f64,
    executed_at: &'a str,
    tasks: Executions<'a>,
    #[serde(skip_serializing_if = "<[Machine]>::is_empty")]
    machines: &'a [Machine],
}

struct Tasks<'a>(&'a Workflow);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TaskItem {
    name: String,
    id: String,
    parents: Vec<String>,
    children: Vec<String>,
    input_files: Vec<String>,
    output_files: Vec<String>,
}

impl Serialize for Tasks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let workflow = self.0;
        serializer.collect_seq(workflow.tasks().map(|task| TaskItem {
            name: workflow.task_name(task),
            id: task_id(workflow, task),
            parents: workflow.parents(task).map(|parent| task_id(workflow, parent)).collect(),
            children: workflow.children(task).map(|child| task_id(workflow, child)).collect(),
            input_files: workflow.inputs(task).iter().map(|i| file_id(workflow, i.file)).collect(),
            output_files: workflow.outputs(task).iter().map(|&f| file_id(workflow, f)).collect(),
        }))
    }
}

struct Files<'a> {
    workflow: &'a Workflow,
    meta: &'a ExportMeta,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileItem {
    id: String,
    size_in_bytes: u64,
}

impl Serialize for Files<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let recorded = |file| self.workflow.replay().map(|replay| replay.size(file).0);
        serializer.collect_seq(self.workflow.files().ids().map(|file| {
            let measured = self.meta.sizes.get(file.index()).copied().flatten();
            let size_in_bytes = measured.or_else(|| recorded(file)).unwrap_or(0);
            FileItem { id: file_id(self.workflow, file), size_in_bytes }
        }))
    }
}

struct Executions<'a> {
    workflow: &'a Workflow,
    executions: &'a [TaskExecution],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExecutionItem<'a> {
    id: String,
    runtime_in_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<CommandItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    core_count: Option<f64>,
    #[serde(rename = "avgCPU", skip_serializing_if = "Option::is_none")]
    avg_cpu: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    written_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_in_bytes: Option<u64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    machines: &'a [String],
}

#[derive(Serialize)]
struct CommandItem<'a> {
    program: &'a str,
    arguments: Vec<&'a str>,
}

impl Serialize for Executions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.executions.iter().map(|execution| ExecutionItem {
            id: task_id(self.workflow, execution.task),
            runtime_in_seconds: execution.seconds,
            command: execution.command.split_first().map(|(program, arguments)| CommandItem {
                program,
                // The format has no empty arguments.
                arguments: arguments.iter().map(String::as_str).filter(|a| !a.is_empty()).collect(),
            }),
            // Nor less than one core.
            core_count: execution.cores.map(|cores| cores.max(1.0)),
            avg_cpu: execution.cpu_percent,
            read_bytes: execution.read,
            written_bytes: execution.written,
            memory_in_bytes: execution.memory,
            machines: &execution.machines,
        }))
    }
}

fn task_id(workflow: &Workflow, task: TaskId) -> String {
    match workflow.replay() {
        Some(replay) => legal(replay.task_id(task), false),
        None => legal(&workflow.task_name(task), false),
    }
}

fn file_id(workflow: &Workflow, file: FileId) -> String {
    let path = workflow.files().path(file);
    match workflow.replay() {
        Some(replay) => legal(&replay.file_id(path), true),
        None => legal(path, true),
    }
}

/// An id in the letters of the format: as it is if it has no others, else with `#XX` for those
/// and for `#` itself. What only looks as if it had been written so is written so too, so that no
/// two ids become one.
fn legal(id: &str, file: bool) -> String {
    let is_legal = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'.')
            || (file && matches!(byte, b'/' | b':'))
    };
    let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = id.as_bytes();
    let looks_escaped = bytes
        .iter()
        .enumerate()
        .any(|(i, &b)| b == b'#' && hex(bytes.get(i + 1)) && hex(bytes.get(i + 2)));
    if !looks_escaped && bytes.iter().all(|&byte| byte == b'#' || is_legal(byte)) {
        return id.to_owned();
    }
    let mut written = String::with_capacity(id.len() + 8);
    for &byte in bytes {
        if is_legal(byte) {
            written.push(char::from(byte));
        } else {
            written.push_str(&format!("#{byte:02X}"));
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::legal;

    #[test]
    fn legal_ids_stay_as_they_are_and_others_are_spelled_out() {
        assert_eq!(legal("mProject_ID0000001", false), "mProject_ID0000001");
        assert_eq!(legal("/ab/c.fq", true), "/ab/c.fq");
        assert_eq!(legal("align[a b]", false), "align#5Ba#20b#5D");
    }

    proptest! {
        #[test]
        fn no_two_ids_are_written_alike(a in "[ab#2 \\[]{0,6}", b in "[ab#2 \\[]{0,6}") {
            prop_assert_eq!(a == b, legal(&a, true) == legal(&b, true));
        }
    }
}
