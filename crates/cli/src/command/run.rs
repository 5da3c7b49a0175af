//! `foreshard run`: a workflow from its file to its end.

use std::path::PathBuf;

use engine::event::Options;
use runner::start::{self, NewRun};

use crate::args::Run;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::PastRun;
use crate::screen::Screen;
use crate::session::{self, Origin};
use crate::{refusal, site, workflow};

/// Runs a workflow.
///
/// # Errors
/// It cannot begin or go on. Failed tasks are no error of the command: they are in its code.
pub(crate) fn run(args: &Run, screen: Screen) -> Result<Code, Failure> {
    session::check(&args.watching)?;
    let request = workflow::request(&args.workflow);
    let loaded = workflow::load(&request, screen)?;
    let site = site::choose(&args.site, screen)?;
    let targets = workflow::targets(&loaded.workflow, &args.tasks.targets)?;
    if args.dry_run {
        let asked =
            super::plan::Asked { targets, is_fresh: args.tasks.fresh, is_json: args.watching.json };
        return super::plan::tell(&loaded, &site, &asked, screen);
    }
    let new = NewRun {
        request,
        loaded: loaded.clone(),
        site,
        site_folder: site::folder(&args.site),
        options: Options { fail_fast: args.fail_fast, ..Options::default() },
        wanted: workflow::wanted(&loaded.workflow, &args.tasks.targets),
        targets,
        is_fresh: args.tasks.fresh,
        ledger: ledger(),
    };
    let ready = start::begin(new).map_err(|error| refusal::tell(error, Some(&loaded), screen))?;
    let dir = ready.run_dir.clone();
    let run = PastRun { project: loaded.project, id: dir.id(), dir };
    session::drive(ready, &run, Origin::New, &args.watching, screen)
}

/// Where runs on this machine tell each other what they use. `FORESHARD_LEDGER` names another
/// file, or `none`.
#[must_use]
pub(crate) fn ledger() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(named) = variable("FORESHARD_LEDGER") {
        return (named != "none").then(|| PathBuf::from(named));
    }
    let home = || variable("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let state = variable("XDG_STATE_HOME").map(PathBuf::from).or_else(home)?;
    let ledger = state.join("foreshard/ledger.db");
    // Without a place for it, the run has the machine to itself.
    std::fs::create_dir_all(ledger.parent()?).ok()?;
    Some(ledger)
}
