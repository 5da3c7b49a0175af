//! How far ahead, and in what steps.
//!
//! Knows whole minutes only. The first step of a forecast ends one step from now; the last is the
//! horizon's end.

use schemars::JsonSchema;
use serde::Serialize;

/// The horizon of a forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Horizon {
    /// How far ahead, in minutes.
    pub minutes: u32,
    /// Minutes from one step to the next.
    pub step_minutes: u32,
}

impl Default for Horizon {
    /// A day in steps of five minutes.
    fn default() -> Self {
        Self { minutes: 1440, step_minutes: 5 }
    }
}

impl Horizon {
    /// Minutes ahead of each step, the first one step from now.
    pub fn steps(self) -> impl Iterator<Item = u32> {
        let step = self.step_minutes.max(1);
        (1..=self.minutes / step).map(move |i| i * step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_288_steps_of_five_minutes() {
        let steps: Vec<u32> = Horizon::default().steps().collect();
        assert_eq!((steps.len(), steps[0], steps[287]), (288, 5, 1440));
        assert_eq!(Horizon { minutes: 3, step_minutes: 0 }.steps().count(), 3);
    }
}
