//! A failing seed with fewer kinds of faults and fewer tasks that still fails the same way.

use super::{Failure, Limits, play};
use crate::faults::Class;
use crate::outcome::Ending;
use crate::watch::Violation;

/// Plays it again and again with less, as long as it violates the same invariant.
pub(super) fn shrink(mut failure: Failure) -> Failure {
    for class in Class::ALL {
        if !failure.limits.without.contains(&class) {
            let mut limits = failure.limits.clone();
            limits.without.push(class);
            try_with(&mut failure, limits);
        }
    }
    let mut tasks = 64;
    while tasks > 0 {
        if tasks < failure.limits.tasks_max {
            let limits = Limits { tasks_max: tasks, ..failure.limits.clone() };
            if !try_with(&mut failure, limits) {
                break;
            }
        }
        tasks = if tasks > 8 { tasks / 2 } else { tasks - 1 };
    }
    failure
}

fn try_with(failure: &mut Failure, limits: Limits) -> bool {
    let violation = match play(failure.seed, &limits) {
        Err(violation) => violation,
        Ok(played) => match played.outcome.ending {
            Ending::Violated(violation) => violation,
            Ending::GaveUp => Violation::of("L1", "the run does not end in time"),
            Ending::Finished(engine::Outcome::Stalled) => {
                Violation::of("L1", "the run has stalled")
            }
            Ending::Finished(_) => return false,
        },
    };
    let is_same = violation.invariant == failure.violation.invariant;
    if is_same {
        *failure = Failure { seed: failure.seed, limits, violation };
    }
    is_same
}
