//! How a run stands, for `runs` and `status`: its journal, and whether anybody drives it.

use engine::outcome::Outcome;
use engine::phase::Phase;
use journal::lease::{Lease, Seen};

use crate::past_run::PastRun;

/// The orchestrator of a run, if one is alive as far as can be told from here.
#[must_use]
pub(crate) fn orchestrator(run: &PastRun) -> Option<Seen> {
    Lease::read(run.dir.path()).ok().flatten().filter(|seen| seen.alive)
}

/// One word for how a run stands.
#[must_use]
pub(crate) fn word(phase: Phase, is_driven: bool) -> &'static str {
    match (phase, is_driven) {
        (Phase::Finished(Outcome::Succeeded), _) => "succeeded",
        (Phase::Finished(Outcome::Failed), _) => "failed",
        (Phase::Finished(Outcome::Cancelled), _) => "cancelled",
        (Phase::Finished(Outcome::Stalled), _) => "stalled",
        (Phase::Running, true) => "running",
        (Phase::Draining { .. }, true) => "draining",
        (Phase::Cancelling, true) => "cancelling",
        (Phase::Finishing(_), true) => "finishing",
        // Whoever drove it is gone; its keepers may go on with what they have.
        (Phase::Paused, _)
        | (
            Phase::Running | Phase::Draining { .. } | Phase::Cancelling | Phase::Finishing(_),
            false,
        ) => "interrupted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_nobody_drives_is_interrupted_unless_it_is_over() {
        assert_eq!(word(Phase::Running, true), "running");
        assert_eq!(word(Phase::Running, false), "interrupted");
        assert_eq!(word(Phase::Finished(Outcome::Failed), false), "failed");
    }
}
