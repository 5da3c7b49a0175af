//! Workflows that are put together: of files, of parameters, of what another program writes.

use crate::stage::Stage;

const MAIN: &str = "\
foreshard: 1
params: {texts: [a, b], lines: 1}
include:
  count: {file: parts/count.yaml, params: {texts: \"{params.texts}\"}}
tasks:
  merge:
    run: cat {inputs} | sort -rn | head -n {params.lines} > {outputs}
    inputs: {outputs_of: count.words}
    outputs: top.txt
  extra: {when: params.lines > 1, run: 'date > {outputs}', outputs: extra.txt}
";

const COUNT: &str = "\
foreshard: 1
params: {texts: {type: list}}
tasks:
  words:
    foreach: {text: \"{params.texts}\"}
    run: test -e {project}/go && wc -w < {inputs} > {outputs}
    inputs: texts/{text}.txt
    outputs: counts/{text}
";

fn stage() -> Stage {
    let texts = [("texts/a.txt", "one two three\n"), ("texts/b.txt", "one two\n")];
    let stage = Stage::with(&texts);
    stage.write("wf/main.yaml", MAIN);
    stage.write("main.yaml", MAIN);
    stage.write("parts/count.yaml", COUNT);
    stage
}

#[test]
fn an_included_file_runs_as_part_of_the_workflow_and_is_kept_for_resume() {
    let stage = stage();
    stage.write("params.json", "{\"lines\": 2}");
    let words = ["run", "main.yaml", "--params-file", "params.json"];
    stage.foreshard(&words).ends(1).says("count.words[a]");
    stage.write("go", "");
    stage.write("parts/count.yaml", "nothing that could be read");
    stage.write("params.json", "[]");
    stage.foreshard(&["resume", "--retry-failed"]).ends(0);
    let top = stage.read("top.txt");
    assert_eq!(top.split_whitespace().collect::<Vec<_>>(), ["3", "2"]);
    assert!(stage.has("extra.txt"));
}

#[test]
fn a_mistake_is_shown_in_the_file_it_stands_in() {
    let stage = stage();
    stage.write("parts/count.yaml", &COUNT.replace("foreach", "for_each"));
    let told = stage.foreshard(&["check", "main.yaml"]).ends(2);
    let told = told.says("--> parts/count.yaml:5:5").says("did you mean `foreach`?");
    told.says("parts/count.yaml has 3 errors");
    let json = stage.foreshard(&["check", "main.yaml", "--json"]).ends(2).json();
    assert_eq!(json["diagnostics"][0]["file"], "parts/count.yaml");
    stage.write("parts/count.yaml", COUNT);
    stage.write("params.yaml", "lines: many\n");
    stage
        .foreshard(&["check", "main.yaml", "--params-file", "params.yaml"])
        .ends(2)
        .says("--> params.yaml:1:1")
        .says("must be a whole number");
}

#[test]
fn a_file_outside_the_project_is_not_included() {
    let stage = stage();
    stage.write("p/main.yaml", "{foreshard: 1, include: {c: link.yaml}}");
    std::os::unix::fs::symlink(stage.path("parts/count.yaml"), stage.path("p/link.yaml")).unwrap();
    stage.foreshard(&["check", "p/main.yaml"]).ends(2).says("it leads out of the project");
    stage.write("p/main.yaml", "{foreshard: 1, include: {c: ../parts/count.yaml}}");
    stage.foreshard(&["check", "p/main.yaml"]).ends(2).says("leaves the project");
    stage.write("p/main.yaml", "{foreshard: 1, include: {c: .}}");
    stage.foreshard(&["check", "p/main.yaml"]).ends(2);
}

#[test]
fn what_a_condition_leaves_out_is_said_and_not_drawn() {
    let stage = stage();
    stage.write("go", "");
    stage
        .foreshard(&["plan", "main.yaml"])
        .ends(0)
        .prints("left out extra  `when: params.lines > 1` does not hold");
    let plan = stage.foreshard(&["plan", "main.yaml", "--json"]).ends(0).json();
    assert_eq!(plan["left_out"][0]["template"], "extra");
    let graph = stage.foreshard(&["graph", "main.yaml", "--by", "template"]).ends(0);
    assert!(!graph.out.contains("extra") && graph.out.contains("count.words"), "{}", graph.out);
    stage.foreshard(&["run", "main.yaml"]).ends(0).says("succeeded: 3 tasks");
    assert!(!stage.has("extra.txt"));
    let report = stage.foreshard(&["report", "--json"]).ends(0).json();
    assert_eq!(report["left_out"][0]["template"], "extra");
    stage.write(
        "use.yaml",
        "{foreshard: 1, params: {get: false}, tasks: {
            get: {when: params.get, run: 'date > {outputs}', outputs: got},
            use: {run: 'cat {inputs}', inputs: got}}}",
    );
    let told = stage.foreshard(&["run", "use.yaml"]).ends(2);
    told.says("`get` would make it, but `when: params.get` does not hold");
    stage.write("got", "from elsewhere");
    stage.foreshard(&["run", "use.yaml"]).ends(0);
}

#[test]
fn a_workflow_comes_from_standard_input_and_can_be_resumed() {
    let stage = Stage::with(&[]);
    let text = "{foreshard: 1, tasks: {t: {run: 'cat {project}/go > {outputs}', outputs: done}}}";
    stage.fed(&["check", "-"], text).ends(0).prints("<stdin>: 1 task");
    stage.fed(&["plan", "-"], text).ends(0).prints("run      t");
    stage.fed(&["run", "-"], text).ends(1);
    stage.write("go", "gone");
    stage.foreshard(&["resume", "--retry-failed"]).ends(0);
    assert_eq!(stage.read("done"), "gone");
    stage
        .fed(&["check", "-"], "{foreshard: 1, tasks: {t: {rum: x}}}")
        .ends(2)
        .says("--> <stdin>:1:");
}
