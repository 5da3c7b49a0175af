//! One target followed through time: its tables, its rows with their labels, its learned models
//! and its blend.
//!
//! Labels arrive as late as the horizon is long; nothing is learned before.

use std::borrow::Cow;

use crate::ahead::Inputs;
use crate::blend::Blend;
use crate::drain::Acting;
use crate::feature;
use crate::hazard::Hazards;
use crate::learned::{Boosted, Lesson, Logit, LogitSettings, Shape};
use crate::learning::{Counting, Learning, NAIVE};
use crate::odds;
use crate::residue::Residue;
use crate::rows::Rows;
use crate::score::Score;
use crate::series::Series;
use crate::table::{self, Cell, Tables};
use crate::target::{Kind, Target};

/// The origins whose rows are kept, of all zones, in order of time.
#[derive(Clone, Debug)]
pub struct Origins {
    /// Zone of each.
    pub zones: Vec<u32>,
    /// Step of each.
    pub steps: Vec<usize>,
    /// Features of each that do not depend on the horizon.
    pub base: Rows,
}

impl Origins {
    /// Forgets the first `n`.
    pub fn forget(&mut self, n: usize) {
        self.zones.drain(..n);
        self.steps.drain(..n);
        self.base.forget(n);
    }
}

/// What every expert says, and the row of features that they saw.
#[derive(Clone, Debug)]
pub struct Opinions {
    /// Log-odds of each expert, naive ones first, whatever drains do.
    pub odds: Vec<f32>,
    /// What drains do.
    pub acting: Acting,
    row: Vec<f32>,
}

/// One target.
#[derive(Clone, Debug)]
pub struct Track {
    target: Target,
    k: usize,
    step_seconds: u32,
    thinned: usize,
    tables: Tables,
    blend: Blend,
    /// Features of the horizon, log-odds of experts, pooled and recalibrated, and labels (NaN while not known): aligned with
    /// the origins.
    ahead: Rows,
    odds: Rows,
    /// What drains do to each; empty where none is scheduled.
    acting: Vec<Acting>,
    pooled: Vec<f32>,
    moved: Vec<f32>,
    labels: Vec<f32>,
    resolved: usize,
    logits: Vec<Logit>,
    boosts: Vec<Boosted>,
    residue: Residue,
    models: usize,
    rows_fitted: usize,
}

impl Track {
    /// A target of which nothing is known yet. Each origin kept stands for `thinned`.
    #[must_use]
    pub fn new(
        target: Target,
        zones: usize,
        step_seconds: u32,
        thinned: usize,
        learning: &Learning,
    ) -> Self {
        let prior = learning.prior(target.kind);
        Self {
            target,
            k: target.steps(step_seconds),
            step_seconds,
            tables: Tables::new(zones, step_seconds),
            blend: Blend::new(&prior, target.minutes, step_seconds, thinned),
            ahead: Rows::new(feature::AHEAD_NAMES.len()),
            odds: Rows::new(NAIVE + learning.models()),
            acting: Vec::new(),
            pooled: Vec::new(),
            moved: Vec::new(),
            labels: Vec::new(),
            resolved: 0,
            logits: Vec::new(),
            boosts: Vec::new(),
            residue: Residue::new(0, target.minutes, step_seconds, thinned),
            thinned,
            models: learning.models(),
            rows_fitted: 0,
        }
    }

    /// The same with so many columns of what is known ahead.
    #[must_use]
    pub fn with_columns(mut self, columns: usize) -> Self {
        self.ahead = Rows::new(feature::AHEAD_NAMES.len() + columns);
        let minutes = self.target.minutes;
        self.residue = Residue::new(columns, minutes, self.step_seconds, self.thinned);
        self
    }

    /// What is forecast.
    #[must_use]
    pub fn target(&self) -> Target {
        self.target
    }

    /// How many steps ahead the target lies.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.k
    }

    /// How the experts are blended.
    #[must_use]
    pub fn blend(&self) -> &Blend {
        &self.blend
    }

    /// On how many rows the learned models were fitted last; 0 while they are not.
    #[must_use]
    pub fn rows_fitted(&self) -> usize {
        self.rows_fitted
    }

    /// Step `t` has been seen.
    pub fn observe(&mut self, all: &[Series], t: usize, origins: &Origins, inputs: &Inputs) {
        self.tables.tick();
        for (z, zone) in all.iter().enumerate() {
            if let Some(label) = self.label(zone, t)
                && !self.is_clouded(inputs, z, t - self.k)
                && let Some(cell) = self.cell(zone, z, t - self.k, inputs)
            {
                self.tables.learn(z, cell, label);
            }
        }
        while self.resolved < self.labels.len() && origins.steps[self.resolved] + self.k <= t {
            let i = self.resolved;
            let zone = &all[origins.zones[i] as usize];
            if let Some(label) = self.label(zone, origins.steps[i] + self.k) {
                self.labels[i] = f32::from(u8::from(label));
                let (pooled, moved) = (self.pooled[i], self.moved[i]);
                let acting = self.acting.get(i).copied().unwrap_or_default();
                let said = acted(self.odds.row(i), acting);
                self.blend.learn(&said, pooled, moved, label, t);
                self.residue.learn(i, label);
            }
            self.resolved += 1;
        }
        self.blend.tick(t);
        self.residue.tick();
    }

    /// What all experts say of zone `z` at step `t`; none while nothing is known of it. Survival of
    /// a zone that is down is that of one which has just come up. What is known ahead is of the
    /// step `k` after `t`, which is the target's own unless a forecast lies between two targets.
    #[must_use]
    pub fn opinions(
        &self,
        zone: &Series,
        z: usize,
        (t, k): (usize, usize),
        base: &[f32],
        hazards: &Hazards,
        inputs: &Inputs,
    ) -> Option<Opinions> {
        let known = inputs.of(z);
        let mut cell = self.cell(zone, z, t, inputs)?;
        let mut age = zone.in_state(t);
        let is_supposed = self.target.kind == Kind::Survival && !cell.is_up;
        if is_supposed {
            (cell.is_up, cell.minutes_in_state, age) = (true, 0.0, 0);
        }
        let mut row = Vec::with_capacity(base.len() + feature::AHEAD_NAMES.len() + NAIVE);
        row.extend_from_slice(base);
        if is_supposed {
            feature::suppose_just_up(&mut row);
        }
        let hour = inputs.hour(z, t + self.k, self.step_seconds);
        row.extend(feature::ahead(zone, t, (self.k, hour), self.step_seconds));
        if let Some(known) = known {
            known.covariates.extend(t, k, &mut row);
        }
        let naive = row.len();
        row.extend(self.tables.log_odds(z, cell));
        let by_hazard = match self.target.kind {
            Kind::Up => [hazards.up(z, cell.is_up, self.k); 2],
            Kind::Survival => hazards.survival(z, age, self.k),
        };
        row.extend(by_hazard.map(odds::log_odds));
        let mut odds = row[naive..].to_vec();
        let is_fitted = self.logits.len() + self.boosts.len() == self.models;
        if is_fitted {
            odds.extend(self.logits.iter().map(|model| model.log_odds(&row)));
            odds.extend(self.boosts.iter().map(|model| model.log_odds(&row)));
        } else {
            let semi_markov = odds[table::SEMI_MARKOV];
            odds.extend(std::iter::repeat_n(semi_markov, self.models));
        }
        let acting = known.map(|known| known.drains.acting(zone, self.target.kind, t, k));
        Some(Opinions { odds, acting: acting.unwrap_or_default(), row })
    }

    /// The blended probability.
    #[must_use]
    pub fn probability(&self, opinions: &Opinions) -> f64 {
        let pooled = self.blend.pool(&acted(&opinions.odds, opinions.acting));
        let state = opinions.row[feature::STATE];
        odds::sigmoid(self.blend.recalibrate(self.residue.on(
            state,
            self.known(&opinions.row),
            pooled,
        )))
    }

    /// What is known ahead, in a row of features and odds of tables.
    fn known<'a>(&self, row: &'a [f32]) -> &'a [f32] {
        let end = row.len() - NAIVE;
        &row[end - self.residue.columns()..end]
    }

    /// Keeps an origin; `base` is how many of its features the origins keep. None is an origin that
    /// says nothing here.
    pub fn keep(&mut self, opinions: &Opinions, base: usize) {
        self.ahead.push(&opinions.row[base..base + self.ahead.width()]);
        self.odds.push(&opinions.odds);
        if opinions.acting != Acting::NONE || !self.acting.is_empty() {
            self.acting.resize(self.labels.len(), Acting::NONE);
            self.acting.push(opinions.acting);
        }
        let bare = self.blend.pool(&acted(&opinions.odds, opinions.acting));
        let (state, known) = (opinions.row[feature::STATE], self.known(&opinions.row));
        let pooled = self.residue.on(state, known, bare);
        self.residue.keep(state, known, bare);
        self.pooled.push(pooled);
        self.moved.push(self.blend.moved(pooled) as f32);
        self.labels.push(f32::NAN);
    }

    /// How good the pool has been at all origins kept whose outcome is known, and the climatology.
    #[must_use]
    pub fn scores(&self) -> (Score, Score) {
        let (mut pool, mut climatology) = (Score::default(), Score::default());
        for (i, &label) in self.labels.iter().enumerate().filter(|(_, label)| !label.is_nan()) {
            let odds = |odds: f32| odds::sigmoid(f64::from(odds));
            pool.add(odds(self.pooled[i]), label > 0.5);
            climatology.add(odds(self.odds.row(i)[table::CLIMATOLOGY]), label > 0.5);
        }
        (pool, climatology)
    }

    /// Forgets the first `n` origins.
    pub fn forget(&mut self, n: usize) {
        self.ahead.forget(n);
        self.odds.forget(n);
        self.acting.drain(..n.min(self.acting.len()));
        self.residue.forget(n);
        self.pooled.drain(..n);
        self.moved.drain(..n);
        self.labels.drain(..n);
        self.resolved = self.resolved.saturating_sub(n);
    }

    /// Fits all models on the labels known so far; not where one side is all but missing.
    pub fn refit(&mut self, origins: &Origins, now: usize, learning: &Learning) {
        let known: Vec<usize> = (0..self.resolved).filter(|&i| !self.labels[i].is_nan()).collect();
        let ups = known.iter().filter(|&&i| self.labels[i] > 0.5).count();
        if known.len() < 100 || ups < 10 || known.len() - ups < 10 {
            return;
        }
        let every = known.len().div_ceil(learning.rows.max(1)).max(1);
        let chosen: Vec<usize> = known.into_iter().rev().step_by(every).collect();
        let mut lesson = self.lesson(origins, &chosen);
        let shape = Shape { base: origins.base.width(), ahead: self.ahead.width(), odds: NAIVE };
        let day = 86_400.0 / f64::from(self.step_seconds);
        let Target { kind, minutes } = self.target;
        let weigh = |lesson: &mut Lesson, counting: Counting| {
            let news = counting.news(kind, minutes) * every as f64;
            for (weight, &i) in lesson.weights.iter_mut().zip(&chosen) {
                let days = (now - origins.steps[i]) as f64 / day;
                *weight = (news * 0.5_f64.powf(days / counting.half_life_days)) as f32;
            }
        };
        let by_state = kind == Kind::Up;
        let mut logits = Vec::with_capacity(learning.logits.len());
        for (i, plan) in learning.logits.iter().enumerate() {
            weigh(&mut lesson, plan.counting);
            let settings = LogitSettings { ridge: plan.ridge, by_state };
            logits.push(Logit::fit(shape, &lesson, settings, self.logits.get(i)));
        }
        let mut boosts = Vec::with_capacity(learning.boosts.len());
        for plan in &learning.boosts {
            weigh(&mut lesson, plan.counting);
            boosts.push(Boosted::fit(shape, &lesson, &plan.settings, plan.starts_from_table));
        }
        (self.logits, self.boosts, self.rows_fitted) = (logits, boosts, chosen.len());
        if self.residue.columns() > 0 {
            weigh(&mut lesson, learning.residue.counting);
            self.fit_residue(&lesson, &chosen, learning.residue.ridge);
        }
    }

    fn fit_residue(&mut self, lesson: &Lesson, chosen: &[usize], ridge: f64) {
        let pooled = |row: &[f32], i: usize| {
            let mut odds = row[row.len() - NAIVE..].to_vec();
            odds.extend(self.logits.iter().map(|model| model.log_odds(row)));
            odds.extend(self.boosts.iter().map(|model| model.log_odds(row)));
            let acting = self.acting.get(i).copied().unwrap_or_default();
            self.blend.pool(&acted(&odds, acting))
        };
        let rows = lesson.rows.iter().zip(chosen);
        let pooled: Vec<f32> = rows.map(|(row, &i)| pooled(row, i)).collect();
        let mut residue = self.residue.clone();
        let rows = lesson.rows.iter().zip(pooled);
        let examples = rows.map(|(row, pooled)| (row[feature::STATE], self.known(row), pooled));
        let settings = LogitSettings { ridge, by_state: self.target.kind == Kind::Up };
        residue.fit(examples, &lesson.labels, &lesson.weights, settings);
        self.residue = residue;
    }

    /// What became of a forecast made `k` steps before `t`, where that is known.
    fn label(&self, zone: &Series, t: usize) -> Option<bool> {
        match self.target.kind {
            Kind::Up => {
                zone.up(t.checked_sub(self.k)?)?;
                zone.up(t)
            }
            Kind::Survival => zone.survived(t, self.k),
        }
    }

    /// Whether what became of a forecast made at `t` may be the doing of a drain.
    fn is_clouded(&self, inputs: &Inputs, z: usize, t: usize) -> bool {
        let known = inputs.of(z);
        known.is_some_and(|known| known.drains.is_clouded(self.target.kind, t, self.k))
    }

    fn cell(&self, zone: &Series, z: usize, t: usize, inputs: &Inputs) -> Option<Cell> {
        Some(Cell {
            is_up: zone.carried_up(t)?,
            minutes_in_state: zone.in_state(t) as f32 * self.step_seconds as f32 / 60.0,
            hour: inputs.hour(z, t + self.k, self.step_seconds) as usize,
        })
    }

    fn lesson(&self, origins: &Origins, chosen: &[usize]) -> Lesson {
        let width = origins.base.width() + self.ahead.width() + NAIVE;
        let mut rows = Rows::new(width);
        let mut row = Vec::with_capacity(width);
        for &i in chosen {
            row.clear();
            row.extend_from_slice(origins.base.row(i));
            row.extend_from_slice(self.ahead.row(i));
            row.extend_from_slice(&self.odds.row(i)[..NAIVE]);
            rows.push(&row);
        }
        let labels = chosen.iter().map(|&i| self.labels[i]).collect();
        Lesson { rows, labels, weights: vec![1.0; chosen.len()] }
    }
}

/// What experts say with what drains do to it.
fn acted(odds: &[f32], acting: Acting) -> Cow<'_, [f32]> {
    if acting == Acting::NONE {
        return Cow::Borrowed(odds);
    }
    let usual = odds[table::RECENT_CLIMATOLOGY];
    Cow::Owned(odds.iter().map(|&odds| acting.on(odds, usual)).collect())
}
