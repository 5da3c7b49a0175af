//! Samples at any times, laid on a grid of equal steps. Where nothing was measured nothing is known.
//!
//! Knows samples in order of time, see [`tidy`](crate::tidy::tidy); does not know what they
//! measure. What a sample says holds until the next, but not much longer than the samples before it
//! were apart: so neither jitter nor a past kept at several densities makes gaps, and a missed
//! sample does. A step is known when samples speak for at least half of it, and depends on no sample
//! after its end, but for the change of a counter, which the next reading tells.

use serde::{Deserialize, Serialize};
use spec::Timestamp;

use crate::counter;
use crate::recording::{Flaw, Sample};

/// The most steps that a grid has: nine years of five minutes.
pub const STEPS_MAX: usize = 1_000_000;

/// A sample holds longer than samples are usually apart by one part in so many: late ones make no
/// gap, and of a missed one less than half a step is covered.
const SLACK: i64 = 4;

/// Samples before one that say how long it holds.
const NEIGHBOURS: usize = 8;

/// Equal steps, each known or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Beginning of the first step, a multiple of the step since 1970.
    pub start: Timestamp,
    /// Length of each.
    pub step_seconds: u32,
    /// Step by step; none where it is not known.
    pub values: Vec<Option<f64>>,
}

/// What a step is, of what the samples say during it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Their mean, weighted by how long each holds.
    Mean,
    /// The last.
    Last,
    /// The least: what was not there all the time cannot be counted on.
    Least,
    /// The last, each holding until the next, however long that takes: for what is only recorded
    /// when it changes.
    Held,
    /// Their change per second: they are readings of a counter.
    Rate,
}

impl Grid {
    /// When a step begins.
    #[must_use]
    pub fn at(&self, step: usize) -> Timestamp {
        Timestamp(
            self.start.0.saturating_add(micros(self.step_seconds).saturating_mul(step as i64)),
        )
    }

    /// When the last step ends.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.at(self.values.len())
    }

    /// The step that a moment lies in; none before and after the grid.
    #[must_use]
    pub fn step_of(&self, at: Timestamp) -> Option<usize> {
        let steps = at.0.checked_sub(self.start.0)?.div_euclid(micros(self.step_seconds).max(1));
        usize::try_from(steps).ok().filter(|step| *step < self.values.len())
    }

    /// The same from another beginning and of another length; unknown where it was not.
    ///
    /// # Panics
    /// `start` is not a whole number of steps from the start of this grid.
    #[must_use]
    pub fn over(&self, start: Timestamp, steps: usize) -> Self {
        let distance = start.0 - self.start.0;
        let step = micros(self.step_seconds);
        assert_eq!(distance % step, 0, "grids of one step begin whole steps apart");
        let first = distance / step;
        let value = |i: usize| {
            let here = usize::try_from(first + i as i64).ok()?;
            self.values.get(here).copied().flatten()
        };
        Self { start, values: (0..steps).map(value).collect(), ..*self }
    }

    /// Without the steps that end after a moment.
    #[must_use]
    pub fn until(mut self, end: Timestamp) -> Self {
        let whole = (end.0 - self.start.0).div_euclid(micros(self.step_seconds).max(1));
        self.values.truncate(usize::try_from(whole).unwrap_or(0));
        self
    }
}

/// Leaves of samples that span more than [`STEPS_MAX`] steps the stretch that holds the most.
pub fn shorten(samples: &mut Vec<Sample>, step_seconds: u32) -> Option<Flaw> {
    let longest = micros(step_seconds).saturating_mul(STEPS_MAX as i64 - 2);
    let (mut first, mut best) = (0, 0..0);
    for end in 0..samples.len() {
        while samples[end].at.0 - samples[first].at.0 > longest {
            first += 1;
        }
        if end + 1 - first >= best.len() {
            best = first..end + 1;
        }
    }
    let count = samples.len() - best.len();
    samples.truncate(best.end);
    samples.drain(..best.start);
    (count > 0).then_some(Flaw::TooLong { count })
}

/// Lays samples on the grid that holds them all.
///
/// # Panics
/// `step_seconds` is 0.
#[must_use]
pub fn lay(samples: &[Sample], step_seconds: u32, method: Method) -> Grid {
    assert!(step_seconds > 0, "a step takes time");
    let step = micros(step_seconds);
    let pieces = pieces(samples, step, method);
    let Some((first, last)) = pieces.first().zip(pieces.last()) else {
        return Grid { start: Timestamp(0), step_seconds, values: Vec::new() };
    };
    let start = first.from.div_euclid(step) * step;
    let steps = (last.to - start) / step + 1;
    let mut cells = vec![Cell::default(); usize::try_from(steps).unwrap_or(0).min(STEPS_MAX)];
    for piece in &pieces {
        let from = (piece.from - start) / step;
        for (i, cell) in cells.iter_mut().enumerate().skip(from as usize) {
            let begin = start + i as i64 * step;
            if begin >= piece.to {
                break;
            }
            cell.take(piece.to.min(begin + step) - piece.from.max(begin), piece.value, step);
        }
    }
    let values = cells.iter().map(|cell| cell.value(step, method)).collect();
    trimmed(Grid { start: Timestamp(start), step_seconds, values })
}

/// What holds for a while.
struct Piece {
    from: i64,
    to: i64,
    value: f64,
}

fn pieces(samples: &[Sample], step: i64, method: Method) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(samples.len());
    for (i, sample) in samples.iter().enumerate() {
        let usual = usual_before(samples, i).unwrap_or(step);
        let from = sample.at.0;
        let next = samples.get(i + 1);
        let away = next.map(|next| next.at.0 - from);
        let (to, value) = match (method, next.zip(away)) {
            (Method::Rate, Some((next, away))) if away <= counter::INTERVALS_TOLD * usual => {
                let rise = counter::increase(sample.value, next.value);
                (next.at.0, rise / (away as f64 / 1e6))
            }
            (Method::Rate, _) => continue,
            (Method::Held, Some((next, _))) => (next.at.0, sample.value),
            (Method::Held, None) => ((from.div_euclid(step) + 1) * step, sample.value),
            _ => {
                // Never longer because the next came late: that is known only then.
                let held = from + usual + usual / SLACK;
                (next.map_or(held, |next| next.at.0.min(held)), sample.value)
            }
        };
        // What rises by more than numbers hold rose by nothing that is known.
        if f64::is_finite(value) {
            pieces.push(Piece { from, to, value });
        }
    }
    pieces
}

/// The median distance of the samples up to this one.
fn usual_before(samples: &[Sample], i: usize) -> Option<i64> {
    let before = &samples[i.saturating_sub(NEIGHBOURS)..=i];
    let mut gaps = [0; NEIGHBOURS];
    let n = before.len() - 1;
    for (gap, pair) in gaps.iter_mut().zip(before.windows(2)) {
        *gap = pair[1].at.0 - pair[0].at.0;
    }
    gaps[..n].sort_unstable();
    (n > 0).then(|| gaps[(n - 1) / 2])
}

/// What was said during one step.
#[derive(Clone, Default)]
struct Cell {
    held: i64,
    /// Each value times the share of the step that it held.
    sum: f64,
    min: f64,
    max: f64,
    last: f64,
}

impl Cell {
    fn take(&mut self, held: i64, value: f64, step: i64) {
        if self.held == 0 {
            (self.min, self.max) = (value, value);
        }
        self.held += held;
        self.sum += held as f64 / step as f64 * value;
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
        self.last = value;
    }

    fn value(&self, step: i64, method: Method) -> Option<f64> {
        if 2 * self.held < step {
            return None;
        }
        Some(match method {
            // Rounding must not lead out of what was measured.
            Method::Mean | Method::Rate => {
                (self.sum / (self.held as f64 / step as f64)).clamp(self.min, self.max)
            }
            Method::Least => self.min,
            Method::Last | Method::Held => self.last,
        })
    }
}

/// Without unknown steps at either end.
fn trimmed(mut grid: Grid) -> Grid {
    let known = grid.values.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    grid.values.truncate(known);
    let unknown = grid.values.iter().position(Option::is_some).unwrap_or(0);
    grid.start = grid.at(unknown);
    grid.values.drain(..unknown);
    grid
}

fn micros(seconds: u32) -> i64 {
    i64::from(seconds) * 1_000_000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recording::{Measure, Recording};
    use crate::tidy;
    use crate::wait::Asked;

    fn at(seconds: i64, value: f64) -> Sample {
        Sample { at: Timestamp(seconds * 1_000_000), value }
    }

    #[test]
    fn samples_at_the_steps_are_the_steps_and_a_missed_one_is_unknown() {
        let samples = [at(600, 0.1), at(900, 0.2), at(1500, 0.4), at(1800, 0.5)];
        let grid = lay(&samples, 300, Method::Mean);
        assert_eq!(grid.start, Timestamp(600_000_000));
        assert_eq!(grid.values, [Some(0.1), Some(0.2), None, Some(0.4), Some(0.5)]);
        assert_eq!(grid.step_of(Timestamp(1_500_000_000)), Some(3));
        assert_eq!(grid.step_of(Timestamp(599_000_000)), None);
        assert_eq!(grid.end(), Timestamp(2_100_000_000));
    }

    #[test]
    fn jitter_makes_no_gap() {
        let samples: Vec<Sample> =
            (0..50).map(|i| at(i * 300 + [299, 1, 150][i as usize % 3], 1.0)).collect();
        let grid = lay(&samples, 300, Method::Mean);
        assert!(grid.values.iter().all(Option::is_some), "{:?}", grid.values);
    }

    #[test]
    fn a_past_that_was_thinned_out_has_no_gaps() {
        let hours = (0..48).map(|i| i * 3600);
        let fives = (0..100).map(|i| 48 * 3600 + i * 300);
        let raw = (0..500).map(|i| 48 * 3600 + 100 * 300 + i * 30);
        let samples: Vec<Sample> = hours.chain(fives).chain(raw).map(|t| at(t, 2.0)).collect();
        let grid = lay(&samples, 300, Method::Mean);
        // How long the first holds cannot be known before the second.
        assert_eq!(grid.values[..13], [[Some(2.0)].as_slice(), &[None; 11], &[Some(2.0)]].concat());
        assert!(grid.values[12..].iter().all(|value| *value == Some(2.0)));
    }

    #[test]
    fn the_mean_weighs_by_time_and_a_price_holds_until_the_next() {
        let samples = [at(0, 1.0), at(60, 2.0), at(120, 2.0), at(180, 2.0), at(240, 5.0)];
        assert_eq!(lay(&samples, 300, Method::Mean).values, [Some(2.4)]);
        assert_eq!(lay(&samples, 300, Method::Last).values, [Some(5.0)]);
        assert_eq!(lay(&samples, 300, Method::Least).values, [Some(1.0)]);
        let price = [at(0, 3.0), at(86_400, 4.0)];
        assert_eq!(lay(&price, 3600, Method::Held).values.len(), 25);
        assert!(lay(&price, 3600, Method::Held).values.iter().all(Option::is_some));
    }

    #[test]
    fn grids_are_brought_over_one_another() {
        let grid = lay(&[at(600, 1.0), at(900, 2.0)], 300, Method::Mean);
        let over = grid.over(Timestamp(300_000_000), 5);
        assert_eq!(over.values, [None, Some(1.0), Some(2.0), None, None]);
        assert_eq!(grid.until(Timestamp(1_100_000_000)).values, [Some(1.0)]);
    }

    #[test]
    fn a_recording_that_spans_ages_is_cut_to_where_it_is_dense() {
        let mut samples: Vec<Sample> = (0..100).map(|i| at(1_700_000_000 + i * 60, 1.0)).collect();
        samples.insert(0, at(0, 1.0));
        samples.push(at(4_000_000_000, 1.0));
        assert_eq!(shorten(&mut samples, 60), Some(Flaw::TooLong { count: 2 }));
        assert_eq!(samples.len(), 100);
    }

    /// Samples with all that can be wrong with them.
    fn anything() -> impl Strategy<Value = Vec<Sample>> {
        let time = prop_oneof![
            8 => (0_i64..200_000).prop_map(|s| 1_700_000_000_000_000 + s * 500_000),
            1 => any::<i64>(),
        ];
        let value = prop_oneof![
            8 => 0.0..2.0,
            1 => any::<f64>(),
            1 => Just(f64::NAN),
        ];
        prop::collection::vec(
            (time, value).prop_map(|(at, value)| Sample { at: Timestamp(at), value }),
            0..200,
        )
    }

    fn measure() -> impl Strategy<Value = Measure> {
        prop::sample::select(vec![
            Measure::Cpu,
            Measure::NetworkIn,
            Measure::Price,
            Measure::Memory,
            Measure::Named("x_total".into()),
        ])
    }

    proptest! {
        #[test]
        fn whatever_was_measured_the_grid_is_bounded_and_finite(
            samples in anything(), measure in measure(), step in 1_u32..100_000,
        ) {
            let gridded = Recording { zone: "z".into(), measure, asked: Asked::default(), samples }.grid(step);
            let values = &gridded.grid.values;
            prop_assert!(values.len() <= STEPS_MAX);
            prop_assert!(values.iter().flatten().all(|value| value.is_finite()));
            prop_assert_eq!(gridded.grid.start.0.rem_euclid(micros(step)), 0);
            prop_assert!(values.is_empty() || (values[0].is_some() && values[values.len() - 1].is_some()));
        }

        #[test]
        fn order_and_repetition_of_arrival_do_not_change_the_grid(
            values in prop::collection::vec(0.0..1.0_f64, 1..80),
            shuffle in any::<prop::sample::Index>(),
        ) {
            let ordered: Vec<Sample> =
                values.iter().enumerate().map(|(i, &value)| at(i as i64 * 60, value)).collect();
            let mut other = ordered.clone();
            let cut = shuffle.index(other.len());
            other.rotate_left(cut);
            other.extend_from_slice(&ordered[..cut]);
            let grid_of = |samples: &[Sample]| lay(&tidy::tidy(samples).0, 300, Method::Mean);
            prop_assert_eq!(grid_of(&other), grid_of(&ordered));
        }

        #[test]
        fn a_step_depends_on_no_sample_after_its_end(
            samples in anything(), cut in 0_i64..100_000,
        ) {
            let mut samples = tidy::tidy(&samples).0;
            shorten(&mut samples, 300);
            let cut = Timestamp(1_700_000_000_000_000 + cut * 1_000_000);
            let known: Vec<Sample> = samples.iter().filter(|s| s.at < cut).copied().collect();
            for method in [Method::Mean, Method::Last, Method::Least, Method::Held] {
                let all = lay(&samples, 300, method);
                let past = lay(&known, 300, method);
                for step in 0..past.values.len() {
                    let begin = past.at(step);
                    if past.at(step + 1) <= cut {
                        let whole = all.step_of(begin).and_then(|step| all.values[step]);
                        prop_assert_eq!(past.values[step], whole);
                    }
                }
            }
        }

        /// The sum over all steps is what the counter rose by.
        #[test]
        fn the_rates_of_a_counter_add_up_to_its_rise(
            rises in prop::collection::vec(0.0..1e9_f64, 30..200),
        ) {
            let mut total = 0.0;
            let samples: Vec<Sample> = rises.iter().enumerate().map(|(i, rise)| {
                total += rise;
                at(i as i64 * 60, total)
            }).collect();
            let grid = lay(&samples, 60, Method::Rate);
            let sum: f64 = grid.values.iter().flatten().map(|rate| rate * 60.0).sum();
            let rise = total - rises[0];
            prop_assert!((sum - rise).abs() <= 1e-9 * rise.max(1.0));
        }
    }
}
