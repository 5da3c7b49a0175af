//! Mistakes of a document, so many of each kind and no more.
//!
//! A program wrote the document: what is wrong with one task is wrong with all, and a million
//! messages help no one.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic, Severity};

/// How many mistakes of one kind are told one by one.
const SHOWN: usize = 20;

/// A collection of mistakes. They have no place in the text: the message names the task.
#[derive(Default)]
pub(super) struct Mistakes {
    found: Vec<Diagnostic>,
    /// By kind: how many.
    counts: BTreeMap<(&'static str, Severity, Code), usize>,
}

impl Mistakes {
    /// Something that keeps the document from being replayed.
    pub(super) fn error(&mut self, kind: &'static str, code: Code, message: String) {
        self.add(kind, Diagnostic::error(code, 0..0).message(message));
    }

    /// Something that is put right in passing.
    pub(super) fn warning(&mut self, kind: &'static str, code: Code, message: String) {
        self.add(kind, Diagnostic::warning(code, 0..0).message(message));
    }

    fn add(&mut self, kind: &'static str, diagnostic: Diagnostic) {
        let count = self.counts.entry((kind, diagnostic.severity, diagnostic.code)).or_default();
        *count += 1;
        if *count <= SHOWN {
            self.found.push(diagnostic);
        }
    }

    /// All of them, in order, and how many were left out.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        for ((kind, severity, code), count) in self.counts {
            if count > SHOWN {
                let message = format!("{} more times: {kind}", count - SHOWN);
                let rest = Diagnostic { severity, ..Diagnostic::error(code, 0..0) };
                self.found.push(rest.message(message));
            }
        }
        self.found
    }
}
