//! A table of amounts as series on steps: each column by itself, whatever it is called.
//!
//! Knows what is done about samples before they are replayed, and names it; reading cells is
//! `observe`'s.

use forecast::free::backtest::Recorded;
use forecast::grid::{self, Method, lay};
use forecast::recording::{Flaw, Recording};
use forecast::{counter, tidy, unit_change};
use observe::file::{self, Mistake};
use spec::{Duration, Timestamp};

/// Seconds from one step to the next; the first that is not shorter than what was measured.
const STEPS: [u32; 6] = [60, 120, 300, 600, 900, 1800];
/// What a column in a table without times is taken to begin at.
const SOMETIME: Timestamp = Timestamp(1_600_000_200_000_000);
/// What in the name of a column or its file says that it may be a counter.
const COUNTED: [&str; 4] = ["net", "bytes", "total", "packets"];

/// A column that can be replayed.
pub(super) struct Column {
    /// Its steps.
    pub(super) recorded: Recorded,
    /// What is wrong with it.
    pub(super) flaws: Vec<String>,
}

/// The columns of a table; `stem` names its file, `step` is that of rows without times.
///
/// # Errors
/// Every mistake in it.
pub(super) fn read(stem: &str, text: &str, step: Duration) -> Result<Vec<Column>, Vec<Mistake>> {
    let reading = file::Reading {
        zone: Some(stem.to_owned()),
        start: Some(SOMETIME),
        step: Some(step),
        is_open: true,
        ..file::Reading::default()
    };
    let found = file::read(text, stem, &reading)?;
    let columns = found.into_iter().map(|found| {
        let recording = found.recording;
        on_steps(name(stem, &recording), &recording)
    });
    Ok(columns.collect())
}

/// The file, the zone where it names one, and the column where it is called anything.
fn name(stem: &str, recording: &Recording) -> String {
    let zone = Some(&*recording.zone).filter(|zone| *zone != stem);
    let measure = recording.measure.name();
    let measure = Some(measure).filter(|name| *name != file::UNNAMED);
    std::iter::once(stem).chain(zone).chain(measure).collect::<Vec<_>>().join(":")
}

/// A recording by steps from its first sample on; the change of what only ever rises.
fn on_steps(name: String, recording: &Recording) -> Column {
    let (mut samples, mut flaws) = tidy::tidy(&recording.samples);
    let usual = (tidy::usual_interval(&samples) as f64 / 1e6).round() as u32;
    let step_seconds = STEPS.into_iter().find(|&step| step >= usual).unwrap_or(3600);
    flaws.extend(grid::shorten(&mut samples, step_seconds));
    let lower = name.to_lowercase();
    let is_counter =
        COUNTED.iter().any(|word| lower.contains(word)) && counter::is_counter(&samples);
    let first = samples.first().map_or(0, |sample| sample.at.0);
    samples.iter_mut().for_each(|sample| sample.at.0 -= first);
    let method = if is_counter { Method::Rate } else { Method::Mean };
    let amounts = lay(&samples, step_seconds, method).values;
    let mut flaws: Vec<String> = flaws.iter().map(|flaw: &Flaw| flaw.to_string()).collect();
    // A backtest cannot know beforehand that a unit will change: it is replayed as it was recorded.
    if let Some(change) = unit_change::find(&samples).filter(|_| !is_counter) {
        let factor = change.factor;
        flaws.push(format!("values changed by a factor of {factor}, as if the unit did"));
    }
    if samples.len() > 1 && samples.windows(2).all(|pair| pair[0].value.eq(&pair[1].value)) {
        flaws.push(Flaw::Constant.to_string());
    }
    let recorded = Recorded { name, step_seconds, amounts, capacity: None };
    Column { recorded, flaws }
}
