//! The life of an attempt, from its start to its report: one thread for each occupied slot.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::Usage;
use engine::cause::FailureCause;
use engine::shard::End;
use spec::Bytes;

use super::Keep;
use super::cgroup::Group;
use super::hub::Start;
use super::pump::Pump;
use super::running::Running;
use super::sampler::out_of_memory;
use super::slot_log::SlotLog;
use crate::process::wait;
use crate::protocol::{Work, WorkPlace};

/// From the request to a task to the one to its keeper, when both are asked.
const OWN_END_PATIENCE: Duration = Duration::from_millis(200);

/// What a shell ends with when its command was ended by SIGTERM.
const CODE_OF_SIGTERM: i32 = 128 + libc::SIGTERM;

/// What a shell ends with when its command was killed.
const CODE_OF_SIGKILL: i32 = 128 + libc::SIGKILL;

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
    let kills_before = machine_oom_kills(&start.work);
    let Spawned { running, mut child, pump } = match spawn(keep, start) {
        Ok(spawned) => spawned,
        Err(why) => {
            keep.vault.close(attempt);
            return keep.hub.cannot_start(attempt, why);
        }
    };
    keep.hub.spawned(&running);
    wait::until_dead(running.pid);
    let ended_at = keep.hub.clock.now();
    running.close();
    let Some((end, taken)) = wait::reap(running.pid) else {
        // Cannot be: nobody else reaps it. If it is, what it did is unknown.
        let _ = child.kill();
        keep.vault.close(attempt);
        return keep.hub.exited(attempt, End::Signal(0), Usage::default(), None);
    };
    if is_asked_to_end(end) {
        wait_for_own_end(keep);
    }
    let left = keep.leftovers.clear(&keep.hub, attempt, running.pid);
    if let Some(pump) = pump {
        pump.finish();
    }
    keep.logs.hand_over(start.slot, attempt, &running.log, !left.is_empty());
    if end == End::Exit(0) {
        keep.launcher.clear(&start.work);
    }
    let needed = running.group.as_ref().and_then(Group::peak_needed).unwrap_or_default();
    running.saw_memory(needed.0.max(taken.memory_peak.0));
    let usage = Usage {
        started_at: running.started_at,
        ended_at,
        cpu_user: taken.cpu_user,
        cpu_system: taken.cpu_system,
        memory_peak: Bytes(running.memory_peak()),
        network: None,
    };
    let ran_out = was_out_of_memory(&running, end, kills_before);
    if let Some(group) = &running.group {
        group.remove();
    }
    let cause = ran_out.then(|| out_of_memory(&running));
    let cause = cause.or_else(|| unfit(&start.work, &left));
    if (end != End::Exit(0) || cause.is_some()) && keep.vault.close(attempt) {
        keep.launcher.clear_all(attempt);
    }
    keep.hub.exited(attempt, end, usage, cause)
}

/// By its control group, which is exact. Without one, by how it ended while the kernel killed for
/// memory somewhere on this machine: who is killed by hand at such a moment is mistaken.
fn was_out_of_memory(running: &Running, end: End, kills_before: Option<u64>) -> bool {
    if let Some(group) = &running.group
        && (group.was_out_of_memory() || group.was_entered())
    {
        return group.was_out_of_memory();
    }
    matches!(end, End::Signal(libc::SIGKILL) | End::Exit(CODE_OF_SIGKILL))
        && machine_oom_kills(&running.work) > kills_before
}

/// How many processes of this machine the kernel has killed because memory ran out. Only asked
/// for attempts with a limit: others are not tried again with more.
fn machine_oom_kills(work: &Work) -> Option<u64> {
    if work.granted.memory.0 == 0 {
        return None;
    }
    let counters = std::fs::read_to_string("/proc/vmstat").ok()?;
    let count = |line: &str| line.strip_prefix("oom_kill ")?.trim().parse().ok();
    counters.lines().find_map(count)
}

/// A process of ours.
struct Spawned {
    running: Arc<Running>,
    child: std::process::Child,
    /// Between a task that was given secrets and its log.
    pump: Option<Pump>,
}

fn spawn(keep: &Keep, start: &Start) -> Result<Spawned, String> {
    let Start { work, slot } = start;
    let log: Arc<SlotLog> = keep
        .logs
        .of(*slot)
        .map_err(|error| format!("failed to open the log of {slot}: {error}"))?;
    let opened = keep.vault.open(work)?;
    let cwd = keep.launcher.prepare(work)?;
    let (streams, pump) = Pump::between(opened.as_ref().map(|opened| &opened.patterns), &log)
        .map_err(|error| format!("failed to open the log of {slot}: {error}"))?;
    if !work.is_idempotent {
        keep.hub.announce(work.attempt);
    }
    let group = keep.groups.make(work.attempt, work.granted.memory);
    let started_at = keep.hub.clock.now();
    let secrets = opened.map_or_else(Vec::new, |opened| opened.variables);
    match keep.launcher.spawn(work, &cwd, &secrets, group.as_ref(), streams) {
        Ok(child) => {
            let pid = child.id();
            let running = Running::new(Arc::clone(work), pid, started_at, log, group);
            Ok(Spawned { running, child, pump })
        }
        Err(why) => {
            group.iter().for_each(Group::remove);
            Err(why)
        }
    }
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
