//! The model card: what made a forecast, what it learned from, and how good it has been.
//!
//! Knows the tracks of a predictor. Scores are of forecasts that were made before their outcome was
//! known, on the way; they cost nothing and read nothing ahead. They are of the pool of experts,
//! before the recalibration that follows drift.

use schemars::JsonSchema;
use serde::Serialize;

use crate::learning::NAIVE;
use crate::score::Score;
use crate::table;
use crate::target::Kind;
use crate::track::Track;

/// What made a forecast.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ModelCard {
    /// What it is, in a word.
    pub model: String,
    /// Steps of the past that are kept to learn from.
    pub steps_kept: usize,
    /// Seconds from one step to the next.
    pub step_seconds: u32,
    /// Each statement and horizon that is learned; between them, forecasts are interpolated.
    pub targets: Vec<TargetCard>,
}

/// What is said about one statement at one horizon.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TargetCard {
    /// `up` or `survival`.
    pub statement: String,
    /// How far ahead.
    pub horizon_minutes: u32,
    /// On how many rows the learned models were fitted last; 0 while tables alone speak.
    pub rows_fitted: usize,
    /// Who has a part in it, the greatest first.
    pub experts: Vec<Expert>,
    /// What the recalibration adds to log-odds.
    pub level: f64,
    /// What the recalibration multiplies log-odds by.
    pub slope: f64,
    /// The part that the recalibration has earned, 0 to 1.
    pub trust: f64,
    /// How good its forecasts have been; null before the first outcome.
    pub scores: Option<Scores>,
}

/// An expert and its weight.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Expert {
    /// Its name.
    pub name: String,
    /// Its part in the blend; all together are 1.
    pub weight: f64,
}

/// How good forecasts have been.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Scores {
    /// How many.
    pub forecasts: usize,
    /// The share that came true.
    pub base_rate: f64,
    /// Mean squared distance from what came.
    pub brier: f64,
    /// The same of the rate of all that had been known by then.
    pub brier_of_climatology: f64,
    /// The share of that which was taken away.
    pub skill: f64,
    /// In nats.
    pub log_loss: f64,
    /// Expected calibration error, in ten bins.
    pub calibration_error: f64,
}

impl Scores {
    fn of(score: &Score, climatology: &Score) -> Option<Self> {
        (score.rows() > 0).then(|| Self {
            forecasts: score.rows(),
            base_rate: score.base_rate(),
            brier: score.brier(),
            brier_of_climatology: climatology.brier(),
            skill: score.skill(climatology),
            log_loss: score.log_loss(),
            calibration_error: score.ece(),
        })
    }
}

impl TargetCard {
    pub(crate) fn of(track: &Track, names: &[String]) -> Self {
        let mut weights = track.blend().weights();
        if track.rows_fitted() == 0 {
            // Models that are not fitted say what this table says.
            let learned: f64 = weights.drain(NAIVE.min(weights.len())..).sum();
            weights[table::SEMI_MARKOV] += learned;
        }
        let mut experts: Vec<Expert> = names
            .iter()
            .zip(weights)
            .filter(|(_, weight)| *weight > 0.001)
            .map(|(name, weight)| Expert { name: name.clone(), weight })
            .collect();
        experts.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let (level, slope) = track.blend().calibration();
        let (score, climatology) = track.scores();
        Self {
            statement: match track.target().kind {
                Kind::Up => "up",
                Kind::Survival => "survival",
            }
            .to_owned(),
            horizon_minutes: track.target().minutes,
            rows_fitted: track.rows_fitted(),
            experts,
            level,
            slope,
            trust: track.blend().trust(),
            scores: Scores::of(&score, &climatology),
        }
    }
}
