//! A Gantt chart and a critical path out of characters.

use spec::{Duration, Timestamp, Workflow};

use super::{Style, share};
use crate::critical_path::CriticalPath;
use crate::lanes::{Lane, lanes};
use crate::printable::clipped;
use crate::quantity::{Seconds, count};
use crate::templates;
use crate::timeline::{Attempt, Timeline};

const LANES_SHOWN: usize = 32;
const LABEL: usize = 8;
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// One row per slot: each column shows the template that held the slot longest in it.
pub(super) fn rows(timeline: &Timeline, workflow: &Workflow, style: Style) -> Vec<String> {
    let (start, end) = (timeline.run().started_at, timeline.ended_at());
    let columns = style.width.saturating_sub(LABEL + 3).clamp(10, 160);
    let lanes = lanes(timeline);
    if lanes.is_empty() || end <= start {
        return Vec::new();
    }
    let scale = Scale { start, span: end.since(start), columns };
    let letters = Letters::of(timeline, workflow);
    let mut rows: Vec<String> = Vec::new();
    for lane in lanes.iter().take(LANES_SHOWN) {
        let cells = scale.cells(timeline, lane, &letters, workflow);
        let cells: String = cells.into_iter().map(|cell| cell.paint(style)).collect();
        rows.push(format!("  {:<LABEL$}{cells}", lane.name()));
    }
    if lanes.len() > LANES_SHOWN {
        rows.push(format!("  … and {} more slots", count(lanes.len() - LANES_SHOWN)));
    }
    let end_label = Seconds(scale.span).to_string();
    rows.push(style.faint(&format!("  {:<LABEL$}0{end_label:>w$}", "", w = columns - 1)));
    let legend = clipped(&letters.legend(workflow), style.width.saturating_sub(LABEL + 2));
    rows.push(style.faint(&format!("  {:<LABEL$}{legend}", "")));
    rows
}

/// The critical path as one bar: `█` runs, `░` waits.
pub(super) fn path_bar(
    path: &CriticalPath,
    start: Timestamp,
    span: Duration,
    style: Style,
) -> String {
    let columns = style.width.saturating_sub(4).clamp(10, 160);
    let mut bar = vec!['░'; columns];
    for step in &path.steps {
        let from = share(step.started_at, start, span) * columns as f64;
        let to = share(step.ended_at, start, span) * columns as f64;
        for cell in bar.iter_mut().take(to.round() as usize).skip(from.round() as usize) {
            *cell = '█';
        }
    }
    bar.into_iter().collect()
}

#[derive(Clone, Copy)]
struct Cell {
    letter: char,
    is_lost: bool,
}

impl Cell {
    fn paint(self, style: Style) -> String {
        if self.is_lost { style.bad("x") } else { self.letter.to_string() }
    }
}

struct Scale {
    start: Timestamp,
    span: Duration,
    columns: usize,
}

impl Scale {
    fn cells(
        &self,
        timeline: &Timeline,
        lane: &Lane,
        letters: &Letters,
        workflow: &Workflow,
    ) -> Vec<Cell> {
        let mut cells = vec![(0.0, Cell { letter: '·', is_lost: false }); self.columns];
        for &position in &lane.attempts {
            let attempt = &timeline.attempts()[position as usize];
            let Some(started) = attempt.started_at else { continue };
            let from = share(started, self.start, self.span) * self.columns as f64;
            let to = share(timeline.end_of(attempt), self.start, self.span) * self.columns as f64;
            let template = workflow.template_of(attempt.id.task());
            let is_lost = attempt.end.is_lost_work();
            let cell = Cell { letter: letters.of_template(template.index()), is_lost };
            let last = (to.ceil() as usize).min(self.columns);
            for (column, kept) in cells.iter_mut().enumerate().take(last).skip(from as usize) {
                let held = to.min(column as f64 + 1.0) - from.max(column as f64);
                if held > kept.0 {
                    *kept = (held, cell);
                }
            }
        }
        cells.into_iter().map(|(_, cell)| cell).collect()
    }
}

/// A letter for each of the templates that took longest; `#` for the others.
struct Letters {
    by_template: Vec<char>,
    order: Vec<usize>,
    has_lost: bool,
}

impl Letters {
    fn of(timeline: &Timeline, workflow: &Workflow) -> Self {
        let order = templates::longest_first(workflow, timeline);
        let is_lost = |a: &Attempt| a.started_at.is_some() && a.end.is_lost_work();
        let has_lost = timeline.attempts().iter().any(is_lost);
        let mut by_template = vec!['#'; workflow.templates().len()];
        for (&template, &letter) in order.iter().zip(LETTERS) {
            by_template[template] = char::from(letter);
        }
        Self { by_template, order, has_lost }
    }

    fn of_template(&self, template: usize) -> char {
        self.by_template[template]
    }

    fn legend(&self, workflow: &Workflow) -> String {
        const NAMED: usize = 8;
        let name = |&template: &usize| {
            format!("{} {}", self.by_template[template], workflow.templates()[template].name)
        };
        let mut parts: Vec<String> = self.order.iter().take(NAMED).map(name).collect();
        if self.order.len() > NAMED {
            parts.push("…".to_owned());
        }
        if self.has_lost {
            parts.push("x lost or failed".to_owned());
        }
        parts.push("· idle".to_owned());
        parts.join("   ")
    }
}
