//! A journal of every format there has been is read for ever.

use std::fs;
use std::path::PathBuf;

use journal::{Epoch, Journal, Options, Seq, Setup};

const FILES: [&str; 2] = ["journal.db", "journal.mark"];

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format-1")
}

fn records() -> Vec<String> {
    (1..=12).map(|i| format!(r#"{{"n":{i},"text":"{}"}}"#, "é".repeat(i * i))).collect()
}

#[test]
fn a_journal_of_format_1_is_read_and_written_on() {
    let dir = tempfile::tempdir().unwrap();
    for name in FILES {
        fs::copy(golden().join(name), dir.path().join(name)).unwrap();
    }
    let mut found = Vec::new();
    let visit = |_, record: &str| found.push(record.to_owned());
    let (mut journal, recovered) =
        Journal::open(dir.path(), Setup::new("golden", Epoch(5)), visit).unwrap();
    assert_eq!(found, records());
    assert_eq!(recovered.head.about, r#"{"made":"once"}"#);
    assert_eq!((recovered.last, recovered.epoch), (Seq(12), Epoch(4)));
    assert_eq!(journal.append("more"), Seq(13));
    journal.close().unwrap();
}

/// Made once for each format, and never again: does nothing unless told so by the environment.
#[test]
#[ignore = "makes the files of the other test"]
fn make_the_golden_journal() {
    if std::env::var_os("JOURNAL_MAKE_GOLDEN").is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut setup = Setup::new("golden", Epoch(4));
    setup.options = Options { page_bytes: 512, ..Options::default() };
    let mut journal = Journal::create(dir.path(), r#"{"made":"once"}"#, setup).unwrap();
    for (i, record) in records().iter().enumerate() {
        let seq = journal.append(record);
        if i % 3 == 2 {
            journal.flush().unwrap();
            journal.wait_synced(seq).unwrap();
        }
    }
    journal.close().unwrap();
    fs::create_dir_all(golden()).unwrap();
    for name in FILES {
        fs::copy(dir.path().join(name), golden().join(name)).unwrap();
    }
}
