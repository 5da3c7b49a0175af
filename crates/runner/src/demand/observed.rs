//! What attempts took, collected while a run goes on.

use std::collections::BTreeMap;

use engine::{AttemptId, Event, RunState, Usage};
use journal::history::Observation;
use spec::{TaskId, Workflow};

use super::{FAILED, OUT_OF_MEMORY, SUCCEEDED, key};

/// How many attempts of a template a run remembers: more say nothing new and fill the history.
const OBSERVED_MAX: u32 = 1_000;

/// Collects what attempts took while a run goes on.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    ended: Vec<(AttemptId, Usage, &'static str)>,
    /// By template.
    counts: BTreeMap<String, u32>,
}

impl Observed {
    /// Takes note of an event, if an attempt has ended by it that had a process.
    pub(crate) fn note(&mut self, workflow: &Workflow, event: &Event) {
        let (attempt, usage, outcome) = match event {
            Event::AttemptCommitted { attempt, usage, .. } => (attempt, usage, SUCCEEDED),
            Event::AttemptFailed { attempt, usage, cause, .. } => match cause {
                engine::cause::FailureCause::OutOfMemory { .. } => (attempt, usage, OUT_OF_MEMORY),
                _ => (attempt, usage, FAILED),
            },
            _ => return,
        };
        if usage.started_at.0 == 0 || workflow.is_replay() {
            return;
        }
        let name = &workflow.template(attempt.task()).name;
        let count = match self.counts.get_mut(name) {
            Some(count) => count,
            None => self.counts.entry(name.clone()).or_default(),
        };
        if *count < OBSERVED_MAX {
            *count += 1;
            self.ended.push((*attempt, *usage, outcome));
        }
    }

    /// What was noted since the last time, for the history. `input_bytes` is asked for the size of
    /// all inputs of a task.
    pub(crate) fn take(
        &mut self,
        state: &RunState,
        mut input_bytes: impl FnMut(TaskId) -> u64,
    ) -> Vec<Observation> {
        let (ended, workflow) = (std::mem::take(&mut self.ended), state.workflow());
        let written = |attempt: AttemptId, outcome: &str| {
            let outputs = state.outputs(attempt.task()).iter();
            (outcome == SUCCEEDED).then(|| outputs.map(|output| output.size.0).sum())
        };
        let observation = |(attempt, usage, outcome): (AttemptId, Usage, &str)| Observation {
            template: key(workflow, workflow.template(attempt.task())),
            input_bytes: input_bytes(attempt.task()),
            duration_ms: usage.elapsed().0 / 1_000,
            peak_memory: Some(usage.memory_peak.0).filter(|&peak| peak > 0),
            output_bytes: written(attempt, outcome),
            outcome: outcome.to_owned(),
        };
        ended.into_iter().map(observation).collect()
    }
}
