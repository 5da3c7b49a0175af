//! Backtests of amounts: as tables of measurements hold them, each column replayed by itself, or as a
//! project measured them, all of them together and once more without each input.
//!
//! What is scored is the amount as it is recorded, of a use or of what is free; where the capacity
//! is known the loss of the one is that of the other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use forecast::counter;
use forecast::free::backtest::{FORECASTERS, HORIZONS, Outcome, Recorded, Sums, run, run_group};
use forecast::free::{Settings, backtest};
use forecast::grid::{Method, lay};
use forecast::recording::{Measure, Recording};
use forecast::resource_predictor::Amount;
use forecast::tidy;
use forecast::{Covariates, Material};
use observe::file;
use serde::Serialize;
use spec::{Duration, Timestamp};

use super::each::on_all_cpus;
use crate::failure::Failure;
use crate::screen::{Screen, Tone};

/// Seconds from one step to the next; the first that is not shorter than what was measured.
const STEPS: [u32; 6] = [60, 120, 300, 600, 900, 1800];
/// What a column in a table without times is taken to begin at.
const SOMETIME: Timestamp = Timestamp(1_600_000_200_000_000);
/// What in the name of a column or its file says that it may be a counter.
const COUNTED: [&str; 4] = ["net", "bytes", "total", "packets"];
/// Characters of a horizon in the table.
const WIDTH: usize = 20;

/// A series and what came of it.
pub(super) struct Tested {
    folder: String,
    recorded: Recorded,
    outcome: Result<Outcome, backtest::Error>,
    measured: Option<Measured>,
}

/// What a project measured of what, and what came of it without each input.
pub(super) struct Measured {
    zone: String,
    pub(super) measure: String,
    /// By input.
    without: Vec<(String, Result<Outcome, backtest::Error>)>,
}

impl Tested {
    /// What was measured, and what came of it with an input and without it.
    pub(super) fn pair(&self, input: &str) -> Option<(&Measured, &Outcome, &Outcome)> {
        let measured = self.measured.as_ref()?;
        let (_, without) = measured.without.iter().find(|(name, _)| name == input)?;
        Some((measured, self.outcome.as_ref().ok()?, without.as_ref().ok()?))
    }
}

/// A forecaster of a series at a horizon.
#[derive(Serialize)]
pub(super) struct Value {
    folder: String,
    series: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    measure: Option<String>,
    kind: &'static str,
    horizon_min: usize,
    forecaster: &'static str,
    rows: usize,
    wql: f64,
    coverage: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    weights: Vec<super::scores::WeightValue>,
}

/// Whether a table holds amounts, not a trace of availability.
fn is_table_of_amounts(text: &str) -> bool {
    !text.trim_start().starts_with('{') && !file::is_trace_of_changes(text)
}

/// Replays every column of the tables of each folder; `step` is that of tables without times.
pub(super) fn test(
    tables: &BTreeMap<String, Vec<PathBuf>>,
    step: Duration,
) -> Result<Vec<Tested>, Failure> {
    let mut series = Vec::new();
    for (folder, files) in tables {
        for path in files {
            let text =
                std::fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
            if is_table_of_amounts(&text) {
                let columns = read(path, &text, step)?;
                series.extend(columns.into_iter().map(|recorded| (folder.clone(), recorded)));
            }
        }
    }
    let outcomes = on_all_cpus(
        &series,
        |(_, recorded)| recorded.amounts.len(),
        |(_, recorded)| run(recorded, &Settings::new(recorded.step_seconds)),
    );
    let each = series.into_iter().zip(outcomes);
    let tested =
        |((folder, recorded), outcome)| Tested { folder, recorded, outcome, measured: None };
    Ok(each.map(tested).collect())
}

/// Replays all amounts that a project measured, as `forecast show` would have forecast them, and
/// once more without each of these inputs.
pub(super) fn test_measured(name: &str, material: &Material, inputs: &[String]) -> Vec<Tested> {
    let zone_of = |amount: &Amount| material.zones[amount.zone].name.clone();
    let series = material.amounts.iter().map(|amount| Recorded {
        name: format!("{}:{}", zone_of(amount), amount.measure),
        step_seconds: material.step_seconds,
        amounts: amount.values.clone(),
        capacity: amount.capacity,
    });
    let series: Vec<Recorded> = series.collect();
    if series.is_empty() {
        return Vec::new();
    }
    let lefts: Vec<Option<&String>> =
        std::iter::once(None).chain(inputs.iter().map(Some)).collect();
    let replay = |left: &Option<&String>| {
        let known = material.amounts.iter().filter_map(|amount| material.ahead.get(amount.zone));
        let of = |zone: &Covariates| left.map_or_else(|| zone.clone(), |name| zone.without(name));
        let ahead: Vec<Covariates> = known.map(of).collect();
        run_group(&series, &Settings::new(material.step_seconds), &ahead).into_iter()
    };
    let mut outcomes = on_all_cpus(&lefts, |_| 1, replay);
    let tested = series.into_iter().zip(&material.amounts).map(|(recorded, amount)| {
        let mut next = outcomes.iter_mut().map(|of| of.next().expect("each has all series"));
        let outcome = next.next().expect("there is one with all inputs");
        let measured = Measured {
            zone: zone_of(amount),
            measure: amount.measure.to_string(),
            without: inputs.iter().cloned().zip(next).collect(),
        };
        Tested { folder: name.to_owned(), recorded, outcome, measured: Some(measured) }
    });
    tested.collect()
}

/// The columns of a table, each as a series of its own.
fn read(path: &Path, text: &str, step: Duration) -> Result<Vec<Recorded>, Failure> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let reading = |measure: Option<&str>| file::Reading {
        zone: Some(stem.clone()),
        measure: measure.map(|name| Measure::Named(name.to_owned())),
        start: Some(SOMETIME),
        step: Some(step),
        ..file::Reading::default()
    };
    let heading = text.lines().next().unwrap_or_default().to_lowercase();
    let is_long = heading.split(',').any(|cell| cell.trim() == "value");
    let found = file::read(text, &stem, &reading(is_long.then_some("amount")));
    let found = found.map_err(|mistakes| {
        let failure = Failure::invalid(format!("{} is no table of amounts", path.display()));
        mistakes.iter().take(5).fold(failure, |failure, one| failure.cause(one.to_string()))
    })?;
    let named = |recording: Recording| {
        let name = match is_long {
            true => stem.clone(),
            false => format!("{stem}:{}", recording.measure),
        };
        on_steps(name, &recording)
    };
    Ok(found.into_iter().map(|found| named(found.recording)).collect())
}

/// A recording by steps from its first sample on; the change of what only ever rises.
fn on_steps(name: String, recording: &Recording) -> Recorded {
    let (mut samples, _) = tidy::tidy(&recording.samples);
    let usual = (tidy::usual_interval(&samples) as f64 / 1e6).round() as u32;
    let step_seconds = STEPS.into_iter().find(|&step| step >= usual).unwrap_or(3600);
    let lower = name.to_lowercase();
    let is_counter =
        COUNTED.iter().any(|word| lower.contains(word)) && counter::is_counter(&samples);
    let first = samples.first().map_or(0, |sample| sample.at.0);
    samples.iter_mut().for_each(|sample| sample.at.0 -= first);
    let method = if is_counter { Method::Rate } else { Method::Mean };
    let amounts = lay(&samples, step_seconds, method).values;
    Recorded { name, step_seconds, amounts, capacity: None }
}

/// Every score, for programs.
pub(super) fn values(tested: &[Tested]) -> Vec<Value> {
    let mut values = Vec::new();
    for Tested { folder, recorded, outcome, measured } in tested {
        let Ok(outcome) = outcome else { continue };
        let measured = measured.as_ref();
        for (cells, hours) in outcome.cells.iter().zip(HORIZONS) {
            let weights = outcome.weights.iter().find(|of| of.0 as usize == hours * 60);
            for (i, (cell, forecaster)) in cells.iter().zip(FORECASTERS).enumerate() {
                let of_blend = weights.filter(|_| i == 0).into_iter().flat_map(|of| &of.1);
                let weight = |&(expert, weight): &(&str, f64)| super::scores::WeightValue {
                    expert: expert.to_owned(),
                    weight,
                };
                values.push(Value {
                    folder: folder.clone(),
                    series: recorded.name.clone(),
                    zone: measured.map(|measured| measured.zone.clone()),
                    measure: measured.map(|measured| measured.measure.clone()),
                    kind: "amount",
                    horizon_min: hours * 60,
                    forecaster,
                    rows: cell.rows,
                    wql: cell.wql(),
                    coverage: cell.coverage(),
                    weights: of_blend.map(weight).collect(),
                });
            }
        }
    }
    values
}

/// Tables for people.
pub(super) fn text(tested: &[Tested], screen: Screen) -> String {
    if tested.is_empty() {
        return String::new();
    }
    let mut text = screen.datum(Tone::Strong, "amounts, as recorded");
    text += ": weighted quantile loss in percent of what came, over levels 0.05 to 0.95;\n";
    text += "beside the best of the baselines, and the share within the 80 % interval\n\n";
    let mut folder = "";
    for one in tested {
        if folder != one.folder {
            folder = &one.folder;
            text += &head(folder, screen);
        }
        text += &line(one, screen);
    }
    let whole: Vec<&Outcome> = tested.iter().filter_map(|one| one.outcome.as_ref().ok()).collect();
    if !whole.is_empty() {
        text += &means(&whole, screen);
    }
    text
}

fn head(title: &str, screen: Screen) -> String {
    let mut line = format!("{:<32}", report::printable::clipped(title, 31));
    for hours in HORIZONS {
        line += &format!("{:>width$}", format!("{hours} h"), width = WIDTH);
    }
    screen.datum(Tone::Faint, &line) + "\n"
}

fn line(tested: &Tested, screen: Screen) -> String {
    let mut text = format!("{:<32}", report::printable::clipped(&tested.recorded.name, 31));
    let outcome = match &tested.outcome {
        Ok(outcome) => outcome,
        Err(error) => return text + &format!("  {error}\n"),
    };
    for cells in &outcome.cells {
        let (own, best) = (cells[0].wql(), best(cells));
        let pair = format!("{:.2}/{:.2}", 100.0 * own, 100.0 * best);
        let pair = format!("{pair:>width$}", width = WIDTH - 5);
        text += &if own <= best { screen.datum(Tone::Good, &pair) } else { pair };
        text += &format!(" {:.2}", cells[0].coverage());
    }
    text + "\n"
}

fn best(cells: &[Sums]) -> f64 {
    cells[1..].iter().map(Sums::wql).fold(f64::INFINITY, f64::min)
}

/// The mean over series: of each forecaster, and of the best baseline of each series.
fn means(outcomes: &[&Outcome], screen: Screen) -> String {
    let n = outcomes.len() as f64;
    let mut text = String::from("\n") + &head("mean over series", screen);
    let mut row = |name: &str, value: &dyn Fn(&[Sums]) -> f64, digits: usize| {
        text += &format!("{name:<32}");
        for j in 0..HORIZONS.len() {
            let sum: f64 = outcomes.iter().map(|outcome| value(&outcome.cells[j])).sum();
            text += &format!("{:>1$.2$}", sum / n, WIDTH, digits);
        }
        text += "\n";
    };
    for (i, name) in FORECASTERS.iter().enumerate() {
        row(name, &|cells| 100.0 * cells[i].wql(), 2);
    }
    row("best baseline of each series", &|cells| 100.0 * best(cells), 2);
    row("within the 80 % interval", &|cells| cells[0].coverage(), 3);
    row(
        "share no worse than the best",
        &|cells| f64::from(u8::from(cells[0].wql() <= best(cells))),
        2,
    );
    text
}
