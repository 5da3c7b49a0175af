//! An account as text, for people.

use super::{Account, Blocker, Group, Queue, Try};
use crate::printable::printable;
use crate::quantity::{Moment, plural};
use crate::text::Style;

/// How many blockers are named.
const NAMED_MAX: usize = 8;

/// How many tries are shown: the first and the latest.
const TRIES_MAX: usize = 12;

impl Account {
    /// As text; whoever knows what was run adds to it with [`fact`].
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        let name = style.bold(&printable(&self.task.name));
        // That it succeeded is what people expect; why it ran at all is what they ask.
        let is_plain = self.state == "published";
        let because = self.ran_because.as_ref().filter(|_| is_plain).unwrap_or(&self.because);
        let mut text = format!("{name} {}: {}\n", verb(self.state), printable(because));
        if let Some(why) = self.ran_because.as_ref().filter(|_| !is_plain) {
            text += &fact(style, "why it ran", why);
        }
        if !self.waits_for.is_empty() {
            text += &fact(style, "waits for", &blockers(&self.waits_for));
        }
        if !self.held_up_by.is_empty() {
            text += &fact(style, "held up by", &blockers(&self.held_up_by));
        }
        if let Some(queue) = &self.queue {
            text += &fact(style, "room", &queue.words());
        }
        if let Some(at) = self.retry_at {
            text += &fact(style, "again at", &at.to_string());
        }
        text + &tries(style, &self.tries)
    }
}

/// A line with a name before it.
#[must_use]
pub fn fact(style: Style, name: &str, value: &str) -> String {
    format!("  {} {}\n", style.faint(&format!("{name:<11}")), printable(value))
}

impl Group {
    /// A line for all of them.
    #[must_use]
    pub fn text(&self, style: Style) -> String {
        let n = style.bold(&plural(self.n, "task", "tasks"));
        let names: Vec<&str> = self.tasks.iter().map(|task| task.name.as_str()).collect();
        let more = if self.n > names.len() { ", …" } else { "" };
        let names = style.faint(&format!("({}{more})", printable(&names.join(", "))));
        format!("{n} {}: {} {names}\n", verb(self.state), printable(&self.because))
    }
}

impl Queue {
    fn words(&self) -> String {
        let before = match self.n_before {
            0 => String::new(),
            n => format!("; {} before it", plural(n, "task goes", "tasks go")),
        };
        let Some(zone) = &self.zone else {
            return format!("asks for {}; the plan keeps it back for now", self.asked);
        };
        match (&self.capacity, &self.free) {
            (Some(capacity), Some(free)) => format!(
                "asks for {}; of {capacity} in zone {zone}, {free} are free{before}",
                self.asked
            ),
            _ => format!("asks for {}; zone {zone} has nothing yet{before}", self.asked),
        }
    }
}

/// What a state is to people, after the name of a task.
fn verb(state: &str) -> &str {
    match state {
        "excluded" => "is not wanted",
        "waiting" | "granted" | "ready" => "waits",
        "checking" => "may not have to run",
        "held" => "is tried again",
        "running" => "runs",
        "publishing" => "is about to be done",
        "published" => "ran",
        "reused" => "did not have to run",
        "failed" => "failed",
        "skipped" => "could not run",
        other => other,
    }
}

fn blockers(all: &[Blocker]) -> String {
    let one = |blocker: &Blocker| match blocker.running_seconds {
        Some(seconds) => format!("{} (running for {seconds})", blocker.task.name),
        None => format!("{} ({})", blocker.task.name, blocker.state),
    };
    let mut named: Vec<String> = all.iter().take(NAMED_MAX).map(one).collect();
    if all.len() > NAMED_MAX {
        named.push(format!("and {} more", all.len() - NAMED_MAX));
    }
    named.join(", ")
}

fn tries(style: Style, tries: &[Try]) -> String {
    let hidden = tries.len().saturating_sub(TRIES_MAX);
    let shown = tries.iter().enumerate().filter(|(i, _)| *i == 0 || *i > hidden);
    let mut text = String::new();
    for (i, attempt) in shown {
        if hidden > 0 && i == hidden + 1 {
            text += &fact(style, "", &format!("… {hidden} more"));
        }
        text += &fact(style, &format!("try {}", attempt.attempt), &attempt.words());
    }
    text
}

impl Try {
    fn words(&self) -> String {
        let mut words = self.end.clone();
        if let Some(seconds) = self.ran_seconds {
            words += &format!(" after {seconds}");
        }
        if let Some(Moment(at)) = self.started_at {
            words += &format!(", started {}", Moment(at));
        }
        words += &format!(", in zone {} ({})", self.zone, self.place);
        if let Some(cpu) = self.cpu_seconds {
            words += &format!(", {cpu} of cpu time");
        }
        if let Some(memory) = self.memory_peak_bytes {
            words += &format!(", {memory} of memory");
            if let Some(granted) = self.memory_granted_bytes {
                words += &format!(" ({granted} granted)");
            }
        }
        words
    }
}
