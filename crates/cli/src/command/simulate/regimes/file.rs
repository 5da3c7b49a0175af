//! The file of regimes: what is compared with what, where, and under which conditions.
//!
//! `docs/formats/regimes.md` as code. Knows fields and defaults; paths are resolved by whoever reads what
//! they lead to.

use std::path::Path;

use serde::Deserialize;
use serde::de::Error as _;
use spec::{Bytes, Duration};

use crate::failure::Failure;
use crate::workflow::unreadable;

/// The version of the format that is read.
const VERSION: u32 = 1;

/// A file of regimes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    foreshard_regimes: u32,
    /// What it is about; for people.
    #[serde(default, rename = "about")]
    _about: String,
    /// How many starts, unless the command line says.
    #[serde(default = "fifty")]
    pub(super) starts: usize,
    /// Where chance comes from.
    #[serde(default = "one")]
    pub(super) seed: u64,
    /// Which policies are compared where they apply.
    #[serde(default)]
    pub(super) policies: Vec<String>,
    /// Which of the deadlines the map is about.
    #[serde(default = "usual_deadline")]
    pub(super) map_deadline: f64,
    /// The regimes.
    pub(super) regimes: Vec<Regime>,
}

/// Conditions under which workloads are compared: each factor with each launch.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Regime {
    /// As people call it.
    pub(super) name: String,
    /// The workflows that are run together.
    pub(super) workflows: Vec<String>,
    /// The places.
    pub(super) site: String,
    /// What runtimes are multiplied by.
    #[serde(default = "as_they_are")]
    pub(super) factors: Vec<f64>,
    /// So many copies are run together that there is at least so much work.
    #[serde(default)]
    pub(super) core_hours: f64,
    /// How long launches take, in all zones.
    #[serde(deserialize_with = "spans")]
    pub(super) launches: Vec<Duration>,
    /// Deadlines, in fault-free makespans.
    #[serde(default = "usual_deadlines")]
    pub(super) deadlines: Vec<f64>,
    /// How many nodes a zone with a trace has for each that the trace counts.
    #[serde(default)]
    pub(super) nodes: Option<u32>,
    /// Of each link between zones, bytes a second.
    #[serde(default, deserialize_with = "bandwidth")]
    pub(super) bandwidth: Option<Bytes>,
    /// The deviation of the logarithm of runtimes around their estimates.
    #[serde(default)]
    pub(super) error: f64,
}

fn fifty() -> usize {
    50
}

fn one() -> u64 {
    1
}

fn usual_deadline() -> f64 {
    1.5
}

fn as_they_are() -> Vec<f64> {
    vec![1.0]
}

fn usual_deadlines() -> Vec<f64> {
    vec![1.25, 1.5, 2.0]
}

fn spans<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Vec<Duration>, D::Error> {
    let texts = Vec::<String>::deserialize(reader)?;
    let span = |text: String| {
        text.parse::<Duration>().map_err(|error| D::Error::custom(format!("`{text}`: {error}")))
    };
    texts.into_iter().map(span).collect()
}

fn bandwidth<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Option<Bytes>, D::Error> {
    let text = String::deserialize(reader)?;
    let bytes = text.parse::<Bytes>();
    bytes.map(Some).map_err(|error| D::Error::custom(format!("`{text}`: {error}")))
}

/// Reads a file of regimes.
///
/// # Errors
/// It cannot be read, is none, or says something that makes no sense.
pub(super) fn read(path: &Path) -> Result<File, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let wrong = |why: String| {
        Failure::invalid(format!("{} is no file of regimes", path.display())).cause(why)
    };
    let file: File = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if file.foreshard_regimes != VERSION {
        return Err(wrong(format!("its version is {}, not {VERSION}", file.foreshard_regimes)));
    }
    for regime in &file.regimes {
        check(regime).map_err(|why| wrong(format!("`{}`: {why}", regime.name)))?;
    }
    if file.regimes.is_empty() || file.starts == 0 {
        return Err(wrong("it needs a regime and a start".to_owned()));
    }
    Ok(file)
}

fn check(regime: &Regime) -> Result<(), String> {
    let is_sound = |value: &f64| (1e-6..=1e6).contains(value);
    if regime.workflows.is_empty() || regime.launches.is_empty() {
        return Err("it needs `workflows` and `launches`".to_owned());
    }
    if regime.factors.is_empty() || !regime.factors.iter().all(is_sound) {
        return Err("`factors` must be above 0".to_owned());
    }
    if regime.deadlines.is_empty() || !regime.deadlines.iter().all(|d| (1.0..=1e3).contains(d)) {
        return Err("`deadlines` must be at least 1".to_owned());
    }
    if !(0.0..=1e6).contains(&regime.core_hours) || !(0.0..=10.0).contains(&regime.error) {
        return Err("`core_hours` and `error` must not be below 0".to_owned());
    }
    Ok(())
}
