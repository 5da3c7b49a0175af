//! Reads a workflow file: `docs/formats/workflow.md` as code.
//!
//! Knows fields, defaults and placeholders, and reports every mistake it finds, each with its
//! place and what to write instead. Does not look at the disk: whether an input is there is for
//! whoever starts a run.

mod condition;
mod discovery;
mod family;
mod fanout;
mod finals;
mod graph_errors;
mod growing;
mod include;
mod memory;
mod notify;
mod params;
mod paths;
mod reading;
mod rows;
mod secrets;
mod slots;
mod task;
mod values;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

pub use self::params::ParamsFile;
use crate::assemble::{self, Parts};
use crate::command::placeholder::{self, Mistake, Scope};
use crate::command::{Placeholder, Segment, TextTemplate};
use crate::diagnostic::{Code, Diagnostic, Place, Source, SourceId, Sources};
use crate::digest::Digest;
use crate::files::FileTable;
use crate::notify::Notification;
use crate::source::Node;
use crate::source::fields::Fields;
use crate::source::scalar::Scalar;
use crate::template::{SecretSource, Template, Value};
use crate::workflow::Workflow;

use growing::Drafts;
pub(crate) use growing::{Growing, grow};

/// The version of the format that is read.
pub const VERSION: i64 = 1;

const FIELDS: [&str; 9] =
    ["foreshard", "name", "params", "secrets", "include", "defaults", "tasks", "final", "notify"];

/// What a workflow is read from.
pub struct Request<'r> {
    /// The workflow file itself.
    pub main: Arc<Source>,
    /// Parameters as written on the command line, by name. They count more than those of a file.
    pub written: &'r BTreeMap<String, String>,
    /// Parameters from a file.
    pub params_file: Option<&'r ParamsFile>,
    /// Reads an included file by its path in the project, or says why that cannot be.
    pub open: &'r mut dyn FnMut(&str) -> Result<Source, String>,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// There is a workflow unless one of the diagnostics is an error.
    pub workflow: Option<Workflow>,
    /// Mistakes and doubts, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that they point into.
    pub sources: Sources,
    /// Of the files that were included, each once: their paths in the project, and which text.
    pub included: BTreeMap<String, SourceId>,
}

/// Reads a workflow that stands in one file. `overrides` are parameters as given on the command
/// line, by name.
///
/// There is a workflow unless one of the diagnostics is an error. They come in the order of the
/// file.
#[must_use]
pub fn parse(
    source: &Source,
    overrides: &BTreeMap<String, String>,
) -> (Option<Workflow>, Vec<Diagnostic>) {
    let parsed = parse_all(Request {
        main: Arc::new(source.clone()),
        written: overrides,
        params_file: None,
        open: &mut |_| Err("there is no project to look for it".to_owned()),
    });
    (parsed.workflow, parsed.diagnostics)
}

/// Reads a workflow with all that it includes.
#[must_use]
pub fn parse_all(request: Request<'_>) -> Parsed {
    reading::read(request)
}

/// What a workflow has beside its tasks.
struct Head {
    name: String,
    digest: Digest,
    params: BTreeMap<String, Value>,
    notifications: Vec<Notification>,
}

/// From drafts to a checked graph; `files` keep their ids.
fn build(
    head: Head,
    drafts: Drafts,
    files: FileTable,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Workflow> {
    let layout = rows::lay_out(&drafts.names, &drafts.drafts, files, diagnostics);
    let growing = drafts.can_grow().then(|| layout.clone());
    let templates: Vec<Template> = drafts.drafts.iter().map(|d| d.template.clone()).collect();
    let places: Vec<Place> = templates.iter().map(Template::place).collect();
    let parts = Parts {
        name: head.name,
        digest: head.digest,
        params: head.params,
        templates,
        first_task: layout.first_task,
        files: layout.files,
        inputs: layout.inputs,
        outputs: layout.outputs,
        needs: layout.needs,
    };
    match assemble::assemble(parts) {
        Ok(mut workflow) => {
            workflow.notifications = head.notifications;
            diagnostics.extend(finals::mistakes(&workflow));
            if let Some(layout) = growing {
                workflow.growing = Some(Arc::new(Growing::new(&workflow, drafts, &layout)));
            }
            Some(workflow)
        }
        Err(errors) => {
            diagnostics.extend(errors.iter().map(|e| graph_errors::diagnostic(e, &places)));
            None
        }
    }
}

fn check_version(root: &Node<'_>) -> Result<(), Diagnostic> {
    if root.map().is_none() {
        let mistake = Diagnostic::error(Code::Value, root.span());
        let message = format!("a workflow must be a map of fields, not {}", root.what());
        return Err(mistake.message(message).help("begin with `foreshard: 1`"));
    }
    let Some(version) = root.get("foreshard") else {
        let start = root.span().start;
        let mistake = Diagnostic::error(Code::MissingField, start..start);
        return Err(mistake
            .message("the version of the format is missing")
            .help("begin with `foreshard: 1`"));
    };
    let number = Scalar::of(version, "foreshard")?.int(1..=i64::from(u32::MAX))?;
    if number == VERSION {
        return Ok(());
    }
    let message = format!(
        "this is version {number} of the format, and this foreshard reads version {VERSION}"
    );
    let mistake = Diagnostic::error(Code::Version, version.span()).message(message);
    Err(mistake.help("use a newer foreshard, or write `foreshard: 1`"))
}

fn name(source: &Source, fields: &Fields<'_, '_>, diagnostics: &mut Vec<Diagnostic>) -> String {
    let Some(node) = fields.get("name") else { return name_of_file(&source.name) };
    let scalar = match Scalar::of(node, "name") {
        Ok(scalar) => scalar,
        Err(mistake) => {
            diagnostics.push(mistake);
            return String::new();
        }
    };
    if let Some(problem) = paths::name_problem(&scalar.text) {
        let message = format!("the name `{}` {problem}", scalar.text.escape_debug());
        let mistake = Diagnostic::error(Code::Name, scalar.span.clone()).message(message);
        diagnostics.push(mistake.help("use letters, digits, `-`, `_` and `.`"));
    }
    scalar.text.into_owned()
}

/// The file's name without folder and ending, with what a name cannot hold replaced.
fn name_of_file(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String =
        stem.chars().take(100).map(|c| if is_allowed(c) { c } else { '-' }).collect();
    if paths::name_problem(&name).is_some() { "workflow".to_owned() } else { name }
}

/// What all tasks of a file share while they are read.
struct Reader<'r, 'a> {
    /// The whole file, in which spans point.
    text: &'r str,
    params: &'r BTreeMap<String, Value>,
    /// Whether nothing was wrong with them.
    are_params_sound: bool,
    secrets: &'r BTreeMap<String, SecretSource>,
    defaults: Option<Fields<'r, 'a>>,
}

impl<'r, 'a> Reader<'r, 'a> {
    /// The same for maps inside a task, which take nothing from `defaults`.
    fn without_defaults(&self) -> Self {
        Self { defaults: None, ..*self }
    }

    /// A single value, with parameters filled in.
    fn scalar<'n>(&self, node: &'n Node<'_>, field: &'n str) -> Result<Scalar<'n>, Diagnostic> {
        let scalar = Scalar::of(node, field)?;
        if !scalar.text.contains("{params.") {
            return Ok(scalar);
        }
        let text = self.fill_params(&scalar)?;
        Ok(scalar.with_text(text))
    }

    fn fill_params(&self, scalar: &Scalar<'_>) -> Result<String, Diagnostic> {
        let scope = Scope { params: self.params, variables: &[], slots: None };
        let template = placeholder::parse(&scalar.text, &scope).map_err(|mut mistakes| {
            self.misplaced(&scalar.text, scalar.span.clone(), mistakes.swap_remove(0))
        })?;
        let mut text = String::new();
        for segment in &template.0 {
            match segment {
                Segment::Literal(literal) => text.push_str(literal),
                Segment::Placeholder { what: Placeholder::Param(value), .. } => {
                    text.push_str(&value.to_string());
                }
                Segment::Placeholder { .. } => unreachable!("the scope holds parameters only"),
            }
        }
        Ok(text)
    }

    /// Reads a text with placeholders and reports those that are none.
    fn template(
        &self,
        scalar: &Scalar<'_>,
        parse: impl FnOnce(&str) -> Result<TextTemplate, Vec<Mistake>>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<TextTemplate> {
        match parse(&scalar.text) {
            Ok(template) => Some(template),
            Err(mistakes) => {
                let place = |m| self.misplaced(&scalar.text, scalar.span.clone(), m);
                diagnostics.extend(mistakes.into_iter().map(place));
                None
            }
        }
    }

    /// A mistake in a text as one in the file, where the same braces stand among what quotes
    /// and indentation add.
    fn misplaced(&self, text: &str, span: Range<usize>, mistake: Mistake) -> Diagnostic {
        let braces = &text[mistake.at.clone()];
        let before = text[..mistake.at.start].matches(braces).count();
        let found = self.text[span.clone()].match_indices(braces).nth(before);
        let at =
            found.map_or(span.clone(), |(at, _)| span.start + at..span.start + at + braces.len());
        Diagnostic::error(Code::Placeholder, at).message(mistake.message).help(mistake.help)
    }

    /// Why the `when` of a task or an include does not hold; none if it does, or has a mistake.
    fn when(&self, fields: &Fields<'_, '_>, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
        const SHOWN: usize = 200;
        let scalar = Scalar::of(fields.get("when")?, "when");
        let scalar = scalar.map_err(|mistake| diagnostics.push(mistake)).ok()?;
        if !self.are_params_sound {
            return None;
        }
        match condition::holds(&scalar.text, self.params) {
            Ok(true) => None,
            Ok(false) => {
                let words: Vec<&str> = scalar.text.split_whitespace().collect();
                let shown: String = words.join(" ").chars().take(SHOWN).collect();
                Some(format!("`when: {shown}` does not hold"))
            }
            Err(Mistake { at, message, help }) => {
                let found = self.text[scalar.span.clone()].find(&*scalar.text);
                let start = |within| scalar.span.start + within;
                let at = found.map_or(scalar.span.clone(), |within| {
                    start(within + at.start)..start(within + at.end)
                });
                let mistake = Diagnostic::error(Code::Condition, at).message(message);
                diagnostics.push(mistake.help(help));
                None
            }
        }
    }

    /// The tasks below `tasks`, and those below `final`; and the names of all of them.
    fn tasks(
        &self,
        fields: &Fields<'r, 'a>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> (Vec<String>, Vec<task::Draft>) {
        let entries = fields.get("tasks").and_then(Node::map).unwrap_or_default();
        if entries.is_empty() && fields.get("include").is_none() {
            let code = if fields.get("tasks").is_some() { Code::Value } else { Code::MissingField };
            let mistake = Diagnostic::error(code, fields.key_span("tasks"));
            let mistake = mistake.message("a workflow needs tasks: a map from name to task");
            diagnostics.push(mistake.help("write `tasks: {hello: {run: echo hello}}`"));
        }
        let mut drafts = Vec::new();
        for (key, node) in entries {
            check_task_name(key, diagnostics);
            drafts.extend(self.task(key, node, diagnostics));
        }
        drafts.extend(self.final_tasks(fields, entries, diagnostics));
        let finals = fields.get("final").and_then(Node::map).unwrap_or_default();
        let names = entries.iter().chain(finals).filter_map(|(key, _)| key.text());
        (names.map(str::to_owned).collect(), drafts)
    }
}

fn check_task_name(key: &Node<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let name = key.text().unwrap_or_default();
    if let Some(problem) = paths::name_problem(name) {
        let message = format!("the task name `{}` {problem}", name.escape_debug());
        let mistake = Diagnostic::error(Code::Name, key.span()).message(message);
        diagnostics.push(mistake.help("use letters, digits, `-`, `_` and `.`"));
    }
}
