//! What a project measured, as forecasts take it: every zone on one grid of steps.
//!
//! Knows the history and the form of the Resource Predictor's input; learns nothing itself.

use forecast::Material;
use forecast::recording::{Measure, Recording};
use journal::history::{Error, History};
use spec::Timestamp;

use crate::store;

/// Seconds from one step to the next.
pub const STEP_SECONDS: u32 = 300;
/// No more of the past is looked at.
const PAST: i64 = 120 * 86_400 * 1_000_000;

/// All that was measured from a time up to before `until`, at most of the last 120 days; of these
/// zones only, where some are named. None where nothing was measured.
///
/// # Errors
/// The history cannot be read.
pub fn material(
    history: &mut History,
    zones: Option<&[String]>,
    since: Option<Timestamp>,
    until: Timestamp,
) -> Result<Option<Material>, Error> {
    let mut series = history.series()?;
    series.retain(|one| zones.is_none_or(|zones| zones.contains(&one.zone)));
    let latest = series.iter().map(|one| one.last_us.min(until.0)).max();
    let Some(latest) = latest else { return Ok(None) };
    let since = since.unwrap_or(Timestamp(latest.saturating_sub(PAST)));
    let mut recordings: Vec<Recording> = Vec::new();
    for one in series {
        let Ok(measure) = one.measure.parse::<Measure>() else { continue };
        if !matches!(measure, Measure::Named(_) | Measure::Price) {
            recordings.extend(store::read_asked(history, &one.zone, &measure, since..until)?);
        }
    }
    recordings.retain(|recording| !recording.samples.is_empty());
    let is_empty = recordings.is_empty();
    Ok((!is_empty).then(|| Material::of_recordings(&recordings, until, STEP_SECONDS)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Incoming, Kind, put, tidied};
    use forecast::recording::Sample;
    use forecast::wait::Asked;

    #[test]
    fn only_what_was_measured_in_time_and_in_the_zones_asked_for_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = History::open(&dir.path().join("history.db")).unwrap();
        assert!(material(&mut history, None, None, Timestamp(i64::MAX)).unwrap().is_none());
        let at = |i: i64| Timestamp(1_700_000_100_000_000 + i * 300_000_000);
        for zone in ["here", "there"] {
            let samples = (0..100).map(|i| Sample { at: at(i), value: 0.5 }).collect();
            let recording = Recording {
                zone: zone.into(),
                measure: Measure::Cpu,
                asked: Asked::default(),
                samples,
            };
            let (unit, source) = (String::new(), "test".into());
            let incoming = Incoming { recording, unit, source, kind: Kind::Gauge };
            put(&mut history, &[tidied(incoming, Timestamp(i64::MAX))]).unwrap();
        }
        let zones = ["here".to_owned(), "nowhere".to_owned()];
        let found = material(&mut history, Some(&zones), None, at(40)).unwrap().unwrap();
        assert_eq!(found.zones.len(), 1);
        assert_eq!((found.zones[0].name.as_str(), found.steps()), ("here", 40));
    }
}
