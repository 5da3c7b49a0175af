//! What tasks take, learned from runs and from recordings.

use serde_json::Value;

use crate::stage::Stage;

const WORKFLOW: &str = "\
foreshard: 1
name: copies
tasks:
  copy:
    foreach: {n: [1, 2, 3, 4]}
    inputs: in/{n}
    outputs: out/{n}
    run: cat {inputs} {inputs} > {outputs}
    estimate: 10m
  count:
    inputs: out/1
    outputs: count
    run: wc -c < {inputs} > {outputs}
";

/// A row of the JSON.
fn row(rows: &Value, template: &str, quantity: &str) -> Value {
    let rows = rows.as_array().unwrap().iter();
    let mut found = rows.filter(|row| row["template"] == template && row["quantity"] == quantity);
    found.next().unwrap_or_else(|| panic!("no {quantity} of {template}")).clone()
}

fn level(row: &Value, level: usize) -> f64 {
    row["quantiles"][level].as_f64().unwrap()
}

fn staged() -> Stage {
    let stage = Stage::with(&[("w.yaml", WORKFLOW)]);
    for n in 1..=4 {
        stage.write(&format!("in/{n}"), &"x".repeat(n * 50_000));
    }
    stage
}

#[test]
fn before_the_first_run_the_author_s_estimate_is_what_is_known_and_after_it_what_was_seen() {
    let stage = staged();
    stage.foreshard(&["demand", "show"]).ends(0).says("nothing is known yet");
    let before = stage.foreshard(&["demand", "show", "w.yaml", "--json"]).ends(0).json();
    let estimated = row(&before, "copies/copy", "duration_seconds");
    assert_eq!(level(&estimated, 2).round(), 600.0);
    assert!(level(&estimated, 4) > 2.0 * 600.0, "an estimate is no certainty");
    assert_eq!(before.as_array().unwrap().len(), 1, "nobody has said anything of `count`");

    stage.foreshard(&["run", "w.yaml"]).ends(0);
    let after = stage.foreshard(&["demand", "show", "--json"]).ends(0).json();
    let seen = row(&after, "copies/copy", "duration_seconds");
    assert_eq!(seen["n_attempts"], 4);
    assert!(level(&seen, 4) < 60.0, "{seen}");
    let written = row(&after, "copies/copy", "output_bytes");
    assert!((200_000.0..400_000.0).contains(&level(&written, 2)), "{written}");
    let table = stage.foreshard(&["demand", "show", "copies/count"]).ends(0);
    assert!(table.out.contains("copies/count") && !table.out.contains("copies/copy"));
}

#[test]
fn a_recording_teaches_once_however_often_it_is_imported() {
    let stage = staged();
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    stage.foreshard(&["export", "--output", "recorded.json"]).ends(0);
    let other = Stage::with(&[("recorded.json", &stage.read("recorded.json"))]);
    for _ in 0..2 {
        other.foreshard(&["demand", "import", "recorded.json"]).ends(0).says("5 attempts");
    }
    let known = other.foreshard(&["demand", "show", "--json"]).ends(0).json();
    let copies = known.as_array().unwrap().iter().filter(|row| row["n_attempts"] == 4);
    assert!(copies.count() >= 2, "{known}");
}

#[test]
fn what_cannot_be_learned_from_is_refused_and_nothing_is_imported() {
    let stage = staged();
    stage.write("bad.json", "{\"schemaVersion\": \"1.5\", \"workflow\": 3}");
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    stage.foreshard(&["export", "--output", "recorded.json"]).ends(0);
    let other = Stage::with(&[
        ("recorded.json", &stage.read("recorded.json")),
        ("bad.json", &stage.read("bad.json")),
        ("w.yaml", WORKFLOW),
    ]);
    other.foreshard(&["demand", "import", "recorded.json", "bad.json"]).ends(2);
    other.foreshard(&["demand", "import", "w.yaml"]).ends(2).says("is not a recording");
    other.foreshard(&["demand", "show"]).ends(0).says("nothing is known yet");
    stage
        .foreshard(&["demand", "show", "cpy"])
        .ends(2)
        .says("nothing is known of a template `cpy`");
    stage.foreshard(&["demand", "show", "--input-size", "lots"]).ends(2).says("500MiB");
}
