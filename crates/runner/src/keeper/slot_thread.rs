//! The life of an attempt, from its start to its report: one thread for each occupied slot.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::Usage;
use engine::cause::FailureCause;
use engine::shard::End;
use spec::Bytes;

use super::Keep;
use super::hub::Start;
use super::running::Running;
use super::slot_log::SlotLog;
use crate::process::wait;
use crate::protocol::{Work, WorkPlace};

/// From the request to a task to the one to its keeper, when both are asked.
const OWN_END_PATIENCE: Duration = Duration::from_millis(200);

/// What a shell ends with when its command was ended by SIGTERM.
const CODE_OF_SIGTERM: i32 = 128 + libc::SIGTERM;

/// Runs attempts, one after another, for as long as the keeper lives.
pub(super) fn run(keep: &Keep) {
    loop {
        let mut next = Some(keep.hub.wait_for_start());
        while let Some(start) = next {
            next = run_attempt(keep, &start);
        }
    }
}

/// Runs one attempt; returns what to start next.
fn run_attempt(keep: &Keep, start: &Start) -> Option<Start> {
    let attempt = start.work.attempt;
    let (running, mut child) = match spawn(keep, start) {
        Ok(spawned) => spawned,
        Err(why) => return keep.hub.cannot_start(attempt, why),
    };
    keep.hub.spawned(&running);
    wait::until_dead(running.pid);
    let ended_at = keep.hub.clock.now();
    running.close();
    let Some((end, taken)) = wait::reap(running.pid) else {
        // Cannot be: nobody else reaps it. If it is, what it did is unknown.
        let _ = child.kill();
        return keep.hub.exited(attempt, End::Signal(0), Usage::default(), None);
    };
    if is_asked_to_end(end) {
        wait_for_own_end(keep);
    }
    let left = keep.leftovers.clear(&keep.hub, attempt, running.pid);
    keep.logs.hand_over(start.slot, attempt, &running.log, !left.is_empty());
    if end == End::Exit(0) {
        keep.launcher.clear(&start.work);
    }
    let usage = Usage {
        started_at: running.started_at,
        ended_at,
        cpu_user: taken.cpu_user,
        cpu_system: taken.cpu_system,
        memory_peak: taken.memory_peak.max(Bytes(running.memory_peak())),
        network: None,
    };
    keep.hub.exited(attempt, end, usage, unfit(&start.work, &left))
}

fn spawn(keep: &Keep, start: &Start) -> Result<(Arc<Running>, std::process::Child), String> {
    let Start { work, slot } = start;
    let log: Arc<SlotLog> = keep
        .logs
        .of(*slot)
        .map_err(|error| format!("failed to open the log of {slot}: {error}"))?;
    let cwd = keep.launcher.prepare(work)?;
    if !work.is_idempotent {
        keep.hub.announce(work.attempt);
    }
    let started_at = keep.hub.clock.now();
    let child = keep.launcher.spawn(work, &cwd, &log)?;
    Ok((Running::new(Arc::clone(work), child.id(), started_at, log), child))
}

/// A request to end that reached the whole machine or session, or so it seems.
fn is_asked_to_end(end: End) -> bool {
    matches!(end, End::Signal(libc::SIGTERM) | End::Exit(CODE_OF_SIGTERM))
}

/// A machine that shuts down asks all processes to end, and tasks may be faster than their keeper.
/// If it is asked too, nothing the task did in its last moment is its own failure, and nothing more is
/// reported.
fn wait_for_own_end(keep: &Keep) {
    std::thread::sleep(OWN_END_PATIENCE);
    while keep.asked_to_end.load(Ordering::Relaxed) != 0 {
        std::thread::park();
    }
}

/// Outputs that something may still write to must not be taken.
fn unfit(work: &Work, left: &[u32]) -> Option<FailureCause> {
    let pid = left.first()?;
    let WorkPlace::Private { outputs, .. } = &work.place else { return None };
    let path = outputs.first()?.clone();
    let why = format!("may still change: process {pid} of the task cannot be killed");
    Some(FailureCause::UnfitOutput { path, why })
}
