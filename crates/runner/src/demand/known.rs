//! What is known of how much tasks take: by template, from attempts of this project and from
//! recordings that were imported.
//!
//! Knows the history's observations and [`forecast::demand`]. Only attempts that succeeded count:
//! one that failed says little of how long a whole one takes.

use std::collections::BTreeMap;

use forecast::demand::{Calibration, Demand, Prior, Quantity, Seen, replay};
use journal::history::{Error, History, Observation};
use spec::template::Per;
use spec::{TaskId, Workflow};

use super::{SUCCEEDED, key};
use crate::run_dir::Project;

/// A template, and what its tasks take.
#[derive(Clone, Debug)]
pub struct Known {
    /// `workflow/template`.
    pub template: String,
    /// How many attempts have succeeded.
    pub n_attempts: usize,
    /// The size of their inputs: the least, the median and the most.
    pub input_bytes: (u64, u64, u64),
    /// By quantity, where it was measured.
    pub amounts: Vec<Amount>,
}

/// One quantity.
#[derive(Clone, Debug)]
pub struct Amount {
    /// Which.
    pub quantity: Quantity,
    /// What is forecast of it.
    pub demand: Demand,
    /// What such forecasts would have been worth; none with too few attempts.
    pub calibration: Option<Calibration>,
}

/// Everything that a project knows, by template; nothing where there is no history yet.
///
/// # Errors
/// The history cannot be read.
pub fn all(project: &Project) -> Result<Vec<Known>, Error> {
    if !project.history().exists() {
        return Ok(Vec::new());
    }
    let mut by_template: BTreeMap<String, Vec<Observation>> = BTreeMap::new();
    History::open(&project.history())?.observations(|seen| {
        if is_whole(&seen) {
            by_template.entry(seen.template.clone()).or_default().push(seen);
        }
    })?;
    let known = by_template.into_iter();
    Ok(known.map(|(template, seen)| learn(template, &seen, &BTreeMap::new())).collect())
}

/// What is known of a workflow's templates, in its order: attempts, and where they are few, what
/// its author estimates.
///
/// # Errors
/// The history cannot be read.
pub fn of_workflow(project: &Project, workflow: &Workflow) -> Result<Vec<Known>, Error> {
    let mut history =
        project.history().exists().then(|| History::open(&project.history())).transpose()?;
    let mut all = Vec::new();
    for template in workflow.templates() {
        let name = key(workflow, template);
        let mut seen = match &mut history {
            Some(history) => history.latest(&name, ATTEMPTS_READ)?,
            None => Vec::new(),
        };
        seen.retain(is_whole);
        seen.reverse();
        all.push(learn(name, &seen, &priors(template)));
    }
    Ok(all)
}

/// Some of the latest may have failed.
const ATTEMPTS_READ: u32 = 2 * forecast::demand::WINDOW as u32;

/// What an author has written down.
fn priors(template: &spec::Template) -> BTreeMap<Quantity, Prior> {
    let mut priors = BTreeMap::new();
    if let Per::Same(Some(estimate)) = &template.estimate {
        priors.insert(Quantity::Duration, Prior::estimated(estimate.as_secs_f64()));
    }
    priors
}

fn learn(template: String, seen: &[Observation], priors: &BTreeMap<Quantity, Prior>) -> Known {
    let mut sizes: Vec<u64> = seen.iter().map(|seen| seen.input_bytes).collect();
    sizes.sort_unstable();
    let size = |at: usize| sizes.get(at).copied().unwrap_or(0);
    let amount = |quantity: Quantity| {
        let seen: Vec<Seen> = seen.iter().filter_map(|seen| amount(quantity, seen)).collect();
        if seen.is_empty() && !priors.contains_key(&quantity) {
            return None;
        }
        let prior = priors.get(&quantity).copied().unwrap_or(Prior::anything(quantity));
        let calibration = replay(quantity, &seen, prior);
        Some(Amount { quantity, demand: Demand::learn(quantity, &seen, prior), calibration })
    };
    Known {
        template,
        n_attempts: seen.len(),
        input_bytes: (size(0), size(sizes.len() / 2), size(sizes.len().saturating_sub(1))),
        amounts: Quantity::ALL.into_iter().filter_map(amount).collect(),
    }
}

fn amount(quantity: Quantity, seen: &Observation) -> Option<Seen> {
    let amount = match quantity {
        Quantity::Duration => seen.duration_ms as f64 / 1e3,
        Quantity::Memory => seen.peak_memory? as f64,
        Quantity::Output => seen.output_bytes? as f64,
    };
    Some(Seen { input_bytes: Some(seen.input_bytes), amount })
}

/// Outcomes of attempts that somebody else recorded begin like this; the recording's digest follows.
const RECORDED: &str = "recorded ";

fn is_whole(seen: &Observation) -> bool {
    seen.outcome == SUCCEEDED || seen.outcome.starts_with(RECORDED)
}

/// Remembers what a recorded execution took; gives how many attempts that were. What is imported
/// again is there once.
///
/// # Errors
/// The history cannot be written.
pub fn import(project: &Project, recorded: &Workflow) -> Result<usize, Error> {
    let outcome = format!("{RECORDED}{}", recorded.digest());
    let attempt = |task| recorded_attempt(recorded, task, &outcome);
    let observations: Vec<Observation> = recorded.tasks().filter_map(attempt).collect();
    let mut history = History::open(&project.history())?;
    history.forget_observations(&outcome)?;
    history.observe(&observations)?;
    Ok(observations.len())
}

/// None of a task without a recorded time.
fn recorded_attempt(recorded: &Workflow, task: TaskId, outcome: &str) -> Option<Observation> {
    let replay = recorded.replay()?;
    let duration = recorded.estimate(task).filter(|duration| duration.0 > 0)?;
    let memory = recorded.resources(task).memory.0;
    let inputs = recorded.inputs(task).iter().map(|input| replay.size(input.file).0);
    let outputs = recorded.outputs(task).iter().map(|&file| replay.size(file).0);
    Some(Observation {
        template: key(recorded, recorded.template(task)),
        input_bytes: inputs.sum(),
        duration_ms: duration.0 / 1_000,
        peak_memory: Some(memory).filter(|&memory| memory > 0),
        output_bytes: Some(outputs.sum()),
        outcome: outcome.to_owned(),
    })
}
