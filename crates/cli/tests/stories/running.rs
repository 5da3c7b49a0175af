//! Runs from their start to their report.

use serde_json::Value;

use crate::stage::{Stage, times_run};

const COUNTS: &str = "\
foreshard: 1
name: counts
params: {top: 2}
tasks:
  count:
    foreach: {text: [a, b]}
    run: wc -w < {inputs} > {outputs}; echo {text} >> {project}/ran
    inputs: texts/{text}.txt
    outputs: counts/{text}.txt
  merge:
    run: cat {inputs} | sort -rn | head -n {params.top} > {outputs}
    inputs: counts/*
    outputs: top.txt
";

fn counts() -> Stage {
    let texts = [("texts/a.txt", "one two three\n"), ("texts/b.txt", "one two\n")];
    let stage = Stage::with(&texts);
    stage.write("w.yaml", COUNTS);
    stage
}

const BROKEN: &str = "\
foreshard: 1
name: broken
tasks:
  good: {run: 'echo fine > {outputs}', outputs: good.txt}
  bad:
    run: |
      echo 'cannot find the moon' >&2
      test -e {project}/moon
      echo found > {outputs}
    outputs: bad.txt
  after: {run: 'cat {inputs} > {outputs}', inputs: bad.txt, outputs: after.txt}
";

#[test]
fn a_run_makes_its_files_and_says_how_it_ended() {
    let stage = counts();
    let told = stage.foreshard(&["run", "w.yaml"]).ends(0);
    assert_eq!(told.out, "", "standard output is for data");
    told.says("count[a] started").says("succeeded: 3 tasks");
    assert_eq!(stage.read("top.txt").split_whitespace().collect::<Vec<_>>(), ["3", "2"]);
}

#[test]
fn what_has_not_changed_is_not_run_again_and_the_plan_says_why() {
    let stage = counts();
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    stage.foreshard(&["run", "w.yaml"]).ends(0).says("3 tasks, all unchanged");
    assert_eq!(times_run(&stage.path("ran")), 2);
    stage.write("texts/b.txt", "one\n");
    let plan = stage.foreshard(&["plan", "w.yaml", "--json"]).ends(0).json();
    let decisions: Vec<(&str, &str)> = plan["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["task"]["name"].as_str().unwrap(), row["decision"].as_str().unwrap()))
        .collect();
    assert_eq!(decisions, [("count[a]", "reuse"), ("count[b]", "run"), ("merge", "perhaps")]);
    stage.foreshard(&["plan", "w.yaml"]).ends(0).prints("texts/b.txt changed");
    assert_eq!(times_run(&stage.path("ran")), 2, "a plan runs nothing");
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    assert_eq!(times_run(&stage.path("ran")), 3);
    stage.foreshard(&["run", "w.yaml", "--fresh", "--quiet"]).ends(0);
    assert_eq!(times_run(&stage.path("ran")), 5);
}

#[test]
fn a_target_is_a_task_a_template_or_a_file() {
    let stage = counts();
    stage.foreshard(&["run", "w.yaml", "counts/a.txt"]).ends(0).says("succeeded: 1 task");
    assert!(stage.has("counts/a.txt") && !stage.has("counts/b.txt"));
    stage.foreshard(&["run", "w.yaml", "count"]).ends(0).says("succeeded: 2 tasks");
    assert!(!stage.has("top.txt"));
    stage.foreshard(&["run", "w.yaml", "coutn"]).ends(2).says("did you mean `count`?");
}

#[test]
fn a_parameter_is_set_on_the_command_line() {
    let stage = counts();
    stage.foreshard(&["run", "w.yaml", "-p", "top=1"]).ends(0);
    assert_eq!(stage.read("top.txt").split_whitespace().collect::<Vec<_>>(), ["3"]);
    stage.foreshard(&["run", "w.yaml", "-p", "tpo=1"]).ends(2).says("top");
}

#[test]
fn a_dry_run_starts_nothing() {
    let stage = counts();
    stage.foreshard(&["run", "w.yaml", "--dry-run"]).ends(0).prints("has not been run before");
    assert!(!stage.has("ran") && !stage.has(".foreshard"));
}

#[test]
fn a_missing_input_is_shown_where_it_is_named() {
    let stage = counts();
    std::fs::remove_file(stage.path("texts/b.txt")).unwrap();
    let told = stage.foreshard(&["run", "w.yaml"]).ends(2);
    told.says("there is no input `texts/b.txt`, which `count[b]` reads")
        .says("--> w.yaml:5:3")
        .says("1 input is missing");
}

#[test]
fn a_failed_task_is_told_with_what_it_printed_and_what_to_do_next() {
    let stage = Stage::with(&[("w.yaml", BROKEN)]);
    let told = stage.foreshard(&["run", "w.yaml"]).ends(1);
    told.says("bad: exit code 1; 1 task could not run")
        .says("| cannot find the moon")
        .says("failed: 1 of 3 tasks done, 1 failed, 1 could not run")
        .says("hint: `foreshard logs bad`")
        .says("hint: `foreshard resume --retry-failed");
    stage.foreshard(&["logs"]).ends(0).prints("cannot find the moon");
    stage.foreshard(&["logs", "--stdout", "bad"]).ends(0);
    stage.foreshard(&["status"]).ends(0).prints("failed bad: exit code 1");
}

#[test]
fn events_are_lines_of_json_after_one_that_names_the_run() {
    let stage = counts();
    let told = stage.foreshard(&["run", "w.yaml", "--json"]).ends(0);
    let lines: Vec<Value> =
        told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let run = lines[0]["run"].as_str().unwrap();
    assert!(stage.path(".foreshard/runs").join(run).is_dir());
    let numbers: Vec<u64> = lines[1..].iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(lines.last().unwrap()["event"]["run_finished"]["outcome"], "succeeded");
}

#[test]
fn a_run_is_told_as_text_json_html_and_wfformat() {
    let stage = counts();
    stage.foreshard(&["run", "w.yaml", "--html", "run.html"]).ends(0).says("wrote run.html");
    assert!(stage.read("run.html").contains("counts"));
    stage.foreshard(&["report"]).ends(0).prints("counts").prints("succeeded");
    let report = stage.foreshard(&["report", "--json"]).ends(0).json();
    assert_eq!(report["tasks"]["published"], 3);
    stage.foreshard(&["report", "--html", "again.html"]).ends(0);
    assert_eq!(stage.read("run.html").len(), stage.read("again.html").len());
    let document = stage.foreshard(&["export"]).ends(0).json();
    assert_eq!(document["schemaVersion"], "1.5");
    let tasks = document["workflow"]["specification"]["tasks"].as_array().unwrap().len();
    let executed = document["workflow"]["execution"]["tasks"].as_array().unwrap().len();
    assert_eq!((tasks, executed), (3, 3));
    stage.foreshard(&["export", "--output", "run.json"]).ends(0);
    stage.foreshard(&["check", "run.json"]).ends(0).prints("3 tasks");
    let status = stage.foreshard(&["status", "--json"]).ends(0).json();
    assert_eq!((&status["status"], &status["n_done"]), (&"succeeded".into(), &3.into()));
}

#[test]
fn a_run_is_found_by_the_beginning_of_its_name_and_from_around_its_project() {
    let stage = counts();
    std::fs::create_dir(stage.path("sub")).unwrap();
    for file in ["w.yaml", "texts"] {
        std::fs::rename(stage.path(file), stage.path("sub").join(file)).unwrap();
    }
    stage.foreshard(&["run", "sub/w.yaml"]).ends(0);
    let runs = stage.foreshard(&["runs", "--json"]).ends(0).json();
    let id = runs[0]["run"].as_str().unwrap();
    stage.foreshard(&["status", &id[..10]]).ends(0).prints(id);
    stage.foreshard(&["status", "--project", "sub"]).ends(0).prints(id);
    let mut inside = stage.command(&["status"]);
    inside.current_dir(stage.path("sub/counts"));
    crate::stage::Told::of(inside).ends(0).prints(id);
    stage.foreshard(&["status", "1999"]).ends(2).says("no run is named `1999`");
}

#[test]
fn the_journal_of_a_run_is_sound_and_damage_ends_with_six() {
    let stage = counts();
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    stage.foreshard(&["journal", "verify"]).ends(0).prints("sound");
    stage.foreshard(&["journal", "repair"]).ends(0).prints("nothing was changed");
    let runs = std::fs::read_dir(stage.path(".foreshard/runs")).unwrap();
    let dir = runs.map(|entry| entry.unwrap().path()).next().unwrap();
    let journal = dir.join("journal.db");
    let mut bytes = std::fs::read(&journal).unwrap();
    let at = bytes.windows(12).rposition(|word| word == b"run_finished").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&journal, bytes).unwrap();
    stage.foreshard(&["journal", "verify"]).ends(6).says("foreshard journal repair");
    stage.foreshard(&["status"]).ends(6);
    stage.foreshard(&["journal", "repair"]).ends(0).prints("was damaged").says("foreshard resume");
    stage.foreshard(&["resume"]).ends(0);
}

#[test]
fn on_a_terminal_a_run_is_a_bar_that_leaves_with_the_run() {
    let wait = "foreshard: 1\ntasks: {wait: {run: 'until test -e go; do sleep 0.02; done'}}\n";
    let stage = Stage::with(&[("w.yaml", wait)]);
    let go_once_there_is_a_bar = |shown: &str| {
        if shown.contains('─') && shown.contains("1 running") {
            stage.write("go", "");
        }
    };
    let told = stage.at_a_terminal(stage.command(&["run", "w.yaml"]), go_once_there_is_a_bar);
    let last = told.ends(0).out;
    assert!(last.lines().last().unwrap().contains("succeeded"), "{last}");
    let mut plain = stage.command(&["run", "w.yaml"]);
    plain.env("NO_COLOR", "1");
    let told = stage.at_a_terminal(plain, |_| {}).ends(0).prints("wait started");
    assert!(!told.out.contains('\u{1b}'), "{}", told.out);
}

#[test]
fn a_run_that_was_exported_can_be_replayed() {
    let stage = counts();
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    stage.foreshard(&["export", "--output", "recorded/run.json"]).ends(7).says("recorded");
    stage.foreshard(&["export", "--output", "run.json"]).ends(0);
    stage.foreshard(&["run", "run.json", "--scale", "0.5"]).ends(0).says("succeeded: 3 tasks");
    let sizes = |path: &str| std::fs::metadata(stage.path(path)).unwrap().len();
    assert_eq!(sizes("replay/counts/top.txt"), sizes("top.txt") / 2);
}

#[test]
fn a_run_that_cannot_begin_says_what_the_machine_refuses() {
    let stage = counts();
    stage.write(".foreshard", "a file where a folder should be");
    let told = stage.foreshard(&["run", "w.yaml"]).ends(7);
    told.says("error: failed to make the run's folder").says("caused by:");
    assert!(!stage.has("ran"));
}

#[test]
fn a_report_without_a_folder_is_refused_before_anything_runs() {
    let stage = counts();
    stage.foreshard(&["run", "w.yaml", "--html", "none/run.html"]).ends(2).says("no folder none");
    assert!(!stage.has("ran"));
}

#[test]
fn what_failed_is_tried_again_when_asked() {
    let stage = Stage::with(&[("w.yaml", BROKEN)]);
    stage.foreshard(&["run", "w.yaml"]).ends(1);
    stage.foreshard(&["resume"]).ends(1).says("--retry-failed");
    stage.write("moon", "");
    stage.foreshard(&["resume", "--retry-failed"]).ends(0).says("succeeded: 3 tasks");
    assert_eq!(stage.read("after.txt"), "found\n");
    stage.foreshard(&["resume"]).ends(0).says("nothing is left to do");
}
