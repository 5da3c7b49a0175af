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
  foreshard simulate --regimes bench/regimes.json --data DIR --out found
  foreshard simulate a.yaml b.yaml --copies 5 --site site.yaml --policy warm-pool,on-demand --json

Zones of the site with a `trace:` are there as it says; those without are always there.
Policies are reactive, reactive-nodes, static-heft, warm-pool, wary-pool and on-demand; for one task
with a deadline also greedy, time-sliced, uniform-progress and omniscient.")]
pub(crate) struct Simulate {
    /// Workflows: YAML or JSON, or WfFormat documents; each is compared on its own
    #[arg(value_name = "FILE", required_unless_present = "regimes")]
    pub(crate) files: Vec<PathBuf>,
    /// Set a parameter; can be given several times
    #[arg(short, long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) params: Vec<(String, String)>,
    /// The places to run in, with their traces
    #[arg(long, value_name = "FILE", required_unless_present = "regimes")]
    pub(crate) site: Option<PathBuf>,
    /// Play many comparisons under stated conditions, and map what is won where
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "site", "deadline", "svg"])]
    pub(crate) regimes: Option<PathBuf>,
    /// Only regimes with this in their name; can be given several times
    #[arg(long, value_name = "NAME", requires = "regimes")]
    pub(crate) only: Vec<String>,
    /// Map what this policy gains, or the `strongest` spot policy of each cell
    #[arg(long, value_name = "POLICY", requires = "regimes")]
    pub(crate) contender: Option<String>,
    /// Map gains over this policy
    #[arg(long, value_name = "POLICY", requires = "regimes")]
    pub(crate) reference: Option<String>,
    /// Write the maps, all figures and a picture of each comparison into a folder
    #[arg(long, value_name = "DIR", requires = "regimes")]
    pub(crate) out: Option<PathBuf>,
    /// Where traces are looked for that are not beside the site file [default: $FORESHARD_DATA]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Run all workflows together, as one
    #[arg(long)]
    pub(crate) together: bool,
    /// Run so many of each workflow together
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) copies: usize,
    /// Policies to compare; differences are to the first one [default: all that apply]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) policy: Vec<String>,
    /// So many starts at random, or a file with one start per line, in seconds of the traces [default: 50]
    #[arg(long, value_name = "N|FILE")]
    pub(crate) starts: Option<String>,
    /// Where chance comes from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// When each run must be done, such as `6h`
    #[arg(long, value_name = "SPAN")]
    pub(crate) deadline: Option<Duration>,
    /// Times of all tasks multiplied by this; sizes of files stay
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(crate) factor: f64,
    /// Times and file sizes of a recorded workflow multiplied by this
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    pub(crate) scale: f64,
    /// How far runtimes are from estimates: the deviation of their logarithm
    #[arg(long, value_name = "SIGMA", default_value_t = 0.0)]
    pub(crate) error: f64,
    /// How many threads; the figures do not depend on it [default: as many as there are cpus]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Print everything as JSON, with each run
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a picture: cost and makespan of all policies, and one run of each
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}
