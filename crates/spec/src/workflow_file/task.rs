//! One task of the file becomes one template.

mod surroundings;

use std::ops::Range;

use super::fanout::Fanout;
use super::slots::{Side, SlotDraft, What};
use super::{Reader, memory, paths};
use crate::command::placeholder::{self, Scope, Slots};
use crate::command::{CommandTemplate, Segment, TextTemplate};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::files::FileKind;
use crate::resources::{MilliCpus, Resources};
use crate::source::Node;
use crate::source::fields::Fields;
use crate::source::scalar::Scalar;
use crate::template::{MemoryGrowth, Per, Retries, Template};
use crate::units::Duration;

const FIELDS: [&str; 24] = [
    "run",
    "argv",
    "inputs",
    "outputs",
    "needs",
    "foreach",
    "matrix",
    "emits",
    "when",
    "resources",
    "estimate",
    "priority",
    "critical",
    "idempotent",
    "retries",
    "oom_retries",
    "timeout",
    "env",
    "env_from",
    "workdir",
    "setup",
    "image",
    "secrets",
    "empty_outputs",
];

/// The fields that `defaults` can hold.
pub(super) const DEFAULT_FIELDS: [&str; 15] = [
    "resources",
    "estimate",
    "priority",
    "critical",
    "idempotent",
    "retries",
    "oom_retries",
    "timeout",
    "env",
    "env_from",
    "workdir",
    "setup",
    "image",
    "secrets",
    "empty_outputs",
];

const MAX_COUNTABLE: i64 = 1 << 40;

/// A task while the file is read: the template, and what other tasks must be known for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    pub(super) template: Template,
    pub(super) rows: usize,
    pub(super) inputs: Vec<SlotDraft>,
    pub(super) outputs: Vec<SlotDraft>,
    pub(super) needs: Vec<(String, Range<usize>)>,
    /// How many growths lie between the file and this.
    pub(super) depth: u32,
    /// Whether a task emitted it.
    pub(super) is_emitted: bool,
    /// How much of the names of its template and of what it needs is that of an include.
    pub(super) prefix: usize,
}

/// A task being read: its own fields before those of `defaults`.
pub(super) struct TaskFields<'r, 'a> {
    pub(super) reader: &'r Reader<'r, 'a>,
    pub(super) own: Fields<'r, 'a>,
}

impl<'r, 'a> Reader<'r, 'a> {
    /// Reads a task; none if its command or its variables cannot be known.
    pub(super) fn task(
        &self,
        key: &Node<'a>,
        node: &'r Node<'a>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Draft> {
        let name = key.text().unwrap_or_default();
        let own = Fields::open(node, &format!("task `{name}`"), &FIELDS, diagnostics)?;
        let fields = TaskFields { reader: self, own };
        let fanout = self.fanout(&fields.own, diagnostics);
        let fanout_known = fanout.is_some();
        let Fanout { variables, rows, discovers } = fanout.unwrap_or_else(Fanout::single);
        let names: Vec<String> = variables.iter().map(|v| v.name.clone()).collect();
        // Without variables every `{name}` would be one more mistake.
        if !fanout_known {
            fields.check_rest(diagnostics);
            return None;
        }
        let inputs = fields.slots(Side::Inputs, &names, diagnostics);
        let mut outputs = fields.slots(Side::Outputs, &names, diagnostics);
        let emits = fields.emits(&names, &mut outputs, diagnostics);
        let slot_names = |slots: &[SlotDraft]| -> Vec<Option<String>> {
            slots.iter().map(|slot| slot.name.clone()).collect()
        };
        let (input_names, output_names) = (slot_names(&inputs), slot_names(&outputs));
        let slots = Slots { inputs: &input_names, outputs: &output_names };
        let scope = Scope { params: self.params, variables: &names, slots: Some(slots) };
        let command = fields.command(&scope, key, diagnostics);
        let template = Template {
            name: name.to_owned(),
            command: command.unwrap_or(CommandTemplate::Argv(Vec::new())),
            setup: fields.setup(&scope, diagnostics),
            variables,
            inputs: inputs.iter().map(SlotDraft::slot).collect(),
            outputs: outputs.iter().map(SlotDraft::slot).collect(),
            env: fields.env(Some(&scope), diagnostics),
            emits,
            discovers,
            off: self.when(&fields.own, diagnostics),
            ..fields.settings(name, key.span(), diagnostics)
        };
        let needs = fields.needs(diagnostics);
        let (depth, is_emitted, prefix) = (0, false, 0);
        Some(Draft { template, rows, inputs, outputs, needs, depth, is_emitted, prefix })
    }
}

impl<'r> TaskFields<'r, '_> {
    fn get(&self, name: &str) -> Option<&'r Node<'r>>
    where
        Self: 'r,
    {
        let default = || self.reader.defaults.as_ref().and_then(|d| d.get(name));
        self.own.get(name).or_else(default)
    }

    /// A single value of a field, if it is there and right.
    pub(super) fn value<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Scalar<'r>) -> Result<T, Diagnostic>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<T> {
        let scalar = self.reader.scalar(self.get(name)?, name);
        scalar.and_then(|s| read(&s)).map_err(|mistake| diagnostics.push(mistake)).ok()
    }

    /// Looks at what does not depend on variables, for its mistakes alone.
    fn check_rest(&self, diagnostics: &mut Vec<Diagnostic>) {
        self.settings("", 0..0, diagnostics);
        self.needs(diagnostics);
    }

    /// A template with every field that neither names variables nor files.
    fn settings(
        &self,
        name: &str,
        span: Range<usize>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Template {
        let priority = |s: &Scalar<'_>| s.int(-1_000_000..=1_000_000);
        let priority = self.value("priority", priority, diagnostics).unwrap_or(0);
        let (resources, memory) = self.resources(diagnostics);
        let template = Template {
            name: name.to_owned(),
            image: self.image(diagnostics),
            secrets: self.secrets(diagnostics),
            env_from: self.env_from(diagnostics),
            workdir: self.workdir(diagnostics),
            resources: Per::Same(resources),
            estimate: Per::Same(self.value("estimate", Scalar::duration, diagnostics)),
            priority: i32::try_from(priority).expect("within bounds"),
            critical: self.value("critical", Scalar::bool, diagnostics).unwrap_or(false),
            empty_outputs: self.value("empty_outputs", Scalar::bool, diagnostics).unwrap_or(true),
            idempotent: self.value("idempotent", Scalar::bool, diagnostics).unwrap_or(true),
            retries: self.retries(diagnostics),
            memory,
            timeout: self.value("timeout", positive, diagnostics),
            span,
            ..Template::default()
        };
        if !template.idempotent {
            self.doubt_repetition(&template, diagnostics);
        }
        template
    }

    /// A task that must not run twice cannot be checked by a second run or tried again.
    fn doubt_repetition(&self, template: &Template, diagnostics: &mut Vec<Diagnostic>) {
        let mut doubt = |field: &str, why: &str| {
            let doubt = Diagnostic::warning(Code::Value, self.own.key_span(field));
            diagnostics.push(doubt.message(format!("`idempotent: false`: {why}")));
        };
        if template.critical {
            doubt("critical", "it is never run twice, so `critical` has no effect");
        }
        if template.retries.count > 0 {
            doubt("retries", "it is never tried again, so `retries` has no effect");
        }
        if self.own.get("oom_retries").is_some() && template.memory.retries > 0 {
            doubt("oom_retries", "it is never tried again, so `oom_retries` has no effect");
        }
    }

    fn slots(
        &self,
        side: Side,
        variables: &[String],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<SlotDraft> {
        let node = self.own.get(side.field()).filter(|n| !n.is_null());
        node.map_or_else(Vec::new, |n| self.reader.slots(n, side, variables, diagnostics))
    }

    /// `emits`: an output, listed or not, that declares more tasks; its position.
    fn emits(
        &self,
        variables: &[String],
        outputs: &mut Vec<SlotDraft>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<usize> {
        let node = self.own.get("emits").filter(|node| !node.is_null())?;
        let part = self.reader.part(node, Side::Outputs, variables, diagnostics)?;
        if let What::Path(path) = &part.what
            && let Some(Segment::Literal(end)) = path.0.last()
            && FileKind::of(end) != FileKind::File
        {
            let mistake = Diagnostic::error(Code::Path, part.span);
            let mistake = mistake.message("`emits` names one file, not a directory or a pattern");
            diagnostics.push(mistake.help("write `emits: tasks.yaml`"));
            return None;
        }
        let listed = outputs.iter().position(|slot| slot.parts.iter().any(|p| p.what == part.what));
        Some(listed.unwrap_or_else(|| {
            outputs.push(SlotDraft { name: None, parts: vec![part] });
            outputs.len() - 1
        }))
    }

    fn command(
        &self,
        scope: &Scope<'_>,
        key: &Node<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<CommandTemplate> {
        match (self.own.get("run"), self.own.get("argv")) {
            (Some(run), None) => self.run(run, scope, diagnostics).map(CommandTemplate::Shell),
            (None, Some(argv)) => self.argv(argv, scope, diagnostics).map(CommandTemplate::Argv),
            (Some(_), Some(_)) => {
                let mistake = Diagnostic::error(Code::Value, self.own.key_span("argv"));
                let related = self.own.key_span("run");
                let mistake = mistake.message("a task has either `run` or `argv`");
                diagnostics.push(mistake.related(related, "also given here").help("remove one"));
                None
            }
            (None, None) => {
                let name = key.text().unwrap_or_default();
                let mistake = Diagnostic::error(Code::MissingField, key.span());
                let mistake = mistake.message(format!("task `{name}` has no command"));
                diagnostics.push(mistake.help("add `run: …`, or `argv: [program, argument]`"));
                None
            }
        }
    }

    fn run(
        &self,
        node: &Node<'_>,
        scope: &Scope<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<TextTemplate> {
        let scalar = match Scalar::of(node, "run") {
            Ok(scalar) if scalar.text.trim().is_empty() => Err(scalar.wrong("is empty")),
            Ok(scalar) if scalar.text.contains('\0') => {
                Err(scalar.wrong("contains a NUL character"))
            }
            Err(mistake) if node.list().is_some() => {
                Err(mistake.help("for a script of several lines write `run: |`"))
            }
            result => result,
        };
        match scalar {
            Ok(scalar) => {
                let parse = |text: &str| placeholder::parse_shell(text, scope);
                self.reader.template(&scalar, parse, diagnostics)
            }
            Err(mistake) => {
                diagnostics.push(mistake);
                None
            }
        }
    }

    fn argv(
        &self,
        node: &Node<'_>,
        scope: &Scope<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Vec<TextTemplate>> {
        let Some(items) = node.list().filter(|items| !items.is_empty()) else {
            let mistake = Diagnostic::error(Code::Value, node.span());
            let mistake = mistake.message("`argv` must be a list of a program and its arguments");
            diagnostics.push(mistake.help("write `argv: [program, argument]`"));
            return None;
        };
        let argument = |item| self.text(item, "argv", scope, diagnostics);
        items.iter().map(argument).collect()
    }

    /// A text that no shell sees.
    fn text(
        &self,
        node: &Node<'_>,
        field: &'static str,
        scope: &Scope<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<TextTemplate> {
        match Scalar::of(node, field) {
            Ok(scalar) if scalar.text.contains('\0') => {
                diagnostics.push(scalar.wrong("contains a NUL character"));
                None
            }
            Ok(scalar) => {
                let parse = |text: &str| placeholder::parse(text, scope);
                self.reader.template(&scalar, parse, diagnostics)
            }
            Err(mistake) => {
                diagnostics.push(mistake.help("put it in quotes if it is text"));
                None
            }
        }
    }

    /// The entries of a map field, those of `defaults` first, each name once.
    fn merged(
        &self,
        field: &str,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<(&'r Node<'r>, &'r Node<'r>)> {
        let default = self.reader.defaults.as_ref().and_then(|d| d.get(field));
        let mut merged: Vec<(&Node<'_>, &Node<'_>)> = Vec::new();
        for node in [default, self.own.get(field)].into_iter().flatten() {
            let Some(entries) = node.map() else {
                let message = format!("`{field}` must be a map, not {}", node.what());
                diagnostics.push(Diagnostic::error(Code::Value, node.span()).message(message));
                continue;
            };
            for (key, value) in entries {
                merged.retain(|(earlier, _)| earlier.text() != key.text());
                merged.push((key, value));
            }
        }
        merged
    }

    fn env(
        &self,
        scope: Option<&Scope<'_>>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<(String, TextTemplate)> {
        let mut env = Vec::new();
        for (key, value) in self.merged("env", diagnostics) {
            let name = key.text().unwrap_or_default();
            check_env_name(name, key, diagnostics);
            if let Some(text) = scope.and_then(|scope| self.text(value, "env", scope, diagnostics))
            {
                env.push((name.to_owned(), text));
            }
        }
        env
    }

    fn env_from(&self, diagnostics: &mut Vec<Diagnostic>) -> Vec<String> {
        let Some(node) = self.get("env_from") else { return Vec::new() };
        let names = texts(node, "env_from", diagnostics);
        names
            .into_iter()
            .filter(|(name, span)| {
                let sound = paths::is_variable_name(name);
                if !sound {
                    let message = format!("`{}` cannot name a variable", name.escape_debug());
                    diagnostics.push(Diagnostic::error(Code::Name, span.clone()).message(message));
                }
                sound
            })
            .map(|(name, _)| name)
            .collect()
    }

    fn needs(&self, diagnostics: &mut Vec<Diagnostic>) -> Vec<(String, Range<usize>)> {
        let node = self.own.get("needs").filter(|n| !n.is_null());
        node.map_or_else(Vec::new, |node| texts(node, "needs", diagnostics))
    }

    fn workdir(&self, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
        let path = self.value("workdir", |s| Ok((s.text.to_string(), s.span.clone())), diagnostics);
        let (path, span) = path?;
        if let Err(problem) = paths::check(&path) {
            let mut mistake = Diagnostic::error(Code::Path, span);
            if !problem.is_error() {
                mistake.severity = crate::diagnostic::Severity::Warning;
            }
            diagnostics.push(mistake.message(format!("`workdir: {path}` {problem}")));
        }
        Some(path)
    }

    fn retries(&self, diagnostics: &mut Vec<Diagnostic>) -> Retries {
        let mut retries = Retries::default();
        let Some(node) = self.get("retries") else { return retries };
        let count = |s: &Scalar<'_>| s.int(0..=10_000).map(|n| n as u16);
        if node.map().is_none() {
            retries.count = self.value("retries", count, diagnostics).unwrap_or(0);
            return retries;
        }
        let known = ["count", "backoff", "factor", "max"];
        let Some(fields) = Fields::open(node, "`retries`", &known, diagnostics) else {
            return retries;
        };
        let inner = TaskFields { reader: &self.reader.without_defaults(), own: fields };
        if let Some(n) = inner.value("count", count, diagnostics) {
            retries.count = n;
        }
        if let Some(pause) = inner.value("backoff", Scalar::duration, diagnostics) {
            retries.backoff = pause;
        }
        if let Some(factor) = inner.value("factor", |s| s.float(1.0..=1_000.0), diagnostics) {
            retries.factor = factor;
        }
        if let Some(pause) = inner.value("max", Scalar::duration, diagnostics) {
            retries.max = pause;
        }
        retries
    }

    fn resources(&self, diagnostics: &mut Vec<Diagnostic>) -> (Resources, MemoryGrowth) {
        let mut growth = self.oom_retries(diagnostics);
        let mut resources = Resources { cpus: MilliCpus::ONE, ..Resources::default() };
        for (key, node) in self.merged("resources", diagnostics) {
            let name = key.text().unwrap_or_default();
            if name == "memory" && memory::is_growing(node) {
                resources.memory = self.growing_memory(node, &mut growth, diagnostics);
                continue;
            }
            let outcome = self.reader.scalar(node, name).and_then(|s| {
                match name {
                    "cpus" => resources.cpus = s.cpus()?,
                    "memory" => resources.memory = s.bytes()?,
                    "network" => resources.network = s.bandwidth()?,
                    _ => {
                        check_countable(name, key)?;
                        let count = s.int(0..=MAX_COUNTABLE)?.unsigned_abs();
                        resources.countables.insert(name.to_owned(), count);
                    }
                }
                Ok(())
            });
            diagnostics.extend(outcome.err());
        }
        (resources, growth)
    }
}

fn positive(scalar: &Scalar<'_>) -> Result<Duration, Diagnostic> {
    match scalar.duration()? {
        Duration::ZERO => Err(scalar.wrong("must be longer than nothing")),
        duration => Ok(duration),
    }
}

/// One name or a list of names.
fn texts(
    node: &Node<'_>,
    field: &'static str,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<(String, Range<usize>)> {
    let items = node.list().unwrap_or(std::slice::from_ref(node));
    let mut texts = Vec::new();
    for item in items {
        match Scalar::of(item, field) {
            Ok(scalar) => texts.push((scalar.text.into_owned(), scalar.span)),
            Err(mistake) => diagnostics.push(mistake),
        }
    }
    texts
}

/// Any name can be counted, but not one that was meant for cpus or memory.
fn check_countable(name: &str, key: &Node<'_>) -> Result<(), Diagnostic> {
    const MEANT: [(&str, &str); 8] = [
        ("cpu", "cpus"),
        ("cores", "cpus"),
        ("threads", "cpus"),
        ("mem", "memory"),
        ("ram", "memory"),
        ("mem_mb", "memory"),
        ("net", "network"),
        ("bandwidth", "network"),
    ];
    let mistake = Diagnostic::error(Code::UnknownField, key.span());
    if !paths::is_variable_name(name) {
        let message = format!("`{}` cannot name a resource", name.escape_debug());
        return Err(mistake.message(message).help("use letters, digits and `_`"));
    }
    let meant = MEANT.iter().find(|(word, _)| *word == name).map(|(_, field)| *field);
    match meant.or_else(|| nearest(name, ["cpus", "memory", "network"])) {
        Some(field) => {
            let message = format!("`{name}` is too close to `{field}` to be a resource of its own");
            Err(mistake.message(message).help(format!("did you mean `{field}`?")))
        }
        None => Ok(()),
    }
}

fn check_env_name(name: &str, key: &Node<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let mistake = Diagnostic::error(Code::Name, key.span());
    if !paths::is_variable_name(name) {
        let message = format!("`{}` cannot name a variable", name.escape_debug());
        diagnostics.push(mistake.message(message).help("use letters, digits and `_`"));
    } else if name.starts_with("FORESHARD_") || name.starts_with("PARAM_") {
        let message = format!("`{name}` is set by foreshard itself");
        diagnostics.push(mistake.message(message).help("choose another name"));
    }
}
