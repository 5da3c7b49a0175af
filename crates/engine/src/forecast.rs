//! What a run is told of the future of its zones: a forecast, cut down to what fits a record.
//!
//! Knows zones by number and chances in thousandths, so that a record is small and means the same on
//! every machine. How they were made is not known here.

use serde::{Deserialize, Serialize};
use spec::{Timestamp, ZoneId};

/// A forecast of some zones.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForecastSummary {
    /// The end of the past that it was made from.
    pub origin: Timestamp,
    /// What made it, in a few words.
    pub model: String,
    /// How far ahead chances are, in minutes, ascending.
    pub minutes: Vec<u32>,
    /// The zones that something is known of.
    pub zones: Vec<ZoneForecast>,
}

/// The future of one zone; a chance for each of the summary's minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneForecast {
    /// Which.
    pub zone: ZoneId,
    /// Whether it was up when last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_up: Option<bool>,
    /// That it can start and keep work then, in thousandths.
    pub up: Vec<u16>,
    /// That it, if it is up now, stays up until then, in thousandths.
    pub survival: Vec<u16>,
}

impl ForecastSummary {
    /// Whether another one says something else that matters: of another zone, another state, or a
    /// chance that is `least` thousandths away.
    #[must_use]
    pub fn differs(&self, other: &Self, least: u16) -> bool {
        let is_near = |a: &[u16], b: &[u16]| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) < least)
        };
        let is_like = |a: &ZoneForecast, b: &ZoneForecast| {
            (a.zone, a.is_up) == (b.zone, b.is_up)
                && is_near(&a.up, &b.up)
                && is_near(&a.survival, &b.survival)
        };
        self.minutes != other.minutes
            || self.zones.len() != other.zones.len()
            || !self.zones.iter().zip(&other.zones).all(|(a, b)| is_like(a, b))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(up: u16, is_up: bool) -> ForecastSummary {
        let zone = ZoneForecast {
            zone: ZoneId(0),
            is_up: Some(is_up),
            up: vec![up, 500],
            survival: vec![900, 400],
        };
        ForecastSummary { minutes: vec![60, 360], zones: vec![zone], ..ForecastSummary::default() }
    }

    #[test]
    fn a_little_more_or_less_is_the_same_and_another_state_is_not() {
        let first = summary(800, true);
        assert!(!first.differs(&summary(849, true), 50));
        assert!(first.differs(&summary(850, true), 50));
        assert!(first.differs(&summary(800, false), 50));
        assert!(first.differs(&ForecastSummary::default(), 50));
    }
}
