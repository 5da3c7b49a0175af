//! Backtests of how many instances there would be, of folders that count them.

use std::io::{BufWriter, Write};
use std::path::Path;

use forecast::Learning;
use forecast::backtest::Error;
use forecast::count::backtest::{FORECASTERS, Outcome, run};
use forecast::free::backtest::Sums;
use serde::Serialize;

use super::backtest::Subject;
use super::each::on_all_cpus;
use super::scores;
use crate::failure::Failure;
use crate::screen::{Screen, Tone};

/// A folder that counts, and what came of it.
pub(super) struct Tested<'a> {
    pub(super) subject: &'a Subject,
    pub(super) outcome: Outcome,
}

/// A forecaster at a horizon.
#[derive(Serialize)]
pub(super) struct Value {
    folder: String,
    kind: &'static str,
    horizon_min: u32,
    forecaster: &'static str,
    rows: usize,
    crps: f64,
    coverage: f64,
}

/// Replays every folder that ever has more than one instance in a zone.
///
/// # Errors
/// The zones of one do not go together.
pub(super) fn test(subjects: &[Subject]) -> Result<Vec<Tested<'_>>, Error> {
    let outcomes = on_all_cpus(subjects, Subject::samples, |subject| {
        run(&subject.folder, &Learning::default(), &subject.ahead)
    });
    let mut tested = Vec::new();
    for (subject, outcome) in subjects.iter().zip(outcomes) {
        tested.extend(outcome?.map(|outcome| Tested { subject, outcome }));
    }
    Ok(tested)
}

/// A line for each forecast.
pub(super) fn emit(path: &Path, tested: &[Tested<'_>]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::io("write", path, &error);
    let mut out = BufWriter::new(std::fs::File::create(path).map_err(failed)?);
    for Tested { subject, outcome } in tested {
        let name = serde_json::Value::from(subject.folder.name.as_str());
        for row in &outcome.rows {
            let zone = serde_json::Value::from(subject.folder.zones[row.zone].name.as_str());
            let (origin, minutes, quantiles) = (row.origin, row.minutes, row.quantiles);
            writeln!(
                out,
                r#"{{"folder":{name},"zone":{zone},"origin":{origin},"horizon_min":{minutes},"quantiles":{quantiles:?}}}"#
            )
            .map_err(failed)?;
        }
    }
    out.flush().map_err(failed)
}

/// Every score, for programs.
pub(super) fn values(tested: &[Tested<'_>]) -> Vec<Value> {
    let mut values = Vec::new();
    for Tested { subject, outcome } in tested {
        for (minutes, cells) in &outcome.cells {
            for (cell, forecaster) in
                cells.iter().zip(FORECASTERS).filter(|(cell, _)| cell.rows > 0)
            {
                values.push(Value {
                    folder: subject.folder.name.clone(),
                    kind: "count",
                    horizon_min: *minutes,
                    forecaster,
                    rows: cell.rows,
                    crps: cell.crps(),
                    coverage: cell.coverage(),
                });
            }
        }
    }
    values
}

/// Tables for people.
pub(super) fn text(tested: &[Tested<'_>], screen: Screen) -> String {
    tested.iter().map(|tested| table(tested, screen)).collect()
}

fn table(tested: &Tested<'_>, screen: Screen) -> String {
    let name = screen.datum(Tone::Strong, &tested.subject.folder.name);
    let cells: Vec<_> =
        tested.outcome.cells.iter().filter(|(_, cells)| cells[0].rows > 0).collect();
    let mut text = format!("{name}: instances at the end of the horizon\n\n");
    let mut head = format!("{:<24}", "CRPS, in instances");
    for (minutes, _) in &cells {
        head += &format!("{:>9}", scores::ahead(*minutes));
    }
    text += &(screen.datum(Tone::Faint, &head) + "\n");
    for (i, forecaster) in FORECASTERS.iter().enumerate() {
        text += &format!("{forecaster:<24}");
        for (_, cells) in &cells {
            let least = cells.iter().map(Sums::crps).fold(f64::INFINITY, f64::min);
            let word = format!("{:>9.3}", cells[i].crps());
            let is_best = cells[i].crps() <= least;
            text += &if is_best { screen.datum(Tone::Good, &word) } else { word };
        }
        text += "\n";
    }
    text += &format!("{:<24}", "within the 80 % interval");
    for (_, cells) in &cells {
        text += &format!("{:>9.2}", cells[0].coverage());
    }
    text + "\n\n"
}
