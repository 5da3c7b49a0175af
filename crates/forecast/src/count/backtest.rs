//! A rolling-origin backtest of counts, with the split and the origins of [`crate::backtest`].
//!
//! Beside the forecasts stand three baselines: the counts of the part that is only learned from, the
//! last count, and the counts of the last day. Judged by the CRPS on 19 levels, in instances
//! (Gneiting and Raftery, 2007): counts sit at none and at all, so intervals hold more than they say.

use crate::backtest::{Error, Folder, Split};
use crate::covariates::Covariates;
use crate::free::backtest::Sums;
use crate::free::levels::{self, Quantiles};
use crate::horizon::Horizon;
use crate::learning::Learning;
use crate::predictor::Predictor;
use crate::target::{Kind, Target, UP_ANCHORS, steps_of};
use crate::trace::Trace;

use super::{Counts, Outlook};

/// Who forecasts: the counts here, then the baselines.
pub const FORECASTERS: [&str; 4] = ["foreshard", "climatology", "last count", "last day"];

/// One forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The zone.
    pub zone: usize,
    /// The step it was made at.
    pub origin: usize,
    /// Minutes ahead.
    pub minutes: u32,
    /// Of the count then.
    pub quantiles: Quantiles,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// All forecasts, in order of origin, zone and horizon.
    pub rows: Vec<Row>,
    /// For each horizon in minutes, for each forecaster.
    pub cells: Vec<(u32, [Sums; FORECASTERS.len()])>,
}

/// Tests forecasts of the counts of a folder; none where no zone ever has more than one instance.
///
/// # Errors
/// The folder holds no sample, or its zones do not go together.
pub fn run(
    folder: &Folder,
    learning: &Learning,
    covariates: &[Covariates],
) -> Result<Option<Outcome>, Error> {
    let samples = folder.traces.iter().flat_map(|trace| &trace.samples);
    if !samples.flatten().any(|&count| count > 1.0) {
        return Ok(None);
    }
    let (step, longest) = folder.shape()?;
    let unlike = |_| Error::Inputs(folder.name.clone());
    let targets: Vec<Target> =
        UP_ANCHORS.iter().map(|&minutes| Target { kind: Kind::Up, minutes }).collect();
    let mut first = Predictor::new(&folder.zones, step, &targets, learning.clone())
        .with_covariates(covariates.to_vec())
        .map_err(unlike)?;
    let mut counts = Counts::new(&folder.zones, step, learning.clone())
        .with_covariates(covariates.to_vec())
        .map_err(unlike)?;
    let split = Split::of(longest, step);
    let mut tester = Tester::new(folder, split);
    for t in 0..longest {
        let samples = folder.step(t);
        first.observe(&samples);
        counts.observe(&samples);
        if split.is_origin(t) {
            for z in 0..folder.zones.len() {
                if let Some(outlook) = counts.outlook(z, &first, Horizon::default()) {
                    tester.ask(&outlook, z, t);
                }
            }
        }
    }
    Ok(Some(tester.outcome))
}

struct Tester<'a> {
    folder: &'a Folder,
    /// By zone, by horizon: the counts of the part that is only learned from.
    usual: Vec<[Quantiles; UP_ANCHORS.len()]>,
    outcome: Outcome,
}

impl<'a> Tester<'a> {
    fn new(folder: &'a Folder, split: Split) -> Self {
        let usual = |trace| {
            UP_ANCHORS.map(|minutes| {
                let k = steps_of(minutes, folder.traces[0].step_seconds);
                quantiles_of(trace, k, split.cut())
            })
        };
        let cells = UP_ANCHORS.map(|minutes| (minutes, Default::default())).to_vec();
        Self {
            folder,
            usual: folder.traces.iter().map(usual).collect(),
            outcome: Outcome { rows: Vec::new(), cells },
        }
    }

    fn ask(&mut self, outlook: &Outlook<'_>, z: usize, t: usize) {
        let trace = &self.folder.traces[z];
        let Some(last) = at(trace, t) else { return };
        let day = steps_of(1440, trace.step_seconds);
        let last_day = quantiles_of(trace, t.saturating_sub(day), t + 1);
        for (j, (minutes, cells)) in self.outcome.cells.iter_mut().enumerate() {
            let Some(count) = at(trace, t + steps_of(*minutes, trace.step_seconds)) else {
                continue;
            };
            let quantiles = outlook.quantiles(*minutes);
            let said = [quantiles, self.usual[z][j], [last; levels::LEVELS], last_day];
            cells.iter_mut().zip(said).for_each(|(cell, said)| cell.add(&said, count));
            self.outcome.rows.push(Row { zone: z, origin: t, minutes: *minutes, quantiles });
        }
    }
}

fn at(trace: &Trace, t: usize) -> Option<f64> {
    trace.samples.get(t).copied().flatten()
}

/// Quantiles of the counts from one step to another; 0 of none.
fn quantiles_of(trace: &Trace, from: usize, to: usize) -> Quantiles {
    let mut counts: Vec<f32> =
        (from..to).filter_map(|t| at(trace, t)).map(|count| count as f32).collect();
    counts.sort_unstable_by(f32::total_cmp);
    levels::of_sorted(&counts).unwrap_or([0.0; levels::LEVELS])
}
