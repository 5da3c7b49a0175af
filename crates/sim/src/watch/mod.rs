//! What must always hold: the invariants, checked after every record, at every action and start.
//!
//! Numbers are those of the catalogue in `docs/invariants.md`. Cheap checks look at a few bytes per
//! task and are always on; the others fold every record, read back from its text, into a second
//! state, and compare.

mod cheap;
mod deep;
mod listed;
mod reference;

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::{Action, AttemptId, Event, Record, RunState};
use plan::Plan;
use spec::{Digest, TaskId, Timestamp, Workflow};

use crate::truth::Truth;
use crate::world::Options;
use cheap::Cheap;
use deep::Deep;

pub use deep::Taken;

/// How much is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// What costs next to nothing.
    Cheap,
    /// Everything.
    All,
}

/// Something that must always hold does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant} at {} s: {what}", at.0 / 1_000_000)]
pub struct Violation {
    /// Which invariant.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
    /// When.
    pub at: Timestamp,
}

impl Violation {
    /// Of an invariant; when is added by whoever knows.
    #[must_use]
    pub fn of(invariant: &'static str, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into(), at: Timestamp::default() }
    }

    pub(crate) fn at(mut self, now: Timestamp) -> Self {
        self.at = now;
        self
    }
}

type Checked = Result<(), Violation>;

/// Fails a check with its invariant unless a condition holds.
macro_rules! hold {
    ($condition:expr, $invariant:literal, $($what:tt)+) => {
        if !$condition {
            return Err(crate::watch::Violation::of($invariant, format!($($what)+)));
        }
    };
}
pub(crate) use hold;

/// Watches one run.
#[derive(Debug)]
pub(crate) struct Watcher {
    /// The graph as the run began, and as the records so far have made it.
    first: Arc<Workflow>,
    workflow: Arc<Workflow>,
    cheap: Cheap,
    deep: Option<Box<Deep>>,
}

impl Watcher {
    pub(crate) fn new(
        watch: Watch,
        workflow: &Arc<Workflow>,
        plan: &Plan,
        selected: &engine::ranges::TaskRanges,
        memory: &engine::memory::MemoryTerms,
    ) -> Self {
        let deep = (watch == Watch::All).then(|| Box::new(Deep::new(workflow, memory.clone())));
        let cheap = Cheap::new(workflow.n_tasks(), plan.n_shards(), selected);
        Self { first: Arc::clone(workflow), workflow: Arc::clone(workflow), cheap, deep }
    }

    /// A record was polled.
    pub(crate) fn record(&mut self, record: &Record) -> Checked {
        self.cheap.record(&self.workflow, record)?;
        if let Some(deep) = &mut self.deep {
            deep.record(&self.workflow, record)?;
        }
        self.grow(record)
    }

    /// The graph, after all records so far.
    pub(crate) fn workflow(&self) -> &Arc<Workflow> {
        &self.workflow
    }

    fn grow(&mut self, record: &Record) -> Checked {
        let Event::WorkflowGrown { by, growth, .. } = &record.event else { return Ok(()) };
        let grown = self.workflow.grown(*by, growth);
        self.workflow = Arc::new(grown.map_err(|unfit| Violation::of("G1", unfit.to_string()))?);
        Ok(())
    }

    /// An action was polled, and its records are written.
    pub(crate) fn action(&mut self, action: &Action) -> Checked {
        let workflow = &self.workflow;
        self.deep.as_mut().map_or(Ok(()), |deep| deep.action(workflow, action))
    }

    /// The engine waits.
    pub(crate) fn settled(
        &mut self,
        now: Timestamp,
        live: &RunState,
        wake: Option<Timestamp>,
    ) -> Checked {
        let workflow = &self.workflow;
        self.deep.as_mut().map_or(Ok(()), |deep| deep.settled(workflow, now, live, wake))
    }

    /// After a crash: what follows from the records that survived.
    pub(crate) fn replayed(&mut self, journal: &[Record]) -> Checked {
        self.workflow = Arc::clone(&self.first);
        self.cheap.clear(self.first.n_tasks());
        if let Some(deep) = &mut self.deep {
            deep.clear(&self.first);
        }
        for record in journal {
            self.cheap.record(&self.workflow, record)?;
            if let Some(deep) = &mut self.deep {
                deep.replay(&self.workflow, record)?;
            }
            self.grow(record)?;
        }
        let first = &self.first;
        self.deep.as_mut().map_or(Ok(()), |deep| deep.s11_replay_is_the_same(first, journal))
    }

    /// A process starts at a keeper where these attempts were committed.
    pub(crate) fn start(
        &mut self,
        attempt: AttemptId,
        committed: &BTreeSet<AttemptId>,
        is_owned: bool,
    ) -> Checked {
        let cheap = &self.cheap;
        let reused = |task| cheap.was_reused(task);
        let Some(deep) = self.deep.as_mut() else { return Ok(()) };
        let checked = deep.start(&self.workflow, attempt, committed, &reused);
        // Whoever was given up may work on from what has been made again meanwhile.
        if is_owned { checked } else { Ok(()) }
    }

    /// The run is over.
    pub(crate) fn end(&self, truth: &Truth, options: &Options, state: &RunState) -> Checked {
        let Some(deep) = &self.deep else { return Ok(()) };
        deep.end(&self.workflow, truth, options, state, &self.cheap)
    }

    /// How often a task failed by itself before there was something to publish.
    pub(crate) fn own_failures(&self, task: TaskId) -> usize {
        self.cheap.failures(task).0
    }

    /// How often outputs could not be published.
    pub(crate) fn publish_failures(&self, task: TaskId) -> usize {
        self.cheap.failures(task).1
    }

    /// Whether an attempt was recorded as failed.
    pub(crate) fn has_failed(&self, attempt: AttemptId) -> bool {
        self.cheap.has_failed(attempt)
    }

    /// Whether an earlier result was taken over.
    pub(crate) fn was_reused(&self, task: TaskId) -> bool {
        self.cheap.was_reused(task)
    }

    /// Of all records and actions so far.
    pub(crate) fn trace(&self) -> Option<Digest> {
        self.deep.as_ref().map(|deep| deep.trace())
    }

    /// Which changes of state were seen, if everything is watched.
    pub(crate) fn taken(&mut self) -> Taken {
        self.deep.as_mut().map(|deep| deep.take_taken()).unwrap_or_default()
    }

    #[expect(clippy::unused_self, reason = "says what was being waited for, when it is told")]
    pub(crate) fn nothing_awaited(&self, now: Timestamp) -> Violation {
        Violation::of("L3", "the run is not over, and nothing will ever happen").at(now)
    }
}

/// Changes of state that some run takes and this list says runs can take, for whoever looks
/// whether all are taken.
#[must_use]
pub fn listed() -> Taken {
    listed::all()
}
