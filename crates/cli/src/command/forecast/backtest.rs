//! `foreshard forecast backtest`: recorded availability and amounts replayed, folder by folder.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use forecast::backtest::{Folder, Outcome, run, targets};
use forecast::target::{Kind, Target};
use forecast::{Learning, Zone, trace};

use super::{amounts, scores};
use crate::args::ForecastBacktest;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;

/// The deepest that folders of traces are looked for.
const DEPTH_MAX: usize = 8;

/// Replays every folder below the root and prints scores.
///
/// # Errors
/// There are neither traces nor tables, one cannot be read, or the forecasts cannot be written.
pub(crate) fn backtest(args: &ForecastBacktest, screen: Screen) -> Result<Code, Failure> {
    let amounts = amounts::test(&files(&args.root, "csv")?, args.step)?;
    let is_bare = files(&args.root, "json")?.is_empty() && !amounts.is_empty();
    let folders = if is_bare { Vec::new() } else { read(&args.root)? };
    let parts: Vec<(usize, Kind)> = (0..folders.len())
        .flat_map(|folder| [(folder, Kind::Up), (folder, Kind::Survival)])
        .collect();
    let outcomes = test_all(&folders, &parts)?;
    if let Some(path) = &args.emit {
        emit(path, &folders, &parts, &outcomes)?;
    }
    let tested: Vec<scores::Part<'_>> = parts
        .iter()
        .zip(&outcomes)
        .map(|(&(folder, kind), outcome)| scores::Part { folder: &folders[folder], kind, outcome })
        .collect();
    if let Some(path) = &args.svg {
        let text = scores::diagrams(&tested);
        std::fs::write(path, text).map_err(|error| Failure::io("write", path, &error))?;
    }
    if args.json {
        let odds = scores::values(&tested).into_iter().map(Entry::Odds);
        let amounts = amounts::values(&amounts).into_iter().map(Entry::Amount);
        screen.print_json(&odds.chain(amounts).collect::<Vec<_>>())?;
    } else {
        let odds = if is_bare { String::new() } else { scores::text(&tested, screen) };
        screen.print(&(odds + &amounts::text(&amounts, screen)))?;
    }
    Ok(Code::Succeeded)
}

/// What `--json` lists.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Entry {
    Odds(scores::Value),
    Amount(amounts::Value),
}

/// Tests each part, the longest first, on as many threads as there are cpus; the order of what
/// comes back is that of the parts.
fn test_all(folders: &[Folder], parts: &[(usize, Kind)]) -> Result<Vec<Outcome>, Failure> {
    let size = |&(folder, kind): &(usize, Kind)| {
        let samples: usize = folders[folder].traces.iter().map(|trace| trace.samples.len()).sum();
        samples * if kind == Kind::Up { 2 } else { 1 }
    };
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(size(&parts[i])));
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(parts.len()) {
            scope.spawn(|| {
                while let Some(&i) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (folder, kind) = parts[i];
                    let outcome = run(&folders[folder], &targets(kind), &Learning::default());
                    done.lock().expect("no thread panicked").insert(i, outcome);
                }
            });
        }
    });
    let done = done.into_inner().expect("no thread panicked");
    let outcomes: Result<Vec<Outcome>, _> = done.into_values().collect();
    outcomes.map_err(|error| Failure::of(Code::Invalid, &error))
}

fn emit(
    path: &Path,
    folders: &[Folder],
    parts: &[(usize, Kind)],
    outcomes: &[Outcome],
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::io("write", path, &error);
    let mut out = BufWriter::new(std::fs::File::create(path).map_err(failed)?);
    for (&(folder, _), outcome) in parts.iter().zip(outcomes) {
        let folder = &folders[folder];
        let name = serde_json::Value::from(folder.name.as_str());
        for row in &outcome.rows {
            let zone = serde_json::Value::from(folder.zones[row.zone].name.as_str());
            let Target { kind, minutes } = row.target;
            let key = match kind {
                Kind::Up => "p_available",
                Kind::Survival => "p_survive",
            };
            let (origin, p) = (row.origin, row.p);
            writeln!(
                out,
                r#"{{"folder":{name},"zone":{zone},"origin":{origin},"horizon_min":{minutes},"{key}":{p:.6}}}"#
            )
            .map_err(failed)?;
        }
    }
    out.flush().map_err(failed)
}

/// Every folder with traces in it, by name; a folder's name is its path below the root.
pub(super) fn read(root: &Path) -> Result<Vec<Folder>, Failure> {
    let found = files(root, "json")?;
    if found.is_empty() {
        let message = format!("there are no traces in {}", root.display());
        return Err(Failure::invalid(message)
            .hint("`foreshard forecast backtest --help` says what a trace is"));
    }
    found.into_iter().map(|(name, files)| folder(name, files)).collect()
}

/// Every file of a kind below the root, by the name of its folder, in order.
fn files(root: &Path, kind: &str) -> Result<BTreeMap<String, Vec<PathBuf>>, Failure> {
    let mut found = BTreeMap::new();
    collect(root, root, 0, kind, &mut found)?;
    found.values_mut().for_each(|files: &mut Vec<PathBuf>| files.sort());
    Ok(found)
}

fn collect(
    root: &Path,
    at: &Path,
    depth: usize,
    kind: &str,
    found: &mut BTreeMap<String, Vec<PathBuf>>,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::io("read", at, &error);
    for entry in std::fs::read_dir(at).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            if depth < DEPTH_MAX {
                collect(root, &path, depth + 1, kind, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == kind) {
            let below = at.strip_prefix(root).unwrap_or(at);
            let name = if below.as_os_str().is_empty() { root } else { below };
            found.entry(name.to_string_lossy().into_owned()).or_default().push(path);
        }
    }
    Ok(())
}

fn folder(name: String, files: Vec<PathBuf>) -> Result<Folder, Failure> {
    let mut folder = Folder { name, zones: Vec::new(), traces: Vec::new() };
    for file in files {
        let text =
            std::fs::read_to_string(&file).map_err(|error| Failure::io("read", &file, &error))?;
        let trace = trace::parse(&text).map_err(|error| {
            let failure = Failure::invalid(format!("{} is not a trace", file.display()));
            failure.cause(error.to_string()).because_of(std::error::Error::source(&error))
        })?;
        let zone = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        folder.zones.push(Zone { region: trace::region_of(&zone).map(str::to_owned), name: zone });
        folder.traces.push(trace);
    }
    Ok(folder)
}
