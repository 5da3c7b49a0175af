//! What can be asked of forecasts.

use std::path::PathBuf;

use clap::Args;
use forecast::wait::Asked;
use spec::{Bytes, Duration};

use super::ProjectChoice;

/// `forecast show`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard forecast show                            what was measured of this project's zones, and what follows
  foreshard forecast show traces                     every folder of traces below
  foreshard forecast show traces --at 20d            as if 20 days of them were known, and no more
  foreshard forecast show --zone desk --svg out.svg  fan charts, as a picture
  foreshard forecast show --site site.yaml --without runs
  foreshard forecast show --cpus 64 --memory 256GiB --walltime 12h   how long so much is waited for
  foreshard forecast show --json                     `foreshard schema forecast` describes it

`up in` is the chance that a zone can start and keep work at that moment, `stays up for` that a zone
which is up now is so all the time until then. The models, what they learned from and how good they
have been stand below; `forecast backtest` says more.")]
pub(crate) struct ForecastShow {
    /// A folder of traces, or one with such folders below it; default: the history of the project
    #[arg(value_name = "ROOT")]
    pub(crate) root: Option<PathBuf>,
    /// Show only this zone; it still learns from the others. Can be given several times
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Vec<String>,
    /// How far ahead, from 5min to 24h
    #[arg(long, value_name = "SPAN", default_value = "24h")]
    pub(crate) horizon: Duration,
    /// Forecast from here: a moment, or for traces the time since they begin; what came later stays unknown
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// A site file: its calendars, feeds and time zones are known ahead, too, and so are runs that recur
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub(crate) site: Option<PathBuf>,
    /// Leave out an input: clock, runs, or a calendar or feed by its name. Can be given several times
    #[arg(long, value_name = "INPUT", requires = "site")]
    pub(crate) without: Vec<String>,
    /// How long it takes from asking to running is told for so many cpus; default: for any request
    #[arg(long, value_name = "N", conflicts_with = "root", value_parser = cpus)]
    pub(crate) cpus: Option<f64>,
    /// The same for so much memory
    #[arg(long, value_name = "SIZE", conflicts_with = "root")]
    pub(crate) memory: Option<Bytes>,
    /// The same for so long a time of use
    #[arg(long, value_name = "SPAN", conflicts_with = "root")]
    pub(crate) walltime: Option<Duration>,
    /// The seed of the joint futures
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write charts to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl ForecastShow {
    /// Whose wait is forecast.
    pub(crate) fn asked(&self) -> Asked {
        Asked {
            cpus: self.cpus,
            memory: self.memory.map(|memory| memory.0 as f64),
            walltime: self.walltime.map(Duration::as_secs_f64),
        }
    }
}

fn cpus(text: &str) -> Result<f64, String> {
    let cpus = text.parse().ok().filter(|cpus: &f64| cpus.is_finite() && *cpus > 0.0);
    cpus.ok_or_else(|| "write a number of cpus, as in 4 or 0.5".to_owned())
}
