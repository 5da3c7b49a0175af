//! Random real kills under load.

use crate::lab::{Lab, kill, run_after_publish, until, wait};
use std::path::Path;

/// Forty tasks of some ten milliseconds each, in two layers.
const WORKFLOW: &str = r#"
foreshard: 1
name: kills
tasks:
  first:
    foreach: {i: {from: 1, to: 20}}
    run: echo {task} >> "$DIARY"; sleep 0.0{i}; echo {i} > {outputs}
    outputs: out/first/{i}
  second:
    foreach: {i: {from: 1, to: 20}}
    run: echo {task} >> "$DIARY"; sleep 0.02; cat {inputs} > {outputs}
    inputs: out/first/{i}
    outputs: out/second/{i}
"#;

const N_TASKS: usize = 40;
const N_KILLS: u64 = 20;

#[test]
fn tasks_outlive_a_killed_orchestrator_and_are_adopted_not_doubled() {
    let mut harvested = 0;
    for trial in 0..N_KILLS {
        let lab = Lab::new(WORKFLOW);
        let mut child = lab.start(&["run", "workflow.yaml", "--jobs", "2"]);
        // A different moment each time: after some number of tasks have told that they ran.
        let moment = (trial * 7919 % 38) as usize;
        until("enough tasks have run", || lab.runs_by_task().len() > moment);
        child.kill().unwrap();
        wait(&mut child);
        let known = lab.records().len();
        let ended = lab.call(&["resume"], &[]);
        assert_eq!(ended.status.code(), Some(0), "trial {trial}: {}", ended.stderr);
        let runs = lab.runs_by_task();
        assert_eq!(runs.len(), N_TASKS, "trial {trial}");
        assert!(runs.values().all(|&n| n == 1), "trial {trial}: a task ran twice: {runs:?}");
        assert_eq!(run_after_publish(&lab.records()), []);
        assert_eq!(lab.tree().len(), N_TASKS + 1);
        harvested += usize::from(lab.records().len() > known);
    }
    assert!(harvested > 0, "every kill came too late to matter");
}

#[test]
fn tasks_die_with_their_keeper_and_run_again_without_using_their_retries() {
    for trial in 0..5_usize {
        let lab = Lab::new(WORKFLOW);
        let mut child = lab.start(&["run", "workflow.yaml", "--jobs", "2"]);
        until("enough tasks have run", || lab.runs_by_task().len() > trial * 7 + 1);
        let keeper = *lab.keepers().last().expect("a keeper");
        kill(keeper);
        // `retries` is 0: one failure of a task's own would end it.
        assert_eq!(wait(&mut child).code(), Some(0), "trial {trial}");
        assert!(!Path::new(&format!("/proc/{keeper}")).exists());
        let state = lab.replay();
        assert!(state.failures().is_empty());
        assert_eq!(lab.tree().len(), N_TASKS + 1);
        assert_eq!(run_after_publish(&lab.records()), []);
        assert!(lab.keepers().len() >= 2, "the run went on in a new allocation");
    }
}
