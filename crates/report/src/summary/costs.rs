//! What the capacity cost: time held, times price.

use std::collections::BTreeMap;

use serde::Serialize;
use spec::{Site, ZoneId};

use crate::quantity::Seconds;
use crate::timeline::{AllocationSpan, Timeline};

/// What the run cost, in the currency of the site's prices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// In all.
    pub total: f64,
    /// By zone, in the order of the site file.
    pub zones: Vec<ZoneCost>,
}

/// What one zone cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ZoneCost {
    /// Its name in the site file.
    pub zone: String,
    /// How long allocations were held, added up.
    pub held_seconds: Seconds,
    /// Time held times price.
    pub cost: f64,
}

impl Cost {
    /// None if the site has no prices.
    #[must_use]
    pub fn of(site: &Site, timeline: &Timeline) -> Option<Self> {
        let pools = site.zones.iter().flat_map(|zone| &zone.pools);
        if pools.into_iter().all(|pool| pool.price_per_hour == 0.0) {
            return None;
        }
        let mut by_zone: BTreeMap<ZoneId, ZoneCost> = BTreeMap::new();
        for span in timeline.allocations().values() {
            let Some(zone) = site.zones.get(span.zone.index()) else { continue };
            let row = by_zone.entry(span.zone).or_insert_with(|| ZoneCost {
                zone: zone.name.clone(),
                held_seconds: Seconds::default(),
                cost: 0.0,
            });
            let held = held(span, timeline);
            row.held_seconds.0 = row.held_seconds.0 + held;
            row.cost += held.as_secs_f64() / 3_600.0 * price_per_hour(site, span);
        }
        let zones: Vec<ZoneCost> = by_zone.into_values().collect();
        Some(Self { total: zones.iter().map(|zone| zone.cost).sum(), zones })
    }
}

/// Billed from when it is there to when it is gone, whether or not something runs.
fn held(span: &AllocationSpan, timeline: &Timeline) -> spec::Duration {
    let end = span.ended_at.unwrap_or(timeline.run().last_at);
    span.up_at.map_or(spec::Duration::ZERO, |up| end.since(up))
}

/// The allocation's share of the zone, by cpus, at the price of the whole zone.
fn price_per_hour(site: &Site, span: &AllocationSpan) -> f64 {
    let zone = site.zone(span.zone);
    let whole: f64 = zone.pools.iter().map(|p| p.price_per_hour * f64::from(p.count)).sum();
    let cpus = zone.capacity().cpus.0;
    if cpus == 0 { 0.0 } else { whole * f64::from(span.cpus_max().0) / f64::from(cpus) }
}
