//! A JSON object for each sample, one to a line.

use forecast::recording::Measure;
use serde::Deserialize;

use super::asked::{self, Texts};
use super::{Row, Rows, time_of};
use crate::time;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(alias = "timestamp", alias = "at")]
    time: Moment,
    zone: Option<String>,
    measure: Option<String>,
    unit: Option<String>,
    /// What had been asked for, of a wait.
    cpus: Option<Size>,
    memory: Option<Size>,
    walltime: Option<Size>,
    value: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Moment {
    Number(f64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Size {
    Number(serde_json::Number),
    Text(String),
}

impl Size {
    fn text(size: Option<&Self>) -> String {
        match size {
            Some(Self::Number(number)) => number.to_string(),
            Some(Self::Text(text)) => text.clone(),
            None => String::new(),
        }
    }
}

pub(super) fn read(text: &str, rows: &mut Rows<'_>) {
    for (i, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        if rows.is_hopeless() {
            return;
        }
        match serde_json::from_str(text) {
            Ok(line) => take(i + 1, &line, rows),
            Err(error) => {
                let instead = "write {\"time\": …, \"zone\": …, \"measure\": …, \"value\": …}";
                rows.mistake(i + 1, error.to_string().replace(" at line 1 ", " at "), instead);
            }
        }
    }
}

fn take(number: usize, line: &Line, rows: &mut Rows<'_>) {
    let at = match &line.time {
        Moment::Number(number) => time::of_number(*number),
        Moment::Text(text) => match time_of(rows, number, text) {
            Some(at) => Some(at),
            None => return,
        },
    };
    let measure: Option<Measure> = match line.measure.as_deref().map(str::parse) {
        Some(Err(error)) => {
            let what = format!("`{}` is no measure", line.measure.as_deref().unwrap_or(""));
            rows.mistake(number, what, forecast::recording::NotAMeasure::to_string(&error));
            return;
        }
        other => other.and_then(Result::ok),
    };
    let [cpus, memory, walltime] =
        [&line.cpus, &line.memory, &line.walltime].map(|size| Size::text(size.as_ref()));
    let texts = Texts { cpus: &cpus, memory: &memory, walltime: &walltime };
    let asked = match asked::read(texts) {
        Ok(asked) => asked,
        Err((what, instead)) => return rows.mistake(number, what, instead),
    };
    // What is null is not known: a gap.
    let Some(value) = line.value else { return };
    rows.add(Row {
        line: number,
        at,
        zone: line.zone.as_deref(),
        measure: measure.as_ref(),
        unit: line.unit.as_deref(),
        asked,
        value,
    });
}
