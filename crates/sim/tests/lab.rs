//! Baselines in small worlds whose outcome can be worked out by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use sim::lab::job::{Terms, Unfit};
use sim::lab::{Contender, Experiment, GIVE_UP, Score, Workload, random_starts};
use sim::trace::Trace;
use sim::{Delay, Link, Steps, VirtualSite, VirtualZone};
use spec::resources::MilliCpus;
use spec::{Bytes, Duration, Resources, Timestamp, Workflow};

const WIDE: &str = "foreshard: 1
tasks:
  part: {foreach: {i: 1..8}, run: 'p {i}', outputs: 'o{i}', estimate: 60}
  sum: {run: s, needs: [part], estimate: 30}
";

const POLICIES: [Contender; 5] = [
    Contender::Reactive,
    Contender::ReactiveNodes,
    Contender::StaticHeft,
    Contender::WarmPool,
    Contender::OnDemand,
];

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
    // 90 s of longest path, a tenth more, and two launches of 40 s before 600 s: 421 s. (All work,
    // 510 core-seconds, would be done on eight cores in less.) A wary one keeps in hand a part of
    // 60 s that may be lost, too.
    let experiment = experiment(vec![0; 100], Some(Duration::from_secs(600)));
    for (pool, from) in [(Contender::WarmPool, 421), (Contender::WaryPool, 361)] {
        let outcome = experiment.run(pool, Timestamp(0), true);
        assert!(Score::of(&outcome).is_in_time(experiment.deadline));
        assert_eq!(outcome.holdings[0].from, Timestamp(from * 1_000_000));
    }
}

#[test]
fn all_work_must_fit_on_demand_before_the_deadline_too() {
    // Eighty parts of 60 s on eight cores: 4830 core-seconds, 603.75 s, a tenth more, and two launches:
    // 744.125 s before 1300 s.
    let mut experiment = experiment(vec![0; 200], Some(Duration::from_secs(1_300)));
    experiment.workload = Workload::of(workflow(&WIDE.replace("1..8", "1..80")));
    let outcome = experiment.run(Contender::WarmPool, Timestamp(0), true);
    assert!(Score::of(&outcome).is_in_time(experiment.deadline));
    assert_eq!(outcome.holdings[0].from, Timestamp(555_875_000));
}

#[test]
fn who_is_late_starts_nothing_more_where_it_can_be_taken_away() {
    // Both spot nodes go every 50 s, so no part of 60 s is ever done there.
    let counts = [vec![1; 5], vec![0; 1]].concat().repeat(60);
    let experiment = experiment(counts, Some(Duration::from_secs(900)));
    let outcome = experiment.run(Contender::WaryPool, Timestamp(0), true);
    assert!(Score::of(&outcome).is_in_time(experiment.deadline), "{:?}", outcome.makespan);
    let late = Timestamp(900_000_000 - 239_000_000);
    let after = outcome.timeline.iter().filter(|bar| bar.from > late);
    assert!(after.clone().count() > 0 && after.clone().all(|bar| bar.zone.0 == 1));
}

#[test]
fn whoever_submits_tasks_to_whole_nodes_pays_for_whole_nodes() {
    let experiment = experiment(vec![1; 200], None);
    let outcome = experiment.run(Contender::ReactiveNodes, Timestamp(0), false);
    assert!(outcome.is_success());
    // In turn: two spot nodes and two on demand hold a part each for 100 s, twice; then the last.
    assert_eq!((outcome.allocations, outcome.makespan), (9, Duration::from_secs(270)));
    let cost = (4.0 * 100.0 * 36.0 + 4.0 * 100.0 * 108.0 + 70.0 * 36.0) / 3_600.0;
    assert!((outcome.cost - cost).abs() < 1e-6, "{} and {cost}", outcome.cost);
}

#[test]
fn whoever_submits_tasks_alone_launches_once_for_each_also_when_they_differ_in_size() {
    let mut experiment = experiment(vec![1; 400], None);
    let mixed = "foreshard: 1
tasks:
  small: {foreach: {i: 1..8}, run: 'p {i}', estimate: 60}
  large: {foreach: {i: 1..4}, run: 'l {i}', estimate: 60, resources: {cpus: 2}}
";
    experiment.workload = Workload::of(workflow(mixed));
    for contender in [Contender::Reactive, Contender::ReactiveNodes] {
        let outcome = experiment.run(contender, Timestamp(0), false);
        assert!(outcome.is_success());
        assert_eq!(outcome.allocations, 12, "{contender:?}");
    }
}

#[test]
fn static_heft_stays_in_a_zone_when_moving_data_takes_longer() {
    let pair = "foreshard: 1
tasks:
  make: {foreach: {i: 1..2}, run: 'p {i}', outputs: 'o{i}', estimate: 60}
  use: {foreach: {i: 1..2}, run: 'u {i}', inputs: 'o{i}', estimate: 60}
";
    let mut experiment = experiment(vec![1; 200], None);
    experiment.workload = Workload::of(workflow(pair));
    for zone in &mut experiment.site.zones {
        zone.node.cpus = MilliCpus::whole(1);
        zone.available = Steps::constant(1);
    }
    // Without distance any zone does; a latency of a minute keeps each pair where it began.
    experiment.site.links.usual = Link { latency: Duration::from_secs(60), ..Link::default() };
    let outcome = experiment.run(Contender::StaticHeft, Timestamp(0), true);
    assert_eq!(outcome.makespan, Duration::from_secs(160));
    let zone = |task: u32| {
        let bar = outcome.timeline.iter().find(|bar| bar.attempt.task().0 == task);
        bar.map(|bar| bar.zone)
    };
    assert_eq!((zone(0), zone(1)), (zone(2), zone(3)));
}

#[test]
fn the_rules_of_a_job_are_played_in_the_places_and_the_money_of_the_experiment() {
    // Steps of 40 s, 20 of work. Spot is there for 800 s of each 1200 s, from the begin on; a launch is a
    // step; on demand is three times the price.
    let counts = [vec![1; 80], vec![0; 40]].concat().repeat(20);
    let mut experiment = experiment(counts, Some(Duration::from_secs(1_600)));
    let job = "foreshard: 1\ntasks:\n  job: {run: j, estimate: 800, resources: {cpus: 4}}\n";
    let terms = Terms::of(&experiment.site, &experiment.is_safe).unwrap();
    assert_eq!(terms.step, Duration::from_secs(40));
    experiment.workload = terms.steps_of(&workflow(job)).unwrap();
    experiment.job = Some(terms);
    // One step is launch: the last step of the work has to wait for 400 s, and then for a launch.
    let greedy = experiment.run(Contender::Greedy, Timestamp(0), false);
    assert!(greedy.is_success());
    assert_eq!(greedy.makespan.as_secs_f64().round(), 1_280.0);
    let cost = (20.0 + 2.0) * 40.0 / 3_600.0 * 36.0;
    assert!((greedy.cost - cost).abs() < 1e-6, "{} and {cost}", greedy.cost);
    assert!(greedy.holdings.iter().all(|held| held.zone.0 == 0));
    let least = experiment.run(Contender::Omniscient, Timestamp(0), false).cost;
    for rule in Contender::RULES {
        let outcome = experiment.run(rule, Timestamp(400_000_000), false);
        assert!(Score::of(&outcome).is_in_time(experiment.deadline), "{rule:?}");
        assert!(experiment.run(rule, Timestamp(0), false).cost >= least - 1e-9, "{rule:?}");
    }
    // Others meet the same job: the pool keeps what it did before its node went.
    let pool = experiment.run(Contender::WarmPool, Timestamp(0), false);
    assert!(pool.is_success() && pool.makespan < Duration::from_secs(1_400));
}

#[test]
fn rules_of_a_job_are_refused_where_they_cannot_be_played() {
    let mut experiment = experiment(vec![1; 10], None);
    let terms = Terms::of(&experiment.site, &experiment.is_safe).unwrap();
    let refused = terms.steps_of(&workflow(WIDE));
    assert!(matches!(refused, Err(Unfit::Tasks(9))));
    let mut dear = experiment.site.zones[0].clone();
    dear.price = Steps::constant(37.0);
    experiment.site.zones.push(dear);
    let told = |is_safe: &[bool]| Terms::of(&experiment.site, is_safe).err();
    assert_eq!(told(&[false, true, false]), Some(Unfit::Prices));
    assert_eq!(told(&[false, false, false]), Some(Unfit::Safety));
}

#[test]
fn no_policy_is_better_than_the_bounds() {
    let mut experiment = experiment(vec![1, 0, 1, 1, 1, 1, 1, 0, 1, 1], None);
    experiment.runtime_sigma = 0.5;
    for start in random_starts(10, Duration::from_secs(100), Duration::ZERO, 3) {
        let bound = experiment.bound(start);
        assert!(bound.makespan >= 40.0 + 60.0 && bound.cost > 0.0);
        for contender in POLICIES {
            let score = Score::of(&experiment.run(contender, start, false));
            assert!(score.makespan >= bound.makespan - 1e-6, "{contender:?}: {score:?}, {bound:?}");
            assert!(score.cost >= bound.cost - 1e-9, "{contender:?}: {score:?}, {bound:?}");
        }
    }
}

#[test]
fn the_bound_of_time_knows_what_capacity_there_is() {
    // Two nodes of four cores on demand, no spot: 510 core-seconds take 63.75 s, the path 90 s.
    let mut narrow = experiment(vec![0; 10], None);
    assert!((narrow.bound(Timestamp(0)).makespan - 130.0).abs() < 1e-9);
    narrow.site.zones[1].available = Steps::constant(1);
    assert!((narrow.bound(Timestamp(0)).makespan - 167.5).abs() < 1e-9);
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
        for contender in POLICIES {
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
        workload: Workload::of(workflow(WIDE)),
        site: VirtualSite::of(vec![spot, zone("safe", 108.0)]),
        is_safe: vec![false, true],
        deadline,
        job: None,
        give_up: GIVE_UP,
        runtime_sigma: 0.0,
        seed: 1,
    }
}

fn workflow(text: &str) -> Arc<Workflow> {
    let source = spec::diagnostic::Source::new("test.yaml", text);
    let (workflow, said) = spec::workflow_file::parse(&source, &BTreeMap::new());
    Arc::new(workflow.unwrap_or_else(|| panic!("{said:?}")))
}
