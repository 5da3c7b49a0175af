//! The report as plain text: for a terminal, a log or a mail.
//!
//! Knows the width to fill and whether colours are wanted; whoever prints decides both. Reads
//! well without colour: shapes and words carry the meaning.

use std::fmt::Write;

use spec::{Timestamp, Workflow};

use crate::critical_path::{Release, Step, Stretch};
use crate::printable::{clipped, printable};
use crate::quantity::{Seconds, count, percent, plural};
use crate::summary::{Counts, Summary};
use crate::timeline::Timeline;

mod gantt;
mod style;
mod table;

pub use style::Style;
use table::Table;

const STEPS_SHOWN: usize = 12;
const ROWS_SHOWN: usize = 10;

/// The whole report.
#[must_use]
pub fn render(summary: &Summary, timeline: &Timeline, workflow: &Workflow, style: Style) -> String {
    let mut page = Page { text: String::new(), style };
    page.headline(summary);
    page.key_figures(summary);
    page.failures(summary);
    page.retries(summary);
    page.critical_path(summary, workflow);
    page.slots(timeline, workflow);
    page.templates(summary);
    page.memory(summary);
    page.text
}

struct Page {
    text: String,
    style: Style,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn heading(&mut self, title: &str) {
        let title = self.style.bold(title);
        self.line("");
        self.line(&title);
    }

    fn fact(&mut self, name: &str, value: &str) {
        let name = self.style.faint(&format!("{name:<11}"));
        self.line(&format!("{name} {value}"));
    }

    fn table(&mut self, table: &Table) {
        for line in table.lines(self.style) {
            self.line(&line);
        }
    }

    fn more(&mut self, n_all: usize, n_shown: usize) {
        if n_all > n_shown {
            let more = self.style.faint(&format!("… and {} more", count(n_all - n_shown)));
            self.line(&format!("  {more}"));
        }
    }

    fn headline(&mut self, s: &Summary) {
        let outcome = match s.outcome {
            "succeeded" => self.style.good(s.outcome),
            "failed" | "stalled" => self.style.bad(s.outcome),
            other => self.style.bold(other),
        };
        let name = self.style.bold(&printable(&s.workflow));
        let run = s.run.as_deref().map(|run| format!(" ({})", printable(run))).unwrap_or_default();
        self.line(&format!("{name}{run}: {outcome} in {}", s.makespan_seconds));
        self.line("");
    }

    fn key_figures(&mut self, s: &Summary) {
        self.fact("Tasks", &tasks_line(&s.tasks));
        self.fact("Started", &s.started_at.to_string());
        self.fact("Makespan", &makespan_line(s));
        self.fact("Work", &work_line(s));
        if s.work.n_lost_attempts > 0 {
            let n = plural(s.work.n_lost_attempts, "attempt", "attempts");
            self.fact("Lost work", &format!("{} in {n}", s.work.lost_core_seconds));
        }
        if let Some(peak) = s.memory_peaks.first() {
            let name = clipped(&peak.task.name, 40);
            self.fact(
                "Memory",
                &format!("at most {} in one task ({name})", peak.memory_peak_bytes),
            );
        }
        if let (Some(received), Some(sent)) = (s.network.received_bytes, s.network.sent_bytes) {
            let line = format!("{received} in, {sent} out, whole machine; per task unknown");
            self.fact("Network", &line);
        }
        if let Some(cost) = &s.cost {
            let zones: Vec<String> = cost
                .zones
                .iter()
                .map(|z| format!("{} {:.2}", printable(&z.zone), z.cost))
                .collect();
            self.fact("Cost", &format!("{:.2} ({})", cost.total, zones.join(", ")));
        }
        if s.reuse.changed > 0 {
            let n = plural(s.reuse.changed, "earlier result", "earlier results");
            self.fact("Changed", &format!("{n} no longer stood"));
        }
        for left_out in s.left_out.iter().take(ROWS_SHOWN) {
            let (name, why) = (clipped(&left_out.template, 40), printable(&left_out.why));
            self.fact("Left out", &format!("{name}, as {why}"));
        }
        self.more(s.left_out.len(), ROWS_SHOWN);
        for around in s.surroundings.iter().take(ROWS_SHOWN) {
            self.fact("Ran in", &format!("{}: {}", clipped(&around.template, 40), around.text()));
        }
        self.more(s.surroundings.len(), ROWS_SHOWN);
        for resume in &s.resumes {
            self.fact("Resumed", &format!("{}, after {}", resume.at, resume.gap_seconds));
        }
    }

    fn failures(&mut self, s: &Summary) {
        if s.failures.is_empty() {
            return;
        }
        self.heading("Failures");
        for failure in s.failures.iter().take(ROWS_SHOWN) {
            let name = self.style.bad(&printable(&failure.task.name));
            let attempts = plural(failure.attempts as usize, "attempt", "attempts");
            let mut line = format!("  {name}: {} ({attempts}", printable(&failure.cause));
            if failure.n_skipped > 0 {
                let skipped = plural(failure.n_skipped, "task", "tasks");
                let _ = write!(line, "; {skipped} could not run");
            }
            self.line(&(line + ")"));
            for error in &failure.error_lines {
                let error = self.style.faint(&clipped(error, self.style.width.saturating_sub(6)));
                self.line(&format!("    | {error}"));
            }
        }
        self.more(s.n_failures, ROWS_SHOWN);
    }

    fn retries(&mut self, s: &Summary) {
        if s.retries.is_empty() {
            return;
        }
        self.heading("Tried again");
        let mut table = Table::new(&["task", "attempt", "ended", "why", "lost"]);
        for retry in s.retries.iter().take(ROWS_SHOWN) {
            table.row([
                retry.task.name.clone(),
                retry.attempt.to_string(),
                retry.kind.replace('_', " "),
                retry.cause.clone(),
                retry.lost_core_seconds.to_string(),
            ]);
        }
        self.table(&table);
        self.more(s.n_retries, ROWS_SHOWN);
    }

    fn critical_path(&mut self, s: &Summary, workflow: &Workflow) {
        let path = &s.critical_path;
        if path.steps.is_empty() {
            return;
        }
        self.heading("Critical path");
        let bar = gantt::path_bar(&path.chain, s.started_at.0, s.makespan_seconds.0, self.style);
        self.line(&format!("  {bar}"));
        let legend = path_legend(s);
        self.line(&format!("  {legend}"));
        let rows = path_rows(s, workflow);
        let hidden = rows.len().saturating_sub(STEPS_SHOWN);
        if hidden > 0 {
            let skipped = self.style.faint(&format!("… {} before these", count(hidden)));
            self.line(&format!("  {skipped}"));
        }
        let mut table = Table::new(&["at", "task", "ran", "waited", "after"]);
        for row in rows.into_iter().skip(hidden) {
            table.row([
                format!("+{}", row.since),
                row.name,
                row.ran.map_or("reused".to_owned(), |ran| ran.to_string()),
                row.waited.to_string(),
                row.after,
            ]);
        }
        self.table(&table);
    }

    fn slots(&mut self, timeline: &Timeline, workflow: &Workflow) {
        let rows = gantt::rows(timeline, workflow, self.style);
        if rows.is_empty() {
            return;
        }
        self.heading("Slots");
        for row in rows {
            self.line(&row);
        }
    }

    fn templates(&mut self, s: &Summary) {
        if s.templates.is_empty() {
            return;
        }
        self.heading("Slowest templates");
        let mut table =
            Table::new(&["template", "n", "total", "median", "95 %", "longest", "memory"]);
        for row in s.templates.iter().take(ROWS_SHOWN) {
            table.row([
                row.name.clone(),
                count(row.n),
                row.total_seconds.to_string(),
                row.median_seconds.to_string(),
                row.p95_seconds.to_string(),
                row.max_seconds.to_string(),
                row.memory_peak_bytes.map_or_else(String::new, |bytes| bytes.to_string()),
            ]);
        }
        self.table(&table);
        self.more(s.templates.len(), ROWS_SHOWN);
    }

    fn memory(&mut self, s: &Summary) {
        if s.memory_peaks.len() < 2 {
            return;
        }
        self.heading("Most memory");
        let mut table = Table::new(&["task", "peak", "asked"]);
        for row in s.memory_peaks.iter().take(ROWS_SHOWN / 2) {
            let asked = row.memory_asked_bytes;
            table.row([
                attempt_name(&row.task.name, Some(row.attempt)),
                row.memory_peak_bytes.to_string(),
                if asked.0 > 0 { asked.to_string() } else { "none".to_owned() },
            ]);
        }
        self.table(&table);
    }
}

/// `118 done (14 reused), 2 failed, 3 skipped`; of a run that is not over, also what is left.
pub(crate) fn tasks_line(tasks: &Counts) -> String {
    let mut line = format!("{} of {} done", count(tasks.published), count(tasks.selected));
    if tasks.reused > 0 {
        let _ = write!(line, " ({} reused)", count(tasks.reused));
    }
    let waiting = tasks.waiting + tasks.checking + tasks.ready + tasks.held + tasks.granted;
    let others = [
        (tasks.failed, "failed"),
        (tasks.skipped, "skipped"),
        (tasks.running, "running"),
        (tasks.publishing, "publishing"),
        (waiting, "waiting"),
    ];
    for (n, word) in others.into_iter().filter(|&(n, _)| n > 0) {
        let _ = write!(line, ", {} {word}", count(n));
    }
    line
}

fn makespan_line(s: &Summary) -> String {
    let bound = &s.lower_bound;
    if bound.seconds.0 == spec::Duration::ZERO {
        return s.makespan_seconds.to_string();
    }
    let ratio = s.makespan_seconds.0.as_secs_f64() / bound.seconds.0.as_secs_f64();
    let by = if bound.longest_path_seconds >= bound.work_seconds {
        "its longest path"
    } else {
        "its work on these cpus"
    };
    format!(
        "{}, {ratio:.2} times the least possible {} (by {by})",
        s.makespan_seconds, bound.seconds
    )
}

fn work_line(s: &Summary) -> String {
    let mut line = s.work.total_core_seconds.to_string();
    if let Some(utilisation) = s.work.utilisation {
        let cpus = s.lower_bound.cpus;
        let _ = write!(line, ", {} of {cpus} cpus", percent(utilisation));
    }
    if s.work.cpu_seconds.0 > spec::Duration::ZERO {
        let _ = write!(line, ", {} cpu time", s.work.cpu_seconds);
    }
    line
}

/// The makespan as a sum of running time and waits.
pub(crate) fn path_legend(s: &Summary) -> String {
    let (path, waits) = (&s.critical_path, &s.critical_path.waits);
    let mut parts = vec![format!("{} running", path.running_seconds)];
    let kinds = [
        (waits.publish_seconds, "publishing"),
        (waits.retry_pause_seconds, "pausing before retries"),
        (waits.interrupted_seconds, "interrupted"),
        (waits.overhead_seconds, "overhead"),
    ];
    parts.extend(
        kinds.iter().filter(|(span, _)| span.0.0 > 0).map(|(span, word)| format!("{span} {word}")),
    );
    format!("{} = {}", s.makespan_seconds, parts.join(" + "))
}

/// `align[a]`, and `align[a] (try 2)` from the second try on.
pub(crate) fn attempt_name(task: &str, attempt: Option<u32>) -> String {
    match attempt {
        Some(n) if n > 1 => format!("{task} (try {n})"),
        Some(_) | None => task.to_owned(),
    }
}

/// A row of the critical path, as people see it.
pub(crate) struct PathRow {
    pub(crate) since: Seconds,
    pub(crate) name: String,
    /// None for a reused result.
    pub(crate) ran: Option<Seconds>,
    pub(crate) waited: Seconds,
    pub(crate) after: String,
}

/// Each step, or, when there are more than a page of them, each stretch.
pub(crate) fn path_rows(s: &Summary, workflow: &Workflow) -> Vec<PathRow> {
    const SINGLY_MAX: usize = 40;
    let chain = &s.critical_path.chain;
    let row = |first: &Step, name, ran, waited| PathRow {
        since: Seconds(first.started_at.since(s.started_at.0)),
        name,
        ran,
        waited: Seconds(waited),
        after: release_words(workflow, first),
    };
    let name_of = |step: &Step| attempt_name(&workflow.task_name(step.task), step.attempt);
    let ran = |step: &Step| step.attempt.map(|_| Seconds(step.ended_at.since(step.started_at)));
    if chain.steps.len() <= SINGLY_MAX {
        let single = |step| row(step, name_of(step), ran(step), step.waits.total());
        return chain.steps.iter().map(single).collect();
    }
    let folded = |stretch: &Stretch<'_>| match stretch.n {
        1 => row(stretch.first, name_of(stretch.first), ran(stretch.first), stretch.waited),
        n => {
            let template = &workflow.template(stretch.first.task).name;
            let name = format!("{template}, {} one after another", count(n));
            row(stretch.first, name, Some(Seconds(stretch.running)), stretch.waited)
        }
    };
    chain.stretches(workflow).iter().map(folded).collect()
}

/// What released a step, for people.
pub(crate) fn release_words(workflow: &Workflow, step: &Step) -> String {
    match step.release {
        Release::RunStart => "the start".to_owned(),
        Release::Dependency(parent) => format!("needs {}", workflow.task_name(parent)),
        Release::Slot(neighbour) => format!("slot of {}", workflow.task_name(neighbour)),
        Release::Retry => "its try before".to_owned(),
    }
}

/// The share of a span that lies before a time, from 0 to 1.
pub(crate) fn share(at: Timestamp, start: Timestamp, span: spec::Duration) -> f64 {
    if span.0 == 0 { 0.0 } else { (at.since(start).0 as f64 / span.0 as f64).min(1.0) }
}
