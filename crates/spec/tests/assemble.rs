//! Who makes what and who waits for whom, against an oracle that looks at every pair.

use proptest::prelude::*;
use spec::assemble::{GraphError, Parts, assemble};
use spec::command::{CommandTemplate, TextTemplate};
use spec::csr::Csr;
use spec::files::{FileKind, FileTable};
use spec::template::Template;
use spec::workflow::Input;
use spec::{Digest, TaskId, Workflow};

/// One task for each `(inputs, outputs, needs)`, called `t0`, `t1`, ….
fn parts(tasks: &[(Vec<String>, Vec<String>, Vec<u32>)]) -> Parts {
    let mut parts = empty();
    for (i, (inputs, outputs, needs)) in tasks.iter().enumerate() {
        parts.templates.push(template(&format!("t{i}")));
        parts.first_task.push(i as u32 + 1);
        let files = &mut parts.files;
        parts
            .inputs
            .push_row(inputs.iter().map(|path| Input { slot: 0, file: files.intern(path) }));
        parts.outputs.push_row(outputs.iter().map(|path| files.intern(path)));
        parts.needs.push_row(needs.iter().copied());
    }
    parts
}

fn empty() -> Parts {
    Parts {
        name: "test".to_owned(),
        digest: Digest::of(b""),
        params: std::collections::BTreeMap::new(),
        templates: Vec::new(),
        first_task: vec![0],
        files: FileTable::default(),
        inputs: Csr::default(),
        outputs: Csr::default(),
        needs: Csr::default(),
    }
}

fn template(name: &str) -> Template {
    Template {
        name: name.to_owned(),
        command: CommandTemplate::Shell(TextTemplate::default()),
        ..Template::default()
    }
}

/// `"in1 in2 > out1 out2"`, one line for each task.
fn read(text: &str) -> Parts {
    let words = |part: &str| part.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let tasks: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once('>'))
        .map(|(inputs, outputs)| (words(inputs), words(outputs), Vec::new()))
        .collect();
    parts(&tasks)
}

fn parents(workflow: &Workflow, task: u32) -> Vec<u32> {
    workflow.parents(TaskId(task)).map(|parent| parent.0).collect()
}

fn errors(text: &str) -> Vec<String> {
    let errors = assemble(read(text)).expect_err("it has a mistake");
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_reader_waits_for_the_writer_of_the_same_path() {
    let workflow = assemble(read("raw > a\n a > b\n a b > c")).unwrap();
    assert_eq!(parents(&workflow, 1), [0]);
    assert_eq!(parents(&workflow, 2), [0, 1]);
    assert_eq!(workflow.children(TaskId(0)).collect::<Vec<_>>(), [TaskId(1), TaskId(2)]);
    let initial: Vec<_> = workflow.initial_inputs().map(|f| workflow.files().path(f)).collect();
    assert_eq!(initial, ["raw"]);
}

#[test]
fn directories_and_globs_connect_readers_with_writers() {
    let waits = |text: &str| !parents(&assemble(read(text)).unwrap(), 1).is_empty();
    assert!(waits("> d/\n d/x > b"));
    assert!(waits("> d/x\n d/ > b"));
    assert!(waits("> d/\n d > b"));
    assert!(waits("> d/\n d/e/ > b"));
    assert!(waits("> d/*.txt\n d/x.txt > b"));
    assert!(waits("> d/x.txt\n d/*.txt > b"));
    assert!(waits("> d/*.txt\n d/*.txt > b"));
    assert!(waits("> d/*.txt\n d/ > b"));
    assert!(waits("> d/e/\n d/* > b"));
    assert!(waits("> d/e/\n d/*/x > b"));
    assert!(waits("> d/e/x\n d/**/x > b"));
    assert!(!waits("> d/e/x\n d/* > b"));
    assert!(waits("> d/e\n d/e/ > b"));
    assert!(!waits("> de/\n d/* > b"));
    assert!(!waits("> de/x\n d/ > b"));
    assert!(!waits("> d/x.txt.gz\n d/*.txt > b"));
}

#[test]
fn every_mistake_is_told_at_once_and_names_tasks_and_paths() {
    let text = "> same\n > same\n > d/\n > d/x\n > g/*.c\n > g/y.c\n loop > loop\n two > one\n one > two\n > w w";
    assert_eq!(
        errors(text),
        [
            "`t0` and `t1` both write `same`",
            "`t9` lists the output `w` twice",
            "`t3` writes `d/x`, which the output `d/` of `t2` takes in",
            "`t5` writes `g/y.c`, which the output `g/*.c` of `t4` takes in",
            "`t6` reads `loop`, which its own output `loop` makes",
            "2 tasks wait for each other: t7 -> t8 -> t7",
        ]
    );
}

#[test]
fn a_pattern_that_cannot_be_read_is_a_mistake() {
    assert!(matches!(
        assemble(read("> d/[a\n b > c")).unwrap_err().as_slice(),
        [GraphError::BadPattern { path, .. }] if path == "d/[a"
    ));
}

#[test]
fn a_task_that_needs_itself_is_a_cycle_of_one() {
    let needs_itself = parts(&[(vec![], vec![], vec![0])]);
    let errors = assemble(needs_itself).unwrap_err();
    assert!(matches!(errors.as_slice(), [GraphError::Cycle { tasks }] if tasks.len() == 1));
}

#[test]
fn the_shortest_way_round_is_named_of_a_knot_with_many() {
    let ring = |n: u32| (0..n).map(move |i| (i + n - 1) % n);
    let mut tasks: Vec<_> = ring(50).map(|before| (vec![], vec![], vec![before])).collect();
    tasks[20].2.push(22);
    let errors = assemble(parts(&tasks)).unwrap_err();
    let [GraphError::Cycle { tasks }] = errors.as_slice() else { panic!("{errors:?}") };
    assert_eq!(tasks.iter().map(|t| t.task.0).collect::<Vec<_>>(), [20, 21, 22]);
}

#[test]
fn a_chain_of_100_000_closed_to_a_ring_and_a_fan_of_a_million_are_read() {
    let n = 100_000;
    let ring: Vec<_> = (0..n).map(|i| (vec![], vec![], vec![(i + n - 1) % n])).collect();
    let errors = assemble(parts(&ring)).unwrap_err();
    assert!(matches!(errors.as_slice(), [GraphError::Cycle { tasks }] if tasks.len() == 100_000));

    let mut fan = empty();
    fan.templates = vec![template("leaf"), template("gather")];
    fan.first_task = vec![0, 1_000_000, 1_000_001];
    (0..1_000_000).for_each(|_| fan.needs.push_row([]));
    fan.needs.push_row(0..1_000_000);
    assert_eq!(assemble(fan).unwrap().n_edges(), 1_000_000);
}

// ---- The oracle: every pair of paths, by the files that both may hold in a small world. ----

/// All paths of at most six components, each `a`, `b` or `ab`.
fn world() -> Vec<String> {
    let mut all: Vec<String> = ["a", "b", "ab"].map(str::to_owned).into();
    let mut last = all.clone();
    for _ in 0..5 {
        last = last.iter().flat_map(|p| ["a", "b", "ab"].map(|c| format!("{p}/{c}"))).collect();
        all.extend(last.iter().cloned());
    }
    all
}

fn holds(declared: &str, file: &str) -> bool {
    match FileKind::of(declared) {
        FileKind::File => declared == file,
        FileKind::Directory => file.starts_with(declared),
        FileKind::Glob => {
            let (glob, file): (Vec<_>, Vec<_>) =
                (declared.split('/').collect(), file.split('/').collect());
            matches_parts(&glob, &file)
        }
    }
}

fn matches_parts(glob: &[&str], file: &[&str]) -> bool {
    match (glob, file) {
        ([], []) => true,
        (["**"], rest) => !rest.is_empty(),
        (["**", tail @ ..], _) => (0..=file.len()).any(|skip| matches_parts(tail, &file[skip..])),
        ([first, tail @ ..], [name, rest @ ..]) => {
            matches_name(first.as_bytes(), name.as_bytes()) && matches_parts(tail, rest)
        }
        _ => false,
    }
}

fn matches_name(glob: &[u8], name: &[u8]) -> bool {
    match (glob, name) {
        ([], []) => true,
        ([b'*', tail @ ..], _) => (0..=name.len()).any(|skip| matches_name(tail, &name[skip..])),
        ([b'?', tail @ ..], [_, rest @ ..]) => matches_name(tail, rest),
        ([g, tail @ ..], [n, rest @ ..]) if g == n => matches_name(tail, rest),
        _ => false,
    }
}

fn connected(a: &str, b: &str, world: &[String]) -> bool {
    let (kind_a, kind_b) = (FileKind::of(a), FileKind::of(b));
    if a == b || (kind_a == FileKind::Glob && kind_b == FileKind::Glob) {
        return a == b;
    }
    // A directory itself counts as one of its files: `d/*` waits for the directory `d/e/`.
    let itself = |dir: &str, other: &str| {
        dir.ends_with('/') && !other.ends_with('/') && holds(other, dir.trim_end_matches('/'))
    };
    itself(a, b) || itself(b, a) || world.iter().any(|file| holds(a, file) && holds(b, file))
}

fn path() -> impl Strategy<Value = String> {
    let name = prop_oneof![Just("a"), Just("b"), Just("ab")];
    let part = prop_oneof![6 => name, 1 => Just("*"), 1 => Just("a*"), 1 => Just("*b"), 1 => Just("?"), 1 => Just("**")];
    (proptest::collection::vec(part, 1..4), any::<bool>()).prop_filter_map(
        "two `**` in a row say no more than one",
        |(parts, dir)| {
            let path = parts.join("/");
            let dir = dir && FileKind::of(&path) == FileKind::File;
            (!path.contains("**/**")).then(|| if dir { path + "/" } else { path })
        },
    )
}

type Tasks = Vec<(Vec<String>, Vec<String>, Vec<u32>)>;

fn some_tasks() -> impl Strategy<Value = Tasks> {
    let paths = |n| proptest::collection::vec(path(), 0..n);
    let needs = proptest::collection::vec(0_u32..8, 0..2);
    proptest::collection::vec((paths(3), paths(2), needs), 1..8).prop_map(|mut tasks| {
        let n = tasks.len() as u32;
        for task in &mut tasks {
            task.2.retain(|&need| need < n);
        }
        tasks
    })
}

/// What is wrong with the files, and the parents of each task, task by task.
fn oracle(tasks: &Tasks) -> (bool, Vec<Vec<u32>>) {
    let world = world();
    let mut clean = true;
    let mut all_parents = Vec::new();
    for (i, (inputs, outputs, needs)) in tasks.iter().enumerate() {
        let mut parents = needs.clone();
        for (j, (_, others, _)) in tasks.iter().enumerate() {
            let joined = |mine: &Vec<String>| {
                mine.iter().any(|a| others.iter().any(|b| connected(a, b, &world)))
            };
            clean &= i == j || !joined(outputs);
            clean &= i != j || !joined(inputs);
            if i != j && joined(inputs) {
                parents.push(j as u32);
            }
        }
        clean &= (1..outputs.len()).all(|k| !outputs[..k].contains(&outputs[k]));
        parents.sort_unstable();
        parents.dedup();
        all_parents.push(parents);
    }
    (clean, all_parents)
}

/// Takes away tasks whose parents are gone until nothing changes; true if nothing is left.
fn has_topological_order(parents: &[Vec<u32>]) -> bool {
    let mut done = vec![false; parents.len()];
    for _ in 0..parents.len() {
        for task in 0..parents.len() {
            done[task] |= parents[task].iter().all(|&p| p as usize != task && done[p as usize]);
        }
    }
    done.iter().all(|&done| done)
}

proptest! {
    #[test]
    fn the_graph_is_what_every_pair_of_paths_says(tasks in some_tasks()) {
        let (clean, expected) = oracle(&tasks);
        match assemble(parts(&tasks)) {
            Ok(workflow) => {
                prop_assert!(clean && has_topological_order(&expected));
                for (task, parents_of) in expected.iter().enumerate() {
                    prop_assert_eq!(&parents(&workflow, task as u32), parents_of);
                }
            }
            Err(errors) => {
                let cyclic = errors.iter().any(|e| matches!(e, GraphError::Cycle { .. }));
                let other = errors.iter().any(|e| !matches!(e, GraphError::Cycle { .. }));
                prop_assert_eq!(other, !clean);
                // With two writers of one path, it is not said which of them the reader waits for.
                prop_assert!(other || cyclic != has_topological_order(&expected));
            }
        }
    }

    #[test]
    fn a_named_cycle_is_one_and_no_shorter_one_goes_through_its_first_task(
        edges in proptest::collection::vec((0_u32..12, 0_u32..12), 0..30)
    ) {
        let mut tasks: Tasks = vec![Default::default(); 12];
        for &(from, to) in &edges {
            tasks[to as usize].2.push(from);
        }
        let errors = assemble(parts(&tasks)).err().unwrap_or_default();
        for error in errors {
            let GraphError::Cycle { tasks } = error else { panic!("{error}") };
            for (i, task) in tasks.iter().enumerate() {
                let next = tasks[(i + 1) % tasks.len()].task.0;
                prop_assert!(edges.contains(&(task.task.0, next)));
            }
            let mut reach = vec![tasks[0].task.0];
            for _ in 1..tasks.len() {
                reach = edges.iter().filter(|e| reach.contains(&e.0)).map(|e| e.1).collect();
                prop_assert!(!reach.contains(&tasks[0].task.0));
            }
        }
    }
}
