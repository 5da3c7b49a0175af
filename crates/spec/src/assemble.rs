//! Puts a Workflow Graph together: who makes each declared input, who waits for whom.
//!
//! Knows how declared paths cover one another and what a DAG is. Does not know file formats: its
//! callers read those and hand in tasks whose paths are already safe and normalised. Whatever it
//! returns is acyclic and has at most one writer for every path.

use std::collections::BTreeMap;

use crate::csr::{Csr, transpose};
use crate::digest::Digest;
use crate::files::FileTable;
use crate::id::{FileId, TaskId, TemplateId};
use crate::template::{Template, Value};
use crate::wfformat::Replay;
use crate::workflow::{Input, Workflow};

mod cover;
mod cycle;

pub use cover::compile_glob;
pub(crate) use cover::touch;

/// Dependencies beyond this would take more than 4 GiB for parents and children alone.
const MAX_EDGES: u64 = 1 << 29;

const NO_TASK: u32 = u32::MAX;

/// What a reader of some file format has found out about a workflow.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The name in the file.
    pub name: String,
    /// Of the source text and the parameters.
    pub digest: Digest,
    /// Parameters with the values in force.
    pub params: BTreeMap<String, Value>,
    /// All templates; an empty one (no rows) is allowed.
    pub templates: Vec<Template>,
    /// Tasks of template `i` are `first_task[i]..first_task[i + 1]`; one longer than `templates`.
    pub first_task: Vec<u32>,
    /// Every declared path.
    pub files: FileTable,
    /// By task: declared inputs.
    pub inputs: Csr<Input>,
    /// By task: declared outputs.
    pub outputs: Csr<FileId>,
    /// By task: tasks that must be done before, beyond what files say.
    pub needs: Csr<u32>,
}

/// A task that has part in a mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Culprit {
    /// Which task.
    pub task: TaskId,
    /// Its template, which knows the place in the file.
    pub template: TemplateId,
    /// What people call it.
    pub name: String,
}

impl std::fmt::Display for Culprit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// Why tasks and files do not make a workflow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum GraphError {
    /// One path, two writers.
    #[error("`{first}` and `{second}` both write `{path}`")]
    TwoWriters {
        /// The path.
        path: String,
        /// The one with the lower id.
        first: Culprit,
        /// The other one.
        second: Culprit,
    },
    /// One path, declared twice by one task.
    #[error("`{task}` lists the output `{path}` twice")]
    ListedTwice {
        /// The path.
        path: String,
        /// The task.
        task: Culprit,
    },
    /// An output that another task's directory or glob takes in.
    #[error("`{inner}` writes `{path}`, which the output `{cover}` of `{outer}` takes in")]
    Covered {
        /// The path.
        path: String,
        /// Who declares the path.
        inner: Culprit,
        /// A directory or a glob.
        cover: String,
        /// Who declares the directory or glob.
        outer: Culprit,
    },
    /// A task that would wait for itself.
    #[error("`{task}` reads `{input}`, which its own output `{output}` makes")]
    ReadsOwnOutput {
        /// The task.
        task: Culprit,
        /// The declared input.
        input: String,
        /// The declared output.
        output: String,
    },
    /// Tasks that wait for each other.
    #[error("{} tasks wait for each other: {}", tasks.len(), arrows(tasks))]
    Cycle {
        /// In the order in which they would have to run; the first one follows the last.
        tasks: Vec<Culprit>,
    },
    /// A glob that no one can match.
    #[error("`{path}` is not a valid pattern: {reason}")]
    BadPattern {
        /// As declared.
        path: String,
        /// What the pattern lacks.
        reason: String,
    },
    /// Globs or directories that connect everything with everything.
    #[error("{edges} dependencies are more than the {MAX_EDGES} that a workflow can have")]
    TooManyEdges {
        /// How many there would be.
        edges: u64,
    },
}

fn arrows(tasks: &[Culprit]) -> String {
    const SHOWN: usize = 8;
    let mut names: Vec<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
    if names.len() > SHOWN {
        names.splice(SHOWN - 2..names.len() - 1, ["…"]);
    }
    names.extend(tasks.first().map(|task| task.name.as_str()));
    names.join(" -> ")
}

/// Infers the makers of every input and the dependencies, and checks them.
///
/// # Errors
/// Every mistake of the graph, in a fixed order: files first, cycles last.
pub fn assemble(parts: Parts) -> Result<Workflow, Vec<GraphError>> {
    build(parts, None)
}

/// The same for a recording, whose tasks go by their recorded ids.
pub(crate) fn assemble_replay(parts: Parts, replay: Replay) -> Result<Workflow, Vec<GraphError>> {
    build(parts, Some(Box::new(replay)))
}

fn build(parts: Parts, replay: Option<Box<Replay>>) -> Result<Workflow, Vec<GraphError>> {
    let needs = parts.needs;
    let mut workflow = Workflow {
        name: parts.name,
        digest: parts.digest,
        params: parts.params,
        templates: parts.templates,
        first_task: parts.first_task,
        files: parts.files,
        inputs: parts.inputs,
        outputs: parts.outputs,
        producers: Csr::default(),
        parents: Csr::default(),
        children: Csr::default(),
        growing: None,
        notifications: Vec::new(),
        replay,
    };
    let mut errors = Vec::new();
    let writers = writers(&workflow, &mut errors);
    workflow.producers = producers(&workflow, &writers, &mut errors);
    refuse_own_outputs(&workflow, &mut errors);
    let edges = count_edges(&workflow, &needs);
    if edges > MAX_EDGES {
        errors.push(GraphError::TooManyEdges { edges });
        return Err(errors);
    }
    workflow.parents = parents(&workflow, &needs);
    workflow.children = transpose(&workflow.parents, workflow.n_tasks());
    for tasks in cycle::find(&workflow.children) {
        errors.push(GraphError::Cycle {
            tasks: tasks.iter().map(|&t| culprit(&workflow, t)).collect(),
        });
    }
    if errors.is_empty() { Ok(workflow) } else { Err(errors) }
}

fn culprit(workflow: &Workflow, task: u32) -> Culprit {
    let task = TaskId(task);
    Culprit { task, template: workflow.template_of(task), name: workflow.task_name(task) }
}

/// By file: the first task that declares exactly this output, or [`NO_TASK`].
fn writers(workflow: &Workflow, errors: &mut Vec<GraphError>) -> Vec<u32> {
    let mut writers = vec![NO_TASK; workflow.files.len()];
    for task in workflow.tasks() {
        for file in workflow.outputs(task) {
            let writer = &mut writers[file.index()];
            let path = || workflow.files.path(*file).to_owned();
            if *writer == NO_TASK {
                *writer = task.0;
            } else if *writer == task.0 {
                let task = culprit(workflow, task.0);
                errors.push(GraphError::ListedTwice { path: path(), task });
            } else {
                let (first, second) = (culprit(workflow, *writer), culprit(workflow, task.0));
                errors.push(GraphError::TwoWriters { path: path(), first, second });
            }
        }
    }
    writers
}

/// By file: the tasks that make it or part of it. Refuses outputs that take each other in.
fn producers(workflow: &Workflow, writers: &[u32], errors: &mut Vec<GraphError>) -> Csr<u32> {
    let mut is_input = vec![false; workflow.files.len()];
    for task in workflow.tasks() {
        for input in workflow.inputs(task) {
            is_input[input.file.index()] = true;
        }
    }
    let matters = |a: FileId, b: FileId| {
        let written = |file: FileId| writers[file.index()] != NO_TASK;
        (written(a) && (written(b) || is_input[b.index()])) || (written(b) && is_input[a.index()])
    };
    let mut made: Vec<(FileId, u32)> = Vec::new();
    let bad_globs = cover::pairs(&workflow.files, &matters, &mut |cover, path| {
        let (outer, inner) = (writers[cover.index()], writers[path.index()]);
        if inner != NO_TASK && is_input[cover.index()] {
            made.push((cover, inner));
        }
        if outer != NO_TASK && is_input[path.index()] {
            made.push((path, outer));
        }
        if inner != NO_TASK && outer != NO_TASK && inner != outer {
            errors.push(GraphError::Covered {
                path: workflow.files.path(path).to_owned(),
                inner: culprit(workflow, inner),
                cover: workflow.files.path(cover).to_owned(),
                outer: culprit(workflow, outer),
            });
        }
    });
    errors.extend(bad_globs.into_iter().map(|(file, reason)| GraphError::BadPattern {
        path: workflow.files.path(file).to_owned(),
        reason,
    }));
    merge_producers(writers, made)
}

fn merge_producers(writers: &[u32], mut made: Vec<(FileId, u32)>) -> Csr<u32> {
    made.extend(
        writers
            .iter()
            .enumerate()
            .filter(|&(_, &writer)| writer != NO_TASK)
            .map(|(file, &writer)| (FileId::from_index(file), writer)),
    );
    made.sort_unstable();
    made.dedup();
    let mut producers = Csr::default();
    let mut rest = made.as_slice();
    for file in (0..writers.len()).map(FileId::from_index) {
        let (row, tail) = rest.split_at(rest.partition_point(|&(f, _)| f == file));
        producers.push_row(row.iter().map(|&(_, task)| task));
        rest = tail;
    }
    producers
}

fn refuse_own_outputs(workflow: &Workflow, errors: &mut Vec<GraphError>) {
    for task in workflow.tasks() {
        for input in workflow.inputs(task) {
            let producers = workflow.producers.row(input.file.index());
            if producers.binary_search(&task.0).is_err() {
                continue;
            }
            let files = &workflow.files;
            let own = workflow
                .outputs(task)
                .iter()
                .find(|&&output| touch(files.path(output), files.path(input.file)));
            errors.push(GraphError::ReadsOwnOutput {
                task: culprit(workflow, task.0),
                input: files.path(input.file).to_owned(),
                output: own.map_or("", |&output| files.path(output)).to_owned(),
            });
        }
    }
}

/// An upper bound: before duplicates are taken out.
fn count_edges(workflow: &Workflow, needs: &Csr<u32>) -> u64 {
    let by_files = |task: TaskId| -> u64 {
        let made_by = |input: &Input| workflow.producers.row(input.file.index()).len() as u64;
        workflow.inputs(task).iter().map(made_by).sum()
    };
    needs.n_values() as u64 + workflow.tasks().map(by_files).sum::<u64>()
}

fn parents(workflow: &Workflow, needs: &Csr<u32>) -> Csr<u32> {
    let mut parents = Csr::default();
    let mut row = Vec::new();
    for task in workflow.tasks() {
        row.clear();
        for input in workflow.inputs(task) {
            // A task that reads its own output has been refused; one mistake is told once.
            let makers = workflow.producers.row(input.file.index()).iter();
            row.extend(makers.copied().filter(|&maker| maker != task.0));
        }
        row.extend_from_slice(needs.row(task.index()));
        row.sort_unstable();
        row.dedup();
        parents.push_row(row.iter().copied());
    }
    parents
}
