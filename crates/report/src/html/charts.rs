//! Lines over time: cpus held and busy, memory, network.

use engine::input::MachineUsage;
use spec::{Bytes, Timestamp, Workflow};

use super::frame::Frame;
use crate::markup::Markup;
use crate::timeline::Timeline;
use crate::work::cpus_of;

const COLUMNS: usize = 545;
const TOP: f64 = 8.0;

/// Cpus held by tasks, cpus that were there, and how busy the machine was.
pub(super) fn cpus(frame: &Frame, timeline: &Timeline, workflow: &Workflow, out: &mut Markup) {
    let mut held = Buckets::new(frame);
    for attempt in timeline.attempts() {
        if let Some(started) = attempt.started_at {
            let cpus = f64::from(cpus_of(workflow, attempt.id.task()).0) / 1e3;
            held.add(started, timeline.end_of(attempt), cpus);
        }
    }
    let mut there = Buckets::new(frame);
    for span in timeline.allocations().values() {
        let end = span.ended_at.unwrap_or(frame.end);
        let until = span.cpus.iter().skip(1).map(|&(at, _)| at).chain([end]);
        for (&(from, cpus), to) in span.cpus.iter().zip(until) {
            there.add(from, to, f64::from(cpus.0) / 1e3);
        }
    }
    let (held, there) = (held.means(), there.means());
    let busy = samples(frame, timeline, |usage| f64::from(usage.cpus_busy));
    let most = [&held, &there].into_iter().flatten().copied().fold(1.0, f64::max);
    let most = busy.iter().flatten().copied().fold(most, f64::max);
    let chart = Chart { frame, height: 110.0, most: round_up(most) };
    chart.open("Cpus over time", &|value| format!("{value}"), out);
    chart.area(&held, out);
    chart.line("top", &there.iter().copied().map(Some).collect::<Vec<_>>(), out);
    chart.line("second", &busy, out);
    out.raw("</svg>\n</div>\n<div>");
    legend(
        &[
            ("edge", "held by tasks"),
            ("top", "there to be used"),
            ("second", "busy, whole machine"),
        ],
        out,
    );
}

/// Memory and network of the whole machine; nothing if it was never measured.
pub(super) fn machine(frame: &Frame, timeline: &Timeline, out: &mut Markup) {
    if timeline.machine().is_empty() {
        return;
    }
    let bytes = |bytes: f64| Bytes(bytes as u64).to_string();
    let memory = samples(frame, timeline, |usage| usage.memory_used.0 as f64);
    out.raw("<h3>Memory in use, whole machine</h3>\n<div class=\"scroll\">\n");
    let chart = Chart { frame, height: 70.0, most: round_up_bytes(most_of(&memory)) };
    chart.open("Memory over time", &bytes, out);
    chart.line("edge", &memory, out);
    out.raw("</svg>\n</div>\n");
    let rate = |moved: Bytes, usage: &MachineUsage| {
        moved.0 as f64 / usage.interval.as_secs_f64().max(1e-6)
    };
    let received = samples(frame, timeline, |usage| rate(usage.network_in, usage));
    let sent = samples(frame, timeline, |usage| rate(usage.network_out, usage));
    out.raw("<h3>Network, whole machine</h3>\n<p class=\"sub\">With other programs' traffic; what each task moved is unknown.</p>\n<div class=\"scroll\">\n");
    let most = most_of(&received).max(most_of(&sent));
    let chart = Chart { frame, height: 70.0, most: round_up_bytes(most) };
    chart.open("Network over time", &|rate| format!("{}/s", bytes(rate)), out);
    chart.line("edge", &received, out);
    chart.line("second", &sent, out);
    out.raw("</svg>\n</div>\n");
    legend(&[("edge", "received"), ("second", "sent")], out);
}

fn legend(lines: &[(&'static str, &'static str)], out: &mut Markup) {
    out.raw("<ul class=\"legend\">");
    for (class, words) in lines {
        out.raw("<li><svg width=\"18\" height=\"10\"><path class=\"").raw(class);
        out.raw("\" d=\"M0 5H18\"/></svg>").raw(words).raw("</li>");
    }
    out.raw("</ul>\n");
}

/// Means over columns of time, exact: what begins or ends inside a column counts in part.
struct Buckets<'a> {
    frame: &'a Frame,
    /// By column: value times part of the column, of what does not fill it.
    parts: Vec<f64>,
    /// By column: the change of the sum of what fills this and later columns.
    changes: Vec<f64>,
}

impl<'a> Buckets<'a> {
    fn new(frame: &'a Frame) -> Self {
        Self { frame, parts: vec![0.0; COLUMNS + 1], changes: vec![0.0; COLUMNS + 1] }
    }

    fn add(&mut self, from: Timestamp, to: Timestamp, value: f64) {
        let scale = COLUMNS as f64 / self.frame.span().0 as f64;
        let column =
            |at: Timestamp| (at.since(self.frame.start).0 as f64 * scale).min(COLUMNS as f64);
        let (from, to) = (column(from), column(to));
        let (first, last) = (from as usize, to as usize);
        if first == last {
            self.parts[first] += value * (to - from).max(0.0);
            return;
        }
        self.parts[first] += value * (first as f64 + 1.0 - from);
        self.parts[last] += value * (to - last as f64);
        self.changes[first + 1] += value;
        self.changes[last] -= value;
    }

    fn means(&self) -> Vec<f64> {
        let mut full = 0.0;
        let columns = self.parts.iter().zip(&self.changes).take(COLUMNS);
        columns
            .map(|(part, change)| {
                full += change;
                full + part
            })
            .collect()
    }
}

/// By column: the largest measurement that ended in it.
fn samples(
    frame: &Frame,
    timeline: &Timeline,
    value: impl Fn(&MachineUsage) -> f64,
) -> Vec<Option<f64>> {
    let mut columns: Vec<Option<f64>> = vec![None; COLUMNS];
    for sample in timeline.machine() {
        let at = sample.usage.at;
        if at < frame.start || at > frame.end {
            continue;
        }
        let share = at.since(frame.start).0 as f64 / frame.span().0 as f64;
        let column = &mut columns[((share * COLUMNS as f64) as usize).min(COLUMNS - 1)];
        let value = value(&sample.usage);
        *column = Some(column.map_or(value, |before| before.max(value)));
    }
    columns
}

fn most_of(values: &[Option<f64>]) -> f64 {
    values.iter().flatten().copied().fold(0.0, f64::max)
}

/// 1, 2 or 5 times a power of ten, or 4 or 8 below ten: at least the value.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0];
    steps.iter().map(|step| step * power).find(|&top| top >= value).unwrap_or(value)
}

fn round_up_bytes(value: f64) -> f64 {
    let unit = 1024_f64.powf(value.max(1.0).log(1024.0).floor());
    round_up(value / unit) * unit
}

struct Chart<'a> {
    frame: &'a Frame,
    height: f64,
    most: f64,
}

impl Chart<'_> {
    fn open(&self, label: &'static str, words: &dyn Fn(f64) -> String, out: &mut Markup) {
        let bottom = TOP + self.height;
        self.frame.open(label, bottom + 20.0, bottom, out);
        for share in [0.0, 0.5, 1.0] {
            let y = self.y(self.most * share);
            out.raw("<path class=\"grid\" d=\"M").at(self.frame.left()).raw(" ").at(y).raw("H");
            out.at(self.frame.right())
                .raw("\"/><text class=\"e\" x=\"")
                .at(self.frame.left() - 8.0);
            out.raw("\" y=\"")
                .at(y + 4.0)
                .raw("\">")
                .text(&words(self.most * share))
                .raw("</text>\n");
        }
    }

    fn x(&self, column: f64) -> f64 {
        let width = self.frame.right() - self.frame.left();
        self.frame.left() + column / COLUMNS as f64 * width
    }

    fn y(&self, value: f64) -> f64 {
        TOP + self.height * (1.0 - (value / self.most).clamp(0.0, 1.0))
    }

    /// Steps, filled down to nothing.
    fn area(&self, values: &[f64], out: &mut Markup) {
        let mut steps = Markup::new();
        let mut before = f64::NAN;
        for (column, &value) in values.iter().enumerate() {
            if (value - before).abs() > 1e-9 || before.is_nan() {
                steps.raw("H").at(self.x(column as f64)).raw("V").at(self.y(value));
                before = value;
            }
        }
        steps.raw("H").at(self.frame.right());
        for (class, closing) in [("area", true), ("edge", false)] {
            out.raw("<path class=\"").raw(class).raw("\" d=\"M").at(self.frame.left()).raw(" ");
            out.at(self.y(0.0)).add(&steps);
            if closing {
                out.raw("V").at(self.y(0.0)).raw("z");
            }
            out.raw("\"/>\n");
        }
    }

    fn line(&self, class: &'static str, values: &[Option<f64>], out: &mut Markup) {
        let known = (0_u32..).zip(values).filter_map(|(column, value)| Some((column, (*value)?)));
        let mut points = Markup::new();
        for (column, value) in known {
            if points.is_empty() {
                points.raw("M");
            } else {
                points.raw("L");
            }
            points.at(self.x(f64::from(column) + 0.5)).raw(" ").at(self.y(value));
        }
        out.raw("<path class=\"").raw(class).raw("\" d=\"").add(&points).raw("\"/>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spec::Duration;

    #[test]
    fn means_over_columns_keep_the_whole() {
        let frame = Frame { start: Timestamp(0), end: Timestamp(0) + Duration::from_secs(545) };
        let mut buckets = Buckets::new(&frame);
        let at = |seconds: f64| Timestamp(0) + Duration::from_secs_f64(seconds);
        buckets.add(at(0.25), at(0.75), 4.0);
        buckets.add(at(1.5), at(4.25), 2.0);
        buckets.add(at(544.0), at(545.0), 3.0);
        let means = buckets.means();
        assert_eq!(means[..6], [2.0, 1.0, 2.0, 2.0, 0.5, 0.0]);
        assert_eq!(means[544], 3.0);
        assert_eq!(means.iter().sum::<f64>(), 2.0 + 5.5 + 3.0);
    }

    #[test]
    fn axes_end_at_round_numbers() {
        assert_eq!(
            [0.3, 3.0, 6.0, 11.0, 48.0, 90.0].map(round_up),
            [1.0, 4.0, 8.0, 20.0, 50.0, 100.0]
        );
        assert_eq!(round_up_bytes(3e9), 4.0 * 1024_f64.powi(3));
    }
}
