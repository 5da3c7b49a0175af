//! `qc`, `plots` and `etl`: what `docs/coming_from.md` shows beside other systems.

use std::collections::{BTreeMap, BTreeSet};

use crate::copy::{Copy, can_use};

fn ported(example: &str) -> Option<Copy> {
    can_use(&["python3"]).then(|| Copy::of(example))
}

fn names<'a>(all: &BTreeSet<&'a str>) -> BTreeMap<&'a str, usize> {
    let mut templates = BTreeMap::new();
    for task in all {
        *templates.entry(task.split('[').next().unwrap()).or_default() += 1;
    }
    templates
}

/// By sample and stage: how many reads.
fn reads(table: &str) -> BTreeMap<(String, String), usize> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        ((cells[0].to_owned(), cells[1].to_owned()), cells[2].parse().unwrap())
    };
    table.lines().skip(1).map(row).collect()
}

#[test]
fn quality_control_finds_its_samples_and_a_new_one_is_all_that_runs() {
    let Some(qc) = ported("qc") else { return };
    let ended = qc.foreshard(&["run", "workflow.yaml"]).with(0);
    let started = ended.tasks_that("started");
    let each = [("report", 1), ("samples", 1), ("stats", 3), ("stats_trimmed", 3), ("trim", 3)];
    assert_eq!(names(&started), BTreeMap::from(each));
    let table = reads(&qc.read("out/report.tsv"));
    assert_eq!(table.len(), 6);
    for sample in ["ant", "bee", "fly"] {
        let of = |stage: &str| table[&(sample.to_owned(), stage.to_owned())];
        assert_eq!(of("raw"), qc.read(&format!("reads/{sample}.fastq")).lines().count() / 4);
        assert!(of("trimmed") <= of("raw"));
    }
    assert!(table[&("fly".to_owned(), "trimmed".to_owned())] < 30, "the worst reads are dropped");

    std::fs::copy(qc.path("reads/bee.fastq"), qc.path("reads/cow.fastq")).unwrap();
    let ended = qc.foreshard(&["run", "workflow.yaml"]).with(0);
    let started = ended.tasks_that("started");
    let new = ["report", "samples", "stats[cow]", "stats_trimmed[cow]", "trim[cow]"];
    assert_eq!(started, BTreeSet::from(new));
    let table = reads(&qc.read("out/report.tsv"));
    let of = |sample: &str| table[&(sample.to_owned(), "trimmed".to_owned())];
    assert_eq!(of("cow"), of("bee"));
}

#[test]
fn a_sweep_draws_each_pair_and_more_seeds_run_what_is_new() {
    let Some(plots) = ported("plots") else { return };
    let ended = plots.foreshard(&["run", "workflow.yaml"]).with(0);
    let each = BTreeMap::from([("curves", 9), ("heat", 1), ("simulate", 27)]);
    assert_eq!(names(&ended.tasks_that("started")), each);
    assert_eq!(plots.list("out/curves").len(), 9);
    let curves = |plots: &Copy| plots.read("out/curves/0.4-0.5.svg").matches("<polyline").count();
    assert_eq!(curves(&plots), 1 + 3, "the axes, and a curve for each seed");
    assert_eq!(plots.read("out/heat.svg").matches("fill=\"rgb(").count(), 9);
    let ended = plots.foreshard(&["run", "workflow.yaml", "--param", "seeds=4"]).with(0);
    let each = BTreeMap::from([("curves", 9), ("heat", 1), ("simulate", 9)]);
    assert_eq!(names(&ended.tasks_that("started")), each);
    assert_eq!(ended.tasks_that("reused").len(), 27);
    assert_eq!(curves(&plots), 1 + 4);
}

/// By good: pieces, and what they cost in all.
fn summary(table: &str) -> BTreeMap<String, (i64, f64)> {
    let row = |line: &str| {
        let [good, pieces, euros] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        (good.to_owned(), (pieces.parse().unwrap(), euros.parse().unwrap()))
    };
    table.lines().skip(1).map(row).collect()
}

/// The same, from what the orders say.
fn expected(etl: &Copy) -> (BTreeMap<String, (i64, f64)>, usize) {
    let (mut sums, mut n_bad) = (BTreeMap::<String, (i64, f64)>::new(), 0);
    for month in etl.list("orders") {
        for line in etl.read(&format!("orders/{month}")).lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            match (cells[1].starts_with("2031-"), cells[3].parse::<i64>(), cells[4].parse::<f64>())
            {
                (true, Ok(pieces), Ok(price)) => {
                    let sum = sums.entry(cells[2].to_owned()).or_default();
                    *sum = (sum.0 + pieces, sum.1 + price * f64::from(pieces as i32));
                }
                _ => n_bad += 1,
            }
        }
    }
    (sums, n_bad)
}

#[test]
fn a_step_that_depends_on_a_parameter_takes_the_place_of_another() {
    let Some(etl) = ported("etl") else { return };
    let ended = etl.foreshard(&["run", "workflow.yaml"]).with(0);
    let each = BTreeMap::from([("audit", 1), ("clean", 3), ("keep", 3), ("load", 1)]);
    assert_eq!(names(&ended.tasks_that("started")), each);
    let (sums, n_bad) = expected(&etl);
    let in_euros = summary(&etl.read("out/summary.tsv"));
    assert_eq!(in_euros.keys().collect::<Vec<_>>(), sums.keys().collect::<Vec<_>>());
    for (good, (pieces, euros)) in &in_euros {
        assert!(*pieces == sums[good].0 && (euros - sums[good].1).abs() < 0.01, "{good}");
    }
    assert_eq!(etl.read("out/audit.tsv").lines().count(), n_bad);

    let words = ["run", "workflow.yaml", "--params-file", "abroad.params.yaml"];
    let ended = etl.foreshard(&words).with(0);
    let each = BTreeMap::from([("convert", 3), ("load", 1)]);
    assert_eq!(names(&ended.tasks_that("started")), each);
    for (good, (_, euros)) in summary(&etl.read("out/summary.tsv")) {
        assert!((euros - 0.92 * in_euros[&good].1).abs() < 0.5, "{good}");
    }
    let why = etl.foreshard(&["why", "keep"]).with(0).out;
    assert!(why.contains("`when: params.currency == \"EUR\"` does not hold"), "{why}");
}

#[test]
fn the_page_for_newcomers_shows_what_the_examples_hold() {
    let page = include_str!("../../../../docs/coming_from.md");
    let held = [
        include_str!("../../../../examples/qc/workflow.yaml"),
        include_str!("../../../../examples/plots/workflow.yaml"),
        include_str!("../../../../examples/etl/workflow.yaml"),
    ];
    let without_comment = |line: &str| line.split(" #").next().unwrap().trim_end().to_owned();
    let shown: Vec<&str> = page.split("```yaml\n").skip(1).collect();
    assert_eq!(shown.len(), held.len());
    for (shown, held) in shown.iter().zip(held) {
        let held: BTreeSet<String> = held.lines().map(without_comment).collect();
        for line in shown.split("```").next().unwrap().lines() {
            assert!(held.contains(line), "`{line}` is not in the example");
        }
    }
}
