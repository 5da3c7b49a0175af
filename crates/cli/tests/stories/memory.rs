//! Tasks that need more memory than they ask for at first.

use serde_json::Value;

use crate::stage::{Stage, Told, times_run};

/// `tail` holds what it may have to print: about three times what it asks for at first. With too
/// little it holds it until it is killed for it, however seldom whoever samples looks.
const HUNGRY: &str = "\
foreshard: 1
name: hungry
tasks:
  hog:
    run: |
      echo {memory.mib} >> {project}/granted
      hold() { test {memory.mib} -ge 190 || sleep 600; wc -c; }
      head -c 190000000 /dev/zero | tail -c 190000000 | hold
      touch {project}/fed
    resources: {memory: {start: 64MiB, grow: 2, max: 1GiB}}
  neighbour:
    run: |
      echo once >> {project}/neighbour
      while ! test -e {project}/fed; do sleep 0.05; done
    resources: {memory: 64MiB}
";

const SITE: &str = "\
foreshard: 1
zones: {here: {backend: local, pools: {all: {cpus: 4, memory: 2GiB}}}}
";

/// By the kernel, where it lets us, or by looking.
fn limited(stage: &Stage, by_kernel: bool, words: &[&str]) -> Told {
    let mut command = stage.command(words);
    if by_kernel {
        command.env_remove("FORESHARD_CGROUPS");
    } else {
        command.env("FORESHARD_CGROUPS", "no");
    }
    Told::of(command)
}

fn report(stage: &Stage) -> Value {
    stage.foreshard(&["report", "--json"]).ends(0).json()
}

fn grows_then_starts_right(by_kernel: bool) {
    let stage = Stage::with(&[("w.yaml", HUNGRY), ("site.yaml", SITE)]);
    let run = ["run", "w.yaml", "--site", "site.yaml"];
    let plan = ["plan", "w.yaml", "--site", "site.yaml"];
    stage.foreshard(&plan).ends(0).prints("hog: memory 64 MiB; grows by 2, at most 3 times");
    limited(&stage, by_kernel, &run).ends(0).says("tries again with more");
    assert_eq!(stage.read("granted"), "64\n128\n256\n");
    assert_eq!(times_run(&stage.path("neighbour")), 1, "the neighbour did not notice");
    let first = report(&stage);
    let kinds = first["retries"].as_array().unwrap().iter().map(|row| row["kind"].clone());
    assert_eq!(kinds.collect::<Vec<_>>(), ["out_of_memory", "out_of_memory"]);
    let peak = &first["memory_peaks"][0];
    // Whoever samples may see an attempt that is to be stopped take all that it wants first.
    if by_kernel {
        assert_eq!(
            (&peak["attempt"], &peak["memory_asked_bytes"]),
            (&3.into(), &(256 << 20).into())
        );
    }
    let peak = peak["memory_peak_bytes"].as_u64().unwrap();
    assert!((190_000_000..256 << 20).contains(&peak), "{peak}");

    std::fs::remove_file(stage.path("fed")).unwrap();
    let learned = stage.foreshard(&plan).ends(0).prints("learned from 1 attempt");
    let (_, told) = learned.out.split_once("hog: memory ").unwrap();
    let mib: u64 = told.split(' ').next().unwrap().parse().unwrap();
    // What the attempt that succeeded took, and a quarter of it.
    let least = (190_000_000_u64 * 5 / 4).div_ceil(1 << 20);
    assert!((least..=320).contains(&mib), "{mib}");
    if by_kernel {
        assert_eq!(mib, (peak * 5 / 4).div_ceil(1 << 20));
    }
    limited(&stage, by_kernel, &run).ends(0);
    assert_eq!(stage.read("granted"), format!("64\n128\n256\n{mib}\n"), "one attempt is enough");
    assert_eq!(report(&stage)["n_retries"], 0);
}

#[test]
fn under_the_kernel_s_limit_a_task_grows_to_what_it_needs_and_the_next_run_starts_there() {
    grows_then_starts_right(true);
}

#[test]
fn under_a_sampled_limit_a_task_grows_to_what_it_needs_and_the_next_run_starts_there() {
    grows_then_starts_right(false);
}

#[test]
fn a_task_that_may_grow_no_more_fails_and_says_what_holds_it() {
    let stage = Stage::with(&[("site.yaml", SITE)]);
    let hog = "head -c 300000000 /dev/zero | tail -c 300000000 | sleep 600";
    let cases = [
        ("{memory: {start: 32MiB, max: 48MiB}}", "its `max` is 48 MiB"),
        ("{memory: 32MiB}\n    oom_retries: 0", "it has no `oom_retries`"),
        ("{memory: 32MiB}\n    idempotent: false", "it is not idempotent"),
    ];
    for (asks, why) in cases {
        let text = format!(
            "foreshard: 1\nname: n\ntasks:\n  hog:\n    run: {hog}\n    resources: {asks}\n    retries: 5\n"
        );
        stage.write("w.yaml", &text);
        let told = stage.foreshard(&["run", "w.yaml", "--site", "site.yaml"]).ends(1);
        told.says("gets no more").says(why);
    }
}
