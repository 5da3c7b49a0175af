//! A thousand random cases: every fault strikes, every invariant holds, every run ends.

use sim::suite::{Limits, Summary, play};
use sim::watch;

const N_SEEDS: u64 = 1_000;

#[test]
fn no_invariant_is_violated_whatever_fails() {
    let parts: Vec<Summary> = std::thread::scope(|scope| {
        let seeds = |from: u64| (from..N_SEEDS).step_by(2);
        let threads =
            [0, 1].map(|from| scope.spawn(move || Summary::of(seeds(from), &Limits::NONE)));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut summary = Summary::default();
    parts.into_iter().for_each(|part| summary.add(part));
    for failure in &summary.failures {
        eprintln!("{}\n    {}", failure.violation, failure.command());
    }
    assert!(summary.failures.is_empty(), "{} seeds fail", summary.failures.len());
    assert_eq!(summary.missing(), [], "faults that never struck");
    let untaken: Vec<_> = watch::listed().difference(&summary.taken).cloned().collect();
    assert_eq!(untaken, [], "changes of state that no run has taken");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..50 {
        let trace = || play(seed, &Limits::NONE).unwrap().outcome.trace.unwrap();
        assert_eq!(trace(), trace(), "seed {seed}");
    }
}
