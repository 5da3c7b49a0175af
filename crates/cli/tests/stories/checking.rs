//! `check`, `schema` and `site show`: files are read, and nothing is started.

use crate::stage::Stage;

const MISTAKES: &str = "\
foreshard: 1
tasks:
  a:
    run: echo hello > {outputs}
    retires: 3
    outputs: a.txt
  b:
    run: cat {inputs}
    inputs: a.txt
    needs: c
";

const SOUND: &str = "\
foreshard: 1
tasks:
  a: {run: 'echo hello > {outputs}', outputs: a.txt}
  b: {run: 'cat {inputs} > {outputs}', inputs: [a.txt, b.in], outputs: b.txt}
";

#[test]
fn every_mistake_is_shown_with_its_line_a_caret_and_what_to_write() {
    let stage = Stage::with(&[("w.yaml", MISTAKES)]);
    let told = stage.foreshard(&["check", "w.yaml"]).ends(2);
    assert_eq!(told.out, "");
    let told = told.says("--> w.yaml:5:5").says("did you mean `retries`?").says("--> w.yaml:10:12");
    let lines: Vec<&str> = told.err.lines().collect();
    let caret = lines.iter().position(|line| line.contains("^^^^^^^")).unwrap();
    assert_eq!(lines[caret].find('^'), lines[caret - 1].find("retires"), "{}", told.err);
    assert_eq!(lines.last(), Some(&"error: w.yaml has 2 errors"));
}

#[test]
fn mistakes_come_as_json_with_lines_and_columns() {
    let stage = Stage::with(&[("w.yaml", MISTAKES)]);
    let report = stage.foreshard(&["check", "w.yaml", "--json"]).ends(2).json();
    assert_eq!(report["is_valid"], false);
    assert_eq!(report["errors"], 2);
    let first = &report["diagnostics"][0];
    assert_eq!((&first["line"], &first["column"]), (&5.into(), &5.into()));
    assert_eq!(first["code"], "unknown-field");
}

#[test]
fn an_input_that_is_not_there_yet_is_a_doubt_at_the_task_that_reads_it() {
    let stage = Stage::with(&[("w.yaml", SOUND)]);
    let told = stage.foreshard(&["check", "w.yaml"]).ends(0);
    told.says("warning: there is no input `b.in`, which `b` reads")
        .says("--> w.yaml:4:")
        .prints("2 tasks in 2 templates, 1 dependency: 1 warning");
    stage.write("b.in", "");
    stage.foreshard(&["check", "w.yaml"]).ends(0).prints("no mistakes");
}

#[test]
fn a_task_that_fits_no_pool_of_the_site_ends_with_three() {
    let stage = Stage::with(&[
        ("w.yaml", "foreshard: 1\ntasks: {big: {run: 'true', resources: {cpus: 64}}}\n"),
        (
            "s.yaml",
            "foreshard: 1\nzones: {z: {backend: local, pools: {p: {cpus: 2, memory: 1GiB}}}}\n",
        ),
    ]);
    let told = stage.foreshard(&["check", "w.yaml", "--site", "s.yaml"]).ends(3);
    told.says("no pool can hold `big`").says("asks for 64 cpus");
    stage.foreshard(&["run", "w.yaml", "--site", "s.yaml"]).ends(3).says("no pool can hold `big`");
    assert!(!stage.has(".foreshard"), "a run that cannot begin leaves nothing behind");
}

#[test]
fn a_file_that_is_not_there_is_wrong_usage() {
    let stage = Stage::with(&[]);
    stage.foreshard(&["check", "none.yaml"]).ends(2).says("failed to read none.yaml");
    stage.foreshard(&["run", "none.yaml"]).ends(2).says("failed to read none.yaml");
}

#[test]
fn the_schema_of_each_format_is_json() {
    let stage = Stage::with(&[]);
    for format in ["workflow", "site"] {
        let schema = stage.foreshard(&["schema", format]).ends(0).json();
        assert!(schema["properties"].is_object(), "{format}");
    }
}

#[test]
fn the_site_that_is_shown_is_a_site_file() {
    let stage = Stage::with(&[]);
    let shown = stage.foreshard(&["site", "show"]).ends(0).out;
    stage.write("here.yaml", &shown);
    let again = stage.foreshard(&["site", "show", "here.yaml"]).ends(0).out;
    assert_eq!(shown, again);
    let json = stage.foreshard(&["site", "show", "--json"]).ends(0).json();
    assert!(json["zones"][0]["pools"][0]["cpus"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_graph_is_drawn_in_each_format() {
    let stage = Stage::with(&[("w.yaml", SOUND)]);
    let draw = |format| stage.foreshard(&["graph", "w.yaml", "--format", format]).ends(0).out;
    assert!(draw("mermaid").contains("-->"));
    assert!(draw("dot").contains("->"));
    assert!(draw("svg").trim_start().starts_with("<svg"));
}

#[test]
fn a_site_file_that_anybody_may_write_is_refused_like_a_key() {
    use std::os::unix::fs::PermissionsExt;
    let site = "foreshard: 1\nzones:\n  here:\n    backend: local\n    pools:\n      main: {cpus: 1, memory: 1GiB}\n";
    let stage = Stage::with(&[("site.yaml", site)]);
    stage.foreshard(&["site", "show", "--site", "site.yaml"]).ends(0);
    let path = stage.path("site.yaml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    stage.foreshard(&["site", "show", "--site", "site.yaml"]).ends(2).says("everybody may write");
}

#[test]
fn tasks_that_are_yet_to_be_discovered_are_in_the_graph() {
    let flow = "\
foreshard: 1
tasks:
  split: {run: 'echo > parts/a', outputs: parts/}
  count: {foreach: {file: 'parts/{part}', from: split}, run: 'wc < {inputs} > {outputs}', inputs: 'parts/{part}', outputs: 'counts/{part}'}
";
    let stage = Stage::with(&[("w.yaml", flow)]);
    stage.foreshard(&["graph", "w.yaml"]).ends(0).prints("count ×").prints("n0 --> n1");
}
