//! The output of the Resource Predictor: what will be free in every zone over a horizon.
//!
//! Knows values and how they are written down; `docs/formats/forecast.md` describes them, and
//! [`schema`] is that as a JSON schema.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Serialize, Serializer};
use spec::Timestamp;

use crate::card::ModelCard;
use crate::forecast::Warning;
use crate::horizon::Horizon;
use crate::wait::Wait;

/// The version of the format.
pub const VERSION: u32 = 1;

/// What will be free, where, with what probability, for how long.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Availability {
    /// The version of the format: 1.
    pub version: u32,
    /// What the zones are called together.
    pub name: String,
    /// When it was made, in microseconds since 1970 (UTC); null where the past has no dates.
    #[schemars(with = "Option<i64>")]
    pub at: Option<Timestamp>,
    /// How many steps of the past it was made from.
    pub steps_seen: usize,
    /// How far ahead, and in what steps; the first step is one step from now.
    pub horizon: Horizon,
    /// Every zone.
    pub zones: Vec<ZoneAvailability>,
    /// What made it, how it learned and how good it has been.
    pub model: ModelCard,
}

/// The future of one zone.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ZoneAvailability {
    /// The zone.
    pub zone: String,
    /// The region it lies in, where that is known.
    pub region: Option<String>,
    /// Whether it was up when last seen; null where it never was.
    pub is_up: Option<bool>,
    /// Minutes since that changed.
    pub minutes_in_state: f64,
    /// Hours of its past that are known.
    pub hours_known: f64,
    /// Probability that it can start and keep work at each step.
    #[serde(serialize_with = "rounded")]
    pub up: Vec<f64>,
    /// Given that it is up now, the probability that it stays up until each step; never rises. Of a
    /// zone that is down: once it has come up, counted from then.
    #[serde(serialize_with = "rounded")]
    pub survival: Vec<f64>,
    /// What of it will be free or in use, where that was measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub free: Vec<Free>,
    /// From asking to running, where that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// Why all this should be trusted less.
    pub warnings: Vec<Warning>,
}

/// Quantiles of an amount, at each step.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Free {
    /// What: `cpu`, `memory`, `network_in`, …
    pub measure: String,
    /// In what unit.
    pub unit: String,
    /// Of how much in all, where that is known; then amounts are what is free, else what is in use.
    pub capacity: Option<f64>,
    /// The levels of the quantiles, ascending.
    pub levels: Vec<f64>,
    /// At each step, a quantile for each level.
    pub quantiles: Vec<Vec<f64>>,
}

impl ZoneAvailability {
    /// The probability of being up so many minutes from now; 0.5 beyond the horizon.
    #[must_use]
    pub fn up_at(&self, minutes: u32, horizon: Horizon) -> f64 {
        at(&self.up, minutes, horizon)
    }

    /// The probability of staying up for so many minutes.
    #[must_use]
    pub fn survival_at(&self, minutes: u32, horizon: Horizon) -> f64 {
        at(&self.survival, minutes, horizon)
    }
}

fn at(steps: &[f64], minutes: u32, horizon: Horizon) -> f64 {
    let step = minutes.div_ceil(horizon.step_minutes.max(1)).max(1) as usize;
    steps.get(step - 1).copied().unwrap_or(0.5)
}

impl Free {
    /// The quantile nearest to a level, at a step counted from 0.
    #[must_use]
    pub fn quantile(&self, step: usize, level: f64) -> Option<f64> {
        let distance = |i: &usize| (self.levels[*i] - level).abs();
        let nearest = (0..self.levels.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        self.quantiles.get(step)?.get(nearest).copied()
    }
}

/// The JSON schema of [`Availability`].
#[must_use]
pub fn schema() -> serde_json::Value {
    // Of what is written: fields that are left out where nothing was measured are not required.
    let written = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = written.into_generator().into_root_schema_for::<Availability>().to_value();
    schema["title"] = "Foreshard forecast".into();
    schema
}

/// To four digits: more is noise, and four times as long.
fn rounded<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| (value * 1e4).round() / 1e4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_what_is_written() {
        let schema = schema();
        for field in ["version", "at", "horizon", "zones", "model"] {
            assert!(schema["properties"][field].is_object(), "{field}");
        }
        let zone = &schema["$defs"]["ZoneAvailability"]["properties"];
        for field in ["zone", "up", "survival", "free", "wait", "warnings"] {
            assert!(zone[field].is_object(), "{field}");
        }
    }

    #[test]
    fn the_schema_requires_what_is_always_written_and_nothing_else() {
        let required = &schema()["$defs"]["ZoneAvailability"]["required"];
        let is_required =
            |field: &str| required.as_array().is_some_and(|all| all.contains(&field.into()));
        for field in ["zone", "region", "is_up", "up", "survival", "warnings"] {
            assert!(is_required(field), "{field} is always there");
        }
        for field in ["free", "wait"] {
            assert!(!is_required(field), "{field} is there where it was measured");
        }
    }
}
