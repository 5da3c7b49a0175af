//! A task as its workflow declares it, in words: shown before it runs, and compared between runs.
//!
//! What is only known when a task starts stands as declared: globs as patterns, resources as
//! asked for, the first try.

use std::collections::BTreeMap;

use serde::Serialize;
use spec::command::{Bindings, RenderedCommand};
use spec::{FileId, TaskId, Workflow};

/// What a task would be told to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The script; or program and arguments.
    pub command: Result<RenderedCommand, String>,
    /// What is set for it, without what says where and when it runs.
    pub environment: BTreeMap<String, String>,
    parts: BTreeMap<String, String>,
}

/// Something that two definitions of a task do not have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// `command`, `parameter top`, `env LANG`, `inputs`, and so on.
    pub what: String,
    /// As it was; none if it was not there.
    pub before: Option<String>,
    /// As it is; none if it is not there any more.
    pub after: Option<String>,
}

impl Definition {
    /// Of a task of a workflow whose folder is `project`.
    #[must_use]
    pub fn of(workflow: &Workflow, task: TaskId, project: &str) -> Self {
        let path = |file: FileId| workflow.files().path(file).to_owned();
        let template = workflow.template(task);
        let mut inputs = vec![Vec::new(); template.inputs.len()];
        for input in workflow.inputs(task) {
            inputs[usize::from(input.slot)].push(path(input.file));
        }
        let outputs: Vec<String> = workflow.outputs(task).iter().map(|&file| path(file)).collect();
        let bindings = Bindings {
            inputs: &inputs,
            outputs: &outputs,
            granted: workflow.resources(task),
            attempt: 1,
            project,
            run: "",
        };
        let environment = workflow.environment(task, &bindings).unwrap_or_default();
        let is_own = |name: &str| name.starts_with("FORESHARD_");
        let mut parts = BTreeMap::new();
        let mut part = |name: &str, value: String| {
            if !value.is_empty() {
                parts.insert(name.to_owned(), value);
            }
        };
        part("inputs", inputs.concat().join(" "));
        part("outputs", outputs.join(" "));
        part("resources", workflow.resources(task).to_string());
        part("workdir", template.workdir.clone().unwrap_or_default());
        part("env_from", template.env_from.join(" "));
        part("image", template.image.clone().unwrap_or_default());
        let secrets: Vec<&str> = template.secrets.iter().map(|s| s.name.as_str()).collect();
        part("secrets", secrets.join(" "));
        Self {
            command: workflow.command(task, &bindings).map_err(|error| error.to_string()),
            environment: environment.into_iter().filter(|(name, _)| !is_own(name)).collect(),
            parts,
        }
    }

    /// What is not as it was.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let (was, is) = (before.command_text(), self.command_text());
        if was != is {
            changes.push(Change { what: "command".to_owned(), before: Some(was), after: Some(is) });
        }
        let named = |name: &str| match name.strip_prefix("PARAM_") {
            Some(parameter) => format!("parameter {parameter}"),
            None => format!("env {name}"),
        };
        compare(&before.environment, &self.environment, named, &mut changes);
        compare(&before.parts, &self.parts, str::to_owned, &mut changes);
        changes
    }

    fn command_text(&self) -> String {
        match &self.command {
            Ok(RenderedCommand::Shell(script)) => script.clone(),
            Ok(RenderedCommand::Argv(argv)) => argv.join(" "),
            Err(why) => why.clone(),
        }
    }
}

fn compare(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    what: impl Fn(&str) -> String,
    changes: &mut Vec<Change>,
) {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    for name in after.keys().chain(gone) {
        let (before, after) = (before.get(name).cloned(), after.get(name).cloned());
        if before != after {
            changes.push(Change { what: what(name), before, after });
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |side: &Option<String>| {
            side.as_ref().map_or_else(|| "nothing".to_owned(), |text| one_line(text))
        };
        write!(f, "{}: {} -> {}", self.what, shown(&self.before), shown(&self.after))
    }
}

/// Long texts are cut in the middle of a comparison; whoever needs all of it has the JSON.
fn one_line(text: &str) -> String {
    const WIDTH: usize = 160;
    let words = text.trim().lines().map(str::trim).collect::<Vec<_>>().join("; ");
    crate::printable::clipped(&words, WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(top: &str, script: &str) -> Definition {
        let text = format!(
            "foreshard: 1\nparams: {{top: {top}}}\ntasks: {{a: {{run: '{script}', outputs: x}}}}\n"
        );
        let source = spec::diagnostic::Source::new("w.yaml", text);
        let (workflow, mistakes) = spec::workflow_file::parse(&source, &BTreeMap::new());
        let workflow = workflow.unwrap_or_else(|| panic!("{mistakes:?}"));
        Definition::of(&workflow, workflow.find_task("a").unwrap(), "/p")
    }

    #[test]
    fn a_changed_parameter_is_named_and_so_is_the_command_it_stands_in() {
        let told = |before: &Definition, after: &Definition| {
            after.changes_since(before).iter().map(Change::to_string).collect::<Vec<_>>()
        };
        let (two, three) = (definition("2", "head -n {params.top} > {outputs}"), "3");
        let three = definition(three, "head -n {params.top} > {outputs}");
        assert_eq!(told(&two, &two), [""; 0]);
        assert_eq!(
            told(&two, &three),
            ["command: head -n 2 > 'x' -> head -n 3 > 'x'", "parameter top: 2 -> 3"]
        );
    }
}
