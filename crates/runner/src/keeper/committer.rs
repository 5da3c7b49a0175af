//! Outputs become safe here, while the slot that made them runs the next task.

use super::Keep;
use crate::artifact;
use crate::protocol::WorkPlace;

/// Commits attempts, one after another, for as long as the keeper lives.
pub(super) fn run(keep: &Keep) {
    loop {
        let work = keep.hub.wait_for_commit();
        let result = match &work.place {
            WorkPlace::Project(_) => Ok(engine::Manifest::new()),
            WorkPlace::Private { outputs, .. } => {
                artifact::commit(&keep.run_dir.attempt(work.attempt), outputs)
            }
        };
        keep.hub.committed(work.attempt, result);
    }
}
