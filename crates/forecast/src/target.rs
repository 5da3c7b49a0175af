//! What is forecast: one statement about a zone that will turn out true or false.
//!
//! Knows steps and minutes. A horizon of `h` minutes is the first step at or after it.

use std::fmt;

/// Which statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The zone is up at the end of the horizon.
    Up,
    /// The zone, up now, is up at every step of the horizon.
    Survival,
}

/// A statement and its horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Which statement.
    pub kind: Kind,
    /// How far ahead, in minutes.
    pub minutes: u32,
}

/// Horizons at which `up` is learned; between them it is interpolated.
pub const UP_ANCHORS: [u32; 8] = [5, 15, 30, 60, 180, 360, 720, 1440];

/// Horizons at which survival is learned; between them it is interpolated.
pub const SURVIVAL_ANCHORS: [u32; 6] = [15, 60, 180, 360, 720, 1440];

impl Target {
    /// All that is learned, by kind and horizon.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let up = UP_ANCHORS.iter().map(|&minutes| Self { kind: Kind::Up, minutes });
        let survival =
            SURVIVAL_ANCHORS.iter().map(|&minutes| Self { kind: Kind::Survival, minutes });
        up.chain(survival).collect()
    }

    /// How many steps of `step_seconds` ahead it lies: at least one.
    #[must_use]
    pub fn steps(self, step_seconds: u32) -> usize {
        steps_of(self.minutes, step_seconds)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            Kind::Up => "up",
            Kind::Survival => "survival",
        };
        write!(f, "{what} at {} min", self.minutes)
    }
}

/// The first step at or after so many minutes, at least 1.
#[must_use]
pub fn steps_of(minutes: u32, step_seconds: u32) -> usize {
    (u64::from(minutes) * 60).div_ceil(u64::from(step_seconds.max(1))).max(1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_horizon_is_the_first_step_at_or_after_it() {
        assert_eq!(steps_of(5, 195), 2);
        assert_eq!(steps_of(5, 600), 1);
        assert_eq!(steps_of(60, 600), 6);
        assert_eq!(steps_of(0, 60), 1);
    }
}
