//! Transitions: how likely a zone is to change at the next step, at all and by time in state.
//!
//! Knows what was seen at each step, at once, and so learns of a loss before any horizon is over.
//! Two forecasts come of it: the two-state Markov chain, and survival as a product of hazards
//! (Kaplan and Meier, 1958, with the ages of a run in bins and old runs counting less).

/// Bins of time in state: doubling from two minutes.
const BINS: usize = 14;
/// Days after which a step counts half in hazards.
const HALF_LIFE_DAYS: f64 = 10.0;

/// Names of the forecasts, in the order of [`Hazards::survival`] and [`Hazards::up`].
pub const NAMES: [&str; 2] = ["markov", "hazard"];

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    lost: f64,
    all: f64,
}

impl Tally {
    fn add(&mut self, is_lost: bool, weight: f64) {
        self.all += weight;
        if is_lost {
            self.lost += weight;
        }
    }

    fn rate(self, prior: f64, weight: f64) -> f64 {
        (self.lost + weight * prior) / (self.all + weight)
    }
}

/// Changes from each state.
#[derive(Clone, Debug, Default)]
struct Changes {
    plain: [Tally; 2],
    by_age: [[Tally; BINS]; 2],
}

/// The transitions of all zones of a group.
#[derive(Clone, Debug)]
pub struct Hazards {
    zones: Vec<Changes>,
    pool: Changes,
    minutes: f64,
    growth: f64,
}

fn bin(minutes: f64) -> usize {
    ((minutes / 2.0).max(1.0).log2().floor() as usize).min(BINS - 1)
}

impl Hazards {
    /// Of so many zones.
    #[must_use]
    pub fn new(zones: usize, step_seconds: u32) -> Self {
        let minutes = f64::from(step_seconds) / 60.0;
        Self {
            zones: vec![Changes::default(); zones],
            pool: Changes::default(),
            minutes,
            growth: 1.0,
        }
    }

    /// One step of time has passed.
    pub fn tick(&mut self) {
        self.growth *= (std::f64::consts::LN_2 * self.minutes / (HALF_LIFE_DAYS * 1440.0)).exp();
        if self.growth > 1e200 {
            let by = 1.0 / self.growth;
            for changes in self.zones.iter_mut().chain([&mut self.pool]) {
                for tally in changes.by_age.iter_mut().flatten() {
                    tally.lost *= by;
                    tally.all *= by;
                }
            }
            self.growth = 1.0;
        }
    }

    /// A zone that had been in a state for `age` steps did or did not change.
    pub fn learn(&mut self, z: usize, was_up: bool, age: usize, is_change: bool) {
        let (state, bin) = (usize::from(was_up), bin(age as f64 * self.minutes));
        for changes in [&mut self.zones[z], &mut self.pool] {
            changes.plain[state].add(is_change, 1.0);
            changes.by_age[state][bin].add(is_change, self.growth);
        }
    }

    /// Chance that a zone is up `k` steps later by the chain of two states.
    #[must_use]
    pub fn up(&self, z: usize, is_up: bool, k: usize) -> f64 {
        let [rise, fall] = self.zones[z].plain.map(|tally| tally.rate(0.5, 2.0));
        let rest = rise / (rise + fall);
        let memory = (1.0 - rise - fall).powi(k.min(1 << 20) as i32);
        rest + (f64::from(u8::from(is_up)) - rest) * memory
    }

    /// Chance that a zone, up for `age` steps, is up for `k` more: by the chain, and by hazards.
    #[must_use]
    pub fn survival(&self, z: usize, age: usize, k: usize) -> [f64; 2] {
        let fall = self.zones[z].plain[1].rate(0.5, 2.0);
        let chain = (1.0 - fall).powi(k.min(1 << 20) as i32);
        let mut log_survival = 0.0;
        let mut at = age;
        while at < age + k {
            let bin = bin(at as f64 * self.minutes);
            // All steps up to the next bin share a hazard.
            let end = if bin + 1 < BINS {
                (((2u64 << (bin + 1)) as f64 / self.minutes).ceil() as usize).max(at + 1)
            } else {
                usize::MAX
            };
            let steps = end.min(age + k) - at;
            log_survival += steps as f64 * (1.0 - self.hazard(z, true, bin)).ln();
            at += steps;
        }
        [chain, log_survival.exp()]
    }

    /// Chance that a zone that has been in a state for `minutes` changes at the next step.
    #[must_use]
    pub fn change(&self, z: usize, is_up: bool, minutes: f64) -> f64 {
        self.hazard(z, is_up, bin(minutes))
    }

    /// The hazard of a zone in a bin of ages, shrunk to that of all zones at the same age, moved
    /// to this zone's level.
    fn hazard(&self, z: usize, is_up: bool, bin: usize) -> f64 {
        let state = usize::from(is_up);
        let hour = 60.0 / self.minutes * self.growth;
        let total = |changes: &Changes| {
            changes.by_age[state].iter().fold(Tally::default(), |sum, tally| Tally {
                lost: sum.lost + tally.lost,
                all: sum.all + tally.all,
            })
        };
        let pool_rate = total(&self.pool).rate(0.02, hour);
        let pooled = self.pool.by_age[state][..=bin]
            .iter()
            .fold(pool_rate, |younger, tally| tally.rate(younger, 12.0 * hour));
        let zone = &self.zones[z];
        // The level of a zone: events against those expected at its ages by the pool.
        let (mut seen, mut expected) = (0.0, 0.0);
        for (tally, pool) in zone.by_age[state].iter().zip(&self.pool.by_age[state]) {
            seen += tally.lost;
            expected += tally.all * pool.rate(pool_rate, hour);
        }
        let prior_events = 5.0 * self.growth;
        let level = (seen + prior_events) / (expected + prior_events);
        let prior = (pooled * level).clamp(1e-6, 0.9);
        zone.by_age[state][bin].rate(prior, 5.0 * self.growth / prior).clamp(1e-7, 0.95)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Stream;

    #[test]
    fn a_constant_hazard_gives_the_exponential() {
        let mut hazards = Hazards::new(1, 300);
        let mut stream = Stream::new(1);
        let mut age = 0;
        for _ in 0..20_000 {
            let is_change = stream.uniform() < 0.02;
            hazards.tick();
            hazards.learn(0, true, age, is_change);
            age = if is_change { 0 } else { age + 1 };
        }
        let [chain, product] = hazards.survival(0, 3, 24);
        let truth = 0.98_f64.powi(24);
        assert!(
            (chain - truth).abs() < 0.04 && (product - truth).abs() < 0.06,
            "{chain} {product}"
        );
    }

    #[test]
    fn survival_never_rises_with_the_horizon() {
        let mut hazards = Hazards::new(2, 195);
        for i in 0..5000 {
            hazards.tick();
            hazards.learn(i % 2, true, i % 97, i % 97 == 96);
        }
        for age in [0, 5, 500] {
            let curve: Vec<_> = (1..400).map(|k| hazards.survival(0, age, k)[1]).collect();
            assert!(curve.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12));
        }
    }
}
