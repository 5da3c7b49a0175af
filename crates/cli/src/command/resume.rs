//! `foreshard resume`: takes over a run that was interrupted, and what finished meanwhile.

use engine::Command;
use engine::outcome::Outcome;
use engine::phase::Phase;
use runner::drive::Message;
use runner::start::{self, ResumeOptions};

use crate::args::Resume;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::{self, PastRun};
use crate::screen::Screen;
use crate::session::{self, Origin};

/// Goes on with a run.
///
/// # Errors
/// There is nothing to go on with, or it cannot go on.
pub(crate) fn resume(args: &Resume, screen: Screen) -> Result<Code, Failure> {
    session::check(&args.watching)?;
    let run = past_run::find(&args.run)?;
    let options = ResumeOptions { ledger: super::run::ledger() };
    let ready = start::resume(&run.project, &run.id, options)
        .map_err(|error| run.refused(error, screen))?;
    if let Phase::Finished(outcome) = ready.state().phase() {
        let can_go_on = args.retry_failed && outcome == Outcome::Failed;
        if !can_go_on {
            return over(outcome, &run, screen);
        }
    }
    if args.retry_failed {
        // Nobody has taken the other end away yet.
        let _ = ready.messages.send(Message::Command(Command::RetryFailed));
    }
    session::drive(ready, &run, Origin::TakenOver, &args.watching, screen)
}

fn over(outcome: Outcome, run: &PastRun, screen: Screen) -> Result<Code, Failure> {
    match outcome {
        Outcome::Succeeded => {
            screen.say(&format!("run {} has succeeded; nothing is left to do", run.id));
            Ok(Code::Succeeded)
        }
        Outcome::Failed => {
            Err(Failure::new(Code::TasksFailed, format!("run {} is over: tasks failed", run.id))
                .hint(format!(
                    "`foreshard resume --retry-failed {}` tries them again",
                    run.words()
                )))
        }
        Outcome::Cancelled => {
            Err(Failure::new(Code::Cancelled, format!("run {} was cancelled for good", run.id))
                .hint("`foreshard run` starts a new one, which does not repeat what was done"))
        }
        Outcome::Stalled => {
            Err(Failure::new(Code::Internal, format!("run {} has stalled", run.id))
                .hint("this is a defect of foreshard; please report it"))
        }
    }
}
