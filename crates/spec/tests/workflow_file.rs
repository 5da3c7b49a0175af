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

fn environment(workflow: &Workflow, task: &str) -> BTreeMap<String, String> {
    let task = workflow.find_task(task).unwrap();
    let bindings = Bindings {
        inputs: &[],
        outputs: &[],
        granted: workflow.resources(task),
        attempt: 2,
        project: "/project",
        run: "r1",
    };
    workflow.environment(task, &bindings).unwrap().into_iter().collect()
}

fn task_file(fields: &str) -> String {
    format!("foreshard: 1\nparams: {{n: 3, who: me}}\ntasks:\n  t:\n{fields}\n")
}

#[test]
fn json_is_a_workflow_file_too() {
    let workflow =
        good("{\n\t\"foreshard\": 1,\n\t\"tasks\": {\"t\": {\"run\": \"echo \\ud83d\\ude00\"}}\n}");
    assert_eq!(command(&workflow, "t"), shell("echo \u{1F600}"));
}

#[test]
fn a_matrix_makes_every_combination_and_foreach_goes_side_by_side() {
    let matrix = good(&task_file("    run: a\n    matrix: {x: [a, b], n: '1..{params.n}'}"));
    assert_eq!(names(&matrix), ["t[a,1]", "t[a,2]", "t[a,3]", "t[b,1]", "t[b,2]", "t[b,3]"]);
    let zipped = good(&task_file("    run: a\n    foreach: {x: [a, b], n: [0.50, 1]}"));
    assert_eq!(names(&zipped), ["t[a,0.50]", "t[b,1]"]);
    let maps = good(&task_file("    run: a\n    foreach: [{x: a, y: 1}, {y: 2, x: b}]"));
    assert_eq!(names(&maps), ["t[a,1]", "t[b,2]"]);
    let stepped = good(&task_file("    run: a\n    foreach: {x: {from: 10, to: 1, step: -4}}"));
    assert_eq!(names(&stepped), ["t[10]", "t[6]", "t[2]"]);
}

#[test]
fn a_fan_out_without_values_is_doubted_but_runs() {
    let (workflow, diagnostics) = parse(&task_file("    run: a\n    foreach: {x: 1..0}"), &[]);
    assert_eq!(workflow.unwrap().n_tasks(), 0);
    assert!(diagnostics[0].message.contains("no task is made"), "{diagnostics:?}");
}

#[test]
fn inputs_can_be_one_many_named_or_all_outputs_of_a_task() {
    let workflow = good(
        "foreshard: 1
params: {extra: {type: list, default: [p, -q]}}
tasks:
  make: {foreach: {i: 1..2}, run: 'echo > {outputs}', outputs: 'o/{i}'}
  use:
    run: cat {inputs} {inputs.all} {inputs.two} {inputs[1]} {outputs.log}
    inputs: {all: {outputs_of: make}, two: [a, b], extra: '{params.extra}'}
    outputs: {main: x/, log: y}
  last: {run: 'true', needs: ['make[2]', use]}
",
    );
    assert_eq!(
        command(&workflow, "use"),
        shell("cat o/1 o/2 'a' 'b' 'p' ./-q o/1 o/2 'a' 'b' 'a' 'b' 'y'")
    );
    let last = workflow.find_task("last").unwrap();
    let parents: Vec<String> = workflow.parents(last).map(|p| workflow.task_name(p)).collect();
    assert_eq!(parents, ["make[2]", "use"]);
}

#[test]
fn argv_expands_lists_only_where_they_stand_alone() {
    let workflow = good(
        "foreshard: 1\ntasks:\n  t:\n    inputs: [a b, c]\n    argv: [cat, '{inputs}', \
         '-f={inputs}', '{task}', '$HOME', '{cpus}', '{memory.mib}']\n    resources: {cpus: 2.5, memory: 3MiB}",
    );
    let expected = ["cat", "a b", "c", "-f=a b c", "t", "$HOME", "2", "3"];
    assert_eq!(command(&workflow, "t"), RenderedCommand::Argv(expected.map(str::to_owned).into()));
}

#[test]
fn the_environment_holds_parameters_variables_and_what_is_declared() {
    let workflow = good(&task_file(
        "    run: a\n    foreach: {who: [you]}\n    env: {A: 1.10, B: '{params.who} {who} {attempt}'}",
    ));
    let environment = environment(&workflow, "t[you]");
    let of = |name: &str| environment.get(name).map(String::as_str);
    assert_eq!((of("A"), of("B")), (Some("1.10"), Some("me you 2")));
    assert_eq!((of("PARAM_n"), of("PARAM_who")), (Some("3"), Some("you")));
    assert_eq!((of("FORESHARD_TASK"), of("FORESHARD_ATTEMPT")), (Some("t[you]"), Some("2")));
    assert_eq!((of("FORESHARD_PROJECT"), of("FORESHARD_CPUS")), (Some("/project"), Some("1")));
}

#[test]
fn defaults_hold_where_a_task_says_nothing_and_maps_are_merged_by_name() {
    let workflow = good(
        "foreshard: 1
params: {minutes: 5}
defaults: {timeout: '{params.minutes}m', env: {A: a, B: b}, resources: {memory: 1GiB, gpu: 1}}
tasks:
  one: {run: x}
  two:
    run: x
    timeout: 90s
    env: {B: c}
    resources: {cpus: 0.3, network: 10MB/s}
    retries: {count: 2, backoff: 3s, factor: 1, max: 1h}
    priority: -2
    critical: true
    estimate: 1h30m
    env_from: [LANG, HOME]
    workdir: sub/dir
",
    );
    let [one, two] = &workflow.templates() else { panic!("two tasks") };
    assert_eq!(one.timeout, Some(spec::Duration::from_secs(300)));
    assert_eq!(two.timeout, Some(spec::Duration::from_secs(90)));
    assert_eq!(one.resources.get(0).to_string(), "1 cpus, 1 GiB, 1 gpu");
    let two_asks = two.resources.get(0).to_string();
    assert_eq!(two_asks, "0.3 cpus, 1 GiB, 9.5 MiB/s network, 1 gpu");
    let values = environment(&workflow, "two");
    assert_eq!((values["A"].as_str(), values["B"].as_str()), ("a", "c"));
    let retries = two.retries;
    assert_eq!((retries.count, retries.backoff.0, retries.factor), (2, 3_000_000, 1.0));
    assert_eq!((two.priority, two.critical, two.idempotent), (-2, true, true));
    assert_eq!(*two.estimate.get(0), Some(spec::Duration::from_secs(5_400)));
    assert_eq!(two.env_from, ["LANG", "HOME"]);
    assert_eq!(two.workdir.as_deref(), Some("sub/dir"));
}

#[test]
fn memory_is_a_size_or_how_it_grows() {
    let workflow = good(
        "foreshard: 1
params: {most: 2GiB}
defaults: {oom_retries: 5, resources: {memory: {start: 64MiB, grow: 3}}}
tasks:
  default: {run: x}
  plain: {run: x, resources: {memory: 1GiB}, oom_retries: 0}
  bounded: {run: x, resources: {memory: {start: 512MiB, grow: 1.5, max: '{params.most}'}}}
",
    );
    let [default, plain, bounded] = &workflow.templates() else { panic!("three tasks") };
    let mib = |n: u64| spec::Bytes(n << 20);
    let everything = spec::Bytes(u64::MAX);
    let granted = |template: &spec::template::Template, times| {
        template.memory.granted(template.resources.get(0).memory, times, everything)
    };
    assert!(default.memory.is_open && bounded.memory.is_open && !plain.memory.is_open);
    assert_eq!([5, 0, 5], [default, plain, bounded].map(|t| t.memory.retries));
    assert_eq!([0, 1, 2].map(|times| granted(default, times)), [64, 192, 576].map(mib));
    assert_eq!([0, 1].map(|times| granted(plain, times)), [1024, 2048].map(mib));
    let grown = [512, 768, 1152, 1728, 2048, 2048].map(mib);
    assert_eq!([0, 1, 2, 3, 4, 5].map(|times| granted(bounded, times)), grown);
    let on_a_small_node = bounded.memory.granted(mib(512), 2, mib(1000));
    assert_eq!(on_a_small_node, mib(1000));
}

#[test]
fn parameters_from_the_command_line_win_and_change_the_digest() {
    let text = task_file("    run: echo {params.n}");
    let run = |params: &[(&str, &str)]| parse(&text, params).0.unwrap();
    assert_eq!(command(&run(&[]), "t"), shell("echo 3"));
    let seven = run(&[("n", "7")]);
    assert_eq!(command(&seven, "t"), shell("echo 7"));
    assert_ne!(seven.digest(), run(&[]).digest());
    assert_eq!(run(&[("n", "3")]).digest(), run(&[]).digest());
}

#[test]
fn a_list_from_the_command_line_may_have_brackets() {
    let text = "foreshard: 1\nparams: {l: {type: list, default: []}}\ntasks:\n  t:\n    run: echo {params.l}\n";
    let said = |list: &str| command(&parse(text, &[("l", list)]).0.unwrap(), "t");
    assert_eq!(said("a,b"), shell("echo 'a' 'b'"));
    assert_eq!(said("[a, b]"), said("a,b"));
    assert_eq!(said("[]"), said(""));
}

#[test]
fn a_parameter_that_no_program_could_be_given_is_refused_before_anything_runs() {
    let with = |value: &str| {
        let text = format!("foreshard: 1\nparams: {{p: {value}}}\ntasks:\n  t:\n    run: echo\n");
        parse(&text, &[]).1
    };
    assert!(with(&"x".repeat(100_000)).is_empty());
    let [mistake] = &with(&"x".repeat(10_000_000))[..] else { panic!("one mistake") };
    assert!(mistake.message.contains("at most 131072"), "{}", mistake.message);
}

#[test]
fn a_long_list_is_for_fanning_out_and_not_for_the_environment() {
    let list = |n: usize| vec!["a"; n].join(",");
    let text = "foreshard: 1\nparams: {l: {type: list}}\ntasks:\n  t:\n    run: echo\n";
    let is_set = |n: usize| {
        let workflow = parse(text, &[("l", &list(n))]).0.unwrap();
        let granted = Resources::default();
        let bindings = Bindings {
            inputs: &[],
            outputs: &[],
            granted: &granted,
            attempt: 1,
            project: "/p",
            run: "r",
        };
        let task = workflow.tasks().next().unwrap();
        let environment = workflow.environment(task, &bindings).unwrap();
        environment.iter().any(|(name, _)| name == "PARAM_l")
    };
    assert!(is_set(100));
    assert!(!is_set(101));
}

#[test]
fn the_digest_of_a_command_follows_what_it_reads_and_nothing_else() {
    let digest = |fields: &str, params: &[(&str, &str)]| {
        let workflow = parse(&task_file(fields), params).0.unwrap();
        workflow.command_digest(workflow.tasks().next().unwrap())
    };
    let plain = "    run: a {params.n} {cpus} {attempt}";
    let reference = digest(plain, &[]);
    assert_eq!(digest(plain, &[("who", "you")]), reference);
    assert_eq!(
        digest(&format!("{plain}\n    timeout: 1s\n    resources: {{cpus: 4}}"), &[]),
        reference
    );
    for (fields, params) in [
        (plain, &[("n", "4")][..]),
        ("    run: a 3 {cpus} {attempt} ", &[]),
        ("    argv: ['a {params.n} {cpus} {attempt}']", &[]),
        ("    run: a {params.n} {cpus} {attempt}\n    env: {A: b}", &[]),
        ("    run: a {params.n} {cpus} {attempt}\n    env_from: A", &[]),
        ("    run: a {params.n} {cpus} {attempt}\n    workdir: A", &[]),
        ("    run: a {params.n} {cpus} {attempt}\n    inputs: A", &[]),
        ("    run: a {params.n} {cpus} {attempt}\n    outputs: A", &[]),
    ] {
        assert_ne!(digest(fields, params), reference, "{fields}");
    }
    let reads = "    run: a $PARAM_who";
    assert_ne!(digest(reads, &[]), digest(reads, &[("who", "you")]));
}

#[test]
fn a_gather_waits_for_every_row_of_a_large_fan_out() {
    let workflow = good(
        "foreshard: 1\ntasks:\n  a:\n    foreach: {i: 1..20000}\n    run: x\n    inputs: in/{i}\n    \
         outputs: out/{i}\n  b: {run: x, inputs: out/*}\n",
    );
    assert_eq!((workflow.n_tasks(), workflow.n_edges()), (20_001, 20_000));
    assert_eq!(workflow.files().len(), 40_001);
}
