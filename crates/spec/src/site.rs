//! The Resource Pool: zones and pools, with their location, price and failure domains.

mod ahead;
mod trace;

use serde::{Deserialize, Serialize};

use crate::assemble::compile_glob;
use crate::id::ZoneId;
use crate::resources::Resources;
use crate::units::{Bytes, Duration};

pub use ahead::{Calendar, CalendarKind, Feed};
pub use trace::{Generated, GeneratedKind, Outages, TraceSource};

/// All places a run may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// In the order of the file; [`ZoneId`] is the position.
    pub zones: Vec<Zone>,
    /// Between zones; a pair that is not listed is reached at no cost.
    pub links: Vec<Link>,
    /// Which weights the dispatcher uses.
    pub policy: Policy,
    /// When whole regions are gone, for simulation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outages>,
    /// Events that are known ahead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calendars: Vec<Calendar>,
    /// External series.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<Feed>,
}

/// A place with one price and one fate over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Zone {
    /// The key under `zones:`.
    pub name: String,
    /// What carries out work here.
    pub backend: Backend,
    /// Region and zone, as the provider calls them.
    pub location: Location,
    /// What its machines may be lost or wrong together by.
    pub domains: Domains,
    /// The name of the time zone of the clock on its wall; none for UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Like resources, in the order of the file.
    pub pools: Vec<Pool>,
    /// Recorded or made availability, for simulation.
    pub trace: Option<TraceSource>,
    /// Words around every command of this zone; see [`wrap`](crate::wrap).
    pub wrap: Vec<String>,
    /// Which images commands can run in, and how, in the order of the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageRule>,
}

/// How commands run in the images of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRule {
    /// A pattern of images as workflows name them.
    pub pattern: String,
    /// Words around the command, inside those of the zone.
    pub wrap: Vec<String>,
    /// A command line that prints what `{image}` stands for from then on, such as its digest.
    pub resolve: Vec<String>,
}

/// What carries out work in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// A slice of this machine.
    Local,
    /// A Slurm cluster.
    Slurm,
}

/// Region and zone, as the provider calls them; empty when it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Location {
    /// Such as `us-east-1`.
    pub region: String,
    /// Such as `us-east-1b`.
    pub zone: String,
}

/// Failure domains; two places are apart when no level that both name is the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Domains {
    /// One physical machine.
    pub host: String,
    /// One rack or power feed.
    pub rack: String,
    /// One region.
    pub region: String,
    /// One image or software build.
    pub image: String,
}

/// Like resources inside a zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// The key under `pools:`.
    pub name: String,
    /// What one node has.
    pub node: Resources,
    /// How many nodes are there.
    pub count: u32,
    /// Up to how many nodes `provision` may grow the pool.
    pub max_nodes: u32,
    /// Money per hour of one node.
    pub price_per_hour: f64,
    /// From asking for capacity to having it; paid once per allocation.
    pub launch_delay: Duration,
    /// How long before a preemption the place says so, if it does.
    pub preemption_notice: Option<Duration>,
    /// A command line that adds nodes.
    pub provision: Vec<String>,
}

/// What moving data between two zones takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// From here.
    pub from: ZoneId,
    /// To there, and back.
    pub to: ZoneId,
    /// One way.
    pub latency: Duration,
    /// Bytes per second; zero is unknown.
    pub bandwidth: Bytes,
    /// Money per gigabyte (10^9 bytes).
    pub price_per_gb: f64,
}

/// What the dispatcher prefers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// `cheapest`, `fastest`, `balanced`, `deadline` or `custom`.
    pub name: String,
    /// Weights of the terms of the score.
    pub weights: Weights,
}

/// One weight per term of the dispatcher's score; larger matters more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Money.
    pub price: f64,
    /// Seconds of moving inputs.
    pub transfer: f64,
    /// Seconds of latency to the zones of dependent shards.
    pub latency: f64,
    /// Share of the zone in use, now and as forecast.
    pub utilization: f64,
    /// Probability of losing the zone before the shard is done.
    pub failure: f64,
    /// Seconds until it would start.
    pub wait: f64,
    /// Seconds until it would finish.
    pub finish: f64,
}

impl Site {
    /// This machine as one zone, with what the caller has measured.
    #[must_use]
    pub fn this_machine(node: Resources, host: &str) -> Self {
        let pool = Pool {
            name: "machine".to_owned(),
            node,
            count: 1,
            max_nodes: 1,
            price_per_hour: 0.0,
            launch_delay: Duration::ZERO,
            preemption_notice: None,
            provision: Vec::new(),
        };
        let zone = Zone {
            name: "local".to_owned(),
            backend: Backend::Local,
            location: Location::default(),
            domains: Domains { host: host.to_owned(), ..Domains::default() },
            time_zone: None,
            pools: vec![pool],
            trace: None,
            wrap: Vec::new(),
            images: Vec::new(),
        };
        Self {
            zones: vec![zone],
            links: Vec::new(),
            policy: Policy::balanced(),
            outages: Vec::new(),
            calendars: Vec::new(),
            feeds: Vec::new(),
        }
    }

    /// The zone with this id.
    #[must_use]
    pub fn zone(&self, id: ZoneId) -> &Zone {
        &self.zones[id.index()]
    }

    /// All zone ids, in order.
    pub fn zone_ids(&self) -> impl ExactSizeIterator<Item = ZoneId> + use<> {
        (0..self.zones.len()).map(ZoneId::from_index)
    }
}

impl Zone {
    /// How commands run in this image; none if the zone does not allow it. The first pattern in
    /// the file that matches decides.
    #[must_use]
    pub fn image_rule(&self, image: &str) -> Option<&ImageRule> {
        self.images.iter().find(|rule| {
            let glob = compile_glob(&rule.pattern);
            glob.is_ok_and(|glob| glob.compile_matcher().is_match(image))
        })
    }

    /// What the zone holds in all, over its pools and their nodes.
    #[must_use]
    pub fn capacity(&self) -> Resources {
        let mut total = Resources::default();
        for pool in &self.pools {
            for _ in 0..pool.count {
                total.cpus.0 = total.cpus.0.saturating_add(pool.node.cpus.0);
                total.memory.0 = total.memory.0.saturating_add(pool.node.memory.0);
                total.network.0 = total.network.0.saturating_add(pool.node.network.0);
                for (name, n) in &pool.node.countables {
                    *total.countables.entry(name.clone()).or_default() += n;
                }
            }
        }
        total
    }
}

impl Policy {
    /// The policies that have a name.
    pub const NAMES: [&str; 4] = ["cheapest", "fastest", "balanced", "deadline"];

    /// Cost and finish time weigh alike.
    #[must_use]
    pub fn balanced() -> Self {
        Self { name: "balanced".to_owned(), weights: Weights::EQUAL }
    }

    /// One of [`Policy::NAMES`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let equal = Weights::EQUAL;
        let weights = match name {
            "cheapest" => Weights { price: 10.0, latency: 0.1, wait: 0.1, finish: 0.1, ..equal },
            "fastest" => Weights { price: 0.1, utilization: 0.5, finish: 10.0, ..equal },
            "balanced" => equal,
            // A lost shard costs the slack that a late start would have.
            "deadline" => Weights { price: 0.5, failure: 5.0, wait: 5.0, finish: 5.0, ..equal },
            _ => return None,
        };
        Some(Self { name: name.to_owned(), weights })
    }
}

impl Weights {
    /// The names of the terms.
    pub const NAMES: [&str; 7] =
        ["price", "transfer", "latency", "utilization", "failure", "wait", "finish"];

    /// All terms weigh the same.
    pub const EQUAL: Self = Self {
        price: 1.0,
        transfer: 1.0,
        latency: 1.0,
        utilization: 1.0,
        failure: 1.0,
        wait: 1.0,
        finish: 1.0,
    };

    /// No term weighs anything.
    pub const ZERO: Self = Self {
        price: 0.0,
        transfer: 0.0,
        latency: 0.0,
        utilization: 0.0,
        failure: 0.0,
        wait: 0.0,
        finish: 0.0,
    };

    /// The weight of a term.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        let mut copy = *self;
        copy.get_mut(name).map(|weight| *weight)
    }

    /// The weight of a term, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut f64> {
        Some(match name {
            "price" => &mut self.price,
            "transfer" => &mut self.transfer,
            "latency" => &mut self.latency,
            "utilization" => &mut self.utilization,
            "failure" => &mut self.failure,
            "wait" => &mut self.wait,
            "finish" => &mut self.finish,
            _ => return None,
        })
    }
}
