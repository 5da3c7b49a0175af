//! Static schedules that are carried out in a virtual world are what the model of list scheduling says.
//!
//! The scorer below is written from the text of the problem alone, on the raw document: it knows neither
//! the workflow as `spec` reads it nor the world. It runs on a small instance of its own, and on all recorded
//! ones of `$FORESHARD_BENCH/schedule_quality` (default `../shared/bench`) whose recordings are below
//! `$FORESHARD_DATA/workflows` (default `../shared/data`), the larger ones in release builds.
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(clippy::disallowed_methods, reason = "a test on recorded workflows reads files")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use problem::{Carried, Kind, Schedule, carry_out};
use serde_json::Value;

mod problem;

/// Larger instances are left to release builds.
const TASKS_MAX: u64 = if cfg!(debug_assertions) { 110 } else { u64::MAX };

/// The problem of a document, as its text has it.
struct Instance {
    /// In seconds at speed 1, at least a millisecond.
    work: BTreeMap<String, f64>,
    /// Parent, child, bytes.
    edges: Vec<(String, String, f64)>,
}

#[test]
fn a_small_schedule_is_carried_out_as_the_model_says() {
    let network = r#"{"nodes": [{"id": "a", "speed": 1.0}, {"id": "b", "speed": 2.0}],
                      "latency_s": 0.5, "bandwidth_bytes_per_s": 100}"#;
    for kind in [Kind::Heft, Kind::List] {
        let carried = carry_out(kind, DIAMOND, network).unwrap();
        assert_eq!(score(DIAMOND, network, &carried), Ok(carried.simulated), "{kind:?}");
    }
    // By hand: `split` 5 s on b, then `left` and `right`. One of them on a pays 0.5 s and 2 s for 200
    // bytes: 5 + 2.5 + 20 = 27.5. Both on b: 5 + 10 + 10, `join` 2.5: 27.5 in all, and no transfer.
    let heft = carry_out(Kind::Heft, DIAMOND, network).unwrap();
    assert_eq!((heft.planned, heft.simulated), (27.5, 27.5));
}

#[test]
fn what_breaks_the_rules_is_found_by_the_scorer() {
    let network = r#"{"nodes": [{"id": "a", "speed": 1.0}, {"id": "b", "speed": 2.0}],
                      "bandwidth_bytes_per_s": 100}"#;
    let sound = carry_out(Kind::Heft, DIAMOND, network).unwrap();
    let broken = |change: &dyn Fn(&mut Schedule)| {
        let mut schedule = sound.schedule.clone();
        change(&mut schedule);
        score(DIAMOND, network, &Carried { schedule, ..sound }).is_err()
    };
    assert!(!broken(&|_| {}));
    assert!(broken(&|schedule| drop(schedule.remove("left"))));
    assert!(broken(&|schedule| schedule.get_mut("join").unwrap().2 += 1.0));
    assert!(broken(&|schedule| schedule.get_mut("join").unwrap().0 = "a".to_owned()));
    assert!(broken(&|schedule| {
        let split = schedule.get_mut("split").unwrap();
        (split.1, split.2) = (split.1 + 1.0, split.2 + 1.0);
    }));
}

#[test]
fn recorded_workflows_are_carried_out_as_the_model_says() {
    let bench = folder("FORESHARD_BENCH", "bench").join("schedule_quality");
    let workflows = folder("FORESHARD_DATA", "data").join("workflows");
    let Ok(listed) = std::fs::read_to_string(bench.join("instances.json")) else {
        eprintln!("skipped: FORESHARD_BENCH has no schedule_quality");
        return;
    };
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let networks = ["net_het8-100.json", "net_het8-ccr1.json", "net_het32-100.json"];
    let mut n = 0;
    for instance in listed["instances"].as_array().unwrap() {
        let path = instance["path"].as_str().unwrap();
        if instance["tasks"].as_u64().unwrap() > TASKS_MAX {
            continue;
        }
        let Ok(workflow) = std::fs::read_to_string(workflows.join(path)) else { continue };
        for name in networks {
            let network = std::fs::read_to_string(bench.join(name)).unwrap();
            for kind in [Kind::Heft, Kind::List] {
                let carried = carry_out(kind, &workflow, &network).unwrap();
                let scored = score(&workflow, &network, &carried);
                let scored = scored.unwrap_or_else(|why| panic!("{path}, {name}, {kind:?}: {why}"));
                assert!(is_close(scored, carried.simulated), "{path}, {name}, {kind:?}: {scored}");
                if kind == Kind::Heft {
                    assert!(is_close(carried.planned, carried.simulated), "{path}, {name}");
                }
                n += 1;
            }
        }
    }
    if n == 0 {
        eprintln!("skipped: FORESHARD_DATA has none of the recorded workflows");
    } else {
        println!("{n} schedules of recorded workflows");
    }
}

fn folder(variable: &str, beside: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(beside);
    std::env::var_os(variable).map_or(root, PathBuf::from)
}

fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * f64::max(1.0, a)
}

impl Instance {
    fn of(document: &Value) -> Self {
        let execution = document["workflow"]["execution"]["tasks"].as_array().unwrap();
        let seconds = |row: &Value| row["runtimeInSeconds"].as_f64().unwrap().max(1e-3);
        let id = |row: &Value| row["id"].as_str().unwrap().to_owned();
        let work = execution.iter().map(|row| (id(row), seconds(row))).collect();
        let specification = &document["workflow"]["specification"];
        let files = specification["files"].as_array().map_or(&[][..], |files| &files[..]);
        let size = |row: &Value| row["sizeInBytes"].as_f64().unwrap_or(0.0);
        let sizes: BTreeMap<String, f64> = files.iter().map(|row| (id(row), size(row))).collect();
        let names = |row: &Value, key: &str| -> BTreeSet<String> {
            let listed = row[key].as_array().map_or(&[][..], |names| &names[..]);
            listed.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
        };
        let tasks = specification["tasks"].as_array().unwrap();
        let by_id: BTreeMap<String, &Value> = tasks.iter().map(|row| (id(row), row)).collect();
        let mut pairs = BTreeSet::new();
        for row in tasks {
            pairs.extend(names(row, "parents").into_iter().map(|parent| (parent, id(row))));
            pairs.extend(names(row, "children").into_iter().map(|child| (id(row), child)));
        }
        let edge = |(parent, child): (String, String)| {
            let made = names(by_id[&parent], "outputFiles");
            let read = names(by_id[&child], "inputFiles");
            let bytes = made.intersection(&read).map(|file| sizes[file]).sum();
            (parent, child, bytes)
        };
        Self { work, edges: pairs.into_iter().map(edge).collect() }
    }

    /// Bytes a second: as given, or so that a mean edge takes so many times a mean task.
    fn bandwidth(&self, network: &Value, speeds: &BTreeMap<String, f64>) -> f64 {
        let Some(ratio) = network["bandwidth_for_ccr"].as_f64() else {
            return network["bandwidth_bytes_per_s"].as_f64().unwrap();
        };
        let edges = self.edges.iter().map(|edge| edge.2).sum::<f64>() / self.edges.len() as f64;
        let work = self.work.values().sum::<f64>() / self.work.len() as f64;
        let inverse = speeds.values().map(|speed| 1.0 / speed).sum::<f64>() / speeds.len() as f64;
        edges / (ratio * work * inverse)
    }
}

/// The makespan of a schedule, or which rule it breaks.
fn score(document: &str, network: &str, carried: &Carried) -> Result<f64, String> {
    let instance = Instance::of(&serde_json::from_str(document).unwrap());
    let network: Value = serde_json::from_str(network).unwrap();
    let node =
        |row: &Value| (row["id"].as_str().unwrap().to_owned(), row["speed"].as_f64().unwrap());
    let speeds: BTreeMap<String, f64> =
        network["nodes"].as_array().unwrap().iter().map(node).collect();
    let bandwidth = instance.bandwidth(&network, &speeds);
    let latency = network["latency_s"].as_f64().unwrap_or(0.0);
    let schedule = &carried.schedule;
    let makespan = schedule.values().map(|row| row.2).fold(0.0, f64::max);
    let slack = 1e-6 * makespan.max(1.0);
    if !schedule.keys().eq(instance.work.keys()) {
        return Err("not every task is there once".to_owned());
    }
    let mut on_node = BTreeMap::<&str, Vec<(f64, f64)>>::new();
    for (task, (node, start, end)) in schedule {
        let takes = instance.work[task] / speeds[node];
        if *start < -slack || (end - start - takes).abs() > slack {
            return Err(format!("{task} runs from {start} to {end}, and takes {takes}"));
        }
        on_node.entry(node).or_default().push((*start, *end));
    }
    for (node, spans) in &mut on_node {
        spans.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        if let Some(pair) = spans.windows(2).find(|pair| pair[1].0 < pair[0].1 - slack) {
            return Err(format!("{node} does two tasks at {}", pair[1].0));
        }
    }
    for (parent, child, bytes) in &instance.edges {
        let (from, to) = (&schedule[parent], &schedule[child]);
        let moves = from.0 != to.0 && *bytes > 0.0;
        let takes = if moves { latency + bytes / bandwidth } else { 0.0 };
        if to.1 < from.2 + takes - slack {
            return Err(format!("{child} starts before what it reads of {parent} is there"));
        }
    }
    Ok(makespan)
}

const DIAMOND: &str = r#"{
  "name": "diamond", "schemaVersion": "1.5", "createdAt": "2024-01-01T00:00:00Z",
  "workflow": {
    "specification": {
      "tasks": [
        {"name": "split", "id": "split", "parents": [], "children": ["left", "right"], "inputFiles": [], "outputFiles": ["s"]},
        {"name": "left", "id": "left", "parents": ["split"], "children": ["join"], "inputFiles": ["s"], "outputFiles": ["l"]},
        {"name": "right", "id": "right", "parents": ["split"], "children": ["join"], "inputFiles": ["s"], "outputFiles": ["r"]},
        {"name": "join", "id": "join", "parents": ["left", "right"], "children": [], "inputFiles": ["l", "r"], "outputFiles": []}
      ],
      "files": [{"id": "s", "sizeInBytes": 200}, {"id": "l", "sizeInBytes": 400}, {"id": "r", "sizeInBytes": 400}]
    },
    "execution": {
      "makespanInSeconds": 1, "executedAt": "2024-01-01T00:00:00Z",
      "tasks": [
        {"id": "split", "runtimeInSeconds": 10},
        {"id": "left", "runtimeInSeconds": 20},
        {"id": "right", "runtimeInSeconds": 20},
        {"id": "join", "runtimeInSeconds": 5}
      ],
      "machines": []
    }
  }
}"#;
