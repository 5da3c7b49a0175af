//! The realised critical path: the chain of attempts and waits that fills the makespan.
//!
//! Walks back from the attempt that ended last. At each step, the last thing that had to happen
//! before the attempt could start (a parent was published, its slot became free, the pause before
//! a retry was over, the run began) is its release, and what lies between is a wait. Running time
//! and waits add up to the makespan exactly.

use std::collections::BTreeSet;

use spec::{Duration, TaskId, Timestamp, Workflow};

use crate::timeline::{Attempt, Timeline};

/// The chain, first step first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CriticalPath {
    /// Attempts and reused results.
    pub steps: Vec<Step>,
}

/// One attempt on the chain, or one reused result.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Which task.
    pub task: TaskId,
    /// Which try; none for a reused result.
    pub attempt: Option<u32>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What had to happen last before it could start.
    pub release: Release,
    /// Between its release's end and its start.
    pub waits: Waits,
}

/// What had to happen last before a step could start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The run began.
    RunStart,
    /// The last of its parents was published.
    Dependency(TaskId),
    /// An attempt at another task left the place it then took.
    Slot(TaskId),
    /// The task's attempt before had ended, and the pause was over.
    Retry,
}

/// Where time on the chain went, other than to running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Committing and publishing the outputs of a parent.
    pub publish: Duration,
    /// The pause before a retry.
    pub retry_pause: Duration,
    /// Nobody was in charge of the run.
    pub interrupted: Duration,
    /// Everything else: recording, granting, starting.
    pub overhead: Duration,
}

impl Waits {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.publish + self.retry_pause + self.interrupted + self.overhead
    }
}

impl CriticalPath {
    /// Finds it. Empty if nothing has run.
    #[must_use]
    pub fn of(workflow: &Workflow, timeline: &Timeline) -> Self {
        let attempts = timeline.attempts().iter().filter(|a| a.started_at.is_some());
        let Some(last) = attempts.max_by_key(|&a| (timeline.end_of(a), std::cmp::Reverse(a.id)))
        else {
            return Self::default();
        };
        let mut walk = Walk::new(workflow, timeline);
        let mut next = Some(Link::Attempt(last));
        while let Some(link) = next {
            next = walk.back_over(link);
        }
        walk.steps.reverse();
        Self { steps: walk.steps }
    }

    /// How long its attempts ran.
    #[must_use]
    pub fn running(&self) -> Duration {
        let spans = self.steps.iter().map(|step| step.ended_at.since(step.started_at));
        spans.fold(Duration::ZERO, std::ops::Add::add)
    }

    /// All waits on it, by kind.
    #[must_use]
    pub fn waits(&self) -> Waits {
        self.steps.iter().fold(Waits::default(), |sum, step| Waits {
            publish: sum.publish + step.waits.publish,
            retry_pause: sum.retry_pause + step.waits.retry_pause,
            interrupted: sum.interrupted + step.waits.interrupted,
            overhead: sum.overhead + step.waits.overhead,
        })
    }
}

/// Steps of one template, each in the slot of the one before: told as one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch<'a> {
    /// The first of them.
    pub first: &'a Step,
    /// The last of them.
    pub last: &'a Step,
    /// How many steps.
    pub n: usize,
    /// How long they ran.
    pub running: Duration,
    /// How long they waited, the first one included.
    pub waited: Duration,
}

impl CriticalPath {
    /// The chain with long queues folded up: a chain of a hundred thousand steps has few turns.
    #[must_use]
    pub fn stretches(&self, workflow: &Workflow) -> Vec<Stretch<'_>> {
        let mut stretches: Vec<Stretch<'_>> = Vec::new();
        for step in &self.steps {
            let running = step.ended_at.since(step.started_at);
            let template = workflow.template_of(step.task);
            match stretches.last_mut() {
                Some(open)
                    if matches!(step.release, Release::Slot(_))
                        && workflow.template_of(open.last.task) == template =>
                {
                    open.last = step;
                    open.n += 1;
                    open.running = open.running + running;
                    open.waited = open.waited + step.waits.total();
                }
                _ => stretches.push(Stretch {
                    first: step,
                    last: step,
                    n: 1,
                    running,
                    waited: step.waits.total(),
                }),
            }
        }
        stretches
    }
}

#[derive(Clone, Copy)]
enum Link<'a> {
    Attempt(&'a Attempt),
    Reused(TaskId),
}

#[derive(Clone, Copy)]
enum WaitKind {
    Publish,
    RetryPause,
    Overhead,
}

struct Walk<'a> {
    workflow: &'a Workflow,
    timeline: &'a Timeline,
    /// Positions of attempts that ran, in order of (allocation, slot, start).
    by_slot: Vec<u32>,
    /// The same, in order of (allocation, end).
    by_end: Vec<u32>,
    /// Everything after it is accounted for.
    cursor: Timestamp,
    seen: BTreeSet<(TaskId, u32)>,
    steps: Vec<Step>,
}

impl<'a> Walk<'a> {
    fn new(workflow: &'a Workflow, timeline: &'a Timeline) -> Self {
        let attempts = timeline.attempts();
        let ran = |&i: &u32| attempts[i as usize].started_at.is_some();
        let mut by_slot: Vec<u32> = (0..attempts.len() as u32).filter(ran).collect();
        let mut by_end = by_slot.clone();
        by_slot.sort_unstable_by_key(|&i| (slot_key(&attempts[i as usize]), i));
        by_end.sort_unstable_by_key(|&i| {
            let attempt = &attempts[i as usize];
            (attempt.allocation, timeline.end_of(attempt), i)
        });
        let (cursor, seen, steps) = (timeline.ended_at(), BTreeSet::new(), Vec::new());
        Self { workflow, timeline, by_slot, by_end, cursor, seen, steps }
    }

    /// Adds the step of a link and the waits before it; gives the link that released it.
    fn back_over(&mut self, link: Link<'a>) -> Option<Link<'a>> {
        let (task, number, started_at) = match link {
            Link::Attempt(a) => (a.id.task(), Some(a.id.number()), a.started_at),
            Link::Reused(task) => (task, None, self.timeline.published_at(task)),
        };
        let begin = self.timeline.run().started_at;
        let ended_at = self.cursor;
        let started_at = started_at.unwrap_or(begin).clamp(begin, ended_at);
        self.cursor = started_at;
        self.seen.insert((task, number.unwrap_or(0)));
        let mut waits = Waits::default();
        let (release, next) = self.release(link, started_at, &mut waits);
        self.steps.push(Step { task, attempt: number, started_at, ended_at, release, waits });
        next
    }

    /// The latest of what a link may have waited for; a dependency wins a tie, then a retry.
    fn release(
        &mut self,
        link: Link<'a>,
        start: Timestamp,
        waits: &mut Waits,
    ) -> (Release, Option<Link<'a>>) {
        let parent = self.last_parent(link, start);
        let (earlier, neighbour) = match link {
            Link::Attempt(a) => (self.earlier_attempt(a), self.left_before(a, start)),
            Link::Reused(_) => (None, None),
        };
        let slot_at = neighbour.map(|a| self.timeline.end_of(a));
        let retry_at = earlier.map(|(_, due)| due);
        if let Some((at, parent)) = parent.filter(|&(at, _)| Some(at) >= slot_at.max(retry_at)) {
            self.wait(at, WaitKind::Overhead, waits);
            let next = self.link_of(parent);
            self.wait(self.end_of(next, at), WaitKind::Publish, waits);
            return (Release::Dependency(parent), Some(next));
        }
        if let Some((before, due)) = earlier.filter(|&(_, due)| Some(due) >= slot_at) {
            self.wait(due, WaitKind::Overhead, waits);
            self.wait(self.timeline.end_of(before), WaitKind::RetryPause, waits);
            return (Release::Retry, Some(Link::Attempt(before)));
        }
        if let Some(neighbour) = neighbour {
            self.wait(self.timeline.end_of(neighbour), WaitKind::Overhead, waits);
            return (Release::Slot(neighbour.id.task()), Some(Link::Attempt(neighbour)));
        }
        self.wait(self.timeline.run().started_at, WaitKind::Overhead, waits);
        (Release::RunStart, None)
    }

    /// Moves the cursor back to `from` and accounts for the time in between, less the time in
    /// which nobody was in charge.
    fn wait(&mut self, from: Timestamp, kind: WaitKind, waits: &mut Waits) {
        let to = self.cursor;
        let from = from.clamp(self.timeline.run().started_at, to);
        let overlap =
            |gap: &crate::timeline::Resume| gap.at.min(to).since(gap.silent_since.max(from));
        let gaps = self.timeline.run().resumed.iter().map(overlap);
        let interrupted = gaps.fold(Duration::ZERO, std::ops::Add::add).min(to.since(from));
        let rest = Duration(to.since(from).0 - interrupted.0);
        waits.interrupted = waits.interrupted + interrupted;
        let kept = match kind {
            WaitKind::Publish => &mut waits.publish,
            WaitKind::RetryPause => &mut waits.retry_pause,
            WaitKind::Overhead => &mut waits.overhead,
        };
        *kept = *kept + rest;
        self.cursor = from;
    }

    /// The parent whose result came last, and when it could be used.
    fn last_parent(&self, link: Link<'_>, start: Timestamp) -> Option<(Timestamp, TaskId)> {
        let task = match link {
            Link::Attempt(a) => a.id.task(),
            Link::Reused(task) => task,
        };
        let usable_at = |parent: TaskId| {
            let published_at = self.timeline.published_at(parent)?;
            // Inside a shard, a commit is enough, and its record can come after the child's start.
            let at = if published_at <= start {
                published_at
            } else {
                self.end_of(self.link_of(parent), published_at).min(start)
            };
            Some((at, parent))
        };
        self.workflow.parents(task).filter_map(usable_at).max()
    }

    fn link_of(&self, task: TaskId) -> Link<'a> {
        let ran = self.timeline.attempts_of(task).find(|a| a.started_at.is_some());
        ran.map_or(Link::Reused(task), Link::Attempt)
    }

    fn end_of(&self, link: Link<'_>, published_at: Timestamp) -> Timestamp {
        match link {
            Link::Attempt(a) => self.timeline.end_of(a),
            Link::Reused(_) => published_at,
        }
    }

    /// The attempt before at the same task that ran, and when the next one was due.
    fn earlier_attempt(&self, attempt: &Attempt) -> Option<(&'a Attempt, Timestamp)> {
        let older = |other: &&Attempt| other.id.number() < attempt.id.number();
        let mut attempts = self.timeline.attempts_of(attempt.id.task()).filter(older);
        let before = attempts.find(|other| other.started_at.is_some())?;
        Some((before, before.retry_at.unwrap_or(self.timeline.end_of(before))))
    }

    /// The attempt that made room: the one before in the slot, or, for a task that needs room in
    /// several slots, the last one in the allocation to end.
    fn left_before(&self, attempt: &Attempt, start: Timestamp) -> Option<&'a Attempt> {
        let attempts = self.timeline.attempts();
        let is_wide = crate::work::cpus_of(self.workflow, attempt.id.task()).0 > 1_000;
        let (order, after): (_, usize) = if is_wide || attempt.slot.is_none() {
            let key = (attempt.allocation, start);
            let ended = |&i: &u32| {
                let other = &attempts[i as usize];
                (other.allocation, self.timeline.end_of(other)) <= key
            };
            (&self.by_end, self.by_end.partition_point(ended))
        } else {
            let key = slot_key(attempt);
            let started = |&i: &u32| slot_key(&attempts[i as usize]) < key;
            (&self.by_slot, self.by_slot.partition_point(started))
        };
        let before = &attempts[*order.get(after.checked_sub(1)?)? as usize];
        let is_here = before.allocation == attempt.allocation && before.id != attempt.id;
        let is_new = !self.seen.contains(&(before.id.task(), before.id.number()));
        let is_same_slot = is_wide || attempt.slot.is_none() || before.slot == attempt.slot;
        (is_here && is_new && is_same_slot && self.timeline.end_of(before) <= start)
            .then_some(before)
    }
}

fn slot_key(attempt: &Attempt) -> (engine::AllocationId, Option<u32>, Option<Timestamp>) {
    (attempt.allocation, attempt.slot, attempt.started_at)
}
