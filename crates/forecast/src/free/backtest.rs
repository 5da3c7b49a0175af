//! A rolling-origin backtest of quantiles of an amount.
//!
//! The first 60 % of a series is only learned from. Then the end of every hour is an origin: what the
//! mean of the hour that ends 1, 3, 6, 12 or 24 hours later will be is said and held against what
//! came; the predictor goes on learning. Outcomes are read off the record here and nowhere else.
//!
//! Beside the predictor stand three baselines: the last value, the value a day before the target,
//! and the mean at the target's hour of the day, each with the quantiles of its errors in the part
//! that is only learned from.

use super::levels::{self, INTERVAL, LEVELS, Quantiles};
use super::{FreePredictor, Settings};

/// Hours ahead that are tested.
pub const HORIZONS: [usize; 5] = [1, 3, 6, 12, 24];
/// Who forecasts: the predictor, then the baselines.
pub const FORECASTERS: [&str; 4] = ["foreshard", "last value", "seasonal naive", "hour of day"];
/// Hours from which on errors of the baselines are taken.
const WARM: usize = 30;

/// A recorded series.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its name.
    pub name: String,
    /// Seconds from one step to the next.
    pub step_seconds: u32,
    /// The amount at each step, none where it is not known.
    pub amounts: Vec<Option<f64>>,
    /// What it can never exceed, where that is known.
    pub capacity: Option<f64>,
}

/// Why a series cannot be tested.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// It has less than three days.
    #[error("{0} has less than three days of known hours")]
    Short(String),
}

/// Sums over forecasts whose outcome is known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// How many.
    pub rows: usize,
    loss: f64,
    size: f64,
    covered: usize,
}

impl Sums {
    fn add(&mut self, quantiles: &Quantiles, value: f64) {
        self.rows += 1;
        self.loss += levels::loss(quantiles, value);
        self.size += value.abs();
        let inside = (quantiles[INTERVAL.0]..=quantiles[INTERVAL.1]).contains(&value);
        self.covered += usize::from(inside);
    }

    /// Twice the mean pinball loss over 19 levels as a share of the mean size of what came; 0 where
    /// all of it was 0 and said to be; NaN of nothing.
    #[must_use]
    pub fn wql(&self) -> f64 {
        if self.rows > 0 && self.loss <= 0.0 { 0.0 } else { self.loss / self.size }
    }

    /// The share within the 80 % interval, its ends included; NaN of nothing.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        self.covered as f64 / self.rows as f64
    }
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// For each horizon, for each forecaster.
    pub cells: [[Sums; FORECASTERS.len()]; HORIZONS.len()],
    /// For each horizon in minutes, the experts with their weights at the end.
    pub weights: Vec<(u32, Vec<(&'static str, f64)>)>,
}

/// Tests the forecasts that these settings make of a series; of each hour its mean.
///
/// # Errors
/// It is too short.
pub fn run(recorded: &Recorded, settings: &Settings) -> Result<Outcome, Error> {
    let an_hour = (3600 / recorded.step_seconds.max(1) as usize).max(1);
    let hours = hours_of(&recorded.amounts, an_hour);
    if hours.iter().filter(|hour| hour.is_some()).count() < 72 {
        return Err(Error::Short(recorded.name.clone()));
    }
    let cut = hours.len() * 6 / 10;
    let errors = HORIZONS.map(|h| Baseline::ALL.map(|b| b.errors(&hours[..cut], h)));
    let step_seconds = recorded.step_seconds;
    let settings = Settings { step_seconds, mean_over: an_hour, ..*settings };
    let mut predictor = FreePredictor::new(&[recorded.capacity], settings);
    let mut cells = [[Sums::default(); FORECASTERS.len()]; HORIZONS.len()];
    for i in 0..hours.len() {
        for &amount in &recorded.amounts[i * an_hour..(i + 1) * an_hour] {
            predictor.observe(&[amount]);
        }
        if i < cut {
            continue;
        }
        for (j, &h) in HORIZONS.iter().enumerate() {
            let Some(value) = hours.get(i + h).copied().flatten() else { continue };
            let Some(said) = predictor.quantiles(0, h * an_hour) else { continue };
            cells[j][0].add(&said, value);
            for (b, baseline) in Baseline::ALL.into_iter().enumerate() {
                let point = baseline.at(&hours[..=i], h).unwrap_or(0.0);
                cells[j][b + 1].add(&errors[j][b].map(|error| point + error), value);
            }
        }
    }
    Ok(Outcome { cells, weights: predictor.weights(0) })
}

/// The mean of each whole hour of which at least half is known.
fn hours_of(amounts: &[Option<f64>], an_hour: usize) -> Vec<Option<f64>> {
    let mean = |hour: &[Option<f64>]| {
        let known: Vec<f64> = hour.iter().copied().flatten().filter(|a| a.is_finite()).collect();
        let is_known = 2 * known.len() >= hour.len();
        is_known.then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    amounts.chunks_exact(an_hour).map(mean).collect()
}

#[derive(Clone, Copy, Debug)]
enum Baseline {
    LastValue,
    SeasonalNaive,
    HourOfDay,
}

impl Baseline {
    const ALL: [Self; 3] = [Self::LastValue, Self::SeasonalNaive, Self::HourOfDay];

    /// Its point `h` hours after the last; the last known value where it has none of its own.
    fn at(self, hours: &[Option<f64>], h: usize) -> Option<f64> {
        let last = hours.iter().rev().copied().flatten().next();
        let target = hours.len() - 1 + h;
        let own = match self {
            Self::LastValue => None,
            Self::SeasonalNaive => {
                target.checked_sub(24).and_then(|t| hours.get(t).copied().flatten())
            }
            Self::HourOfDay => {
                let same = hours.iter().skip(target % 24).step_by(24).copied().flatten();
                let (n, sum) = same.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value));
                (n > 0.0).then(|| sum / n)
            }
        };
        own.or(last)
    }

    /// The quantiles of its errors on a part.
    fn errors(self, hours: &[Option<f64>], h: usize) -> Quantiles {
        let error = |i: usize| Some(hours[i + h]? - self.at(&hours[..=i], h)?);
        let mut errors: Vec<f32> = (WARM..hours.len().saturating_sub(h))
            .filter_map(|i| error(i).map(|error| error as f32))
            .collect();
        errors.sort_unstable_by(f32::total_cmp);
        levels::of_sorted(&errors).unwrap_or([0.0; LEVELS])
    }
}
