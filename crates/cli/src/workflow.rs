//! The workflow that a command is about: read, checked, and its mistakes shown.

use std::path::Path;

use runner::load::{self, LoadError, LoadRequest, Loaded};
use spec::diagnostic::{Diagnostic, Sources, nearest};
use spec::wfformat::ReplayOptions;
use spec::{TaskId, Workflow};

use crate::args::WorkflowChoice;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::snippet;

/// What is asked for on the command line.
#[must_use]
pub(crate) fn request(choice: &WorkflowChoice) -> LoadRequest {
    LoadRequest {
        path: choice.file.clone(),
        params: choice.params.iter().cloned().collect(),
        params_file: choice.params_file.clone(),
        replay: ReplayOptions { scale: choice.scale, scale_memory: choice.scale_memory },
    }
}

/// Reads a workflow and shows what is wrong or doubtful in it.
///
/// # Errors
/// It cannot be read, or there are mistakes in it; they have been shown.
pub(crate) fn load(request: &LoadRequest, screen: Screen) -> Result<Loaded, Failure> {
    match load::load(request) {
        Ok(loaded) => {
            snippet::say_all(screen, &loaded.sources, &loaded.warnings);
            Ok(loaded)
        }
        Err(LoadError::Invalid { sources, diagnostics }) => {
            snippet::say_all(screen, &sources, &diagnostics);
            Err(has_mistakes(&sources, &diagnostics))
        }
        Err(LoadError::Unreadable { path, source }) => Err(unreadable(&path, &source)),
    }
}

/// A file with mistakes that have been shown.
#[must_use]
pub(crate) fn has_mistakes(sources: &Sources, diagnostics: &[Diagnostic]) -> Failure {
    let places = || diagnostics.iter().map(|diagnostic| diagnostic.source);
    let tally = snippet::tally(diagnostics);
    match places().next().filter(|&first| places().all(|place| place == first)) {
        Some(only) => Failure::invalid(format!("{} has {tally}", sources.get(only).name)),
        None => Failure::invalid(format!(
            "{} and the files that belong to it have {tally}",
            sources.main().name
        )),
    }
}

/// A file that a person named and that cannot be read.
#[must_use]
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::io("read", path, error);
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::IsADirectory => {
            Failure { code: Code::Invalid, ..failure }
        }
        _ => failure,
    }
}

/// The tasks that a person named: tasks, whole templates, or files that tasks make.
///
/// # Errors
/// A name that is none of these.
pub(crate) fn targets(workflow: &Workflow, names: &[String]) -> Result<Vec<TaskId>, Failure> {
    let mut tasks = Vec::new();
    for name in names {
        let found = tasks_named(workflow, name);
        let found = if found.is_empty() { makers(workflow, name) } else { found };
        let found = if found.is_empty() { sources(workflow, name) } else { found };
        if found.is_empty() {
            return Err(unknown_target(workflow, name));
        }
        tasks.extend(found);
    }
    tasks.sort_unstable();
    tasks.dedup();
    Ok(tasks)
}

/// The task of this name, or all tasks of the template of this name; empty if there is neither.
#[must_use]
pub(crate) fn tasks_named(workflow: &Workflow, name: &str) -> Vec<TaskId> {
    if let Some(task) = workflow.find_task(name) {
        return vec![task];
    }
    let templates = workflow.templates().iter().enumerate();
    let named = templates.filter(|(_, template)| template.name == name);
    named.flat_map(|(i, _)| workflow.tasks_of(spec::TemplateId::from_index(i))).collect()
}

/// Those of the names that are fan-outs whose tasks are still to come.
#[must_use]
pub(crate) fn wanted(workflow: &Workflow, names: &[String]) -> Vec<String> {
    names.iter().filter(|name| workflow.is_awaited(name)).cloned().collect()
}

/// The tasks that have to run before those of a name can come.
fn sources(workflow: &Workflow, name: &str) -> Vec<TaskId> {
    let mut names = vec![name];
    let mut tasks = Vec::new();
    let mut next = 0;
    while let Some(&name) = names.get(next) {
        next += 1;
        let templates = workflow.templates().iter().filter(|template| template.name == name);
        for discovery in templates.filter_map(|template| template.discovers.as_ref()) {
            tasks.extend(tasks_named(workflow, &discovery.from));
            if !names.contains(&discovery.from.as_str()) {
                names.push(&discovery.from);
            }
        }
    }
    tasks
}

fn makers(workflow: &Workflow, path: &str) -> Vec<TaskId> {
    let file = workflow.files().find(path.trim_start_matches("./"));
    file.map(|file| workflow.producers(file).collect()).unwrap_or_default()
}

/// Why a template has no tasks, if there is one of this name that has none.
#[must_use]
pub(crate) fn why_empty(workflow: &Workflow, name: &str) -> Option<String> {
    let named = workflow.templates().iter().find(|template| template.name == name)?;
    if !tasks_named(workflow, name).is_empty() {
        return None;
    }
    if let Some(off) = &named.off {
        return Some(off.clone());
    }
    let source = &named.discovers.as_ref()?.from;
    Some(format!("`{source}` has made no file for it, or not yet"))
}

/// With more names than this, a picture shows them better.
const NAMES_TOLD: usize = 12;

/// No task, template or file has this name, or a template that has no tasks.
#[must_use]
pub(crate) fn unknown_target(workflow: &Workflow, name: &str) -> Failure {
    if let Some(why) = why_empty(workflow, name) {
        return Failure::invalid(format!("`{name}` has no tasks: {why}"));
    }
    let failure = Failure::invalid(format!("`{name}` is no task of {}", workflow.name()));
    let base = name.split('[').next().unwrap_or(name);
    if let Some(why) = why_empty(workflow, base) {
        return failure.hint(format!("`{base}` has no tasks: {why}"));
    }
    // A fan-out whose tasks came in several growths has one template for each.
    let mut names: Vec<&str> = Vec::new();
    for template in workflow.templates() {
        if !names.contains(&template.name.as_str()) {
            names.push(&template.name);
        }
        if names.len() > NAMES_TOLD {
            break;
        }
    }
    let all = workflow.templates().iter().map(|template| template.name.as_str());
    match nearest(base, all) {
        Some(near) if near == base => {
            let task = tasks_named(workflow, near).first().copied();
            let example = task.map(|task| workflow.task_name(task)).unwrap_or_default();
            failure.hint(format!("its tasks are named like `{example}`"))
        }
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None if names.len() <= NAMES_TOLD => failure.hint(format!("there is {}", names.join(", "))),
        None => failure.hint("`foreshard graph` shows all that there are"),
    }
}
