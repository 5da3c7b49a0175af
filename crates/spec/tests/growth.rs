//! Graphs that grow: what a task discovered or emitted becomes tasks, checked like those of a file.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use spec::diagnostic::Source;
use spec::growth::{Found, Growth};
use spec::{TaskId, Workflow, workflow_file};

fn read(text: &str) -> Result<Workflow, Vec<String>> {
    let source = Source::new("w.yaml", text);
    let (workflow, diagnostics) = workflow_file::parse(&source, &BTreeMap::new());
    workflow.ok_or_else(|| diagnostics.into_iter().map(|d| d.message).collect())
}

fn named(workflow: &Workflow, name: &str) -> TaskId {
    workflow.find_task(name).unwrap_or_else(|| panic!("no task {name}"))
}

fn parents(workflow: &Workflow, name: &str) -> Vec<String> {
    workflow.parents(named(workflow, name)).map(|task| workflow.task_name(task)).collect()
}

fn inputs(workflow: &Workflow, name: &str) -> Vec<String> {
    let inputs = workflow.inputs(named(workflow, name)).iter();
    inputs.map(|input| workflow.files().path(input.file).to_owned()).collect()
}

fn found(template: &str, files: &[&str]) -> Growth {
    let files = files.iter().map(|&file| file.to_owned()).collect();
    Growth { found: vec![Found { template: template.to_owned(), files }], emitted: None }
}

fn emitted(text: &str) -> Growth {
    Growth { found: Vec::new(), emitted: Some(text.to_owned()) }
}

const SPLIT: &str = "
foreshard: 1
tasks:
  split:
    run: split {inputs} chunks
    inputs: all.fq
    outputs: chunks/
  align:
    foreach: {files: \"chunks/{chunk}.fq\", from: split}
    run: align {inputs} > {outputs}
    inputs: chunks/{chunk}.fq
    outputs: aligned/{chunk}.bam
  merge:
    run: merge {inputs} > {outputs}
    inputs: {outputs_of: align}
    outputs: merged.bam
  count:
    run: ls {inputs} > {outputs}
    inputs: aligned/*.bam
    outputs: count.txt
";

#[test]
fn before_it_grows_all_that_will_wait_for_the_new_tasks_waits_for_their_source() {
    let workflow = read(SPLIT).unwrap();
    assert_eq!(workflow.n_tasks(), 3);
    assert_eq!(parents(&workflow, "merge"), ["split"]);
    assert_eq!(parents(&workflow, "count"), ["split"]);
    assert!(
        workflow.grows(named(&workflow, "split")) && !workflow.grows(named(&workflow, "merge"))
    );
    let wanted = workflow.growth_wanted(named(&workflow, "split"));
    assert_eq!(wanted.patterns, [("align".to_owned(), "chunks/*.fq".to_owned())]);
    let initial: Vec<_> = workflow.initial_inputs().map(|f| workflow.files().path(f)).collect();
    assert_eq!(initial, ["all.fq", "aligned/*.bam"]);
    assert!(workflow.may_come(workflow.files().find("aligned/*.bam").unwrap()));
    assert!(!workflow.may_come(workflow.files().find("all.fq").unwrap()));
}

#[test]
fn files_that_a_task_made_become_rows_and_those_who_gather_them_wait() {
    let before = read(SPLIT).unwrap();
    let split = named(&before, "split");
    let after = before.grown(split, &found("align", &["chunks/a.fq", "chunks/b.fq"])).unwrap();
    assert_eq!(after.n_tasks(), 5);
    assert_eq!(parents(&after, "align[a]"), ["split"]);
    assert_eq!(inputs(&after, "align[b]"), ["chunks/b.fq"]);
    assert_eq!(parents(&after, "merge"), ["split", "align[a]", "align[b]"]);
    assert_eq!(inputs(&after, "merge"), ["aligned/a.bam", "aligned/b.bam"]);
    assert_eq!(parents(&after, "count"), ["split", "align[a]", "align[b]"]);
    for task in before.tasks() {
        assert_eq!(before.task_name(task), after.task_name(task));
    }
    assert_eq!(after.template(named(&after, "align[a]")).grown_by, Some(split));
}

#[test]
fn no_file_at_all_is_an_answer() {
    let before = read(SPLIT).unwrap();
    let after = before.grown(named(&before, "split"), &found("align", &[])).unwrap();
    assert_eq!(after.n_tasks(), 3);
    assert!(inputs(&after, "merge").is_empty());
}

#[test]
fn a_pattern_without_names_gives_whole_paths() {
    let text = SPLIT
        .replace("files: \"chunks/{chunk}.fq\"", "chunk: chunks/*.fq")
        .replace("inputs: chunks/{chunk}.fq", "inputs: \"{chunk}\"");
    let before = read(&text).unwrap();
    let after = before.grown(named(&before, "split"), &found("align", &["chunks/a.fq"])).unwrap();
    assert_eq!(inputs(&after, "align[chunks/a.fq]"), ["chunks/a.fq"]);
    assert_eq!(inputs(&after, "merge"), ["aligned/chunks/a.fq.bam"]);
}

const EMIT: &str = "
foreshard: 1
params: {unit: cm}
tasks:
  gen: {run: 'gen > {outputs}', emits: more.yaml}
  sum: {run: 'cat results/* > {outputs}', needs: gen, inputs: results/*.txt, outputs: sum.txt}
  apart: {run: 'true'}
";

const MORE: &str = "
foreshard: 1
defaults: {retries: 2}
tasks:
  measure: {run: 'm {params.unit} > {outputs}', outputs: results/1.txt}
  again: {run: 'a > {outputs}', emits: deeper.yaml, needs: measure}
";

#[test]
fn a_task_emits_tasks_and_those_who_need_it_wait_for_all_it_emits_however_deep() {
    let first = read(EMIT).unwrap();
    let second = first.grown(named(&first, "gen"), &emitted(MORE)).unwrap();
    assert_eq!(parents(&second, "sum"), ["gen", "measure", "again"]);
    assert_eq!(parents(&second, "measure"), ["gen"]);
    assert_eq!(second.retries(named(&second, "measure")).count, 2);
    let deeper = "{foreshard: 1, tasks: {last: {run: 'l > {outputs}', outputs: results/2.txt}}}";
    let third = second.grown(named(&second, "again"), &emitted(deeper)).unwrap();
    assert_eq!(parents(&third, "sum"), ["gen", "measure", "again", "last"]);
    assert_eq!(parents(&third, "last"), ["again"]);
    assert_eq!(parents(&third, "apart"), [] as [&str; 0]);
    assert_eq!(first.digest(), third.digest());
}

#[test]
fn emitting_nothing_is_an_answer() {
    let before = read(EMIT).unwrap();
    let nothing = emitted("{foreshard: 1, tasks: {}}");
    assert_eq!(before.grown(named(&before, "gen"), &nothing).unwrap().n_tasks(), 3);
}

#[track_caller]
fn refused(text: &str, emits: &str, expected: &[&str]) {
    let before = read(text).unwrap();
    let unfit = before.grown(named(&before, "gen"), &emitted(emits)).unwrap_err();
    for expected in expected {
        assert!(
            unfit.0.iter().any(|told| told.contains(expected)),
            "{:?} lacks {expected}",
            unfit.0
        );
    }
}

#[test]
fn what_would_be_a_mistake_in_a_file_is_one_in_what_is_emitted_with_its_line() {
    refused(EMIT, "nonsense", &["must be a map"]);
    refused(EMIT, "foreshard: 1\ntasks:\n  a: {rum: x}\n", &["line 3", "did you mean `run`?"]);
    refused(EMIT, "foreshard: 1\ntasks:\n  gen: {run: x}\n", &["there is a task `gen` already"]);
    refused(EMIT, "{foreshard: 1, tasks: {a: {run: x, needs: nobody}}}", &["no task `nobody`"]);
    refused(EMIT, "{foreshard: 1, tasks: {a: {run: x, needs: sum}}}", &[] as &[&str]);
    refused(
        EMIT,
        "{foreshard: 1, tasks: {a: {run: x, outputs: sum.txt}}}",
        &["both write `sum.txt`"],
    );
    let two = "{foreshard: 1, tasks: {a: {run: x, needs: b}, b: {run: x, needs: a}}}";
    refused(EMIT, two, &["wait for each other"]);
    refused(EMIT, "{foreshard: 1, params: {x: 1}, tasks: {a: {run: x}}}", &["params"]);
}

#[test]
fn a_task_that_may_have_run_cannot_be_made_to_wait() {
    let text = EMIT.replace("apart: {run: 'true'}", "apart: {run: 'true', inputs: late.txt}");
    let emits = "{foreshard: 1, tasks: {a: {run: x, outputs: late.txt}}}";
    refused(&text, emits, &["`apart` would have to wait for the new `a`", "add `needs: gen`"]);
}

#[test]
fn a_task_that_emits_itself_for_ever_is_stopped() {
    let mut workflow = read(EMIT).unwrap();
    let mut by = named(&workflow, "gen");
    for depth in 0..200 {
        let more = format!(
            "{{foreshard: 1, tasks: {{again-{depth}: {{run: x, emits: more-{depth}.yaml}}}}}}"
        );
        match workflow.grown(by, &emitted(&more)) {
            Ok(grown) => workflow = grown,
            Err(unfit) => {
                assert!(unfit.to_string().contains("more than 100 growths") && depth == 100);
                return;
            }
        }
        by = named(&workflow, &format!("again-{depth}"));
    }
    panic!("it grew for ever");
}

#[test]
fn mistakes_about_what_is_to_be_discovered_are_found_when_the_file_is_read() {
    let mistake = |from: &str, to: &str| read(&SPLIT.replace(from, to)).unwrap_err().join("\n");
    assert!(mistake("from: split", "from: spilt").contains("no task `spilt`"));
    assert!(mistake("from: split", "from: align").contains("from itself"));
    assert!(
        mistake("chunks/{chunk}.fq\", f", "other/{chunk}.fq\", f").contains("declares no output")
    );
    assert!(mistake("{chunk}.fq\", from", "a.fq\", from").contains("names one file"));
    assert!(mistake("from: split", "from: split, y: b/*").contains("one pattern"));
}

#[test]
fn what_is_discovered_can_be_discovered_from_again() {
    let text = SPLIT.to_owned()
        + "
  part:
    foreach: {files: \"parts/{part}.txt\", from: align}
    run: x {inputs} > {outputs}
    inputs: parts/{part}.txt
    outputs: done/{part}
  all: {run: 'ls {inputs} > {outputs}', inputs: {outputs_of: part}, outputs: all.txt}
";
    let text = text.replace(
        "outputs: aligned/{chunk}.bam",
        "outputs: [\"aligned/{chunk}.bam\", \"parts/{chunk}_*.txt\"]",
    );
    let first = read(&text).unwrap();
    assert_eq!(parents(&first, "all"), ["split"]);
    let growth = found("align", &["chunks/a.fq", "chunks/b.fq"]);
    let second = first.grown(named(&first, "split"), &growth).unwrap();
    assert_eq!(parents(&second, "all"), ["split", "align[a]", "align[b]"]);
    let growth = found("part", &["parts/b_1.txt"]);
    let third = second.grown(named(&second, "align[b]"), &growth).unwrap();
    assert_eq!(parents(&third, "all"), ["split", "align[a]", "align[b]", "part[b_1]"]);
    let twin = third.grown(named(&third, "align[a]"), &growth).unwrap_err();
    assert!(!twin.0.is_empty());
}
