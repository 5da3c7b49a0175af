//! `foreshard resume`: takes over a run that was interrupted, and what finished meanwhile.

use engine::{Command, Record, RunState};
use runner::drive::Message;
use runner::start::{self, ResumeOptions};
use spec::Workflow;

use crate::args::Resume;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::{self, PastRun};
use crate::screen::Screen;
use crate::{refusal, session};
use engine::outcome::Outcome;
use engine::phase::Phase;

/// Goes on with a run.
///
/// # Errors
/// There is nothing to go on with, or it cannot go on.
pub(crate) fn resume(args: &Resume, screen: Screen) -> Result<Code, Failure> {
    let run = past_run::find(&args.run)?;
    let manifest = run.manifest()?;
    let loaded = run.load(&manifest, screen)?;
    let records = run.records()?;
    let phase = phase_of(&loaded.workflow, &records, &run)?;
    if let Phase::Finished(outcome) = phase {
        let is_wanted = args.retry_failed && outcome == Outcome::Failed;
        if !is_wanted {
            return over(outcome, &run, screen);
        }
    }
    let options = ResumeOptions { ledger: super::run::ledger() };
    let ready = start::resume(&run.project, &run.id, options)
        .map_err(|error| refusal::tell(error, Some(&loaded), screen))?;
    if args.retry_failed {
        // Nobody has taken the other end away yet.
        let _ = ready.messages.send(Message::Command(Command::RetryFailed));
    }
    session::drive(ready, &run, &records, &args.watching, screen)
}

fn phase_of(workflow: &Workflow, records: &[Record], run: &PastRun) -> Result<Phase, Failure> {
    let state = RunState::replay(workflow, records).map_err(|error| {
        Failure::of(Code::Damaged, &error)
            .hint(format!("`foreshard journal verify {}` checks the journal itself", run.words()))
    })?;
    Ok(state.phase())
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
