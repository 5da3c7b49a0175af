//! The virtual site: zones with room and prices over time, and what lies between them.
//!
//! Knows nothing of tasks. A zone holds at most `available` allocations at a time, all alike;
//! when that number falls, the surplus is preempted, with notice where the zone gives one.

use std::collections::BTreeMap;

use spec::{Bytes, Duration, Resources, Site, Timestamp, ZoneId};

use crate::chance::Stream;
use crate::steps::Steps;

/// All places, and what lies between them.
#[derive(Clone, Debug)]
pub struct VirtualSite {
    /// By zone.
    pub zones: Vec<VirtualZone>,
    /// What moving data takes.
    pub links: Links,
    /// What messages and disks take.
    pub paces: Paces,
}

/// A place with one price and one fate over time.
#[derive(Clone, Debug)]
pub struct VirtualZone {
    /// As people call it.
    pub name: String,
    /// What one allocation has.
    pub node: Resources,
    /// How many allocations can be held.
    pub available: Steps<u32>,
    /// Money per hour of one allocation, from the begin of its launch to its end.
    pub price: Steps<f64>,
    /// From asking to being admitted, when there is room.
    pub wait: Delay,
    /// From being admitted to being up. Holds room and is billed.
    pub launch: Delay,
    /// How long an allocation lasts once it is up.
    pub walltime: Option<Duration>,
    /// How long before a preemption the allocation is told; it starts nothing new then.
    pub notice: Option<Duration>,
    /// Tasks run this many times as fast as their recorded or estimated runtimes.
    pub speed: f64,
    /// Whether a full zone says so at once; otherwise asking is to wait in line.
    pub refuses: bool,
    /// The probability that a task leaves wrong outputs here and nobody is told.
    pub corruption: f64,
}

/// A random span of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Delay {
    /// Always this.
    Fixed(Duration),
    /// Anything up to this, alike.
    UpTo(Duration),
    /// Lognormal.
    Lognormal {
        /// Half of them are shorter.
        median: Duration,
        /// Deviation of the logarithm.
        sigma: f64,
    },
}

impl Delay {
    /// No time at all.
    pub const NONE: Self = Self::Fixed(Duration::ZERO);

    pub(crate) fn draw(self, stream: &mut Stream) -> Duration {
        match self {
            Self::Fixed(span) => span,
            Self::UpTo(most) => stream.span(most),
            Self::Lognormal { median, sigma } => median.mul_f64(stream.lognormal(sigma)),
        }
    }

    /// The middle of what is usual.
    #[must_use]
    pub fn median(self) -> Duration {
        match self {
            Self::Fixed(span) | Self::Lognormal { median: span, .. } => span,
            Self::UpTo(most) => Duration(most.0 / 2),
        }
    }
}

/// What moving data between two zones takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Link {
    /// One way.
    pub latency: Duration,
    /// Bytes per second; none is without limit.
    pub bandwidth: Option<f64>,
    /// Money per gigabyte (10^9 bytes).
    pub price_per_gb: f64,
}

/// All links. Inside a zone, data need not move.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Links {
    /// Between zones that are not named.
    pub usual: Link,
    /// Between two zones, both ways; the lower number first.
    pub named: BTreeMap<(ZoneId, ZoneId), Link>,
    /// Whether all that moves over a link at a time shares its bandwidth, in equal parts.
    pub is_shared: bool,
}

impl Links {
    /// The link between two zones; none inside one.
    #[must_use]
    pub fn between(&self, a: ZoneId, b: ZoneId) -> Option<Link> {
        let pair = (a.min(b), a.max(b));
        (a != b).then(|| self.named.get(&pair).copied().unwrap_or(self.usual))
    }
}

impl Link {
    /// How long so many bytes take when nothing else moves.
    #[must_use]
    pub fn time(&self, bytes: Bytes) -> Duration {
        let seconds = self.bandwidth.map_or(0.0, |per_second| bytes.0 as f64 / per_second);
        self.latency + Duration::from_secs_f64(seconds)
    }

    /// What so many bytes cost.
    #[must_use]
    pub fn price(&self, bytes: Bytes) -> f64 {
        self.price_per_gb * bytes.0 as f64 / 1e9
    }
}

/// What messages and disks take. None of it, where experiments are about capacity alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paces {
    /// An order, until the keeper reads it.
    pub order: Delay,
    /// An observation, until the orchestrator takes it in.
    pub tell: Delay,
    /// From starting a process to its running.
    pub spawn: Delay,
    /// Checking, hashing and syncing outputs.
    pub commit: Delay,
    /// Giving outputs their final names.
    pub publish: Delay,
}

impl Paces {
    /// Everything at once.
    pub const NONE: Self = Self {
        order: Delay::NONE,
        tell: Delay::NONE,
        spawn: Delay::NONE,
        commit: Delay::NONE,
        publish: Delay::NONE,
    };
}

impl VirtualZone {
    /// A zone that is always there, with room for `count` allocations of `node`, at no price.
    #[must_use]
    pub fn steady(name: impl Into<String>, node: Resources, count: u32) -> Self {
        Self {
            name: name.into(),
            node,
            available: Steps::constant(count),
            price: Steps::constant(0.0),
            wait: Delay::NONE,
            launch: Delay::NONE,
            walltime: None,
            notice: None,
            speed: 1.0,
            refuses: false,
            corruption: 0.0,
        }
    }
}

impl VirtualSite {
    /// Zones without distance, and everything at once.
    #[must_use]
    pub fn of(zones: Vec<VirtualZone>) -> Self {
        Self { zones, links: Links::default(), paces: Paces::NONE }
    }

    /// The places of a site file: of each zone its first pool, with the launch delay, the notice
    /// and the price that the file gives, always there. Whoever has traces puts them in.
    #[must_use]
    pub fn from_site(site: &Site) -> Self {
        let zones = site.zones.iter().map(|zone| {
            let pool = zone.pools.first();
            let node = pool.map(|pool| pool.node.clone()).unwrap_or_default();
            let mut made = VirtualZone::steady(&zone.name, node, pool.map_or(0, |p| p.count));
            if let Some(pool) = pool {
                made.price = Steps::constant(pool.price_per_hour);
                made.launch = Delay::Fixed(pool.launch_delay);
                made.notice = pool.preemption_notice;
            }
            made
        });
        let mut made = Self::of(zones.collect());
        for link in &site.links {
            let pair = (link.from.min(link.to), link.from.max(link.to));
            let bandwidth = (link.bandwidth.0 > 0).then_some(link.bandwidth.0 as f64);
            let (latency, price_per_gb) = (link.latency, link.price_per_gb);
            made.links.named.insert(pair, Link { latency, bandwidth, price_per_gb });
        }
        made
    }

    pub(crate) fn zone(&self, zone: ZoneId) -> &VirtualZone {
        &self.zones[zone.index()]
    }
}

/// A time from the begin of 1970, which is where virtual runs begin unless they say otherwise.
#[must_use]
pub fn seconds(seconds: u64) -> Timestamp {
    Timestamp(0) + Duration::from_secs(seconds)
}
