//! Traces of availability: counts and prices that begin at 0, or have no times at all.
//!
//! Knows how a trace is told from other files, and that a history wants a sample for each step. What
//! a trace is, `forecast::trace` says.

use forecast::grid::STEPS_MAX;
use forecast::recording::Measure;
use forecast::trace;
use spec::{Duration, Timestamp};

use super::{Row, Rows};

/// A trace in JSON is one object with `metadata`.
pub(super) fn is_trace(text: &str) -> bool {
    let head: String = text.chars().take(400).filter(|c| !c.is_whitespace()).collect();
    head.starts_with("{\"metadata\":") || (head.contains("\"gap_seconds\"") && head.contains('{'))
}

/// A trace in CSV begins with `seconds,count`.
#[must_use]
pub fn is_trace_of_changes(text: &str) -> bool {
    let heading = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    heading.is_some_and(|line| line.replace(' ', "").starts_with("seconds,count"))
}

pub(super) fn read(text: &str, name: &str, rows: &mut Rows<'_>) {
    let Some(start) = rows.reading.start else {
        let instead = "say --start, as in --start 2026-01-31";
        rows.mistake(None, "a trace does not say when it began", instead);
        return;
    };
    let recorded = match trace::read(text) {
        Ok(recorded) => recorded,
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map_or(String::new(), |e| format!(": {e}"));
            let instead = "write {\"metadata\": {\"gap_seconds\": 300}, \"data\": [1, null, 0]}";
            rows.mistake(None, format!("{error}{cause}"), instead);
            return;
        }
    };
    let zone = rows.reading.zone.clone().unwrap_or_else(|| name.to_owned());
    let at = |after: Duration| {
        Some(Timestamp(start.0.saturating_add(i64::try_from(after.0).unwrap_or(i64::MAX))))
    };
    let row = Row { zone: Some(&zone), ..Row::default() };
    for (after, count) in counts(&recorded) {
        if let Some(value) = count {
            rows.add(Row { at: at(after), measure: Some(&Measure::Count), value, ..row });
        }
    }
    for (after, value) in recorded.prices {
        rows.add(Row { at: at(after), measure: Some(&Measure::Price), value, ..row });
    }
}

/// A count for each gap; where only changes were recorded, each change and what held every five
/// minutes since: in a history, a sample that long ago speaks for nothing.
fn counts(recorded: &trace::Recorded) -> Vec<(Duration, Option<f64>)> {
    let step = recorded.gap.unwrap_or(Duration::from_secs(300)).0;
    let mut counts = Vec::new();
    for (i, &(from, count)) in recorded.counts.iter().enumerate() {
        let to = recorded.counts.get(i + 1).map_or(recorded.length, |next| next.0);
        counts.push((from, count));
        let mut at = (from.0 / step + 1) * step;
        while at < to.0 && counts.len() < STEPS_MAX {
            counts.push((Duration(at), count));
            at += step;
        }
    }
    counts
}
