//! The virtual places of a site file, with their traces read.

use std::path::Path;

use sim::trace::Trace;
use sim::{Steps, VirtualSite};
use spec::{Duration, Site, Timestamp};

use crate::failure::Failure;
use crate::workflow::unreadable;

/// How often a trace is played, so that a run may end after it.
const ROUNDS: u32 = 4;
/// How long starts are spread over where nothing is traced.
const UNTRACED: Duration = Duration::from_secs(30 * 86_400);

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
    /// Traces are looked for beside the site file, in `folder`.
    ///
    /// # Errors
    /// A trace cannot be read, or is none.
    pub(super) fn read(site: &Site, folder: &Path) -> Result<Self, Failure> {
        let mut virtual_site = VirtualSite::from_site(site);
        let mut traced: Option<Duration> = None;
        for (zone, made) in site.zones.iter().zip(&mut virtual_site.zones) {
            let Some(name) = &zone.trace else { continue };
            let trace = read(&folder.join(name))?;
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

fn read(path: &Path) -> Result<Trace, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    Trace::parse(&text).map_err(|error| {
        Failure::invalid(format!("{} is no trace", path.display())).cause(error.to_string())
    })
}
