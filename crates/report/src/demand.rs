//! What tasks of a template are expected to take, as a table and as values.
//!
//! Knows quantiles and what they would have been worth; where they come from is
//! [`forecast::demand`]'s.

use forecast::demand::{Calibration, Demand, Quantity};
use serde::Serialize;
use spec::{Bytes, Duration};

use crate::printable::printable;
use crate::quantity::{Seconds, count, percent};

/// The levels that are shown.
pub const LEVELS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// One quantity of one template.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DemandRow {
    /// `workflow/template`.
    pub template: String,
    /// Which quantity: `duration_seconds`, `memory_bytes`, `output_bytes`.
    pub quantity: &'static str,
    /// How many attempts it was learned from.
    pub n_attempts: usize,
    /// For inputs of this size; none where the size says nothing or was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_bytes: Option<u64>,
    /// What is not exceeded with a probability of 5, 25, 50, 75 and 95 %.
    pub quantiles: [f64; 5],
    /// How it goes with the size of the input.
    pub relation: &'static str,
    /// What such forecasts of the past were worth; none with too few attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationFigures>,
}

/// Forecasts of each past attempt from those before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CalibrationFigures {
    /// How many attempts were forecast.
    pub n: usize,
    /// The share between the 10 and the 90 % quantile: 0.8 if forecasts are honest.
    pub within_80: f64,
    /// The share not above the 95 % quantile: 0.95 if forecasts are honest.
    pub below_95: f64,
}

impl DemandRow {
    /// For inputs of a size, of any size if none is given.
    #[must_use]
    pub fn of(
        template: &str,
        quantity: Quantity,
        demand: &Demand,
        calibration: Option<Calibration>,
        input_bytes: Option<u64>,
    ) -> Self {
        let figures = |calibration: Calibration| CalibrationFigures {
            n: calibration.n,
            within_80: calibration.within_80,
            below_95: calibration.below_95,
        };
        Self {
            template: template.to_owned(),
            quantity: match quantity {
                Quantity::Duration => "duration_seconds",
                Quantity::Memory => "memory_bytes",
                Quantity::Output => "output_bytes",
            },
            n_attempts: demand.n_seen(),
            input_bytes,
            quantiles: LEVELS.map(|level| demand.quantile(input_bytes, level)),
            relation: demand.relation().name(),
            calibration: calibration.map(figures),
        }
    }

    fn amount(&self, level: usize) -> String {
        let amount = self.quantiles[level];
        match self.quantity {
            "duration_seconds" => Seconds(rounded(amount)).to_string(),
            _ => Bytes(two_figures(amount) as u64).to_string(),
        }
    }

    fn word(&self) -> &'static str {
        match self.quantity {
            "duration_seconds" => "duration",
            "memory_bytes" => "memory",
            _ => "output",
        }
    }
}

/// The widest that names are shown.
const NAME_MAX: usize = 40;

/// Templates of a workflow differ in the end of their names.
fn end_of(template: &str) -> String {
    let shown = printable(template);
    let n = shown.chars().count();
    match n.checked_sub(NAME_MAX) {
        None | Some(0) => shown.into_owned(),
        Some(more) => format!("…{}", shown.chars().skip(more + 1).collect::<String>()),
    }
}

/// To what a forecast is good for: two figures.
fn two_figures(amount: f64) -> f64 {
    let unit = 10_f64.powf(amount.max(1e-9).log10().floor() - 1.0);
    (amount / unit).round() * unit
}

fn rounded(seconds: f64) -> Duration {
    Duration::from_secs_f64(two_figures(seconds).max(1e-3))
}

/// The table for people; `faint` dims its head.
#[must_use]
pub fn text(rows: &[DemandRow], faint: impl Fn(&str) -> String) -> String {
    let name = |row: &DemandRow| end_of(&row.template);
    let width = rows.iter().map(|row| name(row).chars().count()).max().unwrap_or(0).max(8);
    let mut text = faint(&format!(
        "{:<width$}  {:<8}  {:>8}  {:>9}  {:>9}  {:>9}  {:<9}  {}",
        "TEMPLATE", "QUANTITY", "ATTEMPTS", "5 %", "MEDIAN", "95 %", "BY INPUT", "80 % HELD"
    )) + "\n";
    let mut last = None;
    for row in rows {
        let is_same = last == Some(&row.template);
        last = Some(&row.template);
        let shown = if is_same { String::new() } else { name(row) };
        let held = row.calibration.map_or_else(String::new, |calibration| {
            format!("{} of {}", percent(calibration.within_80), count(calibration.n))
        });
        let line = format!(
            "{shown:<width$}  {:<8}  {:>8}  {:>9}  {:>9}  {:>9}  {:<9}  {held}",
            row.word(),
            count(row.n_attempts),
            row.amount(0),
            row.amount(2),
            row.amount(4),
            row.relation,
        );
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use forecast::demand::{Prior, Seen};

    use super::*;

    #[test]
    fn a_row_reads_as_people_speak() {
        let seen = [9.0, 10.0, 11.0].map(|amount| Seen { input_bytes: Some(1 << 20), amount });
        let demand = Demand::learn(Quantity::Duration, &seen, Prior::anything(Quantity::Duration));
        let row = DemandRow::of("etl/load", Quantity::Duration, &demand, None, None);
        let table = text(&[row.clone(), row], str::to_owned);
        let mut lines = table.lines().skip(1);
        let first = lines.next().unwrap();
        assert!(first.starts_with("etl/load  duration") && first.contains("constant"), "{first}");
        assert!(lines.next().unwrap().starts_with("          duration"), "named once");
        assert_eq!(end_of(&format!("{}/end", "w".repeat(60))), format!("…{}/end", "w".repeat(35)));
        assert_eq!(two_figures(1_234.0), 1_200.0);
        assert_eq!(two_figures(0.0), 0.0);
    }
}
