//! Small worlds whose outcome can be worked out by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::Outcome as RunOutcome;
use plan::policy::{Decision, View, nothing_placed};
use plan::{Order, Plan, Policy};
use sim::truth::Truth;
use sim::watch::Watch;
use sim::world::Staging;
use sim::{
    Delay, Ending, Link, Links, Options, Outcome, Setup, Steps, VirtualSite, VirtualZone, World,
};
use spec::resources::MilliCpus;
use spec::{Bytes, Duration, Resources, Timestamp, Workflow, ZoneId};

const CHAIN: &str = "foreshard: 1
tasks:
  a: {run: a, outputs: x, estimate: 10}
  b: {run: b, inputs: x, outputs: y, estimate: 20}
  c: {run: c, inputs: y, estimate: 30}
";

const WIDE: &str = "foreshard: 1
tasks:
  part: {foreach: {i: 1..8}, run: 'p {i}', estimate: 60}
";

#[test]
fn a_chain_takes_as_long_as_its_tasks_and_an_idle_zone_costs_what_it_is_held() {
    let mut zone = zone("here", 1, 1);
    zone.price = Steps::constant(36.0);
    zone.launch = Delay::Fixed(Duration::from_secs(40));
    let outcome = run(CHAIN, VirtualSite::of(vec![zone]), first_zone, Options::default());
    assert_eq!(outcome.ending, Ending::Finished(RunOutcome::Succeeded));
    assert_eq!(outcome.makespan, Duration::from_secs(100));
    assert!((outcome.cost - 1.0).abs() < 1e-9, "{}", outcome.cost);
    assert!((outcome.useful_work - 60.0).abs() < 1e-6);
    assert_eq!((outcome.requests, outcome.allocations, outcome.attempts), (1, 1, 3));
}

#[test]
fn slots_are_filled_and_every_allocation_that_is_wanted_is_used() {
    let site = VirtualSite::of(vec![zone("here", 2, 3)]);
    let wants_two = |view: &View<'_>| Decision {
        allocations: if view.now == view.started { vec![(ZoneId(0), 2)] } else { vec![] },
        ..first_zone(view)
    };
    let outcome = run(WIDE, site, wants_two, Options::default());
    assert!(outcome.is_success());
    // Eight minutes of work on two nodes of two cpus.
    assert_eq!((outcome.makespan, outcome.allocations), (Duration::from_secs(120), 2));
}

#[test]
fn a_preempted_zone_loses_what_was_not_committed_and_whoever_waits_goes_on_when_it_is_back() {
    let mut zone = zone("spot", 1, 1);
    let at = |seconds| Timestamp(0) + Duration::from_secs(seconds);
    zone.available = Steps::new([(at(0), 1), (at(25), 0), (at(100), 1)]);
    let outcome = run(CHAIN, VirtualSite::of(vec![zone]), first_zone, Options::default());
    assert!(outcome.is_success());
    assert_eq!((outcome.preemptions, outcome.allocations), (1, 2));
    // 10 s of `a`, 15 s of `b` in vain, and from 100 s on `b` and `c`.
    assert_eq!(outcome.makespan, Duration::from_secs(150));
    assert!((outcome.lost_work - 15.0).abs() < 1e-6, "{}", outcome.lost_work);
    assert!((outcome.useful_work - 60.0).abs() < 1e-6);
}

#[test]
fn a_zone_that_warns_starts_nothing_that_it_will_lose() {
    let mut zone = zone("spot", 1, 1);
    let at = |seconds| Timestamp(0) + Duration::from_secs(seconds);
    zone.available = Steps::new([(at(0), 1), (at(35), 0), (at(100), 1)]);
    zone.notice = Some(Duration::from_secs(10));
    let outcome = run(CHAIN, VirtualSite::of(vec![zone]), first_zone, Options::default());
    // The notice comes at 25 s, `b` ends at 30 s, and `c` starts at 100 s.
    assert_eq!(outcome.makespan, Duration::from_secs(130));
    assert!(outcome.lost_work == 0.0);
}

#[test]
fn inputs_take_their_time_between_zones_and_their_price() {
    let link = Link { latency: Duration::from_secs(1), bandwidth: Some(1e6), price_per_gb: 0.5 };
    let mut site = VirtualSite::of(vec![zone("a", 1, 1), zone("b", 1, 1)]);
    site.links = Links { usual: link, ..Links::default() };
    // `a` in the first zone, the others in the second.
    let apart = |view: &View<'_>| Decision {
        moves: (view.unplaced.iter())
            .map(|&shard| (shard, Some(ZoneId(u32::from(shard.0 > 0)))))
            .collect(),
        ..Decision::default()
    };
    let outcome = run(CHAIN, site, apart, Options::default());
    // 5 MB at 1 MB/s, and a second of latency.
    assert_eq!(outcome.makespan, Duration::from_secs(66));
    assert_eq!(outcome.bytes_moved, 5_000_000);
    assert!((outcome.transfer_cost - 0.0025).abs() < 1e-9);
}

#[test]
fn two_transfers_at_a_time_share_a_link() {
    const TWO: &str = "foreshard: 1
tasks:
  a: {run: a, outputs: x, estimate: 10}
  b: {run: b, inputs: x, estimate: 10}
  c: {run: c, inputs: x, estimate: 10}
";
    let link = Link { bandwidth: Some(1e6), ..Link::default() };
    for (is_shared, seconds) in [(false, 25), (true, 30)] {
        let mut site = VirtualSite::of(vec![zone("a", 1, 1), zone("b", 2, 1)]);
        site.links = Links { usual: link, is_shared, ..Links::default() };
        let apart = |view: &View<'_>| Decision {
            moves: (view.unplaced.iter())
                .map(|&shard| (shard, Some(ZoneId(u32::from(shard.0 > 0)))))
                .collect(),
            ..Decision::default()
        };
        let outcome = run(TWO, site, apart, Options::default());
        let late = outcome.makespan.as_secs_f64() - f64::from(seconds);
        assert!((0.0..1e-3).contains(&late), "{is_shared}: {}", outcome.makespan);
    }
}

#[test]
fn inputs_that_move_ahead_are_there_when_the_slot_is_free() {
    const JOIN: &str = "foreshard: 1
tasks:
  a: {run: a, outputs: x, estimate: 10}
  long: {run: l, estimate: 30}
  b: {run: b, inputs: x, estimate: 10}
";
    let link = Link { bandwidth: Some(1e6), ..Link::default() };
    for (staging, seconds) in [(Staging::AtStart, 45), (Staging::Ahead, 40)] {
        let mut site = VirtualSite::of(vec![zone("a", 1, 1), zone("b", 1, 1)]);
        site.links = Links { usual: link, ..Links::default() };
        let apart = |view: &View<'_>| Decision {
            moves: (view.unplaced.iter())
                .map(|&shard| (shard, Some(ZoneId(u32::from(shard.0 > 0)))))
                .collect(),
            ..Decision::default()
        };
        let options = Options { staging, ..Options::default() };
        let outcome = run(JOIN, site, apart, options);
        assert_eq!(outcome.makespan, Duration::from_secs(seconds), "{staging:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another_one() {
    let trace = |seed| {
        let mut site = VirtualSite::of(vec![zone("here", 2, 1)]);
        site.paces.tell = Delay::UpTo(Duration::from_millis(500));
        let setup = setup(WIDE, site, first_zone, Options::default(), seed);
        World::new(setup).run().trace.unwrap()
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}

/// Everything that is ready goes to the first zone.
fn first_zone(view: &View<'_>) -> Decision {
    let moves = view.unplaced.iter().map(|&shard| (shard, Some(ZoneId(0)))).collect();
    Decision { moves, ..Decision::default() }
}

struct By<F>(F);

impl<F: FnMut(&View<'_>) -> Decision> Policy for By<F> {
    fn name(&self) -> &str {
        "test"
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        (self.0)(view)
    }
}

fn zone(name: &str, cpus: u32, count: u32) -> VirtualZone {
    let memory = Bytes(1 << 40);
    let node = Resources { cpus: MilliCpus::whole(cpus), memory, ..Resources::default() };
    VirtualZone::steady(name, node, count)
}

fn run<'p>(
    text: &str,
    site: VirtualSite,
    policy: impl FnMut(&View<'_>) -> Decision + 'p,
    options: Options,
) -> Outcome {
    let outcome = World::new(setup(text, site, policy, options, 1)).run();
    assert_eq!(outcome.violation(), None);
    outcome
}

fn setup<'p>(
    text: &str,
    site: VirtualSite,
    policy: impl FnMut(&View<'_>) -> Decision + 'p,
    options: Options,
    seed: u64,
) -> Setup<'p> {
    let workflow = workflow(text);
    let mut truth = Truth::around_estimates(&workflow, 1.0, 0.0, seed);
    truth.sizes = vec![Bytes(5_000_000); workflow.files().len()];
    let run = engine::event::Options { queue_ahead: 0, ..Default::default() };
    let options = Options { run, watch: Watch::All, ..options };
    let plan: Plan = nothing_placed(&workflow, Order::ById);
    Setup { workflow, site, truth, plan, policy: Some(Box::new(By(policy))), options, seed }
}

fn workflow(text: &str) -> Arc<Workflow> {
    let source = spec::diagnostic::Source::new("test.yaml", text);
    let (workflow, said) = spec::workflow_file::parse(&source, &BTreeMap::new());
    Arc::new(workflow.unwrap_or_else(|| panic!("{said:?}")))
}
