//! Where something is to be won: the gain of a policy over another, by how long tasks and launches are
//! beside what capacity lasts.
//!
//! Each comparison is a [`Cell`] with two coordinates: task length and launch, both in mean up-runs. The
//! *gain* is the share of what the reference pays (or takes) that the contender saves, from the same
//! starts; it is *sure* when the 95 % interval of the paired difference, by block bootstrap, does not hold
//! zero. Losing cells are shown like others. Knows numbers only; [`svg`] draws them.

pub mod svg;

use spec::{Duration, Timestamp};

use super::compare;
use crate::site::VirtualZone;

/// How one comparison came out, as a place on the map.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Mean task length over mean up-run.
    pub task: f64,
    /// Launch over mean up-run.
    pub launch: f64,
    /// What was gained.
    pub gain: Gain,
}

/// What a contender saves of what the reference pays, from the same starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain {
    /// The share; below zero is a loss.
    pub share: f64,
    /// In which it lies with 95 %; none with fewer than two independent windows.
    pub interval: Option<(f64, f64)>,
    /// In how many starts more than the reference the contender is late or comes to no end.
    pub more_late: i64,
}

/// What a gain says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Surely more than nothing.
    Won,
    /// Surely less than nothing.
    Lost,
    /// Neither.
    Even,
}

impl Gain {
    /// Of paired values, one per start, that are better when they are less.
    #[must_use]
    pub fn of(contender: &[f64], reference: &[f64], windows: &[u64], seed: u64) -> Self {
        let paired: Vec<f64> = reference.iter().zip(contender).map(|(r, c)| r - c).collect();
        let found = compare::difference(&paired, windows, seed);
        let mean = reference.iter().sum::<f64>() / reference.len().max(1) as f64;
        let share = |value: f64| if mean > 0.0 { value / mean } else { 0.0 };
        let interval = found.interval.map(|(low, high)| (share(low), share(high)));
        Self { share: share(found.mean), interval, more_late: 0 }
    }

    /// What it says.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.interval {
            Some((low, _)) if low > 0.0 => Verdict::Won,
            Some((_, high)) if high < 0.0 => Verdict::Lost,
            Some(_) | None => Verdict::Even,
        }
    }
}

/// How long capacity stays on average: the mean over all spans, in all zones that can be taken away, in
/// which a zone has room without a break; spans that the trace cuts off count as they are.
#[must_use]
pub fn mean_up_run(zones: &[VirtualZone], is_safe: &[bool], traced: Duration) -> Option<Duration> {
    let end = Timestamp(0) + traced;
    let (mut total, mut n) = (Duration::ZERO, 0_u64);
    for (zone, _) in zones.iter().zip(is_safe).filter(|(_, is_safe)| !**is_safe) {
        let mut now = Timestamp(0);
        let mut since = (zone.available.at(now) > 0).then_some(now);
        while now < end {
            let next = zone.available.next_after(now).filter(|&(at, _)| at < end);
            let (at, count) = next.unwrap_or((end, 0));
            match (since, count > 0) {
                (Some(begin), false) => {
                    total = total + at.since(begin);
                    n += 1;
                    since = None;
                }
                (None, true) => since = Some(at),
                _ => {}
            }
            now = at;
        }
    }
    (n > 0).then(|| Duration(total.0 / n))
}

/// Cells in fields of half a decade each way.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// What is mapped.
    pub title: String,
    /// By field, in order; fields without a cell are left out.
    pub fields: Vec<Field>,
}

/// A field of the map.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// In half decades: its task lengths lie from 10^(column/2) on.
    pub column: i32,
    /// In half decades, of launches.
    pub row: i32,
    /// What was gained in its cells, the least first.
    pub gains: Vec<Gain>,
}

impl Field {
    /// The middle one.
    #[must_use]
    pub fn median(&self) -> f64 {
        compare::spread(self.gains.iter().map(|gain| gain.share)).median
    }

    /// The least and the most.
    #[must_use]
    pub fn ends(&self) -> (f64, f64) {
        let share = |gain: Option<&Gain>| gain.map_or(0.0, |gain| gain.share);
        (share(self.gains.first()), share(self.gains.last()))
    }

    /// Whether the contender surely lost in one of its cells.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.gains.iter().any(|gain| gain.verdict() == Verdict::Lost)
    }

    /// Whether in none of its cells anything is sure.
    #[must_use]
    pub fn is_even(&self) -> bool {
        self.gains.iter().all(|gain| gain.verdict() == Verdict::Even)
    }

    /// Whether the contender was late more often than the reference in one of its cells.
    #[must_use]
    pub fn is_later(&self) -> bool {
        self.gains.iter().any(|gain| gain.more_late > 0)
    }

    /// `-3` to `+20`, in per cent, with what is sure of it.
    fn text(&self) -> String {
        let (low, high) = self.ends();
        let shown = if self.gains.len() == 1 {
            percent(low)
        } else {
            format!("{}..{}", percent(low), percent(high))
        };
        let mark = if self.has_lost() {
            "-"
        } else if self.is_even() {
            "="
        } else {
            ""
        };
        let late = if self.is_later() { "!" } else { "" };
        format!("{shown}{mark}{late}")
    }
}

/// `+12`, in per cent.
#[must_use]
pub fn percent(share: f64) -> String {
    let whole = (share * 100.0).round();
    if whole == 0.0 { "0".to_owned() } else { format!("{whole:+.0}") }
}

/// Where a field begins, such as `0.032`.
#[must_use]
pub fn edge(half_decades: i32) -> String {
    let value = 10_f64.powf(f64::from(half_decades) / 2.0);
    match half_decades {
        h if h >= 2 => format!("{value:.0}"),
        h if h >= 0 => format!("{value:.1}"),
        h => format!("{value:.*}", ((1 - h) / 2) as usize),
    }
}

impl Map {
    /// Puts cells into fields.
    #[must_use]
    pub fn of(title: String, cells: &[Cell]) -> Self {
        let at = |ratio: f64| (2.0 * ratio.max(1e-9).log10()).floor() as i32;
        let mut placed: Vec<(i32, i32, Gain)> =
            cells.iter().map(|cell| (at(cell.launch), at(cell.task), cell.gain)).collect();
        placed.sort_by(|a, b| {
            (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| a.2.share.total_cmp(&b.2.share))
        });
        let same = |a: &(i32, i32, Gain), b: &(i32, i32, Gain)| (a.0, a.1) == (b.0, b.1);
        let fields = placed.chunk_by(same).map(|cells| Field {
            row: cells[0].0,
            column: cells[0].1,
            gains: cells.iter().map(|cell| cell.2).collect(),
        });
        Self { title, fields: fields.collect() }
    }

    /// Columns and rows from the first to the last that have a field.
    fn extent(&self) -> Option<(std::ops::RangeInclusive<i32>, std::ops::RangeInclusive<i32>)> {
        let columns = || self.fields.iter().map(|field| field.column);
        let rows = || self.fields.iter().map(|field| field.row);
        Some((columns().min()?..=columns().max()?, rows().min()?..=rows().max()?))
    }

    fn field(&self, row: i32, column: i32) -> Option<&Field> {
        self.fields.iter().find(|field| (field.row, field.column) == (row, column))
    }

    /// A table: rows are launches, the longest first, columns task lengths.
    #[must_use]
    pub fn text(&self) -> String {
        let Some((columns, rows)) = self.extent() else {
            return format!("{}: no cells\n", self.title);
        };
        let mut table = vec![vec!["launch \\ task".to_owned()]];
        table[0].extend(columns.clone().map(edge));
        for row in rows.rev() {
            let cells = columns
                .clone()
                .map(|column| self.field(row, column).map_or_else(|| ".".to_owned(), Field::text));
            table.push([edge(row)].into_iter().chain(cells).collect());
        }
        let n = table[0].len();
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..n).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = format!("{}, in per cent\n", self.title);
        for row in &table {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:>width$}"));
            text += &format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        text
    }
}

/// What the signs of [`Map::text`] mean.
pub const LEGEND: &str = "  both axes are in mean up-runs, a field is half a decade each way and shows the least and the most of its cells;\n  \
     = nothing is sure, - a cell is surely lost, ! later than the reference in some cell\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(task: f64, launch: f64, share: f64, spread: f64) -> Cell {
        let interval = Some((share - spread, share + spread));
        Cell { task, launch, gain: Gain { share, interval, more_late: 0 } }
    }

    #[test]
    fn a_gain_is_the_share_of_the_reference_that_is_saved() {
        let windows: Vec<u64> = (0..8).collect();
        let gain = Gain::of(&[3.0; 8], &[4.0; 8], &windows, 1);
        assert_eq!((gain.share, gain.interval), (0.25, Some((0.25, 0.25))));
        assert_eq!(gain.verdict(), Verdict::Won);
        let loss = Gain::of(&[5.0; 8], &[4.0; 8], &windows, 1);
        assert_eq!((loss.share, loss.verdict()), (-0.25, Verdict::Lost));
        let unsure = Gain::of(&[3.0; 8], &[4.0; 8], &[7; 8], 1);
        assert_eq!((unsure.interval, unsure.verdict()), (None, Verdict::Even));
    }

    #[test]
    fn losing_cells_are_seen_whatever_else_lies_in_their_field() {
        let cells =
            [cell(0.02, 0.05, 0.4, 0.1), cell(0.025, 0.06, -0.2, 0.1), cell(2.0, 0.05, 0.01, 0.1)];
        let map = Map::of("gain".to_owned(), &cells);
        assert_eq!(map.fields.len(), 2);
        assert_eq!((map.fields[0].ends(), map.fields[0].has_lost()), ((-0.2, 0.4), true));
        assert!(map.fields[1].is_even());
        let text = map.text();
        assert!(text.contains("-20..+40-") && text.contains("+1="), "{text}");
        assert!(text.contains("0.01 ") && text.contains("1.0"), "{text}");
    }

    #[test]
    fn up_runs_are_the_spans_with_room() {
        use crate::steps::Steps;
        let hour = Duration::from_secs(3_600);
        let node = spec::Resources::default();
        let zone = |counts: Vec<u32>| {
            let mut zone = VirtualZone::steady("z", node.clone(), 1);
            zone.available = Steps::from_ticks(Timestamp(0), hour, counts);
            zone
        };
        let zones = [zone(vec![0, 2, 1, 0, 0, 1, 0]), zone(vec![1, 0]), zone(vec![1])];
        let traced = Duration(7 * hour.0);
        let mean = mean_up_run(&zones, &[false, false, true], traced);
        assert_eq!(mean, Some(Duration(4 * hour.0 / 3)));
        assert_eq!(mean_up_run(&zones, &[true; 3], traced), None);
    }
}
