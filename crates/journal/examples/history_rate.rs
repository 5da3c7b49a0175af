//! Prints how fast a history of a million tasks and files is written and read.
//!
//! `cargo run --release -p journal --example history_rate [directory] [rows]`

use std::time::Instant;

use journal::history::{FileState, History, Input, Output, OutputKind, TaskResult};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let rows: u64 = std::env::args().nth(2).map_or(Ok(1_000_000), |text| text.parse())?;
    let dir = std::path::Path::new(&base).join(format!("history-rate-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let mut history = History::open(&dir.join("history.db"))?;
    let timed = |what: &str, start: Instant| {
        println!("{what:<14} {rows} rows {:>7.2} s", start.elapsed().as_secs_f64());
    };

    let files: Vec<FileState> = (0..rows).map(file).collect();
    let start = Instant::now();
    history.put_files(&files)?;
    timed("put files", start);
    let results: Vec<TaskResult> = (0..rows).map(result).collect();
    let start = Instant::now();
    history.put_results(&results)?;
    timed("put results", start);

    let (mut count, start) = (0, Instant::now());
    history.files(|_| count += 1)?;
    timed("read files", start);
    let start = Instant::now();
    history.results(|_| count += 1)?;
    timed("read results", start);
    assert_eq!(count, 2 * rows);
    println!("{} bytes", std::fs::metadata(dir.join("history.db"))?.len());
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn digest(seed: u64) -> [u8; 32] {
    *blake3::hash(&seed.to_le_bytes()).as_bytes()
}

fn file(i: u64) -> FileState {
    let path = format!("results/sample-{i:07}/reads.bam");
    FileState { path, size: i, ctime_ns: 1_700_000_000_000_000_000, ino: i, digest: digest(i) }
}

fn result(i: u64) -> TaskResult {
    let path = format!("results/sample-{i:07}/reads.bam");
    let output = Output { path, kind: OutputKind::File, size: i, digest: digest(i), mode: 0o644 };
    let input = Input { path: format!("reads/sample-{i:07}.fastq"), digest: digest(i + 1) };
    TaskResult {
        task: format!("align[{i:07}]"),
        command: digest(i + 2),
        environment: digest(i + 3),
        inputs: vec![input],
        outputs: vec![output],
        run: "2026-01-01-a".to_owned(),
        at_unix_ms: 1_700_000_000_000,
    }
}
