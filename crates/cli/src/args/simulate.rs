//! What can be typed after `simulate`.

use std::path::PathBuf;

use clap::Args;
use spec::Duration;

use super::name_and_value;

/// `simulate`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard simulate workflow.yaml --site site.yaml
  foreshard simulate recorded.json --scale 10 --site site.yaml --deadline 6h --svg policies.svg
  foreshard simulate a.yaml b.yaml --site site.yaml --policy warm-pool,on-demand --starts starts.txt --json

Zones of the site with a `trace:` are there as it says; those without are always there.")]
pub(crate) struct Simulate {
    /// Workflows: YAML or JSON, or WfFormat documents
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Set a parameter; can be given several times
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) params: Vec<(String, String)>,
    /// The places to run in, with their traces
    #[arg(long, value_name = "FILE")]
    pub(crate) site: PathBuf,
    /// Policies to compare; differences are to the first one
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        default_value = "reactive,static-heft,warm-pool,on-demand"
    )]
    pub(crate) policy: Vec<String>,
    /// So many starts at random, or a file with one start per line, in seconds of the traces
    #[arg(long, value_name = "N|FILE", default_value = "50")]
    pub(crate) starts: String,
    /// Where chance comes from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// When each run must be done, such as `6h`
    #[arg(long, value_name = "SPAN")]
    pub(crate) deadline: Option<Duration>,
    /// Times and file sizes of a recorded workflow multiplied by this
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(crate) scale: f64,
    /// How far runtimes are from estimates: the deviation of their logarithm
    #[arg(long, value_name = "SIGMA", default_value_t = 0.0)]
    pub(crate) error: f64,
    /// Print everything as JSON, with each run
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a picture: cost and makespan of all policies, and one run of each
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}
