//! The stream: samples of all zones of a group go in, step by step, and forecasts come out.
//!
//! What is asked at a step can only be answered from that step and those before: there is nothing
//! else here. The same samples give the same forecasts to the last bit.

mod view;

pub use view::View;
use view::footed;

use crate::ahead::{Inputs, Unlike};
use crate::availability::{self, Availability, ZoneAvailability};
use crate::card::{ModelCard, TargetCard};
use crate::covariates::Covariates;
use crate::dependence::{Dependence, Said};
use crate::feature::{self, Neighbours};
use crate::forecast::{self, Footing, Forecast, Warning};
use crate::hazard::Hazards;
use crate::horizon::Horizon;
use crate::learning::Learning;
use crate::paths::{self, Ahead, Joint};
use crate::rows::Rows;
use crate::series::Series;
use crate::target::{Kind, Target};
use crate::track::{Origins, Track};

/// Days of samples that are kept.
pub(crate) const DAYS_KEPT: usize = 120;
/// The most origins that are kept before the older half is forgotten.
const ORIGINS_KEPT: usize = 120_000;
/// With more zones than this, not every origin of every zone is kept.
const ZONES_KEPT_WHOLE: usize = 12;
/// The least horizon at which it is looked at how zones fare together.
const COMPARED_MINUTES: u32 = 15;

/// A zone of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its name.
    pub name: String,
    /// Where it lies, if that is known: zones of a region fare alike.
    pub region: Option<String>,
}

/// The forecaster of a group of zones that are sampled together.
#[derive(Clone, Debug)]
pub struct Predictor {
    zones: Vec<Zone>,
    step_seconds: u32,
    thinned: usize,
    near: Vec<Neighbours>,
    partners: Vec<Option<usize>>,
    series: Vec<Series>,
    hazards: Hazards,
    origins: Origins,
    tracks: Vec<Track>,
    /// What each track said at each origin, where zones are compared by it.
    said: Vec<Vec<f32>>,
    learning: Learning,
    next_fit: usize,
    inputs: Inputs,
}

impl Predictor {
    /// A predictor that has seen nothing, of zones sampled every `step_seconds`; it learns these
    /// targets ([`Target::all`] for a whole forecast).
    #[must_use]
    pub fn new(zones: &[Zone], step_seconds: u32, targets: &[Target], learning: Learning) -> Self {
        let step_seconds = step_seconds.max(1);
        let day = 86_400 / step_seconds as usize;
        let thinned = zones.len().div_ceil(ZONES_KEPT_WHOLE).max(1);
        let track = |&target| Track::new(target, zones.len(), step_seconds, thinned, &learning);
        Self {
            zones: zones.to_vec(),
            step_seconds,
            thinned,
            near: (0..zones.len()).map(|z| neighbours(zones, z)).collect(),
            partners: vec![None; zones.len()],
            series: vec![Series::new(DAYS_KEPT * day.max(1)); zones.len()],
            hazards: Hazards::new(zones.len(), step_seconds),
            origins: Origins {
                zones: Vec::new(),
                steps: Vec::new(),
                base: Rows::new(feature::NAMES.len()),
            },
            tracks: targets.iter().map(track).collect(),
            said: vec![Vec::new(); targets.len()],
            learning,
            next_fit: day.max(1),
            inputs: Inputs::default(),
        }
    }

    /// The same of zones that count as up only while at least so many instances are. Only for a
    /// predictor that has seen nothing.
    #[must_use]
    pub fn needing(mut self, instances: u32) -> Self {
        self.series = self.series.into_iter().map(|zone| zone.needing(instances)).collect();
        self
    }

    /// The same with what is known of each zone besides its past, in the order of zones. Only for a
    /// predictor that has seen nothing.
    ///
    /// # Errors
    /// Zones have different columns, or there are not as many as zones.
    pub fn with_covariates(mut self, covariates: Vec<Covariates>) -> Result<Self, Unlike> {
        self.inputs = Inputs::new(covariates, self.zones.len(), self.step_seconds)?;
        let columns = self.inputs.columns();
        self.tracks = self.tracks.into_iter().map(|track| track.with_columns(columns)).collect();
        Ok(self)
    }

    /// The next step of every zone: how many instances are up, none where it is not known. What is
    /// missing at the end of `samples` is not known.
    pub fn observe(&mut self, samples: &[Option<f64>]) {
        for (z, zone) in self.series.iter_mut().enumerate() {
            zone.push(samples.get(z).copied().flatten());
        }
        let Some(t) = self.now() else { return };
        self.learn_transitions(t);
        for track in &mut self.tracks {
            track.observe(&self.series, t, &self.origins, &self.inputs);
        }
        self.inputs.observe(&self.series, t);
        self.keep_origins(t);
        if t >= self.next_fit {
            self.refit();
        }
    }

    /// Fits all models on what is known now. [`Predictor::observe`] does so by itself as history
    /// grows.
    pub fn refit(&mut self) {
        let Some(t) = self.now() else { return };
        self.choose_partners(t);
        for track in &mut self.tracks {
            track.refit(&self.origins, t, &self.learning);
        }
        let day = 86_400 / self.step_seconds as usize;
        self.next_fit = t + day.max((t as f64 * self.learning.growth) as usize).max(1);
    }

    /// The last step seen.
    #[must_use]
    pub fn now(&self) -> Option<usize> {
        self.series.first()?.len().checked_sub(1)
    }

    /// The zones, in the order of samples.
    #[must_use]
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// The targets, with how their experts are blended.
    #[must_use]
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// A zone as it looks now; none before the first step.
    #[must_use]
    pub fn view(&self, z: usize) -> Option<View<'_>> {
        let t = self.now()?;
        let footing = Footing::of(self.series.get(z)?, self.step_seconds);
        Some(View { predictor: self, z, base: self.base(z, t), footing })
    }

    /// The forecast of a zone.
    #[must_use]
    pub fn forecast(&self, z: usize, horizon: Horizon) -> Option<Forecast> {
        let view = self.view(z)?;
        let up = view.curve(Kind::Up, horizon);
        let survival = view.curve(Kind::Survival, horizon).falling();
        let now = f64::from(u8::from(self.series[z].carried_up(self.now()?).unwrap_or(false)));
        let mut warnings = view.footing.warnings();
        if self.tracks.iter().all(|track| track.rows_fitted() == 0) {
            warnings.push(Warning::TablesOnly);
        }
        let up: Vec<f64> = horizon.steps().map(|minutes| up.at(minutes, now)).collect();
        let survival = horizon.steps().map(|minutes| survival.at(minutes, 1.0));
        // Of a zone that is down it speaks of another time.
        let is_up = self.series[z].carried_up(self.now()?) == Some(true);
        let survival = if is_up { forecast::agreed(survival, &up) } else { survival.collect() };
        Some(Forecast {
            zone: self.zones[z].name.clone(),
            origin: self.now()?,
            horizon,
            up,
            survival,
            warnings,
        })
    }

    /// What will be free in all zones; none before the first step.
    ///
    /// Of what is measured besides, and of dates, only those know who feed them in: see
    /// [`ResourcePredictor`](crate::ResourcePredictor).
    #[must_use]
    pub fn predict_availability(&self, horizon: Horizon) -> Option<Availability> {
        let zones = (0..self.zones.len()).map(|z| {
            let forecast = self.forecast(z, horizon)?;
            let (series, t) = (&self.series[z], self.now()?);
            let minutes = |steps: usize| steps as f64 * f64::from(self.step_seconds) / 60.0;
            Some(ZoneAvailability {
                zone: forecast.zone,
                region: self.zones[z].region.clone(),
                is_up: series.carried_up(t),
                minutes_in_state: minutes(series.in_state(t)),
                hours_known: minutes(series.known()) / 60.0,
                up: forecast.up,
                survival: forecast.survival,
                free: Vec::new(),
                wait: None,
                warnings: forecast.warnings,
            })
        });
        Some(Availability {
            version: availability::VERSION,
            name: String::new(),
            at: None,
            steps_seen: self.now()? + 1,
            horizon,
            zones: zones.collect::<Option<_>>()?,
            model: self.card(),
        })
    }

    /// Probability that a zone is taken away by a scheduled drain `k` steps from now.
    #[must_use]
    pub fn drained(&self, z: usize, k: usize) -> f64 {
        let acting = |t| Some(self.inputs.of(z)?.drains.acting(&self.series[z], Kind::Up, t, k));
        self.now().and_then(acting).map_or(0.0, |acting| f64::from(acting.takes))
    }

    /// What made the forecasts.
    #[must_use]
    pub fn card(&self) -> ModelCard {
        let names = self.learning.names();
        let kept =
            self.now().map_or(0, |t| t + 1).min(DAYS_KEPT * 86_400 / self.step_seconds as usize);
        ModelCard {
            model: "recalibrated blend of tables, hazards, logistic regression and boosted trees"
                .to_owned(),
            steps_kept: kept,
            step_seconds: self.step_seconds,
            targets: self.tracks.iter().map(|track| TargetCard::of(track, &names)).collect(),
        }
    }

    /// What joint futures of all zones are drawn from; none before the first step.
    #[must_use]
    pub fn joint(&self, horizon: Horizon) -> Option<Joint> {
        Some(Joint::new(&self.ahead(horizon)?, &self.dependence(), horizon))
    }

    /// How zones fared together beyond what forecasts knew.
    #[must_use]
    pub fn dependence(&self) -> Dependence {
        let n = self.zones.len();
        let Some((&first, &last)) = self.origins.steps.first().zip(self.origins.steps.last())
        else {
            return Dependence::none(n);
        };
        // Not every zone has an origin at every step that is learned from, but one in each block.
        let block = stride(self.step_seconds) * self.thinned;
        let first = first / block;
        let blocks = last / block + 1 - first;
        let of = |(track, kept): (&Track, &Vec<f32>)| {
            let mut said = vec![vec![f32::NAN; blocks]; n];
            for ((&zone, &step), &p) in self.origins.zones.iter().zip(&self.origins.steps).zip(kept)
            {
                said[zone as usize][step / block - first] = p;
            }
            let state = |zone: &Series, i: usize| {
                let is_up = zone.up((first + i) * block + track.steps());
                is_up.map_or(f32::NAN, |is_up| f32::from(u8::from(is_up)))
            };
            let came = |zone: &Series| (0..blocks).map(|i| state(zone, i)).collect();
            let came = self.series.iter().map(came).collect();
            Said { minutes: track.target().minutes, said, came }
        };
        let compared = self.tracks.iter().zip(&self.said).filter(|(track, _)| is_compared(track));
        Dependence::of(&compared.map(of).collect::<Vec<_>>(), n)
    }

    /// What joint futures are drawn from, zone by zone, besides how zones fare together; none before
    /// the first step.
    #[must_use]
    pub fn ahead(&self, horizon: Horizon) -> Option<Vec<Ahead>> {
        (0..self.zones.len()).map(|z| self.ahead_of(z, horizon)).collect()
    }

    fn ahead_of(&self, z: usize, horizon: Horizon) -> Option<Ahead> {
        let forecast = self.forecast(z, horizon)?;
        let t = self.now()?;
        let step_minutes = horizon.step_minutes.max(1);
        let steps = f64::from(step_minutes) * 60.0 / f64::from(self.step_seconds);
        let hazards = |is_up| {
            let change = |minutes| self.hazards.change(z, is_up, minutes);
            paths::ages().map(|minutes| 1.0 - (1.0 - change(minutes)).powf(steps)).collect()
        };
        let is_up = self.series[z].carried_up(t);
        let minutes = self.series[z].in_state(t) as f64 * f64::from(self.step_seconds) / 60.0;
        Some(Ahead {
            is_up,
            minutes_in_state: minutes,
            survival: if is_up == Some(true) { forecast.survival } else { Vec::new() },
            up: forecast.up,
            step_minutes,
            hazards: [hazards(false), hazards(true)],
        })
    }

    fn learn_transitions(&mut self, t: usize) {
        self.hazards.tick();
        let Some(before) = t.checked_sub(1) else { return };
        for (z, zone) in self.series.iter().enumerate() {
            let known = self.inputs.of(z);
            if known.is_some_and(|known| known.drains.is_clouded(Kind::Up, before, 1)) {
                continue;
            }
            if let (Some(was), Some(is)) = (zone.up(before), zone.up(t)) {
                self.hazards.learn(z, was, zone.in_state(before), was != is);
            }
        }
    }

    fn keep_origins(&mut self, t: usize) {
        let stride = stride(self.step_seconds);
        if !t.is_multiple_of(stride) {
            return;
        }
        for z in 0..self.series.len() {
            let is_kept = (t / stride + z).is_multiple_of(self.thinned);
            if !is_kept || self.series[z].up(t).is_none() {
                continue;
            }
            let base = self.base(z, t);
            let footing = Footing::of(&self.series[z], self.step_seconds);
            for (track, kept) in self.tracks.iter_mut().zip(&mut self.said) {
                let (zone, at) = (&self.series[z], (t, track.steps()));
                let said = track.opinions(zone, z, at, &base, &self.hazards, &self.inputs);
                if let Some(opinions) = said {
                    if is_compared(track) {
                        kept.push(footed(track, &opinions, footing) as f32);
                    }
                    track.keep(&opinions, base.len());
                }
            }
            self.origins.base.push(&base);
            self.origins.zones.push(z as u32);
            self.origins.steps.push(t);
        }
        if self.origins.steps.len() > ORIGINS_KEPT {
            self.origins.forget(ORIGINS_KEPT / 2);
            self.tracks.iter_mut().for_each(|track| track.forget(ORIGINS_KEPT / 2));
            for said in self.said.iter_mut().filter(|said| !said.is_empty()) {
                said.drain(..ORIGINS_KEPT / 2);
            }
        }
    }

    fn base(&self, z: usize, t: usize) -> Vec<f32> {
        let at = (t, self.inputs.hour(z, t, self.step_seconds));
        feature::row(&self.series, &self.near[z], self.partners[z], z, at, self.step_seconds)
    }

    /// The other zone whose state went along most with each.
    fn choose_partners(&mut self, t: usize) {
        let window = t.min(30 * 86_400 / self.step_seconds as usize);
        let stride = (window / 1000).max(1);
        let state =
            |zone: &Series, t| zone.carried_up(t).map_or(f32::NAN, |up| f32::from(u8::from(up)));
        let states: Vec<Vec<f32>> = self
            .series
            .iter()
            .map(|zone| (t - window..=t).step_by(stride).map(|t| state(zone, t)).collect())
            .collect();
        for z in 0..states.len() {
            let mut best = (0.1, None);
            for other in 0..states.len() {
                let r = correlation(&states[z], &states[other]);
                if other != z && r > best.0 && self.series[other].unknown_for() == 0 {
                    best = (r, Some(other));
                }
            }
            self.partners[z] = best.1;
        }
    }
}

/// Whether it is kept what a track said, so that zones can be compared.
fn is_compared(track: &Track) -> bool {
    let Target { kind, minutes } = track.target();
    kind == Kind::Up && minutes >= COMPARED_MINUTES
}

/// Steps from one origin that is learned from to the next: a quarter of an hour.
fn stride(step_seconds: u32) -> usize {
    ((900.0 / f64::from(step_seconds)).round() as usize).max(1)
}

fn neighbours(zones: &[Zone], z: usize) -> Neighbours {
    let others: Vec<usize> = (0..zones.len()).filter(|&other| other != z).collect();
    let region = others
        .iter()
        .copied()
        .filter(|&other| zones[z].region.is_some() && zones[other].region == zones[z].region)
        .collect();
    Neighbours { region, others }
}

/// Correlation over the pairs that are both known; 0 where one does not vary.
fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let (mut n, mut sa, mut sb, mut saa, mut sbb, mut sab) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        if a.is_nan() || b.is_nan() {
            continue;
        }
        let (a, b) = (f64::from(a), f64::from(b));
        n += 1.0;
        sa += a;
        sb += b;
        saa += a * a;
        sbb += b * b;
        sab += a * b;
    }
    let spread = (n * saa - sa * sa) * (n * sbb - sb * sb);
    if spread > 0.0 { (n * sab - sa * sb) / spread.sqrt() } else { 0.0 }
}
