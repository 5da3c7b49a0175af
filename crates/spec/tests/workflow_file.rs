//! Good workflow files and what becomes of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;

use spec::command::{Bindings, RenderedCommand};
use spec::diagnostic::{Diagnostic, Source};
use spec::{Resources, Workflow, workflow_file};

fn parse(text: &str, params: &[(&str, &str)]) -> (Option<Workflow>, Vec<Diagnostic>) {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    let params: BTreeMap<String, String> = params.iter().map(owned).collect();
    workflow_file::parse(&Source::new("dir/word-count.yaml", text), &params)
}

fn good(text: &str) -> Workflow {
    let (workflow, diagnostics) = parse(text, &[]);
    assert_eq!(diagnostics, [], "{text}");
    workflow.unwrap()
}

fn names(workflow: &Workflow) -> Vec<String> {
    workflow.tasks().map(|task| workflow.task_name(task)).collect()
}

fn command(workflow: &Workflow, task: &str) -> RenderedCommand {
    let task = workflow.find_task(task).unwrap();
    let path = |file| workflow.files().path(file).to_owned();
    let mut inputs = vec![Vec::new(); workflow.template(task).inputs.len()];
    for input in workflow.inputs(task) {
        inputs[input.slot as usize].push(path(input.file));
    }
    let outputs: Vec<String> = workflow.outputs(task).iter().map(|&file| path(file)).collect();
    let bindings = Bindings {
        inputs: &inputs,
        outputs: &outputs,
        granted: workflow.resources(task),
        attempt: 1,
        project: "/project",
        run: "r1",
    };
    workflow.command(task, &bindings).unwrap()
}

fn shell(text: &str) -> RenderedCommand {
    RenderedCommand::Shell(text.to_owned())
}

const WORD_COUNT: &str = r#"
foreshard: 1
params:
  top: 10
  texts: {type: list, default: [a.txt, b.txt], about: files to count}
defaults:
  retries: 1
tasks:
  count:
    foreach: {text: "{params.texts}"}
    run: tr -cs a-z '\n' < {inputs} | sort | uniq -c > {outputs}
    inputs: texts/{text}
    outputs: counts/{text}
  merge:
    run: cat {inputs} | sort -rn | head -n {params.top} > {outputs}
    inputs: counts/*
    outputs: top.txt
"#;

#[test]
fn the_example_of_the_documentation_becomes_a_graph() {
    let workflow = good(WORD_COUNT);
    assert_eq!(workflow.name(), "word-count");
    assert_eq!(names(&workflow), ["count[a.txt]", "count[b.txt]", "merge"]);
    let merge = workflow.find_task("merge").unwrap();
    assert_eq!(workflow.parents(merge).len(), 2);
    assert_eq!(
        command(&workflow, "count[a.txt]"),
        shell(r"tr -cs a-z '\n' < texts/a.txt | sort | uniq -c > counts/a.txt")
    );
    assert_eq!(
        command(&workflow, "merge"),
        shell("cat 'counts/*' | sort -rn | head -n 10 > top.txt")
    );
    assert_eq!(workflow.retries(merge).count, 1);
    let initial: Vec<&str> =
        workflow.initial_inputs().map(|file| workflow.files().path(file)).collect();
    assert_eq!(initial, ["texts/a.txt", "texts/b.txt"]);
    assert_eq!(
        *workflow.resources(merge),
        Resources { cpus: spec::resources::MilliCpus::ONE, ..Resources::default() }
    );
}

#[test]
fn the_examples_are_without_mistakes() {
    for text in [
        include_str!("../../../examples/flaky/workflow.yaml"),
        include_str!("../../../examples/licences/workflow.yaml"),
        include_str!("../../../examples/sweep/workflow.yaml"),
        include_str!("../../../examples/variants/workflow.yaml"),
    ] {
        assert!(good(text).n_tasks() > 1);
    }
}
