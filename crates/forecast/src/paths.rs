//! Joint futures of all zones: sampled paths that are up and down together as zones are.
//!
//! Knows forecasts, hazards and correlations; nothing of how they were learned.
//!
//! Each zone is a semi-Markov process in which a zone leaves a state with the hazard that its past
//! shows at that age. Of a zone that is up, the first run ends as its survival curve says. All
//! other hazards of a step are scaled by one factor, up and down opposite ways, so that the share of
//! paths that is up is what the forecast says: in the population of paths, at each step, exactly.
//! So marginals and survival hold by construction, and lengths of runs are realistic.
//!
//! *Which* paths change is where zones meet: those whose latent pressure is highest leave first
//! and come back last. Pressures are autoregressive in time and correlated between zones, as a
//! Gaussian copula over whole futures; a rank in the population decides, so no distribution is
//! assumed of them. Their correlations are calibrated on a pilot so that states come out as
//! correlated as [`Dependence`] says.
//!
//! While a zone is up, its amounts have the distribution that forecasts say, and go together and
//! last as [`Association`] says; a zone that is down has none.

mod amounts;
mod calibration;
mod latent;
mod law;
mod state;

pub use amounts::{AmountAhead, knots};
use amounts::{Drawn, Store};
use latent::{Coupling, Latents};
pub use law::Ahead;
pub(crate) use law::ages;
use law::{Law, Population};
pub use state::{Level, State};

use crate::association::Association;
use crate::dependence::Dependence;
use crate::horizon::Horizon;
use crate::recording::Measure;
use crate::seed::Stream;

/// The fewest paths that are played: thresholds are ranks among them.
const POPULATION: usize = 2048;
/// The most steps a horizon may have.
const STEPS_MAX: usize = 4096;

/// What futures are drawn from.
#[derive(Clone, Debug)]
pub struct Joint {
    horizon: Horizon,
    laws: Vec<Law>,
    coupling: Coupling,
    amounts: Store,
}

/// Sampled futures.
#[derive(Clone, Debug, PartialEq)]
pub struct Paths {
    n: usize,
    steps: u16,
    zones: Vec<ZonePaths>,
    amounts: Drawn,
}

/// One zone's: whether each path starts up, and the steps at which it changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ZonePaths {
    starts_up: Vec<bool>,
    offsets: Vec<u32>,
    changes: Vec<u16>,
}

/// A stretch of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first step of it; step 0 is now.
    pub from: u16,
    /// The first step that is not of it any more, or one past the horizon.
    pub to: u16,
    /// Whether the zone is up.
    pub is_up: bool,
}

impl Joint {
    /// Of zones with these forecasts over a horizon; what is beyond 4096 steps is left out.
    #[must_use]
    pub fn new(zones: &[Ahead], dependence: &Dependence, horizon: Horizon) -> Self {
        let steps = horizon.steps().count().min(STEPS_MAX);
        let minutes = horizon.step_minutes.max(1);
        let horizon = Horizon { minutes: steps as u32 * minutes, step_minutes: minutes };
        let laws: Vec<Law> = zones.iter().map(|ahead| Law::new(ahead, steps)).collect();
        let coupling = calibration::fit(&laws, dependence, horizon);
        Self { horizon, laws, coupling, amounts: Store::default() }
    }

    /// The same with amounts of these zones, which go together and last like this (in the same order).
    #[must_use]
    pub fn with_amounts(self, amounts: Vec<AmountAhead>, association: &Association) -> Self {
        let horizon = (self.horizon.steps().count(), self.horizon.step_minutes);
        let amounts = Store::new(amounts, association, self.laws.len(), horizon);
        Self { amounts, ..self }
    }

    /// `n` futures. The same seed gives the same ones, to the last bit.
    #[must_use]
    pub fn paths(&self, n: usize, seed: u64) -> Paths {
        let steps = self.horizon.steps().count();
        let all = n.max(POPULATION);
        let mut filing = Filing { n: all, zones: Vec::new(), events: Vec::new() };
        play(&self.laws, &self.coupling, all, steps, seed, &mut filing);
        let zones = filing.zones;
        let amounts = self.amounts.draw(all, seed, |zone, knots, up| zones[zone].stand(knots, up));
        Paths { n, steps: steps as u16, zones, amounts }
    }

    /// How far ahead, and in what steps.
    #[must_use]
    pub fn horizon(&self) -> Horizon {
        self.horizon
    }
}

/// Who is told what becomes of a population, zone by zone and step by step.
trait Watcher {
    /// The paths of the next zone start like this.
    fn begins(&mut self, states: impl Iterator<Item = bool>);
    /// A path of that zone changes at a step.
    fn changes(&mut self, step: u16, path: u32);
    /// The zone is through.
    fn ends(&mut self);
}

fn play(
    laws: &[Law],
    coupling: &Coupling,
    paths: usize,
    steps: usize,
    seed: u64,
    watcher: &mut impl Watcher,
) {
    let latents = Latents::draw(coupling, paths, steps, seed);
    let mut population = Population::new(paths);
    for (z, law) in laws.iter().enumerate() {
        let mut noise = Stream::new(seed ^ (z as u64 + 1).wrapping_mul(0xA24B_AED4_963E_E407));
        population.begin(law, &mut noise);
        watcher.begins(population.states());
        for k in 1..=steps {
            let pressure = latents.between(z, k - 1);
            population.step(law, k, &pressure, &mut noise, |path| watcher.changes(k as u16, path));
        }
        watcher.ends();
    }
}

/// Keeps `n` paths.
struct Filing {
    n: usize,
    zones: Vec<ZonePaths>,
    events: Vec<(u32, u16)>,
}

impl Watcher for Filing {
    fn begins(&mut self, states: impl Iterator<Item = bool>) {
        let starts_up = states.take(self.n).collect();
        self.zones.push(ZonePaths { starts_up, ..ZonePaths::default() });
    }

    fn changes(&mut self, step: u16, path: u32) {
        if (path as usize) < self.n {
            self.events.push((path, step));
        }
    }

    fn ends(&mut self) {
        if let Some(zone) = self.zones.last_mut() {
            zone.file(&self.events, self.n);
        }
        self.events.clear();
    }
}

impl ZonePaths {
    /// Which paths are up at these steps: by step and path.
    fn stand(&self, steps: &[u16], up: &mut [bool]) {
        let paths = self.starts_up.len();
        for (path, ends) in self.offsets.windows(2).enumerate() {
            let mut changes = self.changes[ends[0] as usize..ends[1] as usize].iter().peekable();
            let mut is_up = self.starts_up[path];
            for (i, step) in steps.iter().enumerate() {
                while changes.next_if(|change| *change <= step).is_some() {
                    is_up = !is_up;
                }
                up[i * paths + path] = is_up;
            }
        }
    }

    /// Changes by path; they come in the order of steps.
    fn file(&mut self, events: &[(u32, u16)], n: usize) {
        self.offsets = vec![0; n + 1];
        events.iter().for_each(|(path, _)| self.offsets[*path as usize + 1] += 1);
        for path in 0..n {
            self.offsets[path + 1] += self.offsets[path];
        }
        let mut next = self.offsets.clone();
        self.changes = vec![0; events.len()];
        for &(path, step) in events {
            let at = &mut next[path as usize];
            self.changes[*at as usize] = step;
            *at += 1;
        }
    }
}

impl Paths {
    /// How many futures.
    #[must_use]
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// How many zones.
    #[must_use]
    pub fn zones(&self) -> usize {
        self.zones.len()
    }

    /// How many steps the horizon has, now not counted.
    #[must_use]
    pub fn steps(&self) -> u16 {
        self.steps
    }

    /// A zone's future, as stretches of one state; together they are now and the whole horizon.
    pub fn runs(&self, path: usize, zone: usize) -> impl Iterator<Item = Run> + '_ {
        let changes = self.changes(path, zone);
        let starts_up = self.zones[zone].starts_up[path];
        let end = self.steps + 1;
        (0..=changes.len()).map(move |i| Run {
            from: if i == 0 { 0 } else { changes[i - 1] },
            to: changes.get(i).copied().unwrap_or(end),
            is_up: starts_up ^ (i % 2 == 1),
        })
    }

    /// Whether a zone is up at a step; step 0 is now.
    #[must_use]
    pub fn is_up(&self, path: usize, zone: usize, step: u16) -> bool {
        let changes = self.changes(path, zone);
        let passed = changes.partition_point(|&change| change <= step);
        self.zones[zone].starts_up[path] ^ (passed % 2 == 1)
    }

    /// A zone's future as stretches in which neither its state nor any amount changes.
    #[must_use]
    pub fn states(&self, path: usize, zone: usize) -> state::States<'_> {
        state::States::new(self, path, zone)
    }

    /// What is measured of a zone, in the order of [`State::amounts`].
    pub fn measures(&self, zone: usize) -> impl Iterator<Item = &AmountAhead> {
        self.amounts.of_zone(zone).map(|(_, amount)| amount)
    }

    /// How much of a zone is free, or in use where no capacity is known, as stretches of one amount;
    /// nothing where that is not forecast.
    pub fn free(&self, path: usize, zone: usize, measure: &Measure) -> impl Iterator<Item = Level> {
        let series = self.amounts.of_zone(zone).find(|(_, amount)| amount.measure == *measure);
        state::levels(series.into_iter().flat_map(move |(series, _)| {
            self.states(path, zone).map(move |state| state.level(series))
        }))
    }

    fn changes(&self, path: usize, zone: usize) -> &[u16] {
        let zone = &self.zones[zone];
        &zone.changes[zone.offsets[path] as usize..zone.offsets[path + 1] as usize]
    }
}
