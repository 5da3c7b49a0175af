//! Whatever happens to the bytes of a journal: it is noticed and located, or harmless.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use journal::{Damage, Epoch, Error, Journal, Options, Seq, Setup, read, repair, verify};
use proptest::prelude::*;

const FLUSH: u64 = 5;
const FILES: [&str; 3] = ["journal.db", "journal.db-wal", "journal.mark"];

fn setup(epoch: u64) -> Setup {
    let mut setup = Setup::new("run", Epoch(epoch));
    // Small pages: many of them, and few bits that nothing depends on.
    setup.options = Options { page_bytes: 512, ..Options::default() };
    setup
}

/// Some are longer than a page.
fn record(seq: u64) -> String {
    let filler = if seq.is_multiple_of(20) { "x".repeat(700) } else { String::new() };
    format!("{{\"seq\":{seq}{filler}}}")
}

fn records(n: u64) -> Vec<String> {
    (1..=n).map(record).collect()
}

/// Memory, where there is a file system for it: these tests open journals very often.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn copy(from: &Path, to: &Path) {
    for name in FILES {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// The files of a process that was killed when everything was synced; half of the records are in
/// the database, the others in the WAL.
struct Crashed {
    dir: tempfile::TempDir,
    records: u64,
    /// The length of the WAL after each flush into it, with the last record of the flush.
    wal_lengths: Vec<(usize, u64)>,
    /// The mark after each of these flushes.
    marks: Vec<Vec<u8>>,
}

fn crashed(records: u64) -> Crashed {
    let (live, dir) = (scratch(), scratch());
    let mut journal = Journal::create(live.path(), "{}", setup(1)).unwrap();
    for seq in 1..=records {
        if seq == records / 2 + 1 {
            journal.close().unwrap();
            journal = Journal::open(live.path(), setup(2), |_, _| {}).unwrap().0;
        }
        journal.append(&record(seq));
        if seq.is_multiple_of(FLUSH) {
            journal.flush().unwrap();
            journal.wait_synced(Seq(seq)).unwrap();
        }
        copy_flushed(&live, &dir, seq, records);
    }
    let mut crashed = Crashed { dir, records, wal_lengths: vec![(0, records / 2)], marks: vec![] };
    for seq in (records / 2 + 1..=records).filter(|seq| seq.is_multiple_of(FLUSH)) {
        let at = |name: &str| crashed.dir.path().join(format!("{name}.{seq}"));
        let length = fs::metadata(at("wal")).unwrap().len();
        let mark = fs::read(at("mark")).unwrap();
        crashed.wal_lengths.push((usize::try_from(length).unwrap(), seq));
        crashed.marks.push(mark);
    }
    copy(live.path(), crashed.dir.path());
    crashed
}

/// Keeps the WAL and the mark as they are after a flush.
fn copy_flushed(live: &tempfile::TempDir, dir: &tempfile::TempDir, seq: u64, records: u64) {
    if seq > records / 2 && seq.is_multiple_of(FLUSH) {
        for (from, to) in [("journal.db-wal", "wal"), ("journal.mark", "mark")] {
            let to = dir.path().join(format!("{to}.{seq}"));
            fs::copy(live.path().join(from), to).unwrap();
        }
    }
}

impl Crashed {
    /// What a reader makes of the files: the truth, or an error.
    fn look(&self, damage: &str) -> Result<(), Error> {
        match read(self.dir.path()) {
            Ok(found) => {
                assert_eq!(found, records(self.records), "{damage}: not the truth, and no error");
                Ok(())
            }
            Err(error @ (Error::Damaged { .. } | Error::Version { .. })) => Err(error),
            Err(other) => panic!("{damage}: {other}"),
        }
    }

    /// Damages a file in many ways, one at a time; each change is a place and the bytes there.
    /// Gives the changes that nobody notices.
    fn damage(
        &self,
        name: &str,
        changes: impl Fn(&[u8]) -> Vec<(usize, Vec<u8>)>,
    ) -> Vec<(usize, Vec<u8>)> {
        let path = self.dir.path().join(name);
        let bytes = fs::read(&path).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let mut harmless = Vec::new();
        for (at, change) in changes(&bytes) {
            file.write_all_at(&change, at as u64).unwrap();
            if self.look(&format!("{name}, byte {at}")).is_ok() {
                harmless.push((at, change.clone()));
            }
            file.write_all_at(&bytes[at..at + change.len()], at as u64).unwrap();
        }
        self.look("no damage").unwrap();
        harmless
    }
}

/// Every `step`-th bit, flipped.
fn flips(bytes: &[u8], step: usize) -> Vec<(usize, Vec<u8>)> {
    (0..bytes.len() * 8)
        .step_by(step)
        .map(|bit| (bit / 8, vec![bytes[bit / 8] ^ 1 << (bit % 8)]))
        .collect()
}

#[test]
fn no_flipped_bit_changes_what_is_read_from_the_database() {
    crashed(10).damage("journal.db", |bytes| flips(bytes, 1));
    crashed(100).damage("journal.db", |bytes| flips(bytes, 29));
}

#[test]
fn every_flipped_bit_of_a_synced_wal_is_noticed() {
    assert_eq!(crashed(10).damage("journal.db-wal", |bytes| flips(bytes, 1)), []);
    assert_eq!(crashed(100).damage("journal.db-wal", |bytes| flips(bytes, 61)), []);
}

#[test]
#[ignore = "takes half a minute; the same with steps runs always"]
fn no_flipped_bit_changes_what_is_read_from_a_hundred_records() {
    let crashed = crashed(100);
    crashed.damage("journal.db", |bytes| flips(bytes, 1));
    assert_eq!(crashed.damage("journal.db-wal", |bytes| flips(bytes, 1)), []);
}

#[test]
fn every_flipped_bit_of_the_mark_is_noticed() {
    assert_eq!(crashed(10).damage("journal.mark", |bytes| flips(bytes, 1)), []);
}

#[test]
fn no_block_of_zeros_changes_what_is_read() {
    let zeros = |bytes: &[u8]| {
        let starts = (0..bytes.len()).step_by(128);
        starts.map(|at| (at, vec![0; 512.min(bytes.len() - at)])).collect()
    };
    let crashed = crashed(100);
    crashed.damage("journal.db", zeros);
    assert_eq!(crashed.damage("journal.db-wal", zeros), []);
}

proptest! {
    /// Bytes overwritten, a block in the place of another.
    #[test]
    fn no_misplaced_or_random_bytes_change_what_is_read(
        damages in prop::collection::vec(
            (any::<bool>(), any::<u16>(), any::<u16>(), prop::collection::vec(any::<u8>(), 1..64)),
            4,
        ),
    ) {
        thread_local!(static CRASHED: Crashed = crashed(100));
        CRASHED.with(|crashed| {
            crashed.damage(FILES[usize::from(damages[0].0)], |bytes| {
                let place = |n: u16, size: usize| usize::from(n) % (bytes.len() - size);
                let change = |(random, to, from, noise): &(bool, u16, u16, Vec<u8>)| {
                    if *random {
                        return (place(*to, noise.len()), noise.clone());
                    }
                    let (to, from) = (place(*to, 512) / 512 * 512, place(*from, 512) / 512 * 512);
                    (to, bytes[from..from + 512].to_vec())
                };
                damages.iter().map(change).collect()
            });
        });
    }
}

#[test]
fn a_wal_cut_at_any_length_is_an_error_that_names_the_first_missing_record() {
    let crashed = crashed(20);
    let path = crashed.dir.path().join("journal.db-wal");
    let bytes = fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let whole = crashed.wal_lengths.iter().rfind(|(end, _)| *end <= length);
        let (_, there) = *whole.unwrap();
        match crashed.look("cut") {
            Err(Error::Damaged { first, last, what: Damage::Missing, .. }) => {
                assert_eq!((first, last), (Seq(there + 1), Seq(20)), "cut to {length}");
            }
            other => panic!("cut to {length}: {other:?}"),
        }
    }
}

#[test]
fn a_database_or_mark_cut_at_any_length_is_an_error() {
    let crashed = crashed(20);
    for name in ["journal.db", "journal.mark"] {
        let path = crashed.dir.path().join(name);
        let bytes = fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).unwrap();
            // SQLite needs no page that the WAL has anew.
            let harmless = crashed.look(&format!("{name} cut to {length}")).is_ok();
            assert!(name == "journal.db" || !harmless, "{name} cut to {length}");
            let wal = crashed.dir.path().join("journal.db-wal");
            assert!(wal.exists(), "evidence deleted: {name} cut to {length}");
        }
        fs::write(&path, &bytes).unwrap();
    }
}

/// Power loss: of what was not synced any part may be missing; the mark is as old as the sync.
#[test]
fn whatever_the_unsynced_tail_has_become_all_synced_records_are_read() {
    let crashed = crashed(20);
    let at = |name: &str| crashed.dir.path().join(name);
    let bytes = fs::read(at("journal.db-wal")).unwrap();
    let (synced_length, synced) = crashed.wal_lengths[1];
    fs::write(at("journal.mark"), &crashed.marks[0]).unwrap();
    for length in synced_length..bytes.len() {
        let (_, whole) = *crashed.wal_lengths.iter().rfind(|(end, _)| *end <= length).unwrap();
        let cut = bytes[..length].to_vec();
        let torn = [&bytes[..length], &vec![0x5a; bytes.len() - length]].concat();
        for (wal, how) in [(cut, "cut"), (torn, "torn")] {
            fs::write(at("journal.db-wal"), wal).unwrap();
            let found = read(crashed.dir.path()).unwrap();
            assert_eq!(found, records(whole), "{how} at {length}");
            assert!(whole >= synced);
        }
    }
}

#[test]
fn a_torn_tail_is_cut_and_reported_and_writing_goes_on() {
    let crashed = crashed(20);
    let at = |name: &str| crashed.dir.path().join(name);
    let bytes = fs::read(at("journal.db-wal")).unwrap();
    let (length, last) = crashed.wal_lengths[1];
    fs::write(at("journal.db-wal"), &bytes[..length + 600]).unwrap();
    fs::write(at("journal.mark"), &crashed.marks[0]).unwrap();

    let (mut journal, recovered) = Journal::open(crashed.dir.path(), setup(3), |_, _| {}).unwrap();
    assert_eq!(recovered.last, Seq(last));
    assert_eq!(recovered.tail.unwrap().bytes, 600);
    let mut expected = records(last);
    for i in 0..40 {
        expected.push(format!("after {i}"));
        journal.append(&expected[expected.len() - 1]);
        journal.flush().unwrap();
    }
    journal.close().unwrap();
    assert_eq!(read(crashed.dir.path()).unwrap(), expected);
}

#[test]
fn a_crashed_journal_is_recovered_without_shared_memory_too() {
    let crashed = crashed(100);
    let mut alone = setup(3);
    alone.options.shared_memory = Some(false);
    let mut found = Vec::new();
    let visit = |_, record: &str| found.push(record.to_owned());
    let (journal, _) = Journal::open(crashed.dir.path(), alone, visit).unwrap();
    assert!(!crashed.dir.path().join("journal.db-shm").exists());
    assert_eq!(found, records(100));
    assert_eq!(read(crashed.dir.path()).unwrap(), records(100));
    journal.close().unwrap();
}

#[test]
fn damage_that_changes_nothing_does_not_hurt_later_writes_either() {
    let crashed = crashed(100);
    let harmless = crashed.damage("journal.db", |bytes| flips(bytes, 203));
    assert!(harmless.len() > 50);
    for (at, byte) in harmless {
        let dir = scratch();
        copy(crashed.dir.path(), dir.path());
        let file = fs::OpenOptions::new().write(true).open(dir.path().join("journal.db")).unwrap();
        file.write_all_at(&byte, at as u64).unwrap();
        let (mut journal, _) = Journal::open(dir.path(), setup(3), |_, _| {}).unwrap();
        for seq in 101..=140 {
            journal.append(&record(seq));
        }
        journal.close().unwrap();
        assert_eq!(read(dir.path()).unwrap(), records(140), "byte {at}");
    }
}

/// A bit is in one row at most, so a repair may lose one row at most.
#[test]
fn repair_keeps_every_undamaged_record() {
    let crashed = crashed(100);
    for name in ["journal.db", "journal.db-wal"] {
        let bytes = fs::read(crashed.dir.path().join(name)).unwrap();
        for (at, byte) in flips(&bytes, 1_597) {
            let dir = scratch();
            copy(crashed.dir.path(), dir.path());
            let file = fs::OpenOptions::new().write(true).open(dir.path().join(name)).unwrap();
            file.write_all_at(&byte, at as u64).unwrap();
            let report = repair(dir.path()).unwrap();
            let lost: u64 = report.lost.iter().map(|r| r.end().0 - r.start().0 + 1).sum();
            let salvaged: u64 = report.salvaged.iter().map(|r| r.end().0 - r.start().0 + 1).sum();
            assert!(lost <= FLUSH, "{name}, byte {at}: lost {:?}", report.lost);
            assert_eq!(report.kept.0 + salvaged + lost, 100, "{name}, byte {at}");
            assert_eq!(read(dir.path()).unwrap(), records(report.kept.0), "{name}, byte {at}");
        }
    }
}

#[test]
fn an_older_journal_put_back_is_noticed() {
    let (old, new) = (crashed(20), crashed(100));
    for name in &FILES[..2] {
        fs::copy(old.dir.path().join(name), new.dir.path().join(name)).unwrap();
    }
    match verify(new.dir.path()) {
        Err(Error::Damaged { first, last, what: Damage::Missing, .. }) => {
            assert_eq!((first, last), (Seq(21), Seq(100)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_not_this_runs_journal_is_refused_by_name() {
    let other = scratch();
    Journal::create(other.path(), "{}", Setup::new("other", Epoch(1))).unwrap().close().unwrap();
    let open = |dir: &Path, epoch| Journal::open(dir, setup(epoch), |_, _| {}).map(drop);
    assert!(matches!(open(other.path(), 9), Err(Error::OtherRun { .. })));

    let dir = crashed(100).dir;
    assert!(matches!(open(dir.path(), 1), Err(Error::StaleEpoch { found: Epoch(2), .. })));
    fs::copy(other.path().join("journal.db"), dir.path().join("journal.db")).unwrap();
    let foreign = open(dir.path(), 9);
    assert!(matches!(foreign, Err(Error::Damaged { .. })), "{foreign:?}");
    let _running = Journal::open(other.path(), Setup::new("other", Epoch(1)), |_, _| {}).unwrap();
    let second = Journal::open(other.path(), Setup::new("other", Epoch(2)), |_, _| {});
    assert!(matches!(second, Err(Error::InUse { .. })));
}

#[test]
fn another_format_is_refused_by_number() {
    let dir = crashed(20).dir;
    let db = rusqlite::Connection::open(dir.path().join("journal.db")).unwrap();
    db.pragma_update(None, "user_version", 7).unwrap();
    drop(db);
    let refused = verify(dir.path());
    assert!(matches!(refused, Err(Error::Version { found: 7, known: 1, .. })), "{refused:?}");
}

#[test]
fn links_and_files_that_anybody_may_write_are_refused() {
    for name in FILES {
        let dir = crashed(20).dir;
        let path = dir.path().join(name);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode | 0o002)).unwrap();
        assert!(matches!(verify(dir.path()), Err(Error::Unsafe { .. })), "{name}");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let moved = dir.path().join("moved");
        fs::rename(&path, &moved).unwrap();
        symlink(&moved, &path).unwrap();
        assert!(matches!(verify(dir.path()), Err(Error::Unsafe { .. })), "{name}");
    }
}

#[test]
fn a_rollback_journal_is_never_rolled_into_a_journal() {
    let dir = crashed(20).dir;
    fs::write(dir.path().join("journal.db-journal"), "stray").unwrap();
    assert!(matches!(verify(dir.path()), Err(Error::Unsafe { .. })));
}
