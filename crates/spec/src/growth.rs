//! A graph that grows: what a finished task can add to it, as values.
//!
//! A task adds tasks in two ways: files that it made become rows of a `foreach` that names it, and
//! a file that it wrote declares tasks (`emits`). Either way the graph after it is a function of
//! the graph before it and of a [`Growth`], so that replaying a run gives the same tasks with the
//! same ids. It only ever grows: tasks that were there keep their ids and all they waited for.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{FileId, TaskId};
use crate::workflow::Workflow;
use crate::workflow_file;

/// What a task turned out to have made, as far as the graph depends on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    /// For each `foreach` that waits for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Found>,
    /// The text of the file that it `emits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emitted: Option<String>,
}

/// The files that one `foreach` discovered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The task with the `foreach`.
    pub template: String,
    /// Sorted paths, relative to the project; none is legal.
    pub files: Vec<String>,
}

/// What has to be looked at to know how a task grows the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The name of each `foreach` that waits for it, and the pattern of its files.
    pub patterns: Vec<(String, String)>,
    /// The output that declares more tasks.
    pub emits: Option<FileId>,
}

/// Why a graph cannot grow that way: everything that is wrong, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Unfit(pub Vec<String>);

impl Growth {
    /// Tells two growths apart.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("plain values serialize"))
    }
}

impl Workflow {
    /// Whether tasks can be added at all.
    #[must_use]
    pub fn can_grow(&self) -> bool {
        self.growing.is_some()
    }

    /// Whether the success of a task adds tasks, or would if it had made other files.
    #[must_use]
    pub fn grows(&self, task: TaskId) -> bool {
        self.growing.as_ref().is_some_and(|growing| growing.grows(self.template(task)))
    }

    /// What has to be looked at when a task has succeeded.
    #[must_use]
    pub fn growth_wanted(&self, task: TaskId) -> Wanted {
        let template = self.template(task);
        let waiting = self.templates.iter().filter_map(|waiting| {
            let discovery = waiting.discovers.as_ref()?;
            let is_from = discovery.from == template.name;
            is_from.then(|| (waiting.name.clone(), discovery.glob.clone()))
        });
        let emits = template.emits.map(|slot| self.outputs(task)[slot]);
        Wanted { patterns: waiting.collect(), emits }
    }

    /// The graph with what a task added: its tasks come after all others, in the order of the
    /// growth and of the emitted file.
    ///
    /// # Errors
    /// What is wrong with it: all that would be a mistake in a workflow file too, and that a task
    /// which may already have run would have to wait for a new one.
    pub fn grown(&self, by: TaskId, growth: &Growth) -> Result<Self, Unfit> {
        workflow_file::grow(self, by, growth).map_err(Unfit)
    }

    /// Whether the tasks of this name are still to be discovered, at least in part.
    #[must_use]
    pub fn is_awaited(&self, name: &str) -> bool {
        self.templates.iter().any(|template| template.name == name && template.discovers.is_some())
    }

    /// Whether a declared input that nothing makes yet may still come from tasks that are added.
    #[must_use]
    pub fn may_come(&self, file: FileId) -> bool {
        self.growing.as_ref().is_some_and(|growing| growing.may_come(file))
    }
}
