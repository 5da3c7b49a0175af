//! Outputs become safe here, while the slot that made them runs the next task.

use engine::cause::FailureCause;
use engine::{AttemptId, Manifest};
use spec::Bytes;

use super::Keep;
use crate::artifact;
use crate::protocol::{Work, WorkPlace};

/// Commits attempts, one after another, for as long as the keeper lives.
pub(super) fn run(keep: &Keep) {
    loop {
        let work = keep.hub.wait_for_commit();
        let result = match &work.place {
            WorkPlace::Project(_) => Ok(Manifest::new()),
            WorkPlace::Private { outputs, .. } => artifact::commit_some(
                &keep.run_dir.attempt(work.attempt),
                outputs,
                &work.may_be_empty,
            ),
        };
        let result = result.and_then(|manifest| check_empty(&work, manifest));
        keep.hub.committed(work.attempt, without_secrets(keep, work.attempt, result));
    }
}

fn check_empty(work: &Work, manifest: Manifest) -> Result<Manifest, FailureCause> {
    let empty = manifest.iter().find(|file| work.refuses_empty && file.size == Bytes(0));
    match empty {
        None => Ok(manifest),
        Some(file) => Err(FailureCause::UnfitOutput {
            path: file.path.clone(),
            why: "is empty, and `empty_outputs: false` forbids it".to_owned(),
        }),
    }
}

/// A name that holds a secret would carry it into the journal, whether the output is taken or not.
fn without_secrets(
    keep: &Keep,
    attempt: AttemptId,
    result: Result<Manifest, FailureCause>,
) -> Result<Manifest, FailureCause> {
    let Some(patterns) = keep.vault.patterns(attempt) else { return result };
    keep.vault.close(attempt);
    let checked = match result {
        Ok(manifest) => match manifest.iter().find(|file| patterns.are_in(&file.path)) {
            None => Ok(manifest),
            Some(file) => Err(FailureCause::UnfitOutput {
                path: patterns.mask(&file.path),
                why: "has a secret in its name".to_owned(),
            }),
        },
        Err(FailureCause::UnfitOutput { path, why }) => {
            let (path, why) = (patterns.mask(&path), patterns.mask(&why));
            Err(FailureCause::UnfitOutput { path, why })
        }
        // What was declared was written before any secret was known.
        Err(cause) => Err(cause),
    };
    if checked.is_err() {
        keep.launcher.clear_all(attempt);
    }
    checked
}
