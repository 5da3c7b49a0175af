//! `foreshard history`: what was measured in zones, taken in, shown, given away and forgotten.

mod export;
mod import;
mod plot;
mod show;

pub(crate) use plot::value;

use journal::history::History;
use journal::history::series::{Forget, Summary};
use report::quantity::plural;
use runner::run_dir::Project;

use crate::args::{self, HistoryCommand, HistoryPrune, SeriesChoice};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run;
use crate::screen::{Screen, Tone};

/// Does what was typed.
///
/// # Errors
/// Why it could not be done.
pub(crate) fn history(args: &args::History, screen: Screen) -> Result<Code, Failure> {
    match &args.command {
        HistoryCommand::Import(args) => import::import(args, screen),
        HistoryCommand::Show(args) => show::show(args, screen),
        HistoryCommand::Export(args) => export::export(args, screen),
        HistoryCommand::Prune(args) => prune(args, screen),
    }
}

/// Opens the history of a project, which may be its first.
///
/// # Errors
/// It cannot be made.
pub(crate) fn open(project: &Project, screen: Screen) -> Result<History, Failure> {
    let state = project.state();
    std::fs::create_dir_all(&state).map_err(|error| Failure::io("make", &state, &error))?;
    let history = History::open(&project.history()).map_err(|error| unusable(&error))?;
    if let Some(aside) = history.moved_aside() {
        let warning = screen.word(Tone::Doubtful, "warning:");
        let path = aside.display();
        screen.say(&format!(
            "{warning} the history was damaged; it lies in {path}, and a new one begins"
        ));
    }
    Ok(history)
}

fn unusable(error: &journal::history::Error) -> Failure {
    Failure::of(Code::Machine, error)
}

/// The series that are meant.
///
/// # Errors
/// There are none.
fn chosen(history: &mut History, choice: &SeriesChoice) -> Result<Vec<Summary>, Failure> {
    let mut all = history.series().map_err(|error| unusable(&error))?;
    let names: Vec<String> =
        all.iter().map(|series| format!("{} {}", series.zone, series.measure)).collect();
    all.retain(|series| {
        choice.zone.as_ref().is_none_or(|zone| *zone == series.zone)
            && choice.measure.as_ref().is_none_or(|measure| measure.name() == series.measure)
    });
    if !all.is_empty() {
        return Ok(all);
    }
    if names.is_empty() {
        return Err(Failure::invalid("nothing was measured yet").hint(
            "`foreshard observe` measures this machine, `foreshard history import` takes in what others measured",
        ));
    }
    let told = names.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    let more = if names.len() > 8 { ", …" } else { "" };
    Err(Failure::invalid("there is no such series").hint(format!("there are {told}{more}")))
}

fn prune(args: &HistoryPrune, screen: Screen) -> Result<Code, Failure> {
    let project = past_run::home(&args.project)?;
    let mut history = open(&project, screen)?;
    chosen(&mut history, &args.series)?;
    let forget = Forget {
        zone: args.series.zone.clone(),
        measure: args.series.measure.as_ref().map(ToString::to_string),
        before_us: args.before.map(|at| at.0),
    };
    let n = history.forget_samples(&forget).map_err(|error| unusable(&error))?;
    // Space that stays taken is used again; giving it back may wait for others.
    let _ = history.shrink();
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    screen.say(&format!("{} forgotten", plural(n, "sample", "samples")));
    Ok(Code::Succeeded)
}
