//! What can be typed: commands, options and the help that teaches them.
//!
//! Knows words only; what a command does is in [`crate::command`]. The manual pages and the
//! completions of shells are made from this, too.

mod asking;
mod demand;
mod forecast_from;
mod forecast_paths;
mod forecast_show;
mod history;
mod simulate;

pub(crate) use asking::{Clean, Diff, Export, Logs, Report, Runs, Status, Why};
pub(crate) use demand::{Demand, DemandCommand, DemandImport, DemandShow};
pub(crate) use forecast_from::ForecastFrom;
pub(crate) use forecast_paths::ForecastPaths;
pub(crate) use forecast_show::ForecastShow;
pub(crate) use history::{
    History, HistoryCommand, HistoryExport, HistoryFormat, HistoryImport, HistoryPrune,
    HistoryShow, Observe, SeriesChoice,
};
pub(crate) use simulate::Simulate;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::screen::ColorChoice;

/// Runs workflows: graphs of commands that are connected by the files they read and write.
#[derive(Debug, Parser)]
#[command(name = "foreshard", version, max_term_width = 100)]
#[command(after_help = "\
Examples:
  foreshard check workflow.yaml              find every mistake before anything runs
  foreshard plan workflow.yaml               which tasks would run, and why
  foreshard run workflow.yaml                run it; type it again, and nothing is left to do
  foreshard resume                           go on where the last run stopped
  foreshard report --html report.html        what happened, with a timeline

`foreshard help COMMAND` explains a command, `foreshard help exit-codes` how it ends.")]
pub(crate) struct CommandLine {
    /// When to use colours.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_possible_values = true,
        help = "Colours: auto, always or never"
    )]
    pub(crate) color: ColorChoice,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find every mistake in a workflow, each with its line and what to write instead
    Check(Check),
    /// Run a workflow
    Run(Run),
    /// Say which tasks would run, and why each one; starts nothing
    Plan(Plan),
    /// Say what a workflow would have cost under several policies, on traces; starts nothing
    Simulate(Simulate),
    /// Draw the graph of a workflow
    Graph(Graph),
    /// List the runs of a project
    Runs(Runs),
    /// Say how far a run is
    Status(Status),
    /// Show what tasks printed, and what they were told to run
    Logs(Logs),
    /// Say why a task ran, did not have to, could not, or waits
    Why(Why),
    /// Go on with a run that was interrupted
    Resume(Resume),
    /// Stop a run for good
    Cancel(Cancel),
    /// Tell what happened in a run
    Report(Report),
    /// Say what differs between two runs
    Diff(Diff),
    /// Write a run as a WfFormat 1.5 document
    Export(Export),
    /// Remove what runs have left and nobody needs any more
    Clean(Clean),
    /// Print the JSON schema of a file format, for editors
    Schema(Schema),
    /// Show the places that runs may use
    Site(Site),
    /// Forecast what will be free, and test forecasts on what was
    Forecast(Forecast),
    /// Say what tasks take, by what earlier ones took
    Demand(Demand),
    /// Keep what was measured in zones: import, show, export and prune it
    History(History),
    /// Measure this machine again and again, so that forecasts know its past
    Observe(Observe),
    /// Check or repair the journal of a run
    Journal(Journal),
    /// Print a script that teaches a shell to complete commands
    Completions(Completions),
    /// Write manual pages
    Man(Man),
    /// Print the exit codes and what they mean
    #[command(name = "exit-codes", help_template = "{before-help}", before_help = crate::exit_code::table())]
    ExitCodes,
    /// Play random cases with faults against the engine, and say what held
    #[command(hide = true)]
    Sim(crate::command::Sim),
    /// Own the processes of an allocation; started by a run
    #[command(name = "shard-exec", hide = true)]
    ShardExec(ShardExec),
    /// Do what a recorded task did; started by a run
    #[command(name = "replay-task", hide = true, disable_help_flag = true)]
    ReplayTask(ReplayTask),
}

/// Which workflow, and with which choices.
#[derive(Args, Debug)]
pub(crate) struct WorkflowChoice {
    /// The workflow: YAML or JSON, or a WfFormat document to replay; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Set a parameter; can be given several times
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) params: Vec<(String, String)>,
    /// Take parameters from a YAML or JSON file; those of `--param` count more
    #[arg(long, value_name = "FILE")]
    pub(crate) params_file: Option<PathBuf>,
    /// Replay a recorded workflow with times, file sizes and memory multiplied by this
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(crate) scale: f64,
    /// Multiply memory by this instead
    #[arg(long, value_name = "FACTOR")]
    pub(crate) scale_memory: Option<f64>,
}

/// Where to run.
#[derive(Args, Debug)]
pub(crate) struct SiteChoice {
    /// The places to run in; default: this machine
    #[arg(long, value_name = "FILE")]
    pub(crate) site: Option<PathBuf>,
    /// Use N cpus of this machine instead of all
    #[arg(short, long, value_name = "N", conflicts_with = "site", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) jobs: Option<u32>,
}

/// Which tasks, and what earlier results are worth.
#[derive(Args, Debug)]
pub(crate) struct TaskChoice {
    /// Only these tasks or files, with all they need; default: all tasks
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Run every task again, whether something changed or not
    #[arg(long)]
    pub(crate) fresh: bool,
}

/// Which run.
#[derive(Args, Debug)]
pub(crate) struct RunChoice {
    /// The run, or the beginning of its name; default: the latest
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
}

/// Which project.
#[derive(Args, Clone, Debug)]
pub(crate) struct ProjectChoice {
    /// The folder of the workflow file; default: the project around or below the current folder
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
}

/// How to follow a run that is being driven.
#[derive(Args, Debug)]
pub(crate) struct Watching {
    /// Write the report as one HTML file when the run has ended
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Print every event as a line of JSON
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) json: bool,
    /// Say nothing while it runs
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// How often this machine is measured meanwhile, for forecasts; 0 for never
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = age)]
    pub(crate) observe_every: spec::Duration,
}

/// `check`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard check workflow.yaml
  foreshard check workflow.yaml --site cluster.yaml    also whether every task fits somewhere
  foreshard check workflow.yaml --json                 for editors

Ends with 0 when there is no error, with 2 when there is one, and with 3 when a task fits no pool
of the site file.")]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) workflow: WorkflowChoice,
    #[command(flatten)]
    pub(crate) site: SiteChoice,
    /// Print the mistakes as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `run`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard run workflow.yaml                          all of it, on this machine
  foreshard run workflow.yaml -j 4                     with 4 cpus
  foreshard run workflow.yaml counts/a.txt             only what this file needs
  foreshard run workflow.yaml -p top=20 --html report.html
  foreshard run workflow.yaml --json > events.jsonl

Tasks whose command, inputs and environment are those of an earlier run are not run again.
Ctrl-C once lets running tasks finish and starts no more; twice stops them. Either way
`foreshard resume` goes on from there.")]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) workflow: WorkflowChoice,
    #[command(flatten)]
    pub(crate) tasks: TaskChoice,
    #[command(flatten)]
    pub(crate) site: SiteChoice,
    /// Start nothing new after the first task that fails for good
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Only say what would run, as `foreshard plan` does
    #[arg(short = 'n', long, conflicts_with_all = ["html", "quiet"])]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) watching: Watching,
}

/// `plan`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard plan workflow.yaml
  foreshard plan workflow.yaml top.txt       only what this file needs
  foreshard plan workflow.yaml --json")]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) workflow: WorkflowChoice,
    #[command(flatten)]
    pub(crate) tasks: TaskChoice,
    #[command(flatten)]
    pub(crate) site: SiteChoice,
    /// Print the plan as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a graph is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Markdown
    Mermaid,
    /// For Graphviz
    Dot,
    /// An image
    Svg,
}

/// What a graph has one node for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphNodes {
    /// Every task
    Task,
    /// Every entry under `tasks:`
    Template,
}

/// `graph`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard graph workflow.yaml                        Mermaid, for a README
  foreshard graph workflow.yaml --format svg > graph.svg
  foreshard graph workflow.yaml --format dot --by task | dot -Tpdf > graph.pdf")]
pub(crate) struct Graph {
    #[command(flatten)]
    pub(crate) workflow: WorkflowChoice,
    /// How to write it
    #[arg(long, value_enum, default_value = "mermaid")]
    pub(crate) format: GraphFormat,
    /// What gets a node; default: tasks, unless there are more than 200
    #[arg(long, value_enum)]
    pub(crate) by: Option<GraphNodes>,
}

/// `resume`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard resume                     the latest run of this project
  foreshard resume 20250601-12         another one, by the beginning of its name
  foreshard resume --retry-failed      try again what failed, with fresh retries

Tasks that went on while nobody was in charge are taken in; nothing that is done is run again.")]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) run: RunChoice,
    /// Try tasks that failed once more, and then what waited for them
    #[arg(long)]
    pub(crate) retry_failed: bool,
    #[command(flatten)]
    pub(crate) watching: Watching,
}

/// `cancel`.
#[derive(Args, Debug)]
pub(crate) struct Cancel {
    #[command(flatten)]
    pub(crate) run: RunChoice,
    /// Do not kill what runs: start nothing new and pause, as Ctrl-C does
    #[arg(long)]
    pub(crate) drain: bool,
}

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Workflow files
    Workflow,
    /// Site files
    Site,
    /// What `forecast show --json` prints, for each group of zones
    Forecast,
}

/// `schema`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard schema workflow > workflow.schema.json

and in the first line of a workflow, for editors with the YAML language server:
  # yaml-language-server: $schema=workflow.schema.json")]
pub(crate) struct Schema {
    /// Of which file
    #[arg(value_enum)]
    pub(crate) format: Format,
}

/// `site`.
#[derive(Args, Debug)]
pub(crate) struct Site {
    /// What to do with them.
    #[command(subcommand)]
    pub(crate) command: SiteCommand,
}

/// What to do with a site.
#[derive(Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// Print the places in force, with every default spelled out
    Show(SiteShow),
}

/// `site show`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard site show                        this machine
  foreshard site show cluster.yaml
  foreshard site show > site.yaml            something to start from")]
pub(crate) struct SiteShow {
    /// The site file; default: this machine
    #[arg(value_name = "FILE", conflicts_with = "site")]
    pub(crate) file: Option<PathBuf>,
    /// The same, as `run` takes it
    #[arg(long, value_name = "FILE")]
    pub(crate) site: Option<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `forecast`.
#[derive(Args, Debug)]
pub(crate) struct Forecast {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ForecastCommand,
}

/// What to do with forecasts.
#[derive(Debug, Subcommand)]
pub(crate) enum ForecastCommand {
    /// Say what will be free, where, with what probability, for how long
    Show(ForecastShow),
    /// Draw joint futures of all zones: which go together, how many there will be, what will be free
    Paths(ForecastPaths),
    /// Replay recorded availability and say how good forecasts of it would have been
    Backtest(ForecastBacktest),
}

/// `forecast backtest`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard forecast backtest traces                      every folder of traces below
  foreshard forecast backtest traces --emit f.jsonl       also each forecast, a line each
  foreshard forecast backtest traces --svg kept.svg       reliability diagrams: did 70 % come true
  foreshard forecast backtest traces --json
  foreshard forecast backtest --site site.yaml            this project, and what inputs are worth
  foreshard forecast backtest usage                       every column of the tables below

A trace is a JSON file of one zone, {\"metadata\": {\"gap_seconds\": 300}, \"data\": [1, 1, 0]}: how
many instances were up at each step, null where that is not known; or a CSV file of changes below
the heading `seconds,count`. The traces of a folder were sampled together. Its first 60 % is only
learned from; then every 15 minutes is forecast, sample by sample.

A table of amounts (cpu, memory, network, disk; used or free) has a column of times and one named
`value`, or a column for each series. Each is forecast by itself, its mean over each hour.

With a site file, hours by a zone's clock, calendars, feeds and runs that recur are inputs; the past
is replayed once more without each, and whether each helped is told.

A file that cannot be used is named, and the others are. If it was meant, it ends with 2.")]
pub(crate) struct ForecastBacktest {
    /// A folder of traces or tables, or one with such folders below it; default: the history of the project
    #[arg(value_name = "ROOT")]
    pub(crate) root: Option<PathBuf>,
    /// A site file: what it says is known ahead, and what each such input was worth
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub(crate) site: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
    /// Write every forecast of availability to this file, as a line of JSON each
    #[arg(long, value_name = "FILE")]
    pub(crate) emit: Option<PathBuf>,
    /// Write each forecast of how many instances a zone will have to this file, a JSON line each;
    /// only of folders in which one ever has more than one
    #[arg(long, value_name = "FILE")]
    pub(crate) emit_counts: Option<PathBuf>,
    /// Write reliability diagrams to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// How far the rows of tables without times are apart
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = age)]
    pub(crate) step: spec::Duration,
    /// Print the scores as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `journal`.
#[derive(Args, Debug)]
pub(crate) struct Journal {
    /// What to do with it.
    #[command(subcommand)]
    pub(crate) command: JournalCommand,
}

/// What to do with a journal.
#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// Check every byte of a run's journal
    Verify(JournalRun),
    /// Salvage what is whole of a damaged journal; the damaged files are kept aside
    Repair(JournalRun),
}

/// Of which run.
#[derive(Args, Debug)]
pub(crate) struct JournalRun {
    #[command(flatten)]
    pub(crate) run: RunChoice,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `completions`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard completions bash > ~/.local/share/bash-completion/completions/foreshard
  foreshard completions zsh > ~/.zfunc/_foreshard
  foreshard completions fish > ~/.config/fish/completions/foreshard.fish")]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// `man`.
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// Write a page for each command into this folder, instead of the main page to standard output
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// `shard-exec`.
#[derive(Args, Debug)]
pub(crate) struct ShardExec {
    /// The folder of the run
    #[arg(long)]
    pub(crate) run_dir: PathBuf,
    /// The folder of the project
    #[arg(long)]
    pub(crate) project: PathBuf,
    /// Which allocation it keeps
    #[arg(long)]
    pub(crate) allocation: u32,
    /// Of the orchestrator that started it
    #[arg(long)]
    pub(crate) epoch: u64,
    /// The most it may use, as JSON
    #[arg(long)]
    pub(crate) capacity: String,
    /// The ledger of the machine
    #[arg(long)]
    pub(crate) ledger: Option<PathBuf>,
}

/// `replay-task`: the words are read where recordings are known.
#[derive(Args, Debug)]
pub(crate) struct ReplayTask {
    /// What was recorded
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

fn age(text: &str) -> Result<spec::Duration, String> {
    text.parse().map_err(|error: spec::units::QuantityError| error.to_string())
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name is missing; write it as NAME=VALUE".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn no_line_below_the_options_is_wrapped_once_more() {
        let mut commands = vec![CommandLine::command()];
        while let Some(command) = commands.pop() {
            let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in below.lines() {
                assert!(line.chars().count() <= 100, "{}: {line}", command.get_name());
            }
            commands.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn a_parameter_may_hold_equals_signs() {
        assert_eq!(name_and_value("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(name_and_value("=b").is_err());
        assert!(name_and_value("b").is_err());
    }
}
