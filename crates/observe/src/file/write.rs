//! Recordings as text that can be read again.

use forecast::wait::Asked;
use serde::Serialize;

use super::Found;
use crate::time;

/// A table of `time,zone,measure,unit,value`, and of what waits had asked for where that is known.
#[must_use]
pub fn csv(found: &[Found]) -> String {
    let is_asked = found.iter().any(|one| one.recording.asked != Asked::default());
    csv_heading(is_asked).to_owned() + &csv_rows(found, is_asked)
}

/// The first line of such a table.
#[must_use]
pub fn csv_heading(is_asked: bool) -> &'static str {
    match is_asked {
        true => "time,zone,measure,unit,value,cpus,memory,walltime\n",
        false => "time,zone,measure,unit,value\n",
    }
}

/// The other lines, with or without what had been asked for.
#[must_use]
pub fn csv_rows(found: &[Found], is_asked: bool) -> String {
    let mut text = String::new();
    for Found { recording, unit } in found {
        let series = format!("{},{},{}", cell(&recording.zone), recording.measure, cell(unit));
        let Asked { cpus, memory, walltime } = recording.asked;
        let size = |size: Option<f64>| size.map_or(String::new(), |size| size.to_string());
        let asked = match is_asked {
            true => format!(",{},{},{}", size(cpus), size(memory), size(walltime)),
            false => String::new(),
        };
        for sample in &recording.samples {
            text += &format!("{},{series},{}{asked}\n", time::text(sample.at), sample.value);
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
    #[serde(skip_serializing_if = "Option::is_none")]
    cpus: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    walltime: Option<f64>,
    value: f64,
}

/// A line of JSON for each sample.
#[must_use]
pub fn json_lines(found: &[Found]) -> String {
    let mut text = String::new();
    for Found { recording, unit } in found {
        let Asked { cpus, memory, walltime } = recording.asked;
        for sample in &recording.samples {
            let line = Line {
                time: time::text(sample.at),
                zone: &recording.zone,
                measure: recording.measure.name(),
                unit,
                cpus,
                memory,
                walltime,
                value: sample.value,
            };
            text += &serde_json::to_string(&line).expect("texts and finite numbers serialize");
            text.push('\n');
        }
    }
    text
}
