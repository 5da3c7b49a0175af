//! Baselines in small worlds whose outcome can be worked out by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use sim::lab::{Contender, Experiment, random_starts};
use sim::trace::Trace;
use sim::{Delay, Steps, VirtualSite, VirtualZone};
use spec::resources::MilliCpus;
use spec::{Bytes, Duration, Resources, Timestamp, Workflow};

const WIDE: &str = "foreshard: 1
tasks:
  part: {foreach: {i: 1..8}, run: 'p {i}', outputs: 'o{i}', estimate: 60}
  sum: {run: s, needs: [part], estimate: 30}
";

#[test]
fn a_warm_pool_launches_once_and_reactive_once_for_each_task() {
    let experiment = experiment(vec![1; 100], None);
    let warm = experiment.run(Contender::WarmPool, Timestamp(0), false);
    let reactive = experiment.run(Contender::Reactive, Timestamp(0), false);
    // Two nodes of four slots, launched in 40 s; the last task meets a warm one.
    assert!(warm.is_success() && reactive.is_success());
    assert_eq!((warm.allocations, warm.makespan), (2, Duration::from_secs(130)));
    assert_eq!((reactive.allocations, reactive.makespan), (9, Duration::from_secs(170)));
    // Eight parts for 100 s and the last for 70 s, at 9 an hour: a quarter of a node.
    assert!(
        (reactive.cost - (8.0 * 100.0 + 70.0) * 9.0 / 3_600.0).abs() < 1e-6,
        "{}",
        reactive.cost
    );
}

#[test]
fn a_warm_pool_waits_ten_minutes_for_a_zone_and_then_goes_on_demand() {
    let experiment = experiment(vec![0; 100], None);
    let outcome = experiment.run(Contender::WarmPool, Timestamp(0), true);
    assert!(outcome.is_success());
    assert_eq!(outcome.holdings[0].from, Timestamp(600_000_000));
    assert!(outcome.holdings.iter().all(|held| held.zone.0 == 1));
}

#[test]
fn a_deadline_that_is_near_leaves_no_time_to_wait() {
    // 90 s of longest path, a tenth more, 300 s and the launch of 40 s before 600 s: 161 s.
    let experiment = experiment(vec![0; 100], Some(Duration::from_secs(600)));
    let outcome = experiment.run(Contender::WarmPool, Timestamp(0), true);
    assert!(experiment.score(&outcome).is_in_time);
    assert_eq!(outcome.holdings[0].from, Timestamp(161_000_000));
}

#[test]
fn static_heft_keeps_its_zones_and_waits_for_them() {
    // There for 20 samples of 10 s, then gone for 20: what was running is lost, and runs there again.
    let counts = [vec![1; 8], vec![0; 20], vec![1; 100]].concat();
    let mut experiment = experiment(counts, None);
    experiment.site.zones.truncate(1);
    experiment.is_safe.truncate(1);
    let outcome = experiment.run(Contender::StaticHeft, Timestamp(0), false);
    assert!(outcome.is_success());
    assert_eq!(outcome.preemptions, 2);
    // Back at 280 s, a launch, 60 s and 30 s.
    assert_eq!(outcome.makespan, Duration::from_secs(410));
    assert!((outcome.lost_work - 8.0 * 40.0).abs() < 1e-6, "{}", outcome.lost_work);
}

#[test]
fn on_demand_takes_only_what_is_never_taken_away() {
    let outcome = experiment(vec![1; 100], None).run(Contender::OnDemand, Timestamp(0), true);
    assert!(outcome.is_success() && outcome.preemptions == 0);
    assert!(outcome.holdings.iter().all(|held| held.zone.0 == 1));
}

#[test]
fn every_baseline_ends_on_capacity_that_comes_and_goes() {
    let runs = sim::trace::Runs {
        count: 2,
        mean_up: Duration::from_secs(200),
        mean_down: Duration::from_secs(100),
        tail: 1.5,
    };
    let traced = Duration::from_secs(100_000);
    let mut experiment = experiment(vec![1], None);
    experiment.runtime_sigma = 0.3;
    experiment.site.zones[0].available = runs.generate(traced, 5, 0).available(Timestamp(0), 1, 3);
    for start in random_starts(20, traced, Duration::from_secs(3_600), 4) {
        for contender in Contender::ALL {
            let outcome = experiment.run(contender, start, false);
            assert!(outcome.is_success(), "{contender:?} from {start:?}: {:?}", outcome.ending);
        }
    }
}

/// A spot zone of two nodes while the trace says so, and one on demand at three times the price.
fn experiment(counts: Vec<u32>, deadline: Option<Duration>) -> Experiment {
    let trace = Trace::ticks(Duration::from_secs(10), counts).expect("there are counts");
    let node =
        Resources { cpus: MilliCpus::whole(4), memory: Bytes(4 << 30), ..Resources::default() };
    let zone = |name: &str, price| {
        let mut zone = VirtualZone::steady(name, node.clone(), 2);
        zone.price = Steps::constant(price);
        zone.launch = Delay::Fixed(Duration::from_secs(40));
        zone
    };
    let mut spot = zone("spot", 36.0);
    spot.available = trace.available(Timestamp(0), 2, 1);
    Experiment {
        workflow: workflow(WIDE),
        site: VirtualSite::of(vec![spot, zone("safe", 108.0)]),
        is_safe: vec![false, true],
        deadline,
        runtime_sigma: 0.0,
        seed: 1,
    }
}

fn workflow(text: &str) -> Arc<Workflow> {
    let source = spec::diagnostic::Source::new("test.yaml", text);
    let (workflow, said) = spec::workflow_file::parse(&source, &BTreeMap::new());
    Arc::new(workflow.unwrap_or_else(|| panic!("{said:?}")))
}
