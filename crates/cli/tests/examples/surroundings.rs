//! `variants` again: each tool in a root file system of its own, and each loaded by lines before
//! its command.

use std::process::Command;

use crate::copy::{Copy, Ended, can_use};

const TOOLS: [&str; 5] = [
    "bowtie2-align-s",
    "bowtie2-build-s",
    "samtools",
    "bcftools",
    "/usr/share/doc/bowtie2/examples/reads",
];

#[test]
fn variant_calling_finds_the_same_in_images_and_with_setup_lines() {
    if !can_use(&TOOLS) {
        return;
    }
    let plain = Copy::of("variants");
    plain.foreshard(&["run", "workflow.yaml"]).with(0);
    let records = vcf_records(&plain);
    assert!(records.len() > 50, "{}", records.len());

    let set_up = Copy::of("variants");
    make_roots(&set_up);
    set_up.foreshard(&["run", "with-setup.yaml"]).with(0);
    assert_eq!(vcf_records(&set_up), records);

    if !can_use(&["bwrap"]) || !can_isolate() {
        return;
    }
    let inside = Copy::of("variants");
    make_roots(&inside);
    let run = ["run", "in-images.yaml", "--site", "site.yaml"];
    inside.foreshard(&run).with(0);
    assert_eq!(vcf_records(&inside), records);
    check_another_image(&inside, &run);
}

/// Only what ran in the image that changed is run again, and what reads other results of it.
fn check_another_image(inside: &Copy, run: &[&str]) {
    std::fs::write(inside.path("roots/bcftools/usr/lib/new"), "").unwrap();
    let again = inside.foreshard(run).with(0);
    let started = again.tasks_that("started");
    assert!(started.contains("pileup") && started.contains("filter"), "{started:?}");
    assert!(started.iter().all(|task| !task.starts_with("align")), "{started:?}");
}

fn make_roots(example: &Copy) {
    Ended::of(&mut Command::new(example.path("roots.sh"))).with(0);
}

fn vcf_records(example: &Copy) -> Vec<String> {
    let vcf = example.read("out/variants.vcf");
    vcf.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Some machines, containers among them, let nobody make namespaces, and then no test can.
fn can_isolate() -> bool {
    let tried =
        Command::new("bwrap").args(["--unshare-all", "--ro-bind", "/", "/", "true"]).output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("skipped: bwrap can make no namespaces here");
    }
    can
}
