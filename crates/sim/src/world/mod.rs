//! Virtual time around the real engine and the real shard hosts.
//!
//! Knows what an orchestrator, keepers, places, disks and people do, and when. Decides nothing of
//! its own: where work goes is decided by the plan or a policy, what must always hold is in
//! [`crate::watch`]. Reading order: this file, then `orchestrator`, `places`, `keepers`, `planning`.

mod accounts;
mod checking;
mod growing;
mod keepers;
mod moving;
mod orchestrator;
mod places;
mod planning;

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::input::Command;
use engine::memory::MemoryTerms;
use engine::outcome::{Outcome as RunOutcome, Usage};
use engine::phase::Phase;
use engine::ranges::TaskRanges;
use engine::shard::{End, HostInput};
use engine::task_state::TaskState;
use engine::{AllocationId, AttemptId, Input, Observation};
use plan::{Plan, Policy, Revision};
use spec::{Duration, TaskId, Timestamp, Workflow, ZoneId};

use crate::agenda::Agenda;
use crate::chance::{Purpose, Stream};
use crate::faults::{Fault, Faults, Hits, N_FAULTS};
use crate::keeper::Keeper;
use crate::outcome::{Ending, Outcome};
use crate::site::VirtualSite;
use crate::truth::Truth;
use crate::watch::{Violation, Watch, Watcher};
use accounts::Accounts;
use orchestrator::Orchestrator;
use places::Place;
use planning::Planner;

/// What a world is made of.
pub struct Setup<'p> {
    /// What is run.
    pub workflow: Arc<Workflow>,
    /// Where.
    pub site: VirtualSite,
    /// What tasks really do.
    pub truth: Truth,
    /// The plan that the run begins with; [`plan::policy::nothing_placed`] where a policy decides.
    pub plan: Plan,
    /// Who revises the plan, if anybody.
    pub policy: Option<Box<dyn Policy + 'p>>,
    /// Everything else.
    pub options: Options,
    /// Where chance comes from. Two worlds with the same seed meet the same delays and the same
    /// silent corruption, whatever their plans and policies.
    pub seed: u64,
}

/// How a world is run and watched.
#[derive(Clone, Debug)]
pub struct Options {
    /// When the run begins, in the time of the site.
    pub start: Timestamp,
    /// After how long a run is given up.
    pub give_up: Duration,
    /// After how much has happened a run is taken to go round in circles.
    pub happenings_max: u64,
    /// What the user chose.
    pub run: engine::event::Options,
    /// What attempts are granted of memory beyond what the workflow says.
    pub memory: MemoryTerms,
    /// The tasks that are wanted, with all they need; all if none are named.
    pub selected: Option<TaskRanges>,
    /// Wanted tasks with a result of an earlier run.
    pub reusable: TaskRanges,
    /// What a person asks, and when.
    pub commands: Vec<(Timestamp, Command)>,
    /// How often a failed run is tried again.
    pub retries_of_run: u32,
    /// When inputs are moved.
    pub staging: Staging,
    /// What goes wrong.
    pub faults: Faults,
    /// What is checked.
    pub watch: Watch,
    /// Whether a timeline is kept.
    pub keeps_timeline: bool,
    /// Whether the records of the run are kept.
    pub keeps_records: bool,
}

impl Default for Options {
    /// A run without faults that is given up after ten years, checked cheaply.
    fn default() -> Self {
        Self {
            start: Timestamp(0),
            give_up: Duration::from_secs(10 * 365 * 24 * 3_600),
            happenings_max: u64::MAX,
            run: engine::event::Options::default(),
            memory: MemoryTerms::default(),
            selected: None,
            reusable: TaskRanges::default(),
            commands: Vec::new(),
            retries_of_run: 0,
            staging: Staging::AtStart,
            faults: Faults::NONE,
            watch: Watch::Cheap,
            keeps_timeline: false,
            keeps_records: false,
        }
    }
}

/// When the inputs of a task are moved to where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staging {
    /// When its slot is taken; the slot is held meanwhile.
    AtStart,
    /// Each as soon as it is made, as the models of list scheduling have it. A task that gets its
    /// slot earlier holds it until they are there. Links are then not shared.
    Ahead,
}

/// Something that will happen. A number in front says in which life of the orchestrator, or to
/// which keeper.
#[derive(Clone, Debug)]
enum Happening {
    Restart,
    Wake(u32),
    Told(u32, Box<[Observation]>),
    Flush(u32),
    Publishing(u32, AttemptId),
    Synced(u32),
    ZombieWakes,
    Asked(Command),
    ZoneChanges(ZoneId),
    ZoneWarns(ZoneId),
    Decide,
    PolicyWake(Timestamp),
    Admitted(u32),
    Up(u32),
    TimeUp(u32),
    Orders(u32),
    OrderAgain(u32, Box<HostInput>),
    Probing(u32, AllocationId),
    Proposed(u32, Box<Revision>),
    Reread(u32, u32),
    Abandoned(u32),
    KeeperWake(u32, Timestamp),
    Spawning(u32, AttemptId),
    Ending(u32, AttemptId, End),
    Bursting(u32, AttemptId),
    Committing(u32, AttemptId),
    LinkDone(u64),
    Fetched(u32, AttemptId),
    RefusalTold(u32),
}

/// The world itself.
pub struct World<'p> {
    workflow: Arc<Workflow>,
    /// As it was when the run began; it may have grown since.
    first_workflow: Arc<Workflow>,
    site: VirtualSite,
    truth: Truth,
    options: Options,
    first_plan: Plan,
    now: Timestamp,
    agenda: Agenda<Happening>,
    orchestrator: Orchestrator,
    places: Vec<Place>,
    keepers: Vec<Keeper>,
    keeper_of: BTreeMap<AllocationId, u32>,
    moving: moving::Moving,
    planner: Planner<'p>,
    /// By task: which attempt has its final names.
    store: Vec<u32>,
    /// Of tasks that are not idempotent: the attempt that started last.
    last_start: BTreeMap<TaskId, AttemptId>,
    /// What the processes of each attempt were measured to use, where keepers remember.
    usages: BTreeMap<AttemptId, Vec<Usage>>,
    accounts: Accounts,
    watcher: Watcher,
    violation: Option<Violation>,
    hits: Hits,
    fault_streams: [Stream; N_FAULTS],
    pace: Stream,
    retries_of_run: u32,
    /// Whether keepers and disks have to remember for those who ask again.
    remembers: bool,
}

impl<'p> World<'p> {
    /// A world before its first moment.
    #[must_use]
    pub fn new(setup: Setup<'p>) -> Self {
        let Setup { workflow, site, truth, plan, policy, options, seed } = setup;
        let n = workflow.n_tasks();
        let n_zones = site.zones.len();
        let place = |zone| Place::new(seed, ZoneId::from_index(zone));
        let fault_stream = |fault| Stream::new(seed, Purpose::Fault, fault as u64);
        let remembers = !options.faults.is_none() || options.watch == Watch::All;
        let selected = options.selected.clone().unwrap_or_else(|| TaskRanges::all(n));
        Self {
            watcher: Watcher::new(options.watch, &workflow, &plan, &selected, &options.memory),
            accounts: Accounts::new(n, options.keeps_timeline),
            moving: moving::Moving::new(&site.links, n, options.staging),
            places: (0..n_zones).map(place).collect(),
            planner: Planner::new(policy),
            retries_of_run: options.retries_of_run,
            now: options.start,
            agenda: Agenda::new(),
            orchestrator: Orchestrator::new(remembers || options.keeps_records),
            keepers: Vec::new(),
            keeper_of: BTreeMap::new(),
            store: vec![0; n],
            last_start: BTreeMap::new(),
            usages: BTreeMap::new(),
            violation: None,
            hits: Hits::default(),
            fault_streams: Fault::ALL.map(fault_stream),
            pace: Stream::new(seed, Purpose::Pace, 0),
            first_plan: plan,
            first_workflow: Arc::clone(&workflow),
            workflow,
            site,
            truth,
            options,
            remembers,
        }
    }

    /// Lets everything happen, until the run is over.
    #[must_use]
    pub fn run(mut self) -> Outcome {
        let limit = self.options.start + self.options.give_up;
        for (at, command) in std::mem::take(&mut self.options.commands) {
            self.put(at, Happening::Asked(command));
        }
        self.open_places();
        self.restart();
        self.decide_soon();
        let mut is_given_up = false;
        while !self.is_over() && self.violation.is_none() {
            let Some((at, what)) = self.agenda.pop() else {
                self.violation = Some(self.watcher.nothing_awaited(self.now));
                break;
            };
            if at > limit {
                is_given_up = true;
                break;
            }
            self.now = self.now.max(at);
            let last = cfg!(debug_assertions).then(|| format!("{what:?}"));
            self.happen(what);
            if self.agenda.n_put() > self.options.happenings_max {
                let what = format!("too much happens; the last was {last:?}");
                self.hold(Err(Violation::of("L1", what)));
            }
        }
        self.end(is_given_up)
    }

    fn end(mut self, is_given_up: bool) -> Outcome {
        if self.violation.is_none() && !is_given_up {
            let checked = self.check_end();
            self.hold(checked);
        }
        self.close_books();
        let phase = self.orchestrator.engine.as_ref().map(|engine| engine.state().phase());
        let ending = match (self.violation.take(), phase) {
            (Some(violation), _) => Ending::Violated(violation),
            (None, Some(Phase::Finished(outcome))) => Ending::Finished(outcome),
            (None, _) => Ending::GaveUp,
        };
        self.outcome(ending)
    }

    fn is_over(&mut self) -> bool {
        let Some(engine) = &self.orchestrator.engine else { return false };
        match engine.state().phase() {
            Phase::Finished(RunOutcome::Failed) if self.retries_of_run > 0 => {
                self.retries_of_run -= 1;
                // Final tasks run at each end, and there will be another.
                for task in self.workflow.final_tasks() {
                    if engine.state().task(task).state == TaskState::Published {
                        self.last_start.remove(&task);
                    }
                }
                if self.pace.chance(0.5) {
                    self.end_life();
                    self.restart();
                }
                self.tell(Input::Command(Command::RetryFailed));
                self.decide_soon();
                self.violation.is_none() && self.is_over()
            }
            Phase::Finished(_) => true,
            Phase::Running
            | Phase::Draining { .. }
            | Phase::Paused
            | Phase::Cancelling
            | Phase::Finishing(_) => false,
        }
    }

    fn put(&mut self, at: Timestamp, what: Happening) {
        self.agenda.put(at, what);
    }

    fn after(&mut self, delay: Duration, what: Happening) {
        self.agenda.put(self.now + delay, what);
    }

    fn soon(&mut self, most: Duration, what: Happening) {
        let delay = self.pace.span(most);
        self.after(delay, what);
    }

    /// Whether a fault strikes now.
    fn strikes(&mut self, fault: Fault) -> bool {
        let stream = &mut self.fault_streams[fault as usize];
        let strikes = self.options.faults.strikes(fault, self.now, stream);
        if strikes {
            self.hits.count(fault);
        }
        strikes
    }

    /// A number between the two for a fault that has struck.
    fn how_much(&mut self, fault: Fault, low: u64, high: u64) -> u64 {
        self.fault_streams[fault as usize].between(low, high)
    }

    /// Remembers the first thing that did not hold.
    fn hold(&mut self, checked: Result<(), Violation>) {
        if let Err(violation) = checked {
            self.violation.get_or_insert(violation.at(self.now));
        }
    }

    fn happen(&mut self, what: Happening) {
        use Happening as H;
        match what {
            H::Restart => self.restart(),
            H::Wake(life) if life == self.orchestrator.life => self.tell(Input::Wake),
            H::Told(life, what) if life == self.orchestrator.life => {
                self.tell(Input::Observations(what.into_vec()));
            }
            H::Flush(life) if life == self.orchestrator.life => self.flush(),
            H::Publishing(life, attempt) if life == self.orchestrator.life => {
                if let Some(told) = self.publish(attempt) {
                    self.observe(vec![told]);
                }
            }
            H::Reread(life, keeper) if life == self.orchestrator.life => self.reread(keeper),
            H::Synced(life) if life == self.orchestrator.life => self.synced(),
            H::Probing(life, allocation) if life == self.orchestrator.life => {
                self.probe(allocation);
            }
            H::Proposed(life, revision) if life == self.orchestrator.life => {
                self.tell(Input::PlanProposed(*revision));
            }
            H::Wake(_)
            | H::Told(..)
            | H::Flush(_)
            | H::Publishing(..)
            | H::Synced(_)
            | H::Reread(..)
            | H::Probing(..)
            | H::Proposed(..) => {}
            H::ZombieWakes => self.zombie_wakes(),
            H::Asked(command) => self.asked(command),
            H::ZoneChanges(zone) => self.zone_changes(zone),
            H::ZoneWarns(zone) => self.zone_warns(zone),
            H::Decide => self.decide(),
            H::PolicyWake(at) => self.policy_wakes(at),
            H::Admitted(keeper) => self.ask_for_room(keeper),
            H::RefusalTold(keeper) => self.refuse(keeper),
            H::Up(keeper) => self.keeper_up(keeper),
            H::TimeUp(keeper) => self.time_up(keeper),
            H::Orders(keeper) => self.take_orders(keeper),
            H::OrderAgain(keeper, order) => self.order_again(keeper, *order),
            H::Abandoned(keeper) => self.end_if_abandoned(keeper),
            H::KeeperWake(keeper, at) => self.wake_keeper(keeper, at),
            H::Spawning(keeper, attempt) => self.spawn(keeper, attempt),
            H::Ending(keeper, attempt, end) => self.end_process(keeper, attempt, end),
            H::Bursting(keeper, attempt) => self.burst(keeper, attempt),
            H::Committing(keeper, attempt) => self.commit(keeper, attempt),
            H::LinkDone(version) => self.link_done(version),
            H::Fetched(keeper, attempt) => self.fetched(keeper, attempt),
        }
    }

    /// A person asks something of the run, and perhaps again later.
    fn asked(&mut self, command: Command) {
        if self.orchestrator.engine.is_some() {
            self.hits.count(Fault::Command);
        }
        if self.strikes(Fault::CommandDoubled) {
            self.soon(Duration::from_secs(60), Happening::Asked(command));
        }
        self.tell(Input::Command(command));
    }

    fn has_outputs(&self, task: TaskId) -> bool {
        !self.workflow.outputs(task).is_empty()
    }
}
