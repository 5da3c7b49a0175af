//! Heterogeneous Earliest Finish Time: highest upward rank first, each task into the gap in which
//! it ends earliest (Topcuoglu, Hariri and Wu, IEEE TPDS 13(3), 2002, section 4.1).
//!
//! Knows machines that do one task at a time, and spans of time in whole microseconds, so that a
//! schedule can be carried out to the microsecond.

use spec::{Duration, TaskId, Workflow, ZoneId};

/// What does one task at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Where.
    pub zone: ZoneId,
    /// From when on.
    pub from: Duration,
}

/// Where and when a task is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// On which of the machines.
    pub machine: usize,
    /// From the begin of the schedule.
    pub start: Duration,
    /// Until.
    pub end: Duration,
}

/// A schedule, by task. `order` has parents before their children; `transfer` says how long a task
/// waits for what it reads of a parent, from the parent's zone to its own. Of machines with which a
/// task ends equally early, the first one is taken.
///
/// # Panics
/// There is no machine, or a child comes before a parent.
#[must_use]
pub fn heft(
    workflow: &Workflow,
    order: &[TaskId],
    machines: &[Machine],
    runtime: impl Fn(TaskId, usize) -> Duration,
    transfer: impl Fn(TaskId, TaskId, ZoneId, ZoneId) -> Duration,
) -> Vec<Span> {
    let mut spans: Vec<Option<Span>> = vec![None; workflow.n_tasks()];
    let mut lanes: Vec<Vec<(u64, u64)>> = vec![Vec::new(); machines.len()];
    for &task in order {
        let parents: Vec<(TaskId, Span)> = workflow
            .parents(task)
            .map(|parent| (parent, spans[parent.index()].expect("parents come first")))
            .collect();
        let there = |zone: ZoneId| {
            let arrival = |&(parent, span): &(TaskId, Span)| {
                span.end + transfer(parent, task, machines[span.machine].zone, zone)
            };
            parents.iter().map(arrival).max().unwrap_or_default()
        };
        let mut best: Option<Span> = None;
        // Machines of a zone lie next to each other and have the inputs at the same time.
        let mut last: Option<(ZoneId, Duration)> = None;
        for (machine, row) in machines.iter().enumerate() {
            let known = last.filter(|&(zone, _)| zone == row.zone);
            let there = known.map_or_else(|| there(row.zone), |(_, there)| there);
            last = Some((row.zone, there));
            let span = runtime(task, machine);
            let start = first_gap(&lanes[machine], there.max(row.from).0, span.0);
            let end = Duration(start) + span;
            if best.is_none_or(|best| end < best.end) {
                best = Some(Span { machine, start: Duration(start), end });
            }
        }
        let best = best.expect("there is a machine");
        let lane = &mut lanes[best.machine];
        let at = lane.partition_point(|&(start, _)| start <= best.start.0);
        lane.insert(at, (best.start.0, best.end.0));
        spans[task.index()] = Some(best);
    }
    spans.into_iter().map(|span| span.expect("every task is in the order")).collect()
}

/// The earliest start from `there` on of a gap of this length.
fn first_gap(lane: &[(u64, u64)], there: u64, length: u64) -> u64 {
    let mut start = there;
    let from = lane.partition_point(|&(begin, _)| begin <= there).saturating_sub(1);
    for &(begin, end) in &lane[from..] {
        if start + length <= begin {
            break;
        }
        start = start.max(end);
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_when_they_are_long_enough() {
        let lane = [(0, 10), (15, 20), (40, 50)];
        assert_eq!(first_gap(&lane, 0, 5), 10);
        assert_eq!(first_gap(&lane, 12, 4), 20);
        assert_eq!(first_gap(&lane, 0, 25), 50);
        assert_eq!(first_gap(&lane, 45, 1), 50);
        assert_eq!(first_gap(&[], 7, 1), 7);
    }
}
