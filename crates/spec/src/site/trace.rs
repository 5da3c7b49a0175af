//! Where the availability of zones over time comes from when they are simulated.

use serde::{Deserialize, Serialize};

use crate::units::Duration;

/// Where the availability of a zone comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TraceSource {
    /// A recording; its path.
    File(String),
    /// Made from a seed.
    Generated(Generated),
}

/// Availability that nobody recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    /// Of what kind.
    pub kind: GeneratedKind,
    /// Where chance comes from; zones with the same seed differ.
    pub seed: u64,
    /// How long, before it begins again.
    pub length: Duration,
}

/// How the availability of a zone goes up and down. A count stands for all nodes of its pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GeneratedKind {
    /// There and gone in turn, for spans of a Pareto distribution.
    Runs {
        /// How long it is there, on average.
        up: Duration,
        /// How long it is gone, on average.
        down: Duration,
        /// The exponent of the tail, above 1; the smaller, the heavier.
        tail: f64,
    },
    /// Less while others work, more at night.
    Daily {
        /// The most that can be held.
        most: u32,
        /// The least.
        least: u32,
        /// When the least is reached, from midnight.
        busiest: Duration,
        /// What is added or taken at random each quarter of an hour, at most.
        noise: u32,
    },
}

/// Times at which all zones of a region are gone, also those with recordings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outages {
    /// As `location.region` of its zones says.
    pub region: String,
    /// From the end of one to the begin of the next, on average.
    pub every: Duration,
    /// How long one lasts, on average.
    pub lasts: Duration,
    /// The exponent of the tail of its length, above 1.
    pub tail: f64,
    /// Where chance comes from.
    pub seed: u64,
}
