//! What a journal promises its writer and its readers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::mpsc;

use journal::{
    Epoch, Error, FailureKind, Follower, Journal, Options, Progress, Seq, Setup, read, verify,
};
use proptest::prelude::*;

fn setup(epoch: u64, options: &Options) -> Setup {
    let mut setup = Setup::new("run", Epoch(epoch));
    setup.options = options.clone();
    setup
}

/// A file system that does not share memory between hosts.
fn alone() -> Options {
    Options { shared_memory: Some(false), ..Options::default() }
}

#[derive(Clone, Debug)]
enum Step {
    Append(String),
    Flush,
    Sync,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => "[^\n]{0,9}".prop_map(Step::Append),
        1 => (4_000_usize..9_000).prop_map(|n| Step::Append("long".repeat(n))),
        3 => Just(Step::Flush),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    // Each case syncs files many times.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The oracle is a list.
    #[test]
    fn what_was_appended_is_what_is_read(steps in steps(), shared in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            shared_memory: Some(shared),
            // A checkpoint every few flushes.
            checkpoint_bytes: 40_000,
            ..Options::default()
        };
        let mut expected: Vec<String> = Vec::new();
        let mut journal = Journal::create(dir.path(), "{}", setup(1, &options)).unwrap();
        for (i, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append(record) => {
                    expected.push(record);
                    let seq = journal.append(&expected[expected.len() - 1]);
                    prop_assert_eq!(seq, Seq(expected.len() as u64));
                }
                Step::Flush => journal.flush().unwrap(),
                Step::Sync => {
                    journal.flush().unwrap();
                    journal.wait_synced(journal.last()).unwrap();
                    prop_assert_eq!(journal.synced(), Seq(expected.len() as u64));
                }
                Step::Reopen => {
                    journal.close().unwrap();
                    let mut found = Vec::new();
                    let visit = |_, record: &str| found.push(record.to_owned());
                    let setup = setup(i as u64 + 2, &options);
                    journal = Journal::open(dir.path(), setup, visit).unwrap().0;
                    prop_assert_eq!(&found, &expected);
                }
            }
        }
        drop(journal);
        prop_assert_eq!(read(dir.path()).unwrap(), expected);
    }
}

/// Follows a journal while it is written, until the last record has come.
fn follow_to(dir: &Path, from: u64, last: u64) -> Vec<(Seq, String)> {
    let mut follower = Follower::open(dir, Seq(from)).unwrap();
    let mut seen = Vec::new();
    while seen.last().is_none_or(|(seq, _)| *seq < Seq(last)) {
        follower.poll(|seq, record| seen.push((seq, record.to_owned()))).unwrap();
        std::thread::yield_now();
    }
    seen
}

#[test]
fn followers_see_every_record_once_and_in_order_while_it_is_written() {
    for options in [Options { checkpoint_bytes: 30_000, ..Options::default() }, alone()] {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path(), "{}", setup(1, &options)).unwrap();
        std::thread::scope(|scope| {
            let followers = [1, 5, 250].map(|from| {
                let dir = dir.path();
                (from, scope.spawn(move || follow_to(dir, from, 300)))
            });
            for seq in 1..=300 {
                journal.append(&format!("record {seq}"));
                if seq % 3 == 0 {
                    journal.flush().unwrap();
                }
            }
            journal.close().unwrap();
            for (from, follower) in followers {
                let expected: Vec<_> =
                    (from..=300).map(|seq| (Seq(seq), format!("record {seq}"))).collect();
                assert_eq!(follower.join().unwrap(), expected);
            }
        });
    }
}

#[test]
fn a_follower_goes_on_with_the_next_writer() {
    for options in [Options::default(), alone()] {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path(), "{}", setup(1, &options)).unwrap();
        journal.append("one");
        journal.close().unwrap();
        let mut follower = Follower::open(dir.path(), Seq(1)).unwrap();
        let mut seen = Vec::new();
        follower.poll(|_, record| seen.push(record.to_owned())).unwrap();
        let (mut journal, _) = Journal::open(dir.path(), setup(2, &options), |_, _| {}).unwrap();
        journal.append("two");
        journal.close().unwrap();
        follower.poll(|_, record| seen.push(record.to_owned())).unwrap();
        assert_eq!(seen, ["one", "two"]);
    }
}

#[test]
fn a_record_is_told_to_be_written_before_it_is_told_to_be_synced() {
    let dir = tempfile::tempdir().unwrap();
    let (tell, hear) = mpsc::channel();
    let listening = setup(1, &Options::default()).on_progress(move |progress| {
        let _ = tell.send(progress);
    });
    let mut journal = Journal::create(dir.path(), "", listening).unwrap();
    let seq = journal.append("one");
    journal.flush().unwrap();
    journal.wait_synced(seq).unwrap();
    journal.close().unwrap();
    let heard: Vec<Progress> = hear.iter().collect();
    assert_eq!(heard, [Progress::Written(seq), Progress::Synced(seq)]);
}

#[test]
fn a_journal_that_is_written_can_be_read_and_verified() {
    for options in [Options::default(), alone()] {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(dir.path(), "about", setup(3, &options)).unwrap();
        journal.append("one");
        journal.flush().unwrap();
        journal.wait_synced(Seq(1)).unwrap();
        assert_eq!(read(dir.path()).unwrap(), ["one"]);
        let verified = verify(dir.path()).unwrap();
        assert_eq!((verified.last, verified.epoch), (Seq(1), Epoch(3)));
        assert_eq!(verified.head.about, "about");
    }
}

#[test]
fn a_snapshot_left_behind_is_not_believed_once_memory_is_shared() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path(), "{}", setup(1, &alone())).unwrap();
    journal.append("one");
    journal.close().unwrap();
    let options = Options::default();
    let (mut journal, _) = Journal::open(dir.path(), setup(2, &options), |_, _| {}).unwrap();
    journal.append("two");
    journal.close().unwrap();
    assert_eq!(read(dir.path()).unwrap(), ["one", "two"]);
}

#[test]
fn a_full_disk_stops_the_journal_for_good_and_what_was_written_stays() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { bytes_max: Some(100_000), ..Options::default() };
    let (tell, hear) = mpsc::channel();
    let listening = setup(1, &options).on_progress(move |progress| {
        let _ = tell.send(progress);
    });
    let mut journal = Journal::create(dir.path(), "{}", listening).unwrap();
    let record = "x".repeat(10_000);
    let stopped = (1..100).find_map(|_| {
        let seq = journal.append(&record);
        journal.flush().and_then(|()| journal.wait_synced(seq)).err()
    });
    assert!(matches!(stopped, Some(Error::Stopped(ref f)) if f.kind == FailureKind::NoSpace));
    let synced = journal.synced();
    journal.append("more");
    assert!(journal.flush().is_err());
    assert!(journal.close().is_err());
    let heard: Vec<Progress> = hear.iter().collect();
    let failures = heard.iter().filter(|p| matches!(p, Progress::Failed(_)));
    assert_eq!(failures.count(), 1);
    assert!(matches!(heard.last(), Some(Progress::Failed(_))));
    assert_eq!(read(dir.path()).unwrap().len() as u64, synced.0);
}

#[test]
fn a_wal_that_is_replaced_while_in_use_stops_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path(), "{}", setup(1, &Options::default())).unwrap();
    let wal = dir.path().join("journal.db-wal");
    std::fs::remove_file(&wal).unwrap();
    std::fs::write(&wal, "").unwrap();
    let seq = journal.append("one");
    journal.flush().unwrap();
    assert!(matches!(journal.wait_synced(seq), Err(Error::Stopped(_))));
    assert_eq!(journal.synced(), Seq(0));
}

#[test]
fn creating_twice_is_refused_and_an_interrupted_creation_can_be_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default();
    // What a creation leaves that was stopped before its last step.
    std::fs::write(dir.path().join("journal.db.new"), "half").unwrap();
    std::fs::write(dir.path().join("journal.mark"), "half").unwrap();
    let open = Journal::open(dir.path(), setup(1, &options), |_, _| {}).map(drop);
    assert!(matches!(open, Err(Error::Missing { .. })));
    Journal::create(dir.path(), "{}", setup(1, &options)).unwrap().close().unwrap();
    let again = Journal::create(dir.path(), "{}", setup(1, &options)).map(drop);
    assert!(matches!(again, Err(Error::Exists { .. })));
}

#[test]
#[should_panic(expected = "a record is one line")]
fn a_record_of_two_lines_is_a_mistake_of_the_caller() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path(), "{}", setup(1, &Options::default())).unwrap();
    journal.append("one\ntwo");
}
