//! What can be asked of how much tasks take.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use spec::Bytes;

use super::{ProjectChoice, name_and_value};

/// `demand`.
#[derive(Args, Debug)]
pub(crate) struct Demand {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: DemandCommand,
}

/// What to do with what is known of tasks.
#[derive(Debug, Subcommand)]
pub(crate) enum DemandCommand {
    /// Say how long tasks take, how much memory, and how much they write
    Show(DemandShow),
    /// Learn from recorded executions in WfFormat
    Import(DemandImport),
}

/// `demand show`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard demand show                           everything that earlier runs say
  foreshard demand show workflow.yaml             only this workflow, estimates included
  foreshard demand show --input-size 20GiB align  what tasks of `align` take with that much input

Each row is learned from attempts that succeeded. `BY INPUT` says how the amount goes with the size
of the inputs; it is used only where it would have forecast the past better. `80 % HELD` says how
many past attempts lay where 80 % of them should have, each forecast from those before it.")]
pub(crate) struct DemandShow {
    /// A workflow file, or names of templates
    #[arg(value_name = "FILE|TEMPLATE")]
    pub(crate) wanted: Vec<String>,
    /// For inputs of this size, such as 500MiB; default: as they came
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) input_size: Option<Bytes>,
    /// Set a parameter of the workflow; can be given several times
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) params: Vec<(String, String)>,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `demand import`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard demand import last-year/*.json   what those executions took

Importing again changes nothing.")]
pub(crate) struct DemandImport {
    /// Recorded executions in WfFormat 1.3 to 1.6
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
}

fn size(text: &str) -> Result<Bytes, String> {
    text.parse().map_err(|_| "it must be a size such as 500MiB or 20GB".to_owned())
}
