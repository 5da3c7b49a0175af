//! What differs, as text: the summary first, then task by task.

use super::{BothRan, Diff, Effort, Head, Moved, TaskDiff};
use crate::account::fact;
use crate::definition::Change;
use crate::printable::printable;
use crate::quantity::{count, plural};
use crate::text::Style;

/// How many lines of a text, or names, are shown.
const LINES_SHOWN: usize = 12;

/// How many tasks are shown.
const TASKS_SHOWN: usize = 40;

/// How many files of a task are shown.
const FILES_SHOWN: usize = 5;

/// How many tasks are shown that took more or less.
const MOVED_SHOWN: usize = 8;

impl Diff {
    /// As text.
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        let mut text =
            format!("{}\n{}\n", self.before.line("-", style), self.after.line("+", style));
        if self.is_same {
            let n = plural(self.n_common, "task", "tasks");
            text += &format!("no difference: {n} with the same commands, inputs and outputs\n");
        } else {
            text += &self.summary(style);
        }
        text += &self.both_ran.text(style);
        let names = [("+", &self.added, self.n_added), ("-", &self.removed, self.n_removed)];
        for (sign, names, n) in names {
            text += &list(sign, names.iter().map(String::as_str), n, LINES_SHOWN, style);
        }
        for task in self.changed.iter().take(TASKS_SHOWN) {
            text += &task.text(style);
        }
        text + &more(self.n_changed, self.changed.len().min(TASKS_SHOWN), style)
    }

    fn summary(&self, style: Style) -> String {
        let mut text = String::new();
        if self.text.is_reordered {
            text += &fact(style, "workflow", "the same lines in another order");
        } else if !self.text.is_same() {
            let words = format!(
                "{} gone, {} new",
                plural(self.text.n_removed, "line", "lines"),
                count(self.text.n_added)
            );
            text += &fact(style, "workflow", &words);
            for (sign, lines, n) in [
                ("    -", &self.text.removed, self.text.n_removed),
                ("    +", &self.text.added, self.text.n_added),
            ] {
                let lines = lines.iter().map(|line| line.trim_end());
                text += &list(sign, lines, n, LINES_SHOWN, style);
            }
        }
        for change in &self.params {
            text += &fact(style, "parameter", &change.to_string());
        }
        if !self.environment.is_empty() {
            text +=
                &fact(style, "environment", &format!("{} changed", self.environment.join(", ")));
        }
        for change in self.site.iter().take(LINES_SHOWN) {
            text += &fact(style, "site", &change.to_string());
        }
        let tasks = format!(
            "{} in both, of which {} differ; {} new, {} gone",
            plural(self.n_common, "task", "tasks"),
            count(self.n_changed),
            count(self.n_added),
            count(self.n_removed)
        );
        text + &fact(style, "tasks", &tasks)
    }
}

impl Head {
    fn line(&self, sign: &str, style: Style) -> String {
        let run = style.bold(&printable(&self.run));
        let (workflow, outcome) = (printable(&self.workflow), self.outcome);
        format!(
            "{sign} {run} {workflow}: {outcome} in {}, {}",
            self.makespan_seconds, self.started_at
        )
    }
}

impl TaskDiff {
    fn text(&self, style: Style) -> String {
        let mut text = style.bold(&printable(&self.task)) + "\n";
        if self.state.0 != self.state.1 {
            text += &fact(style, "state", &format!("{} -> {}", self.state.0, self.state.1));
        }
        for change in &self.declaration {
            text += &fact(style, "declared", &change.to_string());
        }
        for (name, changes) in [("input", &self.inputs), ("output", &self.outputs)] {
            for change in changes.iter().take(FILES_SHOWN) {
                text += &fact(style, name, &file(change));
            }
            if changes.len() > FILES_SHOWN {
                let n = changes.len() - FILES_SHOWN;
                text += &fact(style, name, &format!("… and {} more", count(n)));
            }
        }
        text
    }
}

fn file(change: &Change) -> String {
    let path = &change.what;
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{path} ({before} -> {after})"),
        (None, _) => format!("{path} is new"),
        (_, None) => format!("{path} is gone"),
    }
}

impl BothRan {
    fn text(&self, style: Style) -> String {
        if self.n == 0 {
            return String::new();
        }
        let n = plural(self.n, "task", "tasks");
        let words = format!(
            "{} -> {} in all, of {n} that ran in both",
            self.before_seconds, self.after_seconds
        );
        let mut text = fact(style, "time", &words);
        for moved in self.moved.iter().take(MOVED_SHOWN) {
            text += &fact(style, "", &moved.words());
        }
        text
    }
}

impl Moved {
    fn words(&self) -> String {
        format!("{}: {} -> {}", self.task, self.before.words(), self.after.words())
    }
}

impl Effort {
    fn words(&self) -> String {
        let mut words = self.ran_seconds.to_string();
        if self.attempts > 1 {
            words += &format!(" on try {}", self.attempts);
        }
        if let Some(memory) = self.memory_peak_bytes {
            words += &format!(" with {memory}");
        }
        words
    }
}

fn list<'a>(
    sign: &str,
    names: impl Iterator<Item = &'a str>,
    n: usize,
    shown_max: usize,
    style: Style,
) -> String {
    let lines = names.take(shown_max).map(|name| format!("{sign} {}\n", printable(name)));
    lines.collect::<String>() + &more(n, n.min(shown_max), style)
}

fn more(n: usize, n_shown: usize, style: Style) -> String {
    if n <= n_shown {
        return String::new();
    }
    style.faint(&format!("  … and {} more", count(n - n_shown))) + "\n"
}
