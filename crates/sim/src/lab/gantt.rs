//! One virtual run as a picture: what was held where, and what ran on it.
//!
//! As text, a line per zone; as SVG, a row per allocation with a line per slot. Both come from the
//! timeline of an [`Outcome`]; without one they are empty.

use std::collections::BTreeMap;
use std::fmt::Write;

use spec::Timestamp;

use super::picture::{figure, ticks};
use crate::outcome::{Bar, Holding, Outcome};

/// A line per zone: `░` launching, `▒` held, `█` at work, `×` preempted.
#[must_use]
pub fn text(outcome: &Outcome, zones: &[String], width: usize) -> String {
    let (from, to) = bounds(outcome);
    let width = width.max(10);
    let column = |at: Timestamp| {
        let share = (at.0 - from.0) as f64 / (to.0 - from.0).max(1) as f64;
        ((share * width as f64) as usize).min(width - 1)
    };
    let name_width = zones.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(24);
    let mut out = String::new();
    for (number, name) in (0_u32..).zip(zones) {
        let mut line = vec![' '; width];
        let mut mark = |from: Timestamp, to: Timestamp, with: char| {
            line[column(from)..=column(to)].fill(with);
        };
        let held: Vec<&Holding> = outcome.holdings.iter().filter(|h| h.zone.0 == number).collect();
        for holding in &held {
            mark(holding.from, holding.up.unwrap_or(holding.to), '░');
        }
        for holding in &held {
            if let Some(up) = holding.up {
                mark(up, holding.to, '▒');
            }
        }
        for bar in outcome.timeline.iter().filter(|bar| bar.zone.0 == number) {
            mark(bar.from, bar.to, '█');
        }
        for holding in held.iter().filter(|holding| holding.is_preempted) {
            mark(holding.to, holding.to, '×');
        }
        let line: String = line.into_iter().collect();
        let name: String = name.chars().take(name_width).collect();
        let _ = writeln!(out, "{name:<name_width$} {}", line.trim_end());
    }
    out
}

/// Begin and end of all that was held.
fn bounds(outcome: &Outcome) -> (Timestamp, Timestamp) {
    let from = outcome.holdings.iter().map(|holding| holding.from).min();
    let to = outcome.holdings.iter().map(|holding| holding.to).max();
    (from.unwrap_or_default(), to.unwrap_or_default())
}

/// Above this many rows or bars, the rest is left out, and said to be.
const ROWS_MAX: usize = 160;
const BARS_MAX: usize = 20_000;
/// From so many rows on, rows are thin.
const ROWS_LONG: usize = 40;
/// What the name of a zone needs.
const LABEL_HEIGHT: f64 = 12.0;
/// Gaps below this are not seen, in pixels.
const GAP_LEAST: f64 = 0.3;
/// Bars from this length on are told apart, in pixels.
const ALONE_LEAST: f64 = 3.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 20.0;

/// Rows of a picture: where the next one goes.
pub(super) struct Sheet {
    pub(super) out: String,
    pub(super) y: f64,
    pub(super) width: f64,
}

/// A row of the picture: allocations that follow each other in one zone.
struct Row<'a> {
    zone: usize,
    holdings: Vec<&'a Holding>,
}

impl Sheet {
    /// Draws a run below what is there.
    pub(super) fn gantt(&mut self, title: &str, outcome: &Outcome, zones: &[String]) {
        self.title(title);
        let (from, to) = bounds(outcome);
        let scale = (self.width - LEFT - RIGHT) / (to.0 - from.0).max(1) as f64;
        let x = |at: Timestamp| LEFT + (at.0 - from.0) as f64 * scale;
        let hours = (to.0 - from.0) as f64 / 3.6e9;
        for tick in ticks(hours) {
            let at = LEFT + tick / hours.max(1e-9) * (self.width - LEFT - RIGHT);
            self.small(at, self.y - 2.0, &format!("{} h", figure(tick)));
        }
        self.y += 4.0;
        let rows = rows(outcome, zones.len());
        let bars = by_allocation(outcome);
        let n_slots = outcome.timeline.iter().map(|bar| bar.slot).max().unwrap_or(0) + 1;
        let is_long = rows.len() > ROWS_LONG;
        let (least, between) = if is_long { (3.0, 1.0) } else { (8.0, 3.0) };
        let height = (f64::from(n_slots) * 3.0).clamp(least, 26.0);
        let mut zone_from = self.y;
        let mut n_bars = 0;
        let mut last_zone = None;
        for row in rows.iter().take(ROWS_MAX) {
            if last_zone != Some(row.zone) {
                if last_zone.is_some() {
                    self.y = self.y.max(zone_from + LABEL_HEIGHT);
                }
                zone_from = self.y;
                last_zone = Some(row.zone);
                self.label(6.0, self.y + 9.0, &zones[row.zone]);
            }
            for holding in &row.holdings {
                let up = holding.up.unwrap_or(holding.to);
                self.rect((x(holding.from), x(up)), (0.0, height), "#f0c36d");
                self.rect((x(up), x(holding.to)), (0.0, height), "#dbe3ea");
                let bars = bars.get(&holding.allocation).map_or(&[][..], |bars| &bars[..]);
                self.bars(bars, &x, height / f64::from(n_slots), &mut n_bars);
                if holding.is_preempted {
                    let at = x(holding.to);
                    self.rect((at - 1.0, at + 1.0), (-1.0, height + 2.0), "#b3261e");
                }
            }
            self.y += height + between;
        }
        if rows.len() > ROWS_MAX || n_bars > BARS_MAX {
            self.label(LEFT, self.y + 9.0, "and more, which is not shown");
            self.y += 14.0;
        }
        self.y += 12.0;
    }

    fn bars(
        &mut self,
        bars: &[&Bar],
        x: &impl Fn(Timestamp) -> f64,
        height: f64,
        n_bars: &mut usize,
    ) {
        let mut rest = bars;
        while let [first, ..] = rest {
            // Bars of one slot that come out alike and without a gap are drawn as one.
            let is_next = |(last, next): (&&Bar, &&Bar)| {
                (next.slot, next.is_done) == (last.slot, last.is_done)
                    && x(next.from) - x(last.to) < GAP_LEAST
                    && x(next.to) - x(next.from) < ALONE_LEAST
            };
            let n = 1 + rest.iter().zip(&rest[1..]).take_while(|&pair| is_next(pair)).count();
            let last = rest[n - 1];
            rest = &rest[n..];
            *n_bars += 1;
            if *n_bars > BARS_MAX {
                return;
            }
            let color = if first.is_done { "#2f6f9f" } else { "#d98880" };
            let top = f64::from(first.slot) * height;
            self.rect((x(first.from), x(last.to)), (top, (height - 0.4).max(0.6)), color);
        }
    }

    pub(super) fn title(&mut self, text: &str) {
        let y = self.y + 14.0;
        let _ = write!(self.out, "<text class=\"h\" x=\"6\" y=\"{y:.1}\">");
        self.escaped(text);
        self.out.push_str("</text>\n");
        self.y += 24.0;
    }

    pub(super) fn small(&mut self, x: f64, y: f64, text: &str) {
        let _ = write!(self.out, "<text class=\"s\" x=\"{x:.1}\" y=\"{y:.1}\">");
        self.escaped(text);
        self.out.push_str("</text>\n");
    }

    /// A box wherever it is said to be.
    pub(super) fn box_at(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), color: &str) {
        let _ = writeln!(
            self.out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{color}\"/>"
        );
    }

    pub(super) fn triangle(&mut self, points: [(f64, f64); 3], color: &str) {
        let [a, b, c] = points.map(|(x, y)| format!("{x:.1} {y:.1}"));
        let _ = writeln!(self.out, "<path d=\"M{a}L{b}L{c}Z\" fill=\"{color}\"/>");
    }

    /// The whole of it as an SVG document.
    pub(super) fn document(self) -> String {
        let (width, height) = (self.width, self.y + 6.0);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n\
             <style>text{{font:11px sans-serif;fill:#222}}.h{{font-size:14px;font-weight:bold}}.s{{font-size:9px;fill:#555}}</style>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}</svg>\n",
            self.out
        )
    }

    pub(super) fn label(&mut self, x: f64, y: f64, text: &str) {
        let _ = write!(self.out, "<text x=\"{x:.1}\" y=\"{y:.1}\">");
        self.escaped(text);
        self.out.push_str("</text>\n");
    }

    /// From where to where, and how far below the row's top and how high.
    pub(super) fn rect(
        &mut self,
        (left, right): (f64, f64),
        (top, height): (f64, f64),
        color: &str,
    ) {
        let (y, width) = (self.y + top, (right - left).max(0.2));
        let _ = writeln!(
            self.out,
            "<rect x=\"{left:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{color}\"/>"
        );
    }

    /// Any text, so that it stays text; what cannot be seen is left out.
    fn escaped(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()).take(120) {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                c => self.out.push(c),
            }
        }
    }
}

/// By allocation: what ran on it, by slot and time.
fn by_allocation(outcome: &Outcome) -> BTreeMap<u32, Vec<&Bar>> {
    let mut bars = BTreeMap::<u32, Vec<&Bar>>::new();
    for bar in &outcome.timeline {
        bars.entry(bar.allocation).or_default().push(bar);
    }
    bars.values_mut().for_each(|bars| bars.sort_by_key(|bar| (bar.slot, bar.from, bar.to)));
    bars
}

/// Allocations by zone, each in the first row that is free.
fn rows(outcome: &Outcome, n_zones: usize) -> Vec<Row<'_>> {
    let mut all = Vec::new();
    for zone in 0..n_zones {
        let mut held: Vec<&Holding> =
            outcome.holdings.iter().filter(|holding| holding.zone.index() == zone).collect();
        held.sort_by_key(|holding| (holding.from, holding.allocation));
        let first = all.len();
        for holding in held {
            let is_free = |row: &Row<'_>| {
                row.holdings.last().is_none_or(|last: &&Holding| last.to <= holding.from)
            };
            match all[first..].iter().position(is_free) {
                Some(row) => {
                    let row: &mut Row<'_> = &mut all[first + row];
                    row.holdings.push(holding);
                }
                None => all.push(Row { zone, holdings: vec![holding] }),
            }
        }
    }
    all
}
