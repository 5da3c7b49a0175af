//! What a forecast is made from.

use std::path::PathBuf;

use clap::Args;
use spec::Duration;

use super::ProjectChoice;

/// The past of some zones, and what is known ahead of them.
#[derive(Args, Debug)]
pub(crate) struct ForecastFrom {
    /// A folder of traces, or one with such folders below it; default: the history of the project
    #[arg(value_name = "ROOT")]
    pub(crate) root: Option<PathBuf>,
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
    #[arg(long, value_name = "INPUT", requires = "site", conflicts_with = "root")]
    pub(crate) without: Vec<String>,
    /// The seed of the joint futures
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
}
