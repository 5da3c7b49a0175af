//! The commands, one module each: what they ask of the other parts, and what they print.

mod cancel;
mod check;
mod clean;
mod demand;
mod diff;
mod export;
mod forecast;
mod graph;
mod hidden;
mod history;
mod journal;
mod logs;
mod manual;
mod observe;
mod plan;
mod report;
mod resume;
mod run;
mod runs;
mod schema;
mod sim;
mod simulate;
mod site;
mod standing;
mod status;
mod why;

use std::path::Path;

pub(crate) use self::sim::Sim;
use crate::args::{
    Command, DemandCommand, ForecastCommand, JournalCommand, RunChoice, SiteCommand,
};
use crate::exit_code::{self, Code};
use crate::failure::Failure;
use crate::past_run;
use crate::screen::Screen;

/// Does what was typed.
///
/// # Errors
/// Why it could not be done.
pub(crate) fn run(command: Command, screen: Screen) -> Result<Code, Failure> {
    match command {
        Command::Check(args) => check::check(&args, screen),
        Command::Run(args) => run::run(&args, screen),
        Command::Plan(args) => plan::plan(&args, screen),
        Command::Simulate(args) => simulate::simulate(&args, screen),
        Command::Graph(args) => graph::graph(&args, screen),
        Command::Runs(args) => runs::runs(&args, screen),
        Command::Status(args) => status::status(&args, screen),
        Command::Logs(args) => logs::logs(&args, screen),
        Command::Why(args) => why::why(&args, screen),
        Command::Resume(args) => resume::resume(&args, screen),
        Command::Cancel(args) => cancel::cancel(&args, screen),
        Command::Report(args) => report::report(&args, screen),
        Command::Export(args) => export::export(&args, screen),
        Command::Diff(args) => diff::diff(&args, screen),
        Command::Clean(args) => clean::clean(&args, screen),
        Command::Schema(args) => schema::schema(&args, screen),
        Command::Site(args) => match args.command {
            SiteCommand::Show(args) => site::show(&args, screen),
        },
        Command::Forecast(args) => match args.command {
            ForecastCommand::Backtest(args) => forecast::backtest(&args, screen),
            ForecastCommand::Paths(args) => forecast::paths(&args, screen),
            ForecastCommand::Show(args) => forecast::show(&args, screen),
        },
        Command::Demand(args) => match args.command {
            DemandCommand::Show(args) => demand::show(&args, screen),
            DemandCommand::Import(args) => demand::import(&args, screen),
        },
        Command::History(args) => history::history(&args, screen),
        Command::Observe(args) => observe::observe(&args, screen),
        Command::Journal(args) => match args.command {
            JournalCommand::Verify(args) => journal::verify(&args, screen),
            JournalCommand::Repair(args) => journal::repair(&args, screen),
        },
        Command::Completions(args) => manual::completions(&args, screen),
        Command::Man(args) => manual::pages(&args, screen),
        Command::ExitCodes => {
            screen.print(&exit_code::table())?;
            Ok(Code::Succeeded)
        }
        Command::Sim(args) => sim::sim(args, screen),
        Command::ShardExec(args) => hidden::shard_exec(args),
        Command::ReplayTask(args) => hidden::replay_task(&args),
    }
}

/// Writes the report of a run as one HTML file.
///
/// # Errors
/// The run cannot be read, or the file cannot be written.
pub(crate) fn write_html(choice: &RunChoice, path: &Path, screen: Screen) -> Result<(), Failure> {
    report::write_html(&past_run::tell(choice, screen)?, path, screen)
}
