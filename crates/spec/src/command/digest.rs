//! What a command is, apart from where and when it runs: the key by which results are reused.

use super::{CommandTemplate, MemoryUnit, Placeholder, Segment, TextTemplate};
use crate::digest::Digest;
use crate::id::TaskId;
use crate::template::Template;
use crate::workflow::Workflow;

/// Changes when what goes into the digest changes, so that old results are not taken for new.
const VERSION: &[u8] = b"foreshard command 1";

impl Workflow {
    /// The digest of a task's command: text, `setup`, parameters and variables by value, declared
    /// paths, `env`, `env_from`, `workdir`, and secrets by name and place. What is only known when it runs (cpus, memory, attempt,
    /// project) counts by name: the result must not depend on it.
    #[must_use]
    pub fn command_digest(&self, task: TaskId) -> Digest {
        let template = self.template(task);
        let mut parts = Parts { workflow: self, task, parts: vec![VERSION.to_vec()] };
        match &template.command {
            CommandTemplate::Shell(text) => {
                parts.mark("run");
                parts.text(text);
            }
            CommandTemplate::Argv(arguments) => {
                parts.mark("argv");
                arguments.iter().for_each(|argument| parts.text(argument));
            }
        }
        if let Some(lines) = &template.setup {
            parts.mark("setup");
            parts.text(lines);
        }
        if !template.empty_outputs {
            parts.mark("no empty outputs");
        }
        for secret in &template.secrets {
            parts.pair("secret", &format!("{secret:?}"));
        }
        for (name, text) in &template.env {
            parts.pair("env", name);
            parts.text(text);
        }
        template.env_from.iter().for_each(|name| parts.pair("env_from", name));
        if let Some(folder) = &template.workdir {
            parts.pair("workdir", folder);
        }
        parts.named_params(template);
        for (name, value) in self.variables(task) {
            parts.pair(name, &value.to_string());
        }
        for input in self.inputs(task) {
            parts.pair(&format!("input {}", input.slot), self.files().path(input.file));
        }
        for &output in self.outputs(task) {
            parts.pair("output", self.files().path(output));
        }
        Digest::of_parts(parts.parts.iter().map(Vec::as_slice))
    }
}

struct Parts<'a> {
    workflow: &'a Workflow,
    task: TaskId,
    parts: Vec<Vec<u8>>,
}

impl Parts<'_> {
    fn mark(&mut self, part: &str) {
        self.parts.push(part.as_bytes().to_vec());
    }

    fn pair(&mut self, name: &str, value: &str) {
        self.mark(name);
        self.mark(value);
    }

    fn text(&mut self, text: &TextTemplate) {
        self.mark(&format!("text of {}", text.0.len()));
        for segment in &text.0 {
            match segment {
                Segment::Literal(literal) => self.pair("literal", literal),
                Segment::Placeholder { what, .. } => self.placeholder(what),
            }
        }
    }

    fn placeholder(&mut self, what: &Placeholder) {
        match what {
            Placeholder::Param(value) => self.pair("value", &value.to_string()),
            Placeholder::Variable(position) => {
                let variable = &self.workflow.template(self.task).variables[*position as usize];
                let value = variable.value(self.workflow.row(self.task)).to_string();
                self.pair("value", &value);
            }
            Placeholder::Inputs(slot) => self.pair("inputs", &format!("{slot:?}")),
            Placeholder::Outputs(slot) => self.pair("outputs", &format!("{slot:?}")),
            Placeholder::Cpus => self.mark("cpus"),
            Placeholder::Memory(MemoryUnit::Bytes) => self.mark("memory"),
            Placeholder::Memory(MemoryUnit::Mebibytes) => self.mark("memory.mib"),
            Placeholder::Memory(MemoryUnit::Gibibytes) => self.mark("memory.gib"),
            Placeholder::Attempt => self.mark("attempt"),
            Placeholder::Task => self.pair("task", &self.workflow.task_name(self.task)),
            Placeholder::Project => self.mark("project"),
        }
    }

    /// Parameters that the command reads as `$PARAM_name`. One that it never names may change
    /// without making it run again.
    fn named_params(&mut self, template: &Template) {
        for (name, value) in self.workflow.params_of(self.task) {
            if names_variable(template, &format!("PARAM_{name}")) {
                self.pair(name, &value.to_string());
            }
        }
    }
}

fn names_variable(template: &Template, variable: &str) -> bool {
    let arguments = match &template.command {
        CommandTemplate::Shell(text) => std::slice::from_ref(text),
        CommandTemplate::Argv(arguments) => arguments,
    };
    arguments
        .iter()
        .chain(&template.setup)
        .chain(template.env.iter().map(|(_, text)| text))
        .flat_map(|text| &text.0)
        .any(|segment| matches!(segment, Segment::Literal(text) if text.contains(variable)))
}
