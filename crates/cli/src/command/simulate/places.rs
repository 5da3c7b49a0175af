//! The virtual places of a site file, with their traces read.

use std::path::{Path, PathBuf};

use sim::trace::{Daily, Outages, Runs, Trace};
use sim::{Steps, VirtualSite};
use spec::site::{Generated, GeneratedKind, TraceSource};
use spec::{Duration, Site, Timestamp};

use crate::failure::Failure;
use crate::workflow::unreadable;

/// How often a trace is played, so that a run may end after it.
const ROUNDS: u32 = 4;
/// How long starts are spread over where nothing is traced.
const UNTRACED: Duration = Duration::from_secs(30 * 86_400);

/// Where files are that a site or a list of regimes names.
#[derive(Clone, Debug)]
pub(super) struct Folders {
    beside: PathBuf,
    data: Option<PathBuf>,
}

/// What says where data is that no project brings along.
const DATA: &str = "FORESHARD_DATA";

impl Folders {
    /// Beside the file that names them, else where data is: as said, or as the environment says.
    pub(super) fn new(beside: &Path, data: Option<&Path>) -> Self {
        let said = || std::env::var_os(DATA).filter(|said| !said.is_empty()).map(PathBuf::from);
        Self { beside: beside.to_owned(), data: data.map(Path::to_owned).or_else(said) }
    }

    /// The same, but beside another file first.
    pub(super) fn below(&self, path: &Path) -> Self {
        let beside = path.parent().unwrap_or(Path::new("")).to_owned();
        Self { beside, data: self.data.clone() }
    }

    /// The file of this name; the one beside where there is none.
    pub(super) fn find(&self, name: &str) -> PathBuf {
        let beside = self.beside.join(name);
        let elsewhere = self.data.as_ref().map(|data| data.join(name));
        elsewhere.filter(|found| !beside.exists() && found.exists()).unwrap_or(beside)
    }

    /// What to do when a file is missing.
    pub(super) fn hint(&self) -> String {
        match &self.data {
            Some(data) => format!("it is neither there nor below {}", data.display()),
            None => format!("--data DIR, or {DATA}, says where else to look"),
        }
    }
}

/// Virtual places.
pub(super) struct Places {
    /// With the capacity and the prices of traces.
    pub(super) site: VirtualSite,
    /// By zone: whether it has no trace, and so is never taken away.
    pub(super) is_safe: Vec<bool>,
    /// How long the shortest trace is.
    pub(super) traced: Duration,
}

impl Places {
    /// Reads the traces that a site names.
    ///
    /// # Errors
    /// A trace cannot be read, or is none.
    pub(super) fn read(site: &Site, folders: &Folders) -> Result<Self, Failure> {
        let mut virtual_site = VirtualSite::from_site(site);
        let mut traced: Option<Duration> = None;
        let traces = traces(site, folders)?;
        let zones = site.zones.iter().zip(&mut virtual_site.zones).zip(traces);
        for ((zone, made), trace) in zones {
            let Some(trace) = trace else { continue };
            let count = zone.pools.first().map_or(1, |pool| pool.count.max(1));
            made.available = trace.available(Timestamp(0), count, ROUNDS);
            made.price = trace.price(Timestamp(0), ROUNDS).unwrap_or_else(|| {
                Steps::constant(zone.pools.first().map_or(0.0, |pool| pool.price_per_hour))
            });
            traced = traced.into_iter().chain([trace.length]).min();
        }
        let is_safe = site.zones.iter().map(|zone| zone.trace.is_none()).collect();
        Ok(Self { site: virtual_site, is_safe, traced: traced.unwrap_or(UNTRACED) })
    }
}

/// By zone: its availability, read or made, without what outages of its region take.
fn traces(site: &Site, folders: &Folders) -> Result<Vec<Option<Trace>>, Failure> {
    let of = |(number, zone): (u64, &spec::site::Zone)| match &zone.trace {
        Some(TraceSource::File(name)) => read(name, folders).map(Some),
        Some(TraceSource::Generated(made)) => Ok(Some(generate(made, number))),
        None => Ok(None),
    };
    let traces: Result<Vec<Option<Trace>>, Failure> = (0..).zip(&site.zones).map(of).collect();
    let mut traces = traces?;
    for (number, outages) in (0..).zip(&site.outages) {
        let is_there = |zone: usize| site.zones[zone].location.region == outages.region;
        let (mut hit, mut of_region) = (Vec::new(), Vec::new());
        for (zone, trace) in traces.iter_mut().enumerate() {
            if let Some(trace) = trace.take_if(|_| is_there(zone)) {
                hit.push(zone);
                of_region.push(trace);
            }
        }
        let (mean_between, mean_length, tail) = (outages.every, outages.lasts, outages.tail);
        let made = Outages { mean_between, mean_length, tail };
        made.strike(&mut of_region, outages.seed, number);
        for (zone, trace) in hit.into_iter().zip(of_region) {
            traces[zone] = Some(trace);
        }
    }
    Ok(traces)
}

/// Zones with the same seed differ by their numbers.
fn generate(Generated { kind, seed, length }: &Generated, zone: u64) -> Trace {
    match *kind {
        GeneratedKind::Runs { up, down, tail } => {
            Runs { count: 1, mean_up: up, mean_down: down, tail }.generate(*length, *seed, zone)
        }
        GeneratedKind::Daily { most, least, busiest, noise } => {
            Daily { most, least, busiest, noise }.generate(*length, *seed, zone)
        }
    }
}

fn read(name: &str, folders: &Folders) -> Result<Trace, Failure> {
    let path = folders.find(name);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| unreadable(&path, &error).hint(folders.hint()))?;
    Trace::parse(&text).map_err(|error| {
        Failure::invalid(format!("{} is no trace", path.display())).cause(error.to_string())
    })
}
