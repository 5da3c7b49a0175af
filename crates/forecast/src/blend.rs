//! One forecast out of many: a pool whose weights follow what came true, then a recalibration.
//!
//! Knows log-odds of experts and labels as they become known, nothing of how experts work.
//!
//! The pool is logarithmic (Genest and Zidek, 1986): a weighted mean of log-odds. Weights are
//! exponential in each expert's log loss so far, old losses counting less, around prior weights. A
//! loss counts only for what is new in it: labels of origins closer together than the horizon
//! repeat each other. The recalibration (Platt, 1999) moves level and slope to what came true in
//! the last days; both are held to 0 and 1, the stronger the less there was to learn from. This is
//! what follows a drift of the level faster than any expert. Where nothing drifts it only adds noise:
//! so it has a part in the forecast as large as its own past losses, against those of the bare pool,
//! have earned.

use std::collections::VecDeque;

use crate::logistic;
use crate::odds::{sigmoid, softplus};

/// How fast weights leave the prior.
const RATE: f64 = 0.07;
/// Days after which a loss counts half for the weights.
const LOSS_HALF_LIFE_DAYS: f64 = 20.0;
/// Days after which a label counts half for the recalibration.
const LEVEL_HALF_LIFE_DAYS: f64 = 0.7;
/// Half-lives after which a label is forgotten.
const HALF_LIVES: f64 = 8.0;
/// What holds level and slope.
const RIDGE: [f64; 2] = [20.0, 30.0];
/// Days of history at which that hold is still doubled; with fewer it grows with their square, and the
/// recalibration has less of a part.
const TRUSTED_DAYS: f64 = 10.0;
/// How often level and slope are fitted again, in days.
const REFIT_DAYS: f64 = 0.25;
/// How fast the recalibration gains and loses trust.
const TRUST_RATE: f64 = 0.3;
/// Days after which a loss counts half for that trust.
const TRUST_HALF_LIFE_DAYS: f64 = 10.0;
/// The most labels that level and slope are fitted on.
const LABELS: usize = 6000;

/// What is spoken of as an expert's opinion.
type LogOdds = f32;

/// The blend of one target.
#[derive(Clone, Debug)]
pub struct Blend {
    prior: Vec<f64>,
    losses: Vec<f64>,
    /// What of a label is new.
    news: f64,
    day: f64,
    recent: VecDeque<Resolved>,
    level: f64,
    slope: f64,
    /// How much more the recalibration lost than the bare pool.
    excess: f64,
    first: Option<usize>,
    now: usize,
    next_fit: usize,
}

/// A pooled forecast and what became of it.
#[derive(Clone, Copy, Debug)]
struct Resolved {
    known_at: usize,
    pooled: LogOdds,
    label: f32,
}

impl Blend {
    /// A blend of experts with these prior weights, for a horizon of so many minutes; `thinned` is
    /// how many origins each one that is learned from stands for.
    #[must_use]
    pub fn new(prior: &[f64], minutes: u32, step_seconds: u32, thinned: usize) -> Self {
        let total: f64 = prior.iter().sum();
        let news = (15.0 / f64::from(minutes.max(15))) * thinned as f64;
        Self {
            prior: prior.iter().map(|weight| weight / total).collect(),
            losses: vec![0.0; prior.len()],
            news,
            day: 86_400.0 / f64::from(step_seconds),
            recent: VecDeque::new(),
            level: 0.0,
            slope: 1.0,
            excess: 0.0,
            first: None,
            now: 0,
            next_fit: 0,
        }
    }

    /// The weights now; they sum to 1.
    #[must_use]
    pub fn weights(&self) -> Vec<f64> {
        let least = self
            .losses
            .iter()
            .zip(&self.prior)
            .filter(|(_, prior)| **prior > 0.0)
            .map(|(loss, _)| *loss)
            .fold(f64::INFINITY, f64::min);
        let raw: Vec<f64> = self
            .losses
            .iter()
            .zip(&self.prior)
            .map(|(loss, prior)| prior * (-RATE * (loss - least)).exp())
            .collect();
        let total: f64 = raw.iter().sum();
        raw.into_iter().map(|weight| weight / total).collect()
    }

    /// The pooled log-odds, before recalibration.
    #[must_use]
    pub fn pool(&self, experts: &[LogOdds]) -> LogOdds {
        let weighted = self.weights().into_iter().zip(experts);
        weighted.map(|(weight, odds)| weight * f64::from(*odds)).sum::<f64>() as f32
    }

    /// The log-odds with level and slope moved, trusted or not.
    #[must_use]
    pub fn moved(&self, pooled: LogOdds) -> f64 {
        (self.level + self.slope * f64::from(pooled)).clamp(-7.0, 7.0)
    }

    /// The forecast: pooled log-odds, recalibrated as far as recalibration has earned it.
    #[must_use]
    pub fn recalibrate(&self, pooled: LogOdds) -> f64 {
        let trust = self.trust();
        (1.0 - trust) * f64::from(pooled) + trust * self.moved(pooled)
    }

    /// The part that recalibration has in the forecast, from 0 to 1.
    #[must_use]
    pub fn trust(&self) -> f64 {
        // Few days show neither a drift nor that there is none.
        let days = self.first.map_or(0.0, |first| (self.now - first) as f64 / self.day);
        (days / TRUSTED_DAYS).min(1.0) * sigmoid(-TRUST_RATE * self.excess)
    }

    /// Level and slope of the recalibration; 0 and 1 where it changes nothing.
    #[must_use]
    pub fn calibration(&self) -> (f64, f64) {
        (self.level, self.slope)
    }

    /// What became of a forecast is known at step `now`: `moved` is what [`Blend::moved`] said then.
    pub fn learn(
        &mut self,
        experts: &[LogOdds],
        pooled: LogOdds,
        moved: LogOdds,
        label: bool,
        now: usize,
    ) {
        let sign = if label { -1.0 } else { 1.0 };
        for (loss, odds) in self.losses.iter_mut().zip(experts) {
            *loss += self.news * softplus(sign * f64::from(*odds));
        }
        let loss = |odds: LogOdds| softplus(sign * f64::from(odds));
        self.excess += self.news.sqrt() * (loss(moved) - loss(pooled));
        self.first.get_or_insert(now);
        let label = f32::from(u8::from(label));
        self.recent.push_back(Resolved { known_at: now, pooled, label });
    }

    /// A step has passed; from time to time the recalibration is fitted again.
    pub fn tick(&mut self, now: usize) {
        self.now = now;
        let keep = 0.5_f64.powf(1.0 / (LOSS_HALF_LIFE_DAYS * self.day));
        self.losses.iter_mut().for_each(|loss| *loss *= keep);
        self.excess *= 0.5_f64.powf(1.0 / (TRUST_HALF_LIFE_DAYS * self.day));
        let Some(first) = self.first else { return };
        if now < self.next_fit {
            return;
        }
        self.next_fit = now + (REFIT_DAYS * self.day).ceil() as usize;
        let window = (HALF_LIVES * LEVEL_HALF_LIFE_DAYS * self.day) as usize;
        while self.recent.front().is_some_and(|oldest| oldest.known_at + window < now) {
            self.recent.pop_front();
        }
        self.fit(now, (now - first) as f64 / self.day);
    }

    fn fit(&mut self, now: usize, days: f64) {
        if self.recent.len() < 10 {
            (self.level, self.slope) = (0.0, 1.0);
            return;
        }
        let every = self.recent.len().div_ceil(LABELS);
        let (mut rows, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for resolved in self.recent.iter().rev().step_by(every) {
            let age = (now - resolved.known_at) as f64 / self.day;
            // The level is what overlapping labels agree on: they count by the root of the overlap.
            let news = self.news.sqrt() * every as f64;
            rows.extend([1.0, resolved.pooled]);
            targets.push(resolved.label);
            weights.push((news * 0.5_f64.powf(age / LEVEL_HALF_LIFE_DAYS)) as f32);
        }
        let hold = 1.0 + (TRUSTED_DAYS / days.max(0.5)).powi(2);
        let lesson = logistic::Lesson {
            rows: &rows,
            width: 2,
            targets: &targets,
            weights: &weights,
            offsets: &[],
            ridge: &RIDGE.map(|ridge| ridge * hold),
            centre: &[0.0, 1.0],
        };
        let fitted = logistic::fit(&lesson, &[self.level, self.slope]);
        (self.level, self.slope) = (fitted[0], fitted[1].max(0.05));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Stream;

    /// Feeds `n` labels that are true with probability `truth(i)` to experts that always say `says`.
    fn fed(says: &[f32], n: usize, truth: impl Fn(usize) -> f64) -> Blend {
        let mut blend = Blend::new(&vec![1.0; says.len()], 15, 300, 1);
        let mut stream = Stream::new(11);
        for i in 0..n {
            let pooled = blend.pool(says);
            let moved = blend.moved(pooled) as f32;
            blend.learn(says, pooled, moved, stream.uniform() < truth(i), i);
            blend.tick(i);
        }
        blend
    }

    #[test]
    fn weight_goes_to_who_was_right() {
        let blend = fed(&[2.0, -2.0, 0.0], 2000, |_| 0.88);
        let weights = blend.weights();
        assert!(weights[0] > 0.95, "{weights:?}");
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_level_follows_a_drift() {
        // Ten days of one level, then two of another.
        let blend = fed(&[0.0], 12 * 288, |i| if i < 10 * 288 { 0.5 } else { 0.9 });
        let p = sigmoid(blend.recalibrate(blend.pool(&[0.0])));
        assert!(p > 0.65, "more than a third of the way: {p}");
    }

    #[test]
    fn a_recalibration_gains_its_part_day_by_day_and_loses_it_where_it_harms() {
        let mut blend = Blend::new(&[1.0], 15, 300, 1);
        assert!(blend.trust().abs() < 1e-12, "nothing was seen yet");
        let mut trusted = Vec::new();
        for i in 0..=10 * 288 {
            blend.learn(&[1.0], 1.0, 1.0, true, i);
            blend.tick(i);
            trusted.push(blend.trust());
        }
        assert!((trusted[5 * 288] - 0.25).abs() < 1e-6 && trusted.is_sorted());
        assert!((blend.trust() - 0.5).abs() < 1e-6);
        for i in 0..300 {
            blend.learn(&[1.0], 1.0, -1.0, true, i);
        }
        assert!(blend.trust() < 0.01);
    }

    #[test]
    fn a_blend_that_has_seen_nothing_says_what_the_prior_says() {
        let blend = Blend::new(&[1.0, 3.0], 60, 300, 1);
        assert!((blend.pool(&[1.0, 2.0]) - 1.75).abs() < 1e-6);
        assert!((blend.recalibrate(1.75) - 1.75).abs() < 1e-12);
    }

    #[test]
    fn an_expert_without_prior_weight_has_none_however_right_it_was() {
        let mut blend = Blend::new(&[1.0, 0.0], 15, 300, 1);
        for i in 0..500 {
            blend.learn(&[-3.0, 3.0], -3.0, -3.0, true, i);
        }
        assert_eq!(blend.weights(), [1.0, 0.0]);
    }
}
