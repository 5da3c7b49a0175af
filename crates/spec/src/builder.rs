//! Workflows written by a program instead of a person.
//!
//! A builder writes the same text that a file holds, so that tasks added in code are checked like
//! any other, mean the same, and can be saved, shown and resumed. Texts are those of a file:
//! `{inputs}` is a placeholder in them, too.
//!
//! ```
//! use spec::builder::WorkflowBuilder;
//!
//! let mut flow = WorkflowBuilder::new("word-count");
//! flow.param("top", 10);
//! flow.task("count")
//!     .foreach("text", ["a", "b"])
//!     .input("texts/{text}.txt")
//!     .output("counts/{text}")
//!     .run("wc -w < {inputs} > {outputs}")
//!     .set("retries", 1);
//! flow.task("merge")
//!     .input("counts/*")
//!     .output("top.txt")
//!     .run("cat {inputs} | sort -rn | head -n {params.top} > {outputs}");
//! let workflow = flow.build().expect("it has no mistakes");
//! assert_eq!(workflow.n_tasks(), 3);
//!
//! flow.task("typo").run("cat {input}");
//! let mistakes = flow.build().unwrap_err();
//! assert!(mistakes[0].message.contains("{input}"));
//! ```

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Source};
use crate::workflow::Workflow;
use crate::workflow_file::{self, VERSION};

/// Fields in the order in which they were set.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fields(Vec<(String, Part)>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Value(Value),
    Map(Fields),
}

/// A workflow in the making.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowBuilder {
    name: String,
    fields: Fields,
}

/// A task in the making.
#[derive(Debug)]
pub struct TaskBuilder<'w>(&'w mut Fields);

impl WorkflowBuilder {
    /// A workflow without tasks.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let mut builder = Self { name: name.into(), fields: Fields::default() };
        let name = builder.name.clone();
        builder.set("foreshard", VERSION).set("name", name);
        builder
    }

    /// Declares a parameter with its default.
    pub fn param(&mut self, name: &str, default: impl Into<Value>) -> &mut Self {
        self.fields.map("params").put(name, Part::Value(default.into()));
        self
    }

    /// The task of this name, which is added if it is new.
    pub fn task(&mut self, name: &str) -> TaskBuilder<'_> {
        TaskBuilder(self.fields.map("tasks").map(name))
    }

    /// The same for a task that runs when all others have ended.
    pub fn final_task(&mut self, name: &str) -> TaskBuilder<'_> {
        TaskBuilder(self.fields.map("final").map(name))
    }

    /// Sets any field of a workflow file, such as `defaults` or `notify`.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) -> &mut Self {
        self.fields.put(field, Part::Value(value.into()));
        self
    }

    /// The workflow as the text of a file.
    #[must_use]
    pub fn source(&self) -> Source {
        let text = serde_json::to_string_pretty(&self.fields).expect("every key is a text");
        Source::new(format!("<{}>", self.name), text)
    }

    /// The checked workflow.
    ///
    /// # Errors
    /// Every mistake in it; places are those of [`WorkflowBuilder::source`].
    pub fn build(&self) -> Result<Workflow, Vec<Diagnostic>> {
        let (workflow, diagnostics) = workflow_file::parse(&self.source(), &BTreeMap::new());
        workflow.ok_or(diagnostics)
    }
}

impl TaskBuilder<'_> {
    /// A line or script for the shell.
    pub fn run(&mut self, script: impl Into<String>) -> &mut Self {
        self.set("run", script.into())
    }

    /// A program and its arguments, without a shell.
    pub fn argv<T: Into<String>>(&mut self, words: impl IntoIterator<Item = T>) -> &mut Self {
        self.set("argv", words.into_iter().map(Into::into).collect::<Vec<String>>())
    }

    /// One more path that the command reads.
    pub fn input(&mut self, path: impl Into<String>) -> &mut Self {
        self.add("inputs", path)
    }

    /// One more path that the command writes.
    pub fn output(&mut self, path: impl Into<String>) -> &mut Self {
        self.add("outputs", path)
    }

    /// One more task that must be done before.
    pub fn needs(&mut self, task: impl Into<String>) -> &mut Self {
        self.add("needs", task)
    }

    /// One task for each value; several variables go side by side.
    pub fn foreach<T: Into<Value>>(
        &mut self,
        variable: &str,
        values: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        let values = values.into_iter().map(Into::into).collect::<Vec<Value>>();
        self.0.map("foreach").put(variable, Part::Value(values.into()));
        self
    }

    /// Sets any field of a task, such as `retries` or `resources`.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) -> &mut Self {
        self.0.put(field, Part::Value(value.into()));
        self
    }

    fn add(&mut self, field: &str, text: impl Into<String>) -> &mut Self {
        match self.0.part(field) {
            Part::Value(Value::Array(list)) => list.push(Value::String(text.into())),
            other => *other = Part::Value(Value::Array(vec![Value::String(text.into())])),
        }
        self
    }
}

impl Fields {
    /// The part of a name; null if it is new.
    fn part(&mut self, name: &str) -> &mut Part {
        let position = self.0.iter().position(|(known, _)| known == name);
        let position = position.unwrap_or_else(|| {
            self.0.push((name.to_owned(), Part::Value(Value::Null)));
            self.0.len() - 1
        });
        &mut self.0[position].1
    }

    fn put(&mut self, name: &str, part: Part) {
        *self.part(name) = part;
    }

    /// The map of a name; whatever else stood there is gone.
    fn map(&mut self, name: &str) -> &mut Self {
        let part = self.part(name);
        if !matches!(part, Part::Map(_)) {
            *part = Part::Map(Self::default());
        }
        match part {
            Part::Map(fields) => fields,
            Part::Value(_) => unreachable!("it was made a map"),
        }
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, part)| (name, part)))
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            Self::Map(fields) => fields.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_and_variables_keep_the_order_in_which_they_were_added() {
        let mut flow = WorkflowBuilder::new("w");
        flow.task("z").foreach("y", [1, 2]).foreach("x", ["a", "b"]).argv(["echo", "{y}", "{x}"]);
        flow.task("a").run("true").needs("z");
        flow.final_task("last").run("date");
        let workflow = flow.build().unwrap();
        let names: Vec<String> = workflow.tasks().map(|task| workflow.task_name(task)).collect();
        assert_eq!(names, ["z[1,a]", "z[2,b]", "a", "last"]);
        assert!(workflow.is_final(workflow.find_task("last").unwrap()));
    }

    #[test]
    fn a_mistake_is_found_as_in_a_file() {
        let mut flow = WorkflowBuilder::new("w");
        flow.task("fetch").run("true").needs("fetsh").set("retires", 2);
        let told: Vec<String> =
            flow.build().unwrap_err().into_iter().filter_map(|mistake| mistake.help).collect();
        assert_eq!(told, ["did you mean `fetch`?", "did you mean `retries`?"]);
    }
}
