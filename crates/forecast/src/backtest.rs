//! A rolling-origin backtest: a recorded past is fed to a predictor sample by sample, and what it
//! said is held against what came.
//!
//! The first 60 % of a folder is only learned from. Then every 15 minutes is an origin, as far as
//! the outcome is recorded; the predictor goes on learning. Outcomes are read off the record here
//! and nowhere else: the predictor never sees a sample later than the origin.

use crate::covariates::Covariates;
use crate::learning::Learning;
use crate::predictor::{Predictor, Zone};
use crate::score::Score;
use crate::target::{Kind, Target};
use crate::trace::Trace;

/// Traces of zones that were sampled together.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Its name.
    pub name: String,
    /// Zones, in the order of traces.
    pub zones: Vec<Zone>,
    /// What was recorded, all with the same step.
    pub traces: Vec<Trace>,
}

impl Folder {
    /// Seconds from one step to the next, and the length of the longest trace.
    pub(crate) fn shape(&self) -> Result<(u32, usize), Error> {
        let step = self.traces.first().map_or(0, |trace| trace.step_seconds);
        if self.traces.iter().any(|trace| trace.step_seconds != step) {
            return Err(Error::Steps(self.name.clone()));
        }
        let longest = self.traces.iter().map(|trace| trace.samples.len()).max().unwrap_or(0);
        if longest == 0 {
            return Err(Error::Empty(self.name.clone()));
        }
        Ok((step, longest))
    }

    /// A step of every zone.
    pub(crate) fn step(&self, t: usize) -> Vec<Option<f64>> {
        self.traces.iter().map(|trace| trace.samples.get(t).copied().flatten()).collect()
    }
}

/// Why a folder cannot be tested.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// There is no sample.
    #[error("there is no sample in {0}")]
    Empty(String),
    /// Zones have different steps.
    #[error("the zones of {0} are not sampled at the same steps")]
    Steps(String),
    /// Zones have different inputs.
    #[error("the zones of {0} do not have the same inputs")]
    Inputs(String),
}

/// One forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The zone.
    pub zone: usize,
    /// The step it was made at.
    pub origin: usize,
    /// What was forecast.
    pub target: Target,
    /// The probability.
    pub p: f64,
    /// Whether it came true.
    pub came_true: bool,
}

/// A forecaster's scores on one target, one for each zone.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Who forecast.
    pub forecaster: &'static str,
    /// What.
    pub target: Target,
    /// For each zone, in order.
    pub zones: Vec<Score>,
}

impl Cell {
    /// Over all zones.
    #[must_use]
    pub fn all(&self) -> Score {
        let mut sum = Score::default();
        self.zones.iter().for_each(|zone| sum.merge(zone));
        sum
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// All forecasts, in order of origin, zone and target.
    pub rows: Vec<Row>,
    /// Scores: of each target, first the blend, then the reference, then the other baselines.
    pub cells: Vec<Cell>,
    /// For each target, the experts with their weights at the end.
    pub weights: Vec<(Target, Vec<(String, f64)>)>,
}

/// The name of the blend.
pub const BLEND: &str = "foreshard";
/// The name of the reference of skill: the rate of the part that is only learned from.
pub const REFERENCE: &str = "climatology";
/// The baselines, with the naive expert each is.
const BASELINES: [(&str, usize); 5] =
    [("expanding", 0), ("hour of day", 2), ("conditional", 3), ("semi-markov", 5), ("markov", 7)];

/// Horizons in minutes at which each statement is tested.
#[must_use]
pub fn targets(kind: Kind) -> Vec<Target> {
    let minutes: &[u32] = match kind {
        Kind::Up => &[5, 15, 30, 60, 180, 360, 720, 1440],
        Kind::Survival => &[15, 60, 180, 360],
    };
    minutes.iter().map(|&minutes| Target { kind, minutes }).collect()
}

/// Tests the targets on a folder.
///
/// # Errors
/// The folder holds no sample, or its zones do not go together.
pub fn run(folder: &Folder, targets: &[Target], learning: &Learning) -> Result<Outcome, Error> {
    let none = vec![Covariates::none(); folder.zones.len()];
    run_knowing(folder, targets, learning, &none)
}

/// Tests the targets on a folder of whose zones more is known than their past, in the same order.
///
/// # Errors
/// As [`run`]; or zones have different inputs.
pub fn run_knowing(
    folder: &Folder,
    targets: &[Target],
    learning: &Learning,
    covariates: &[Covariates],
) -> Result<Outcome, Error> {
    let (step, longest) = folder.shape()?;
    let split = Split::of(longest, step);
    let mut tester = Tester::new(folder, targets, split);
    let mut predictor = Predictor::new(&folder.zones, step, targets, learning.clone())
        .with_covariates(covariates.to_vec())
        .map_err(|_| Error::Inputs(folder.name.clone()))?;
    for t in 0..longest {
        predictor.observe(&folder.step(t));
        if split.is_origin(t) {
            tester.ask(&predictor, t);
        }
    }
    let names = learning.names();
    let weights = predictor.tracks().iter().map(|track| {
        (track.target(), names.iter().cloned().zip(track.blend().weights()).collect())
    });
    Ok(Outcome { rows: tester.rows, cells: tester.cells, weights: weights.collect() })
}

/// Where testing begins, and how far origins are apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    cut: usize,
    stride: usize,
    step_seconds: u32,
}

impl Split {
    pub(crate) fn of(longest: usize, step_seconds: u32) -> Self {
        let stride = (900.0 / f64::from(step_seconds.max(1))).round() as usize;
        Self { cut: longest * 6 / 10, stride: stride.max(1), step_seconds }
    }

    /// The first step that is tested.
    pub(crate) fn cut(self) -> usize {
        self.cut
    }

    pub(crate) fn is_origin(self, t: usize) -> bool {
        t >= self.cut && (t - self.cut).is_multiple_of(self.stride)
    }
}

struct Tester<'a> {
    folder: &'a Folder,
    targets: &'a [Target],
    split: Split,
    references: Vec<Vec<f64>>,
    rows: Vec<Row>,
    cells: Vec<Cell>,
}

impl<'a> Tester<'a> {
    fn new(folder: &'a Folder, targets: &'a [Target], split: Split) -> Self {
        let forecasters =
            || [BLEND, REFERENCE, "persistence"].into_iter().chain(BASELINES.map(|(name, _)| name));
        let empty = vec![Score::default(); folder.zones.len()];
        let cells = targets.iter().flat_map(|&target| {
            let zones = empty.clone();
            forecasters().map(move |forecaster| Cell { forecaster, target, zones: zones.clone() })
        });
        let references = targets
            .iter()
            .map(|&target| folder.traces.iter().map(|trace| rate(trace, target, split)).collect())
            .collect();
        Self { folder, targets, split, references, rows: Vec::new(), cells: cells.collect() }
    }

    fn ask(&mut self, predictor: &Predictor, t: usize) {
        for (z, trace) in self.folder.traces.iter().enumerate() {
            let Some(view) = predictor.view(z) else { continue };
            let (up, survival) = (view.up(), view.survival());
            for (i, &target) in self.targets.iter().enumerate() {
                let k = target.steps(self.split.step_seconds);
                let Some(label) = outcome(trace, target.kind, t, k) else { continue };
                let curve = if target.kind == Kind::Up { &up } else { &survival };
                let point = curve.points().iter().find(|point| point.0 == target.minutes);
                let Some(&(_, p)) = point else { continue };
                self.rows.push(Row { zone: z, origin: t, target, p, came_true: label });
                let naive = view.naive(target).unwrap_or_default();
                let persistence = f64::from(u8::from(view.is_up().unwrap_or(false)));
                let said = [p, self.references[i][z], persistence]
                    .into_iter()
                    .chain(BASELINES.map(|(_, expert)| naive.get(expert).copied().unwrap_or(0.5)));
                let each = 3 + BASELINES.len();
                for (cell, p) in self.cells[i * each..].iter_mut().zip(said) {
                    cell.zones[z].add(p, label);
                }
            }
        }
    }
}

/// The rate of the part that is only learned from, as if one of each had been seen besides.
fn rate(trace: &Trace, target: Target, split: Split) -> f64 {
    let k = target.steps(split.step_seconds);
    let (mut came_true, mut all) = (1.0, 2.0);
    for t in 0..split.cut.min(trace.samples.len()).saturating_sub(k) {
        if let Some(label) = outcome(trace, target.kind, t, k) {
            came_true += f64::from(u8::from(label));
            all += 1.0;
        }
    }
    came_true / all
}

/// What the record says became of a forecast; none where it does not say, or where survival is
/// asked of a zone that is down.
fn outcome(trace: &Trace, kind: Kind, t: usize, k: usize) -> Option<bool> {
    let is_up = |t: usize| trace.samples.get(t).copied().flatten().map(|count| count > 0.0);
    let end = is_up(t + k)?;
    match kind {
        Kind::Up => is_up(t).map(|_| end),
        Kind::Survival => {
            is_up(t)?.then_some(())?;
            let mut steps = t + 1..=t + k;
            Some(steps.all(|t| is_up(t) != Some(false)))
        }
    }
}
