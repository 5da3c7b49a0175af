//! Plans that change while they are carried out: shards that wait, move, and capacity that comes
//! and goes because the plan says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::engine::Start;
use engine::event::Options;
use engine::forecast::{ForecastSummary, ZoneForecast};
use engine::memory::MemoryTerms;
use engine::ranges::TaskRanges;
use engine::{Action, AllocationId, AttemptId, Engine, Input, Observation, Output, RunState};
use plan::{Order, Placements, Plan, PlanId, Revision, ShardId, Shards};
use spec::resources::MilliCpus;
use spec::{Bytes, Resources, Timestamp, Workflow, ZoneId};

const HERE: ZoneId = ZoneId(0);
const THERE: ZoneId = ZoneId(1);

#[test]
fn a_shard_without_a_zone_waits_for_a_revision() {
    let mut run = Run::of_three_unplaced_tasks();
    assert_eq!(run.actions(), []);
    run.revise(&[(0, Some(HERE))], &[]);
    let [Action::Allocate { allocation, zone: HERE }] = run.actions()[..] else { panic!() };
    run.up(allocation, 4);
    assert_eq!(leased(&run.actions()), ["t0.1 to a1"]);
}

#[test]
fn a_forecast_that_is_news_is_recorded_and_kept_and_nothing_else_follows_from_it() {
    let mut run = Run::of_three_unplaced_tasks();
    run.actions();
    let zone = |up| ZoneForecast { zone: HERE, is_up: None, up: vec![up], survival: vec![up] };
    let forecast =
        |up| ForecastSummary { minutes: vec![60], zones: vec![zone(up)], ..Default::default() };
    let mut records = |up| {
        let before = run.engine.state().seq();
        run.engine.handle(Timestamp(1), Input::ForecastChanged(forecast(up)));
        assert_eq!(run.actions(), []);
        run.engine.state().seq() - before
    };
    assert_eq!((records(800), records(800), records(700)), (1, 0, 1));
    assert_eq!(records(1001), 0, "no chance is above one");
    assert_eq!(run.engine.state().forecast(), Some(&forecast(700)));
}

#[test]
fn as_many_allocations_are_held_as_the_plan_wants_and_one_that_is_lost_is_not_replaced() {
    let mut run = Run::of_three_unplaced_tasks();
    run.revise(&[], &[(THERE, 2)]);
    assert_eq!(run.actions().len(), 2);
    run.up(AllocationId(1), 1);
    run.up(AllocationId(2), 1);
    run.revise(&[(0, Some(THERE)), (1, Some(THERE)), (2, Some(THERE))], &[]);
    assert_eq!(leased(&run.actions()), ["t0.1 to a1", "t1.1 to a2"]);
    let (cause, not_started) = (engine::cause::LossCause::KeeperDied, vec![]);
    run.tell(Observation::AllocationLost { allocation: AllocationId(1), cause, not_started });
    assert_eq!(run.actions(), []);
    run.revise(&[], &[(THERE, 0)]);
    assert_eq!(run.actions(), [Action::Close { allocation: AllocationId(2) }]);
}

#[test]
fn what_is_granted_stays_where_it_is_and_proposals_from_another_plan_are_dropped() {
    let mut run = Run::of_three_unplaced_tasks();
    run.revise(&[(0, Some(HERE))], &[]);
    run.up(AllocationId(1), 1);
    run.actions();
    let before = run.engine.state().clone();
    run.revise(&[(0, Some(THERE))], &[]);
    assert_eq!(run.engine.state(), &before);
    let stale =
        Revision { id: PlanId(9), base: PlanId(7), moves: vec![], allocations: vec![(HERE, 1)] };
    run.engine.handle(Timestamp(1), Input::PlanProposed(stale));
    assert_eq!(run.engine.state(), &before);
}

#[test]
fn a_revised_plan_is_found_again_in_replay() {
    let mut run = Run::of_three_unplaced_tasks();
    run.revise(&[(0, Some(HERE)), (2, Some(THERE))], &[(HERE, 2)]);
    run.revise(&[(2, None), (1, Some(HERE))], &[]);
    run.actions();
    let state = RunState::replay(Arc::clone(&run.workflow), &run.records).unwrap();
    assert_eq!(&state, run.engine.state());
    assert_eq!(state.unplaced().collect::<Vec<_>>(), [ShardId(2)]);
    assert_eq!(state.waiting_in(HERE).collect::<Vec<_>>(), [ShardId(0), ShardId(1)]);
}

struct Run {
    workflow: Arc<Workflow>,
    engine: Engine,
    records: Vec<engine::Record>,
}

impl Run {
    fn of_three_unplaced_tasks() -> Self {
        let text = "foreshard: 1\ntasks: {a: {run: a}, b: {run: b}, c: {run: c}}\n";
        let source = spec::diagnostic::Source::new("three.yaml", text);
        let (workflow, said) = spec::workflow_file::parse(&source, &BTreeMap::new());
        let workflow = Arc::new(workflow.unwrap_or_else(|| panic!("{said:?}")));
        let placements = Placements::Partly(vec![None; 3]);
        let plan =
            Plan { id: PlanId(1), shards: Shards::Singletons(3), placements, order: Order::ById };
        let start = Start {
            plan,
            options: Options { queue_ahead: 0, ..Options::default() },
            selected: TaskRanges::all(3),
            reusable: TaskRanges::default(),
            memory: MemoryTerms::default(),
            wanted: Vec::new(),
        };
        let engine = Engine::start(Arc::clone(&workflow), start, Timestamp(0));
        Self { workflow, engine, records: Vec::new() }
    }

    fn actions(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        loop {
            match self.engine.poll() {
                Output::Record(record) => self.records.push(record),
                Output::Perform(action) => actions.push(action),
                Output::WaitUntil(_) => return actions,
            }
        }
    }

    fn revise(&mut self, moves: &[(u32, Option<ZoneId>)], allocations: &[(ZoneId, u32)]) {
        let base = self.engine.state().plan().expect("a plan is in force").id;
        let revision = Revision {
            id: PlanId(base.0 + 1),
            base,
            moves: moves.iter().map(|&(shard, zone)| (ShardId(shard), zone)).collect(),
            allocations: allocations.to_vec(),
        };
        self.engine.handle(Timestamp(1), Input::PlanProposed(revision));
    }

    fn up(&mut self, allocation: AllocationId, cpus: u32) {
        let memory = Bytes(1 << 40);
        let cpus = MilliCpus::whole(cpus);
        let capacity = Resources { cpus, memory, ..Resources::default() };
        self.tell(Observation::AllocationUp { allocation, capacity, known: vec![] });
    }

    fn tell(&mut self, observation: Observation) {
        self.engine.handle(Timestamp(1), Input::Observations(vec![observation]));
    }
}

fn leased(actions: &[Action]) -> Vec<String> {
    let mut leased = Vec::new();
    for action in actions {
        let Action::Lease { allocation, leases } = action else { panic!("{action:?}") };
        let attempts: Vec<AttemptId> = leases.iter().map(|lease| lease.attempt).collect();
        leased.extend(attempts.iter().map(|attempt| format!("{attempt} to {allocation}")));
    }
    leased
}
