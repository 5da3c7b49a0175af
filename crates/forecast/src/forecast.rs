//! What a forecast says of one zone, and how far it is to be trusted.
//!
//! Knows probabilities at horizons that were learned, and reads those between off them. Where
//! little is known it says so, by name and with probabilities that are less sure.

use schemars::JsonSchema;
use serde::Serialize;

use crate::horizon::Horizon;
use crate::isotonic;
use crate::odds;
use crate::series::Series;

/// The forecast of one zone from one step on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// The zone.
    pub zone: String,
    /// How many steps had been seen.
    pub origin: usize,
    /// How far ahead, in what steps.
    pub horizon: Horizon,
    /// Probability that the zone is up, at each step of the horizon.
    pub up: Vec<f64>,
    /// Probability that the zone, if it is up now, stays up until each step; never rises, and never
    /// contradicts `up`.
    pub survival: Vec<f64>,
    /// Why it should be trusted less.
    pub warnings: Vec<Warning>,
}

/// Why a forecast should be trusted less than usual.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// Nothing was ever known of the zone.
    NeverSeen,
    /// The zone has a short past: so many hours are known.
    ShortHistory {
        /// Hours known.
        hours: u32,
    },
    /// The last known state is old.
    Stale {
        /// Minutes since then.
        minutes: u32,
    },
    /// The zone has not been heard of for long, and may be gone.
    Vanished {
        /// Hours since then.
        hours: u32,
    },
    /// The zone never changed: how it changes cannot be known.
    Constant,
    /// Much of the past is missing: so many steps in a hundred.
    Gaps {
        /// Missing steps in a hundred.
        percent: u32,
    },
    /// Models are not fitted yet: tables speak.
    TablesOnly,
    /// What was measured is flawed.
    Measured {
        /// Of what.
        measure: String,
        /// In what way.
        flaw: String,
    },
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NeverSeen => f.write_str("nothing was ever known of it"),
            Self::ShortHistory { hours: 0 } => {
                f.write_str("less than an hour of its past is known")
            }
            Self::ShortHistory { hours: hours @ 1..48 } => {
                write!(f, "only {hours} h of its past are known")
            }
            Self::ShortHistory { hours } => {
                write!(f, "only {} days of its past are known", hours / 24)
            }
            Self::Stale { minutes } => write!(f, "not heard of for {minutes} min"),
            Self::Vanished { hours } => write!(f, "not heard of for {hours} h; it may be gone"),
            Self::Constant => f.write_str("it never changed, so nobody knows how it does"),
            Self::Gaps { percent } => write!(f, "{percent} % of its past is missing"),
            Self::Measured { measure, flaw } => write!(f, "{measure}: {flaw}"),
            Self::TablesOnly => f.write_str("no model is fitted yet: frequencies speak"),
        }
    }
}

/// Days of history below which probabilities are drawn to one half.
const SHORT_DAYS: f64 = 10.0;

/// What is known about how much is known of a zone.
#[derive(Clone, Copy, Debug)]
pub struct Footing {
    hours: f64,
    missing: f64,
    unknown_minutes: f64,
    changes: f32,
}

impl Footing {
    /// Of a zone after its last step.
    #[must_use]
    pub fn of(zone: &Series, step_seconds: u32) -> Self {
        let step_hours = f64::from(step_seconds) / 3600.0;
        let n = zone.len().max(1);
        Self {
            hours: zone.known() as f64 * step_hours,
            missing: 1.0 - zone.known() as f64 / n as f64,
            unknown_minutes: zone.unknown_for() as f64 * step_hours * 60.0,
            changes: zone.changes(n - 1, n),
        }
    }

    /// Everything that should be said.
    #[must_use]
    pub fn warnings(self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.hours <= 0.0 {
            return vec![Warning::NeverSeen];
        }
        if self.hours < SHORT_DAYS * 24.0 {
            warnings.push(Warning::ShortHistory { hours: self.hours as u32 });
        }
        if self.unknown_minutes >= 360.0 {
            warnings.push(Warning::Vanished { hours: (self.unknown_minutes / 60.0) as u32 });
        } else if self.unknown_minutes >= 15.0 {
            warnings.push(Warning::Stale { minutes: self.unknown_minutes as u32 });
        }
        if self.changes < 1.0 {
            warnings.push(Warning::Constant);
        }
        if self.missing > 0.1 {
            warnings.push(Warning::Gaps { percent: (self.missing * 100.0) as u32 });
        }
        warnings
    }

    /// A probability for a horizon of so many minutes, drawn to one half as far as little is known.
    #[must_use]
    pub fn temper(self, p: f64, minutes: u32) -> f64 {
        let hours_ahead = f64::from(minutes) / 60.0;
        let shortness = (1.0 - self.hours / (SHORT_DAYS * 24.0)).max(0.0);
        // As if half a horizon had been seen with either outcome: labels closer than that repeat
        // each other.
        let held = 0.5 * hours_ahead * shortness;
        let known = if self.hours > 0.0 { self.hours / (self.hours + held) } else { 0.0 };
        let fresh = (-self.unknown_minutes / f64::from(minutes.max(60))).exp();
        let p = 0.5 + (p - 0.5) * known * fresh.max(0.1);
        if self.changes >= 1.0 {
            return p;
        }
        // What never happened in n horizons may happen in one of n + 2 (Laplace).
        let least = 1.0 / (2.0 + self.hours / hours_ahead.max(0.1));
        p.clamp(least.min(0.5), 1.0 - least.min(0.5))
    }
}

/// Probabilities at some horizons, ascending in minutes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    points: Vec<(u32, f64)>,
}

impl Curve {
    /// Through these points of minutes and probability.
    #[must_use]
    pub fn new(points: Vec<(u32, f64)>) -> Self {
        Self { points }
    }

    /// The same, made non-increasing with the least change.
    #[must_use]
    pub fn falling(self) -> Self {
        let values: Vec<f64> = self.points.iter().map(|point| point.1).collect();
        let falling = isotonic::falling(&values);
        Self { points: self.points.iter().zip(falling).map(|(point, p)| (point.0, p)).collect() }
    }

    /// The points.
    #[must_use]
    pub fn points(&self) -> &[(u32, f64)] {
        &self.points
    }

    /// The probability at so many minutes. Between points log-odds are linear in the logarithm of
    /// time; before the first they run from `now` in time itself; after the last they stay.
    #[must_use]
    pub fn at(&self, minutes: u32, now: f64) -> f64 {
        let next = self.points.partition_point(|point| point.0 < minutes);
        let Some(&(to, p_to)) = self.points.get(next) else {
            return self.points.last().map_or(0.5, |point| point.1);
        };
        let Some(&(from, p_from)) = next.checked_sub(1).and_then(|i| self.points.get(i)) else {
            return now + (p_to - now) * f64::from(minutes) / f64::from(to.max(1));
        };
        let log = |minutes: u32| f64::from(minutes.max(1)).ln();
        let share = (log(minutes) - log(from)) / (log(to) - log(from));
        let odds = |p: f64| f64::from(odds::log_odds(p));
        let between = odds::sigmoid(odds(p_from) + share * (odds(p_to) - odds(p_from)));
        between.clamp(p_from.min(p_to), p_from.max(p_to))
    }
}

/// Survival that `up` allows, with the least change: who stayed up is up, and who leaves at a step
/// is not up at it. The two are learned apart, so each may be a little off on its own.
#[must_use]
pub fn agreed(survival: impl IntoIterator<Item = f64>, up: &[f64]) -> Vec<f64> {
    let mut stayed = 1.0_f64;
    let steps = survival.into_iter().zip(up).map(|(survival, &up)| {
        stayed = survival.min(stayed).min(up).max(stayed - (1.0 - up));
        stayed
    });
    steps.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_falling_curve_falls_between_its_points_too(ps in prop::collection::vec(0.01..0.99, 4)) {
            let points = [15, 60, 180, 360].into_iter().zip(ps).collect();
            let curve = Curve::new(points).falling();
            let read: Vec<f64> = (0..=100).map(|i| curve.at(i * 5, 1.0)).collect();
            prop_assert!(read.windows(2).all(|pair| pair[1] <= pair[0] + 1e-9), "{:?}", read);
            prop_assert!(read.iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }

    #[test]
    fn survival_is_changed_only_where_it_contradicts_up() {
        let up = [0.99, 0.9, 0.6, 0.7];
        let agreed = agreed([0.8, 0.7, 0.65, 0.5], &up);
        let expected = [0.99, 0.89, 0.6, 0.5];
        for (is, should) in agreed.iter().zip(expected) {
            assert!((is - should).abs() < 1e-12, "{agreed:?}");
        }
    }

    fn zone(samples: impl Iterator<Item = Option<f64>>) -> Series {
        let mut series = Series::new(100_000);
        samples.for_each(|sample| series.push(sample));
        series
    }

    #[test]
    fn an_hour_of_history_is_never_sure() {
        let footing = Footing::of(&zone((0..12).map(|_| Some(1.0))), 300);
        assert!(footing.temper(0.999, 60) < 0.8);
        assert!(footing.temper(0.999, 1440) < 0.6);
        assert_eq!(footing.warnings(), [Warning::ShortHistory { hours: 1 }, Warning::Constant]);
    }

    #[test]
    fn a_zone_that_vanished_is_never_sure() {
        let seen = (0..5000).map(|i| Some(f64::from(u8::from(i % 50 > 3))));
        let footing = Footing::of(&zone(seen.chain((0..400).map(|_| None))), 300);
        assert!((footing.temper(0.99, 60) - 0.5).abs() < 0.1);
        assert!(footing.warnings().contains(&Warning::Vanished { hours: 33 }));
    }

    #[test]
    fn what_is_well_known_is_left_alone() {
        let footing = Footing::of(&zone((0..5000).map(|i| Some(f64::from(i % 2)))), 300);
        assert!(footing.warnings().is_empty());
        assert!((footing.temper(0.93, 1440) - 0.93).abs() < 1e-12);
    }
}
