//! What tasks would make that a condition leaves out.
//!
//! Knows declared paths only. An input that only such a task would make is not a mistake: the
//! file may be there from elsewhere, and if it is not, people want to be told why nobody makes it.

use crate::assemble::touch;
use crate::command::{Placeholder, Segment, TextTemplate};
use crate::template::{Template, Variable};
use crate::workflow::Workflow;

/// How many rows of a template are compared with a path.
const MAX_ROWS: usize = 100_000;

impl Workflow {
    /// Templates of which no task is made because their `when` does not hold.
    pub fn left_out(&self) -> impl Iterator<Item = (&Template, &str)> {
        self.templates().iter().filter_map(|t| Some((t, t.off.as_deref()?)))
    }

    /// The first template left out that would make (part of) a declared path.
    #[must_use]
    pub fn maker_left_out(&self, path: &str) -> Option<&Template> {
        let mut left_out = self.left_out().map(|(template, _)| template);
        left_out.find(|template| would_make(template, path))
    }
}

fn would_make(template: &Template, path: &str) -> bool {
    let rows = rows(&template.variables).min(MAX_ROWS);
    let is_made = |slot: &TextTemplate| {
        (0..rows).any(|row| touch(&filled(slot, &template.variables, row), path))
    };
    template.outputs.iter().any(|slot| is_made(&slot.path))
}

/// How many there would be: in a matrix the first variable changes slowest.
fn rows(variables: &[Variable]) -> usize {
    variables.first().map_or(1, |first| first.domain.len() * first.repeat as usize)
}

fn filled(path: &TextTemplate, variables: &[Variable], row: usize) -> String {
    let mut text = String::new();
    for segment in &path.0 {
        match segment {
            Segment::Literal(literal) => text.push_str(literal),
            Segment::Placeholder { what: Placeholder::Variable(position), .. } => {
                variables[*position as usize].write(row, &mut text);
            }
            Segment::Placeholder { what: Placeholder::Param(value), .. } => {
                text.push_str(&value.to_string());
            }
            Segment::Placeholder { .. } => {}
        }
    }
    text
}
