//! Status, event lines and dry runs, in the words that people see.

mod fake;

use engine::cause::FailureCause;
use engine::decision::{Decision, TaskDecision};
use fake::{Deed, Story, at};
use report::dry_run::{Detail, DryRun};
use report::status::Status;
use report::words;

const FLOW: &str = "
foreshard: 1
name: flow
tasks:
  count: {foreach: {x: [a, b]}, run: c, outputs: 'n/{x}', retries: {count: 1, backoff: 2s}}
  merge: {inputs: n/*, run: m, outputs: all}
";

fn story() -> Story {
    Story::of(FLOW, 2, |name, attempt| match (name, attempt) {
        ("count[b]", 1) => Deed::Fail(3.0, FailureCause::Exit(1)),
        ("merge", _) => Deed::Fail(1.0, FailureCause::Signal(11)),
        _ => Deed::Run(4.0),
    })
}

#[test]
fn every_event_is_a_line_of_words() {
    let story = story();
    let records = story.play();
    let said: Vec<String> = records
        .iter()
        .map(|r| {
            format!(
                "{:5.1} {}",
                r.at.since(fake::BEGIN).as_secs_f64(),
                words::line(&story.workflow, r)
            )
        })
        .collect();
    let expected = "\
0.0 run started: 3 tasks
  0.0 plan 1 adopted
  0.0 allocation a1 requested in zone z0
  0.0 allocation a1 up: 2 cpus, 64 GiB
  0.0 2 tasks granted to a1
  0.0 count[a] started
  0.0 count[b] started
  3.0 count[b] failed: exit code 1; tries again in 2.00s
  4.0 count[a] succeeded in 4.00s
  4.0 count[a] about to be published
  4.1 count[a] published
  5.0 count[b] can be tried again
  5.0 count[b] (try 2) granted to a1
  5.0 count[b] (try 2) started
  9.0 count[b] (try 2) succeeded in 4.00s
  9.0 count[b] (try 2) about to be published
  9.1 count[b] (try 2) published
  9.1 merge granted to a1
  9.1 merge started
 10.1 merge failed: killed by signal 11; no tries left
 10.1 allocation a1 ended
 10.1 run failed";
    assert_eq!(said.join("\n").trim_start(), expected);
}

#[test]
fn a_status_says_what_runs_and_what_failed() {
    let story = story();
    let records = story.play();
    let until: Vec<_> = records.iter().filter(|record| record.at <= at(6.0)).collect();
    let state =
        engine::RunState::replay(std::sync::Arc::clone(&story.workflow), until.iter().copied())
            .unwrap();
    let status = Status::of(&story.workflow, &state, until.last().copied(), at(7.5));
    assert_eq!(
        status.text(),
        "flow: running
1 of 3 done, 1 running, 1 waiting
  running count[b] (try 2) for 2.50s in a1.0
last event 14 at 2026-01-01 00:00:05 UTC: count[b] (try 2) started
"
    );
    let state = engine::RunState::replay(std::sync::Arc::clone(&story.workflow), &records).unwrap();
    let status = Status::of(&story.workflow, &state, records.last(), at(11.0));
    assert_eq!(status.phase, "failed");
    assert!(status.text().contains("  failed merge: killed by signal 11 (1 attempt)\n"));
    let json: serde_json::Value = serde_json::from_str(&status.json()).unwrap();
    assert_eq!(json["failed"][0]["task"]["name"], "merge");
    assert_eq!(json["last_event"]["seq"], 22);
}

fn decisions(workflow: &spec::Workflow) -> Vec<TaskDecision> {
    let decide = |name: &str, decision: Decision, why: &str| TaskDecision {
        task: workflow.find_task(name).expect("a task of the workflow"),
        decision,
        why: why.to_owned(),
    };
    vec![
        decide("count[a]", Decision::Reuse { run: "r1".to_owned() }, "unchanged"),
        decide("count[b]", Decision::Run, "the command changed"),
        decide("merge", Decision::Perhaps, "n/b will be made again"),
    ]
}

#[test]
fn a_dry_run_is_told_by_task_or_by_template() {
    let workflow = fake::workflow(FLOW);
    let decisions = decisions(&workflow);
    assert_eq!(
        DryRun::of(&workflow, &decisions, Detail::Auto).text(),
        "\
reuse    count[a]  unchanged (run r1)
run      count[b]  the command changed
perhaps  merge     n/b will be made again
3 tasks: 1 to run, 1 perhaps, 1 to reuse
"
    );
    assert_eq!(
        DryRun::of(&workflow, &decisions, Detail::Templates).text(),
        "\
count: 1 to run, 1 to reuse
    1 task: the command changed
merge: 0 to run, 1 perhaps, 0 to reuse
    1 task: n/b will be made again
3 tasks: 1 to run, 1 perhaps, 1 to reuse
"
    );
    let json: serde_json::Value =
        serde_json::from_str(&DryRun::of(&workflow, &decisions, Detail::Auto).json()).unwrap();
    assert_eq!(json["total"]["run"], 1);
    assert_eq!(json["tasks"][0]["reuse_of"], "r1");
}
