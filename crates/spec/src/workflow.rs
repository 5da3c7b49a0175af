//! The Workflow Graph: a checked DAG of tasks with their files, dense enough for millions.
//!
//! Tasks of one template lie next to each other, so a task is a template and a row; what all
//! rows share is stored once. Made only by [`crate::assemble`], which has checked everything:
//! whoever holds a `Workflow` need not doubt it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::csr::Csr;
use crate::digest::Digest;
use crate::files::FileTable;
use crate::id::{FileId, TaskId, TemplateId};
use crate::notify::Notification;
use crate::resources::Resources;
use crate::template::{Retries, Template, Value};
use crate::units::Duration;
use crate::wfformat::Replay;
use crate::workflow_file::Growing;

/// A declared input of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// Which entry of the template's `inputs` it belongs to.
    pub slot: u16,
    /// The declared path.
    pub file: FileId,
}

/// A checked workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    pub(crate) name: String,
    pub(crate) digest: Digest,
    pub(crate) params: BTreeMap<String, Value>,
    pub(crate) templates: Vec<Template>,
    /// Tasks of template `i` are `first_task[i]..first_task[i + 1]`.
    pub(crate) first_task: Vec<u32>,
    pub(crate) files: FileTable,
    pub(crate) inputs: Csr<Input>,
    pub(crate) outputs: Csr<FileId>,
    /// By file: the tasks whose outputs it names or overlaps.
    pub(crate) producers: Csr<u32>,
    pub(crate) parents: Csr<u32>,
    pub(crate) children: Csr<u32>,
    /// What is kept of the file for tasks that are still to come, if there may be any.
    pub(crate) growing: Option<Arc<Growing>>,
    /// Who is told when a run of it ends.
    pub(crate) notifications: Vec<Notification>,
    /// What is kept of the recording that the workflow replays, if it does.
    pub(crate) replay: Option<Box<Replay>>,
}

impl Workflow {
    /// The name in the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Of the source texts and the parameters: the same digest means the same workflow.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Who is told when a run of it ends.
    #[must_use]
    pub fn notifications(&self) -> &[Notification] {
        &self.notifications
    }

    /// Parameters with the values in force.
    #[must_use]
    pub fn params(&self) -> &BTreeMap<String, Value> {
        &self.params
    }

    /// The parameters that a task sees: those of the file it was declared in.
    #[must_use]
    pub fn params_of(&self, task: TaskId) -> &BTreeMap<String, Value> {
        self.template(task).params.as_deref().unwrap_or(&self.params)
    }

    /// Whether a task runs when all others have ended, however that was.
    #[must_use]
    pub fn is_final(&self, task: TaskId) -> bool {
        self.template(task).is_final
    }

    /// All tasks that do.
    pub fn final_tasks(&self) -> impl Iterator<Item = TaskId> {
        let ids = (0..self.templates.len()).map(TemplateId::from_index);
        let finals = ids.filter(|id| self.templates[id.index()].is_final);
        finals.flat_map(|id| self.tasks_of(id))
    }

    /// How many tasks.
    #[must_use]
    pub fn n_tasks(&self) -> usize {
        self.first_task.last().map_or(0, |&n| n as usize)
    }

    /// How many dependencies.
    #[must_use]
    pub fn n_edges(&self) -> usize {
        self.parents.n_values()
    }

    /// All tasks, by id.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = TaskId> + use<> {
        (0..self.n_tasks()).map(TaskId::from_index)
    }

    /// All templates, in the order of the file.
    #[must_use]
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// The tasks made from a template.
    pub fn tasks_of(&self, template: TemplateId) -> impl ExactSizeIterator<Item = TaskId> + use<> {
        let start = self.first_task[template.index()];
        let end = self.first_task[template.index() + 1];
        (start..end).map(TaskId)
    }

    /// Which template a task was made from.
    #[must_use]
    pub fn template_of(&self, task: TaskId) -> TemplateId {
        TemplateId::from_index(self.first_task.partition_point(|&first| first <= task.0) - 1)
    }

    /// The template itself.
    #[must_use]
    pub fn template(&self, task: TaskId) -> &Template {
        &self.templates[self.template_of(task).index()]
    }

    /// The task's position among those of its template.
    #[must_use]
    pub fn row(&self, task: TaskId) -> usize {
        (task.0 - self.first_task[self.template_of(task).index()]) as usize
    }

    /// What people call the task: `split`, `align[a]`, `sweep[0.1,7]`; in a replay, its recorded
    /// id.
    #[must_use]
    pub fn task_name(&self, task: TaskId) -> String {
        if let Some(replay) = &self.replay {
            return replay.task_id(task).to_owned();
        }
        let template = self.template(task);
        if template.variables.is_empty() {
            return template.name.clone();
        }
        let row = self.row(task);
        let values: Vec<String> =
            template.variables.iter().map(|v| v.value(row).to_string()).collect();
        format!("{}[{}]", template.name, values.join(","))
    }

    /// The task that people call `name`; a linear search within the templates of that name.
    #[must_use]
    pub fn find_task(&self, name: &str) -> Option<TaskId> {
        if let Some(replay) = &self.replay {
            return replay.find(name);
        }
        let base = name.split('[').next().unwrap_or(name);
        let named =
            |(_, template): &(usize, &Template)| template.name == name || template.name == base;
        let templates = self.templates.iter().enumerate().filter(named);
        let mut tasks = templates.flat_map(|(id, _)| self.tasks_of(TemplateId::from_index(id)));
        tasks.find(|&task| self.task_name(task) == name)
    }

    /// The values of the template's variables in this task's row.
    pub fn variables(&self, task: TaskId) -> impl Iterator<Item = (&str, Value)> {
        let (template, row) = (self.template(task), self.row(task));
        template.variables.iter().map(move |v| (v.name.as_str(), v.value(row)))
    }

    /// Every declared path.
    #[must_use]
    pub fn files(&self) -> &FileTable {
        &self.files
    }

    /// Declared inputs, in order of slots.
    #[must_use]
    pub fn inputs(&self, task: TaskId) -> &[Input] {
        self.inputs.row(task.index())
    }

    /// Declared outputs, one per slot, in order.
    #[must_use]
    pub fn outputs(&self, task: TaskId) -> &[FileId] {
        self.outputs.row(task.index())
    }

    /// The tasks that make (part of) a declared input; none for an initial input.
    pub fn producers(&self, file: FileId) -> impl ExactSizeIterator<Item = TaskId> {
        self.producers.row(file.index()).iter().map(|&task| TaskId(task))
    }

    /// Declared inputs that no task makes: they must be there before the run.
    pub fn initial_inputs(&self) -> impl Iterator<Item = FileId> {
        let mut is_input = vec![false; self.files.len()];
        for task in self.tasks() {
            for input in self.inputs(task) {
                is_input[input.file.index()] = true;
            }
        }
        self.files.ids().filter(move |file| {
            is_input[file.index()] && self.producers.row(file.index()).is_empty()
        })
    }

    /// Tasks that must be published before this one may start.
    pub fn parents(&self, task: TaskId) -> impl ExactSizeIterator<Item = TaskId> {
        self.parents.row(task.index()).iter().map(|&parent| TaskId(parent))
    }

    /// Tasks that wait for this one.
    pub fn children(&self, task: TaskId) -> impl ExactSizeIterator<Item = TaskId> {
        self.children.row(task.index()).iter().map(|&child| TaskId(child))
    }

    /// What the task asks for.
    #[must_use]
    pub fn resources(&self, task: TaskId) -> &Resources {
        self.template(task).resources.get(self.row(task))
    }

    /// The declared duration, if there is one.
    #[must_use]
    pub fn estimate(&self, task: TaskId) -> Option<Duration> {
        *self.template(task).estimate.get(self.row(task))
    }

    /// The retry rule.
    #[must_use]
    pub fn retries(&self, task: TaskId) -> Retries {
        self.template(task).retries
    }
}
