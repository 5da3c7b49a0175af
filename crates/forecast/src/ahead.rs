//! What a group of zones has beside its pasts: what is known ahead, and what drains did so far.
//!
//! Knows one set of inputs for each zone, all with the same columns, or none at all.

use crate::covariates::Covariates;
use crate::drain::Drains;
use crate::feature;
use crate::series::Series;

/// Of all zones; empty where nothing is known ahead.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    covariates: Vec<Covariates>,
    drains: Vec<Drains>,
}

/// Of one zone.
#[derive(Clone, Copy, Debug)]
pub struct Ahead<'a> {
    /// Its inputs.
    pub covariates: &'a Covariates,
    /// Its drains.
    pub drains: &'a Drains,
}

/// Zones have different inputs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("zone {zone} has other inputs than the first zone")]
pub struct Unlike {
    /// Its index.
    pub zone: usize,
}

impl Inputs {
    /// Of so many zones.
    ///
    /// # Errors
    /// Zones have different columns, or there are not as many as zones.
    pub fn new(
        covariates: Vec<Covariates>,
        zones: usize,
        step_seconds: u32,
    ) -> Result<Self, Unlike> {
        let columns = covariates.first().map_or(&[][..], Covariates::columns);
        if let Some(zone) = covariates.iter().position(|zone| zone.columns() != columns) {
            return Err(Unlike { zone });
        }
        if covariates.len() != zones {
            return Err(Unlike { zone: covariates.len() });
        }
        if columns.is_empty() {
            return Ok(Self::default());
        }
        let drains = covariates.iter().map(|zone| Drains::new(zone.drains(), step_seconds));
        Ok(Self { drains: drains.collect(), covariates })
    }

    /// How many columns are known ahead.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.covariates.first().map_or(0, |zone| zone.columns().len())
    }

    /// Of one zone.
    #[must_use]
    pub fn of(&self, z: usize) -> Option<Ahead<'_>> {
        Some(Ahead { covariates: self.covariates.get(z)?, drains: self.drains.get(z)? })
    }

    /// The hour of zone `z` at a step: by the clock on its wall where that is an input, else since
    /// the first step, modulo a day.
    #[must_use]
    pub fn hour(&self, z: usize, step: usize, step_seconds: u32) -> f32 {
        let by_clock = self.covariates.get(z).and_then(|zone| zone.hour(step));
        by_clock.unwrap_or_else(|| feature::hour_of(step, step_seconds))
    }

    /// Step `t` has been seen.
    pub fn observe(&mut self, all: &[Series], t: usize) {
        for (drains, zone) in self.drains.iter_mut().zip(all) {
            drains.observe(zone, t);
        }
    }
}
