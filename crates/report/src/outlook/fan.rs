//! Plots out of characters: strips of states and chances, and fans of quantiles.
//!
//! Shapes carry the meaning, so that they read the same without colour and in a pipe.

use forecast::Horizon;
use forecast::availability::Free;

use crate::printable::clipped;
use crate::text::Style;

/// Eighths, from the least to the most.
const EIGHTHS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Lines of a fan.
const HEIGHT: usize = 8;
/// The unit of what is counted.
const INSTANCES: &str = "instances";

/// Means of equal parts; none of a part in which nothing is known.
pub(super) fn binned(values: &[Option<f64>], width: usize) -> Vec<Option<f64>> {
    let n = values.len();
    (0..width)
        .map(|column| {
            let (from, to) = (column * n / width, ((column + 1) * n).div_ceil(width));
            let known: Vec<f64> = values.get(from..to.min(n))?.iter().flatten().copied().collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        })
        .collect()
}

/// What was: `█` up, `·` down, in between by eighths, a blank where nothing is known.
pub(super) fn strip(past: &[Option<f64>], width: usize) -> String {
    let mark = |share: Option<f64>| match share {
        None => ' ',
        Some(share) if share < 0.06 => '·',
        Some(share) => eighth(share),
    };
    binned(past, width).into_iter().map(mark).collect()
}

/// Probabilities by eighths.
pub(super) fn levels(chances: &[Option<f64>], width: usize) -> String {
    binned(chances, width).into_iter().map(|p| p.map_or(' ', eighth)).collect()
}

fn eighth(share: f64) -> char {
    EIGHTHS[((share.clamp(0.0, 1.0) * 8.0) as usize).min(7)]
}

/// A fan: `░` 5 to 95 %, `▒` 25 to 75 %, `━` the median, `•` what was.
pub(super) fn text(
    free: &Free,
    past: &[Option<f64>],
    step_minutes: f64,
    horizon: Horizon,
    style: Style,
) -> String {
    let room = style.width.saturating_sub(14).clamp(30, 120);
    let (before, after) = (room / 3, room - room / 3 - 1);
    let history = binned(past, before);
    let curve = |level: f64| {
        let steps: Vec<Option<f64>> =
            (0..free.quantiles.len()).map(|step| free.quantile(step, level)).collect();
        binned(&steps, after)
    };
    let curves = [0.05, 0.25, 0.5, 0.75, 0.95].map(curve);
    let all = history.iter().chain(curves.iter().flatten()).flatten().copied();
    let (low, high) = range(all);
    let row = |value: f64| {
        let share = (value - low) / (high - low).max(1e-12);
        HEIGHT - 1 - ((share.clamp(0.0, 1.0) * HEIGHT as f64) as usize).min(HEIGHT - 1)
    };
    let mut out = String::new();
    for line in 0..HEIGHT {
        let label = match line {
            0 => figure(high, &free.unit),
            l if l == HEIGHT - 1 => figure(low, &free.unit),
            _ => String::new(),
        };
        out += &format!("{label:>11} ");
        out.extend(history.iter().map(|value| match value {
            Some(value) if row(*value) == line => '•',
            _ => ' ',
        }));
        out.push('│');
        let future: String =
            (0..after).map(|column| fan_mark(&curves, column, line, &row)).collect();
        out += style.paint_future(&future).trim_end();
        out.push('\n');
    }
    let marks = format!("{} before", super::ahead(past.len() as f64 * step_minutes));
    let end = format!("{} ahead", super::ahead(f64::from(horizon.minutes)));
    out + &style.faint(&format!("{:>11} {marks:<before$}│{end:>after$}", "")) + "\n"
}

fn fan_mark(
    curves: &[Vec<Option<f64>>; 5],
    column: usize,
    line: usize,
    row: &impl Fn(f64) -> usize,
) -> char {
    let at = |i: usize| curves[i][column].map(row);
    let within = |low: usize, high: usize| match (at(low), at(high)) {
        (Some(low), Some(high)) => (high..=low).contains(&line),
        _ => false,
    };
    match () {
        () if at(2) == Some(line) => '━',
        () if within(1, 3) => '▒',
        () if within(0, 4) => '░',
        () => ' ',
    }
}

/// From the least to the most, with a little room.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let known = values.filter(|value| value.is_finite());
    let (low, high) = known.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    match high - low {
        spread if spread > 0.0 => {
            (if low >= 0.0 { (low - 0.05 * spread).max(0.0) } else { low }, high)
        }
        _ if low.is_finite() => (low - 0.5, low + 0.5),
        _ => (0.0, 1.0),
    }
}

/// What a fan is of: `cpu free`, `memory free of 64.0 GiB`, `memory in use`, `instances`.
pub(super) fn subject(free: &Free) -> String {
    match (free.unit.as_str(), free.capacity) {
        (INSTANCES, _) => INSTANCES.to_owned(),
        ("B" | "B/s", Some(all)) => {
            format!("{} free of {}", clipped(&free.measure, 30), figure(all, &free.unit))
        }
        (_, Some(_)) => format!("{} free", clipped(&free.measure, 30)),
        (_, None) => format!("{} in use", clipped(&free.measure, 30)),
    }
}

/// An amount in its unit, in three figures or so; of instances, how many.
#[must_use]
pub fn figure(value: f64, unit: &str) -> String {
    if unit == INSTANCES {
        return format!("{value:.0}");
    }
    let (value, prefix) = match unit {
        "B" => scaled(value, &SIZES),
        "B/s" => scaled(value, &RATES),
        _ => (value, ""),
    };
    let number = match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    match (unit, prefix) {
        ("share" | "", _) => number,
        ("B" | "B/s", prefix) => format!("{number} {prefix}{unit}"),
        _ => format!("{number} {unit}"),
    }
}

/// Sizes are counted as sites and workflows do, rates as networks do.
const SIZES: [(f64, &str); 4] =
    [(1_099_511_627_776.0, "Ti"), (1_073_741_824.0, "Gi"), (1_048_576.0, "Mi"), (1024.0, "Ki")];
const RATES: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];

fn scaled(value: f64, prefixes: &[(f64, &'static str)]) -> (f64, &'static str) {
    let found = prefixes.iter().find(|(size, _)| value.abs() >= *size);
    found.map_or((value, ""), |(size, prefix)| (value / size, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_whole() {
        let free = Free {
            measure: "count".to_owned(),
            unit: INSTANCES.to_owned(),
            capacity: Some(4.0),
            levels: vec![0.5],
            quantiles: vec![vec![3.0]],
        };
        assert_eq!(subject(&free), "instances");
        assert_eq!(figure(3.0, &free.unit), "3");
        let cpu = Free { measure: "cpu".to_owned(), unit: String::new(), ..free };
        assert_eq!(subject(&cpu), "cpu free");
        assert_eq!(subject(&Free { capacity: None, ..cpu }), "cpu in use");
    }

    #[test]
    fn what_was_is_shown_with_its_gaps() {
        let past = [Some(1.0), Some(1.0), None, None, Some(0.0), Some(0.0), Some(1.0), Some(0.0)];
        assert_eq!(strip(&past, 4), "█ ·▅");
    }

    #[test]
    fn amounts_are_in_their_unit() {
        let told = [figure(0.5, "share"), figure(3.2e9, "B"), figure(3.2e9, "B/s")];
        assert_eq!(told, ["0.50", "2.98 GiB", "3.20 GB/s"]);
        let of = |unit: &str, capacity| {
            subject(&Free {
                measure: "memory".to_owned(),
                unit: unit.to_owned(),
                capacity,
                levels: Vec::new(),
                quantiles: Vec::new(),
            })
        };
        let told = [of("B", Some(8_589_934_592.0)), of("B", None), of("share", Some(1.0))];
        assert_eq!(told, ["memory free of 8.00 GiB", "memory in use", "memory free"]);
    }

    #[test]
    fn a_fan_has_the_past_left_of_now_and_quantiles_right_of_it() {
        let free = Free {
            measure: "cpu".to_owned(),
            unit: "share".to_owned(),
            capacity: None,
            levels: vec![0.05, 0.25, 0.5, 0.75, 0.95],
            quantiles: vec![vec![0.1, 0.3, 0.5, 0.7, 0.9]; 288],
        };
        let past = vec![Some(0.5); 100];
        let text = text(&free, &past, 5.0, Horizon::default(), Style::plain(60));
        let lines: Vec<&str> = text.lines().collect();
        let middle = lines.iter().find(|line| line.contains('•')).expect("the past is shown");
        let (before, after) = middle.split_once('│').expect("now is marked");
        assert!(before.ends_with('•') && after.chars().all(|c| c == '━'), "{text}");
        assert!(lines[0].contains('░') && lines[2].contains('▒'), "{text}");
    }
}
