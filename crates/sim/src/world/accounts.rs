//! The books of a virtual run: money, work kept and lost, the timeline.

use engine::AttemptId;
use engine::task_state::TaskState;
use spec::TaskId;

use super::World;
use crate::keeper::{Process, Stage};
use crate::outcome::{Bar, Ending, Holding, Outcome};

/// What has added up so far.
#[derive(Debug)]
pub(super) struct Accounts {
    /// By task: core-seconds of the attempt that committed last.
    committed: Vec<f32>,
    /// By task: whether what was committed last is wrong.
    wrong: Vec<bool>,
    lost: f64,
    redundant: f64,
    cost: f64,
    pub(super) transfer_cost: f64,
    held_seconds: f64,
    pub(super) requests: u64,
    allocations: u64,
    preemptions: u64,
    pub(super) jobs: u64,
    pub(super) attempts: u64,
    pub(super) bytes_moved: u64,
    pub(super) n_records: u64,
    keeps_timeline: bool,
    timeline: Vec<Bar>,
    holdings: Vec<Holding>,
}

impl Accounts {
    pub(super) fn new(n_tasks: usize, keeps_timeline: bool) -> Self {
        Self {
            committed: vec![0.0; n_tasks],
            wrong: vec![false; n_tasks],
            lost: 0.0,
            redundant: 0.0,
            cost: 0.0,
            transfer_cost: 0.0,
            held_seconds: 0.0,
            requests: 0,
            allocations: 0,
            preemptions: 0,
            jobs: 0,
            attempts: 0,
            bytes_moved: 0,
            n_records: 0,
            keeps_timeline,
            timeline: Vec::new(),
            holdings: Vec::new(),
        }
    }

    /// There are so many tasks by now; what was done for others was for nothing.
    pub(super) fn follow(&mut self, n_tasks: usize) {
        let gone = self.committed.iter().skip(n_tasks);
        self.redundant += gone.map(|&work| f64::from(work)).sum::<f64>();
        self.committed.resize(n_tasks, 0.0);
        self.wrong.resize(n_tasks, false);
    }

    /// Whether what a task left last is wrong.
    pub(super) fn is_wrong(&self, task: TaskId) -> bool {
        self.wrong[task.index()]
    }

    /// An attempt ended well; what an earlier one of the same task did was for nothing.
    pub(super) fn done(&mut self, task: TaskId, work: f64, is_wrong: bool) {
        let before = std::mem::replace(&mut self.committed[task.index()], work as f32);
        self.redundant += f64::from(before);
        self.wrong[task.index()] = is_wrong;
    }

    pub(super) fn lose(&mut self, work: f64) {
        self.lost += work;
    }
}

impl World<'_> {
    /// A process is gone.
    pub(super) fn book_process(
        &mut self,
        keeper: u32,
        attempt: AttemptId,
        process: &Process,
        is_done: bool,
    ) {
        if !is_done {
            self.accounts.lose(process.work(self.now));
        }
        if self.accounts.keeps_timeline {
            let row = &self.keepers[keeper as usize];
            self.accounts.timeline.push(Bar {
                attempt,
                zone: row.zone,
                allocation: row.allocation.0,
                slot: process.slot,
                from: process.since,
                started: process.spawned,
                to: self.now,
                is_done,
            });
        }
    }

    /// An allocation has ended, in whatever way.
    pub(super) fn book_keeper(&mut self, keeper: u32) {
        let row = &mut self.keepers[keeper as usize];
        row.ended = Some(self.now);
        let Some(from) = row.launched else { return };
        let price = &self.site.zones[row.zone.index()].price;
        let accounts = &mut self.accounts;
        accounts.cost += price.integral_hours(from, self.now);
        accounts.held_seconds += self.now.since(from).as_secs_f64();
        accounts.allocations += u64::from(row.up.is_some());
        accounts.preemptions += u64::from(row.is_preempted);
        if accounts.keeps_timeline {
            accounts.holdings.push(Holding {
                allocation: row.allocation.0,
                zone: row.zone,
                from,
                up: row.up,
                to: self.now,
                is_preempted: row.is_preempted,
            });
        }
    }

    /// At the end: what is still held is paid for until now.
    pub(super) fn close_books(&mut self) {
        for keeper in 0..self.keepers.len() {
            if matches!(self.keepers[keeper].stage, Stage::Launching | Stage::Up) {
                let processes = std::mem::take(&mut self.keepers[keeper].processes);
                for (attempt, process) in &processes {
                    self.book_process(keeper as u32, *attempt, process, false);
                }
                self.book_keeper(keeper as u32);
            }
        }
    }

    pub(super) fn outcome(mut self, ending: Ending) -> Outcome {
        let Some(engine) = &self.orchestrator.engine else {
            return self.outcome_with(ending, 0.0, Vec::new());
        };
        let state = engine.state();
        let mut useful = 0.0;
        let mut wrong = Vec::new();
        for task in self.workflow.tasks() {
            let work = f64::from(self.accounts.committed[task.index()]);
            if state.task(task).state != TaskState::Published {
                self.accounts.redundant += work;
                continue;
            }
            useful += work;
            if self.accounts.wrong[task.index()] {
                wrong.push(task);
            }
        }
        self.outcome_with(ending, useful, wrong)
    }

    fn outcome_with(mut self, ending: Ending, useful_work: f64, wrong: Vec<TaskId>) -> Outcome {
        let accounts = self.accounts;
        Outcome {
            ending,
            makespan: self.now.since(self.options.start),
            cost: accounts.cost + accounts.transfer_cost,
            transfer_cost: accounts.transfer_cost,
            useful_work,
            lost_work: accounts.lost,
            redundant_work: accounts.redundant,
            requests: accounts.requests,
            allocations: accounts.allocations,
            preemptions: accounts.preemptions,
            held_seconds: accounts.held_seconds,
            jobs: accounts.jobs,
            attempts: accounts.attempts,
            bytes_moved: accounts.bytes_moved,
            wrong,
            hits: self.hits,
            n_happenings: self.agenda.n_put(),
            n_records: accounts.n_records,
            trace: self.watcher.trace(),
            taken: self.watcher.taken(),
            timeline: accounts.timeline,
            holdings: accounts.holdings,
            records: self.orchestrator.journal,
        }
    }
}
