//! What can be asked of joint futures.

use clap::Args;

use super::ForecastFrom;

/// `forecast paths`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard forecast paths traces                 of every folder of traces below, in short
  foreshard forecast paths --site site.yaml       of what was measured of this project's zones
  foreshard forecast paths traces -n 200 --json   200 futures, a line for each future and zone
  foreshard forecast paths traces --seed 2        others

A joint future is one way in which all zones could go on: when each is up and down, and, where it
was measured, how much cpu, memory and network is free in it. Counted over many, futures say what
`forecast show` says of each zone; besides, they have zones up and down together as these were.
So a plan can be played against each, and it shows how often all is lost at once. The same seed
gives the same futures.")]
pub(crate) struct ForecastPaths {
    #[command(flatten)]
    pub(crate) from: ForecastFrom,
    /// How many futures
    #[arg(short = 'n', value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) number: u32,
    /// Print all of them as lines of JSON
    #[arg(long)]
    pub(crate) json: bool,
}
