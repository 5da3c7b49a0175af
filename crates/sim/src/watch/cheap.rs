//! Checks that cost next to nothing: always on.

use std::collections::{BTreeMap, BTreeSet};

use engine::cause::FailureCause;
use engine::event::ShardGrant;
use engine::input::Command;
use engine::ranges::TaskRanges;
use engine::{AttemptId, Event, Record};
use plan::ShardId;
use spec::{TaskId, Workflow};

use super::{Checked, hold};

/// A few bytes per task, worked out from records alone.
#[derive(Debug)]
pub(super) struct Cheap {
    rows: Vec<Row>,
    shard_epochs: Vec<u32>,
    seq: u64,
    is_cancelled: bool,
    grown: BTreeSet<TaskId>,
    reused: BTreeSet<TaskId>,
    failed: BTreeSet<AttemptId>,
    /// How often tasks failed by themselves, and how often their outputs could not be published.
    failures: BTreeMap<TaskId, (usize, usize)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Row {
    attempts: u32,
    is_published: bool,
    is_selected: bool,
}

impl Cheap {
    pub(super) fn new(n_tasks: usize, n_shards: usize, selected: &TaskRanges) -> Self {
        let mut rows = vec![Row::default(); n_tasks];
        for task in selected.iter() {
            rows[task.index()].is_selected = true;
        }
        Self {
            rows,
            shard_epochs: vec![0; n_shards],
            seq: 0,
            is_cancelled: false,
            grown: BTreeSet::new(),
            reused: BTreeSet::new(),
            failed: BTreeSet::new(),
            failures: BTreeMap::new(),
        }
    }

    pub(super) fn clear(&mut self, n_tasks: usize) {
        let n_new = self.rows.len() - n_tasks;
        self.rows.truncate(n_tasks);
        self.shard_epochs.truncate(self.shard_epochs.len() - n_new);
        self.grown.clear();
        for row in &mut self.rows {
            *row = Row { is_selected: row.is_selected, ..Row::default() };
        }
        self.shard_epochs.fill(0);
        self.seq = 0;
        self.is_cancelled = false;
        self.reused.clear();
        self.failed.clear();
        self.failures.clear();
    }

    pub(super) fn failures(&self, task: TaskId) -> (usize, usize) {
        self.failures.get(&task).copied().unwrap_or_default()
    }

    pub(super) fn has_failed(&self, attempt: AttemptId) -> bool {
        self.failed.contains(&attempt)
    }

    pub(super) fn has_grown(&self) -> &BTreeSet<TaskId> {
        &self.grown
    }

    pub(super) fn was_reused(&self, task: TaskId) -> bool {
        self.reused.contains(&task)
    }

    pub(super) fn record(&mut self, workflow: &Workflow, record: &Record) -> Checked {
        let (seq, before) = (record.seq, self.seq);
        hold!(seq == before + 1, "S12", "record {seq} follows record {before}");
        self.seq = seq;
        match &record.event {
            Event::ShardsGranted { shards, .. } => self.granted(workflow, shards),
            Event::AttemptCommitted { attempt, outputs, .. } if outputs.is_empty() => {
                let task = attempt.task();
                if self.has_all_inputs(workflow, task) { self.published(task) } else { Ok(()) }
            }
            Event::WorkflowGrown { by, zones, .. } => self.grew(*by, zones.len()),
            Event::PublishIntended { attempts } => self.intended(workflow, attempts),
            Event::Published { attempts } => {
                attempts.iter().try_for_each(|attempt| self.published(attempt.task()))
            }
            Event::TaskReused { task, .. } => {
                self.reused.insert(*task);
                self.published(*task)
            }
            Event::AttemptFailed { attempt, cause, .. } => {
                self.failed.insert(*attempt);
                let (own, publishing) = self.failures.entry(attempt.task()).or_default();
                match cause {
                    FailureCause::MayHaveRun(_)
                    | FailureCause::LostTooOften(_)
                    | FailureCause::OutOfMemory { .. } => {}
                    FailureCause::CannotPublish(_) => *publishing += 1,
                    _ => *own += 1,
                }
                Ok(())
            }
            Event::CommandAccepted { command: Command::Cancel } => {
                self.is_cancelled = true;
                Ok(())
            }
            Event::CommandAccepted { command: Command::RetryFailed } => {
                // Final tasks run at each end, and there will be another.
                for task in workflow.final_tasks() {
                    self.rows[task.index()].is_published = false;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn granted(&mut self, workflow: &Workflow, shards: &[ShardGrant]) -> Checked {
        for ShardGrant(shard, epoch, attempts) in shards {
            self.shard_epochs_increase(*shard, *epoch)?;
            hold!(!attempts.is_empty(), "S7", "{shard} is granted for nothing");
            for &attempt in attempts {
                let may_start = !self.is_cancelled || workflow.is_final(attempt.task());
                hold!(may_start, "S23", "{attempt} starts after the run was cancelled");
                let row = &mut self.rows[attempt.task().index()];
                let before = std::mem::replace(&mut row.attempts, attempt.number());
                hold!(!row.is_published, "S3", "{attempt} of a published task");
                hold!(row.is_selected, "S3", "{attempt} of a task that is not wanted");
                hold!(attempt.number() == before + 1, "S15", "{attempt} follows attempt {before}");
            }
        }
        Ok(())
    }

    /// New tasks, each a shard of its own; all are wanted in runs that want everything.
    fn grew(&mut self, by: TaskId, n_new: usize) -> Checked {
        let is_first = self.grown.insert(by);
        hold!(is_first, "G1", "{by} adds to the graph again");
        let wants_all = self.rows.iter().all(|row| row.is_selected);
        let new = Row { is_selected: wants_all, ..Row::default() };
        self.rows.extend(std::iter::repeat_n(new, n_new));
        self.shard_epochs.extend(std::iter::repeat_n(0, n_new));
        Ok(())
    }

    fn shard_epochs_increase(&mut self, shard: ShardId, epoch: u32) -> Checked {
        let last = std::mem::replace(&mut self.shard_epochs[shard.0 as usize], epoch);
        hold!(epoch > last, "S7", "{shard} goes from epoch {last} to {epoch}");
        Ok(())
    }

    fn intended(&self, workflow: &Workflow, attempts: &[AttemptId]) -> Checked {
        for &attempt in attempts {
            let row = self.rows[attempt.task().index()];
            let latest = row.attempts;
            hold!(
                latest == attempt.number(),
                "S7",
                "{attempt} is published, the latest is {latest}"
            );
            let has_all = self.has_all_inputs(workflow, attempt.task());
            hold!(has_all, "S2", "{attempt} is published before what it was made from");
        }
        Ok(())
    }

    fn published(&mut self, task: TaskId) -> Checked {
        let row = &mut self.rows[task.index()];
        let before = std::mem::replace(&mut row.is_published, true);
        hold!(!before, "S1", "{task} is published again");
        Ok(())
    }

    fn has_all_inputs(&self, workflow: &Workflow, task: TaskId) -> bool {
        workflow.parents(task).all(|parent| {
            let row = self.rows[parent.index()];
            row.is_published || !row.is_selected
        })
    }
}
