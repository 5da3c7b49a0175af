//! Runs that are interrupted, killed, cancelled or wanted twice.

use rustix::process::Signal;

use crate::stage::{Stage, times_run};

/// `first` says that it runs and then waits for a file; `second` comes after it.
const WAITING: &str = "\
foreshard: 1
name: waiting
tasks:
  first:
    run: |
      echo first >> {project}/ran
      until test -e {project}/go; do sleep 0.02; done
      echo done > {outputs}
    outputs: first.txt
  second:
    run: echo second >> {project}/ran; cat {inputs} > {outputs}
    inputs: first.txt
    outputs: second.txt
";

fn waiting() -> Stage {
    Stage::with(&[("w.yaml", WAITING)])
}

#[test]
fn an_interrupt_lets_running_tasks_finish_and_the_run_can_be_resumed() {
    let stage = waiting();
    let mut run = stage.begin(&["run", "w.yaml"]);
    run.wait_for("attempt_started");
    run.signal(Signal::INT);
    run.wait_for("command_accepted");
    stage.write("go", "");
    assert_eq!(run.end(), Some(5));
    assert!(stage.has("first.txt") && !stage.has("second.txt"));
    stage.foreshard(&["status"]).ends(0).prints("interrupted").says("foreshard resume");
    stage.foreshard(&["resume"]).ends(0).says("succeeded: 2 tasks");
    assert!(stage.has("second.txt"));
    assert_eq!(times_run(&stage.path("ran")), 2);
}

#[test]
fn a_second_interrupt_stops_what_runs_and_it_is_run_again() {
    let stage = waiting();
    let mut run = stage.begin(&["run", "w.yaml"]);
    run.wait_for("attempt_started");
    run.signal(Signal::INT);
    run.wait_for("command_accepted");
    run.signal(Signal::TERM);
    assert_eq!(run.end(), Some(5));
    assert!(!stage.has("first.txt"));
    stage.write("go", "");
    stage.foreshard(&["resume"]).ends(0);
    assert_eq!(stage.read("second.txt"), "done\n");
}

#[test]
fn a_task_outlives_a_killed_orchestrator_and_is_not_run_twice() {
    let stage = waiting();
    let mut run = stage.begin(&["run", "w.yaml"]);
    run.wait_for("attempt_started");
    run.signal(Signal::KILL);
    assert_eq!(run.end(), None);
    stage.write("go", "");
    stage.foreshard(&["resume"]).ends(0).says("succeeded: 2 tasks");
    assert_eq!(stage.read("ran"), "first\nsecond\n");
}

#[test]
fn a_run_that_is_driven_cannot_be_driven_twice_but_can_be_cancelled() {
    let stage = waiting();
    let mut run = stage.begin(&["run", "w.yaml"]);
    run.wait_for("attempt_started");
    stage.foreshard(&["status"]).ends(0).prints("driven by process").prints("running first");
    stage.foreshard(&["resume"]).ends(8).says("is driven by process");
    stage.foreshard(&["cancel"]).ends(0).says("told process");
    assert_eq!(run.end(), Some(4));
    stage.foreshard(&["resume"]).ends(4).says("cancelled for good");
    assert!(!stage.has("first.txt"));
}

#[test]
fn a_run_that_nobody_drives_can_be_cancelled() {
    let stage = waiting();
    let mut run = stage.begin(&["run", "w.yaml"]);
    run.wait_for("attempt_started");
    run.signal(Signal::KILL);
    run.end();
    stage.foreshard(&["cancel"]).ends(0).says("is cancelled");
    stage.foreshard(&["status"]).ends(0).prints("cancelled");
}

#[test]
fn logs_are_followed_until_the_task_has_ended() {
    let stage = Stage::with(&[(
        "w.yaml",
        "\
foreshard: 1
tasks:
  talk:
    run: |
      echo before
      until test -e {project}/go; do sleep 0.02; done
      echo after
",
    )]);
    let mut run = stage.begin(&["run", "w.yaml"]);
    run.wait_for("attempt_started");
    let mut follow = stage.command(&["logs", "--follow", "talk"]);
    let mut follow = follow.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(follow.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut lines, &mut line).unwrap();
    assert_eq!(line, "before\n");
    stage.write("go", "");
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut lines, &mut rest).unwrap();
    assert_eq!(rest, "after\n");
    assert!(follow.wait().unwrap().success());
    assert_eq!(run.end(), Some(0));
}

#[test]
fn nothing_new_starts_after_a_failure_when_asked_to_fail_fast() {
    let workflow =
        WAITING.to_owned() + "  broken: {run: 'until test -e trip; do sleep 0.02; done; false'}\n";
    let stage = Stage::with(&[("w.yaml", &workflow)]);
    let mut run = stage.begin(&["run", "w.yaml", "--fail-fast", "--jobs", "2"]);
    run.wait_for("attempt_started");
    run.wait_for("attempt_started");
    stage.write("trip", "");
    run.wait_for("attempt_failed");
    stage.write("go", "");
    assert_eq!(run.end(), Some(1));
    assert!(stage.has("first.txt"), "what runs may finish");
    assert!(!stage.has("second.txt"));
}
