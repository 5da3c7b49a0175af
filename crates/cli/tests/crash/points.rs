//! Every point: before and after each journal write and each rename, with and without the loss
//! of what was not synced.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use crate::lab::{Ended, Lab, kill, run_after_publish, until};

/// Thirty tasks with fan-out, retries, directory and glob outputs, gathering, and one failure.
const WORKFLOW: &str = r#"
foreshard: 1
name: crash
tasks:
  seed:
    run: echo {task} >> "$DIARY"; seq 1 40 > {outputs}
    outputs: out/seed
  part:
    foreach: {i: {from: 1, to: 10}}
    run: echo {task} >> "$DIARY"; sed -n '{i}~10p' {inputs} > {outputs}
    inputs: out/seed
    outputs: out/part/{i}
  flaky:
    foreach: {i: {from: 1, to: 4}}
    run: |
      echo {task} >> "$DIARY"
      [ {attempt} -gt 1 ] || exit 7
      sed s/^/flaky/ {inputs} > {outputs}
    inputs: out/part/{i}
    outputs: out/flaky/{i}
    retries: {count: 2, backoff: 5ms}
  folder:
    foreach: {i: [a, b]}
    run: |
      echo {task} >> "$DIARY"
      mkdir -p {outputs}/deep && for n in 1 2 3; do echo {i}$n > {outputs}/deep/$n; done
    outputs: out/folder-{i}/
  globbed:
    run: echo {task} >> "$DIARY"; for n in x y z; do echo $n > out/glob/$n.txt; done
    outputs: out/glob/*.txt
  quiet:
    foreach: {i: {from: 1, to: 7}}
    run: echo {task} >> "$DIARY"
    needs: seed
  broken:
    run: echo {task} >> "$DIARY"; exit 3
    needs: seed
  after_broken:
    run: echo {task} >> "$DIARY"
    needs: broken
  gather:
    run: echo {task} >> "$DIARY"; cat {inputs} > {outputs}
    inputs: [out/part/*, out/flaky/*, out/glob/*.txt]
    outputs: out/gathered
  last:
    foreach: {i: [a, b]}
    run: echo {task} >> "$DIARY"; cat {inputs[0]}/deep/* {inputs[1]} > {outputs}
    inputs: ["out/folder-{i}/", out/gathered]
    outputs: out/last-{i}
"#;

const N_TASKS: usize = 30;

/// Trials side by side: they wait for the disk and for each other's pauses more than they compute.
const N_AT_ONCE: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    /// The process dies, its keeper and its tasks live on.
    Kill,
    /// The machine dies: what was not synced is gone, and so are all processes.
    PowerLoss,
}

/// Tasks that are discovered, none of them known when the run begins, and tasks that are emitted by
/// emitted tasks.
const GROWING: &str = r#"
foreshard: 1
name: growing
tasks:
  split:
    run: echo {task} >> "$DIARY"; for i in 1 2; do echo $i > out/chunks/$i; done
    outputs: out/chunks/*
  count:
    foreach: {files: "out/chunks/{chunk}", from: split}
    run: echo {task} >> "$DIARY"; wc -l < {inputs} > {outputs}
    inputs: out/chunks/{chunk}
    outputs: out/counts/{chunk}
  sum:
    run: echo {task} >> "$DIARY"; cat {inputs} > {outputs}
    inputs: {outputs_of: count}
    outputs: out/sum
  plan:
    run: |
      echo {task} >> "$DIARY"
      printf 'foreshard: 1\ntasks:\n' > {outputs}
      for x in a b; do
        printf '  letter-%s:\n    run: |\n' $x
        printf '      echo {{task}} >> "$DIARY"\n'
        printf '      printf "{foreshard: 1, tasks: {number-%s: {outputs: out/number-%s, run: echo %s > out/number-%s}}}" > {{outputs}}\n' $x $x $x $x
        printf '    emits: out/more-%s.yaml\n' $x
      done >> {outputs}
    emits: out/more.yaml
  all:
    run: echo {task} >> "$DIARY"; cat out/number-* > {outputs}
    needs: plan
    inputs: out/number-*
    outputs: out/all
"#;

/// What is run, and how it ends.
struct Story {
    workflow: &'static str,
    code: i32,
    tree: BTreeMap<std::path::PathBuf, Vec<u8>>,
    runs: BTreeMap<String, usize>,
}

#[test]
fn a_crash_at_any_point_leaves_the_same_files_and_runs_nothing_published_again() {
    let (story, points) = without_a_crash(WORKFLOW, 1);
    assert_eq!(story.runs.values().sum::<usize>(), N_TASKS - 1 + 4, "{:?}", story.runs);
    assert!(points.keys().any(|point| point.contains("publish")), "{points:?}");
    crash_everywhere(&story, &points);
}

#[test]
fn a_crash_at_any_point_of_a_growing_run_leaves_the_same_files_and_the_same_tasks() {
    let (story, points) = without_a_crash(GROWING, 0);
    assert_eq!(story.runs.len(), 8, "{:?}", story.runs);
    crash_everywhere(&story, &points);
}

fn without_a_crash(workflow: &'static str, code: i32) -> (Story, BTreeMap<String, u64>) {
    let clean = Lab::new(workflow);
    let counts = clean.dir_file("counts");
    let ended = run(&clean, &[("FORESHARD_CRASH_COUNT", counts.to_str().unwrap())]);
    assert_eq!(ended.status.code(), Some(code), "{}", ended.stderr);
    let points = journal::fault::hits(Path::new(&counts)).unwrap();
    assert!(points.keys().any(|point| point.contains("journal")), "{points:?}");
    let (tree, runs) = (clean.tree(), clean.runs_by_task());
    (Story { workflow, code, tree, runs }, points)
}

fn crash_everywhere(story: &Story, points: &BTreeMap<String, u64>) {
    let trials: Vec<(String, Crash)> = points
        .iter()
        .flat_map(|(point, &n)| (1..=n).map(move |hit| format!("{point}:{hit}")))
        .flat_map(|at| [(at.clone(), Crash::Kill), (at, Crash::PowerLoss)])
        // A sync changes nothing for a process that dies while the machine lives on.
        .filter(|(at, crash)| *crash == Crash::PowerLoss || !at.contains("sync"))
        .collect();
    println!("{} crashes at {points:?}", trials.len());

    let todo = Mutex::new(trials.into_iter());
    let next = || todo.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..N_AT_ONCE {
            scope.spawn(|| {
                while let Some((at, crash)) = next() {
                    crash_and_resume(&at, crash, story);
                }
            });
        }
    });
}

fn crash_and_resume(at: &str, crash: Crash, expected: &Story) {
    let lab = Lab::new(expected.workflow);
    let power = if crash == Crash::PowerLoss { "1" } else { "0" };
    let ended = run(&lab, &[("FORESHARD_CRASH_AT", at), ("FORESHARD_CRASH_POWER", power)]);
    let context = || format!("{crash:?} at {at}: {}", ended.stderr);
    if ended.status.code().is_none() {
        if crash == Crash::PowerLoss {
            kill_everything(&lab);
        }
        let resumed = lab.call(&["resume"], &[]);
        let code = resumed.status.code();
        assert_eq!(code, Some(expected.code), "{}, then resumed: {}", context(), resumed.stderr);
    } else {
        // Writes are grouped by what happens to come together: this run had fewer of them.
        assert_eq!(ended.status.code(), Some(expected.code), "{}", context());
    }
    assert_eq!(lab.tree(), expected.tree, "{}", context());
    let records = lab.records();
    assert_eq!(run_after_publish(&records), [], "{}", context());
    lab.replay();
    if crash == Crash::Kill {
        assert_eq!(lab.runs_by_task(), expected.runs, "a task ran twice: {}", context());
    }
}

/// What the loss of power does to the processes of a run.
fn kill_everything(lab: &Lab) {
    let run = lab.run_dir().map(|dir| dir.file_name().unwrap().to_string_lossy().into_owned());
    for pid in lab.keepers() {
        kill(pid);
        until("a killed keeper is gone", || !Path::new(&format!("/proc/{pid}")).exists());
    }
    if let Some(run) = run {
        for allocation in 1..=3 {
            runner::process::kill_allocation(&run, engine::AllocationId(allocation));
        }
    }
}

fn run(lab: &Lab, environment: &[(&str, &str)]) -> Ended {
    lab.call(&["run", "workflow.yaml", "--jobs", "2"], environment)
}
