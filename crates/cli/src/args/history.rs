//! What can be typed about measurements.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use forecast::recording::Measure;
use spec::{Bytes, Duration, Timestamp};

use super::{ProjectChoice, age};

/// `history`.
#[derive(Args, Debug)]
pub(crate) struct History {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: HistoryCommand,
}

/// What to do with measurements.
#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// Take in measurements from files or from Prometheus; taking them in again changes nothing
    Import(HistoryImport),
    /// List the series that are kept, or plot one
    Show(HistoryShow),
    /// Write measurements so that `history import` can read them
    Export(HistoryExport),
    /// Forget measurements
    Prune(HistoryPrune),
}

/// Which series.
#[derive(Args, Clone, Debug)]
pub(crate) struct SeriesChoice {
    /// Only of this zone
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<String>,
    /// Only of this measure
    #[arg(long, value_name = "MEASURE", value_parser = measure)]
    pub(crate) measure: Option<Measure>,
}

/// `history import`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard history import cpu.csv --zone local --measure cpu --unit percent
  foreshard history import zones.csv --measure up           a column for each zone
  foreshard history import spot/*.json --start 2026-01-31   traces, which do not say when they began
  foreshard history import --prometheus http://localhost:9090 --zone local --measure network_in \\
      --query 'sum(node_network_receive_bytes_total{device!=\"lo\"})' --from 7d --step 1m
  foreshard history import --prometheus http://prometheus:9090 --zone-label instance --measure cpu \\
      --query '1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[2m]))'
  foreshard history import --prometheus http://prometheus:9090 --zone-label instance \\
      --measure memory_capacity --query node_memory_MemTotal_bytes

Files are CSV with a heading, a JSON object to a line, or traces:
  time,value                        one series; --zone and --measure say which
  time,north,south                  zones with --measure, measures with --zone, or zone:measure
  time,zone,measure,unit,value      what `history export` writes; also as JSON lines
  time,value,cpus,memory,walltime   waits, with what had been asked for: 64, 256GiB, 1-12:00:00

Measures are up, count, cpu, memory, network_in, network_out, disk_read, disk_write, disk, wait,
price, memory_capacity, network_capacity, and names of your own. Counters that only grow become
rates. Nothing is taken in when a file holds a mistake. Ends with 2 then, and with 7 when a server
cannot be reached.")]
pub(crate) struct HistoryImport {
    /// CSV, JSON lines or traces; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "prometheus")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) series: SeriesChoice,
    /// The unit of the values, such as percent, MiB or Mbit/s; default: that of the measure
    #[arg(long, value_name = "UNIT")]
    pub(crate) unit: Option<String>,
    /// How much of it there is in all, for `memory` and `network_in` or `network_out`, as in 64GiB: what
    /// is free is the rest; default: what was measured as `memory_capacity` or `network_capacity`
    #[arg(long, value_name = "SIZE")]
    pub(crate) capacity: Option<Bytes>,
    /// When files begin that have no times
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) start: Option<Timestamp>,
    /// How far apart samples are: of files without times, and of Prometheus; default there: 1m
    #[arg(long, value_name = "SPAN", value_parser = age)]
    pub(crate) step: Option<Duration>,
    /// Values are totals, of which the change per second counts
    #[arg(long, conflicts_with = "gauge")]
    pub(crate) counter: bool,
    /// Values are no totals, even if they only grow
    #[arg(long)]
    pub(crate) gauge: bool,
    #[command(flatten)]
    pub(crate) asked: PrometheusChoice,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
    /// Print what was taken in as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What Prometheus is asked.
#[derive(Args, Debug)]
pub(crate) struct PrometheusChoice {
    /// Ask this server
    #[arg(
        long,
        value_name = "URL",
        requires = "query",
        requires = "measure",
        conflicts_with = "files"
    )]
    pub(crate) prometheus: Option<String>,
    /// What to ask, in PromQL
    #[arg(long, value_name = "EXPR", requires = "prometheus")]
    pub(crate) query: Option<String>,
    /// The label that names the zone, where the answer holds several series
    #[arg(long, value_name = "LABEL", requires = "prometheus", conflicts_with = "zone")]
    pub(crate) zone_label: Option<String>,
    /// From when on: a time, or how long ago, such as 7d
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = moment)]
    pub(crate) from: Timestamp,
    /// Until when; default: now
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) to: Option<Timestamp>,
    /// A file with headers to send, one to a line, such as `Authorization: Bearer …`
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub(crate) header_file: Option<PathBuf>,
    /// How long to wait for each answer
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = age)]
    pub(crate) timeout: Duration,
}

/// `history show`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard history show                              every series: span, gaps, unit, source
  foreshard history show --zone local --measure cpu   a plot of one
  foreshard history show --json")]
pub(crate) struct HistoryShow {
    #[command(flatten)]
    pub(crate) series: SeriesChoice,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
    /// Print the list as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How measurements are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HistoryFormat {
    /// A table
    Csv,
    /// A JSON object to a line
    Jsonl,
}

/// `history export`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard history export > measurements.csv
  foreshard history export --zone local --from 30d --format jsonl -o local.jsonl")]
pub(crate) struct HistoryExport {
    #[command(flatten)]
    pub(crate) series: SeriesChoice,
    /// From when on: a time, or how long ago, such as 7d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) from: Option<Timestamp>,
    /// Before when
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) to: Option<Timestamp>,
    /// How to write them
    #[arg(long, value_enum, default_value = "csv")]
    pub(crate) format: HistoryFormat,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
}

/// `history prune`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard history prune --before 365d             what is older than a year
  foreshard history prune --zone old-cluster        a zone that is no more
  foreshard history prune --all

The past grows thinner by itself: after 7 days a sample for each 5 minutes stays, after 90 days one
for each hour, after two years none.")]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["zone", "measure", "before", "all"]))]
pub(crate) struct HistoryPrune {
    #[command(flatten)]
    pub(crate) series: SeriesChoice,
    /// Only what is older: a time, or how long ago, such as 90d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) before: Option<Timestamp>,
    /// Everything
    #[arg(long, conflicts_with_all = ["zone", "measure", "before"])]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
}

/// `observe`.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  foreshard observe                        until Ctrl-C, every 30 seconds
  foreshard observe --once                 measure for a second, print and keep it
  foreshard observe --systemd > ~/.config/systemd/user/foreshard-observe.service

Measured are the share of cpus in use, memory, network, disks and space in use, from /proc.
`foreshard run` does the same while it runs. `foreshard history show` shows what came of it.")]
pub(crate) struct Observe {
    /// How often
    #[arg(long, value_name = "SPAN", default_value = "30s", value_parser = interval)]
    pub(crate) every: Duration,
    /// The zone that this machine is
    #[arg(long, value_name = "ZONE", default_value = "local")]
    pub(crate) zone: String,
    /// Measure for a second, print what was measured, and end
    #[arg(long, conflicts_with_all = ["systemd", "every"])]
    pub(crate) once: bool,
    /// Print a unit with which systemd does this from now on
    #[arg(long)]
    pub(crate) systemd: bool,
    #[command(flatten)]
    pub(crate) project: ProjectChoice,
}

fn measure(text: &str) -> Result<Measure, String> {
    text.parse().map_err(|error: forecast::recording::NotAMeasure| error.to_string())
}

/// A time, or how long ago.
fn moment(text: &str) -> Result<Timestamp, String> {
    let time = observe::time::parse(text);
    time.or_else(|error| {
        let ago: Duration = text.parse().map_err(|_| error)?;
        Ok(Timestamp(
            observe::time::now().0.saturating_sub(i64::try_from(ago.0).unwrap_or(i64::MAX)),
        ))
    })
    .map_err(|error: observe::time::NotATime| format!("{error}, or how long ago, as in 7d"))
}

fn interval(text: &str) -> Result<Duration, String> {
    let every = age(text)?;
    let is_fit = every >= Duration::from_secs(1) && every <= Duration::from_secs(86_400);
    is_fit.then_some(every).ok_or_else(|| "it must be from 1s to 24h".to_owned())
}
