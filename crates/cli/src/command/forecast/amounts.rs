//! Backtests of amounts: as tables of measurements hold them, each column replayed by itself, or as a
//! project measured them, all of them together and once more without each input.
//!
//! What is scored is the amount as it is recorded, of a use or of what is free; where the capacity
//! is known the loss of the one is that of the other.

use forecast::free::backtest::{FORECASTERS, HORIZONS, Outcome, Recorded, Sums, run, run_group};
use forecast::free::{Settings, backtest};
use forecast::resource_predictor::Amount;
use forecast::{Covariates, Material};
use serde::Serialize;

use super::each::on_all_cpus;
use super::table::Column;
use crate::screen::{Screen, Tone};

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

/// Replays each of these columns of tables, by folder; what is wrong with one is told.
pub(super) fn test(columns: Vec<(String, Column)>, screen: Screen) -> Vec<Tested> {
    let warning = screen.word(Tone::Doubtful, "warning:");
    for (_, Column { recorded, flaws }) in &columns {
        for flaw in flaws {
            screen.say(&format!("{warning} {}: {flaw}", recorded.name));
        }
    }
    let outcomes = on_all_cpus(
        &columns,
        |(_, column)| column.recorded.amounts.len(),
        |(_, Column { recorded, .. })| run(recorded, &Settings::new(recorded.step_seconds)),
    );
    let tested = |((folder, column), outcome): ((String, Column), _)| Tested {
        folder,
        recorded: column.recorded,
        outcome,
        measured: None,
    };
    columns.into_iter().zip(outcomes).map(tested).collect()
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
        let pair = format!("{}/{}", figure(100.0 * own, 2), figure(100.0 * best, 2));
        let pair = format!("{pair:>width$}", width = WIDTH - 5);
        text += &if own <= best { screen.datum(Tone::Good, &pair) } else { pair };
        text += &format!(" {:.2}", cells[0].coverage());
    }
    text + "\n"
}

/// A number; there is none of a loss as a share of nothing.
fn figure(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "-".to_owned() }
}

fn best(cells: &[Sums]) -> f64 {
    cells[1..].iter().map(Sums::wql).fold(f64::INFINITY, f64::min)
}

/// The mean over series: of each forecaster, and of the best baseline of each series.
fn means(outcomes: &[&Outcome], screen: Screen) -> String {
    let mut text = String::from("\n") + &head("mean over series", screen);
    let mut row = |name: &str, value: &dyn Fn(&[Sums]) -> f64, digits: usize| {
        text += &format!("{name:<32}");
        for j in 0..HORIZONS.len() {
            let each = outcomes.iter().map(|outcome| value(&outcome.cells[j]));
            let known: Vec<f64> = each.filter(|value| value.is_finite()).collect();
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            text += &format!("{:>1$}", figure(mean, digits), WIDTH);
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
