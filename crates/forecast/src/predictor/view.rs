//! One zone as it looks from the present step: what is forecast of it, at which horizon.
//!
//! Knows the predictor it belongs to. Horizons that are learned are asked directly; between them it
//! reads off curves, and where something known ahead changes it asks about that very step.

use super::Predictor;
use crate::forecast::{Curve, Footing};
use crate::horizon::Horizon;
use crate::learning::NAIVE;
use crate::odds;
use crate::target::{Kind, Target, steps_of};
use crate::track::{Opinions, Track};

/// What one zone looks like from the present step, with which everything about it is answered.
#[derive(Debug)]
pub struct View<'a> {
    pub(super) predictor: &'a Predictor,
    pub(super) z: usize,
    pub(super) base: Vec<f32>,
    pub(super) footing: Footing,
}

impl View<'_> {
    /// Probability of being up, at each horizon that is learned.
    #[must_use]
    pub fn up(&self) -> Curve {
        Curve::new(self.points(Kind::Up))
    }

    /// Probability of staying up, given that the zone is up now, at each horizon that is learned.
    #[must_use]
    pub fn survival(&self) -> Curve {
        Curve::new(self.points(Kind::Survival)).falling()
    }

    /// What each naive expert says of a target, in the order of [`Learning::names`].
    #[must_use]
    pub fn naive(&self, target: Target) -> Option<Vec<f64>> {
        let track = self.predictor.tracks.iter().find(|track| track.target() == target)?;
        let opinions = self.opinions(track, track.steps())?;
        Some(opinions.odds[..NAIVE].iter().map(|&odds| odds::sigmoid(f64::from(odds))).collect())
    }

    /// Whether the zone is up now; the last known state where that is not known.
    #[must_use]
    pub fn is_up(&self) -> Option<bool> {
        self.predictor.series[self.z].carried_up(self.predictor.now()?)
    }

    /// What track `track` says with what is known ahead of the step `k` after the present one.
    fn opinions(&self, track: &Track, k: usize) -> Option<Opinions> {
        let predictor = self.predictor;
        let zone = &predictor.series[self.z];
        let at = (predictor.now()?, k);
        track.opinions(zone, self.z, at, &self.base, &predictor.hazards, &predictor.inputs)
    }

    /// The probability of a track, for a forecast of so many minutes.
    fn probability(&self, track: &Track, minutes: u32, k: usize) -> f64 {
        let Some(opinions) = self.opinions(track, k) else {
            return self.footing.temper(0.5, minutes);
        };
        let said = track.probability(&opinions);
        opinions.acting.cap(self.footing.temper(said, minutes))
    }

    fn points(&self, kind: Kind) -> Vec<(u32, f64)> {
        let point = |track: &Track| {
            let minutes = track.target().minutes;
            (minutes, self.probability(track, minutes, track.steps()))
        };
        self.tracks(kind).map(point).collect()
    }

    fn tracks(&self, kind: Kind) -> impl Iterator<Item = &Track> {
        self.predictor.tracks.iter().filter(move |track| track.target().kind == kind)
    }

    /// The forecast at every horizon at which something that is known ahead changes, besides those
    /// that are learned. In between, the two models around it are asked about that very step.
    pub(crate) fn curve(&self, kind: Kind, horizon: Horizon) -> Curve {
        let learned = Curve::new(self.points(kind));
        let (Some(known), Some(now)) = (self.predictor.inputs.of(self.z), self.predictor.now())
        else {
            return learned;
        };
        let mut points = learned.points().to_vec();
        for minutes in known.covariates.turns(now, horizon.minutes) {
            points.push((minutes, self.between(kind, minutes)));
        }
        points.sort_by_key(|point| point.0);
        points.dedup_by_key(|point| point.0);
        Curve::new(points)
    }

    /// What the models of the two horizons around one say of it; before the first, that one alone.
    fn between(&self, kind: Kind, minutes: u32) -> f64 {
        let k = steps_of(minutes, self.predictor.step_seconds);
        let learned = |track: &Track| track.target().minutes;
        let below = self.tracks(kind).filter(|track| learned(track) < minutes).last();
        let above = self.tracks(kind).find(|track| learned(track) >= minutes);
        let point = |track: &Track| (learned(track), self.probability(track, minutes, k));
        let around: Vec<(u32, f64)> = below.into_iter().chain(above).map(point).collect();
        match around[..] {
            [(_, p)] => p,
            _ => Curve::new(around).at(minutes, 0.5),
        }
    }
}

/// The probability of a track at its own horizon.
pub(super) fn footed(track: &Track, opinions: &Opinions, footing: Footing) -> f64 {
    let said = track.probability(opinions);
    opinions.acting.cap(footing.temper(said, track.target().minutes))
}
