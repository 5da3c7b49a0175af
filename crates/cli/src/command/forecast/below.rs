//! What is below a folder: traces and tables of amounts, folder by folder.
//!
//! Knows files and where they lie; what is in them others read. A file that cannot be used is named,
//! and the others are used all the same. Is one broken, the command ends as of an invalid file; of
//! what is neither a trace nor a table, the name is enough.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use forecast::Zone;
use forecast::backtest::Folder;
use forecast::trace::{self, Trace};
use observe::{feed, file};
use spec::Duration;

use super::table::{self, Column};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::{Screen, Tone};

/// The deepest that files are looked for.
const DEPTH_MAX: usize = 8;
/// The most files of other kinds that are named: somebody's whole folder may hold thousands.
const OTHERS_NAMED: usize = 10;
/// The most bytes of a file.
const BYTES_MAX: u64 = 1 << 30;
/// How files end that may hold traces or tables.
const KINDS: [&str; 4] = ["csv", "json", "jsonl", "tsv"];
/// What every trace in JSON has.
const MARK: &str = "\"gap_seconds\"";

/// What can be used.
#[derive(Default)]
pub(super) struct Below {
    /// Folders with traces in them, by name: the path below the root.
    pub(super) folders: Vec<Folder>,
    /// Columns of tables, each with the name of its folder.
    pub(super) columns: Vec<(String, Column)>,
    /// Whether a trace or a table could not be used.
    pub(super) is_broken: bool,
}

impl Below {
    /// How a command ends that used it.
    pub(super) fn code(&self) -> Code {
        if self.is_broken { Code::Invalid } else { Code::Succeeded }
    }
}

/// Why a file is left out.
struct LeftOut {
    why: String,
    /// Whether it was meant to be used.
    is_broken: bool,
}

/// Reads what is below the root; tables only with the step of those without times.
///
/// # Errors
/// There is nothing that can be used.
pub(super) fn look(root: &Path, step: Option<Duration>, screen: Screen) -> Result<Below, Failure> {
    if root.is_file() {
        return Err(Failure::invalid(format!("{} is a file", root.display()))
            .hint("name the folder that it is in: the files of a folder belong together"));
    }
    let warning = screen.word(Tone::Doubtful, "warning:");
    let (mut below, mut others) = (Below::default(), 0);
    for (name, paths) in files(root)? {
        let mut folder = Folder { name, zones: Vec::new(), traces: Vec::new() };
        for path in paths {
            if let Err(LeftOut { why, is_broken }) = take(&path, step, &mut folder, &mut below) {
                others += usize::from(!is_broken);
                if is_broken || others <= OTHERS_NAMED {
                    screen.say(&format!("{warning} {} {why}", path.display()));
                }
                below.is_broken |= is_broken;
            }
        }
        for zone in sampled_otherwise(&mut folder) {
            let place = &folder.name;
            screen.say(&format!("{warning} {place}: {zone} is left out, for it is not sampled at the steps of most others"));
            below.is_broken = true;
        }
        below.folders.extend((!folder.zones.is_empty()).then_some(folder));
    }
    if others > OTHERS_NAMED {
        let more = others - OTHERS_NAMED;
        screen.say(&format!("{warning} {more} more are neither traces nor tables, and left out"));
    }
    if below.folders.is_empty() && below.columns.is_empty() {
        let tables = if step.is_some() { ", and no tables" } else { "" };
        let message = format!("there are no traces in {}{tables}", root.display());
        return Err(Failure::invalid(message)
            .hint("`foreshard forecast backtest --help` says what a trace is"));
    }
    Ok(below)
}

/// Takes a file in.
fn take(
    path: &Path,
    step: Option<Duration>,
    folder: &mut Folder,
    below: &mut Below,
) -> Result<(), LeftOut> {
    let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let broken = |why: String| LeftOut { why, is_broken: true };
    let text = feed::read(path, BYTES_MAX).map_err(|error| {
        let why = error.to_string().replacen(&path.display().to_string(), "", 1);
        LeftOut { why: format!("is left out: it{why}"), is_broken: is_json || step.is_some() }
    })?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if is_json || file::is_trace_of_changes(&text) {
        let is_broken = !is_json || text.contains(MARK);
        let trace = trace::parse(&text).map_err(|error| {
            let source = std::error::Error::source(&error);
            let source = source.map_or(String::new(), |source| format!(": {source}"));
            LeftOut { why: format!("is not a trace, and left out: {error}{source}"), is_broken }
        })?;
        return keep(folder, stem, trace).map_err(broken);
    }
    let Some(step) = step else { return Ok(()) };
    let columns = table::read(&stem, &text, step).map_err(|mistakes| {
        let more = match mistakes.len() {
            0 | 1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        let first = mistakes.first().map_or(String::new(), ToString::to_string);
        // A table of other things holds no amounts at all.
        let is_broken = mistakes.iter().any(|mistake| mistake.line.is_some());
        LeftOut { why: format!("is no table of amounts, and left out: {first}{more}"), is_broken }
    })?;
    below.columns.extend(columns.into_iter().map(|column| (folder.name.clone(), column)));
    Ok(())
}

fn keep(folder: &mut Folder, zone: String, trace: Trace) -> Result<(), String> {
    if folder.zones.iter().any(|other| other.name == zone) {
        return Err(format!("is left out: another file is a trace of {zone}, too"));
    }
    let region = trace::region_of(&zone).map(str::to_owned);
    folder.zones.push(Zone { region, name: zone });
    folder.traces.push(trace);
    Ok(())
}

/// Takes the zones out that are not sampled at the steps of most, and tells their names.
fn sampled_otherwise(folder: &mut Folder) -> Vec<String> {
    let mut zones_of = BTreeMap::<u32, usize>::new();
    for trace in &folder.traces {
        *zones_of.entry(trace.step_seconds).or_default() += 1;
    }
    // Of steps of as many zones, the finest.
    let usual = zones_of.iter().max_by_key(|&(&step, &n)| (n, std::cmp::Reverse(step)));
    let Some((&usual, _)) = usual else { return Vec::new() };
    let mut names = Vec::new();
    for i in (0..folder.traces.len()).rev() {
        if folder.traces[i].step_seconds != usual {
            folder.traces.remove(i);
            names.push(folder.zones.remove(i).name);
        }
    }
    names.reverse();
    names
}

/// Every file below the root that may be of use, by the name of its folder, in order.
fn files(root: &Path) -> Result<BTreeMap<String, Vec<PathBuf>>, Failure> {
    let mut found = BTreeMap::new();
    collect(root, root, 0, &mut found)?;
    found.values_mut().for_each(|files: &mut Vec<PathBuf>| files.sort());
    Ok(found)
}

fn collect(
    root: &Path,
    at: &Path,
    depth: usize,
    found: &mut BTreeMap<String, Vec<PathBuf>>,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::io("read", at, &error);
    let is_of_use = |path: &Path| {
        let extension = path.extension().and_then(std::ffi::OsStr::to_str).unwrap_or("");
        // Whoever opens a pipe waits for its writer.
        KINDS.contains(&extension.to_ascii_lowercase().as_str()) && path.is_file()
    };
    for entry in std::fs::read_dir(at).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            // What programs keep for themselves, as in `.foreshard` and `.git`, nobody means.
            let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
            if depth < DEPTH_MAX && !is_hidden {
                collect(root, &path, depth + 1, found)?;
            }
        } else if is_of_use(&path) {
            let below = at.strip_prefix(root).unwrap_or(at);
            let name = if below.as_os_str().is_empty() { root } else { below };
            found.entry(name.to_string_lossy().into_owned()).or_default().push(path);
        }
    }
    Ok(())
}
