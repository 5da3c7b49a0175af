//! `foreshard cancel`: stops a run for good, whoever drives it.

use engine::Command;
use journal::lease::Lease;
use runner::drive::Message;
use runner::inbox;
use runner::start::{self, ResumeOptions};

use crate::args::{Cancel, Watching};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::{self, PastRun};
use crate::screen::Screen;
use crate::session::{self, Origin};

/// Tells the orchestrator of a run to end it; without one, ends it here.
///
/// # Errors
/// The run cannot be reached.
pub(crate) fn cancel(args: &Cancel, screen: Screen) -> Result<Code, Failure> {
    let run = past_run::find(&args.run)?;
    let command = if args.drain { Command::Drain } else { Command::Cancel };
    let holder = Lease::read(run.dir.path())
        .map_err(|error| Failure::of(Code::Machine, &error))?
        .filter(|seen| seen.alive);
    if let Some(seen) = holder {
        let inbox = run.dir.inbox();
        inbox::send(&inbox, command).map_err(|error| Failure::io("write into", &inbox, &error))?;
        let (process, host) = (seen.holder.process.pid, seen.holder.host);
        screen.say(&format!("told process {process} on {host}, which drives run {}", run.id));
        return Ok(Code::Succeeded);
    }
    if args.drain {
        screen.say(&format!("nobody drives run {}: nothing new starts anyway", run.id));
        return Ok(Code::Succeeded);
    }
    end_here(&run, screen)
}

/// What its keepers still run must be stopped, and that takes an orchestrator.
fn end_here(run: &PastRun, screen: Screen) -> Result<Code, Failure> {
    let options = ResumeOptions { ledger: super::run::ledger() };
    let ready = start::resume(&run.project, &run.id, options)
        .map_err(|error| run.refused(error, screen))?;
    if let engine::phase::Phase::Finished(_) = ready.state().phase() {
        screen.say(&format!("run {} is over already", run.id));
        return Ok(Code::Succeeded);
    }
    let _ = ready.messages.send(Message::Command(Command::Cancel));
    let observe_every = spec::Duration::ZERO;
    let watching = Watching { html: None, json: false, quiet: true, observe_every };
    match session::drive(ready, run, Origin::TakenOver, &watching, screen)? {
        Code::Cancelled => {
            screen.say(&format!("run {} is cancelled", run.id));
            Ok(Code::Succeeded)
        }
        other => Ok(other),
    }
}
