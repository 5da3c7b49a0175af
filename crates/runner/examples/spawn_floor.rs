//! The floors that overhead is measured against: what any engine that runs a process per task must pay.
//!
//! `spawn_floor spawn N P`: `true`, N times, P at a time, by posix_spawn, nothing else.
//! `spawn_floor publish N P`: in P threads, a shell that writes one small file, which is then
//! hashed, synced and renamed into place.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::WaitOptions;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse::<usize>().ok());
    match (arguments.get(1).map(String::as_str), number(2), number(3)) {
        (Some("spawn"), Some(n), Some(parallel)) => spawn(n, parallel),
        (Some("publish"), Some(n), Some(parallel)) => publish(n, parallel),
        _ => {
            eprintln!("usage: spawn_floor spawn|publish N P");
            std::process::exit(2);
        }
    }
}

/// Keeps `parallel` children going from one thread, like the loop in make.
fn spawn(n: usize, parallel: usize) -> std::io::Result<()> {
    let mut running = 0;
    for _ in 0..n {
        if running == parallel {
            rustix::process::wait(WaitOptions::empty())?;
            running -= 1;
        }
        Command::new("/bin/true").spawn()?;
        running += 1;
    }
    (0..running).try_for_each(|_| rustix::process::wait(WaitOptions::empty()).map(|_| ()))?;
    Ok(())
}

fn publish(n: usize, parallel: usize) -> std::io::Result<()> {
    let (drafts, finals) = (Path::new("floor/drafts"), Path::new("floor/finals"));
    std::fs::create_dir_all(drafts)?;
    std::fs::create_dir_all(finals)?;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..parallel).map(|_| scope.spawn(|| publish_some(&next, n, drafts, finals))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("workers do not panic"))
    })
}

fn publish_some(next: &AtomicUsize, n: usize, drafts: &Path, finals: &Path) -> std::io::Result<()> {
    let folder = std::fs::File::open(finals)?;
    loop {
        let i = next.fetch_add(1, Ordering::Relaxed);
        if i >= n {
            return Ok(());
        }
        let draft = drafts.join(i.to_string());
        let script = format!("echo {i} > {}", draft.display());
        Command::new("/bin/sh").args(["-ec", &script]).stdin(Stdio::null()).status()?;
        let content = std::fs::read(&draft)?;
        std::hint::black_box(blake3::hash(&content));
        std::fs::File::open(&draft)?.sync_data()?;
        std::fs::rename(&draft, finals.join(i.to_string()))?;
        folder.sync_all()?;
    }
}
