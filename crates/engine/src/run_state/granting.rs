//! What an attempt is granted: what its task asks for, and more memory each time it ran out.

use plan::{ShardId, Shards};
use spec::{Bytes, Resources, TaskId, ZoneId};

use super::RunState;
use crate::cause::MemoryBound;
use crate::memory::{LearnedMemory, MemoryTerms};

/// How a task has run out of memory. Only those that have are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shortage {
    /// How often in all: what its memory has grown by.
    times: u16,
    /// How many of its `oom_retries` are used; a person who asks for it again gives them back.
    retries: u16,
}

impl RunState {
    /// What the next attempt at a task is granted, or the one that lives.
    #[must_use]
    pub fn granted(&self, task: TaskId) -> Resources {
        let asked = self.workflow().resources(task);
        Resources { memory: self.memory_granted(task), ..asked.clone() }
    }

    /// The memory of [`RunState::granted`] alone.
    #[must_use]
    pub fn memory_granted(&self, task: TaskId) -> Bytes {
        let times = self.shortages.get(&task).map_or(0, |shortage| shortage.times);
        self.memory_after(task, times)
    }

    /// What earlier runs say of a task's memory, if that is what it starts with.
    #[must_use]
    pub fn learned_memory(&self, task: TaskId) -> Option<LearnedMemory> {
        self.memory.learned.get(&self.workflow().template(task).name).copied()
    }

    /// The terms of the run.
    #[must_use]
    pub fn memory_terms(&self) -> &MemoryTerms {
        &self.memory
    }

    /// Why a task that has just run out of memory gets no more; none if it is tried again.
    pub(crate) fn memory_bound(&self, task: TaskId) -> Option<MemoryBound> {
        let template = self.workflow().template(task);
        let shortage = self.shortages.get(&task).copied().unwrap_or_default();
        if !template.idempotent {
            return Some(MemoryBound::NotIdempotent);
        }
        if shortage.retries >= template.memory.retries {
            return Some(MemoryBound::Retries(template.memory.retries));
        }
        let now = self.memory_after(task, shortage.times);
        if now.0 == 0 || self.memory_after(task, shortage.times.saturating_add(1)) > now {
            return None;
        }
        let ceiling = self.ceiling(task);
        let own = template.memory.max.filter(|&max| max <= ceiling);
        Some(own.map_or(MemoryBound::Node(ceiling), MemoryBound::Max))
    }

    pub(super) fn on_out_of_memory(&mut self, task: TaskId) {
        let shortage = self.shortages.entry(task).or_default();
        shortage.times = shortage.times.saturating_add(1);
        shortage.retries = shortage.retries.saturating_add(1);
        self.find_room(self.shard_of[task.index()]);
    }

    /// A person asks for a failed task again. What it is known to need stays known.
    pub(super) fn give_oom_retries_back(&mut self, task: TaskId) {
        if let Some(shortage) = self.shortages.get_mut(&task) {
            shortage.retries = 0;
        }
    }

    /// Tasks from this one on were placed by what the workflow says.
    pub(super) fn find_room_for_learned(&mut self, first: usize) {
        if self.memory.learned.is_empty() {
            return;
        }
        let tasks = self.workflow().tasks().skip(first);
        let learned: Vec<TaskId> =
            tasks.filter(|&task| self.learned_memory(task).is_some()).collect();
        for task in learned {
            self.find_room(self.shard_of[task.index()]);
        }
    }

    /// Whether a zone has a node for whatever a shard is granted.
    pub(crate) fn has_room(&self, shard: ShardId, zone: ZoneId) -> bool {
        let plan = self.plan.as_ref().expect("shards come from a plan");
        let tasks = plan.tasks_of(shard);
        tasks.into_iter().all(|task| self.memory.has_room(&self.granted(task), zone))
    }

    /// A task that has grown out of its zone moves to one that can hold it. Only one that travels
    /// alone: the others of a larger shard grow no further than their zone.
    fn find_room(&mut self, shard: ShardId) {
        let Some(task) = self.lone_task(shard) else { return };
        let Some(zone) = self.plan.as_ref().and_then(|plan| plan.zone_of(shard)) else { return };
        let needs = self.granted(task);
        if !self.memory.has_room(&needs, zone)
            && let Some(other) = self.memory.zone_for(&needs)
        {
            self.move_shard(shard, Some(other));
        }
    }

    fn memory_after(&self, task: TaskId, times: u16) -> Bytes {
        let asked = self.workflow().resources(task).memory;
        let growth = self.workflow().template(task).memory;
        let learned = self.learned_memory(task).filter(|_| asked.0 > 0);
        if times == 0 && learned.is_none() {
            return asked;
        }
        let start = learned.map_or(asked, |learned| learned.start);
        growth.granted(start, times, self.ceiling(task))
    }

    fn ceiling(&self, task: TaskId) -> Bytes {
        let shard = self.shard_of.get(task.index()).copied();
        let is_alone = shard.is_none_or(|shard| self.lone_task(shard).is_some());
        let plan = self.plan.as_ref().filter(|_| !is_alone);
        let zone = plan.zip(shard).and_then(|(plan, shard)| plan.zone_of(shard));
        self.memory.ceiling(self.workflow().resources(task), zone)
    }

    fn lone_task(&self, shard: ShardId) -> Option<TaskId> {
        match &self.plan.as_ref()?.shards {
            Shards::Singletons(_) => Some(TaskId(shard.0)),
            Shards::Listed(shards) => match &shards[shard.0 as usize][..] {
                [task] => Some(*task),
                _ => None,
            },
        }
    }
}
