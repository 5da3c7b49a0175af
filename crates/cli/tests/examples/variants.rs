//! `variants`: a genomics pipeline with real programs, run through, killed and resumed.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use engine::{Event, Record};
use rustix::process::{Pid, Signal, kill_process};

use crate::copy::{Copy, Ended, can_use};

const NEEDED: [&str; 4] =
    ["bowtie2", "samtools", "bcftools", "/usr/share/doc/bowtie2/examples/reads"];
const N_TASKS: usize = 24;
/// Somewhere among eight alignments and eight sorts.
const N_PUBLISHED: usize = 7;

#[test]
fn killed_and_resumed_variant_calling_finds_the_same_variants_as_when_run_through() {
    if !can_use(&NEEDED) {
        return;
    }
    let through = Copy::of("variants");
    let ended = through.foreshard(&["run", "workflow.yaml"]).with(0);
    assert_eq!(ended.tasks_that("started").len(), N_TASKS);
    check_that_the_check_can_fail(&through);

    let orchestrator_killed = Copy::of("variants");
    run_until_killed(&orchestrator_killed);
    resume(&orchestrator_killed, &through);
    let records = orchestrator_killed.records();
    assert_eq!(n_started(&records), N_TASKS, "what ran on was taken in, not run again");

    let all_killed = Copy::of("variants");
    run_until_killed(&all_killed);
    kill_what_belongs_to(&all_killed);
    resume(&all_killed, &through);
    let records = all_killed.records();
    let lost = |record: &&Record| matches!(record.event, Event::AllocationLost { .. });
    assert!(records.iter().any(|record| lost(&record)), "the keeper died with its tasks");
    check_that_nothing_published_ran_again(&records);
}

/// Starts a run and kills its orchestrator when some of its tasks are published.
fn run_until_killed(example: &Copy) {
    let mut command = example.command(&["run", "workflow.yaml", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut n_published = 0;
    // The first line is about the run as a whole.
    for line in lines.skip(1) {
        let record: Record = serde_json::from_str(&line.unwrap()).unwrap();
        if let Event::Published { attempts } = record.event {
            n_published += attempts.len();
        }
        if n_published >= N_PUBLISHED {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(n_published >= N_PUBLISHED, "it ended before it was killed");
}

/// Kills keepers and tasks of the run, which carry its name in their environment.
fn kill_what_belongs_to(example: &Copy) {
    let run = example.run_dir().file_name().unwrap().to_str().unwrap().to_owned();
    let keepers = keepers(example);
    assert!(!keepers.is_empty(), "nothing keeps the tasks");
    for &pid in &keepers {
        kill_process(pid, Signal::KILL).unwrap();
    }
    let mark = format!("FORESHARD_ALLOCATION={run}/");
    for entry in std::fs::read_dir("/proc").unwrap() {
        let entry = entry.unwrap();
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let is_marked =
            environment.split(|&byte| byte == 0).any(|v| v.starts_with(mark.as_bytes()));
        let pid = entry.file_name().to_str().and_then(|name| Pid::from_raw(name.parse().ok()?));
        if let Some(pid) = pid.filter(|_| is_marked) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn keepers(example: &Copy) -> Vec<Pid> {
    let folders = std::fs::read_dir(example.run_dir().join("allocations")).unwrap();
    let progress = folders.map(|folder| folder.unwrap().path().join("progress"));
    let pids = progress.filter_map(|path| {
        let text = std::fs::read_to_string(path).ok()?;
        // A line is a checksum and JSON; the first one says who keeps the allocation.
        let hello: serde_json::Value =
            serde_json::from_str(text.lines().next()?.split_once(' ')?.1).ok()?;
        Pid::from_raw(i32::try_from(hello["hello"]["pid"].as_i64()?).ok()?)
    });
    pids.collect()
}

fn resume(example: &Copy, through: &Copy) {
    assert!(!example.path("out/variants.vcf").exists(), "it was killed too late");
    example.foreshard(&["resume"]).with(0);
    same_records(example, through).with(0);
    assert_eq!(example.list("out"), through.list("out"));
}

/// Asks the script that comes with the example.
fn same_records(one: &Copy, other: &Copy) -> Ended {
    let mut command = Command::new("sh");
    command.arg(one.path("check.sh")).args([one, other].map(|copy| copy.path("out/variants.vcf")));
    Ended::of(&mut command)
}

fn check_that_the_check_can_fail(through: &Copy) {
    let other = Copy::of("variants");
    let vcf = through.read("out/variants.vcf");
    std::fs::create_dir(other.path("out")).unwrap();
    for (lines, code) in [(vcf.lines().count(), 0), (vcf.lines().count() - 1, 1), (1, 2)] {
        let part: String = vcf.split_inclusive('\n').take(lines).collect();
        std::fs::write(other.path("out/variants.vcf"), part).unwrap();
        same_records(&other, through).with(code);
    }
}

fn n_started(records: &[Record]) -> usize {
    let is_start = |record: &&Record| matches!(record.event, Event::AttemptStarted { .. });
    records.iter().filter(is_start).count()
}

fn check_that_nothing_published_ran_again(records: &[Record]) {
    let mut published = BTreeSet::new();
    for record in records {
        match &record.event {
            Event::Published { attempts } => {
                for attempt in attempts {
                    assert!(published.insert(attempt.task()), "{attempt} is published again");
                }
            }
            Event::AttemptStarted { attempt, .. } => {
                assert!(!published.contains(&attempt.task()), "{attempt} started again");
            }
            _ => {}
        }
    }
    assert_eq!(published.len(), N_TASKS);
}
