//! The runs of a project's past: when they began, how long they took, what they used.
//!
//! Knows run folders and journals; replays nothing. What a run used is what its attempts were
//! measured to use, spread over all of its time. A run that cannot be read is left out: the past
//! is a hint.

use engine::{Event, Record};
use forecast::recurrence::Run;
use spec::Timestamp;

use crate::manifest::RunManifest;
use crate::run_dir::{Project, RunDir};

/// The latest runs of a project that have a manifest and a record, at most so many, the earliest
/// first; without the one of this name, which may be going on.
#[must_use]
pub fn runs(project: &Project, latest: usize, but: Option<&str>) -> Vec<Run> {
    let mut found: Vec<(Timestamp, RunDir, RunManifest)> = std::fs::read_dir(project.runs())
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let dir = RunDir::new(entry.path());
            if but.is_some_and(|name| dir.id() == name) {
                return None;
            }
            let manifest = RunManifest::read(&dir).ok()?;
            Some((manifest.created_at, dir, manifest))
        })
        .collect();
    found.sort_by(|a, b| (a.0, a.1.path()).cmp(&(b.0, b.1.path())));
    found.drain(..found.len().saturating_sub(latest));
    found.into_iter().filter_map(|(_, dir, manifest)| run(&dir, manifest)).collect()
}

fn run(dir: &RunDir, manifest: RunManifest) -> Option<Run> {
    let records = journal::read(dir.path()).ok()?;
    let records = records.iter().filter_map(|text| serde_json::from_str(text).ok());
    of(manifest.workflow_name, records)
}

/// None of a run that is over at once, or never began.
fn of(name: String, records: impl Iterator<Item = Record>) -> Option<Run> {
    let (mut first, mut last) = (None, None);
    let (mut cpu_seconds, mut byte_seconds) = (0.0, 0.0);
    for record in records {
        first.get_or_insert(record.at);
        last = Some(record.at);
        let (Event::AttemptCommitted { usage, .. } | Event::AttemptFailed { usage, .. }) =
            record.event
        else {
            continue;
        };
        cpu_seconds += usage.cpu_user.as_secs_f64() + usage.cpu_system.as_secs_f64();
        let seconds = usage.ended_at.since(usage.started_at).as_secs_f64();
        byte_seconds += usage.memory_peak.0 as f64 * seconds;
    }
    let (start, last) = (first?, last?);
    let seconds = last.since(start).as_secs_f64();
    let (cpus, memory) = (cpu_seconds / seconds, byte_seconds / seconds);
    (seconds > 0.0).then_some(Run { name, start, seconds, cpus, memory })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(texts: &[&str]) -> impl Iterator<Item = Record> {
        texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn a_run_uses_what_its_attempts_used_spread_over_its_time() {
        let texts = [
            r#"{"seq":1,"at":1000000,"event":{"attempt_started":{"attempt":[0,1],"started_at":1000000,"slot":0}}}"#,
            r#"{"seq":2,"at":51000000,"event":{"attempt_committed":{"attempt":[0,1],"usage":{"started_at":1000000,"ended_at":51000000,"cpu_user":90000000,"cpu_system":10000000,"memory_peak":4000}}}}"#,
            r#"{"seq":3,"at":101000000,"event":{"attempt_committed":{"attempt":[1,1],"usage":{"started_at":51000000,"ended_at":101000000,"cpu_user":100000000,"cpu_system":0,"memory_peak":2000}}}}"#,
        ];
        let run = of("nightly".to_owned(), records(&texts)).unwrap();
        assert_eq!((run.start, run.seconds), (Timestamp(1_000_000), 100.0));
        assert_eq!((run.cpus, run.memory), (2.0, 3000.0));
        assert_eq!(of("nightly".to_owned(), records(&texts[..1])), None);
    }

    #[test]
    fn a_project_without_runs_has_no_past() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(runs(&Project::new(folder.path().to_owned()), 10, None), []);
    }
}
