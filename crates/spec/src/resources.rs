//! Resources as one value with units: what a task asks for, what a pool has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::units::Bytes;

/// Cpus in thousandths, so that half a cpu is exact.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MilliCpus(pub u32);

impl MilliCpus {
    /// One whole cpu.
    pub const ONE: Self = Self(1_000);

    /// Whole cpus.
    #[must_use]
    pub const fn whole(cpus: u32) -> Self {
        Self(cpus * 1_000)
    }
}

impl std::fmt::Display for MilliCpus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1e3)
    }
}

/// Cpus, memory, network bandwidth and whatever else can be counted (`gpu: 1`).
///
/// As a request, zero means "none asked"; as a capacity, zero means "none there".
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resources {
    /// Cpus.
    pub cpus: MilliCpus,
    /// Resident memory.
    pub memory: Bytes,
    /// Network bandwidth, bytes per second.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub network: Bytes,
    /// Countables by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub countables: BTreeMap<String, u64>,
}

fn is_zero(bytes: &Bytes) -> bool {
    bytes.0 == 0
}

impl Resources {
    /// Whether a request of `self` fits into `capacity`.
    #[must_use]
    pub fn fits(&self, capacity: &Self) -> bool {
        self.cpus <= capacity.cpus
            && self.memory <= capacity.memory
            && self.network <= capacity.network
            && self.countables.iter().all(|(name, &n)| {
                n == 0 || capacity.countables.get(name).is_some_and(|&there| n <= there)
            })
    }

    /// Takes `request` out of `self`; the caller has checked [`Resources::fits`].
    pub fn take(&mut self, request: &Self) {
        self.cpus.0 = self.cpus.0.saturating_sub(request.cpus.0);
        self.memory.0 = self.memory.0.saturating_sub(request.memory.0);
        self.network.0 = self.network.0.saturating_sub(request.network.0);
        for (name, n) in &request.countables {
            if let Some(there) = self.countables.get_mut(name) {
                *there = there.saturating_sub(*n);
            }
        }
    }

    /// Adds `released` back.
    pub fn put(&mut self, released: &Self) {
        self.cpus.0 = self.cpus.0.saturating_add(released.cpus.0);
        self.memory.0 = self.memory.0.saturating_add(released.memory.0);
        self.network.0 = self.network.0.saturating_add(released.network.0);
        for (name, n) in &released.countables {
            if let Some(there) = self.countables.get_mut(name) {
                *there = there.saturating_add(*n);
            }
        }
    }
}

impl std::fmt::Display for Resources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} cpus", self.cpus)?;
        if self.memory.0 > 0 {
            write!(f, ", {}", self.memory)?;
        }
        if self.network.0 > 0 {
            write!(f, ", {}/s network", self.network)?;
        }
        for (name, n) in &self.countables {
            write!(f, ", {n} {name}")?;
        }
        Ok(())
    }
}
