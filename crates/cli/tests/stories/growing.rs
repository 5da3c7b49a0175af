//! Runs whose graphs grow: fan-outs over files that a task made, tasks that tasks emit.

use crate::stage::{Stage, times_run};

/// A text is cut into chunks, each chunk counted, the counts added up.
const SPLIT: &str = r#"
foreshard: 1
name: split
params: {chunks: 3}
tasks:
  split:
    run: |
      i=0
      while [ $i -lt {params.chunks} ]; do
        seq 1 $((i + 1)) > chunks/part-$i
        i=$((i + 1))
      done
    outputs: chunks/part-*
  count:
    foreach: {files: "chunks/part-{part}", from: split}
    run: wc -l < {inputs} > {outputs}; echo {part} >> {project}/ran
    inputs: chunks/part-{part}
    outputs: counts/{part}
  sum:
    run: cat /dev/null {inputs} | awk '{s += $1} END {print s + 0}' > {outputs}
    inputs: {outputs_of: count}
    outputs: sum.txt
"#;

fn split(chunks: u32) -> (Stage, String) {
    let stage = Stage::with(&[("w.yaml", SPLIT)]);
    (stage, format!("chunks={chunks}"))
}

#[test]
fn a_task_decides_how_many_tasks_follow_none_is_an_answer() {
    for chunks in [0, 1, 7] {
        let (stage, param) = split(chunks);
        let told = stage.foreshard(&["run", "w.yaml", "--param", &param]).ends(0);
        let tasks = if chunks == 1 { "task" } else { "tasks" };
        told.says(&format!("split adds {chunks} {tasks}"));
        assert_eq!(stage.read("sum.txt").trim(), (chunks * (chunks + 1) / 2).to_string());
        stage.foreshard(&["report"]).ends(0).prints("sum");
        stage.foreshard(&["status"]).ends(0);
    }
}

#[test]
fn a_plan_says_what_is_not_known_yet_and_how_it_was_before() {
    let (stage, param) = split(2);
    let unknown = "count: one task for each chunks/part-* of split; how many is not known";
    stage.foreshard(&["plan", "w.yaml"]).ends(0).prints(unknown);
    stage.foreshard(&["run", "w.yaml", "--param", &param]).ends(0);
    stage.foreshard(&["plan", "w.yaml"]).ends(0).prints("of split; 2 in earlier runs");
    let plan = stage.foreshard(&["plan", "w.yaml", "--json"]).ends(0).json();
    assert_eq!(
        (&plan["to_come"][0]["by"], &plan["to_come"][0]["known"]),
        (&"split".into(), &2.into())
    );
    stage.foreshard(&["graph", "w.yaml"]).ends(0).prints("split");
}

#[test]
fn what_was_discovered_is_not_run_again_and_only_a_new_chunk_is() {
    let (stage, param) = split(3);
    stage.foreshard(&["run", "w.yaml", "--param", &param]).ends(0);
    stage.foreshard(&["run", "w.yaml", "--param", &param]).ends(0).says("5 tasks, all unchanged");
    assert_eq!(times_run(&stage.path("ran")), 3);
    stage.foreshard(&["run", "w.yaml", "--param", "chunks=4"]).ends(0);
    assert_eq!(times_run(&stage.path("ran")), 4, "three chunks are as they were");
    assert_eq!(stage.read("sum.txt").trim(), "10");
}

#[test]
fn a_target_that_is_still_to_come_brings_what_it_comes_from_and_nothing_behind_it() {
    let (stage, param) = split(2);
    stage.foreshard(&["run", "w.yaml", "--param", &param, "count"]).ends(0).says("3 tasks");
    assert!(stage.has("counts/1") && !stage.has("sum.txt"));
    let (stage, param) = split(2);
    stage.foreshard(&["run", "w.yaml", "--param", &param, "split"]).ends(0).says("1 task");
    assert!(stage.has("chunks/part-1") && !stage.has("counts/1"));
}

/// Two levels: `plan` emits a task for each letter, each of which emits one for each number.
const EMIT: &str = r#"
foreshard: 1
name: emit
tasks:
  plan:
    run: |
      printf 'foreshard: 1\ntasks:\n' > {outputs}
      for x in a b; do
        printf '  letter-%s:\n    argv: [sh, "%s", "%s"]\n    emits: more/%s.yaml\n' \
          $x '{{project}}/letter.sh' $x $x >> {outputs}
      done
    emits: more/top.yaml
  sum:
    run: cat results/* > {outputs}
    needs: plan
    inputs: results/*
    outputs: sum.txt
"#;

const LETTER: &str = r#"
printf 'foreshard: 1\ntasks:\n' > more/$1.yaml
for n in 1 2 3; do
  printf '  number-%s%s: {run: "echo %s%s > results/%s%s", outputs: results/%s%s}\n' \
    $1 $n $1 $n $1 $n $1 $n >> more/$1.yaml
done
"#;

#[test]
fn tasks_emit_tasks_that_emit_tasks() {
    let stage = Stage::with(&[("w.yaml", EMIT), ("letter.sh", LETTER)]);
    let told = stage.foreshard(&["run", "w.yaml"]).ends(0);
    told.says("plan adds 2 tasks").says("letter-a adds 3 tasks").says("succeeded: 10 tasks");
    assert_eq!(stage.read("sum.txt").split_whitespace().count(), 6);
    stage.foreshard(&["run", "w.yaml"]).ends(0).says("10 tasks, all unchanged");
}

#[test]
fn a_growth_that_cannot_be_is_a_failure_of_its_task_and_says_where() {
    let bad = "\
foreshard: 1
tasks:
  gen:
    run: |
      printf 'foreshard: 1\\ntasks:\\n  x: {rum: y}\\n' > {outputs}
    emits: more.yaml
";
    let stage = Stage::with(&[("w.yaml", bad)]);
    let told = stage.foreshard(&["run", "w.yaml"]).ends(1);
    told.says("adds tasks that cannot be added: line 3").says("did you mean `run`?");
    assert!(!stage.has("more.yaml"), "nothing of it is published");
}
