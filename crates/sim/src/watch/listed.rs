//! Every change of state that may be seen between two records, written down a second time.

use engine::allocation_state::AllocationState;
use engine::outcome::Outcome;
use engine::phase::Phase;
use engine::task_state::TaskState;

/// Of tasks. Some records make two steps at once, such as giving back and skipping.
pub(super) const TASK: &[(TaskState, TaskState)] = {
    use TaskState::*;
    &[
        (Excluded, Waiting),
        (Waiting, Checking),
        (Waiting, Ready),
        (Waiting, Skipped),
        (Checking, Published),
        (Checking, Ready),
        (Ready, Leased),
        (Ready, Skipped),
        (Leased, Ready),
        (Leased, Held),
        (Leased, Failed),
        (Leased, Committed),
        (Leased, Published),
        (Leased, Skipped),
        (Held, Ready),
        (Held, Skipped),
        (Committed, Publishing),
        (Committed, Ready),
        (Committed, Failed),
        // What it would add to the graph cannot be added.
        (Committed, Held),
        (Publishing, Published),
        (Publishing, Ready),
        (Publishing, Held),
        (Publishing, Failed),
        (Failed, Ready),
        (Skipped, Ready),
        (Skipped, Waiting),
        // Final tasks, when there will be another end.
        (Published, Waiting),
        (Failed, Waiting),
    ]
};

/// Those of tasks that some hundred random runs need not take; `stories` tells how they come about.
pub(super) const RARE: &[(TaskState, TaskState)] = &[(TaskState::Held, TaskState::Skipped)];

/// Those of the run that some hundred random runs need not take: an orchestrator dies just when the
/// run drains while final tasks run, or somebody ends it just then.
pub(super) const RARE_PHASE: &[(Phase, Phase)] = {
    use Phase::*;
    const DRAINING: Phase = Draining { is_killing: false };
    const STOPPING: Phase = Draining { is_killing: true };
    &[
        (DRAINING, Finishing(Outcome::Succeeded)),
        (DRAINING, Finishing(Outcome::Failed)),
        (DRAINING, Finishing(Outcome::Cancelled)),
        (STOPPING, Finishing(Outcome::Succeeded)),
        (STOPPING, Finishing(Outcome::Failed)),
        (STOPPING, Finishing(Outcome::Cancelled)),
        (Finishing(Outcome::Succeeded), DRAINING),
        (Finishing(Outcome::Succeeded), STOPPING),
        (Finishing(Outcome::Succeeded), Cancelling),
    ]
};

/// Of allocations.
pub(super) const ALLOCATION: &[(AllocationState, AllocationState)] = {
    use AllocationState::*;
    &[
        (Requested, Up),
        (Requested, Ended),
        (Requested, Lost),
        (Requested, Unknown),
        (Up, Ended),
        (Up, Lost),
        (Up, Unknown),
        (Unknown, Up),
        (Unknown, Ended),
        (Unknown, Lost),
    ]
};

/// Of the run.
pub(super) const PHASE: &[(Phase, Phase)] = {
    use Phase::*;
    const DRAINING: Phase = Draining { is_killing: false };
    const STOPPING: Phase = Draining { is_killing: true };
    &[
        (Running, DRAINING),
        (Running, STOPPING),
        (DRAINING, STOPPING),
        (DRAINING, Paused),
        (STOPPING, Paused),
        (DRAINING, Running),
        (STOPPING, Running),
        (Paused, Running),
        (Running, Cancelling),
        (DRAINING, Cancelling),
        (STOPPING, Cancelling),
        (Cancelling, Finished(Outcome::Cancelled)),
        (Running, Finished(Outcome::Succeeded)),
        (Running, Finished(Outcome::Failed)),
        (Finished(Outcome::Failed), Running),
        (Running, Finishing(Outcome::Succeeded)),
        (Running, Finishing(Outcome::Failed)),
        (Cancelling, Finishing(Outcome::Cancelled)),
        (Finishing(Outcome::Succeeded), Finished(Outcome::Succeeded)),
        (Finishing(Outcome::Succeeded), Finished(Outcome::Failed)),
        (Finishing(Outcome::Failed), Finished(Outcome::Failed)),
        (Finishing(Outcome::Cancelled), Finished(Outcome::Cancelled)),
        (Finishing(Outcome::Succeeded), Cancelling),
        (Finishing(Outcome::Failed), Cancelling),
        (Finishing(Outcome::Cancelled), Cancelling),
        (Finishing(Outcome::Succeeded), DRAINING),
        (Finishing(Outcome::Failed), DRAINING),
        (Finishing(Outcome::Cancelled), DRAINING),
        (Finishing(Outcome::Succeeded), STOPPING),
        (Finishing(Outcome::Failed), STOPPING),
        (Finishing(Outcome::Cancelled), STOPPING),
        (Paused, Finishing(Outcome::Succeeded)),
        (Paused, Finishing(Outcome::Failed)),
        (Paused, Finishing(Outcome::Cancelled)),
        (DRAINING, Finishing(Outcome::Succeeded)),
        (DRAINING, Finishing(Outcome::Failed)),
        (DRAINING, Finishing(Outcome::Cancelled)),
        (STOPPING, Finishing(Outcome::Succeeded)),
        (STOPPING, Finishing(Outcome::Failed)),
        (STOPPING, Finishing(Outcome::Cancelled)),
    ]
};

/// All of them but the rare ones, by name.
pub(super) fn all() -> super::Taken {
    fn names<T: std::fmt::Debug>(listed: &[(T, T)]) -> Vec<(String, String)> {
        listed.iter().map(|(from, to)| (format!("{from:?}"), format!("{to:?}"))).collect()
    }
    let rare = [names(RARE), names(RARE_PHASE)].concat();
    let all = [names(TASK), names(ALLOCATION), names(PHASE)].concat();
    all.into_iter().filter(|change| !rare.contains(change)).collect()
}
