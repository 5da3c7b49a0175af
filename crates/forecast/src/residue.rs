//! What is known ahead, as far as the pool of experts leaves it out.
//!
//! Events are few, and the naive experts are blind to them: a pool that half consists of those says
//! half of what it should. A logistic regression on the columns known ahead, starting from the
//! pool, learns the rest. It has a part in the forecast as large as its past losses, against those
//! of the bare pool, have earned, so that an input that has nothing to say is soon not heard.

use crate::learned::{Lesson, Logit, LogitSettings};
use crate::odds::{sigmoid, softplus};
use crate::rows::Rows;

/// How fast it gains and loses trust.
const TRUST_RATE: f64 = 0.3;
/// Days after which a loss counts half for that trust.
const HALF_LIFE_DAYS: f64 = 30.0;

/// The residue of one target.
#[derive(Clone, Debug)]
pub struct Residue {
    columns: usize,
    model: Option<Logit>,
    /// What a label counts: overlapping ones repeat each other.
    news: f64,
    /// What a step leaves of earlier losses.
    keep: f64,
    excess: f64,
    /// What the bare pool and the whole residue said at each origin; empty without columns.
    said: Vec<[f32; 2]>,
}

impl Residue {
    /// Of so many columns, for a horizon of so many minutes; `thinned` is how many origins each
    /// one that is learned from stands for.
    #[must_use]
    pub fn new(columns: usize, minutes: u32, step_seconds: u32, thinned: usize) -> Self {
        let days = f64::from(step_seconds) / 86_400.0;
        Self {
            columns,
            model: None,
            news: (15.0 / f64::from(minutes.max(15)) * thinned as f64).sqrt(),
            keep: 0.5_f64.powf(days / HALF_LIFE_DAYS),
            excess: 0.0,
            said: Vec::new(),
        }
    }

    /// How many columns are known ahead.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The part that it has in the forecast, from 0 to 1.
    #[must_use]
    pub fn trust(&self) -> f64 {
        sigmoid(-TRUST_RATE * self.excess)
    }

    /// Pooled log-odds with what is known ahead, as far as that is trusted.
    #[must_use]
    pub fn on(&self, state: f32, known: &[f32], pooled: f32) -> f32 {
        let [bare, whole] = self.both(state, known, pooled);
        if self.model.is_none() {
            return bare;
        }
        let trust = self.trust() as f32;
        (1.0 - trust) * bare + trust * whole
    }

    /// Keeps an origin.
    pub fn keep(&mut self, state: f32, known: &[f32], pooled: f32) {
        if self.columns > 0 {
            self.said.push(self.both(state, known, pooled));
        }
    }

    /// What became of origin `i` is known.
    pub fn learn(&mut self, i: usize, label: bool) {
        let Some(&[bare, whole]) = self.said.get(i) else { return };
        let loss = |odds: f32| softplus(f64::from(if label { -odds } else { odds }));
        self.excess += self.news * (loss(whole) - loss(bare));
    }

    /// A step has passed.
    pub fn tick(&mut self) {
        self.excess *= self.keep;
    }

    /// Forgets the first `n` origins.
    pub fn forget(&mut self, n: usize) {
        self.said.drain(..n.min(self.said.len()));
    }

    /// Fits; each row is a state, what was known ahead, and what the pool as it is now would say.
    pub fn fit<'a>(
        &mut self,
        examples: impl Iterator<Item = (f32, &'a [f32], f32)>,
        labels: &[f32],
        weights: &[f32],
        settings: LogitSettings,
    ) {
        let mut rows = Rows::new(self.columns + 2);
        examples.for_each(|(state, known, pooled)| rows.push(&row(state, known, pooled)));
        let lesson = Lesson { rows, labels: labels.to_vec(), weights: weights.to_vec() };
        let columns = (1..=self.columns).collect();
        self.model =
            Some(Logit::of(columns, self.columns + 1, &lesson, settings, self.model.as_ref()));
    }

    fn both(&self, state: f32, known: &[f32], pooled: f32) -> [f32; 2] {
        let whole = |model: &Logit| model.log_odds(&row(state, known, pooled));
        [pooled, self.model.as_ref().map_or(pooled, whole)]
    }
}

fn row(state: f32, known: &[f32], pooled: f32) -> Vec<f32> {
    let mut row = Vec::with_capacity(known.len() + 2);
    row.push(state);
    row.extend_from_slice(known);
    row.push(pooled);
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Stream;

    /// A residue that was taught by one column what came true with probability `truth(column)`, and
    /// then lived through as much again.
    fn taught(truth: impl Fn(f32) -> f64) -> Residue {
        let mut residue = Residue::new(1, 15, 900, 1);
        let mut stream = Stream::new(3);
        let mut draw = || {
            let known = f32::from(u8::from(stream.uniform() < 0.2));
            (known, stream.uniform() < truth(known))
        };
        let past: Vec<(f32, bool)> = (0..500).map(|_| draw()).collect();
        let known: Vec<[f32; 1]> = past.iter().map(|row| [row.0]).collect();
        let labels: Vec<f32> = past.iter().map(|row| f32::from(u8::from(row.1))).collect();
        let settings = LogitSettings { ridge: 5.0, by_state: false };
        let rows = known.iter().map(|known| (1.0, &known[..], 0.0));
        residue.fit(rows, &labels, &[1.0; 500], settings);
        for i in 0..500 {
            let (known, label) = draw();
            residue.keep(1.0, &[known], 0.0);
            residue.learn(i, label);
            residue.tick();
        }
        residue
    }

    #[test]
    fn what_the_pool_leaves_out_is_said() {
        let residue = taught(|known| if known > 0.5 { 0.1 } else { 0.5 });
        assert!(residue.trust() > 0.9);
        assert!(residue.on(1.0, &[1.0], 0.0) < -1.5);
        assert!(residue.on(1.0, &[0.0], 0.0).abs() < 0.4);
    }

    #[test]
    fn a_residue_that_harms_is_not_heard() {
        let mut residue = taught(|known| if known > 0.5 { 0.1 } else { 0.5 });
        for i in 500..700 {
            residue.keep(1.0, &[1.0], 0.0);
            residue.learn(i, true);
        }
        assert!(residue.trust() < 0.05, "{}", residue.trust());
        assert!(residue.on(1.0, &[1.0], 0.0).abs() < 0.2);
    }

    #[test]
    fn without_a_fit_the_pool_is_left_as_it_is() {
        let residue = Residue::new(0, 60, 300, 1);
        assert_eq!(residue.on(1.0, &[], 0.123).to_bits(), 0.123_f32.to_bits());
    }
}
