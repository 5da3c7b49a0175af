//! One series on a terminal: a column for each stretch of time, from its mean; nothing where
//! nothing is known.

use forecast::recording::Sample;
use journal::history::series::Summary;
use observe::time;
use report::outlook;
use report::printable::printable;
use report::quantity::{count, plural};
use spec::Timestamp;

use super::show::minute;
use crate::screen::{Screen, Tone};

const ROWS: usize = 8;
const LABEL: usize = 12;
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The plot, with what is known of the series above it.
pub(super) fn plot(series: &Summary, samples: &[Sample], screen: Screen) -> String {
    let name = printable(&format!("{} {}", series.zone, series.measure)).into_owned();
    let n = plural(samples.len(), "sample", "samples");
    let from = printable(&series.source).into_owned();
    let mut text =
        format!("{}: {n} in {}, from {from}\n\n", screen.datum(Tone::Strong, &name), unit(series));
    let width = screen.width().clamp(40, 200) - LABEL - 1;
    let columns = means(samples, width);
    let known = || columns.iter().flatten().copied();
    let top = known().fold(f64::NEG_INFINITY, f64::max);
    let least = known().fold(f64::INFINITY, f64::min);
    // What is never below 0 is drawn from 0 on.
    let bottom = if least >= 0.0 { 0.0 } else { least };
    let span = if top > bottom { top - bottom } else { 1.0 };
    for row in (0..ROWS).rev() {
        let label = match row {
            _ if row == ROWS - 1 => value(top, &series.unit),
            0 => value(bottom, &series.unit),
            _ => String::new(),
        };
        let bars = columns.iter().map(|column| bar(*column, bottom, span, row));
        let line: String = bars.collect();
        text += &format!("{label:>LABEL$} {}\n", line.trim_end());
    }
    let (first, last) = (Timestamp(series.first_us), Timestamp(series.last_us));
    let (first, last) = (minute(&time::text(first)), minute(&time::text(last)));
    let gap = width.saturating_sub(first.len());
    text += &screen.datum(Tone::Faint, &format!("{:LABEL$} {first}{last:>gap$}", ""));
    text + "\n"
}

/// A cell of a column: how much of it is filled.
fn bar(column: Option<f64>, bottom: f64, span: f64, row: usize) -> char {
    let Some(mean) = column else { return if row == 0 { '·' } else { ' ' } };
    let eighths = ((mean - bottom) / span * (8 * ROWS) as f64).round() as usize;
    // What is known is seen, also where it is least.
    let eighths = eighths.max(1);
    EIGHTHS[eighths.saturating_sub(8 * row).min(8)]
}

/// The mean of each of so many equal stretches of time.
fn means(samples: &[Sample], width: usize) -> Vec<Option<f64>> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    let span = (last.at.0 - first.at.0).max(1) as f64;
    let mut sums = vec![(0.0, 0_u32); width];
    for sample in samples {
        let share = (sample.at.0 - first.at.0) as f64 / span;
        let column = ((share * width as f64) as usize).min(width - 1);
        sums[column].0 += sample.value;
        sums[column].1 += 1;
    }
    // Fewer samples than columns: each holds as long as samples are apart.
    let hold = (1.5 * width as f64 / samples.len() as f64).ceil() as usize;
    let mut last_known = None;
    let columns = sums.iter().enumerate().map(|(i, &(sum, n))| {
        if n > 0 {
            last_known = Some((i, sum / f64::from(n)));
        }
        last_known.filter(|(at, _)| i - at <= hold).map(|(_, mean)| mean)
    });
    columns.collect()
}

fn unit(series: &Summary) -> String {
    if series.unit.is_empty() { "no unit".to_owned() } else { printable(&series.unit).into_owned() }
}

/// A value as people read it.
pub(crate) fn value(value: f64, unit: &str) -> String {
    match unit {
        "B" | "B/s" => outlook::figure(value, unit),
        "share" => format!("{:.0} %", value * 100.0),
        _ if value.abs() >= 1e5 && value.abs() < 1e15 => count(value.abs() as usize),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_seen_as_one() {
        let at = |i: i64| Sample { at: Timestamp(i), value: 1.0 };
        let samples: Vec<Sample> = (0..40).chain(60..100).map(at).collect();
        let columns = means(&samples, 10);
        assert_eq!(columns[5], None);
        assert_eq!(columns[0], Some(1.0));
        assert_eq!(bar(None, 0.0, 1.0, 0), '·');
        assert_eq!(bar(Some(1.0), 0.0, 1.0, 7), '█');
        assert_eq!(bar(Some(0.0), 0.0, 1.0, 0), '▁');
    }
}
