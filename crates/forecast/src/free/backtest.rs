//! A rolling-origin backtest of quantiles of an amount.
//!
//! The first 60 % of a series is only learned from. Then the end of every hour is an origin: what the
//! mean of the hour that ends 1, 3, 6, 12 or 24 hours later will be is said and held against what
//! came; the predictor goes on learning. Outcomes are read off the record here and nowhere else.
//!
//! Beside the predictor stand three baselines: the last value, the value a day before the target,
//! and the mean at the target's hour of the day, each with the quantiles of its errors in the part
//! that is only learned from. What an input was worth is seen by two tests of the same series, one
//! of them without it: losses are kept in pairs of origin and horizon.

use super::levels::{self, INTERVAL, LEVELS, Quantiles};
use super::{FreePredictor, Settings};
use crate::covariates::Covariates;
use crate::worth::{Pair, Worth};

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
    pub(crate) fn add(&mut self, quantiles: &Quantiles, value: f64) {
        self.rows += 1;
        self.loss += levels::loss(quantiles, value);
        self.size += value.abs();
        let inside = (quantiles[INTERVAL.0]..=quantiles[INTERVAL.1]).contains(&value);
        self.covered += usize::from(inside);
    }

    /// The mean continuous ranked probability score: twice the pinball loss, over 19 levels, in the unit
    /// of what came; NaN of nothing.
    #[must_use]
    pub fn crps(&self) -> f64 {
        self.loss / self.rows as f64
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

/// What a forecast of the predictor lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// The hour at whose end it was made.
    pub origin: usize,
    /// The index of its horizon.
    pub horizon: usize,
    /// Twice the mean pinball loss over the levels, in the unit of the amount.
    pub loss: f64,
    /// The size of what came.
    pub size: f64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Every forecast of the predictor, in order.
    pub losses: Vec<Loss>,
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
    run_group(std::slice::from_ref(recorded), settings, &[])
        .pop()
        .expect("there is one outcome for each series")
}

/// Tests the forecasts of series that were sampled together, with steps as long as those of the
/// first, by one predictor of all; of each hour its mean. `ahead` is what is known ahead of each, or
/// nothing; inputs that are not the same for all are as good as none. An outcome for each series,
/// or that it is too short.
#[must_use]
pub fn run_group(
    recorded: &[Recorded],
    settings: &Settings,
    ahead: &[Covariates],
) -> Vec<Result<Outcome, Error>> {
    let step_seconds = recorded.first().map_or(300, |series| series.step_seconds.max(1));
    let an_hour = (3600 / step_seconds as usize).max(1);
    let capacities: Vec<Option<f64>> = recorded.iter().map(|series| series.capacity).collect();
    let settings = Settings { step_seconds, mean_over: an_hour, ..*settings };
    let bare = FreePredictor::new(&capacities, settings);
    let told = bare.clone().with_covariates(ahead.to_vec());
    let mut predictor = if ahead.is_empty() { bare } else { told.unwrap_or(bare) };
    let mut tests: Vec<Test> = recorded.iter().map(|one| Test::new(one, an_hour)).collect();
    let hours = tests.iter().map(|test| test.hours.len()).max().unwrap_or(0);
    for i in 0..hours {
        for t in i * an_hour..(i + 1) * an_hour {
            let at = |series: &Recorded| series.amounts.get(t).copied().flatten();
            predictor.observe(&recorded.iter().map(at).collect::<Vec<_>>());
        }
        for (s, test) in tests.iter_mut().enumerate() {
            test.score(i, |h| predictor.quantiles(s, h * an_hour));
        }
    }
    let each = tests.into_iter().enumerate();
    each.map(|(s, test)| test.outcome(predictor.weights(s))).collect()
}

/// What an input was worth for series of one measure or of several, at one horizon or at all: two
/// tests of each series, with the input and without it. Scores are WQL, the mean over series; none
/// where there is no forecast.
#[must_use]
pub fn worth(pairs: &[(&Outcome, &Outcome)], horizon: Option<usize>) -> Option<Worth> {
    let is_meant = |loss: &&Loss| horizon.is_none_or(|at| at == loss.horizon);
    let of = |(with, without): &(&Outcome, &Outcome)| -> Vec<Pair> {
        let sizes: Vec<f64> = with.losses.iter().filter(is_meant).map(|loss| loss.size).collect();
        // Series of any size count alike.
        let size = (sizes.iter().sum::<f64>() / sizes.len() as f64).max(f64::MIN_POSITIVE);
        let both = with.losses.iter().zip(&without.losses).filter(|(one, _)| is_meant(one));
        both.map(|(one, other)| Pair {
            day: one.origin / 24,
            with: one.loss / size,
            without: other.loss / size,
        })
        .collect()
    };
    Worth::of_pairs(pairs.iter().flat_map(of))
}

/// A series under test.
struct Test {
    name: String,
    hours: Vec<Option<f64>>,
    is_short: bool,
    cut: usize,
    errors: [[Quantiles; Baseline::ALL.len()]; HORIZONS.len()],
    cells: [[Sums; FORECASTERS.len()]; HORIZONS.len()],
    losses: Vec<Loss>,
}

impl Test {
    fn new(recorded: &Recorded, an_hour: usize) -> Self {
        let hours = hours_of(&recorded.amounts, an_hour);
        let cut = hours.len() * 6 / 10;
        Self {
            name: recorded.name.clone(),
            errors: HORIZONS.map(|h| Baseline::ALL.map(|b| b.errors(&hours[..cut], h))),
            cells: [[Sums::default(); FORECASTERS.len()]; HORIZONS.len()],
            losses: Vec::new(),
            is_short: hours.iter().filter(|hour| hour.is_some()).count() < 72,
            hours,
            cut,
        }
    }

    /// Holds what is said at the end of an hour against what came.
    fn score(&mut self, origin: usize, say: impl Fn(usize) -> Option<Quantiles>) {
        if origin < self.cut || self.is_short {
            return;
        }
        for (j, &h) in HORIZONS.iter().enumerate() {
            let Some(value) = self.hours.get(origin + h).copied().flatten() else { continue };
            let Some(said) = say(h) else { continue };
            self.cells[j][0].add(&said, value);
            let (loss, size) = (levels::loss(&said, value), value.abs());
            self.losses.push(Loss { origin, horizon: j, loss, size });
            for (b, baseline) in Baseline::ALL.into_iter().enumerate() {
                let point = baseline.at(&self.hours[..=origin], h).unwrap_or(0.0);
                self.cells[j][b + 1].add(&self.errors[j][b].map(|error| point + error), value);
            }
        }
    }

    fn outcome(self, weights: Vec<(u32, Vec<(&'static str, f64)>)>) -> Result<Outcome, Error> {
        if self.is_short {
            return Err(Error::Short(self.name));
        }
        Ok(Outcome { losses: self.losses, cells: self.cells, weights })
    }
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
