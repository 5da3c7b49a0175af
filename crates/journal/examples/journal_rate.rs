//! Prints how fast a journal takes records, by records per flush: in memory, written, synced; and
//! how fast it is opened again.
//!
//! `cargo run --release -p journal --example journal_rate [directory]`

use std::time::Instant;

use journal::{Epoch, Journal, Setup};

/// About the size of the record of one finished task.
const RECORD_BYTES: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    println!("records of {RECORD_BYTES} bytes; `free`: flushes do not wait, as in a run");
    println!(
        "{:>6} {:>8} {:>12} {:>10} {:>14}",
        "batch", "wait", "records/s", "us/record", "append us/rec"
    );
    for (wait, name) in [(Wait::Free, "free"), (Wait::Written, "written"), (Wait::Synced, "synced")]
    {
        for batch in [1, 10, 100, 1_000] {
            let (records, seconds, busy) = measure(std::path::Path::new(&base), batch, wait)?;
            let each = 1e6 / f64::from(records);
            println!(
                "{batch:>6} {name:>8} {:>12.0} {:>10.2} {:>14.2}",
                f64::from(records) / seconds,
                seconds * each,
                busy * each
            );
        }
    }
    recovery(std::path::Path::new(&base))
}

/// Opens a journal of a million records.
fn recovery(base: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let dir = base.join(format!("journal-rate-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let record = "x".repeat(RECORD_BYTES);
    let mut journal = Journal::create(&dir, "", Setup::new("rate", Epoch(1)))?;
    for _ in 0..50_000 {
        for _ in 0..20 {
            journal.append(&record);
        }
        journal.flush()?;
        journal.wait_written(journal.last())?;
    }
    journal.close()?;
    let start = Instant::now();
    let (journal, recovered) = Journal::open(&dir, Setup::new("rate", Epoch(2)), |_, _| {})?;
    println!("opened with {} records in {:.2} s", recovered.last, start.elapsed().as_secs_f64());
    drop(journal);
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

#[derive(Clone, Copy, PartialEq)]
enum Wait {
    Free,
    Written,
    Synced,
}

/// Records, seconds until all is synced, and seconds the caller spent in `append` and `flush`.
fn measure(
    base: &std::path::Path,
    batch: u32,
    wait: Wait,
) -> Result<(u32, f64, f64), Box<dyn std::error::Error>> {
    let dir = base.join(format!("journal-rate-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let record = "x".repeat(RECORD_BYTES);
    let flushes = match wait {
        Wait::Free => 200_000 / batch,
        Wait::Written => 20_000 / batch.min(100),
        Wait::Synced => 200,
    };
    let mut journal = Journal::create(&dir, "", Setup::new("rate", Epoch(1)))?;
    let start = Instant::now();
    let mut busy = 0.0;
    for _ in 0..flushes {
        let before = Instant::now();
        for _ in 0..batch {
            journal.append(&record);
        }
        journal.flush()?;
        busy += before.elapsed().as_secs_f64();
        match wait {
            Wait::Free => {}
            Wait::Written => journal.wait_written(journal.last())?,
            Wait::Synced => journal.wait_synced(journal.last())?,
        }
    }
    journal.wait_synced(journal.last())?;
    let seconds = start.elapsed().as_secs_f64();
    journal.close()?;
    std::fs::remove_dir_all(&dir)?;
    Ok((flushes * batch, seconds, busy))
}
