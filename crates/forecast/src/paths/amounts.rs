//! Amounts in joint futures: how much of a zone is free or in use as long as it is up.
//!
//! Knows quantiles at knots, how amounts go together and how they last. Of each path, series and knot
//! a rank is drawn: latent variables, correlated between series and autoregressive over knots, are
//! ranked among all paths in which the zone is up then. So the amounts of these paths have exactly the
//! distribution that the quantiles say. A rank is kept in 16 bits; amounts are looked up when asked.

use std::sync::Arc;

use super::latent;
use crate::association::Association;
use crate::free::continued;
use crate::free::levels::Quantiles;
use crate::matrix::Loadings;
use crate::recording::Measure;
use crate::seed::Stream;

/// Within the first hour there is a knot at each multiple of this, and after it one each hour.
const SOON_MINUTES: u32 = 15;
const HOUR: u32 = 60;
/// Paths that are drawn together.
const BLOCK: usize = 128;
/// Bins in which latent variables are sorted, and how many there are to a standard deviation.
const BINS: usize = 4096;
const BINS_TO_ONE: f32 = 400.0;
/// What is left of a variance at the least from one knot to the next.
const FRESH_LEAST: f64 = 1e-6;
const SEED: u64 = 0xA017_5EED_0C0D_E500;

/// What is known of an amount's future.
#[derive(Clone, Debug, PartialEq)]
pub struct AmountAhead {
    /// The zone, in the order of zones.
    pub zone: usize,
    /// Of what.
    pub measure: Measure,
    /// Of how much in all, where that is known; then futures say what is free, else what is in use.
    pub capacity: Option<f64>,
    /// What is in use while the zone is up: quantiles at each of the [`knots`].
    pub used: Vec<Quantiles>,
}

/// The steps of a horizon from which on amounts are drawn anew: the first, each quarter of the first
/// hour, and each hour.
#[must_use]
pub fn knots(steps: usize, step_minutes: u32) -> Vec<u16> {
    let step = step_minutes.max(1);
    let end = steps as u32 * step;
    let soon = (1..4).map(|i| i * SOON_MINUTES);
    let later = (1..=end / HOUR).map(|i| i * HOUR);
    let minutes = std::iter::once(step).chain(soon).chain(later);
    let mut knots: Vec<u16> = minutes.map(|minutes| minutes.div_ceil(step) as u16).collect();
    knots.retain(|&knot| usize::from(knot) <= steps);
    knots.sort_unstable();
    knots.dedup();
    knots
}

impl AmountAhead {
    /// The same with finite, ascending quantiles at as many knots; none where there are none.
    fn sound(mut self, knots: usize) -> Option<Self> {
        let last = *self.used.last()?;
        self.used.resize(knots, last);
        for quantiles in &mut self.used {
            for q in quantiles.iter_mut().filter(|q| !q.is_finite()) {
                *q = 0.0;
            }
            quantiles.sort_by(f64::total_cmp);
        }
        self.capacity = self.capacity.filter(|all| all.is_finite() && *all >= 0.0);
        Some(self)
    }

    /// What is free, or in use where no capacity is known, at a rank of what is in use.
    fn amount(&self, knot: usize, rank: u16) -> f64 {
        let quantiles = &self.used[knot];
        let used = continued::amount(quantiles, (f64::from(rank) + 0.5) / 65_536.0);
        let least = if quantiles[0] >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
        match self.capacity {
            Some(all) => all - used.clamp(0.0, all),
            None => used.max(least),
        }
    }
}

/// Amounts in the order of zones.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    series: Vec<AmountAhead>,
    /// By zone: where its series begin; and their end.
    starts: Vec<usize>,
    knots: Vec<u16>,
}

/// What amounts are drawn from.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    known: Arc<Known>,
    /// By knot and series: what lasts from the knot before.
    lasting: Vec<Vec<f32>>,
    /// By knot: how what is fresh goes together.
    fresh: Vec<Loadings>,
}

/// Ranks of amounts, by series, knot and path.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Drawn {
    known: Arc<Known>,
    ranks: Vec<u16>,
    paths: usize,
}

impl Store {
    /// Of these amounts of so many zones; what is of no zone, or of which nothing is known, is left
    /// out.
    pub(super) fn new(
        amounts: Vec<AmountAhead>,
        association: &Association,
        zones: usize,
        (steps, step_minutes): (usize, u32),
    ) -> Self {
        let knots = knots(steps, step_minutes);
        let known = association.series() == amounts.len();
        let sound = amounts.into_iter().enumerate().filter(|(_, amount)| amount.zone < zones);
        let mut sound: Vec<(usize, AmountAhead)> =
            sound.filter_map(|(i, amount)| Some((i, amount.sound(knots.len())?))).collect();
        sound.sort_by_key(|(_, amount)| amount.zone);
        let (indices, series): (Vec<usize>, Vec<AmountAhead>) = sound.into_iter().unzip();
        let none = Association::none(series.len());
        let (association, indices) =
            if known { (association, indices) } else { (&none, (0..series.len()).collect()) };
        let minutes = |knot: usize| u32::from(knots[knot]) * step_minutes;
        let lasting = |knot: usize| -> Vec<f64> {
            let from = knot.checked_sub(1).map(minutes);
            let lasting =
                |&i: &usize| from.map_or(0.0, |from| association.lasting(i, from, minutes(knot)));
            indices.iter().map(lasting).collect()
        };
        let lasting: Vec<Vec<f64>> = (0..knots.len()).map(lasting).collect();
        let fresh = lasting.iter().map(|lasting| fresh(association, &indices, lasting)).collect();
        let starts = (0..=zones).map(|z| series.partition_point(|amount| amount.zone < z));
        Self {
            known: Arc::new(Known { starts: starts.collect(), series, knots }),
            lasting: lasting.iter().map(|each| each.iter().map(|&x| x as f32).collect()).collect(),
            fresh,
        }
    }

    /// Ranks for so many paths; `is_up` fills in, for a zone, which paths are up at which knot: by
    /// knot and path.
    pub(super) fn draw(
        &self,
        paths: usize,
        seed: u64,
        mut is_up: impl FnMut(usize, &[u16], &mut [bool]),
    ) -> Drawn {
        let (n, knots) = (self.known.series.len(), self.known.knots.len());
        let mut ranks = vec![0_u16; n * knots * paths];
        if !ranks.is_empty() {
            for block in 0..paths.div_ceil(BLOCK) {
                self.draw_block(block * BLOCK, paths, seed ^ SEED, &mut ranks);
            }
        }
        let mut up = vec![false; knots * paths];
        let mut zone = None;
        let each = self.known.series.iter().zip(ranks.chunks_mut((knots * paths).max(1)));
        for (series, ranks) in each {
            if zone != Some(series.zone) {
                is_up(series.zone, &self.known.knots, &mut up);
                zone = Some(series.zone);
            }
            for (ranks, up) in ranks.chunks_mut(paths).zip(up.chunks(paths)) {
                rank(ranks, up);
            }
        }
        Drawn { known: Arc::clone(&self.known), ranks, paths }
    }

    /// Latent variables of a block of paths, as bins.
    fn draw_block(&self, first: usize, paths: usize, seed: u64, bins: &mut [u16]) {
        let (n, knots) = (self.known.series.len(), self.known.knots.len());
        let own = seed ^ (first as u64 + 1).wrapping_mul(0xD1B5_4A32_D192_ED03);
        let mut stream = Stream::new(own);
        let count = BLOCK.min(paths - first);
        let mut latents = vec![0.0_f32; n * BLOCK];
        let mut mixed = [0.0_f32; BLOCK];
        for knot in 0..knots {
            let loadings = &self.fresh[knot];
            let mut factors = vec![0.0_f32; loadings.width() * BLOCK];
            factors.iter_mut().for_each(|x| *x = latent::draw(&mut stream));
            for (i, latents) in latents.chunks_exact_mut(BLOCK).enumerate() {
                loadings.mix(i, &factors, &mut mixed);
                let lasting = self.lasting[knot][i];
                let fresh = (1.0 - lasting * lasting).max(FRESH_LEAST as f32).sqrt();
                let at = (i * knots + knot) * paths + first;
                let out = bins[at..at + count].iter_mut();
                for ((x, fresh_x), bin) in latents.iter_mut().zip(&mixed).zip(out) {
                    *x = lasting * *x + fresh * fresh_x;
                    let at = *x * BINS_TO_ONE + (BINS / 2) as f32;
                    *bin = at.clamp(0.0, (BINS - 1) as f32) as u16;
                }
            }
        }
    }
}

/// How fresh parts have to go together so that latent variables, of which so much lasts, keep the
/// correlation that they have.
fn fresh(association: &Association, indices: &[usize], lasting: &[f64]) -> Loadings {
    let n = indices.len();
    let pair = |k: usize| {
        let (i, j) = (k / n, k % n);
        if i == j {
            return 1.0;
        }
        let fresh = |lasting: f64| (1.0 - lasting * lasting).max(FRESH_LEAST).sqrt();
        let r = association.between(indices[i], indices[j]);
        let needed = r * (1.0 - lasting[i] * lasting[j]) / (fresh(lasting[i]) * fresh(lasting[j]));
        needed.clamp(-0.99, 0.99)
    };
    Loadings::of(&(0..n * n).map(pair).collect::<Vec<_>>(), n)
}

/// From bins to ranks in 65,536, apart for paths that are up and those that are down; within a bin
/// in the order of paths.
fn rank(bins: &mut [u16], up: &[bool]) {
    let mut crowd = [[0_u32; BINS]; 2];
    let mut all = [0_u32; 2];
    for (&bin, &up) in bins.iter().zip(up) {
        crowd[usize::from(up)][usize::from(bin)] += 1;
        all[usize::from(up)] += 1;
    }
    for crowd in &mut crowd {
        let mut below = 0;
        for count in crowd {
            (below, *count) = (below + *count, below);
        }
    }
    let scale = all.map(|all| 65_536.0 / f64::from(all.max(1)));
    for (bin, &up) in bins.iter_mut().zip(up) {
        let next = &mut crowd[usize::from(up)][usize::from(*bin)];
        *bin = ((f64::from(*next) + 0.5) * scale[usize::from(up)]) as u16;
        *next += 1;
    }
}

impl Drawn {
    /// What is measured of a zone: which series, and of what.
    pub(super) fn of_zone(&self, zone: usize) -> impl Iterator<Item = (usize, &AmountAhead)> {
        let start = |zone: usize| self.known.starts.get(zone).copied().unwrap_or(0);
        let (from, to) = (start(zone), start(zone + 1));
        (from..to).zip(&self.known.series[from..to])
    }

    /// The steps from which on amounts are drawn anew.
    pub(super) fn knots(&self) -> &[u16] {
        &self.known.knots
    }

    /// The amount of a series from a knot on.
    pub(super) fn amount(&self, path: usize, series: usize, knot: usize) -> f64 {
        let rank = self.ranks[(series * self.known.knots.len() + knot) * self.paths + path];
        self.known.series[series].amount(knot, rank)
    }
}
