//! Adds what a task discovered or emitted to a graph that was read before.
//!
//! The whole graph is laid out and checked anew, from all declarations and in the same way as when
//! a file is read. New declarations come last, so that ids stay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::family::{self, Families};
use super::rows::Layout;
use super::task::{self, Draft};
use super::{Head, Reader, build, check_version, fanout, include};
use crate::diagnostic::{Diagnostic, Severity, Source, SourceId};
use crate::growth::{Found, Growth};
use crate::id::{FileId, TaskId};
use crate::source;
use crate::source::fields::Fields;
use crate::template::{Domain, SecretSource, Template};
use crate::workflow::Workflow;

/// How many growths may lie between the file and a task: a task that emits itself has to end.
const MAX_DEPTH: u32 = 100;

/// The text that a task emitted, beside those that a workflow was read from.
const EMITTED: SourceId = SourceId(u32::MAX);

/// All declarations of a workflow.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drafts {
    /// Also of tasks that could not be read.
    pub(super) names: Vec<String>,
    pub(super) drafts: Vec<Arc<Draft>>,
    /// Those that tasks to come may name too, by what the names of these tasks begin with.
    pub(super) secrets: BTreeMap<String, BTreeMap<String, SecretSource>>,
}

impl Drafts {
    pub(super) fn can_grow(&self) -> bool {
        self.drafts.iter().any(|d| d.template.emits.is_some() || d.template.discovers.is_some())
    }
}

/// What a workflow keeps of its file to be able to grow.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Growing {
    drafts: Drafts,
    /// Names of tasks from whose files others are discovered.
    discovered_from: BTreeSet<String>,
    may_come: BTreeSet<FileId>,
}

impl Growing {
    pub(super) fn new(workflow: &Workflow, drafts: Drafts, layout: &Layout) -> Self {
        let emitters = workflow.tasks().filter(|&task| workflow.template(task).emits.is_some());
        let is_below_emitter = below(workflow, emitters);
        let families = Families::new(&drafts.drafts, &layout.first_task);
        let may_come = family::may_come(&families, layout, &is_below_emitter);
        let discoveries = drafts.drafts.iter().filter_map(|d| d.template.discovers.as_ref());
        let discovered_from = discoveries.map(|discovery| discovery.from.clone()).collect();
        Self { drafts, discovered_from, may_come }
    }

    pub(crate) fn grows(&self, template: &Template) -> bool {
        template.emits.is_some() || self.discovered_from.contains(&template.name)
    }

    pub(crate) fn may_come(&self, file: FileId) -> bool {
        self.may_come.contains(&file)
    }
}

/// By task: whether it comes after one of these.
fn below(workflow: &Workflow, tasks: impl Iterator<Item = TaskId>) -> Vec<bool> {
    let mut is_below = vec![false; workflow.n_tasks()];
    let mut stack: Vec<TaskId> = tasks.collect();
    while let Some(task) = stack.pop() {
        for child in workflow.children(task) {
            if !std::mem::replace(&mut is_below[child.index()], true) {
                stack.push(child);
            }
        }
    }
    is_below
}

/// [`Workflow::grown`].
pub(crate) fn grow(
    workflow: &Workflow,
    by: TaskId,
    growth: &Growth,
) -> Result<Workflow, Vec<String>> {
    let Some(growing) = &workflow.growing else {
        return Err(vec!["nothing in this workflow waits for tasks to come".to_owned()]);
    };
    let mut mistakes = Vec::new();
    let mut drafts = growing.drafts.clone();
    let depth = growing.drafts.drafts[workflow.template_of(by).index()].depth + 1;
    let mut new = Vec::new();
    for found in &growth.found {
        match discovered(&growing.drafts, found) {
            Ok(more) => new.extend(more),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if let Some(text) = &growth.emitted {
        new.extend(emitted(workflow, by, text, &mut drafts, &mut mistakes));
    }
    if depth > MAX_DEPTH {
        mistakes.push(format!("more than {MAX_DEPTH} growths lie between the file and this one"));
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let names = [workflow.task_name(by), workflow.template(by).name.clone()];
    drafts.drafts.extend(new.into_iter().map(|mut draft| {
        draft.template.grown_by = Some(by);
        draft.template.needs_grower = draft.needs.iter().any(|(name, _)| names.contains(name));
        draft.depth = depth;
        Arc::new(draft)
    }));
    rebuilt(workflow, by, drafts, growth)
}

fn rebuilt(
    workflow: &Workflow,
    by: TaskId,
    drafts: Drafts,
    growth: &Growth,
) -> Result<Workflow, Vec<String>> {
    let head = Head {
        name: workflow.name.clone(),
        digest: workflow.digest,
        params: workflow.params.clone(),
        notifications: workflow.notifications.clone(),
    };
    let mut diagnostics = Vec::new();
    let grown = build(head, drafts, workflow.files.clone(), &mut diagnostics);
    diagnostics.retain(Diagnostic::is_error);
    match grown {
        Some(grown) if diagnostics.is_empty() => {
            refuse_late(workflow, by, &grown)?;
            refuse_twins(workflow, &grown)?;
            Ok(grown)
        }
        _ => Err(tell(&diagnostics, growth.emitted.as_deref().unwrap_or_default())),
    }
}

/// The rows that files bring to a `foreach`.
fn discovered(drafts: &Drafts, found: &Found) -> Result<Vec<Draft>, String> {
    let waiting = drafts.drafts.iter().filter(|draft| draft.template.name == found.template);
    let mut new = Vec::new();
    for waiting in waiting {
        let Some(discovery) = &waiting.template.discovers else { continue };
        let columns = discovery.values(&found.files)?;
        let rows = columns.first().map_or(0, Vec::len);
        if rows == 0 {
            continue;
        }
        let mut draft = Draft::clone(waiting);
        draft.rows = rows;
        draft.is_emitted = false;
        draft.template.discovers = None;
        for (variable, values) in draft.template.variables.iter_mut().zip(columns) {
            variable.domain = Domain::List(values);
        }
        fanout::check_discovered(&draft.template.variables, rows)?;
        new.push(draft);
    }
    Ok(new)
}

/// The tasks that a file declares.
fn emitted(
    workflow: &Workflow,
    by: TaskId,
    text: &str,
    drafts: &mut Drafts,
    mistakes: &mut Vec<String>,
) -> Vec<Draft> {
    let source = Source::new("the emitted file", text);
    let mut diagnostics = Vec::new();
    let drafts = read(&source, (workflow, by), drafts, &mut diagnostics);
    diagnostics.retain(Diagnostic::is_error);
    diagnostics.iter_mut().for_each(|diagnostic| diagnostic.source = EMITTED);
    mistakes.extend(tell(&diagnostics, text));
    drafts
}

fn read(
    source: &Source,
    (workflow, by): (&Workflow, TaskId),
    all: &mut Drafts,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Draft> {
    let root = match source::read(source) {
        Ok(root) => root,
        Err(mistakes) => {
            diagnostics.extend(mistakes);
            return Vec::new();
        }
    };
    if let Err(mistake) = check_version(&root) {
        diagnostics.push(mistake);
        return Vec::new();
    }
    let known = ["foreshard", "defaults", "tasks"];
    let Some(fields) = Fields::open(&root, "an emitted file", &known, diagnostics) else {
        return Vec::new();
    };
    let known = task::DEFAULT_FIELDS;
    let defaults =
        fields.get("defaults").and_then(|n| Fields::open(n, "`defaults`", &known, diagnostics));
    // What a task of an included file emits belongs to that include.
    let emitter = &all.drafts[workflow.template_of(by).index()];
    let prefix = emitter.template.name[..emitter.prefix].to_owned();
    let no_secrets = BTreeMap::new();
    let reader = Reader {
        text: &source.text,
        params: workflow.params_of(by),
        are_params_sound: true,
        secrets: all.secrets.get(&prefix).unwrap_or(&no_secrets),
        defaults,
    };
    // Nothing to do is an answer.
    if fields.get("tasks").and_then(source::Node::map).is_some_and(<[_]>::is_empty) {
        return Vec::new();
    }
    let (new_names, mut drafts) = reader.tasks(&fields, diagnostics);
    for draft in &mut drafts {
        draft.is_emitted = true;
        draft.template.source = EMITTED;
        draft.template.params.clone_from(&workflow.template(by).params);
        if draft.template.off.is_some() {
            draft.rows = 0;
            draft.template.discovers = None;
        }
        include::qualify(draft, &prefix);
    }
    let known: BTreeSet<String> = all.names.iter().cloned().collect();
    for name in new_names.into_iter().map(|name| format!("{prefix}{name}")) {
        if known.contains(&name) {
            let at = drafts.iter().find(|draft| draft.template.name == name);
            let span = at.map_or(0..0, |draft| draft.template.span.clone());
            let mistake = Diagnostic::error(crate::diagnostic::Code::Collision, span);
            let mistake = mistake.message(format!("there is a task `{name}` already"));
            diagnostics.push(mistake.help("emit tasks under names of their own"));
        } else {
            all.names.push(name);
        }
    }
    drafts
}

/// Tasks that were there may only wait for new ones if they certainly have not started: if they
/// wait for the task that adds them.
fn refuse_late(before: &Workflow, by: TaskId, after: &Workflow) -> Result<(), Vec<String>> {
    let is_below = below(before, std::iter::once(by));
    let late = before.tasks().filter_map(|task| {
        let known: Vec<TaskId> = before.parents(task).collect();
        let news = after.parents(task).find(|parent| !known.contains(parent));
        let news = news.filter(|_| !is_below[task.index()])?;
        let (task, by) = (before.task_name(task), before.task_name(by));
        let new = after.task_name(news);
        Some(format!(
            "`{task}` would have to wait for the new `{new}`, but does not wait for `{by}` and may have run; \
             add `needs: {by}` to it"
        ))
    });
    let late: Vec<String> = late.take(10).collect();
    if late.is_empty() { Ok(()) } else { Err(late) }
}

/// Two growths may bring a fan-out the same values.
fn refuse_twins(before: &Workflow, after: &Workflow) -> Result<(), Vec<String>> {
    let first_new = before.n_tasks();
    let new = after.tasks().skip(first_new);
    let new: BTreeMap<String, TaskId> = new.map(|task| (after.task_name(task), task)).collect();
    let is_grown = |t: &Template| t.grown_by.is_some();
    let old = after.templates.iter().enumerate().filter(|(_, template)| is_grown(template));
    let old = old.flat_map(|(id, _)| after.tasks_of(crate::id::TemplateId::from_index(id)));
    let old = old.take_while(|task| task.index() < first_new);
    let twins: Vec<String> = old
        .map(|task| after.task_name(task))
        .filter(|name| new.contains_key(name))
        .map(|name| format!("there is a task `{name}` already"))
        .take(10)
        .collect();
    if twins.is_empty() { Ok(()) } else { Err(twins) }
}

/// Mistakes as sentences, with the line of those in the emitted text.
fn tell(diagnostics: &[Diagnostic], emitted: &str) -> Vec<String> {
    let source = Source::new("", emitted);
    let tell = |diagnostic: &Diagnostic| {
        debug_assert_eq!(diagnostic.severity, Severity::Error);
        let help = diagnostic.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        let place = if diagnostic.source == EMITTED {
            format!("line {}: ", source.position(diagnostic.span.start).line)
        } else {
            String::new()
        };
        format!("{place}{}{help}", diagnostic.message)
    };
    diagnostics.iter().map(tell).collect()
}
