//! `inputs` and `outputs`: slots with names, paths with placeholders, gathers.

use std::ops::Range;

use super::Reader;
use crate::command::TextTemplate;
use crate::command::placeholder::{self, Scope};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Node;
use crate::source::scalar::Scalar;
use crate::template::Slot;

/// One entry of `inputs` or `outputs` while the file is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SlotDraft {
    pub(super) name: Option<String>,
    pub(super) parts: Vec<Part>,
}

/// What a slot is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) what: What,
    /// In bytes.
    pub(super) span: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// A path, one for each task.
    Path(TextTemplate),
    /// All outputs of the named task or tasks.
    OutputsOf(String),
}

impl SlotDraft {
    /// The paths that it names itself.
    pub(super) fn paths(&self) -> impl Iterator<Item = &TextTemplate> {
        self.parts.iter().filter_map(|part| match &part.what {
            What::Path(path) => Some(path),
            What::OutputsOf(_) => None,
        })
    }

    /// The slot as the Workflow Graph keeps it.
    pub(super) fn slot(&self) -> Slot {
        let path = match &self.parts[..] {
            [Part { what: What::Path(path), .. }] => path.clone(),
            _ => TextTemplate::default(),
        };
        Slot { name: self.name.clone(), path }
    }
}

/// Which of the two fields is read; only inputs can gather.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Inputs,
    Outputs,
}

impl Side {
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
        }
    }
}

impl Reader<'_, '_> {
    /// The slots of a field. Those with mistakes keep their place, without parts.
    pub(super) fn slots(
        &self,
        node: &Node<'_>,
        side: Side,
        variables: &[String],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<SlotDraft> {
        let mut slot = |name: Option<String>, node: &Node<'_>| SlotDraft {
            name,
            parts: self.parts(node, side, variables, diagnostics),
        };
        let slots: Vec<SlotDraft> = match (node.list(), node.map()) {
            (Some(items), _) => items.iter().map(|item| slot(None, item)).collect(),
            (_, Some(_))
                if node.get("outputs_of").is_some() || node.braces_without_quotes().is_some() =>
            {
                vec![slot(None, node)]
            }
            (_, Some(entries)) => entries
                .iter()
                .map(|(key, value)| slot(key.text().map(str::to_owned), value))
                .collect(),
            (None, None) => vec![slot(None, node)],
        };
        let named = node.map().filter(|_| node.braces_without_quotes().is_none());
        for (key, _) in named.unwrap_or_default() {
            let name = key.text().unwrap_or_default();
            if !is_slot_name(name) {
                let message = format!("`{}` cannot name a file", name.escape_debug());
                let mistake = Diagnostic::error(Code::Name, key.span()).message(message);
                diagnostics.push(mistake.help("use letters, digits, `_` and `-`"));
            }
        }
        if slots.len() > usize::from(u16::MAX) {
            let message = format!("`{}` has {} entries; at most 65535", side.field(), slots.len());
            diagnostics.push(Diagnostic::error(Code::Limit, node.span()).message(message));
        }
        slots
    }

    fn parts(
        &self,
        node: &Node<'_>,
        side: Side,
        variables: &[String],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<Part> {
        let is_path = node.text().is_some() || node.braces_without_quotes().is_some();
        if side == Side::Outputs && !is_path {
            let message = format!("an output must be a path, not {}", node.what());
            let mistake = Diagnostic::error(Code::Value, node.span()).message(message);
            diagnostics.push(mistake.help("for a whole folder end the path with `/`"));
            return Vec::new();
        }
        if let Some(items) = node.list() {
            let parts = items.iter().map(|item| self.part(item, side, variables, diagnostics));
            return parts.flatten().collect();
        }
        self.part(node, side, variables, diagnostics).into_iter().collect()
    }

    pub(super) fn part(
        &self,
        node: &Node<'_>,
        side: Side,
        variables: &[String],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Part> {
        let span = node.span();
        if let Some(entries) = node.map()
            && node.braces_without_quotes().is_none()
        {
            return match (node.get("outputs_of").and_then(Node::text), entries.len()) {
                (Some(task), 1) => Some(Part { what: What::OutputsOf(task.to_owned()), span }),
                _ => {
                    let mistake = Diagnostic::error(Code::Value, span);
                    let mistake =
                        mistake.message("an input must be a path or `{outputs_of: TASK}`");
                    let help = "name inputs at the top: `inputs: {reads: a.fq, index: a.idx}`";
                    diagnostics.push(mistake.help(help));
                    None
                }
            };
        }
        match Scalar::of(node, side.field()) {
            Ok(scalar) => {
                let scope = Scope { params: self.params, variables, slots: None };
                let parse = |text: &str| placeholder::parse(text, &scope);
                let path = self.template(&scalar, parse, diagnostics)?;
                Some(Part { what: What::Path(path), span })
            }
            Err(mistake) => {
                diagnostics.push(mistake);
                None
            }
        }
    }
}

fn is_slot_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}
