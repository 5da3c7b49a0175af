//! What can be asked of runs that are over or still going on.

use std::path::PathBuf;

use clap::Args;

use super::{ProjectChoice, RunChoice, age, name_and_value};

/// `runs`.
#[derive(Args, Debug)]
pub(crate) struct Runs {
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
    /// How many, latest first; 0 for all
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    /// Print the list as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `status`.
#[derive(Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) run: RunChoice,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `logs`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard logs                       the tasks that failed in the latest run
  foreshard logs --failed --tail 5     the last lines of each of them
  foreshard logs 'align[a]'            one task
  foreshard logs align                 all tasks of `align`
  foreshard logs -f 'align[a]'         follow it while it runs
  foreshard logs --stderr --tail 20 'align[a]'
  foreshard logs --command 'align[a]'  what it was told to run, as a script")]
pub(crate) struct Logs {
    /// Tasks, or whole entries under `tasks:`; default: those that failed
    #[arg(value_name = "TASK")]
    pub(crate) tasks: Vec<String>,
    /// The run, or the beginning of its name; default: the latest
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
    /// Go on printing what is added, until the tasks have ended
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Only tasks that failed, or failed and are tried again; 20 lines of each unless told otherwise
    #[arg(long, conflicts_with = "follow")]
    pub(crate) failed: bool,
    /// Only standard output
    #[arg(long, conflicts_with = "stderr")]
    pub(crate) stdout: bool,
    /// Only standard error
    #[arg(long)]
    pub(crate) stderr: bool,
    /// Which try; default: the latest
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) attempt: Option<u32>,
    /// Only the last lines
    #[arg(short = 'n', long, visible_alias = "tail", value_name = "N")]
    pub(crate) lines: Option<usize>,
    /// Print where the logs lie instead of what is in them
    #[arg(long, conflicts_with_all = ["follow", "lines"])]
    pub(crate) path: bool,
    /// Print what was run instead: the exact command and what was set for it, as a script
    #[arg(long, conflicts_with_all = ["follow", "lines", "path", "stdout", "stderr"])]
    pub(crate) command: bool,
    /// Print all of it as JSON: what was run, with what, and what it printed
    #[arg(long, conflicts_with_all = ["follow", "path", "command"])]
    pub(crate) json: bool,
}

/// `why`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard why 'align[a]'                       in the latest run
  foreshard why align --run 20250601-12          all tasks of `align`, in another one
  foreshard why 'align[a]' --plan workflow.yaml  what would become of it in a run now
  foreshard why 'align[a]' --json")]
pub(crate) struct Why {
    /// A task, or a whole entry under `tasks:`
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
    /// The run, or the beginning of its name; default: the latest
    #[arg(long, value_name = "RUN", conflicts_with = "plan")]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
    /// Say what would become of it if this workflow were run now
    #[arg(long, value_name = "FILE", conflicts_with = "project")]
    pub(crate) plan: Option<PathBuf>,
    /// With `--plan`: set a parameter; can be given several times
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = name_and_value, requires = "plan")]
    pub(crate) params: Vec<(String, String)>,
    /// With `--plan`: the places to run in; default: this machine
    #[arg(long, value_name = "FILE", requires = "plan")]
    pub(crate) site: Option<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `report`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard report                     the latest run of this project
  foreshard report --html report.html  one file with a timeline, for a browser
  foreshard report --json | jq .makespan_seconds")]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) run: RunChoice,
    /// Write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `export`.
#[derive(Args, Debug)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) run: RunChoice,
    /// Write it to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `diff`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard diff                              the last run and the one before
  foreshard diff 20250601-12                  that one and the last
  foreshard diff 20250601-12 20250603-09
  foreshard diff --json | jq '.changed[].task'

Compares the workflow, its parameters and places, and task by task what was run, read and made.
Ends with 0 when nothing of it differs and with 1 when something does; times never count.")]
pub(crate) struct Diff {
    /// Two runs, or the beginnings of their names; default: the last two
    #[arg(value_name = "RUN", num_args = 0..=2)]
    pub(crate) runs: Vec<String>,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `clean`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard clean                         folders of attempts that came to nothing
  foreshard clean --older-than 30d        and runs that ended 30 days ago or earlier
  foreshard clean --keep 5 --dry-run      say what would go if only the last 5 runs stayed
  foreshard clean 20250601-12             one run, by the beginning of its name

Published outputs are never touched, and what they save the next run from stays known. Runs that
are going on stay; so do those that can be resumed, unless one is named with `--force`.")]
pub(crate) struct Clean {
    /// These runs, by the beginnings of their names
    #[arg(value_name = "RUN", conflicts_with_all = ["older_than", "keep"])]
    pub(crate) runs: Vec<String>,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
    /// Runs that were last active so long ago, such as 12h or 30d
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<spec::Duration>,
    /// All but the latest N runs
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<usize>,
    /// Also a run that was interrupted and could be resumed
    #[arg(long, requires = "runs")]
    pub(crate) force: bool,
    /// Only say what would go
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
