//! How long a run waited for capacity, for the forecasts of later ones.
//!
//! Knows records and the sizes of zones: what an allocation asks for is all that its zone holds, for
//! no set time. What came before this orchestrator took over is not known to it.

use std::collections::BTreeMap;

use engine::{AllocationId, Event, Record};
use forecast::recording::{Measure, Recording, Sample};
use forecast::wait::Asked;
use journal::history::{self, History};
use observe::store::{self, Incoming, Kind};
use spec::{Site, Timestamp, ZoneId};

/// Waits of one run.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    asked: BTreeMap<AllocationId, (Timestamp, ZoneId)>,
    over: Vec<(ZoneId, Sample)>,
}

impl Waits {
    /// Takes note of a record; only the first coming of an allocation ends a wait.
    pub(crate) fn note(&mut self, record: &Record) {
        match record.event {
            Event::AllocationRequested { allocation, zone } => {
                self.asked.insert(allocation, (record.at, zone));
            }
            Event::AllocationUp { allocation, .. } => {
                if let Some((since, zone)) = self.asked.remove(&allocation) {
                    let value = record.at.since(since).as_secs_f64();
                    self.over.push((zone, Sample { at: record.at, value }));
                }
            }
            Event::AllocationLost { allocation, .. } | Event::AllocationEnded { allocation } => {
                self.asked.remove(&allocation);
            }
            _ => {}
        }
    }

    /// Puts what is over into a history.
    pub(crate) fn keep(&self, history: &mut History, site: &Site) -> Result<(), history::Error> {
        let incoming = self.over.iter().map(|&(zone, sample)| Incoming {
            recording: Recording {
                zone: site.zone(zone).name.clone(),
                measure: Measure::Wait,
                asked: asked(site, zone),
                samples: vec![sample],
            },
            unit: String::new(),
            source: "runs of this project".to_owned(),
            kind: Kind::Gauge,
        });
        let tidied: Vec<_> = incoming
            .map(|one| {
                let at = one.recording.samples[0].at;
                store::tidied(one, at)
            })
            .collect();
        if tidied.is_empty() { Ok(()) } else { store::put(history, &tidied).map(|_| ()) }
    }
}

fn asked(site: &Site, zone: ZoneId) -> Asked {
    let all = site.zone(zone).capacity();
    let known = |size: f64| Some(size).filter(|size| *size > 0.0);
    Asked {
        cpus: known(f64::from(all.cpus.0) / 1000.0),
        memory: known(all.memory.0 as f64),
        walltime: None,
    }
}

#[cfg(test)]
mod tests {
    use spec::Resources;
    use spec::diagnostic::Source;

    use super::*;

    #[test]
    fn a_wait_ends_when_capacity_comes_for_the_first_time_and_says_what_was_asked() {
        let text = "foreshard: 1\nzones:\n  desk: {pools: {main: {cpus: 4, memory: 8GiB}}}\n";
        let (site, told) = spec::site_file::parse(&Source::new("site.yaml", text.to_owned()));
        let site = site.unwrap_or_else(|| panic!("{told:#?}"));
        let record = |seconds: i64, event| Record {
            seq: 1,
            at: Timestamp(1_700_000_000_000_000 + seconds * 1_000_000),
            event,
        };
        let up =
            |n| Event::AllocationUp { allocation: AllocationId(n), capacity: Resources::default() };
        let asked = |n| Event::AllocationRequested { allocation: AllocationId(n), zone: ZoneId(0) };
        let mut waits = Waits::default();
        let lost = Event::AllocationEnded { allocation: AllocationId(2) };
        let records =
            [(0, asked(1)), (1, asked(2)), (90, up(1)), (95, lost), (100, up(1)), (110, up(2))];
        records.into_iter().for_each(|(seconds, event)| waits.note(&record(seconds, event)));
        let dir = tempfile::tempdir().unwrap();
        let mut history = History::open(&dir.path().join("history.db")).unwrap();
        waits.keep(&mut history, &site).unwrap();
        let found = store::read_asked(&mut history, "desk", &Measure::Wait, store::EVER).unwrap();
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!((one.samples.len(), one.samples[0].value), (1, 90.0));
        assert_eq!(one.asked.cpus, Some(4.0));
        assert_eq!(one.asked.memory, Some((8_u64 << 30) as f64));
    }
}
