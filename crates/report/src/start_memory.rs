//! What tasks would be granted of memory: at first, and after running out of it.
//!
//! Knows the terms of a run, not where they come from.

use engine::memory::MemoryTerms;
use serde::Serialize;
use spec::template::Per;
use spec::{Bytes, Template, Workflow};

use crate::printable::printable;
use crate::quantity::plural;

/// The memory of a template's tasks that does not simply stay what the file says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StartMemory {
    /// Its name.
    pub template: String,
    /// What the file says.
    pub asked_bytes: Bytes,
    /// What the first attempt would be granted.
    pub start_bytes: Bytes,
    /// How many earlier attempts say so; 0 if it is what the file says.
    pub learned_from: u32,
    /// What it grows by each time.
    pub grow: f64,
    /// The most it can grow to, if the file says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<Bytes>,
    /// How often.
    pub oom_retries: u16,
}

impl StartMemory {
    /// Of every template whose memory may grow from a guess, or starts with what was learned.
    #[must_use]
    pub fn of(workflow: &Workflow, terms: &MemoryTerms) -> Vec<Self> {
        workflow.templates().iter().filter_map(|template| Self::one(template, terms)).collect()
    }

    fn one(template: &Template, terms: &MemoryTerms) -> Option<Self> {
        let Per::Same(asks) = &template.resources else { return None };
        let learned = terms.learned.get(&template.name);
        if asks.memory.0 == 0 || (learned.is_none() && !template.memory.is_open) {
            return None;
        }
        let start = learned.map_or(asks.memory, |learned| learned.start);
        Some(Self {
            template: template.name.clone(),
            asked_bytes: asks.memory,
            start_bytes: template.memory.granted(start, 0, terms.ceiling(asks, None)),
            learned_from: learned.map_or(0, |learned| learned.attempts),
            grow: template.memory.factor,
            max_bytes: template.memory.max,
            oom_retries: template.memory.retries,
        })
    }

    /// As a line for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}: memory {}", printable(&self.template), self.start_bytes);
        if self.learned_from > 0 {
            let from = plural(self.learned_from as usize, "attempt", "attempts");
            text += &format!(", learned from {from}");
        }
        if self.oom_retries > 0 {
            let times = plural(usize::from(self.oom_retries), "time", "times");
            text += &format!("; grows by {}, at most {times}", self.grow);
            text += &self.max_bytes.map_or_else(String::new, |max| format!(" and to {max}"));
        }
        text + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_where_the_start_comes_from_and_how_far_it_goes() {
        let guess = StartMemory {
            template: "align".to_owned(),
            asked_bytes: Bytes(64 << 20),
            start_bytes: Bytes(64 << 20),
            learned_from: 0,
            grow: 2.0,
            max_bytes: Some(Bytes(1 << 30)),
            oom_retries: 3,
        };
        let line = "align: memory 64 MiB; grows by 2, at most 3 times and to 1 GiB\n";
        assert_eq!(guess.text(), line);
        let learned = StartMemory {
            start_bytes: Bytes(96 << 20),
            learned_from: 12,
            max_bytes: None,
            oom_retries: 0,
            ..guess
        };
        assert_eq!(learned.text(), "align: memory 96 MiB, learned from 12 attempts\n");
    }
}
