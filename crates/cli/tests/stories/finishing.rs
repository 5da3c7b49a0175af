//! What happens at the end of a run: final tasks.

use rustix::process::Signal;

use crate::stage::{Stage, times_run};

const FINALS: &str = "\
foreshard: 1
tasks:
  work: {run: 'test -e {project}/go && date > {outputs}', outputs: done}
  next: {run: 'cat {inputs} > {outputs}', inputs: done, outputs: copy}
final:
  tell: {run: 'echo $FORESHARD_OUTCOME >> told', needs: tidy}
  tidy: {run: 'test ! -e copy || echo copied >> told'}
";

#[test]
fn final_tasks_run_once_at_each_end_and_are_told_how_it_was() {
    let stage = Stage::with(&[("w.yaml", FINALS)]);
    stage.foreshard(&["run", "w.yaml"]).ends(1).says("run failed; final tasks follow");
    assert_eq!(stage.read("told"), "failed\n");
    stage.foreshard(&["resume"]).ends(1);
    assert_eq!(times_run(&stage.path("told")), 1, "there was no other end");
    stage.write("go", "");
    stage.foreshard(&["resume", "--retry-failed"]).ends(0);
    assert_eq!(stage.read("told"), "failed\ncopied\nsucceeded\n");
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    assert_eq!(times_run(&stage.path("told")), 5, "they run though all is unchanged");
    stage.foreshard(&["run", "w.yaml", "done"]).ends(0);
    assert_eq!(times_run(&stage.path("told")), 7, "they run whatever is wanted");
    let plan = stage.foreshard(&["plan", "w.yaml"]).ends(0);
    plan.prints("run      tell  it runs when all others have ended");
}

#[test]
fn final_tasks_run_after_a_cancel_and_a_second_one_ends_them() {
    let stage = Stage::with(&[(
        "w.yaml",
        "\
foreshard: 1
tasks: {work: {run: sleep 600}}
final: {tell: {run: 'echo $FORESHARD_OUTCOME >> told; test ! -e long || sleep 600'}}
",
    )]);
    let mut going = stage.begin(&["run", "w.yaml"]);
    going.wait_for("attempt_started");
    stage.foreshard(&["cancel"]).ends(0);
    assert_eq!(going.end(), Some(4));
    assert_eq!(stage.read("told"), "cancelled\n");

    stage.write("long", "");
    let mut going = stage.begin(&["run", "w.yaml"]);
    going.wait_for("attempt_started");
    stage.foreshard(&["cancel"]).ends(0);
    going.wait_for("finals_due");
    going.wait_for("attempt_started");
    stage.foreshard(&["cancel"]).ends(0);
    assert_eq!(going.end(), Some(4));
}

#[test]
fn a_run_that_dies_among_its_final_tasks_goes_on_with_them() {
    let stage = Stage::with(&[(
        "w.yaml",
        "\
foreshard: 1
tasks: {work: {run: exit 3}}
final: {tell: {run: 'echo $FORESHARD_OUTCOME >> told; while test -e wait; do sleep 0.05; done'}}
",
    )]);
    stage.write("wait", "");
    let mut going = stage.begin(&["run", "w.yaml"]);
    going.wait_for("finals_due");
    going.wait_for("attempt_started");
    going.signal(Signal::KILL);
    assert_eq!(going.end(), None);
    std::fs::remove_file(stage.path("wait")).unwrap();
    stage.foreshard(&["resume"]).ends(1);
    assert_eq!(stage.read("told"), "failed\n", "it was run once");
}

#[test]
fn a_final_task_that_fails_makes_a_good_run_fail() {
    let stage = Stage::with(&[(
        "w.yaml",
        "{foreshard: 1, tasks: {t: {run: 'true'}}, final: {f: {run: exit 4}}}",
    )]);
    stage.foreshard(&["run", "w.yaml"]).ends(1).says("f: exit code 4");
}

#[test]
fn what_a_final_task_cannot_have_is_said() {
    let stage = Stage::with(&[(
        "w.yaml",
        "\
foreshard: 1
tasks:
  a: {run: 'date > {outputs}', outputs: out}
  b: {run: date, needs: c}
final:
  a: {run: date}
  c: {run: date}
  d: {run: 'cat {inputs}', inputs: out}
  e: {run: 'date > {outputs}', outputs: x}
",
    )]);
    stage
        .foreshard(&["check", "w.yaml"])
        .ends(2)
        .says("there is a task `a` below `tasks` already")
        .says("`b` cannot wait for `c`, which runs after all others")
        .says("`d` cannot depend on `a`, which may fail")
        .says("a final task cannot have `outputs`");
}

#[test]
fn whoever_wants_to_know_of_an_end_is_told_once_and_a_failure_to_tell_fails_nothing() {
    let stage = Stage::with(&[(
        "w.yaml",
        "\
foreshard: 1
name: nightly
params: {to: told}
tasks: {work: {run: 'test -e {project}/go'}}
notify:
  - {on: failed, command: [sh, -c, 'cat > {params.to}.$FORESHARD_OUTCOME']}
  - {on: succeeded, command: [sh, -c, 'exit 9']}
",
    )]);
    stage.foreshard(&["run", "w.yaml"]).ends(1);
    let message: serde_json::Value = serde_json::from_str(&stage.read("told.failed")).unwrap();
    assert_eq!(message["outcome"], "failed");
    assert_eq!(message["tasks"]["failed"], 1);
    assert_eq!(message["failed_tasks"][0], "work");
    let text = message["text"].as_str().unwrap();
    assert!(text.starts_with("nightly (run ") && text.contains("0 of 1 tasks done"), "{text}");
    std::fs::remove_file(stage.path("told.failed")).unwrap();
    stage.foreshard(&["resume"]).ends(1);
    assert!(!stage.has("told.failed"), "there was no other end");
    stage.write("go", "");
    let told = stage.foreshard(&["resume", "--retry-failed"]).ends(0);
    told.says("warning: nobody was told: `sh` ended with exit status: 9");
}

#[test]
fn what_is_no_notification_is_said() {
    let stage = Stage::with(&[(
        "w.yaml",
        "\
foreshard: 1
secrets: {HOOK: {env: MY_HOOK}}
tasks: {work: {run: date}}
notify:
  - {on: success, command: [x]}
  - {webhook: ftp://x}
  - {webhook: {secret: HOK}}
  - {on: end}
  - {webhook: {secret: HOOK}}
",
    )]);
    stage
        .foreshard(&["check", "w.yaml"])
        .ends(2)
        .says("`on: success` is no end of a run")
        .says("must begin with `https://` or `http://`")
        .says("did you mean `HOOK`?")
        .says("a notification has either `command` or `webhook`")
        .says("has 4 errors");
}
