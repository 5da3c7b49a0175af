//! The Resource Predictor: all that was measured of a group of zones goes in, and what will be free
//! comes out.
//!
//! Knows how pasts are laid side by side and which model answers for what: [`Predictor`] for what is
//! up, [`FreePredictor`] for amounts, [`wait`] for queues. A past is fed step by step, in order,
//! so nothing is known too early.

use spec::Timestamp;

use crate::association::Association;
use crate::availability::{Availability, Free};
use crate::count::Counts;
use crate::covariates::Covariates;
use crate::drain;
use crate::forecast::Warning;
use crate::free::{FreePredictor, Settings, levels};
use crate::grid::Grid;
use crate::horizon::Horizon;
use crate::learning::Learning;
use crate::paths::{self, AmountAhead, Joint};
use crate::predictor::{Predictor, Zone};
use crate::recording::{Measure, Recording};
use crate::target::Target;
use crate::trace::{self, Trace};
use crate::wait::{self, Asked, Waited};

/// What was measured of a group of zones, at common steps.
#[derive(Clone, Debug)]
pub struct Material {
    /// The zones.
    pub zones: Vec<Zone>,
    /// When step 0 was; none where the past has no dates.
    pub start: Option<Timestamp>,
    /// Seconds from one step to the next.
    pub step_seconds: u32,
    /// By zone: how many instances were up at each step.
    pub up: Vec<Vec<Option<f64>>>,
    /// What else was measured.
    pub amounts: Vec<Amount>,
    /// Waits, with the zone of each.
    pub waits: Vec<(usize, Waited)>,
    /// What is known ahead of each zone, in order; none where nothing is.
    pub ahead: Vec<Covariates>,
    /// What is wrong with it, with the zone of each.
    pub warnings: Vec<(usize, Warning)>,
}

/// An amount in use in a zone.
#[derive(Clone, Debug)]
pub struct Amount {
    /// The zone.
    pub zone: usize,
    /// Of what.
    pub measure: Measure,
    /// Of how much in all, where that is known.
    pub capacity: Option<f64>,
    /// At each step.
    pub values: Vec<Option<f64>>,
}

/// Measures whose future is forecast as an amount.
const AMOUNTS: [Measure; 6] = [
    Measure::Cpu,
    Measure::Memory,
    Measure::NetworkIn,
    Measure::NetworkOut,
    Measure::DiskRead,
    Measure::DiskWrite,
];

impl Material {
    /// Traces of zones that were sampled together, up to and with step `until`.
    #[must_use]
    pub fn of_traces(zones: &[Zone], traces: &[Trace], until: usize) -> Self {
        let cut =
            |trace: &Trace| trace.samples.iter().take(until.saturating_add(1)).copied().collect();
        Self {
            zones: zones.to_vec(),
            start: None,
            step_seconds: traces.first().map_or(300, |trace| trace.step_seconds.max(1)),
            up: traces.iter().map(cut).collect(),
            amounts: Vec::new(),
            waits: Vec::new(),
            ahead: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// What was recorded before `until`, on one grid. Where nobody recorded whether a zone was up,
    /// it was as long as anything was measured in it, and unknown else.
    #[must_use]
    pub fn of_recordings(recordings: &[Recording], until: Timestamp, step_seconds: u32) -> Self {
        let step_seconds = step_seconds.max(1);
        let mut names: Vec<&str> = recordings.iter().map(|r| r.zone.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let zone = |name: &&str| Zone {
            name: (*name).to_owned(),
            region: trace::region_of(name).map(str::to_owned),
        };
        let mut material = Self {
            zones: names.iter().map(zone).collect(),
            start: None,
            step_seconds,
            up: Vec::new(),
            amounts: Vec::new(),
            waits: Vec::new(),
            ahead: Vec::new(),
            warnings: Vec::new(),
        };
        let (mut grids, mut capacities) = (Vec::new(), Vec::new());
        for recording in recordings {
            let Ok(z) = names.binary_search(&recording.zone.as_str()) else { continue };
            let mut kept = recording.clone();
            kept.samples.retain(|sample| sample.at < until);
            if kept.samples.is_empty() {
                continue;
            }
            if kept.measure == Measure::Wait {
                material.waits.extend(kept.samples.iter().map(|sample| {
                    let day = sample.at.0 as f64 / 86_400e6;
                    (z, Waited { day, asked: kept.asked, seconds: sample.value })
                }));
                continue;
            }
            if kept.measure.is_capacity() {
                let latest = kept.samples.iter().max_by_key(|sample| sample.at);
                capacities.extend(latest.map(|latest| (z, kept.measure.clone(), latest.value)));
                continue;
            }
            let gridded = kept.grid(step_seconds);
            material.warnings.extend(gridded.flaws.iter().map(|flaw| {
                let (measure, flaw) = (kept.measure.to_string(), flaw.to_string());
                (z, Warning::Measured { measure, flaw })
            }));
            grids.push((z, kept.measure, gridded.grid));
        }
        material.lay(&grids);
        for (zone, measure, value) in capacities {
            material.bound(zone, &measure, value);
        }
        material
    }

    /// Says how much of something a zone has in all, where nothing more certain did. Of what has been
    /// more than that within a day it is not believed.
    pub fn bound(&mut self, zone: usize, capacity: &Measure, value: f64) {
        let a_day = (86_400 / self.step_seconds.max(1)) as usize;
        let is_of = |amount: &&mut Amount| {
            let is_it = amount.measure.capacity().as_ref() == Some(capacity);
            amount.zone == zone && is_it && amount.capacity.is_none()
        };
        for amount in self.amounts.iter_mut().filter(is_of) {
            let lately = amount.values.iter().rev().take(a_day).flatten();
            let most = lately.copied().fold(0.0, f64::max);
            if value.is_finite() && value > 0.0 && most <= value {
                amount.capacity = Some(value);
            } else {
                let flaw = format!("{} is more than it has been said to have", amount.measure);
                self.warnings
                    .push((zone, Warning::Measured { measure: capacity.to_string(), flaw }));
            }
        }
    }

    /// All grids from the first moment of any to the last.
    fn lay(&mut self, grids: &[(usize, Measure, Grid)]) {
        let Some(start) = grids.iter().map(|(_, _, grid)| grid.start).min() else {
            self.know_only_waits();
            return;
        };
        let end = grids.iter().map(|(_, _, grid)| grid.end()).max().unwrap_or(start);
        let step_us = i64::from(self.step_seconds) * 1_000_000;
        let steps = usize::try_from((end.0 - start.0) / step_us).unwrap_or(0);
        self.start = Some(start);
        self.up = vec![vec![None; steps]; self.zones.len()];
        let mut is_told = vec![false; self.zones.len()];
        for (z, measure, grid) in grids {
            let values = grid.over(start, steps).values;
            if matches!(measure, Measure::Up | Measure::Count) {
                // A count says more than whether there is any.
                if *measure == Measure::Count || !is_told[*z] {
                    self.up[*z] = values;
                }
                is_told[*z] = true;
            } else if AMOUNTS.contains(measure) {
                let capacity = (*measure == Measure::Cpu).then_some(1.0);
                self.amounts.push(Amount { zone: *z, measure: measure.clone(), capacity, values });
            }
        }
        for amount in &self.amounts {
            if is_told[amount.zone] {
                continue;
            }
            for (up, value) in self.up[amount.zone].iter_mut().zip(&amount.values) {
                if value.is_some() {
                    *up = Some(1.0);
                }
            }
        }
    }

    /// Nothing is known but how long it takes to get in: the last step, in which zones may be up.
    fn know_only_waits(&mut self) {
        self.up = vec![Vec::new(); self.zones.len()];
        let days = self.waits.iter().map(|(_, waited)| waited.day);
        let latest = days.fold(f64::NEG_INFINITY, f64::max);
        if latest.is_finite() {
            let step_us = f64::from(self.step_seconds) * 1e6;
            let steps = (latest * 86_400e6 / step_us).floor();
            self.start = Some(Timestamp((steps * step_us) as i64));
            self.up = vec![vec![None]; self.zones.len()];
        }
    }

    /// How many steps.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.up.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// The end of the last step.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        let us = self.steps() as i64 * i64::from(self.step_seconds) * 1_000_000;
        self.start.map(|start| Timestamp(start.0 + us))
    }
}

/// The models of a group of zones, fed with its past.
#[derive(Clone, Debug)]
pub struct ResourcePredictor {
    material: Material,
    predictor: Predictor,
    counts: Counts,
    free: FreePredictor,
}

impl ResourcePredictor {
    /// Learns from all of it, and fits the models last on all of it.
    #[must_use]
    pub fn learn(material: Material, learning: Learning) -> Self {
        let mut all = Self::new(material, learning);
        all.feed(0, || true);
        all.refit();
        all
    }

    /// The same as long as `goes_on` says so, which is asked again and again; none where it does not.
    #[must_use]
    pub fn learn_while(
        material: Material,
        learning: Learning,
        mut goes_on: impl FnMut() -> bool,
    ) -> Option<Self> {
        let mut all = Self::new(material, learning);
        let is_fed = all.feed(0, &mut goes_on);
        (is_fed && goes_on()).then(|| {
            all.refit();
            all
        })
    }

    /// Learns what came since, where it goes on from what is known; says whether it does. Models
    /// are fitted again as history grows.
    pub fn follow(&mut self, longer: &Material) -> bool {
        let known = self.material.steps();
        let measures = |material: &Material| {
            let of = |a: &Amount| (a.zone, a.measure.clone(), a.capacity.map(f64::to_bits));
            material.amounts.iter().map(of).collect::<Vec<_>>()
        };
        let is_same = longer.zones == self.material.zones
            && longer.start == self.material.start
            && longer.step_seconds == self.material.step_seconds
            && measures(longer) == measures(&self.material)
            && longer.steps() >= known;
        if is_same {
            self.material = longer.clone();
            self.feed(known, || true);
        }
        is_same
    }

    fn new(material: Material, learning: Learning) -> Self {
        let (step, growth) = (material.step_seconds, learning.growth);
        let bare = Predictor::new(&material.zones, step, &Target::all(), learning.clone());
        // Inputs that do not fit the zones are as good as none.
        let told = bare.clone().with_covariates(material.ahead.clone());
        let predictor = if material.ahead.is_empty() { bare } else { told.unwrap_or(bare) };
        let bare = Counts::new(&material.zones, step, learning);
        let told = bare.clone().with_covariates(material.ahead.clone());
        let counts = if material.ahead.is_empty() { bare } else { told.unwrap_or(bare) };
        let capacities: Vec<Option<f64>> = material.amounts.iter().map(|a| a.capacity).collect();
        let settings = Settings { growth, ..Settings::new(step) };
        let bare = FreePredictor::new(&capacities, settings);
        let ahead = material.amounts.iter().filter_map(|amount| material.ahead.get(amount.zone));
        let ahead: Vec<Covariates> = ahead.cloned().collect();
        let told = bare.clone().with_covariates(ahead.clone());
        let free = if ahead.is_empty() { bare } else { told.unwrap_or(bare) };
        Self { material, predictor, counts, free }
    }

    /// All steps from one on, as long as it goes on; says whether it did.
    fn feed(&mut self, from: usize, mut goes_on: impl FnMut() -> bool) -> bool {
        let at = |values: &Vec<Option<f64>>, t: usize| values.get(t).copied().flatten();
        for t in from..self.material.steps() {
            if !goes_on() {
                return false;
            }
            let material = &self.material;
            let up: Vec<_> = material.up.iter().map(|up| at(up, t)).collect();
            self.predictor.observe(&up);
            self.counts.observe(&up);
            let amounts: Vec<_> = material.amounts.iter().map(|a| at(&a.values, t)).collect();
            if !amounts.is_empty() {
                self.free.observe(&amounts);
            }
        }
        true
    }

    fn refit(&mut self) {
        self.predictor.refit();
        self.counts.refit();
        if !self.material.amounts.is_empty() {
            self.free.refit();
        }
    }

    /// What will be free, where, with what probability, for how long; none of an empty past.
    #[must_use]
    pub fn predict_availability(&self, horizon: Horizon) -> Option<Availability> {
        let mut availability = self.predictor.predict_availability(horizon)?;
        availability.at = self.material.now();
        for (i, amount) in self.material.amounts.iter().enumerate() {
            if let Some(free) = self.free(i, amount, horizon) {
                availability.zones[amount.zone].free.push(free);
            }
        }
        for (z, zone) in availability.zones.iter_mut().enumerate() {
            zone.free.extend(self.instances(z, horizon));
            zone.wait = self.wait(z, Asked::default());
            let told = self.material.warnings.iter().filter(|(of, _)| *of == z);
            zone.warnings.extend(told.map(|(_, warning)| warning.clone()));
        }
        Some(availability)
    }

    /// What joint futures of all zones are drawn from, their amounts included; none of an empty past.
    #[must_use]
    pub fn joint(&self, horizon: Horizon) -> Option<Joint> {
        let joint = self.predictor.joint(horizon)?;
        let amounts = &self.material.amounts;
        if amounts.is_empty() {
            return Some(joint);
        }
        let Horizon { step_minutes, .. } = joint.horizon();
        let knots = paths::knots(joint.horizon().steps().count(), step_minutes);
        let seconds = f64::from(self.material.step_seconds);
        let steps = |knot: u16| {
            (f64::from(knot) * f64::from(step_minutes) * 60.0 / seconds).round() as usize
        };
        let used = |i: usize| knots.iter().map_while(move |&k| self.free.quantiles(i, steps(k)));
        let ahead = |(i, amount): (usize, &Amount)| AmountAhead {
            zone: amount.zone,
            measure: amount.measure.clone(),
            capacity: amount.capacity,
            used: used(i).collect(),
        };
        let association = Association::of(&self.free.outcomes(), amounts.len());
        Some(joint.with_amounts(amounts.iter().enumerate().map(ahead).collect(), &association))
    }

    /// How long it takes from asking to running in a zone; none where no wait was ever seen.
    #[must_use]
    pub fn wait(&self, zone: usize, asked: Asked) -> Option<wait::Wait> {
        let of = self.material.waits.iter().filter(|(of, _)| *of == zone);
        let past: Vec<Waited> = of.map(|(_, waited)| *waited).collect();
        let latest = past.iter().map(|waited| waited.day).fold(f64::NEG_INFINITY, f64::max);
        let now = self.material.now().map_or(latest, |now| now.0 as f64 / 86_400e6);
        (!past.is_empty()).then(|| wait::forecast(&past, asked, now.max(latest)))
    }

    /// What was learned from.
    #[must_use]
    pub fn material(&self) -> &Material {
        &self.material
    }

    /// How many instances a zone will have, where it ever had more than one.
    fn instances(&self, z: usize, horizon: Horizon) -> Option<Free> {
        if !self.counts.is_counted(z) {
            return None;
        }
        let outlook = self.counts.outlook(z, &self.predictor, horizon)?;
        Some(Free {
            measure: Measure::Count.to_string(),
            unit: Measure::Count.unit().to_owned(),
            capacity: Some(self.counts.most(z)),
            levels: (0..levels::LEVELS).map(levels::level).collect(),
            quantiles: horizon.steps().map(|m| outlook.quantiles(m).to_vec()).collect(),
        })
    }

    fn free(&self, i: usize, amount: &Amount, horizon: Horizon) -> Option<Free> {
        let step = f64::from(self.material.step_seconds);
        let levels: Vec<f64> = (0..levels::LEVELS).map(levels::level).collect();
        let each = horizon.steps().map(|minutes| {
            let k = (f64::from(minutes) * 60.0 / step).round().max(1.0) as usize;
            let used = self.free.quantiles(i, k)?;
            Some(match amount.capacity {
                Some(all) => {
                    let free: Vec<f64> = used.iter().rev().map(|used| all - used).collect();
                    drain::leave(&levels, &free, self.predictor.drained(amount.zone, k))
                }
                None => used.to_vec(),
            })
        });
        let each = each.collect::<Option<_>>()?;
        Some(Free {
            measure: amount.measure.to_string(),
            unit: amount.measure.unit().to_owned(),
            capacity: amount.capacity,
            quantiles: each,
            levels,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{Axis, Kind, When};
    use crate::local_clock::LocalClock;
    use crate::recording::Sample;

    const START: i64 = 1_700_000_000_000_000;

    fn recording(measure: Measure, values: impl Iterator<Item = f64>) -> Recording {
        let at = |i: usize| Timestamp(START + i as i64 * 300_000_000);
        let samples = values.enumerate().map(|(i, value)| Sample { at: at(i), value });
        let (zone, asked) = ("desk".to_owned(), Asked::default());
        Recording { zone, measure, asked, samples: samples.collect() }
    }

    fn day_and_night(i: usize) -> f64 {
        let is_day = (96..240).contains(&(i % 288));
        0.2 + 0.6 * f64::from(u8::from(is_day)) + 0.01 * (i % 7) as f64
    }

    #[test]
    fn a_drain_that_is_scheduled_leaves_nothing_free_while_it_lasts() {
        let cpu = recording(Measure::Cpu, (0..288 * 4).map(day_and_night));
        let mut material = Material::of_recordings(&[cpu], Timestamp(i64::MAX), 300);
        material.amounts[0].capacity = Some(8.0);
        let axis = Axis { start: material.start.unwrap(), step_seconds: 300 };
        let hour = |h: i64| axis.at(material.steps() as i64 - 1 + h * 12);
        let event = When::Instants { from: hour(2), to: hour(3) };
        let known =
            Covariates::new(axis, LocalClock::utc()).with_events("w", Kind::Drain, &[event]);
        material.ahead = vec![known];
        let predictor = ResourcePredictor::learn(material, Learning::default().in_haste());
        let made = predictor.predict_availability(Horizon::default()).unwrap();
        let free = &made.zones[0].free[0].quantiles;
        // 120 minutes ahead is the first step of the drain, 180 the first after it.
        let highest = |minutes: usize| *free[minutes / 5 - 1].last().unwrap();
        assert!(highest(115) > 0.0 && highest(180) > 0.0);
        assert_eq!([highest(120), highest(175)], [0.0; 2]);
        assert!(made.zones[0].up[23] < 0.05 && made.zones[0].up[36] > 0.5);
    }

    #[test]
    fn a_machine_that_was_measured_is_up_and_its_free_cpus_follow_its_days() {
        let cpu = recording(Measure::Cpu, (0..288 * 6).map(day_and_night));
        let waits = recording(Measure::Wait, (0..40).map(|i| f64::from(10 + i % 5)));
        let until = Timestamp(i64::MAX);
        let material = Material::of_recordings(&[cpu, waits], until, 300);
        assert_eq!(material.steps(), 288 * 6);
        let predictor = ResourcePredictor::learn(material, Learning::default().in_haste());
        let made = predictor.predict_availability(Horizon::default()).unwrap();
        let zone = &made.zones[0];
        assert_eq!((zone.is_up, made.zones.len()), (Some(true), 1));
        assert!(made.at.is_some_and(|at| at.0 > START));
        let free = &zone.free[0];
        // Midnight is the next step: at noon there is little, in the night there is much.
        let (noon, night) = (free.quantile(150, 0.5).unwrap(), free.quantile(20, 0.5).unwrap());
        assert!(noon < 0.4 && night > 0.6, "{noon} {night}");
        assert!(free.quantiles.iter().all(|q| q.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9)));
        let wait = zone.wait.as_ref().unwrap();
        assert!((5.0..30.0).contains(&wait.seconds[2]), "{wait:?}");
    }

    #[test]
    fn who_asks_for_more_waits_longer_where_it_was_so_and_waits_alone_are_a_past() {
        let waits = |cpus: f64, seconds: f64| Recording {
            asked: Asked { cpus: Some(cpus), ..Asked::default() },
            ..recording(Measure::Wait, (0..60).map(|i| seconds + f64::from(i)))
        };
        let known = [waits(1.0, 5.0), waits(64.0, 3000.0)];
        let material = Material::of_recordings(&known, Timestamp(i64::MAX), 300);
        assert_eq!((material.steps(), material.waits.len()), (1, 120));
        let predictor = ResourcePredictor::learn(material, Learning::default().in_haste());
        let made = predictor.predict_availability(Horizon::default()).unwrap();
        assert_eq!(made.zones[0].is_up, None);
        let median = |cpus: Option<f64>| {
            predictor.wait(0, Asked { cpus, ..Asked::default() }).unwrap().seconds[2]
        };
        assert!(median(Some(1.0)) < 100.0 && median(Some(64.0)) > 2000.0);
        let any = made.zones[0].wait.as_ref().unwrap().seconds;
        assert!(any[1] < 100.0 && any[3] > 2000.0, "{any:?}");
    }

    #[test]
    fn memory_is_free_in_bytes_where_its_capacity_was_recorded_and_in_use_where_it_was_not() {
        let gib = 1_073_741_824.0;
        let used =
            recording(Measure::Memory, (0..288 * 4).map(|i| gib * (1.0 + 2.0 * day_and_night(i))));
        let free = |all: &[f64]| {
            let capacity = recording(Measure::MemoryCapacity, all.iter().copied());
            let past = [used.clone(), capacity];
            let material = Material::of_recordings(&past, Timestamp(i64::MAX), 300);
            let warnings = material.warnings.len();
            let predictor = ResourcePredictor::learn(material, Learning::default().in_haste());
            let mut made = predictor.predict_availability(Horizon::default()).unwrap();
            (made.zones.remove(0).free.remove(0), warnings)
        };
        let (known, warnings) = free(&[16.0 * gib, 8.0 * gib]);
        assert_eq!((known.capacity, known.unit.as_str(), warnings), (Some(8.0 * gib), "B", 0));
        // At noon 2.6 GiB are in use.
        let noon = known.quantile(150, 0.5).unwrap() / gib;
        assert!((5.0..6.0).contains(&noon), "{noon}");
        let (unknown, _) = free(&[]);
        let noon = unknown.quantile(150, 0.5).unwrap() / gib;
        assert!(unknown.capacity.is_none() && (2.2..3.0).contains(&noon), "{noon}");
        // In other units than what is in use, it cannot be.
        let (odd, warnings) = free(&[8.0]);
        assert_eq!((odd.capacity, warnings), (None, 1));
    }

    #[test]
    fn what_was_measured_since_is_learned_on_top_of_what_is_known() {
        let cpu = recording(Measure::Cpu, (0..400).map(day_and_night));
        let at = |step: i64| Timestamp(START + step * 300_000_000);
        let cut = |step| Material::of_recordings(std::slice::from_ref(&cpu), at(step), 300);
        let learning = Learning::default().in_haste();
        let mut grown = ResourcePredictor::learn(cut(200), learning.clone());
        assert!(grown.follow(&cut(250)) && !grown.follow(&cut(240)));
        let made = grown.predict_availability(Horizon::default()).unwrap();
        assert_eq!((made.steps_seen, made.at), (250, cut(250).now()));
        let mut left = 100;
        let stopped = ResourcePredictor::learn_while(cut(200), learning, || {
            left -= 1;
            left > 0
        });
        assert!(stopped.is_none());
    }

    #[test]
    fn what_comes_after_the_moment_asked_for_is_not_there() {
        let cpu = recording(Measure::Cpu, (0..600).map(day_and_night));
        let until = Timestamp(START + 300 * 300_000_000);
        let cut = Material::of_recordings(std::slice::from_ref(&cpu), until, 300);
        assert_eq!(cut.steps(), 300);
        assert_eq!(cut.amounts[0].values[..], cut.amounts[0].values[..300]);
        assert!(Material::of_recordings(&[cpu], Timestamp(0), 300).steps() == 0);
    }
}
