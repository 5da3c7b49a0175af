//! `final`: tasks that run when all others have ended, however that was.
//!
//! They tidy up and tell people, also after a failure: so they depend on nothing that may not have
//! been made, and nothing depends on them.

use super::task::Draft;
use super::{Reader, check_task_name};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::source::Node;
use crate::source::fields::Fields;
use crate::workflow::Workflow;

/// What a task of `final` cannot have.
const REFUSED: [(&str, &str); 3] = [
    ("outputs", "nothing could read them; write to `{project}`"),
    ("emits", "nothing runs after it"),
    ("critical", "its result is of no consequence"),
];

impl<'r, 'a> Reader<'r, 'a> {
    /// Reads the section. `tasks` are the entries of the other one.
    pub(super) fn final_tasks(
        &self,
        fields: &Fields<'r, 'a>,
        tasks: &[(Node<'a>, Node<'a>)],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<Draft> {
        let Some(section) = fields.get("final").filter(|node| !node.is_null()) else {
            return Vec::new();
        };
        let Some(entries) = section.map() else {
            let message =
                format!("`final` must be a map from name to task, not {}", section.what());
            diagnostics.push(Diagnostic::error(Code::Value, section.span()).message(message));
            return Vec::new();
        };
        let mut drafts = Vec::new();
        for (key, node) in entries {
            check_task_name(key, diagnostics);
            if let Some((twin, _)) = tasks.iter().find(|(task, _)| task.text() == key.text()) {
                let name = key.text().unwrap_or_default();
                let message = format!("there is a task `{name}` below `tasks` already");
                let mistake = Diagnostic::error(Code::DuplicateKey, key.span()).message(message);
                diagnostics.push(mistake.related(twin.span(), "this one").help("rename one"));
                continue;
            }
            for (field, help) in REFUSED {
                if let Some(node) = node.get(field) {
                    let message = format!("a final task cannot have `{field}`");
                    let mistake = Diagnostic::error(Code::Value, node.span()).message(message);
                    diagnostics.push(mistake.help(help));
                }
            }
            let Some(mut draft) = self.task(key, node, diagnostics) else { continue };
            if draft.template.discovers.take().is_some() {
                let mistake = Diagnostic::error(Code::Value, key.span());
                let mistake = mistake.message("a final task cannot be made for files of another");
                diagnostics.push(mistake.help("let one task look for them in `{project}`"));
            }
            draft.template.is_final = true;
            // `defaults` may say so of the others.
            draft.template.critical = false;
            drafts.push(draft);
        }
        drafts
    }
}

/// Final tasks that depend on others, and others that depend on final ones.
pub(super) fn mistakes(workflow: &Workflow) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    for task in workflow.final_tasks() {
        let name = workflow.task_name(task);
        let place = workflow.template(task).place();
        if let Some(parent) = workflow.parents(task).find(|&parent| !workflow.is_final(parent)) {
            let parent = workflow.task_name(parent);
            let message = format!("`{name}` cannot depend on `{parent}`, which may fail");
            let help =
                "a final task waits for all others anyway; name files in `run`, below `{project}`";
            mistakes.push(at(place.clone()).message(message).help(help));
        }
        if let Some(child) = workflow.children(task).find(|&child| !workflow.is_final(child)) {
            let place = workflow.template(child).place();
            let child = workflow.task_name(child);
            let message =
                format!("`{child}` cannot wait for `{name}`, which runs after all others");
            mistakes.push(at(place).message(message).help("move one of them"));
        }
    }
    mistakes.dedup();
    mistakes
}

fn at(place: Place) -> Diagnostic {
    Diagnostic::error(Code::Cycle, place.span).in_source(place.source)
}
