//! Mistakes of the graph as mistakes of the file: at the tasks that have part in them.

use crate::assemble::{Culprit, GraphError};
use crate::diagnostic::{Code, Diagnostic, Place};

/// `places` are those of the templates.
pub(super) fn diagnostic(error: &GraphError, places: &[Place]) -> Diagnostic {
    let at = |culprit: &Culprit| places[culprit.template.index()].clone();
    let mistake = |code, Place { source, span }| {
        Diagnostic::error(code, span).in_source(source).message(error.to_string())
    };
    match error {
        GraphError::TwoWriters { first, second, .. } if first.template == second.template => {
            mistake(Code::Collision, at(second)).help("put a variable into the path")
        }
        GraphError::TwoWriters { first, second, .. } => mistake(Code::Collision, at(second))
            .related_at(at(first), "also written here")
            .help("write to different paths"),
        GraphError::ListedTwice { task, .. } => {
            mistake(Code::Collision, at(task)).help("remove one of them")
        }
        GraphError::Covered { inner, outer, .. } => mistake(Code::Collision, at(inner))
            .related_at(at(outer), "taken in here")
            .help("write to a place that no other task declares"),
        GraphError::ReadsOwnOutput { task, .. } => {
            mistake(Code::Cycle, at(task)).help("write to another path than is read")
        }
        GraphError::Cycle { tasks } => {
            let Some((first, others)) = tasks.split_first() else {
                return mistake(Code::Cycle, Place::default());
            };
            let mut diagnostic = mistake(Code::Cycle, at(first));
            // A cycle can have thousands of tasks; a few are enough to find it.
            for other in others.iter().filter(|t| t.template != first.template).take(4) {
                let label = format!("`{}` has part in it", other.name);
                diagnostic = diagnostic.related_at(at(other), label);
            }
            diagnostic.help("remove one of these dependencies")
        }
        GraphError::BadPattern { .. } => mistake(Code::Path, Place::default()),
        GraphError::TooManyEdges { .. } => mistake(Code::Limit, Place::default())
            .help("put one task between that all of these wait for"),
    }
}
