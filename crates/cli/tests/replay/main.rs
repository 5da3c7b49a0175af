//! Recorded workflows, replayed by the real program: every task once, parents first, files of the
//! right sizes, and an exported document with the graph that it came from.
//!
//! What is right is computed from the JSON of the recording by [`recording`], which knows nothing
//! of the program's own reader.

#![expect(clippy::unwrap_used, reason = "a trial that cannot go on has failed")]

mod recording;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::trial::Trial;

/// What a recording takes all in all, in seconds of its tasks.
const SECONDS: f64 = 1.0;

/// The largest scale: files of gigabytes become megabytes.
const SCALE_MAX: f64 = 1e-3;

/// Comes back from JSON as another number, unless it is read with care; then the run would be of
/// another workflow to whoever looks at it later.
const SCALE_OF_MANY_DIGITS: f64 = 0.10000606666666667;

const MADE_UP: [(&str, &str); 3] = [
    ("1.3", include_str!("../../../spec/tests/wfformat/1.3.json")),
    ("1.4", include_str!("../../../spec/tests/wfformat/1.4.json")),
    ("1.5", include_str!("../../../spec/tests/wfformat/1.5.json")),
];

#[test]
fn each_version_of_the_format_is_replayed_and_comes_back_as_the_graph_it_was() {
    for (version, text) in MADE_UP {
        // The longest file is longer than some file systems allow; a task asks for 3.5 cpus.
        let text = text.replace("9007199254740991", "4321");
        Trial::new(version, &text, SCALE_OF_MANY_DIGITS).play(4);
    }
}

#[test]
fn every_recorded_workflow_at_hand_is_replayed_and_comes_back_as_the_graph_it_was() {
    let paths = recorded_workflows();
    if paths.is_empty() {
        eprintln!("skipped: no recorded workflows; FORESHARD_DATA names the folder they are below");
    }
    let queue = Mutex::new(paths.into_iter());
    let next = || queue.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(path) = next() {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let name = path.file_stem().unwrap_or_default().to_string_lossy();
                    let scale = (SECONDS / recording::seconds(&text)).min(SCALE_MAX);
                    Trial::new(&name, &text, scale).play(2);
                }
            });
        }
    });
}

/// The largest first, so that none is left alone at the end.
fn recorded_workflows() -> Vec<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("FORESHARD_DATA").map_or(beside, PathBuf::from);
    let mut folders = vec![data.join("workflows")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                found.push((entry.metadata().unwrap().len(), path));
            }
        }
    }
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}
