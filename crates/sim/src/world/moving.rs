//! Moving inputs to where a task runs: latency, bandwidth, money.
//!
//! Each parent's files move on their own, at the same time, from the zone in which the parent ran.
//! Where links are shared, all that moves over one at a time has an equal part of its bandwidth;
//! a transfer that has begun is finished even if nobody waits for it any more.

use std::collections::BTreeMap;

use engine::AttemptId;
use spec::{Bytes, Duration, TaskId, Timestamp, ZoneId};

use super::{Happening, Staging, World};
use crate::site::{Link, Links};

/// Where things are and what is under way.
#[derive(Debug)]
pub(super) struct Moving {
    staging: Staging,
    /// Whether anything takes time or money at all.
    is_used: bool,
    /// By task: one more than the zone in which it last ended well.
    made_in: Vec<u16>,
    /// By task: when; only where inputs move ahead.
    made_at: Vec<Timestamp>,
    shared: BTreeMap<(ZoneId, ZoneId), Shared>,
    /// Transfers that an attempt still waits for.
    open: BTreeMap<(u32, AttemptId), u32>,
    version: u64,
}

/// A link whose bandwidth is shared.
#[derive(Debug)]
struct Shared {
    per_second: f64,
    /// What is left of each transfer, in bytes.
    flows: Vec<((u32, AttemptId), f64)>,
    since: Timestamp,
}

/// What has less left than this is done, in bytes.
const DONE: f64 = 1e-3;

impl Moving {
    pub(super) fn new(links: &Links, n_tasks: usize, staging: Staging) -> Self {
        let is_used = *links != Links::default();
        let n = if is_used { n_tasks } else { 0 };
        let is_ahead = staging == Staging::Ahead;
        Self {
            staging,
            is_used,
            made_in: vec![0; n],
            made_at: if is_ahead { vec![Timestamp::default(); n] } else { Vec::new() },
            shared: BTreeMap::new(),
            open: BTreeMap::new(),
            version: 0,
        }
    }

    /// There are so many tasks by now.
    pub(super) fn follow(&mut self, n_tasks: usize) {
        if self.is_used {
            self.made_in.resize(n_tasks, 0);
        }
        if !self.made_at.is_empty() {
            self.made_at.resize(n_tasks, Timestamp::default());
        }
    }

    /// A task has ended well.
    pub(super) fn made(&mut self, task: TaskId, zone: ZoneId, now: Timestamp) {
        if let Some(made_in) = self.made_in.get_mut(task.index()) {
            *made_in = zone.0 as u16 + 1;
        }
        if let Some(made_at) = self.made_at.get_mut(task.index()) {
            *made_at = now;
        }
    }
}

impl Shared {
    fn advance(&mut self, now: Timestamp) {
        let seconds = now.since(self.since).as_secs_f64();
        let each = self.per_second * seconds / self.flows.len().max(1) as f64;
        for (_, left) in &mut self.flows {
            *left -= each;
        }
        self.since = now;
    }

    fn next_done(&self) -> Option<Timestamp> {
        let least = self.flows.iter().map(|&(_, left)| left).min_by(f64::total_cmp)?;
        let seconds = least.max(0.0) * self.flows.len() as f64 / self.per_second;
        // Never at this very moment, so that time goes on whatever is rounded away.
        Some(self.since + Duration(Duration::from_secs_f64(seconds).0.max(1)))
    }
}

impl World<'_> {
    /// Moves what an attempt reads to where it is; its slot is held meanwhile.
    pub(super) fn fetch_inputs(&mut self, keeper: u32, attempt: AttemptId) {
        if !self.moving.is_used {
            return self.inputs_are_there(keeper, attempt);
        }
        let here = self.keepers[keeper as usize].zone;
        let mut last = Duration::ZERO;
        let mut n_open = 0;
        for (parent, bytes) in self.edges_into(attempt.task()) {
            let Some((from, link)) = self.way(parent, here) else { continue };
            self.accounts.bytes_moved += bytes.0;
            self.accounts.transfer_cost += link.price(bytes);
            let whole = link.time(bytes);
            if self.moving.staging == Staging::Ahead {
                let there = self.moving.made_at[parent.index()] + whole;
                last = last.max(there.since(self.now));
            } else if let (true, Some(per_second)) = (self.site.links.is_shared, link.bandwidth) {
                last = last.max(link.latency);
                self.begin_flow(
                    (from.min(here), from.max(here)),
                    per_second,
                    (keeper, attempt),
                    bytes,
                );
                n_open += 1;
            } else {
                last = last.max(whole);
            }
        }
        if n_open > 0 {
            // The latency is one transfer more that all of them wait for.
            self.moving.open.insert((keeper, attempt), n_open + 1);
            self.after(last, Happening::Fetched(keeper, attempt));
            self.await_links();
        } else if last == Duration::ZERO {
            self.inputs_are_there(keeper, attempt);
        } else {
            self.after(last, Happening::Fetched(keeper, attempt));
        }
    }

    /// The files that a task reads of each parent, in bytes.
    fn edges_into(&self, task: TaskId) -> Vec<(TaskId, Bytes)> {
        let mut edges = BTreeMap::<TaskId, u64>::new();
        edges.extend(self.workflow.parents(task).map(|parent| (parent, 0)));
        for input in self.workflow.inputs(task) {
            let size = self.truth.size(input.file);
            for producer in self.workflow.producers(input.file) {
                *edges.entry(producer).or_default() += size.0;
            }
        }
        edges.into_iter().map(|(parent, bytes)| (parent, Bytes(bytes))).collect()
    }

    fn way(&self, parent: TaskId, here: ZoneId) -> Option<(ZoneId, Link)> {
        let from = ZoneId(u32::from(self.moving.made_in[parent.index()].checked_sub(1)?));
        Some((from, self.site.links.between(from, here)?))
    }

    fn begin_flow(
        &mut self,
        link: (ZoneId, ZoneId),
        per_second: f64,
        whose: (u32, AttemptId),
        bytes: Bytes,
    ) {
        let since = self.now;
        let new = || Shared { per_second, flows: Vec::new(), since };
        let shared = self.moving.shared.entry(link).or_insert_with(new);
        shared.advance(since);
        shared.flows.push((whose, bytes.0 as f64));
    }

    fn await_links(&mut self) {
        self.moving.version += 1;
        let next = self.moving.shared.values().filter_map(Shared::next_done).min();
        if let Some(at) = next {
            self.put(at, Happening::LinkDone(self.moving.version));
        }
    }

    /// Some transfers are done, if nothing has changed since this was put down.
    pub(super) fn link_done(&mut self, version: u64) {
        if version != self.moving.version {
            return;
        }
        let mut done = Vec::new();
        for shared in self.moving.shared.values_mut() {
            shared.advance(self.now);
            let is_done = |&(_, left): &((u32, AttemptId), f64)| left <= DONE;
            done.extend(shared.flows.iter().filter(|flow| is_done(flow)).map(|&(whose, _)| whose));
            shared.flows.retain(|flow| !is_done(flow));
        }
        for (keeper, attempt) in done {
            self.fetched(keeper, attempt);
        }
        self.await_links();
    }

    /// One of the transfers that an attempt waits for is done.
    pub(super) fn fetched(&mut self, keeper: u32, attempt: AttemptId) {
        if let Some(n_open) = self.moving.open.get_mut(&(keeper, attempt)) {
            *n_open -= 1;
            if *n_open > 0 {
                return;
            }
            self.moving.open.remove(&(keeper, attempt));
        }
        let delay = self.site.paces.spawn.draw(&mut self.pace);
        if delay == Duration::ZERO {
            self.spawn(keeper, attempt);
        } else {
            self.after(delay, Happening::Spawning(keeper, attempt));
        }
    }
}
