//! Afterwards, and meanwhile: why a task ran, what it was told to run, what failed.

use crate::stage::{Stage, Told};

const FLOW: &str = "\
foreshard: 1
name: flow
params: {top: 2}
tasks:
  count:
    foreach: {text: [a, b]}
    run: wc -w < {inputs} > {outputs}
    inputs: texts/{text}.txt
    outputs: counts/{text}.txt
    env: {LANG: C}
  merge:
    run: sort -rn {inputs} | head -n {params.top} > {outputs}
    inputs: counts/*
    outputs: top.txt
  bad:
    run: |
      for i in 1 2 3 4 5; do echo \"line $i\"; done
      echo 'cannot find the moon' >&2
      exit 3
    retries: {count: 1, backoff: 1ms}
    outputs: bad.txt
  after: {run: 'cp {inputs} {outputs}', inputs: bad.txt, outputs: after.txt}
";

fn flow() -> Stage {
    let stage = Stage::with(&[("texts/a.txt", "one two three\n"), ("texts/b.txt", "one two\n")]);
    stage.write("w.yaml", FLOW);
    stage
}

#[test]
fn a_task_tells_why_it_ran_or_did_not_have_to_or_could_not() {
    let stage = flow();
    stage.foreshard(&["run", "w.yaml"]).ends(1);
    let why = |task| stage.foreshard(&["why", task]).ends(0);
    why("count[a]").prints("it has not been run before").prints("try 1").prints("wc -w <");
    why("bad").prints("exit code 3, and no tries are left").prints("try 2");
    why("after").prints("it needs bad, which failed: exit code 3");
    why("count").prints("2 tasks ran: it has not been run before");
    stage.write("texts/b.txt", "one\n");
    let again = stage.foreshard(&["run", "w.yaml", "-p", "top=1"]);
    again.ends(1);
    why("count[a]").prints("did not have to run: nothing changed since run");
    why("count[b]").prints("texts/b.txt changed");
    why("merge").prints("its command changed").prints("parameter top: 2 -> 1");
    let told = stage.foreshard(&["why", "merge", "--json"]).ends(0).json();
    assert_eq!(told["state"], "published");
    assert_eq!(told["tries"].as_array().unwrap().len(), 1);
    assert!(told["record"]["command"]["shell"].as_str().unwrap().contains("head -n 1 > top.txt"));
    assert_eq!(told["record"]["environment"]["PARAM_top"], "1");
    stage.write("w.yaml", &FLOW.replace("env: {", "env_from: [FLOW_LOCALE]\n    env: {"));
    stage.foreshard(&["run", "w.yaml", "count"]).ends(0);
    let mut run = stage.command(&["run", "w.yaml", "count"]);
    run.env("FLOW_LOCALE", "C");
    Told::of(run).ends(0);
    why("count[a]").prints("the environment it names changed").prints("FLOW_LOCALE");
    stage.foreshard(&["why", "mrege"]).ends(2).says("did you mean `merge`?");
}

#[test]
fn a_task_tells_before_a_run_what_would_become_of_it() {
    let stage = flow();
    stage.foreshard(&["why", "merge"]).ends(2).says("`foreshard why merge --plan FILE`");
    let plan = |words: &[&str]| {
        let words = [&["why", "merge", "--plan", "w.yaml"], words].concat();
        stage.foreshard(&words).ends(0)
    };
    plan(&[]).prints("merge would run: it has not been run before");
    stage.foreshard(&["run", "w.yaml", "merge"]).ends(0);
    plan(&[]).prints("merge would not run: unchanged since run");
    plan(&["-p", "top=1"]).prints("merge would run: its command changed");
    assert_eq!(plan(&["--json"]).json()["decision"], "reuse");
}

#[test]
fn a_task_that_waits_tells_what_for() {
    let stage = Stage::with(&[(
        "w.yaml",
        "\
foreshard: 1
tasks:
  slow: {run: 'until test -e {project}/go; do sleep 0.02; done; echo > {outputs}', outputs: slow.txt}
  next: {run: 'cp {inputs} {outputs}', inputs: slow.txt, outputs: next.txt}
  last: {run: 'cp {inputs} {outputs}', inputs: next.txt, outputs: last.txt}
  wide: {run: 'true', resources: {cpus: 2}, priority: -1}
",
    )]);
    let mut run = stage.begin(&["run", "w.yaml", "-j", "2"]);
    run.wait_for("attempt_started");
    let why = |task| stage.foreshard(&["why", task]).ends(0);
    why("slow").prints("slow runs");
    why("last")
        .prints("waits for")
        .prints("next (waiting)")
        .prints("held up by")
        .prints("slow (running");
    why("wide").prints("asks for 2 cpus; of 2 cpus").prints("1 cpus");
    stage.write("go", "");
    assert_eq!(run.end(), Some(0));
}

#[test]
fn what_failed_is_shown_with_its_last_lines_and_what_was_run_as_a_script() {
    let stage = flow();
    stage.foreshard(&["run", "w.yaml"]).ends(1);
    let failed = stage.foreshard(&["logs", "--failed", "--tail", "1"]).ends(0);
    let expected = "\
==> bad, try 2, stdout: exit code 3 <==
line 5
==> bad, try 2, stderr: exit code 3 <==
cannot find the moon
";
    assert_eq!(failed.out, expected);
    stage.foreshard(&["logs", "--failed", "count"]).ends(0).says("no task");
    let script = stage.foreshard(&["logs", "--command", "count[b]"]).ends(0);
    let script =
        script.prints("# count[b], try 1").prints("export PARAM_text=b").prints("export LANG=C");
    script.prints("wc -w < texts/b.txt > counts/b.txt");
    stage.foreshard(&["logs", "--command", "after"]).ends(0).prints("it was not started");
    let told = stage.foreshard(&["logs", "--failed", "--json", "--attempt", "1"]).ends(0).json();
    assert_eq!(told[0]["end"], "failed: exit code 3");
    assert_eq!(told[0]["stderr"], "cannot find the moon\n");
    assert_eq!(told[0]["attempt"], 1);
}
