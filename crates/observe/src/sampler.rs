//! This machine, sampled again and again into the history of a project.
//!
//! Knows the clock and a thread. Light: some small files of `/proc` and one short transaction each
//! time. When it runs beside something else it never stops nor fails it: what cannot be measured or
//! written is not, and is said once at most.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use forecast::recording::{Measure, Recording, Sample};
use forecast::wait::Asked;
use journal::history::History;

use crate::machine::Reading;
use crate::store::{self, Incoming, Kind};
use crate::time;

/// How often a machine is sampled unless told otherwise.
pub const EVERY: Duration = Duration::from_secs(30);

/// What a sampler needs to know.
#[derive(Clone, Debug)]
pub struct Place {
    /// The history.
    pub history: PathBuf,
    /// A folder on the disk whose space counts.
    pub folder: PathBuf,
    /// The zones that this machine is.
    pub zones: Vec<String>,
}

/// A thread that samples until this is dropped.
#[derive(Debug)]
pub struct Sampler {
    /// Closing it ends the thread, which is not waited for: it may be waiting for the disk.
    _running: SyncSender<()>,
}

impl Sampler {
    /// Starts it; none where no thread can be had, or this machine is no zone.
    #[must_use]
    pub fn start(place: Place, every: Duration) -> Option<Self> {
        if place.zones.is_empty() {
            return None;
        }
        let (running, ended) = sync_channel::<()>(0);
        let goes_on = move || ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout);
        let builder = std::thread::Builder::new().name("sampler".into());
        let spawned = builder.spawn(move || sample_while(&place, goes_on, |_| {}));
        spawned.ok().map(|_| Self { _running: running })
    }
}

/// Samples each time that `goes_on` has waited and says so; tells what came of it.
pub fn sample_while(
    place: &Place,
    mut goes_on: impl FnMut() -> bool,
    mut tell: impl FnMut(Result<(), Error>),
) {
    let mut last = Reading::read(time::now(), &place.folder);
    while goes_on() {
        let next = Reading::read(time::now(), &place.folder);
        tell(match (next, last) {
            (Some(next), Some(last)) => History::open(&place.history)
                .and_then(|mut history| put(&mut history, &place.zones, &next.since(&last)))
                .map_err(Error::from),
            _ => Err(Error::Unreadable),
        });
        last = next;
    }
}

/// One measurement over a while, into an open history.
///
/// # Errors
/// This machine cannot be measured, or the history not written.
pub fn sample_once(
    history: &mut History,
    zones: &[String],
    folder: &Path,
    over: Duration,
) -> Result<Vec<(Measure, Sample)>, Error> {
    let first = Reading::read(time::now(), folder).ok_or(Error::Unreadable)?;
    std::thread::sleep(over);
    let second = Reading::read(time::now(), folder).ok_or(Error::Unreadable)?;
    let measured = second.since(&first);
    put(history, zones, &measured)?;
    Ok(measured)
}

/// Why this machine was not sampled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `/proc` is not there, or does not say.
    #[error("this machine cannot be measured: /proc/stat or /proc/meminfo cannot be read")]
    Unreadable,
    /// The history cannot be written.
    #[error(transparent)]
    History(#[from] journal::history::Error),
}

fn put(
    history: &mut History,
    zones: &[String],
    measured: &[(Measure, Sample)],
) -> Result<(), journal::history::Error> {
    let mut tidied = Vec::new();
    for zone in zones {
        for (measure, sample) in measured {
            let (zone, measure) = (zone.clone(), measure.clone());
            let recording =
                Recording { zone, measure, asked: Asked::default(), samples: vec![*sample] };
            let (unit, source) = (String::new(), "this machine".to_owned());
            let incoming = Incoming { recording, unit, source, kind: Kind::Gauge };
            tidied.push(store::tidied(incoming, sample.at));
        }
    }
    store::put(history, &tidied).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_of_this_machine_is_in_the_history_of_each_zone_that_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = History::open(&dir.path().join("history.db")).unwrap();
        let zones = ["a".to_owned(), "b".to_owned()];
        let measured =
            sample_once(&mut history, &zones, dir.path(), Duration::from_millis(20)).unwrap();
        for zone in &zones {
            for (measure, sample) in &measured {
                let kept = store::read(&mut history, zone, measure, store::EVER).unwrap();
                assert_eq!(kept.samples, [*sample]);
            }
        }
        let cpu = measured.iter().find(|(measure, _)| *measure == Measure::Cpu).unwrap();
        assert!((0.0..=1.0).contains(&cpu.1.value));
    }

    #[test]
    fn a_sampler_goes_on_until_it_is_told_to_end() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place {
            history: dir.path().join("history.db"),
            folder: dir.path().to_path_buf(),
            zones: vec!["a".to_owned()],
        };
        let (mut rounds, mut told) = (0, 0);
        let goes_on = || {
            rounds += 1;
            // A reading in the same microsecond would measure nothing.
            std::thread::sleep(Duration::from_millis(2));
            rounds <= 3
        };
        sample_while(&place, goes_on, |result| told += usize::from(result.is_ok()));
        assert_eq!(told, 3);
        let mut history = History::open(&place.history).unwrap();
        let kept = store::read(&mut history, "a", &Measure::Memory, store::EVER).unwrap();
        assert_eq!(kept.samples.len(), 3);
    }
}
