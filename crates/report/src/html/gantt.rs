//! The Gantt chart by slot: every attempt up to [`ATTEMPTS_MAX`] of them, else what held each
//! slot longest in each column, so that a file stays small whatever the size of the run.

use std::collections::BTreeSet;

use engine::AttemptId;
use spec::{TaskId, Workflow};

use super::frame::Frame;
use super::palette::Palette;
use crate::lanes::{Lane, lanes};
use crate::markup::Markup;
use crate::quantity::{Seconds, count, plural};
use crate::summary::Summary;
use crate::timeline::{Attempt, End, Timeline};
use crate::work::cpus_of;

/// Above this many attempts, columns are drawn instead of attempts.
pub(super) const ATTEMPTS_MAX: usize = 5_000;

const LANES_MAX: usize = 256;
const CELLS_MAX: usize = 60_000;
const PATH_HEIGHT: f64 = 14.0;
const TOP: f64 = 26.0;

pub(super) fn draw(
    frame: &Frame,
    palette: &Palette,
    summary: &Summary,
    timeline: &Timeline,
    workflow: &Workflow,
    out: &mut Markup,
) {
    let lanes = lanes(timeline);
    let shown = &lanes[..lanes.len().min(LANES_MAX)];
    let chart = Chart { frame, palette, timeline, workflow, row: row_height(shown.len()) };
    let bottom = chart.y(shown, shown.len());
    frame.open("Gantt chart by slot", bottom + 20.0, bottom, out);
    out.raw("<defs><pattern id=\"hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><path class=\"stroke\" d=\"M0 0V5\"/></pattern></defs>\n");
    chart.critical_path(summary, out);
    chart.rails(shown, out);
    let n: usize = shown.iter().map(|lane| lane.attempts.len()).sum();
    let has_attempts = n <= ATTEMPTS_MAX;
    if has_attempts {
        chart.attempts(shown, &on_path(summary), out);
    } else {
        chart.columns(shown, out);
    }
    chart.marks(bottom, out);
    out.raw("</svg>\n</div>\n");
    if lanes.len() > shown.len() {
        let more = plural(lanes.len() - shown.len(), "more slot is", "more slots are");
        out.raw("<p class=\"sub\">").text(&more).raw(" not shown.</p>\n");
    }
    palette.legend(workflow, has_attempts, out);
}

fn row_height(n_lanes: usize) -> f64 {
    match n_lanes {
        0..=16 => 20.0,
        17..=40 => 13.0,
        41..=100 => 8.0,
        _ => 4.0,
    }
}

fn on_path(summary: &Summary) -> BTreeSet<AttemptId> {
    let steps = summary.critical_path.chain.steps.iter();
    steps.filter_map(|step| Some(AttemptId(step.task, step.attempt?))).collect()
}

struct Chart<'a> {
    frame: &'a Frame,
    palette: &'a Palette,
    timeline: &'a Timeline,
    workflow: &'a Workflow,
    row: f64,
}

impl Chart<'_> {
    /// The top of a lane; allocations stand a little apart.
    fn y(&self, lanes: &[Lane], index: usize) -> f64 {
        let pairs = lanes.windows(2).take(index);
        let gaps = pairs.filter(|pair| pair[0].allocation != pair[1].allocation).count();
        TOP + index as f64 * self.row + gaps as f64 * (self.row / 2.0)
    }

    fn critical_path(&self, summary: &Summary, out: &mut Markup) {
        out.raw("<text class=\"e\" x=\"")
            .at(self.frame.left() - 8.0)
            .raw("\" y=\"13\">critical</text>");
        out.raw("<rect class=\"wait\" x=\"").at(self.frame.left()).raw("\" y=\"2\" width=\"");
        out.at(self.frame.right() - self.frame.left()).raw("\" height=\"").at(PATH_HEIGHT);
        out.raw("\"><title>waits: publishing, pauses, overhead</title></rect>\n");
        for stretch in summary.critical_path.chain.stretches(self.workflow) {
            let class = self.palette.class_of(self.workflow, stretch.first.task);
            let from = self.frame.x(stretch.first.started_at);
            let width = (self.frame.x(stretch.last.ended_at) - from).max(0.4);
            out.raw("<rect class=\"").raw(class).raw("\" x=\"").at(from).raw("\" y=\"2\" width=\"");
            out.at(width).raw("\" height=\"").at(PATH_HEIGHT).raw("\"><title>");
            out.text(&self.workflow.task_name(stretch.first.task));
            if stretch.n > 1 {
                out.raw(" and ").text(&count(stretch.n - 1)).raw(" more, one after another");
            }
            out.raw(": ").text(&Seconds(stretch.running).to_string()).raw(", after ");
            let after = crate::text::release_words(self.workflow, stretch.first);
            out.text(&after).raw("</title></rect>\n");
        }
    }

    fn rails(&self, lanes: &[Lane], out: &mut Markup) {
        let every = (11.0 / self.row).ceil() as usize;
        for (i, lane) in lanes.iter().enumerate() {
            let y = self.y(lanes, i);
            out.raw("<rect class=\"rail\" x=\"").at(self.frame.left()).raw("\" y=\"").at(y + 0.5);
            out.raw("\" width=\"").at(self.frame.right() - self.frame.left());
            out.raw("\" height=\"").at(self.row - 1.0).raw("\"/>");
            if i % every == 0 {
                let middle = y + self.row / 2.0 + 4.0;
                out.raw("<text class=\"e\" x=\"")
                    .at(self.frame.left() - 8.0)
                    .raw("\" y=\"")
                    .at(middle);
                out.raw("\">").text(&lane.name()).raw("</text>\n");
            }
        }
    }

    fn attempts(&self, lanes: &[Lane], on_path: &BTreeSet<AttemptId>, out: &mut Markup) {
        for (i, lane) in lanes.iter().enumerate() {
            let y = self.y(lanes, i);
            for &position in &lane.attempts {
                let attempt = &self.timeline.attempts()[position as usize];
                self.attempt(attempt, y, on_path.contains(&attempt.id), out);
            }
        }
    }

    fn attempt(&self, attempt: &Attempt, y: f64, is_on_path: bool, out: &mut Markup) {
        let Some(started) = attempt.started_at else { return };
        let from = self.frame.x(started);
        let width = (self.frame.x(self.timeline.end_of(attempt)) - from).max(0.8);
        let class = self.palette.class_of(self.workflow, attempt.id.task());
        let is_lost = attempt.end.is_lost_work();
        // A hair of room between neighbours, unless there is no room for it.
        let bar =
            Bar { x: from, y: y + 1.0, width: (width - 0.6).max(0.6), height: self.row - 2.0 };
        out.raw("<g><title>").text(&tooltip(self.workflow, self.timeline, attempt)).raw("</title>");
        bar.draw(class, is_lost.then_some("lost"), out);
        if is_lost {
            bar.draw("hatch", None, out);
        }
        if is_on_path {
            bar.draw("crit", None, out);
        }
        if self.row >= 8.0 && self.ran_before(attempt) {
            out.raw("<path class=\"again\" d=\"M")
                .at(from)
                .raw(" ")
                .at(y + 1.0)
                .raw("h6l-6 6z\"/>");
        }
        out.raw("</g>\n");
    }

    /// Whether an earlier attempt at the task ran; one that was only granted is not worth a mark.
    fn ran_before(&self, attempt: &Attempt) -> bool {
        attempt.id.number() > 1
            && self
                .timeline
                .attempts_of(attempt.id.task())
                .any(|other| other.id.number() < attempt.id.number() && other.started_at.is_some())
    }

    /// One path per colour: in each column of each lane, a block of what held it longest.
    fn columns(&self, lanes: &[Lane], out: &mut Markup) {
        let width = self.frame.right() - self.frame.left();
        let n = (CELLS_MAX / lanes.len().max(1)).min(width as usize).max(1);
        let column = width / n as f64;
        let mut blocks: Vec<(&'static str, Markup)> =
            self.palette.classes().chain(["hatch"]).map(|class| (class, Markup::new())).collect();
        for (i, lane) in lanes.iter().enumerate() {
            let y = self.y(lanes, i);
            let cells = self.cells(lane, n, column);
            let mut start = 0;
            while start < n {
                let class = cells[start];
                let end = (start..n).find(|&at| cells[at] != class).unwrap_or(n);
                if let Some((_, block)) = blocks.iter_mut().find(|(of, _)| Some(*of) == class) {
                    let x = self.frame.left() + start as f64 * column;
                    block.raw("M").at(x).raw(" ").at(y + 0.5).raw("h");
                    block.at((end - start) as f64 * column).raw("v").at(self.row - 1.0).raw("H");
                    block.at(x).raw("z");
                }
                start = end;
            }
        }
        for (class, block) in blocks.iter().filter(|(_, block)| !block.is_empty()) {
            out.raw("<path class=\"").raw(class).raw("\" d=\"").add(block).raw("\"/>\n");
        }
    }

    fn cells(&self, lane: &Lane, n: usize, column: f64) -> Vec<Option<&'static str>> {
        let mut cells = vec![(0.0, None); n];
        for &position in &lane.attempts {
            let attempt = &self.timeline.attempts()[position as usize];
            let Some(started) = attempt.started_at else { continue };
            let scaled = |at| (self.frame.x(at) - self.frame.left()) / column;
            let (from, to) = (scaled(started), scaled(self.timeline.end_of(attempt)));
            let class = if attempt.end.is_lost_work() {
                "hatch"
            } else {
                self.palette.class_of(self.workflow, attempt.id.task())
            };
            let last = (to.ceil() as usize).min(n);
            for (at, kept) in cells.iter_mut().enumerate().take(last).skip(from as usize) {
                let held = to.min(at as f64 + 1.0) - from.max(at as f64);
                if held > kept.0 {
                    *kept = (held, Some(class));
                }
            }
        }
        cells.into_iter().map(|(_, class)| class).collect()
    }

    /// Lost allocations and resumes, as lines across all lanes.
    fn marks(&self, bottom: f64, out: &mut Markup) {
        for (id, span) in self.timeline.allocations() {
            if let (Some(cause), Some(at)) = (span.lost, span.ended_at) {
                let words = format!("allocation {id} lost: {cause}");
                self.mark("mark", at, &words, bottom, out);
            }
        }
        for resume in &self.timeline.run().resumed {
            self.mark("mark back", resume.at, "resumed by another orchestrator", bottom, out);
        }
    }

    fn mark(
        &self,
        class: &'static str,
        at: spec::Timestamp,
        words: &str,
        bottom: f64,
        out: &mut Markup,
    ) {
        let x = self.frame.x(at);
        out.raw("<path class=\"").raw(class).raw("\" d=\"M").at(x).raw(" ").at(TOP - 4.0).raw("V");
        out.at(bottom).raw("\"><title>").text(words).raw("</title></path>\n");
    }
}

struct Bar {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Bar {
    fn draw(&self, class: &'static str, also: Option<&'static str>, out: &mut Markup) {
        out.raw("<rect class=\"").raw(class);
        if let Some(also) = also {
            out.raw(" ").raw(also);
        }
        out.raw("\" x=\"").at(self.x).raw("\" y=\"").at(self.y).raw("\" width=\"").at(self.width);
        out.raw("\" height=\"").at(self.height).raw("\" rx=\"2\"/>");
    }
}

fn tooltip(workflow: &Workflow, timeline: &Timeline, attempt: &Attempt) -> String {
    let task: TaskId = attempt.id.task();
    let name = crate::text::attempt_name(&workflow.task_name(task), Some(attempt.id.number()));
    let mut words = format!("{name}: {}", Seconds(timeline.elapsed(attempt)));
    let cpus = cpus_of(workflow, task);
    if cpus.0 != 1_000 {
        words.push_str(&format!(", {cpus} cpus"));
    }
    if let Some(memory) = attempt.memory_peak.filter(|memory| memory.0 > 0) {
        words.push_str(&format!(", {memory}"));
    }
    if attempt.end != End::Succeeded {
        words.push_str(&format!("; {}", attempt.end));
    }
    words
}
