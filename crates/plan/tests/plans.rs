//! Ranks against a recursive oracle; the planner held to the checker; the checker to planted defects.

use plan::check::{Note, check};
use plan::{Order, Placements, Plan, PlanId, ShardId, Shards, make, rank};
use proptest::prelude::*;
use spec::assemble::{Parts, assemble};
use spec::command::{CommandTemplate, TextTemplate};
use spec::csr::Csr;
use spec::files::FileTable;
use spec::resources::MilliCpus;
use spec::site::{Backend, Domains, Location, Policy, Pool, Zone};
use spec::template::{Domain, Per, Template, Variable};
use spec::{Bytes, Digest, Duration, Resources, Site, TaskId, Workflow, ZoneId};

/// A template for `n` tasks that ask for so many cpus and are expected to last so many seconds.
fn template(name: &str, n: u32, cpus: u32, estimate: Option<u64>) -> Template {
    let domain = Domain::Range { start: 0, step: 1, len: n };
    Template {
        name: name.to_owned(),
        command: CommandTemplate::Shell(TextTemplate::default()),
        variables: vec![Variable { name: "i".to_owned(), domain, repeat: 1 }],
        resources: Per::Same(cpus_of(cpus)),
        estimate: Per::Same(estimate.map(Duration::from_secs)),
        ..Template::default()
    }
}

fn cpus_of(cpus: u32) -> Resources {
    Resources { cpus: MilliCpus::whole(cpus), ..Resources::default() }
}

/// `parents[i]` must be done before task `i`.
fn workflow(templates: Vec<Template>, parents: &[Vec<u32>]) -> Workflow {
    let mut first_task = vec![0];
    for template in &templates {
        let before = first_task[first_task.len() - 1];
        first_task.push(before + template.variables[0].domain.len() as u32);
    }
    let (mut inputs, mut outputs, mut needs) = (Csr::default(), Csr::default(), Csr::default());
    for parents in parents {
        inputs.push_row([]);
        outputs.push_row([]);
        needs.push_row(parents.iter().copied());
    }
    let parts = Parts {
        name: "test".to_owned(),
        digest: Digest::of(b""),
        params: std::collections::BTreeMap::new(),
        templates,
        first_task,
        files: FileTable::default(),
        inputs,
        outputs,
        needs,
    };
    assemble(parts).expect("the graph is sound")
}

/// One template for each task, with its expected seconds.
fn dag(seconds: &[u64], parents: &[Vec<u32>]) -> Workflow {
    let templates = seconds.iter().map(|&s| template("t", 1, 1, Some(s))).collect();
    workflow(templates, parents)
}

/// A zone for each list of nodes.
fn site(zones: &[&[u32]]) -> Site {
    let pool = |&cpus: &u32| Pool {
        name: format!("p{cpus}"),
        node: Resources { memory: Bytes(1 << 30), ..cpus_of(cpus) },
        count: 1,
        max_nodes: 1,
        price_per_hour: 0.0,
        launch_delay: Duration::ZERO,
        preemption_notice: None,
        provision: Vec::new(),
    };
    let zone = |(i, nodes): (usize, &&[u32])| Zone {
        name: format!("z{i}"),
        backend: Backend::Local,
        location: Location::default(),
        domains: Domains::default(),
        time_zone: None,
        pools: nodes.iter().map(pool).collect(),
        trace: None,
        wrap: Vec::new(),
        images: Vec::new(),
    };
    let zones = zones.iter().enumerate().map(zone).collect();
    Site {
        zones,
        links: Vec::new(),
        policy: Policy::balanced(),
        outages: Vec::new(),
        calendars: Vec::new(),
        feeds: Vec::new(),
    }
}

/// A small graph in which ids say nothing about the order.
fn any_dag() -> impl Strategy<Value = (Vec<u64>, Vec<Vec<u32>>)> {
    (1_usize..10)
        .prop_flat_map(|n| {
            let order = Just((0..n as u32).collect::<Vec<u32>>()).prop_shuffle();
            let edges = prop::collection::vec(prop::bool::weighted(0.3), n * n);
            (prop::collection::vec(0_u64..100, n), order, edges)
        })
        .prop_map(|(seconds, order, edges)| {
            let n = order.len();
            let mut parents = vec![Vec::new(); n];
            for child in 0..n {
                for parent in 0..child {
                    if edges[child * n + parent] {
                        parents[order[child] as usize].push(order[parent]);
                    }
                }
            }
            (seconds, parents)
        })
}

/// The longest path from a task to the end, by trying all of them.
fn longest_from(task: u32, seconds: &[u64], parents: &[Vec<u32>]) -> u64 {
    let children = (0..parents.len() as u32).filter(|&c| parents[c as usize].contains(&task));
    let below = children.map(|child| longest_from(child, seconds, parents)).max().unwrap_or(0);
    seconds[task as usize] + below
}

proptest! {
    #[test]
    fn the_upward_rank_is_the_longest_path_to_the_end((seconds, parents) in any_dag()) {
        let workflow = dag(&seconds, &parents);
        let ranks = rank::upward(&workflow, |task| seconds[task.index()] as f64);
        for task in 0..parents.len() as u32 {
            let wanted = longest_from(task, &seconds, &parents) as f64;
            prop_assert_eq!(ranks[task as usize], wanted);
        }
    }

    #[test]
    fn the_topological_order_has_every_task_once_and_after_its_parents((seconds, parents) in any_dag()) {
        let order = rank::topological_order(&dag(&seconds, &parents));
        prop_assert_eq!(order.len(), parents.len());
        let position = |task: u32| order.iter().position(|&t| t == TaskId(task)).unwrap();
        for (child, parents) in (0..).zip(&parents) {
            prop_assert!(parents.iter().all(|&parent| position(parent) < position(child)));
        }
    }

    #[test]
    fn plans_are_sound_and_go_along_the_longest_path((seconds, parents) in any_dag()) {
        let (workflow, site) = (dag(&seconds, &parents), site(&[&[1, 2], &[4]]));
        let plan = make(&workflow, &site).unwrap();
        prop_assert_eq!(check(&plan, &workflow, &site), []);
        let positions = plan.positions();
        let rank = |task: usize| longest_from(task as u32, &seconds, &parents);
        for (a, b) in (0..seconds.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
            if rank(a) != rank(b) {
                prop_assert_eq!(rank(a) > rank(b), positions[a] < positions[b]);
            } else {
                prop_assert!(positions[b] < positions[a], "ties go by id");
            }
        }
    }

    #[test]
    fn every_task_goes_to_a_zone_that_can_hold_it(
        asks in prop::collection::vec(1_u32..9, 1..20),
        zones in prop::collection::vec(prop::collection::vec(1_u32..9, 1..4), 1..4),
    ) {
        let templates: Vec<Template> = asks.iter().map(|&cpus| template("t", 1, cpus, None)).collect();
        let workflow = workflow(templates, &vec![Vec::new(); asks.len()]);
        let nodes: Vec<&[u32]> = zones.iter().map(Vec::as_slice).collect();
        let site = site(&nodes);
        let largest = zones.iter().flatten().copied().max().unwrap_or(0);
        match make(&workflow, &site) {
            Ok(plan) => {
                for (shard, &asked) in (0..).map(ShardId).zip(&asks) {
                    let nodes = &zones[plan.zone_of(shard).unwrap().index()];
                    prop_assert!(nodes.iter().any(|&cpus| cpus >= asked));
                }
            }
            Err(infeasible) => {
                let wanted: Vec<u32> =
                    (0..).zip(&asks).filter(|&(_, &asked)| asked > largest).map(|(i, _)| i).collect();
                let named: Vec<u32> = infeasible.iter().map(|wish| wish.task.0).collect();
                prop_assert_eq!(named, wanted);
            }
        }
    }
}

#[test]
fn priority_decides_between_equal_ranks() {
    let mut templates = vec![template("low", 1, 1, None), template("high", 1, 1, None)];
    templates[1].priority = 5;
    let workflow = workflow(templates, &[vec![], vec![]]);
    let plan = make(&workflow, &site(&[&[1]])).unwrap();
    assert_eq!(plan.positions(), [1, 0]);
}

#[test]
fn work_is_dealt_to_zones_by_their_cpus() {
    let workflow = workflow(vec![template("t", 100, 1, None)], &vec![Vec::new(); 100]);
    let plan = make(&workflow, &site(&[&[1], &[3]])).unwrap();
    let in_small =
        (0..100).filter(|&shard| plan.zone_of(ShardId(shard)) == Some(ZoneId(0))).count();
    assert_eq!(in_small, 25);
}

#[test]
fn a_wish_that_nothing_can_meet_is_told_once_for_each_template() {
    let templates = vec![
        template("fits", 2, 2, None),
        template("wide", 3, 64, None),
        template("vast", 2, 128, None),
    ];
    let workflow = workflow(templates, &vec![Vec::new(); 7]);
    let errors = make(&workflow, &site(&[&[2], &[8, 4]])).unwrap_err();
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "no pool can hold wide[0]: it needs 64 cpus, the largest node has 8 cpus, 1 GiB",
            "no pool can hold vast[0]: it needs 128 cpus, the largest node has 8 cpus, 1 GiB",
        ]
    );
}

/// `0 -> 1 -> 2` and `3`, in two zones of which the second is small.
fn chain() -> (Workflow, Site) {
    let mut templates: Vec<Template> = (0..3).map(|_| template("t", 1, 2, None)).collect();
    templates.push(template("small", 1, 1, None));
    let parents = [vec![], vec![0], vec![1], vec![]];
    (workflow(templates, &parents), site(&[&[2], &[1]]))
}

fn plan(shards: &[&[u32]], zones: &[u32]) -> Plan {
    let shard = |tasks: &&[u32]| tasks.iter().map(|&task| TaskId(task)).collect();
    Plan {
        id: PlanId(1),
        shards: Shards::Listed(shards.iter().map(shard).collect()),
        placements: Placements::Each(zones.iter().map(|&zone| ZoneId(zone)).collect()),
        order: Order::ById,
    }
}

#[test]
fn the_checker_finds_nothing_wrong_with_a_sound_plan() {
    let (workflow, site) = chain();
    assert_eq!(check(&plan(&[&[0, 1], &[2], &[3]], &[0, 0, 1]), &workflow, &site), []);
    assert_eq!(check(&plan(&[&[3, 0, 1, 2]], &[0]), &workflow, &site), []);
}

#[test]
fn the_checker_finds_tasks_that_are_in_no_shard_or_in_two() {
    let (workflow, site) = chain();
    let notes = check(&plan(&[&[0, 1], &[1, 2]], &[0, 0]), &workflow, &site);
    assert_eq!(
        notes,
        [
            Note::NotInOneShard { task: TaskId(1), shards: 2 },
            Note::NotInOneShard { task: TaskId(3), shards: 0 }
        ]
    );
}

#[test]
fn the_checker_finds_tasks_that_no_workflow_has() {
    let (workflow, site) = chain();
    let notes = check(&plan(&[&[0, 1, 2, 3, 9]], &[0]), &workflow, &site);
    assert_eq!(notes, [Note::NoSuchTask { task: TaskId(9), shard: ShardId(0) }]);
}

#[test]
fn the_checker_finds_shards_that_are_nowhere() {
    let (workflow, site) = chain();
    let shards: &[&[u32]] = &[&[0, 1], &[2], &[3]];
    let short = check(&plan(shards, &[0, 0]), &workflow, &site);
    assert_eq!(short, [Note::NotPlaced { shard: ShardId(2) }]);
    let outside = check(&plan(shards, &[0, 7, 1]), &workflow, &site);
    assert_eq!(outside, [Note::NotPlaced { shard: ShardId(1) }]);
}

#[test]
fn the_checker_finds_an_order_that_is_none() {
    let (workflow, site) = chain();
    let mut plan = plan(&[&[0, 1], &[2], &[3]], &[0, 0, 1]);
    plan.order = Order::Listed(vec![ShardId(2), ShardId(0), ShardId(2), ShardId(8)]);
    assert_eq!(
        check(&plan, &workflow, &site),
        [
            Note::NotOrderedOnce { shard: ShardId(1), times: 0 },
            Note::NotOrderedOnce { shard: ShardId(2), times: 2 },
            Note::NotOrderedOnce { shard: ShardId(8), times: 1 },
        ]
    );
    plan.order = Order::Listed(vec![ShardId(2), ShardId(0), ShardId(1)]);
    assert_eq!(check(&plan, &workflow, &site), []);
}

#[test]
fn the_checker_finds_a_task_before_its_parent() {
    let (workflow, site) = chain();
    let notes = check(&plan(&[&[1, 0], &[2], &[3]], &[0, 0, 1]), &workflow, &site);
    assert_eq!(notes, [Note::OutOfOrder { task: TaskId(1), shard: ShardId(0) }]);
}

#[test]
fn the_checker_finds_shards_that_wait_for_each_other() {
    let (workflow, site) = chain();
    let notes = check(&plan(&[&[0, 2], &[1], &[3]], &[0, 0, 1]), &workflow, &site);
    assert_eq!(notes, [Note::ShardCycle]);
}

#[test]
fn the_checker_finds_a_task_in_a_zone_too_small_for_it() {
    let (workflow, site) = chain();
    let notes = check(&plan(&[&[0, 1], &[2], &[3]], &[0, 1, 0]), &workflow, &site);
    assert_eq!(notes, [Note::DoesNotFit { task: TaskId(2), zone: ZoneId(1) }]);
}

#[test]
fn a_shard_with_a_final_task_and_another_is_told() {
    let last = Template { is_final: true, ..template("last", 1, 1, None) };
    let workflow = workflow(vec![template("a", 1, 1, None), last], &[vec![], vec![]]);
    let site = site(&[&[1]]);
    assert_eq!(check(&plan(&[&[0, 1]], &[0]), &workflow, &site), [mixed(0)]);
    assert_eq!(check(&plan(&[&[0], &[1]], &[0, 0]), &workflow, &site), []);
}

fn mixed(shard: u32) -> Note {
    Note::MixesFinal { shard: ShardId(shard) }
}
