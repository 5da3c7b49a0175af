//! Whether the suite catches bugs: one at a time is put into the engine, and seeds are played until
//! one of them fails.

use engine::planted::{self, Bug};

use super::{Limits, Summary};
use crate::watch::Violation;

/// What gave a planted bug away.
#[derive(Clone, Debug, PartialEq)]
pub struct Caught {
    /// How many seeds it took.
    pub n_seeds: u64,
    /// What was violated.
    pub violation: Violation,
}

/// Plays seeds from 0 on with a bug in this thread, until one fails; at most so many.
#[must_use]
pub fn catch(bug: Bug, seeds_max: u64) -> Option<Caught> {
    planted::plant(Some(bug));
    let caught = (0..seeds_max).find_map(|seed| {
        let violation = Summary::default().count(super::play(seed, &Limits::NONE)).err()?;
        Some(Caught { n_seeds: seed + 1, violation })
    });
    planted::plant(None);
    caught
}

/// A line of the matrix: the bug, how many seeds it took, what gave it away.
#[must_use]
pub fn line(bug: Bug, caught: Option<&Caught>) -> String {
    let name = bug.name();
    match caught {
        None => format!("{name:<24} not caught"),
        Some(Caught { n_seeds, violation: Violation { invariant, what, .. } }) => {
            format!("{name:<24} {n_seeds:>5}  {invariant:<4} {what}")
        }
    }
}
