//! `sweep` and `flaky`: what any machine can run in a second.

use std::collections::BTreeSet;

use crate::copy::{Copy, site};

/// Method, steps, error, order.
fn table(text: &str) -> Vec<(String, u32, f64, Option<f64>)> {
    let row = |line: &str| {
        let [method, steps, error, order] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        (method.to_owned(), steps.parse().unwrap(), error.parse().unwrap(), order.parse().ok())
    };
    text.lines().skip(1).map(row).collect()
}

#[test]
fn the_sweep_finds_the_order_of_each_method_and_is_not_run_again() {
    let sweep = Copy::of("sweep");
    let ended = sweep.foreshard(&["run", "workflow.yaml"]).with(0);
    assert_eq!(ended.tasks_that("started").len(), 13);
    let rows = table(&sweep.read("out/table.txt"));
    assert_eq!(rows.len(), 12);
    for (method, expected) in [("euler", 1.0), ("midpoint", 2.0), ("rk4", 4.0)] {
        let found = rows.iter().find(|row| row.0 == method && row.1 == 400).unwrap();
        let order = found.3.expect("the finest row has an order");
        assert!((order - expected).abs() < 0.1, "{found:?}");
    }
    let again = sweep.foreshard(&["run", "workflow.yaml"]).with(0);
    assert_eq!(again.tasks_that("started"), BTreeSet::new());
    assert_eq!(again.tasks_that("reused").len(), 13);
}

#[test]
fn a_parameter_of_the_sweep_changes_all_that_reads_it() {
    let sweep = Copy::of("sweep");
    sweep.foreshard(&["run", "workflow.yaml"]).with(0);
    let two_turns = sweep.read("out/table.txt");
    let ended = sweep.foreshard(&["run", "workflow.yaml", "--param", "turns=5"]).with(0);
    assert_eq!(ended.tasks_that("started").len(), 13);
    let five_turns = sweep.read("out/table.txt");
    for (two, five) in table(&two_turns).iter().zip(table(&five_turns)) {
        assert!(two.2 < five.2, "errors grow with time: {two:?} {five:?}");
    }
}

#[test]
fn both_zones_of_the_example_site_get_work_of_the_sweep() {
    let sweep = Copy::of("sweep");
    sweep.foreshard(&["run", "workflow.yaml", "--site", &site()]).with(0);
    assert_eq!(table(&sweep.read("out/table.txt")).len(), 12);
    let exported = sweep.foreshard(&["export"]).with(0).out;
    let exported: serde_json::Value = serde_json::from_str(&exported).unwrap();
    let executed = exported["workflow"]["execution"]["tasks"].as_array().unwrap();
    assert_eq!(executed.len(), 13);
    let hosts: BTreeSet<&str> =
        executed.iter().map(|task| task["machines"][0].as_str().unwrap()).collect();
    assert_eq!(hosts, BTreeSet::from(["spot-1", "steady-1"]));
}

#[test]
fn failures_hold_back_only_what_depends_on_them_and_only_they_run_again() {
    let flaky = Copy::of("flaky");
    let check = || {
        let made = ["both.txt", "recovers.txt", "steady.txt"];
        assert_eq!(flaky.list("out"), made, "what failed leaves nothing");
        assert_eq!(flaky.read("out/both.txt"), "all is well\nsucceeded on try 2\n");
    };
    let ended = flaky
        .foreshard(&["run", "workflow.yaml"])
        .with(1)
        .says("broken: exit code 3; 1 task could not run\n  | cannot find the moon\n")
        .says("slow: ran longer than its timeout of 500ms\n")
        .says("forgetful: declared outputs are missing: out/forgotten.txt\n")
        .says("failed: 3 of 7 tasks done, 3 failed, 1 could not run");
    let second_tries = BTreeSet::from(["broken (try 2)", "recovers (try 2)"]);
    let first_tries = BTreeSet::from(["both", "broken", "forgetful", "recovers", "slow", "steady"]);
    assert_eq!(ended.tasks_that("started"), &first_tries | &second_tries);
    check();

    let again = flaky.foreshard(&["run", "workflow.yaml"]).with(1);
    assert_eq!(again.tasks_that("reused"), BTreeSet::from(["both", "recovers", "steady"]));
    let failed = BTreeSet::from(["broken", "broken (try 2)", "forgetful", "slow"]);
    assert_eq!(again.tasks_that("started"), failed);
    check();
}
