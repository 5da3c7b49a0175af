//! Recordings as text that can be read again.

use serde::Serialize;

use super::Found;
use crate::time;

/// A table of `time,zone,measure,unit,value`.
#[must_use]
pub fn csv(found: &[Found]) -> String {
    let mut text = "time,zone,measure,unit,value\n".to_owned();
    for Found { recording, unit } in found {
        let series = format!("{},{},{}", cell(&recording.zone), recording.measure, cell(unit));
        for sample in &recording.samples {
            text += &format!("{},{series},{}\n", time::text(sample.at), sample.value);
        }
    }
    text
}

/// A cell, in quotation marks where it needs them.
fn cell(text: &str) -> String {
    if text.contains([',', '"']) || text.trim() != text {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    zone: &'a str,
    measure: &'a str,
    unit: &'a str,
    value: f64,
}

/// A line of JSON for each sample.
#[must_use]
pub fn json_lines(found: &[Found]) -> String {
    let mut text = String::new();
    for Found { recording, unit } in found {
        for sample in &recording.samples {
            let line = Line {
                time: time::text(sample.at),
                zone: &recording.zone,
                measure: recording.measure.name(),
                unit,
                value: sample.value,
            };
            text += &serde_json::to_string(&line).expect("texts and finite numbers serialize");
            text.push('\n');
        }
    }
    text
}
