//! What differs between two runs: what they were told, what they were given, what they made.
//!
//! Tasks are the same when they have the same name. How long they took, how often they were tried
//! and what memory they held is told beside it and is no difference: it never is quite the same.

use std::collections::BTreeMap;

use engine::Manifest;
use serde::Serialize;
use spec::{Bytes, Digest, Site, TaskId};

use crate::account::state_word;
use crate::definition::{Change, Definition};
use crate::quantity::{Moment, Seconds};
use crate::summary::phase_word;
use crate::timeline::{End, Timeline};

mod telling;
mod texts;

pub use texts::TextDiff;

/// The version of the JSON.
pub const FORMAT: u32 = 1;

/// How many rows a list has at most.
pub const LISTED_MAX: usize = 1_000;

/// How many tasks are told that took longer or shorter.
const EFFORTS_MAX: usize = 20;

/// One of the two runs, and what its records do not say.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// What it is called.
    pub run: &'a str,
    /// What happened.
    pub timeline: &'a Timeline,
    /// The places in force.
    pub site: &'a Site,
    /// The text of its workflow.
    pub source: &'a str,
    /// The folder of its workflow.
    pub project: &'a str,
    /// Outside variables that its tasks name, by the digest of their value.
    pub environment: &'a BTreeMap<String, Option<Digest>>,
    /// The digests of what a task has read, by path; none if it cannot have read everything.
    pub inputs: &'a dyn Fn(TaskId) -> Option<BTreeMap<String, Digest>>,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// [`FORMAT`].
    pub format: u32,
    /// Whether nothing differs: neither what was to be done nor what was read and made.
    pub is_same: bool,
    /// The run that is compared with.
    pub before: Head,
    /// The run that is compared.
    pub after: Head,
    /// The text of the workflow.
    pub text: TextDiff,
    /// Parameters by value.
    pub params: Vec<Change>,
    /// Outside variables that have another value, or are set in only one.
    pub environment: Vec<String>,
    /// The places.
    pub site: Vec<Change>,
    /// How many tasks are in both.
    pub n_common: usize,
    /// How many are only in the later one.
    pub n_added: usize,
    /// The first of them.
    pub added: Vec<String>,
    /// How many are only in the earlier one.
    pub n_removed: usize,
    /// The first of them.
    pub removed: Vec<String>,
    /// How many tasks of both differ.
    pub n_changed: usize,
    /// The first of them.
    pub changed: Vec<TaskDiff>,
    /// Tasks of both that were run in both.
    pub both_ran: BothRan,
}

/// One of the two runs as a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Head {
    /// What it is called.
    pub run: String,
    /// The name of its workflow.
    pub workflow: String,
    /// As in a report.
    pub outcome: &'static str,
    /// When it began.
    pub started_at: Moment,
    /// End of its last task minus its start.
    pub makespan_seconds: Seconds,
}

/// What differs between the two runs of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskDiff {
    /// Its name.
    pub task: String,
    /// How it stands in each; `published` also of a result that was reused.
    pub state: (&'static str, &'static str),
    /// Its declaration, and its command with the values that stand in it.
    pub declaration: Vec<Change>,
    /// What it read, by digest; empty if that is not known of both.
    pub inputs: Vec<Change>,
    /// What it published, by digest.
    pub outputs: Vec<Change>,
}

/// What tasks took that were run in both.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct BothRan {
    /// How many.
    pub n: usize,
    /// How long they ran in the earlier run, in all.
    pub before_seconds: Seconds,
    /// How long they ran in the later one.
    pub after_seconds: Seconds,
    /// Those whose times, tries or memory moved most.
    pub moved: Vec<Moved>,
}

/// A task that took more or less.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moved {
    /// Its name.
    pub task: String,
    /// What it took in the earlier run.
    pub before: Effort,
    /// What it took in the later one.
    pub after: Effort,
}

/// What a task took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Effort {
    /// How long its successful try ran.
    pub ran_seconds: Seconds,
    /// How often it was tried.
    pub attempts: u32,
    /// The memory that its successful try held.
    pub memory_peak_bytes: Option<Bytes>,
}

impl Diff {
    /// Of two runs.
    #[must_use]
    pub fn of(before: Side<'_>, after: Side<'_>) -> Self {
        let names = |side: &Side<'_>| -> BTreeMap<String, TaskId> {
            let workflow = side.timeline.state().workflow();
            workflow.tasks().map(|task| (workflow.task_name(task), task)).collect()
        };
        let (was, is) = (names(&before), names(&after));
        let only = |these: &BTreeMap<String, TaskId>, those: &BTreeMap<String, TaskId>| {
            these.keys().filter(|name| !those.contains_key(*name)).cloned().collect::<Vec<_>>()
        };
        let (mut added, mut removed) = (only(&is, &was), only(&was, &is));
        let pair = Pair { before, after };
        let common =
            is.iter().filter_map(|(name, &now)| Some((name.as_str(), *was.get(name)?, now)));
        let common: Vec<(&str, TaskId, TaskId)> = common.collect();
        let mut changed: Vec<TaskDiff> =
            common.iter().filter_map(|&(name, then, now)| pair.task(name, then, now)).collect();
        let mut diff = Self {
            format: FORMAT,
            is_same: false,
            before: Head::of(&before),
            after: Head::of(&after),
            text: TextDiff::of(before.source, after.source),
            params: pair.params(),
            environment: pair.environment(),
            site: texts::values("", &json(before.site), &json(after.site)),
            n_common: common.len(),
            n_added: added.len(),
            n_removed: removed.len(),
            n_changed: changed.len(),
            both_ran: pair.both_ran(&common),
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
        };
        diff.is_same = diff.text.is_same()
            && [diff.params.len(), diff.environment.len(), diff.site.len()] == [0; 3]
            && [diff.n_added, diff.n_removed, diff.n_changed] == [0; 3];
        [&mut added, &mut removed].into_iter().for_each(|list| list.truncate(LISTED_MAX));
        changed.truncate(LISTED_MAX);
        Self { added, removed, changed, ..diff }
    }
}

fn json(site: &Site) -> serde_json::Value {
    serde_json::to_value(site).expect("plain values serialize")
}

impl Head {
    fn of(side: &Side<'_>) -> Self {
        let (timeline, state) = (side.timeline, side.timeline.state());
        let started_at = timeline.run().started_at;
        Self {
            run: side.run.to_owned(),
            workflow: state.workflow().name().to_owned(),
            outcome: phase_word(state.phase()),
            started_at: Moment(started_at),
            makespan_seconds: Seconds(timeline.ended_at().since(started_at)),
        }
    }
}

struct Pair<'a> {
    before: Side<'a>,
    after: Side<'a>,
}

impl Pair<'_> {
    fn params(&self) -> Vec<Change> {
        let texts = |side: &Side<'_>| -> BTreeMap<String, String> {
            let params = side.timeline.state().workflow().params().iter();
            params.map(|(name, value)| (name.clone(), value.to_string())).collect()
        };
        texts::maps(&texts(&self.before), &texts(&self.after), String::clone)
    }

    fn environment(&self) -> Vec<String> {
        let (was, is) = (self.before.environment, self.after.environment);
        let mut names: Vec<&String> = was.keys().chain(is.keys()).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| was.get(*name) != is.get(*name));
        names.into_iter().cloned().collect()
    }

    /// None if nothing differs.
    fn task(&self, name: &str, then: TaskId, now: TaskId) -> Option<TaskDiff> {
        let (before, after) = (&self.before, &self.after);
        let outputs = |side: &Side<'_>, task| by_path(side.timeline.state().outputs(task));
        let inputs = match ((before.inputs)(then), (after.inputs)(now)) {
            (Some(was), Some(is)) => texts::maps(&was, &is, Digest::short),
            _ => Vec::new(),
        };
        let diff = TaskDiff {
            task: name.to_owned(),
            state: (standing(before.timeline, then), standing(after.timeline, now)),
            declaration: self.declaration(then, now),
            inputs,
            outputs: texts::maps(&outputs(before, then), &outputs(after, now), Digest::short),
        };
        let lists = [&diff.declaration, &diff.inputs, &diff.outputs];
        let is_same = diff.state.0 == diff.state.1 && lists.iter().all(|list| list.is_empty());
        (!is_same).then_some(diff)
    }

    fn declaration(&self, then: TaskId, now: TaskId) -> Vec<Change> {
        let was = self.before.timeline.state().workflow();
        let is = self.after.timeline.state().workflow();
        let is_same = was.command_digest(then) == is.command_digest(now)
            && was.resources(then) == is.resources(now);
        if is_same {
            return Vec::new();
        }
        let was = Definition::of(was, then, self.before.project);
        let is = Definition::of(is, now, self.after.project);
        is.changes_since(&was)
    }

    fn both_ran(&self, common: &[(&str, TaskId, TaskId)]) -> BothRan {
        let mut all = BothRan::default();
        let mut moved = Vec::new();
        for &(name, then, now) in common {
            let efforts = effort(self.before.timeline, then).zip(effort(self.after.timeline, now));
            let Some((before, after)) = efforts else { continue };
            all.n += 1;
            all.before_seconds.0 = all.before_seconds.0 + before.ran_seconds.0;
            all.after_seconds.0 = all.after_seconds.0 + after.ran_seconds.0;
            if has_moved(&before, &after) {
                moved.push((name, before, after));
            }
        }
        moved.sort_by_key(|(name, before, after)| {
            (std::cmp::Reverse(distance(before, after)), *name)
        });
        let row = |(name, before, after): (&str, Effort, Effort)| Moved {
            task: name.to_owned(),
            before,
            after,
        };
        all.moved = moved.into_iter().take(EFFORTS_MAX).map(row).collect();
        all
    }
}

/// What is and what was found unchanged are one.
fn standing(timeline: &Timeline, task: TaskId) -> &'static str {
    match state_word(timeline, task) {
        "reused" => "published",
        other => other,
    }
}

fn by_path(outputs: &Manifest) -> BTreeMap<String, Digest> {
    outputs.iter().map(|output| (output.path.clone(), output.digest)).collect()
}

fn effort(timeline: &Timeline, task: TaskId) -> Option<Effort> {
    let attempt = timeline.attempts_of(task).find(|attempt| attempt.end == End::Succeeded)?;
    Some(Effort {
        ran_seconds: Seconds(timeline.elapsed(attempt)),
        attempts: timeline.state().task(task).attempts,
        memory_peak_bytes: attempt.memory_peak.filter(|bytes| bytes.0 > 0),
    })
}

fn distance(before: &Effort, after: &Effort) -> u64 {
    before.ran_seconds.0.0.abs_diff(after.ran_seconds.0.0)
}

/// Beyond what the same work on the same machine differs by anyway.
fn has_moved(before: &Effort, after: &Effort) -> bool {
    const NOTICED: u64 = 500_000;
    let longer = before.ran_seconds.0.0.max(after.ran_seconds.0.0);
    let memory = |effort: &Effort| effort.memory_peak_bytes.map_or(0, |bytes| bytes.0);
    let (less, more) = (memory(before).min(memory(after)), memory(before).max(memory(after)));
    before.attempts != after.attempts
        || distance(before, after) > NOTICED.max(longer / 4)
        || less > 0 && more / 2 > less && more > 64 << 20
}
