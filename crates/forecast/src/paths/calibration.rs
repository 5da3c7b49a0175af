//! How strongly pressures must go together so that states do as much as they should.
//!
//! No formula leads from one to the other: thresholds move with forecasts, and states remember. So a
//! small population is played, what comes out is compared with what should, and pressures are
//! corrected, a few times over with the same dice.

use super::latent::{Coupling, knots, minutes};
use super::law::Law;
use super::{Watcher, play};
use crate::dependence::{Dependence, LATE_MINUTES, REACHED, bounds};
use crate::horizon::Horizon;
use crate::matrix::Loadings;

/// Paths of the pilot.
const PATHS: usize = 1024;
/// How often pressures are corrected.
const ROUNDS: usize = 4;
/// By how much more than states pressures are moved: states are coarser.
const GAIN: f64 = 1.4;
/// The strongest that pressures go together.
const MOST: f64 = 0.98;
/// Correlations that are taken for none.
const NEGLIGIBLE: f64 = 0.01;
/// Every so many steps the pilot is looked at.
const EVERY: usize = 3;
const SEED: u64 = 0x5EED_0F0A_1107;

/// Pressures for zones with these laws.
pub(super) fn fit(laws: &[Law], dependence: &Dependence, horizon: Horizon) -> Coupling {
    let n = laws.len();
    let steps = horizon.steps().count();
    let late = (LATE_MINUTES / horizon.step_minutes) as usize;
    let late = if late < steps { late } else { 0 };
    let wanted = wanted(laws, dependence, late);
    let knots = knots(steps, horizon.step_minutes);
    let share = |knot| dependence.share_at(minutes(knot).max(15)) as f32;
    let mut pressures: Vec<f64> =
        (0..n * n).map(|k| if k / n == k % n { 1.0 } else { limited(GAIN * wanted[k]) }).collect();
    let mut coupling = Coupling {
        loadings: Loadings::of(&pressures, n),
        common: (0..knots).map(share).collect(),
        zones: n,
        step_minutes: horizon.step_minutes,
    };
    if wanted.iter().all(|r| r.abs() < NEGLIGIBLE) {
        return coupling;
    }
    for _ in 0..ROUNDS {
        let mut pilot = Pilot::new(n, steps);
        play(laws, &coupling, PATHS, steps, SEED, &mut pilot);
        let found = pilot.correlations(late, steps);
        for k in (0..n * n).filter(|k| k / n != k % n) {
            if wanted[k] != 0.0 {
                pressures[k] = limited(pressures[k] + GAIN * (wanted[k] - found[k]));
            }
        }
        coupling.loadings = Loadings::of(&pressures, n);
    }
    coupling
}

fn limited(r: f64) -> f64 {
    r.clamp(-MOST, MOST)
}

/// Correlations that states should have from a step on, as far as they can with these forecasts; none
/// with a zone that never changes.
fn wanted(laws: &[Law], dependence: &Dependence, from: usize) -> Vec<f64> {
    let n = laws.len();
    let pair = |k: usize| {
        let (a, b) = (k / n, k % n);
        let is_free = a != b && laws[a].varies() && laws[b].varies() && dependence.zones() == n;
        if is_free {
            within_bounds(&laws[a], &laws[b], from, dependence.between(a, b))
        } else {
            0.0
        }
    };
    (0..n * n).map(pair).collect()
}

/// A correlation of two zones, or the one nearest to it that their states can have.
fn within_bounds(a: &Law, b: &Law, from: usize, wanted: f64) -> f64 {
    let (mut own, mut limits) = ([0.0; 2], [0.0; 2]);
    for (a, b) in a.up()[from..].iter().zip(&b.up()[from..]) {
        let bounds = bounds(*a, *b);
        own[0] += a * (1.0 - a);
        own[1] += b * (1.0 - b);
        limits[0] += bounds[0];
        limits[1] += bounds[1];
    }
    let spread = (own[0] * own[1]).sqrt();
    if spread <= 0.0 {
        return 0.0;
    }
    wanted.clamp(REACHED * limits[0] / spread, REACHED * limits[1] / spread)
}

/// States of a pilot, as bits of paths: by zone, then by step looked at.
struct Pilot {
    taken: Vec<Vec<[u64; PATHS / 64]>>,
    now: [u64; PATHS / 64],
    steps: usize,
}

impl Pilot {
    fn new(zones: usize, steps: usize) -> Self {
        Self { taken: Vec::with_capacity(zones), now: [0; PATHS / 64], steps }
    }

    /// Looks at all steps before this one.
    fn look(&mut self, step: usize) {
        if let Some(zone) = self.taken.last_mut() {
            while zone.len() * EVERY < step {
                zone.push(self.now);
            }
        }
    }

    /// Of states from one step to another: covariance within each step, summed over steps.
    fn correlations(&self, from: usize, to: usize) -> Vec<f64> {
        let n = self.taken.len();
        let looks = from.div_ceil(EVERY)..to / EVERY;
        let count = |bits: &[u64]| bits.iter().map(|word| word.count_ones()).sum::<u32>();
        let all = PATHS as f64;
        let covariance = |a: usize, b: usize| {
            let each = looks.clone().map(|at| {
                let (x, y) = (&self.taken[a][at], &self.taken[b][at]);
                let both: u32 = x.iter().zip(y).map(|(x, y)| (x & y).count_ones()).sum();
                f64::from(both) / all - f64::from(count(x)) * f64::from(count(y)) / (all * all)
            });
            each.sum::<f64>()
        };
        let own: Vec<f64> = (0..n).map(|z| covariance(z, z)).collect();
        let mut found = vec![0.0; n * n];
        for a in 0..n {
            for b in 0..a {
                let spread = (own[a] * own[b]).sqrt();
                let r = if spread > 0.0 { covariance(a, b) / spread } else { 0.0 };
                (found[a * n + b], found[b * n + a]) = (r, r);
            }
        }
        found
    }
}

impl Watcher for Pilot {
    fn begins(&mut self, states: impl Iterator<Item = bool>) {
        self.now = [0; PATHS / 64];
        for (path, _) in states.enumerate().filter(|(_, is_up)| *is_up) {
            self.now[path / 64] |= 1 << (path % 64);
        }
        self.taken.push(Vec::with_capacity(self.steps / EVERY + 1));
    }

    fn changes(&mut self, step: u16, path: u32) {
        self.look(usize::from(step));
        self.now[path as usize / 64] ^= 1 << (path % 64);
    }

    fn ends(&mut self) {
        self.look(self.steps + 1);
    }
}
