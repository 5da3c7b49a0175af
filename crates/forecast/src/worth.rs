//! What an input was worth in a backtest: the same forecasts with it and without it, in pairs.
//!
//! Knows what each forecast lost, with the input and without: Brier scores of odds, pinball losses of
//! amounts. Forecasts of one day go wrong together, so the error of the difference is that of sums
//! over days (a block bootstrap's, in the limit).

use std::collections::BTreeMap;

use crate::backtest::Row;
use crate::target::Target;

/// One forecast, made twice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The day of its origin.
    pub day: usize,
    /// What it lost with the input.
    pub with: f64,
    /// What it lost without.
    pub without: f64,
}

/// Mean scores over the forecasts that both made, the less the better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// How many forecasts.
    pub rows: usize,
    /// With the input.
    pub with: f64,
    /// Without it.
    pub without: f64,
    /// The standard error of their difference, days being independent; NaN of a single day.
    pub error: f64,
}

/// A difference of less than this of the score is none, however sure it is.
const LEAST: f64 = 0.01;
/// So many standard errors are more than chance: noise passes once in forty times.
const ERRORS: f64 = 2.0;

/// What can be said of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Forecasts were better with it, by more than two standard errors and a hundredth.
    Helped,
    /// They were worse by as much.
    Hurt,
    /// The past does not say, or it makes no difference.
    Unclear,
}

impl Worth {
    /// Brier scores of two backtests of one past at steps of so many seconds, over one target or
    /// all; none where there is no forecast.
    #[must_use]
    pub fn of(
        with: &[Row],
        without: &[Row],
        target: Option<Target>,
        step_seconds: u32,
    ) -> Option<Self> {
        let a_day = (86_400 / step_seconds.max(1) as usize).max(1);
        let brier = |row: &Row| (row.p - f64::from(u8::from(row.came_true))).powi(2);
        let both = with.iter().zip(without);
        let meant = both.filter(|(one, _)| target.is_none_or(|target| target == one.target));
        Self::of_pairs(meant.map(|(one, other)| Pair {
            day: one.origin / a_day,
            with: brier(one),
            without: brier(other),
        }))
    }

    /// Means over pairs; none of nothing.
    #[must_use]
    pub fn of_pairs(pairs: impl Iterator<Item = Pair>) -> Option<Self> {
        let mut days: BTreeMap<usize, (f64, f64, usize)> = BTreeMap::new();
        for pair in pairs {
            let day = days.entry(pair.day).or_default();
            *day = (day.0 + pair.with, day.1 + pair.without, day.2 + 1);
        }
        let rows: usize = days.values().map(|day| day.2).sum();
        if rows == 0 {
            return None;
        }
        let all = rows as f64;
        let with = days.values().map(|day| day.0).sum::<f64>() / all;
        let without = days.values().map(|day| day.1).sum::<f64>() / all;
        // A ratio of sums over days: each day by how far it is from what so many rows would have.
        let n = days.len() as f64;
        let off = |day: &(f64, f64, usize)| day.0 - day.1 - day.2 as f64 * (with - without);
        let squares: f64 = days.values().map(|day| off(day).powi(2)).sum();
        let error = if days.len() > 1 { (squares * n / (n - 1.0)).sqrt() / all } else { f64::NAN };
        Some(Self { rows, with, without, error })
    }

    /// Whether it helped.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let gain = self.without - self.with;
        let is_slight = gain.abs() <= LEAST * self.without;
        if gain > ERRORS * self.error && !is_slight {
            Verdict::Helped
        } else if -gain > ERRORS * self.error && !is_slight {
            Verdict::Hurt
        } else {
            Verdict::Unclear
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Kind;

    const TARGET: Target = Target { kind: Kind::Up, minutes: 60 };

    /// Four forecasts a day, as likely as the day says.
    fn rows(days: &[f64]) -> Vec<Row> {
        let row = |i: usize| Row {
            zone: 0,
            origin: i * 6,
            target: TARGET,
            p: days[i / 4],
            came_true: true,
        };
        (0..4 * days.len()).map(row).collect()
    }

    #[test]
    fn what_is_better_by_more_than_days_differ_helped() {
        let worth = |with: &[f64], without: &[f64]| {
            Worth::of(&rows(with), &rows(without), Some(TARGET), 3600).unwrap()
        };
        let better = worth(&[0.9, 0.8, 0.9, 0.8], &[0.7; 4]);
        assert_eq!(better.rows, 16);
        assert!((better.with - 0.025).abs() < 1e-12 && (better.without - 0.09).abs() < 1e-12);
        // Differences of days are -0.08 and -0.05 in turn: four of them, 0.015 from their mean.
        assert!((better.error - 0.015 / 3.0_f64.sqrt()).abs() < 1e-12, "{better:?}");
        assert_eq!(better.verdict(), Verdict::Helped);
        assert_eq!(worth(&[0.7; 4], &[0.9, 0.8, 0.9, 0.8]).verdict(), Verdict::Hurt);
        assert_eq!(worth(&[0.9, 0.5], &[0.7; 2]).verdict(), Verdict::Unclear);
        assert_eq!(worth(&[0.7001; 3], &[0.7; 3]).verdict(), Verdict::Unclear, "it is slight");
        assert_eq!(worth(&[0.9; 3], &[0.9; 3]).verdict(), Verdict::Unclear);
        assert_eq!(worth(&[0.9], &[0.7]).verdict(), Verdict::Unclear, "a day is no evidence");
    }

    #[test]
    fn of_nothing_nothing_is_said() {
        let other = Target { kind: Kind::Survival, minutes: 60 };
        assert_eq!(Worth::of(&rows(&[0.9]), &rows(&[0.8]), Some(other), 3600), None);
    }
}
