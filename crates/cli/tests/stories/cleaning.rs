//! What runs leave, and how it goes without anything being lost.

use rustix::process::Signal;

use crate::stage::{Stage, times_run};

const COPY: &str = "\
foreshard: 1
tasks:
  copy: {run: 'echo ran >> {project}/ran; cp {inputs} {outputs}', inputs: in.txt, outputs: out/copy.txt}
";

fn copied() -> Stage {
    let stage = Stage::with(&[("w.yaml", COPY), ("in.txt", "1\n")]);
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    stage
}

fn runs(stage: &Stage) -> usize {
    stage.foreshard(&["runs", "--json"]).ends(0).json().as_array().unwrap().len()
}

#[test]
fn a_removed_run_takes_neither_its_files_nor_what_they_save_with_it() {
    let stage = copied();
    stage.foreshard(&["run", "w.yaml"]).ends(0).says("all unchanged");
    stage.foreshard(&["clean", "--keep", "1", "--dry-run"]).ends(0).says("would free");
    assert_eq!(runs(&stage), 2);
    stage.foreshard(&["clean", "--keep", "1"]).ends(0).prints("last active").says("freed");
    assert_eq!(runs(&stage), 1);
    stage.foreshard(&["report"]).ends(0).prints("reused");
    let told = stage.foreshard(&["clean", "--keep", "0", "--json"]).ends(0).json();
    assert_eq!(told["removed"].as_array().unwrap().len(), 1);
    assert!(told["freed_bytes"].as_u64().unwrap() > 4_096);
    assert_eq!(stage.read("out/copy.txt"), "1\n");
    stage.foreshard(&["run", "w.yaml"]).ends(0).says("all unchanged");
    assert_eq!(times_run(&stage.path("ran")), 1);
    stage.foreshard(&["clean", "--older-than", "1d"]).ends(0).says("nothing to remove");
    stage.foreshard(&["clean", "--older-than", "soon"]).ends(2).says("a number must come first");
}

#[test]
fn runs_that_go_on_or_can_be_resumed_stay() {
    let stage = Stage::with(&[(
        "w.yaml",
        "foreshard: 1\ntasks: {wait: {run: 'until test -e {project}/go; do sleep 0.02; done'}}\n",
    )]);
    let mut run = stage.begin(&["run", "w.yaml"]);
    run.wait_for("attempt_started");
    let name = stage.foreshard(&["runs", "--json"]).json()[0]["run"].as_str().unwrap().to_owned();
    stage.foreshard(&["clean", "--keep", "0"]).ends(0).says("it is running");
    stage.foreshard(&["clean", &name, "--force"]).ends(8).says("is being driven");
    run.signal(Signal::KILL);
    run.end();
    stage.foreshard(&["clean", "--keep", "0"]).ends(0).says("was interrupted, and can be resumed");
    stage.foreshard(&["clean", &name]).ends(2).says("hint: `--force`");
    let told = stage.foreshard(&["clean", &name, "--force"]).ends(8);
    told.says("still runs tasks of it").says("foreshard cancel");
    assert_eq!(runs(&stage), 1);
    stage.foreshard(&["cancel"]).ends(0);
    stage.foreshard(&["clean", &name]).ends(0);
    assert_eq!(runs(&stage), 0);
}

#[test]
fn folders_of_attempts_that_failed_go_once_another_run_has_come() {
    let broken = "foreshard: 1\ntasks: {bad: {run: 'echo x > scratch; false', outputs: bad.txt}}\n";
    let stage = Stage::with(&[("w.yaml", broken)]);
    stage.foreshard(&["run", "w.yaml"]).ends(1);
    stage.foreshard(&["clean"]).ends(0).says("nothing to remove").says("--older-than 30d");
    stage.foreshard(&["run", "w.yaml"]).ends(1);
    let told = stage.foreshard(&["clean"]).ends(0);
    told.prints("1 folder of an attempt of run").says("freed");
    stage.foreshard(&["resume", "--retry-failed"]).ends(1);
}
