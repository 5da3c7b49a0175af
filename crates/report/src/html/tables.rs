//! What went wrong, what took long, what was large; and every task.

use engine::task_state::TaskState;
use spec::{TaskId, Workflow};

use super::table::{Cell, Head, draw};
use crate::markup::Markup;
use crate::quantity::{Seconds, count, plural};
use crate::summary::Summary;
use crate::text::{attempt_name, path_legend, path_rows};
use crate::timeline::{Timeline, Why};

/// More tasks than this are not listed one by one.
const TASKS_MAX: usize = 2_000;
const FAILURES_MAX: usize = 50;
const RETRIES_MAX: usize = 200;
const STEPS_MAX: usize = 200;

fn open(title: &'static str, out: &mut Markup) {
    out.raw("<section>\n<h2>").raw(title).raw("</h2>\n");
}

fn more(n_all: usize, n_shown: usize, out: &mut Markup) {
    if n_all > n_shown {
        out.raw("<p class=\"sub\">and ").text(&count(n_all - n_shown)).raw(" more</p>\n");
    }
}

pub(super) fn failures(s: &Summary, out: &mut Markup) {
    if s.failures.is_empty() {
        return;
    }
    open("Failures", out);
    for failure in s.failures.iter().take(FAILURES_MAX) {
        out.raw("<div class=\"fail\"><b>")
            .text(&failure.task.name)
            .raw("</b> ")
            .text(&failure.cause);
        let attempts = plural(failure.attempts as usize, "attempt", "attempts");
        out.raw("<span class=\"sub\"> · ").text(&attempts).raw(", the last ran ");
        out.text(&failure.ran_seconds.to_string());
        if failure.n_skipped > 0 {
            out.raw(" · ").text(&plural(failure.n_skipped, "task", "tasks")).raw(" could not run");
        }
        out.raw("</span>");
        if !failure.error_lines.is_empty() {
            out.raw("<pre>");
            for line in &failure.error_lines {
                out.text(line).raw("\n");
            }
            out.raw("</pre>");
        }
        out.raw("</div>\n");
    }
    more(s.n_failures, FAILURES_MAX, out);
    out.raw("</section>\n");
}

pub(super) fn left_out(s: &Summary, out: &mut Markup) {
    if s.left_out.is_empty() {
        return;
    }
    open("Left out", out);
    for left_out in s.left_out.iter().take(FAILURES_MAX) {
        out.raw("<div><b>").text(&left_out.template).raw("</b> <span class=\"sub\">");
        out.text(&left_out.why).raw("</span></div>\n");
    }
    more(s.left_out.len(), FAILURES_MAX, out);
    out.raw("</section>\n");
}

pub(super) fn surroundings(s: &Summary, out: &mut Markup) {
    if s.surroundings.is_empty() {
        return;
    }
    open("What commands ran in", out);
    for around in s.surroundings.iter().take(FAILURES_MAX) {
        out.raw("<div><b>").text(&around.template).raw("</b> <span class=\"sub\">");
        out.text(&around.text()).raw("</span></div>\n");
    }
    more(s.surroundings.len(), FAILURES_MAX, out);
    out.raw("</section>\n");
}

pub(super) fn critical_path(s: &Summary, workflow: &Workflow, out: &mut Markup) {
    let mut steps = path_rows(s, workflow);
    if steps.is_empty() {
        return;
    }
    open("Critical path", out);
    out.raw("<p class=\"sub\">The chain of tasks and waits that made the run as long as it was: ");
    out.text(&path_legend(s)).raw(".</p>\n");
    let hidden = steps.len().saturating_sub(STEPS_MAX);
    let rows: Vec<Vec<Cell>> = steps
        .drain(hidden..)
        .map(|step| {
            let ran = step.ran.unwrap_or_default();
            vec![
                Cell::Figure(format!("+{}", step.since), step.since.0.as_secs_f64()),
                Cell::Name(step.name),
                Cell::span(ran),
                Cell::Bar(ran.0.as_secs_f64() / s.makespan_seconds.0.as_secs_f64().max(1e-9)),
                Cell::span(step.waited),
                Cell::Words(step.after),
            ]
        })
        .collect();
    let heads = [
        Head::Figure("Started"),
        Head::Text("Task"),
        Head::Figure("Ran"),
        Head::Text("Share of the makespan"),
        Head::Figure("Waited"),
        Head::Text("After"),
    ];
    draw(&heads, &rows, out);
    if hidden > 0 {
        out.raw("<p class=\"sub\">The ")
            .text(&count(hidden))
            .raw(" before these are not shown.</p>\n");
    }
    out.raw("</section>\n");
}

pub(super) fn retries(s: &Summary, out: &mut Markup) {
    if s.retries.is_empty() {
        return;
    }
    open("Tried again", out);
    out.raw("<p class=\"sub\">A failure uses one of a task's retries, running out of memory one of its oom_retries; an attempt lost with its place uses none.</p>\n");
    let rows: Vec<Vec<Cell>> = s
        .retries
        .iter()
        .take(RETRIES_MAX)
        .map(|retry| {
            let since = Seconds(retry.at.0.since(s.started_at.0));
            vec![
                Cell::Figure(format!("+{since}"), since.0.as_secs_f64()),
                Cell::Name(retry.task.name.clone()),
                Cell::count(retry.attempt as usize),
                Cell::Chip(retry.kind),
                Cell::Words(retry.cause.clone()),
                Cell::Figure(retry.lost_core_seconds.to_string(), retry.lost_core_seconds.as_f64()),
            ]
        })
        .collect();
    let heads = [
        Head::Figure("Ended"),
        Head::Text("Task"),
        Head::Figure("Attempt"),
        Head::Text("How"),
        Head::Text("Why"),
        Head::Figure("Lost work"),
    ];
    draw(&heads, &rows, out);
    more(s.n_retries, RETRIES_MAX.min(s.retries.len()), out);
    out.raw("</section>\n");
}

pub(super) fn templates(s: &Summary, out: &mut Markup) {
    const ROWS: usize = 50;
    let Some(first) = s.templates.first() else { return };
    open("Slowest templates", out);
    let largest = first.total_seconds.0.as_secs_f64().max(1e-9);
    let rows: Vec<Vec<Cell>> = s
        .templates
        .iter()
        .take(ROWS)
        .map(|row| {
            vec![
                Cell::Name(row.name.clone()),
                Cell::count(row.n),
                Cell::span(row.total_seconds),
                Cell::Bar(row.total_seconds.0.as_secs_f64() / largest),
                Cell::span(row.median_seconds),
                Cell::span(row.p95_seconds),
                Cell::span(row.max_seconds),
                Cell::size(row.memory_peak_bytes),
            ]
        })
        .collect();
    let heads = [
        Head::Text("Template"),
        Head::Figure("Runs"),
        Head::Figure("Total"),
        Head::Text(""),
        Head::Figure("Median"),
        Head::Figure("95 %"),
        Head::Figure("Longest"),
        Head::Figure("Most memory"),
    ];
    draw(&heads, &rows, out);
    more(s.templates.len(), ROWS, out);
    out.raw("</section>\n");
}

pub(super) fn memory(s: &Summary, out: &mut Markup) {
    const ROWS: usize = 10;
    let Some(first) = s.memory_peaks.first() else { return };
    open("Peak memory", out);
    let largest = first.memory_peak_bytes.0 as f64;
    let rows: Vec<Vec<Cell>> = s
        .memory_peaks
        .iter()
        .take(ROWS)
        .map(|row| {
            let asked = (row.memory_asked_bytes.0 > 0).then_some(row.memory_asked_bytes);
            vec![
                Cell::Name(attempt_name(&row.task.name, Some(row.attempt))),
                Cell::size(Some(row.memory_peak_bytes)),
                Cell::Bar(row.memory_peak_bytes.0 as f64 / largest),
                Cell::size(asked),
            ]
        })
        .collect();
    let heads =
        [Head::Text("Task"), Head::Figure("Peak"), Head::Text(""), Head::Figure("Asked for")];
    draw(&heads, &rows, out);
    out.raw("</section>\n");
}

pub(super) fn tasks(s: &Summary, timeline: &Timeline, workflow: &Workflow, out: &mut Markup) {
    if s.tasks.selected > TASKS_MAX {
        return;
    }
    let is_wanted = |task: &TaskId| timeline.state().task(*task).state != TaskState::Excluded;
    let rows: Vec<Vec<Cell>> = workflow
        .tasks()
        .filter(is_wanted)
        .map(|task| task_row(s, timeline, workflow, task))
        .collect();
    out.raw("<section>\n<details");
    if rows.len() <= 100 {
        out.raw(" open");
    }
    out.raw("><summary>All tasks (").text(&count(rows.len())).raw(")</summary>\n");
    let heads = [
        Head::Text("Task"),
        Head::Text("State"),
        Head::Text("Why it ran"),
        Head::Figure("Attempts"),
        Head::Figure("Started"),
        Head::Figure("Ran"),
        Head::Figure("Cpu time"),
        Head::Figure("Memory"),
        Head::Text("Slot"),
    ];
    draw(&heads, &rows, out);
    out.raw("</details>\n</section>\n");
}

fn task_row(s: &Summary, timeline: &Timeline, workflow: &Workflow, task: TaskId) -> Vec<Cell> {
    let last = timeline.attempts_of(task).find(|attempt| attempt.started_at.is_some());
    let why = timeline.why(task);
    let since = last.and_then(|a| a.started_at).map(|at| Seconds(at.since(s.started_at.0)));
    let blank = || Cell::Figure(String::new(), -1.0);
    let slot = last.and_then(|a| Some(format!("{}.{}", a.allocation, a.slot?)));
    vec![
        Cell::Name(workflow.task_name(task)),
        Cell::Chip(state_word(timeline.state().task(task).state, why)),
        Cell::Words(why_words(why)),
        Cell::count(timeline.state().task(task).attempts as usize),
        since.map_or_else(blank, |since| Cell::Figure(format!("+{since}"), since.0.as_secs_f64())),
        last.map_or_else(blank, |a| Cell::span(Seconds(timeline.elapsed(a)))),
        last.and_then(|a| a.cpu).map_or_else(blank, |cpu| Cell::span(Seconds(cpu))),
        Cell::size(last.and_then(|a| a.memory_peak)),
        Cell::Words(slot.unwrap_or_default()),
    ]
}

fn why_words(why: Why<'_>) -> String {
    match why {
        Why::New => "new".to_owned(),
        Why::Changed(what) => what.to_owned(),
        Why::Reused(run) => format!("did not: result of {run} still stands"),
        Why::Unchecked => String::new(),
    }
}

fn state_word(state: TaskState, why: Why<'_>) -> &'static str {
    match state {
        TaskState::Published if matches!(why, Why::Reused(_)) => "reused",
        TaskState::Published => "done",
        TaskState::Failed => "failed",
        TaskState::Skipped => "skipped",
        TaskState::Leased => "running",
        TaskState::Committed | TaskState::Publishing => "publishing",
        TaskState::Held => "pausing",
        TaskState::Excluded => "excluded",
        TaskState::Waiting | TaskState::Checking | TaskState::Ready => "waiting",
    }
}
