//! A journal whose process dies at every point of it, with and without the power.
//!
//! The process is this test, started once more as a child. Needs the feature `fault-injection`.
#![cfg(feature = "fault-injection")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use journal::{Epoch, Journal, Options, Seq, Setup};

const DIR: &str = "JOURNAL_TEST_DIR";
const FLUSHES: u64 = 12;

/// The child: appends, and notes beside the journal what it was told to be written and synced.
#[test]
#[ignore = "runs as a child of another test"]
fn write_a_journal() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let dir = Path::new(&dir);
    let note = |name: &str, seq: Seq| std::fs::write(dir.join(name), seq.to_string()).unwrap();
    let mut setup = Setup::new("run", Epoch(1));
    // So small that there is a checkpoint after every third flush.
    setup.options = Options { checkpoint_bytes: 25_000, ..Options::default() };
    let mut journal = Journal::create(dir, "{}", setup).unwrap();
    for i in 1..=FLUSHES {
        let seq = journal.append(&format!("record {i}"));
        journal.flush().unwrap();
        journal.wait_written(seq).unwrap();
        note("written", seq);
        // The last flushes of four are never synced on demand.
        if i % 4 == 1 {
            journal.wait_synced(seq).unwrap();
            note("synced", seq);
        }
    }
    journal.close().unwrap();
    note("synced", Seq(FLUSHES));
}

fn child(dir: &Path, environment: &[(&str, String)]) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "write_a_journal", "--ignored", "-q"])
        .env(DIR, dir)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
}

/// The points of a run that goes through, with the number of hits.
fn points() -> BTreeMap<String, u64> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hits");
    let environment = [("FORESHARD_CRASH_COUNT", file.display().to_string())];
    assert!(child(dir.path(), &environment).success());
    journal::fault::hits(&file).unwrap()
}

#[test]
fn whatever_point_a_process_dies_at_nothing_promised_is_lost() {
    let points = points();
    assert_eq!(points["journal-write-before"], FLUSHES);
    assert_eq!(points["journal-write-after"], FLUSHES);
    assert!(points["journal-sync-before"] >= 4);
    let mut deaths = 0;
    for (point, hits) in points {
        for hit in 1..=hits {
            for power in [false, true] {
                let dir = tempfile::tempdir().unwrap();
                let crash = [
                    ("FORESHARD_CRASH_AT", format!("{point}:{hit}")),
                    ("FORESHARD_CRASH_POWER", u8::from(power).to_string()),
                ];
                let status = child(dir.path(), &crash);
                // How many syncs there are depends on how fast the disk is.
                assert!(status.signal() == Some(9) || status.success());
                deaths += u64::from(!status.success());
                let story = format!("{point}:{hit}, power loss: {power}");
                check(dir.path(), if power { "synced" } else { "written" }, &story);
            }
        }
    }
    assert!(deaths >= 4 * FLUSHES);
}

/// Everything that the file `promise` speaks of is in the journal, and what is there is a prefix.
fn check(dir: &Path, promise: &str, story: &str) {
    let text = std::fs::read_to_string(dir.join(promise)).unwrap_or_default();
    let promised: u64 = text.parse().unwrap_or(0);
    let mut found = Vec::new();
    let visit = |_, record: &str| found.push(record.to_owned());
    let (mut journal, recovered) = Journal::open(dir, Setup::new("run", Epoch(2)), visit).unwrap();
    assert!(recovered.last.0 >= promised, "{story}: {promised} promised, {recovered:?}");
    let expected: Vec<String> = (1..=recovered.last.0).map(|seq| format!("record {seq}")).collect();
    assert_eq!(found, expected, "{story}");
    assert_eq!(journal.append("next"), recovered.last.next());
    journal.close().unwrap();
}
