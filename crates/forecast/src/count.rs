//! How many instances a zone will have: a distribution over counts.
//!
//! A zone has at least 1, 2, 4, 8, … instances or it has not: each rung of that ladder is a zone that
//! is up or down, and what [`Predictor`] is good at. Between two rungs counts go on as they did:
//! `within`. So the chance of at least one is that of the zone being up, and the chance of more
//! never exceeds that of less. Knows counts and steps, nothing of what an instance is.

pub mod backtest;
mod within;

use crate::ahead::Unlike;
use crate::covariates::Covariates;
use crate::forecast::Curve;
use crate::free::levels::{self, LEVELS, Quantiles};
use crate::horizon::Horizon;
use crate::isotonic;
use crate::learning::Learning;
use crate::predictor::{DAYS_KEPT, Predictor, Zone};
use crate::target::{Kind, Target, UP_ANCHORS};
use within::Within;

/// The part that the counts of the last days have in those to come, of zones that are up: the most, and
/// the minutes ahead at which it is half of that. The ladder is slow to see what came lately.
const USUAL_PART: f64 = 0.3;
const USUAL_HALF_MINUTES: f64 = 60.0;
/// Rungs above the first.
const LADDER: [u32; 6] = [2, 4, 8, 16, 32, 64];
/// The same where zones are many: each rung costs as much as the zones being up.
const SHORT_LADDER: [u32; 2] = [4, 32];
/// With more zones than this the ladder is short.
const ZONES_IN_DETAIL: usize = 12;

/// The forecaster of the counts of a group of zones that are sampled together.
#[derive(Clone, Debug)]
pub struct Counts {
    zones: Vec<Zone>,
    step_seconds: u32,
    learning: Learning,
    covariates: Vec<Covariates>,
    ladder: &'static [u32],
    /// One for each rung that was ever reached.
    rungs: Vec<Predictor>,
    /// Samples by step, for rungs that are yet to be reached.
    past: Vec<Vec<Option<f64>>>,
    most: Vec<f64>,
    within: Within,
}

/// What the counts of one zone look like from the present step.
#[derive(Debug)]
pub struct Outlook<'a> {
    counts: &'a Counts,
    z: usize,
    /// Of each rung, from the first on: whether it is reached now, and the chance that it will be.
    rungs: Vec<(bool, Curve)>,
}

impl Counts {
    /// A forecaster that has seen nothing.
    #[must_use]
    pub fn new(zones: &[Zone], step_seconds: u32, learning: Learning) -> Self {
        let is_detailed = zones.len() <= ZONES_IN_DETAIL;
        let ladder = if is_detailed { &LADDER[..] } else { &SHORT_LADDER };
        Self {
            within: Within::new(zones.len(), step_seconds, ladder),
            zones: zones.to_vec(),
            step_seconds: step_seconds.max(1),
            learning,
            covariates: Vec::new(),
            ladder,
            rungs: Vec::new(),
            past: Vec::new(),
            most: vec![0.0; zones.len()],
        }
    }

    /// The same with what is known ahead of each zone. Only for one that has seen nothing.
    ///
    /// # Errors
    /// Zones have different columns, or there are not as many as zones.
    pub fn with_covariates(mut self, covariates: Vec<Covariates>) -> Result<Self, Unlike> {
        self.covariates = covariates;
        self.rung(1).map(|_| self)
    }

    /// The next step of every zone: how many instances there are, none where it is not known.
    pub fn observe(&mut self, samples: &[Option<f64>]) {
        let sample = |z: usize| samples.get(z).copied().flatten().map(f64::floor);
        let is_count = |count: &f64| count.is_finite() && *count >= 0.0;
        let step: Vec<Option<f64>> =
            (0..self.zones.len()).map(|z| sample(z).filter(is_count)).collect();
        for (most, count) in self.most.iter_mut().zip(&step) {
            *most = most.max(count.unwrap_or(0.0));
        }
        self.rungs.iter_mut().for_each(|rung| rung.observe(&step));
        self.past.push(step);
        self.climb();
        if self.is_any_counted() {
            self.within.observe(&self.past);
        }
        let kept = DAYS_KEPT * 86_400 / self.step_seconds as usize;
        if self.past.len() > 2 * kept.max(16) {
            self.past.drain(..self.past.len() - kept.max(16));
        }
    }

    /// Fits all models on what is known now. [`Counts::observe`] does so by itself as history grows.
    pub fn refit(&mut self) {
        self.rungs.iter_mut().for_each(Predictor::refit);
    }

    /// Whether a zone ever had more than one instance.
    #[must_use]
    pub fn is_counted(&self, z: usize) -> bool {
        self.most.get(z).is_some_and(|&most| most > 1.0)
    }

    /// The most instances that a zone ever had.
    #[must_use]
    pub fn most(&self, z: usize) -> f64 {
        self.most.get(z).copied().unwrap_or(0.0)
    }

    /// What the counts of a zone look like; `first` says whether it will be up. None before anything
    /// is known of it.
    #[must_use]
    pub fn outlook(&self, z: usize, first: &Predictor, horizon: Horizon) -> Option<Outlook<'_>> {
        let rung = |predictor: &Predictor| {
            let view = predictor.view(z)?;
            Some((view.is_up()?, view.curve(Kind::Up, horizon)))
        };
        let rungs = std::iter::once(first).chain(&self.rungs).map(rung);
        Some(Outlook { counts: self, z, rungs: rungs.collect::<Option<_>>()? })
    }

    fn is_any_counted(&self) -> bool {
        self.most.iter().any(|&most| most > 1.0)
    }

    /// A rung that is reached for the first time learns from all that was before.
    fn climb(&mut self) {
        let most = self.most.iter().copied().fold(0.0, f64::max);
        while let Some(&needed) = self.ladder.get(self.rungs.len())
            && most >= f64::from(needed)
            && let Ok(mut rung) = self.rung(needed)
        {
            self.past.iter().for_each(|step| rung.observe(step));
            self.rungs.push(rung);
        }
    }

    fn rung(&self, needed: u32) -> Result<Predictor, Unlike> {
        let targets: Vec<Target> =
            UP_ANCHORS.iter().map(|&minutes| Target { kind: Kind::Up, minutes }).collect();
        let learning = self.learning.clone();
        let rung =
            Predictor::new(&self.zones, self.step_seconds, &targets, learning).needing(needed);
        if self.covariates.is_empty() {
            return Ok(rung);
        }
        rung.with_covariates(self.covariates.clone())
    }
}

impl Outlook<'_> {
    /// Every count that may be so many minutes from now, ascending, with its probability; they sum
    /// to 1. The chance of none is that of the zone being down.
    #[must_use]
    pub fn distribution(&self, minutes: u32) -> Vec<(f64, f64)> {
        let reach = |(is_reached, curve): &(bool, Curve)| {
            curve.at(minutes, f64::from(u8::from(*is_reached)))
        };
        let said: Vec<f64> = self.rungs.iter().map(reach).collect();
        let reached = isotonic::falling_from(said[0], &said[1..]);
        let ahead = f64::from(minutes);
        let part = USUAL_PART * ahead / (ahead + USUAL_HALF_MINUTES);
        let within = &self.counts.within;
        let mut distribution = vec![(0.0, 1.0 - reached[0])];
        for (i, &p) in reached.iter().enumerate() {
            let mass = (p - reached.get(i + 1).copied().unwrap_or(0.0)) * (1.0 - part);
            let shares = within.shares(self.z, i, self.counts.past.last(), minutes);
            distribution.extend(shares.into_iter().map(|(count, share)| (count, share * mass)));
        }
        let usual = within.usual_counts(self.z);
        distribution.extend(usual.iter().map(|&(count, share)| (count, share * reached[0] * part)));
        merged(distribution)
    }

    /// Quantiles of the count so many minutes from now: of each level the least count that is
    /// reached with that probability.
    #[must_use]
    pub fn quantiles(&self, minutes: u32) -> Quantiles {
        let distribution = self.distribution(minutes);
        let mut quantiles = [0.0; LEVELS];
        let (mut below, mut i) = (0.0, 0);
        for (count, p) in distribution {
            below += p;
            while i < LEVELS && levels::level(i) <= below + 1e-9 {
                quantiles[i] = count;
                i += 1;
            }
            quantiles[i..].fill(count);
        }
        quantiles
    }
}

/// Probabilities of counts, each count once and ascending.
fn merged(mut distribution: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    distribution.sort_by(|a, b| a.0.total_cmp(&b.0));
    distribution.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        kept.1 += if is_same { next.1 } else { 0.0 };
        is_same
    });
    distribution
}
