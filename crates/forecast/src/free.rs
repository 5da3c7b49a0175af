//! Quantiles of an amount that is free or used: cpu, memory, network, disk.
//!
//! A stream like [`crate::predictor`]: values go in, step by step, and quantiles of any later step
//! within a day or more come out; what is asked at a step can only be answered from that step and
//! those before. Knows amounts, not what they are of.
//!
//! Reading order: this file, `expert` (who says what), `track` (whom to believe, and how wide),
//! then `standing`, `past`, `line`, `boosted`, [`levels`].

pub mod backtest;
mod boosted;
pub mod continued;
mod expert;
pub mod levels;
mod line;
mod past;
mod standing;
mod track;

use crate::ahead::Unlike;
use crate::association::Outcomes;
use crate::boost;
use crate::covariates::Covariates;
use boosted::{Boosted, Lesson};
use levels::Quantiles;
use past::{Clock, Past};
use standing::Turned;
use track::{Said, Track};

/// Minutes ahead that are learned; between them, forecasts are mixed.
const ANCHORS: [u32; 7] = [5, 20, 60, 180, 360, 720, 1440];
/// Amounts beyond this are not believed.
const LARGEST: f64 = 1e30;
/// How far apart the quantiles of what never moved are set, as a share of its size.
const CONSTANT_DOUBT: f64 = 0.1;
/// As a share of its size, what moves less never moved: means of the same amounts differ in rounding.
const ROUNDING: f64 = 1e-6;
/// Hours of history below which anything is held possible, the more the farther ahead.
const SHORT_HOURS: f64 = 48.0;
/// How many times the most that was seen may come where the past is short and no capacity known.
const BEYOND: f64 = 2.0;
/// Days of rows that trees are grown on, as far as there is room.
const ROW_DAYS: usize = 28;

/// How a group of series is forecast.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Seconds from one step to the next.
    pub step_seconds: u32,
    /// Of how many steps, up to and with the target, the mean is forecast; 1 for the step itself.
    pub mean_over: usize,
    /// The most rows trees are grown on at one horizon.
    pub rows: usize,
    /// How trees are grown.
    pub boost: boost::Settings,
    /// By what share history must have grown before trees are grown again; at least a day.
    pub growth: f64,
}

impl Settings {
    /// For series of this step.
    #[must_use]
    pub fn new(step_seconds: u32) -> Self {
        let boost = boost::Settings {
            rounds: 60,
            rate: 0.08,
            leaves: 6,
            leaf_weight: 30.0,
            l2: 10.0,
            columns: 0.5,
            rows: 0.6,
            seed: 1,
        };
        Self { step_seconds: step_seconds.max(1), mean_over: 1, rows: 4000, boost, growth: 0.06 }
    }
}

impl Settings {
    /// The same, with trees grown again only when history has doubled: for reading in a long past at
    /// once.
    #[must_use]
    pub fn in_haste(self) -> Self {
        Self { growth: 1.0, ..self }
    }
}

/// The forecaster of a group of series that are sampled together.
#[derive(Clone, Debug)]
pub struct FreePredictor {
    settings: Settings,
    clock: Clock,
    strands: Vec<Strand>,
    /// What is known ahead, of each series or of none.
    covariates: Vec<Covariates>,
    lessons: Vec<Lesson>,
    boosted: Vec<Option<Boosted>>,
    /// Of how many rows one is kept to learn from.
    thinned: usize,
    len: usize,
    next_fit: usize,
}

/// A series with all its horizons.
#[derive(Clone, Debug)]
struct Strand {
    past: Past,
    capacity: Option<f64>,
    tracks: Vec<Track>,
}

impl FreePredictor {
    /// A predictor that has seen nothing, of series with these capacities, where they have one.
    #[must_use]
    pub fn new(capacities: &[Option<f64>], settings: Settings) -> Self {
        let step = settings.step_seconds.max(1);
        let day = (86_400 / step as usize).max(1);
        let bin = ((900.0 / f64::from(step)).round() as usize).max(1);
        let stride = bin * capacities.len().div_ceil(12).max(1);
        let clock = Clock { day, mean_over: settings.mean_over.max(1), bin, stride };
        let mut steps: Vec<usize> = ANCHORS
            .iter()
            .map(|&minutes| (f64::from(minutes * 60) / f64::from(step)).round() as usize)
            .filter(|&k| k > 0 && k >= clock.mean_over)
            .collect();
        steps.dedup();
        let strand = |&capacity: &Option<f64>| Strand {
            past: Past::new(clock),
            capacity: capacity.filter(|c| c.is_finite()),
            tracks: steps.iter().map(|&k| Track::new(k, clock)).collect(),
        };
        let all = capacities.len() * clock.origins(ROW_DAYS);
        Self {
            lessons: vec![Lesson::new(boosted::WIDTH, settings.rows); steps.len()],
            boosted: vec![None; steps.len()],
            strands: capacities.iter().map(strand).collect(),
            covariates: Vec::new(),
            thinned: all.div_ceil(settings.rows.max(1)).max(1),
            settings,
            clock,
            len: 0,
            next_fit: day,
        }
    }

    /// The same with what is known ahead of each series, before anything was seen.
    ///
    /// # Errors
    /// Series have different inputs, or there are not as many as series.
    pub fn with_covariates(mut self, covariates: Vec<Covariates>) -> Result<Self, Unlike> {
        let columns = covariates.first().map_or(&[][..], Covariates::columns);
        if let Some(zone) = covariates.iter().position(|each| each.columns() != columns) {
            return Err(Unlike { zone });
        }
        if covariates.len() != self.strands.len() {
            return Err(Unlike { zone: covariates.len() });
        }
        let lesson = Lesson::new(boosted::WIDTH + columns.len(), self.settings.rows);
        self.lessons = vec![lesson; self.lessons.len()];
        self.covariates = covariates;
        Ok(self)
    }

    /// The next step of every series: its amount, none where it is not known.
    pub fn observe(&mut self, amounts: &[Option<f64>]) {
        let t = self.len;
        self.len += 1;
        for (i, strand) in self.strands.iter_mut().enumerate() {
            let amount = amounts.get(i).copied().flatten();
            let amount = amount.filter(|a| a.is_finite() && a.abs() < LARGEST);
            strand.past.push(amount.unwrap_or(f64::NAN));
            let value = strand.past.at(t);
            let mut turned = Turned::none();
            for (j, track) in strand.tracks.iter_mut().enumerate() {
                let Some(resolved) = track.resolve(t, value, &strand.past, &turned) else {
                    continue;
                };
                track.warn(&mut turned);
                let origin = (t - track.k) / self.clock.stride;
                if (origin + i).is_multiple_of(self.thinned) {
                    self.lessons[j].push(&resolved.row, resolved.target);
                }
            }
        }
        if t >= self.next_fit {
            self.refit();
        }
        for i in 0..self.strands.len() {
            // All series at the same moments, so that what came can be compared.
            if t.is_multiple_of(self.clock.stride) && !self.strands[i].past.at(t).is_nan() {
                self.keep_origin(i, t);
            }
        }
    }

    /// Grows all trees on what is known now. [`FreePredictor::observe`] does so by itself as history
    /// grows.
    pub fn refit(&mut self) {
        let settings = &self.settings.boost;
        for (lesson, boosted) in self.lessons.iter().zip(&mut self.boosted) {
            if lesson.len() as f64 >= 2.0 * settings.leaf_weight {
                *boosted = Some(Boosted::fit(lesson, settings));
            }
        }
        let grown = (self.len as f64 * self.settings.growth) as usize;
        self.next_fit = self.len + self.clock.day.max(grown);
    }

    /// Quantiles of a series `k` steps after the last; none before anything is known of it.
    #[must_use]
    pub fn quantiles(&self, i: usize, k: usize) -> Option<Quantiles> {
        let strand = self.strands.get(i)?;
        let k = k.max(1);
        // What was last known is older than the last step: errors are those of as long a reach.
        let reach = k + strand.past.unknown_for();
        let after = strand.tracks.iter().position(|track| track.k >= reach);
        let after = after.unwrap_or(strand.tracks.len().checked_sub(1)?);
        let mut quantiles = self.at_anchor(i, after, k)?;
        let far = strand.tracks[after].k;
        if let Some(before) = after.checked_sub(1)
            && reach < far
        {
            let near = strand.tracks[before].k as f64;
            let part = (reach as f64 / near).ln() / (far as f64 / near).ln();
            let other = self.at_anchor(i, before, k)?;
            quantiles.iter_mut().zip(other).for_each(|(q, o)| *q = *q * part + o * (1.0 - part));
        }
        // Where levels are alike, rounding may have turned them about.
        quantiles.sort_by(f64::total_cmp);
        strand.doubt(&mut quantiles);
        strand.temper(&mut quantiles, k as f64 * 24.0 / self.clock.day as f64);
        Some(strand.bounded(quantiles))
    }

    /// Quantiles of a series at each of the next `steps` steps: asked every hour from the
    /// first on, every quarter before, and between those drawn straight. None before anything is known.
    #[must_use]
    pub fn fan(&self, i: usize, steps: usize) -> Option<Vec<Quantiles>> {
        let near = self.clock.hours(1.0);
        let far = self.clock.hours(1.0).max(1);
        let mut fan: Vec<Quantiles> = Vec::with_capacity(steps);
        let mut k = 1;
        while fan.len() < steps {
            let next = self.quantiles(i, k)?;
            let from = fan.last().copied().unwrap_or(next);
            let gap = k - fan.len();
            for j in 1..=gap {
                let part = j as f64 / gap as f64;
                fan.push(std::array::from_fn(|q| from[q] + (next[q] - from[q]) * part));
            }
            k += if k >= near { far } else { self.clock.bin.min(far) };
        }
        fan.truncate(steps);
        Some(fan)
    }

    /// Names of the experts, and what each weighs for a series at each horizon, in minutes.
    #[must_use]
    pub fn weights(&self, i: usize) -> Vec<(u32, Vec<(&'static str, f64)>)> {
        let Some(strand) = self.strands.get(i) else { return Vec::new() };
        let minutes = |k: usize| (k as u64 * u64::from(self.settings.step_seconds) / 60) as u32;
        let of = |track: &Track| {
            (minutes(track.k), expert::NAMES.into_iter().zip(track.weights()).collect())
        };
        strand.tracks.iter().map(of).collect()
    }

    /// Where outcomes of all series fell in what had been said of them at the same origins, for each
    /// horizon that is learned.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Outcomes> {
        let Some(strand) = self.strands.first() else { return Vec::new() };
        let stride = self.clock.stride;
        let origins = self.len / stride + 1;
        let minutes = |k: usize| (k as u64 * u64::from(self.settings.step_seconds) / 60) as u32;
        let at = |(j, track): (usize, &Track)| {
            let first = self.strands.iter().filter_map(|strand| strand.tracks[j].ranks().next());
            let first = first.map(|(at, _)| at / stride).min().unwrap_or(0);
            let ranks = |strand: &Strand| {
                let mut ranks = vec![f32::NAN; origins - first.min(origins)];
                strand.tracks[j].ranks().for_each(|(at, rank)| ranks[at / stride - first] = rank);
                ranks
            };
            Outcomes {
                minutes: minutes(track.k),
                first,
                news: (stride as f64 / track.k as f64).min(1.0),
                ranks: self.strands.iter().map(ranks).collect(),
            }
        };
        strand.tracks.iter().enumerate().map(at).collect()
    }

    fn at_anchor(&self, i: usize, j: usize, k: usize) -> Option<Quantiles> {
        let (said, _) = self.say(i, j, k)?;
        Some(self.strands[i].tracks[j].stretch(&said.blend))
    }

    fn say(&self, i: usize, j: usize, k: usize) -> Option<(Said, Vec<f32>)> {
        let strand = &self.strands[i];
        let track = &strand.tracks[j];
        let now = strand.past.len().checked_sub(1)?;
        let outlook = track.outlook(&strand.past, self.clock, k)?;
        let mut row = Vec::with_capacity(boosted::WIDTH);
        boosted::row(&strand.past, self.clock, k, &outlook, &mut row);
        if let Some(covariates) = self.covariates.get(i) {
            covariates.extend(now, k, &mut row);
        }
        let boosted = self.boosted[j].as_ref().map(|boosted| boosted.at(&row, &outlook));
        let said = track.say(&strand.past, now + k, outlook, boosted);
        Some((said, row))
    }

    fn keep_origin(&mut self, i: usize, t: usize) {
        for j in 0..self.strands[i].tracks.len() {
            let k = self.strands[i].tracks[j].k;
            if let Some((said, row)) = self.say(i, j, k) {
                self.strands[i].tracks[j].keep(t, said, row);
            }
        }
    }
}

impl Strand {
    /// What never moved may yet: its quantiles are set apart by a share of its size.
    fn doubt(&self, quantiles: &mut Quantiles) {
        let (least, most) = self.past.range();
        if most - least > ROUNDING * most.abs().max(least.abs()) {
            return;
        }
        let size = self.capacity.map_or(least.abs(), f64::abs).max(1.0);
        for (i, q) in quantiles.iter_mut().enumerate() {
            *q += CONSTANT_DOUBT * size * (levels::level(i) - 0.5);
        }
    }

    /// Drawn towards anything that could be, as far as little is known: as if half the way ahead had
    /// been seen with any outcome.
    fn temper(&self, quantiles: &mut Quantiles, hours_ahead: f64) {
        let hours = self.past.hours_known();
        let held = 0.5 * hours_ahead * (1.0 - hours / SHORT_HOURS).max(0.0);
        if held <= 0.0 {
            return;
        }
        let known = hours / (hours + held);
        let (least, most) = self.past.range();
        let low = least.min(0.0) * BEYOND;
        let high = self.capacity.unwrap_or(most.max(0.0) * BEYOND);
        for (i, q) in quantiles.iter_mut().enumerate() {
            let anything = low + (high - low) * levels::level(i);
            *q = known * *q + (1.0 - known) * anything;
        }
    }

    /// Not below 0 where it never was, and never above capacity.
    fn bounded(&self, mut quantiles: Quantiles) -> Quantiles {
        let least = if self.past.range().0 >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
        let most = self.capacity.unwrap_or(f64::INFINITY).max(least);
        quantiles.iter_mut().for_each(|q| *q = q.clamp(least, most));
        quantiles
    }
}
