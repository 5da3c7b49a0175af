//! Where core time went: useful, lost, redundant, or still being spent; and what was held for it.

use serde::Serialize;
use spec::resources::MilliCpus;
use spec::{Duration, TaskId, Timestamp, Workflow};

use crate::quantity::{CoreSeconds, Seconds};
use crate::timeline::{AllocationSpan, Attempt, End, Timeline};

/// Core time by what became of it. Cpus count as asked for, not as used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Work {
    /// Spent by attempts that ran, whatever became of them.
    pub total_core_seconds: CoreSeconds,
    /// Of attempts whose result is in use.
    pub useful_core_seconds: CoreSeconds,
    /// Of attempts that failed, were lost or were killed.
    pub lost_core_seconds: CoreSeconds,
    /// Of attempts that succeeded, but whose result another attempt replaced.
    pub redundant_core_seconds: CoreSeconds,
    /// Of attempts that still run.
    pub running_core_seconds: CoreSeconds,
    /// Cpu time that processes really used, as far as they were measured.
    pub cpu_seconds: Seconds,
    /// Cpus that were there, times how long, from the first capacity to the last end of a task.
    pub capacity_core_seconds: CoreSeconds,
    /// The share of the capacity that attempts held, from 0 to 1; none without capacity.
    pub utilisation: Option<f64>,
    /// How many attempts were lost work.
    pub n_lost_attempts: usize,
}

impl Work {
    /// Adds up a whole timeline.
    #[must_use]
    pub fn of(workflow: &Workflow, timeline: &Timeline) -> Self {
        let mut work = Self::default();
        for attempt in timeline.attempts().iter().filter(|a| a.started_at.is_some()) {
            work.add(attempt, core_time(workflow, timeline, attempt), timeline);
        }
        let (start, end) = (timeline.run().started_at, timeline.ended_at());
        let spans = timeline.allocations().values();
        work.capacity_core_seconds = spans.map(|span| capacity_of(span, start, end)).sum();
        let capacity = work.capacity_core_seconds.as_f64();
        // Capacity can shrink under tasks that run on: more than all of it cannot be used.
        work.utilisation =
            (capacity > 0.0).then(|| (work.total_core_seconds.as_f64() / capacity).min(1.0));
        work
    }

    fn add(&mut self, attempt: &Attempt, spent: CoreSeconds, timeline: &Timeline) {
        self.total_core_seconds += spent;
        self.cpu_seconds.0 = self.cpu_seconds.0 + attempt.cpu.unwrap_or_default();
        match &attempt.end {
            End::Succeeded if is_replaced(timeline, attempt) => {
                self.redundant_core_seconds += spent;
            }
            End::Succeeded => self.useful_core_seconds += spent,
            End::Failed(_) | End::Lost(_) | End::Killed => {
                self.lost_core_seconds += spent;
                self.n_lost_attempts += 1;
            }
            End::Live | End::Revoked => self.running_core_seconds += spent,
        }
    }
}

/// Core time an attempt has held.
#[must_use]
pub fn core_time(workflow: &Workflow, timeline: &Timeline, attempt: &Attempt) -> CoreSeconds {
    CoreSeconds::of(cpus_of(workflow, attempt.id.task()), timeline.elapsed(attempt))
}

/// The cpus a task holds while it runs.
#[must_use]
pub fn cpus_of(workflow: &Workflow, task: TaskId) -> MilliCpus {
    workflow.resources(task).cpus
}

fn is_replaced(timeline: &Timeline, attempt: &Attempt) -> bool {
    let mut attempts = timeline.attempts_of(attempt.id.task());
    let last = attempts.find(|other| other.end == End::Succeeded);
    last.is_some_and(|last| last.id != attempt.id)
}

/// The cpus of an allocation over time, between two times.
fn capacity_of(span: &AllocationSpan, start: Timestamp, end: Timestamp) -> CoreSeconds {
    let end = span.ended_at.map_or(end, |ended| ended.min(end));
    let until = span.cpus.iter().skip(1).map(|&(at, _)| at).chain([end]);
    let steps = span.cpus.iter().zip(until);
    steps.map(|(&(from, cpus), to)| CoreSeconds::of(cpus, to.min(end).since(from.max(start)))).sum()
}

/// The most cpus that were there at any one time, over all allocations.
#[must_use]
pub fn cpus_max(timeline: &Timeline) -> MilliCpus {
    let mut changes: Vec<(Timestamp, i64)> = Vec::new();
    for span in timeline.allocations().values() {
        let mut before = 0;
        for &(at, cpus) in &span.cpus {
            changes.push((at, i64::from(cpus.0) - before));
            before = i64::from(cpus.0);
        }
        if let Some(end) = span.ended_at {
            changes.push((end, -before));
        }
    }
    changes.sort_unstable();
    let mut now = 0;
    let most = changes.iter().map(|&(_, change)| {
        now += change;
        now
    });
    MilliCpus(u32::try_from(most.max().unwrap_or(0).max(0)).unwrap_or(u32::MAX))
}

/// How long one of some durations is: the smallest that at least `share` of them do not exceed
/// (nearest rank). Reorders them; zero if there is none.
#[must_use]
pub fn quantile(durations: &mut [u64], share: f64) -> Duration {
    if durations.is_empty() {
        return Duration::ZERO;
    }
    let rank = (share * durations.len() as f64).ceil() as usize;
    let rank = rank.clamp(1, durations.len()) - 1;
    let (_, value, _) = durations.select_nth_unstable(rank);
    Duration(*value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let mut durations = [50, 10, 40, 30, 20];
        assert_eq!(quantile(&mut durations, 0.5), Duration(30));
        assert_eq!(quantile(&mut durations, 0.95), Duration(50));
        assert_eq!(quantile(&mut durations, 0.0), Duration(10));
        assert_eq!(quantile(&mut [], 0.5), Duration::ZERO);
    }
}
