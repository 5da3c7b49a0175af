//! What a task waits for: other tasks, or room.

use std::collections::BTreeSet;

use engine::task_state::TaskState;
use serde::Serialize;
use spec::{Resources, TaskId, ZoneId};

use super::{Asked, LISTED_MAX};
use crate::quantity::Seconds;
use crate::summary::TaskRef;

/// A task that another one waits for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Blocker {
    /// Which.
    pub task: TaskRef,
    /// How it stands, as in [`super::Account::state`].
    pub state: &'static str,
    /// If it runs: for how long.
    pub running_seconds: Option<Seconds>,
}

/// Room that a task waits for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Queue {
    /// The zone where it is to run; none while the plan keeps it back.
    pub zone: Option<String>,
    /// What it asks for.
    pub asked: Resources,
    /// What there is; none if capacity was asked for and has not come.
    pub capacity: Option<Resources>,
    /// What no task uses.
    pub free: Option<Resources>,
    /// Tasks that could be started and go before it.
    pub n_before: usize,
}

impl Asked<'_> {
    /// What must be published before a task, and where that waits itself, what it waits for in
    /// the end. Both are cut at [`LISTED_MAX`].
    pub(super) fn blockers(&self, task: TaskId) -> (Vec<Blocker>, Vec<Blocker>) {
        let is_open = |state| {
            matches!(
                state,
                TaskState::Waiting
                    | TaskState::Ready
                    | TaskState::Leased
                    | TaskState::Committed
                    | TaskState::Publishing
            )
        };
        if !is_open(self.state(task)) {
            return (Vec::new(), Vec::new());
        }
        let unmet = |task: TaskId| {
            let is_done = |state| matches!(state, TaskState::Published | TaskState::Excluded);
            self.workflow.parents(task).filter(move |&parent| !is_done(self.state(parent)))
        };
        let direct: BTreeSet<TaskId> = unmet(task).collect();
        let (mut seen, mut roots) = (direct.clone(), BTreeSet::new());
        let mut stack: Vec<TaskId> = direct.iter().copied().collect();
        while let Some(blocker) = stack.pop() {
            if self.state(blocker) != TaskState::Waiting {
                roots.insert(blocker);
                continue;
            }
            stack.extend(unmet(blocker).filter(|&next| seen.insert(next)));
        }
        let list = |tasks: &BTreeSet<TaskId>| {
            tasks.iter().take(LISTED_MAX).map(|&task| self.blocker(task)).collect()
        };
        let deeper = roots.difference(&direct).copied().collect();
        (list(&direct), list(&deeper))
    }

    fn blocker(&self, task: TaskId) -> Blocker {
        let live = self.timeline.state().live().get(&task);
        let started = live.and_then(|live| live.started);
        Blocker {
            task: TaskRef::of(self.workflow, task),
            state: self.state_word(task),
            running_seconds: started.map(|(at, _)| Seconds(self.extras.now.since(at))),
        }
    }

    /// The queue it stands in, if it could be started.
    pub(super) fn queue(&self, task: TaskId) -> Option<Queue> {
        let state = self.timeline.state();
        let waits = |task| match self.state(task) {
            TaskState::Ready => true,
            TaskState::Leased => !self.is_running(task),
            _ => false,
        };
        let plan = state.plan().filter(|_| waits(task))?;
        let zone = plan.zone_of(state.shard_of(task));
        let positions = plan.positions();
        let place = |task: TaskId| {
            let shard = state.shard_of(task);
            (positions[shard.0 as usize], shard, task)
        };
        let goes_before = |&other: &TaskId| {
            waits(other)
                && place(other) < place(task)
                && plan.zone_of(state.shard_of(other)) == zone
        };
        let (capacity, free) = zone.map_or((None, None), |zone| self.room(zone));
        let name = |zone: ZoneId| Some(self.extras.site.zones.get(zone.index())?.name.clone());
        Some(Queue {
            zone: zone.and_then(name),
            asked: state.granted(task),
            capacity,
            free,
            n_before: self.workflow.tasks().filter(goes_before).count(),
        })
    }

    /// What all allocations of a zone have, and what of it no task uses; none if there is none yet.
    fn room(&self, zone: ZoneId) -> (Option<Resources>, Option<Resources>) {
        let state = self.timeline.state();
        let mut capacity: Option<Resources> = None;
        for id in state.live_allocations(zone) {
            let here = &state.allocations()[&id].capacity;
            match &mut capacity {
                Some(all) => all.put(here),
                None => capacity = Some(here.clone()),
            }
        }
        let capacity = capacity.filter(|capacity| capacity.cpus.0 > 0);
        let mut free = capacity.clone();
        for (&task, live) in state.live().iter().filter(|(_, live)| live.started.is_some()) {
            let is_here = state.allocations()[&live.allocation].zone == zone;
            if let Some(free) = free.as_mut().filter(|_| is_here) {
                free.take(&state.granted(task));
            }
        }
        (capacity, free)
    }
}
