//! What attempts are granted of memory beyond what the workflow says: the bounds of the places,
//! and what earlier runs took. Part of a run's first record, so that replay grants the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spec::{Bytes, Resources, ZoneId};

/// The terms of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryTerms {
    /// By zone: what one node of each of its pools has. Without any, only `max` bounds growth.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Vec<Resources>>,
    /// By name of a template: what its tasks start with instead of what they ask for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub learned: BTreeMap<String, LearnedMemory>,
}

/// What earlier attempts at tasks of a template say about their memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedMemory {
    /// What an attempt is to start with.
    pub start: Bytes,
    /// How many attempts say so.
    pub attempts: u32,
}

impl MemoryTerms {
    /// Whether there is nothing to be said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.learned.is_empty()
    }

    /// The most memory that a node has which can hold `needs`, in one zone or in any. Where no
    /// places are known, or none can hold it, nothing bounds it.
    #[must_use]
    pub fn ceiling(&self, needs: &Resources, zone: Option<ZoneId>) -> Bytes {
        let others = Resources { memory: Bytes(0), ..needs.clone() };
        let most = |nodes: &[Resources]| {
            nodes.iter().filter(|node| others.fits(node)).map(|node| node.memory).max()
        };
        let found = match zone {
            Some(zone) => self.nodes.get(zone.index()).and_then(|nodes| most(nodes)),
            None => self.nodes.iter().filter_map(|nodes| most(nodes)).max(),
        };
        found.unwrap_or(Bytes(u64::MAX))
    }

    /// Whether some node of a zone can hold `needs`; also if nothing is known of the zone.
    #[must_use]
    pub fn has_room(&self, needs: &Resources, zone: ZoneId) -> bool {
        self.nodes.get(zone.index()).is_none_or(|nodes| nodes.iter().any(|node| needs.fits(node)))
    }

    /// The first zone with a node that can hold `needs`.
    #[must_use]
    pub fn zone_for(&self, needs: &Resources) -> Option<ZoneId> {
        let zones = (0..self.nodes.len()).map(ZoneId::from_index);
        zones.into_iter().find(|&zone| self.has_room(needs, zone))
    }
}
