//! What repair keeps, and that an interrupted repair is completed.

use std::fs;
use std::path::Path;

use super::*;
use crate::{Journal, Setup, read};

fn journal_of(dir: &Path, flushes: u64) {
    let mut journal = Journal::create(dir, "purpose", Setup::new("run", Epoch(1))).unwrap();
    for i in 1..=flushes {
        journal.append(&format!("record {i}"));
        journal.flush().unwrap();
        journal.wait_synced(Seq(i)).unwrap();
    }
    journal.close().unwrap();
}

/// Changes the one place in a file where `text` stands.
fn overwrite(path: &Path, text: &str, with: &str) {
    let mut bytes = fs::read(path).unwrap();
    let places: Vec<usize> = (0..bytes.len() - text.len())
        .filter(|&at| &bytes[at..at + text.len()] == text.as_bytes())
        .collect();
    assert_eq!(places.len(), 1, "{text:?} stands in one place");
    bytes[places[0]..places[0] + with.len()].copy_from_slice(with.as_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn records_after_the_damage_are_salvaged_and_those_before_it_can_be_resumed() {
    let dir = tempfile::tempdir().unwrap();
    journal_of(dir.path(), 9);
    overwrite(&dir.path().join("journal.db"), "record 5", "rec0rd 5");

    let report = repair(dir.path()).unwrap();

    assert!(matches!(report.damage, Some(Error::Damaged { first: Seq(5), last: Seq(9), .. })));
    assert_eq!(report.kept, Seq(4));
    assert_eq!(report.lost, [Seq(5)..=Seq(5)]);
    assert_eq!(report.salvaged.first().map(|range| *range.start()), Some(Seq(6)));
    let side = fs::read_to_string(report.side_file.unwrap()).unwrap();
    assert_eq!(side, "6 record 6\n7 record 7\n8 record 8\n9 record 9\n");
    assert_eq!(read(dir.path()).unwrap(), ["record 1", "record 2", "record 3", "record 4"]);
    let (mut journal, _) =
        Journal::open(dir.path(), Setup::new("run", Epoch(2)), |_, _| {}).unwrap();
    assert_eq!(journal.append("again 5"), Seq(5));
    journal.close().unwrap();
    assert_eq!(read(dir.path()).unwrap().len(), 5);
}

#[test]
fn the_damaged_files_are_kept_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    journal_of(dir.path(), 9);
    overwrite(&dir.path().join("journal.db"), "record 5", "rec0rd 5");
    let before = fs::read(dir.path().join("journal.db")).unwrap();
    let report = repair(dir.path()).unwrap();
    assert_eq!(fs::read(&report.aside[0]).unwrap(), before);
}

#[test]
fn a_healthy_journal_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    journal_of(dir.path(), 3);
    let report = repair(dir.path()).unwrap();
    assert!(report.damage.is_none() && report.aside.is_empty());
    assert_eq!(report.kept, Seq(3));
}

#[test]
fn a_lost_mark_is_rebuilt_from_the_records_and_a_lost_head_from_the_mark() {
    for damage in ["mark", "head"] {
        let dir = tempfile::tempdir().unwrap();
        journal_of(dir.path(), 3);
        match damage {
            "mark" => fs::remove_file(dir.path().join("journal.mark")).unwrap(),
            _ => overwrite(&dir.path().join("journal.db"), "purpose", "purp0se"),
        }
        assert_eq!(repair(dir.path()).unwrap().kept, Seq(3), "lost {damage}");
        let (_, recovered) =
            Journal::open(dir.path(), Setup::new("run", Epoch(1)), |_, _| {}).unwrap();
        assert_eq!(recovered.head.about, "purpose");
    }
}

#[test]
fn without_head_and_mark_there_is_nothing_to_build_on() {
    let dir = tempfile::tempdir().unwrap();
    journal_of(dir.path(), 3);
    fs::remove_file(dir.path().join("journal.mark")).unwrap();
    let database = dir.path().join("journal.db");
    fs::write(&database, vec![0; 8_192]).unwrap();
    assert!(matches!(repair(dir.path()), Err(Error::HeadLost { .. })));
    assert_eq!(fs::read(database).unwrap(), vec![0; 8_192]);
}

/// Stops a repair after each of its renames in turn, by playing them out by hand.
#[test]
fn an_interrupted_repair_is_completed_by_the_next() {
    let source = tempfile::tempdir().unwrap();
    journal_of(source.path(), 9);
    overwrite(&source.path().join("journal.db"), "record 5", "rec0rd 5");
    for had_mark in [true, false] {
        for steps in 0..=4 {
            let dir = tempfile::tempdir().unwrap();
            let at = |name: &str| dir.path().join(name);
            fs::copy(source.path().join("journal.db"), at("journal.db")).unwrap();
            if had_mark {
                fs::copy(source.path().join("journal.mark"), at("journal.mark")).unwrap();
            }
            prepare_repair(dir.path());
            let renames = [
                ("journal.db", "journal.damaged-1.db"),
                ("journal.mark", "journal.damaged-1.mark"),
                ("journal.mark.new", "journal.mark"),
                ("journal.db.new", "journal.db"),
            ];
            for (from, to) in &renames[..steps] {
                if at(from).exists() {
                    fs::rename(at(from), at(to)).unwrap();
                }
            }
            let open = Journal::open(dir.path(), Setup::new("run", Epoch(1)), |_, _| {});
            assert!(matches!(open, Err(Error::RepairUnfinished { .. })));
            assert_eq!(repair(dir.path()).unwrap().kept, Seq(4), "after {steps} renames");
            assert!(at("journal.damaged-1.db").exists());
        }
    }
}

/// Brings a directory to where a repair starts to rename.
fn prepare_repair(dir: &Path) {
    let done = tempfile::tempdir().unwrap();
    for name in ["journal.db", "journal.mark"] {
        let _ = fs::copy(dir.join(name), done.path().join(name));
    }
    repair(done.path()).unwrap();
    fs::copy(done.path().join("journal.db"), dir.join(NEW_DATABASE)).unwrap();
    fs::copy(done.path().join("journal.mark"), dir.join(NEW_MARK)).unwrap();
    fs::write(dir.join("journal.repairing"), "1").unwrap();
}
