//! Frequencies: what came true how often, for all, by hour, by state and by time in state.
//!
//! These are the naive forecasts. They are always there, they are what a learned model has to
//! beat, and what remains when history is short. Labels come in as they become known, so that a
//! table never holds what was not yet seen; the recent ones count more in tables that say so.

use crate::odds;

/// Upper ends, in minutes, of the bins of time in state.
const AGE_BINS: [f32; 9] = [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0, 2560.0];
/// How many bins there are.
const BINS: usize = AGE_BINS.len() + 1;

/// Names of the tables, in the order of [`Tables::log_odds`].
pub const NAMES: [&str; 7] = [
    "climatology",
    "recent climatology",
    "hour of day",
    "conditional",
    "recent conditional",
    "semi-markov",
    "recent semi-markov",
];
/// Index of the climatology of all that is known.
pub const CLIMATOLOGY: usize = 0;
/// Index of the climatology of the recent past.
pub const RECENT_CLIMATOLOGY: usize = 1;
/// Index of the semi-Markov table of all that is known.
pub const SEMI_MARKOV: usize = 5;

/// Days after which a label counts half in tables of the recent past.
const RECENT_HALF_LIFE_DAYS: f64 = 5.0;

/// What selects a cell of a table.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// The state at the origin.
    pub is_up: bool,
    /// Minutes since it changed.
    pub minutes_in_state: f32,
    /// Hour of the target, 0 to 23.
    pub hour: usize,
}

impl Cell {
    fn age(self) -> usize {
        AGE_BINS.partition_point(|&end| end <= self.minutes_in_state)
    }

    fn state(self) -> usize {
        usize::from(self.is_up)
    }
}

/// How often something was true.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    true_: f64,
    all: f64,
}

impl Tally {
    fn add(&mut self, label: bool, weight: f64) {
        self.all += weight;
        if label {
            self.true_ += weight;
        }
    }

    /// The frequency, as if `weight` more had been seen with frequency `prior`.
    fn rate(self, prior: f64, weight: f64) -> f64 {
        (self.true_ + weight * prior) / (self.all + weight)
    }
}

/// Tallies by state and time in state.
#[derive(Clone, Debug, Default)]
struct ByAge([[Tally; BINS]; 2]);

impl ByAge {
    fn state(&self, state: usize) -> Tally {
        self.0[state].iter().fold(Tally::default(), |sum, tally| Tally {
            true_: sum.true_ + tally.true_,
            all: sum.all + tally.all,
        })
    }
}

#[derive(Clone, Debug)]
struct OfZone {
    all: Tally,
    recent: Tally,
    hours: [Tally; 24],
    ages: ByAge,
    recent_ages: ByAge,
}

/// The tables of one target, for all zones of a group.
#[derive(Clone, Debug)]
pub struct Tables {
    zones: Vec<OfZone>,
    pool: ByAge,
    recent_pool: ByAge,
    step_seconds: u32,
    /// What a label of now weighs in recent tables; grows, so that old ones need not be touched.
    growth: f64,
}

impl Tables {
    /// Empty tables of so many zones.
    #[must_use]
    pub fn new(zones: usize, step_seconds: u32) -> Self {
        let empty = OfZone {
            all: Tally::default(),
            recent: Tally::default(),
            hours: [Tally::default(); 24],
            ages: ByAge::default(),
            recent_ages: ByAge::default(),
        };
        Self {
            zones: vec![empty; zones],
            pool: ByAge::default(),
            recent_pool: ByAge::default(),
            step_seconds,
            growth: 1.0,
        }
    }

    /// One step of time has passed.
    pub fn tick(&mut self) {
        let half_life = RECENT_HALF_LIFE_DAYS * 86_400.0 / f64::from(self.step_seconds);
        self.growth *= (std::f64::consts::LN_2 / half_life).exp();
        if self.growth > 1e200 {
            self.rescale(1.0 / self.growth);
            self.growth = 1.0;
        }
    }

    fn rescale(&mut self, by: f64) {
        let scale = |tally: &mut Tally| {
            tally.true_ *= by;
            tally.all *= by;
        };
        self.recent_pool.0.iter_mut().flatten().for_each(scale);
        for zone in &mut self.zones {
            scale(&mut zone.recent);
            zone.recent_ages.0.iter_mut().flatten().for_each(scale);
        }
    }

    /// A forecast made from `cell` turned out true or false.
    pub fn learn(&mut self, z: usize, cell: Cell, label: bool) {
        let (state, age, growth) = (cell.state(), cell.age(), self.growth);
        let zone = &mut self.zones[z];
        zone.all.add(label, 1.0);
        zone.recent.add(label, growth);
        zone.hours[cell.hour % 24].add(label, 1.0);
        zone.ages.0[state][age].add(label, 1.0);
        zone.recent_ages.0[state][age].add(label, growth);
        self.pool.0[state][age].add(label, 1.0);
        self.recent_pool.0[state][age].add(label, growth);
    }

    /// Log-odds of each table.
    #[must_use]
    pub fn log_odds(&self, z: usize, cell: Cell) -> [f32; NAMES.len()] {
        let zone = &self.zones[z];
        let steps_per_hour = 3600.0 / f64::from(self.step_seconds);
        let climatology = zone.all.rate(0.5, 2.0);
        let recent = zone.recent.rate(climatology, 6.0 * steps_per_hour * self.growth);
        let hour = zone.hours[cell.hour % 24].rate(climatology, steps_per_hour);
        let conditional = zone.ages.state(cell.state()).rate(0.5, 2.0);
        let shrink = 6.0 * steps_per_hour * self.growth;
        let recent_conditional = zone.recent_ages.state(cell.state()).rate(conditional, shrink);
        let ages = self.by_age(&zone.ages, &self.pool, cell, 1.0);
        let recent_ages = self.by_age(&zone.recent_ages, &self.recent_pool, cell, self.growth);
        [climatology, recent, hour, conditional, recent_conditional, ages, recent_ages]
            .map(odds::log_odds)
    }

    /// The rate by state and age, shrunk to the curve of all zones moved to this zone's level.
    fn by_age(&self, zone: &ByAge, pool: &ByAge, cell: Cell, unit: f64) -> f64 {
        let weight = 6.0 * 3600.0 / f64::from(self.step_seconds) * unit;
        let (state, age) = (cell.state(), cell.age());
        let pooled_mean = pool.state(state).rate(0.5, 2.0 * unit);
        // A rare age borrows from the next younger one.
        let pooled = pool.0[state][..=age]
            .iter()
            .fold(pooled_mean, |younger, tally| tally.rate(younger, 2.0 * weight));
        let mean = zone.state(state).rate(pooled_mean, 2.0 * unit);
        let prior =
            odds::sigmoid(odds::logit(pooled) - odds::logit(pooled_mean) + odds::logit(mean));
        zone.0[state][age].rate(prior, weight)
    }
}
