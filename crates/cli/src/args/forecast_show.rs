//! What can be asked of forecasts.

use std::path::PathBuf;

use clap::Args;
use forecast::wait::Asked;
use spec::{Bytes, Duration};

use super::ForecastFrom;

/// `forecast show`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard forecast show                            this project's zones, as they were measured
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
    #[command(flatten)]
    pub(crate) from: ForecastFrom,
    /// Show only this zone; it still learns from the others. Can be given several times
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Vec<String>,
    /// How long it takes from asking to running is told for so many cpus; default: for any request
    #[arg(long, value_name = "N", conflicts_with = "root", value_parser = cpus)]
    pub(crate) cpus: Option<f64>,
    /// The same for so much memory
    #[arg(long, value_name = "SIZE", conflicts_with = "root")]
    pub(crate) memory: Option<Bytes>,
    /// The same for so long a time of use
    #[arg(long, value_name = "SPAN", conflicts_with = "root")]
    pub(crate) walltime: Option<Duration>,
    /// Write charts to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
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
