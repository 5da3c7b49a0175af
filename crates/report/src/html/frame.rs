//! The time axis that all charts share.

use spec::{Duration, Timestamp};

use crate::markup::Markup;
use crate::quantity::Seconds;
use crate::timeline::Timeline;

/// The width of every chart, in the units of its view box.
pub(super) const WIDTH: f64 = 1180.0;
const GUTTER: f64 = 70.0;
const RIGHT: f64 = 14.0;

/// Maps times to the width of a chart.
pub(super) struct Frame {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
}

impl Frame {
    /// From the start of the run to the end of its last task; none if nothing took any time.
    pub(super) fn of(timeline: &Timeline) -> Option<Self> {
        let (start, end) = (timeline.run().started_at, timeline.ended_at());
        (end > start).then_some(Self { start, end })
    }

    pub(super) fn span(&self) -> Duration {
        self.end.since(self.start)
    }

    pub(super) fn left(&self) -> f64 {
        GUTTER
    }

    pub(super) fn right(&self) -> f64 {
        WIDTH - RIGHT
    }

    /// Where a time is; times outside are at the ends.
    pub(super) fn x(&self, at: Timestamp) -> f64 {
        let share = at.since(self.start).0 as f64 / self.span().0 as f64;
        GUTTER + share.min(1.0) * (self.right() - GUTTER)
    }

    /// Begins a chart of some height, with lines at round times from `top` to `bottom`.
    pub(super) fn open(&self, label: &'static str, height: f64, bottom: f64, out: &mut Markup) {
        out.raw("<svg class=\"plot\" role=\"img\" aria-label=\"").raw(label);
        out.raw("\" viewBox=\"0 0 ").at(WIDTH).raw(" ").at(height).raw("\">\n");
        for (at, words) in self.ticks() {
            let x = self.x(at);
            out.raw("<path class=\"grid\" d=\"M").at(x).raw(" 0V").at(bottom).raw("\"/>");
            out.raw("<text class=\"m\" x=\"").at(x).raw("\" y=\"").at(bottom + 14.0).raw("\">");
            out.text(&words).raw("</text>\n");
        }
    }

    fn ticks(&self) -> Vec<(Timestamp, String)> {
        let step = tick_step(self.span());
        let n = self.span().0 / step.0;
        (0..=n)
            .map(|i| Duration(i * step.0))
            .map(|since| (self.start + since, tick_words(since)))
            .collect()
    }
}

/// A round step that gives at most ten ticks.
fn tick_step(span: Duration) -> Duration {
    const SECONDS: [u64; 19] = [
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
        86_400, 172_800,
    ];
    if span.0 < 10_000_000 {
        let mut step = 1;
        while span.0 / step > 10 {
            step *= if step.to_string().starts_with('2') { 5 } else { 2 };
            // 1, 2, 10, 20, 100, … microseconds.
        }
        return Duration(step);
    }
    let fits = |seconds: &&u64| span.0 / (**seconds * 1_000_000) <= 10;
    let step = SECONDS.iter().find(fits).copied();
    Duration::from_secs(step.unwrap_or_else(|| (span.0 / 10_000_000).next_multiple_of(86_400)))
}

/// A round time without the parts that are zero.
fn tick_words(since: Duration) -> String {
    let seconds = since.0 / 1_000_000;
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, 0) if since.0 == 0 => "0".to_owned(),
        _ if seconds < 10 && !since.0.is_multiple_of(1_000_000) => Seconds(since).to_string(),
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, 0) => format!("{m}m"),
        (0, 0, m, s) => format!("{m}m{s:02}s"),
        (0, h, 0, _) => format!("{h}h"),
        (0, h, m, _) => format!("{h}h{m:02}m"),
        (d, 0, _, _) => format!("{d}d"),
        (d, h, _, _) => format!("{d}d{h:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_at_most_eleven() {
        for micros in [1, 7, 999, 40_000, 1_500_000, 89_000_000, 4_000_000_000, 900_000_000_000] {
            let frame = Frame { start: Timestamp(0), end: Timestamp(micros) };
            let ticks = frame.ticks();
            assert!((1..=11).contains(&ticks.len()), "{micros}: {}", ticks.len());
        }
        let words = |seconds| tick_words(Duration::from_secs(seconds));
        assert_eq!(
            [0, 15, 60, 90, 3_600, 5_400].map(words),
            ["0", "15s", "1m", "1m30s", "1h", "1h30m"]
        );
    }
}
