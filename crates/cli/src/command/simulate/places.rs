//! The virtual places of a site file, with their traces read.

use std::path::{Path, PathBuf};

use sim::trace::Trace;
use sim::{Steps, VirtualSite};
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
        for (zone, made) in site.zones.iter().zip(&mut virtual_site.zones) {
            let Some(name) = &zone.trace else { continue };
            let trace = read(name, folders)?;
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

fn read(name: &str, folders: &Folders) -> Result<Trace, Failure> {
    let path = folders.find(name);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| unreadable(&path, &error).hint(folders.hint()))?;
    Trace::parse(&text).map_err(|error| {
        Failure::invalid(format!("{} is no trace", path.display())).cause(error.to_string())
    })
}
