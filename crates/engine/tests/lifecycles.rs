//! The three lifecycles, pair by pair: what is listed here happens, everything else is refused.

use engine::allocation_state::{AllocationState, AllocationStep};
use engine::input::Command;
use engine::outcome::Outcome;
use engine::phase::{Phase, PhaseStep};
use engine::task_state::{TaskState, TaskStep};

#[test]
fn a_task_takes_the_listed_steps_and_no_other() {
    use TaskState as S;
    use TaskStep as T;
    let states = [
        S::Excluded,
        S::Waiting,
        S::Checking,
        S::Ready,
        S::Held,
        S::Leased,
        S::Committed,
        S::Publishing,
        S::Published,
        S::Failed,
        S::Skipped,
    ];
    let with = |make: fn(bool) -> T| [make(false), make(true)];
    let mut steps = vec![T::Reused, T::Changed, T::Granted, T::GivenBack, T::RetryDue];
    steps.extend([T::PublishIntended, T::Published, T::Skipped, T::Rearmed]);
    steps.extend(with(|is_reusable| T::Unblocked { is_reusable }));
    steps.extend(with(|has_outputs| T::Committed { has_outputs }));
    steps.extend(with(|retries| T::Failed { retries }));
    steps.extend(with(|is_unblocked| T::Reset { is_unblocked }));
    let listed = [
        (S::Waiting, T::Unblocked { is_reusable: true }, S::Checking),
        (S::Waiting, T::Unblocked { is_reusable: false }, S::Ready),
        (S::Waiting, T::Skipped, S::Skipped),
        (S::Checking, T::Reused, S::Published),
        (S::Checking, T::Changed, S::Ready),
        (S::Checking, T::Skipped, S::Skipped),
        (S::Ready, T::Granted, S::Leased),
        (S::Ready, T::Skipped, S::Skipped),
        (S::Leased, T::GivenBack, S::Ready),
        (S::Leased, T::Committed { has_outputs: true }, S::Committed),
        (S::Leased, T::Committed { has_outputs: false }, S::Published),
        (S::Leased, T::Failed { retries: true }, S::Held),
        (S::Leased, T::Failed { retries: false }, S::Failed),
        (S::Held, T::RetryDue, S::Ready),
        (S::Held, T::Skipped, S::Skipped),
        (S::Committed, T::GivenBack, S::Ready),
        (S::Committed, T::PublishIntended, S::Publishing),
        (S::Committed, T::Failed { retries: true }, S::Held),
        (S::Committed, T::Failed { retries: false }, S::Failed),
        (S::Publishing, T::GivenBack, S::Ready),
        (S::Publishing, T::Published, S::Published),
        (S::Publishing, T::Failed { retries: true }, S::Held),
        (S::Publishing, T::Failed { retries: false }, S::Failed),
        (S::Published, T::Rearmed, S::Waiting),
        (S::Failed, T::Rearmed, S::Waiting),
        (S::Skipped, T::Rearmed, S::Waiting),
        (S::Failed, T::Reset { is_unblocked: true }, S::Ready),
        (S::Failed, T::Reset { is_unblocked: false }, S::Waiting),
        (S::Skipped, T::Reset { is_unblocked: true }, S::Ready),
        (S::Skipped, T::Reset { is_unblocked: false }, S::Waiting),
    ];
    for state in states {
        for &step in &steps {
            let wanted = listed.iter().find(|row| (row.0, row.1) == (state, step)).map(|row| row.2);
            assert_eq!(state.next(step).ok(), wanted, "{step:?} while {state:?}");
        }
    }
}

#[test]
fn an_allocation_takes_the_listed_steps_and_no_other() {
    use AllocationState as S;
    use AllocationStep as T;
    let listed = [
        (S::Requested, T::Up, S::Up),
        (S::Requested, T::Lost, S::Lost),
        (S::Requested, T::Ended, S::Ended),
        (S::Requested, T::Resumed, S::Unknown),
        (S::Up, T::Lost, S::Lost),
        (S::Up, T::Ended, S::Ended),
        (S::Up, T::Resumed, S::Unknown),
        (S::Unknown, T::Up, S::Up),
        (S::Unknown, T::Lost, S::Lost),
        (S::Unknown, T::Ended, S::Ended),
    ];
    for state in [S::Requested, S::Up, S::Unknown, S::Ended, S::Lost] {
        for step in [T::Up, T::Lost, T::Ended, T::Resumed] {
            let wanted = listed.iter().find(|row| (row.0, row.1) == (state, step)).map(|row| row.2);
            assert_eq!(state.next(step), wanted, "{step:?} while {state:?}");
        }
    }
}

const OUTCOMES: [Outcome; 4] =
    [Outcome::Succeeded, Outcome::Failed, Outcome::Cancelled, Outcome::Stalled];

#[test]
fn a_run_takes_the_listed_steps_and_no_other() {
    use PhaseStep as T;
    const RUNNING: Phase = Phase::Running;
    const DRAINING: Phase = Phase::Draining { is_killing: false };
    const STOPPING: Phase = Phase::Draining { is_killing: true };
    let mut listed = vec![
        (RUNNING, T::Command(Command::Drain), DRAINING),
        (RUNNING, T::Command(Command::Stop), STOPPING),
        (RUNNING, T::Command(Command::Cancel), Phase::Cancelling),
        (DRAINING, T::Command(Command::Stop), STOPPING),
        (DRAINING, T::Command(Command::Cancel), Phase::Cancelling),
        (DRAINING, T::Paused, Phase::Paused),
        (STOPPING, T::Command(Command::Cancel), Phase::Cancelling),
        (STOPPING, T::Paused, Phase::Paused),
        (Phase::Paused, T::Command(Command::Cancel), Phase::Cancelling),
        (Phase::Finished(Outcome::Failed), T::Command(Command::RetryFailed), RUNNING),
    ];
    let finishing = OUTCOMES.map(Phase::Finishing);
    for from in finishing {
        listed.push((from, T::Command(Command::Drain), DRAINING));
        listed.push((from, T::Command(Command::Stop), STOPPING));
        listed.push((from, T::Command(Command::Cancel), Phase::Cancelling));
    }
    for from in [DRAINING, STOPPING, Phase::Paused] {
        listed.push((from, T::Resumed { finishing: None }, RUNNING));
        listed.extend(OUTCOMES.map(|outcome| {
            (from, T::Resumed { finishing: Some(outcome) }, Phase::Finishing(outcome))
        }));
    }
    for from in [RUNNING, Phase::Cancelling] {
        let due = |outcome| (from, T::FinalsDue(outcome), Phase::Finishing(outcome));
        listed.extend(OUTCOMES.map(due));
    }
    for from in [RUNNING, DRAINING, STOPPING, Phase::Cancelling].into_iter().chain(finishing) {
        listed
            .extend(OUTCOMES.map(|outcome| (from, T::Finished(outcome), Phase::Finished(outcome))));
    }
    let mut states = vec![RUNNING, DRAINING, STOPPING, Phase::Paused, Phase::Cancelling];
    states.extend(OUTCOMES.map(Phase::Finished));
    states.extend(finishing);
    let mut steps = vec![T::Paused, T::Resumed { finishing: None }];
    steps.extend(OUTCOMES.map(|outcome| T::Resumed { finishing: Some(outcome) }));
    steps.extend(OUTCOMES.map(T::FinalsDue));
    steps.extend(OUTCOMES.map(T::Finished));
    let commands = [Command::Drain, Command::Stop, Command::Cancel, Command::RetryFailed];
    steps.extend(commands.map(T::Command));
    for state in states {
        for &step in &steps {
            let wanted = listed.iter().find(|row| (row.0, row.1) == (state, step)).map(|row| row.2);
            assert_eq!(state.next(step), wanted, "{step:?} while {state:?}");
        }
    }
}
