//! What differs between two runs.

use crate::stage::Stage;

const FLOW: &str = "\
foreshard: 1
name: flow
params: {top: 2}
tasks:
  count:
    foreach: {text: [a, b]}
    run: wc -w < {inputs} > {outputs}
    inputs: texts/{text}.txt
    outputs: counts/{text}.txt
    env_from: [FLOW_LOCALE]
  merge:
    run: sort -rn {inputs} | head -n {params.top} > {outputs}
    inputs: counts/*
    outputs: top.txt
";

fn flow() -> Stage {
    let stage = Stage::with(&[("texts/a.txt", "one two three\n"), ("texts/b.txt", "one two\n")]);
    stage.write("w.yaml", FLOW);
    stage
}

#[test]
fn two_runs_of_the_same_do_not_differ() {
    let stage = flow();
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    stage.foreshard(&["diff"]).ends(2).says("is the only one");
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    stage.foreshard(&["diff"]).ends(0).prints("no difference: 3 tasks");
    stage.foreshard(&["run", "w.yaml", "--fresh"]).ends(0);
    stage.foreshard(&["diff"]).ends(0);
    let told = stage.foreshard(&["diff", "--json"]).ends(0).json();
    assert_eq!((&told["is_same"], &told["n_common"]), (&true.into(), &3.into()));
}

#[test]
fn what_was_told_given_and_made_otherwise_is_named_task_by_task() {
    let stage = flow();
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    stage.write("texts/b.txt", "one two three four\n");
    stage.write("w.yaml", &FLOW.replace("[a, b]", "[b, c]"));
    stage.write("texts/c.txt", "one\n");
    let mut run = stage.command(&["run", "w.yaml", "-p", "top=1"]);
    run.env("FLOW_LOCALE", "C");
    crate::stage::Told::of(run).ends(0);
    let told = stage.foreshard(&["diff"]).ends(1);
    let told =
        told.prints("top: 2 -> 1").prints("FLOW_LOCALE changed").prints("1 line gone, 1 new");
    let told = told.prints("2 tasks in both, of which 2 differ; 1 new, 1 gone");
    told.prints("+ count[c]").prints("- count[a]").prints("texts/b.txt (").prints("top.txt (");
    let told = stage.foreshard(&["diff", "--json"]).ends(1).json();
    let changed = told["changed"].as_array().unwrap();
    let merge = changed.iter().find(|task| task["task"] == "merge").unwrap();
    let names = |list: &serde_json::Value| -> Vec<String> {
        let rows = list.as_array().unwrap().iter();
        rows.map(|row| row["what"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&merge["inputs"]), ["counts/a.txt", "counts/b.txt", "counts/c.txt"]);
    assert_eq!(names(&merge["declaration"]), ["command", "parameter top"]);
    assert_eq!(names(&merge["outputs"]), ["top.txt"]);
    let count = changed.iter().find(|task| task["task"] == "count[b]").unwrap();
    assert_eq!(names(&count["inputs"]), ["texts/b.txt"]);
    assert_eq!(names(&count["declaration"]), [""; 0]);
}

#[test]
fn a_task_that_failed_in_one_of_two_runs_differs() {
    let stage = Stage::with(&[(
        "w.yaml",
        "foreshard: 1\ntasks: {a: {run: 'test -e {project}/on; echo > {outputs}', outputs: a}}\n",
    )]);
    stage.foreshard(&["run", "w.yaml"]).ends(1);
    stage.write("on", "");
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    stage.foreshard(&["diff"]).ends(1).prints("failed -> published").prints("a is new");
}
