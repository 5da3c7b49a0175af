//! A journal on a healthy disk.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;

fn setup(epoch: u64) -> Setup {
    Setup::new("run", Epoch(epoch))
}

fn reopen(dir: &Path, epoch: u64) -> (Journal, Recovered, Vec<String>) {
    let mut records = Vec::new();
    let (journal, recovered) =
        Journal::open(dir, setup(epoch), |_, record| records.push(record.to_owned())).unwrap();
    (journal, recovered, records)
}

#[test]
fn what_was_closed_comes_back_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path(), "{}", setup(1)).unwrap();
    assert_eq!(journal.append("one"), Seq(1));
    journal.flush().unwrap();
    assert_eq!(journal.append(""), Seq(2));
    assert_eq!(journal.append("three"), Seq(3));
    journal.close().unwrap();

    let (_, recovered, records) = reopen(dir.path(), 2);
    assert_eq!(records, ["one", "", "three"]);
    assert_eq!((recovered.last, recovered.epoch, recovered.tail), (Seq(3), Epoch(1), None));
    assert_eq!(recovered.head, Head { run: "run".into(), about: "{}".into() });
}

#[test]
fn a_record_is_written_before_it_is_synced_and_both_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let listening = setup(1).on_progress(move |progress| ear.lock().unwrap().push(progress));
    let mut journal = Journal::create(dir.path(), "", listening).unwrap();
    let seq = journal.append("one");
    journal.flush().unwrap();
    journal.wait_synced(seq).unwrap();
    assert!(journal.written() >= journal.synced());
    journal.close().unwrap();
    assert_eq!(*heard.lock().unwrap(), [Progress::Written(seq), Progress::Synced(seq)]);
}
