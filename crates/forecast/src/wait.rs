//! How long it takes from asking to running, given what is asked: from what asking took before.
//!
//! Knows past waits, each with what was asked as far as that is known. Waits of queues have no
//! simple shape, and there are seldom many: so the forecast is the weighted empirical distribution of
//! past waits. Those for like requests count most (a Gaussian kernel over logarithms of cpus, memory
//! and walltime), those of long ago less, and a few waits that never happened, from a second to half
//! a day, stand for all that was not seen. With many past waits they are outvoted; with none, they
//! are the answer, and it is wide.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The levels of the quantiles.
pub const LEVELS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];
/// Waits that stand for what was not seen, in seconds.
const UNSEEN: [f64; 7] = [1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 43_200.0];
/// What each of them weighs, in past waits.
const UNSEEN_WEIGHT: f64 = 0.4;
/// Requests this many times larger count `exp(-1/2)`.
const SCALE: f64 = 3.0;
/// What a request counts for each size that is not known of it.
const UNKNOWN: f64 = 0.6;
/// Days after which a wait counts half.
const HALF_LIFE_DAYS: f64 = 14.0;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// Cpus.
    pub cpus: Option<f64>,
    /// Memory in bytes.
    pub memory: Option<f64>,
    /// For how long, in seconds.
    pub walltime: Option<f64>,
}

impl Asked {
    /// What tells requests apart, in their order; a size that is not known is as 0.
    #[must_use]
    pub fn key(self) -> [u64; 3] {
        [self.cpus, self.memory, self.walltime].map(|size| size.unwrap_or(0.0).to_bits())
    }
}

/// A wait that is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waited {
    /// When it was over, in days; only differences count.
    pub day: f64,
    /// What had been asked.
    pub asked: Asked,
    /// From asking to running, in seconds.
    pub seconds: f64,
}

/// How long a wait may be.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Wait {
    /// For whom.
    pub asked: Asked,
    /// The levels of `seconds`.
    pub levels: [f64; 5],
    /// From asking to running: a quantile for each level.
    pub seconds: [f64; 5],
    /// How many past waits speak, those for unlike requests and of long ago as parts of one.
    pub waits: f64,
}

/// Quantiles of the wait for a request made on `day`.
#[must_use]
pub fn forecast(past: &[Waited], asked: Asked, day: f64) -> Wait {
    let mut weighed: Vec<(f64, f64)> = past
        .iter()
        .filter(|wait| wait.seconds.is_finite() && wait.seconds >= 0.0 && wait.day <= day)
        .map(|wait| {
            let age = 0.5_f64.powf((day - wait.day) / HALF_LIFE_DAYS);
            (wait.seconds, age * likeness(wait.asked, asked))
        })
        .collect();
    let waits = weighed.iter().map(|(_, weight)| weight).sum();
    weighed.extend(UNSEEN.map(|seconds| (seconds, UNSEEN_WEIGHT)));
    weighed.sort_by(|a, b| a.0.total_cmp(&b.0));
    Wait { asked, levels: LEVELS, seconds: LEVELS.map(|level| quantile(&weighed, level)), waits }
}

/// How much a past request says about this one.
fn likeness(past: Asked, now: Asked) -> f64 {
    let sizes = [(past.cpus, now.cpus), (past.memory, now.memory), (past.walltime, now.walltime)];
    let each = sizes.map(|pair| match pair {
        (_, None) => 1.0,
        (Some(past), Some(now)) if past > 0.0 && now > 0.0 => {
            let apart = (past / now).ln() / SCALE.ln();
            (-0.5 * apart * apart).exp()
        }
        _ => UNKNOWN,
    });
    each.iter().product()
}

/// Of ascending values with weights, between the middles of their weights.
fn quantile(weighed: &[(f64, f64)], level: f64) -> f64 {
    let all: f64 = weighed.iter().map(|(_, weight)| weight).sum();
    let (mut below, mut last) = (0.0, (0.0, weighed.first().map_or(0.0, |first| first.0)));
    for &(value, weight) in weighed {
        let middle = (below + 0.5 * weight) / all;
        if middle >= level {
            let part = (level - last.0) / (middle - last.0).max(1e-12);
            // Waits differ by factors: between two, their logarithms are shared out.
            let (from, to) = ((1.0 + last.1).ln(), (1.0 + value).ln());
            return (from + (to - from) * part.clamp(0.0, 1.0)).exp() - 1.0;
        }
        below += weight;
        last = (middle, value);
    }
    last.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Stream;

    fn asked(cpus: f64) -> Asked {
        Asked { cpus: Some(cpus), ..Asked::default() }
    }

    /// Exponential waits, as long in the mean as cpus are many, times ten seconds.
    fn queue(n: usize, seed: u64) -> Vec<Waited> {
        let mut stream = Stream::new(seed);
        let wait = |i: usize| {
            let cpus = [1.0, 64.0][stream.below(2)];
            let seconds = -(1.0 - stream.uniform()).ln() * 10.0 * cpus;
            Waited { day: i as f64 / n as f64, asked: asked(cpus), seconds }
        };
        (0..n).map(wait).collect()
    }

    #[test]
    fn who_asks_for_more_waits_longer_where_it_was_so() {
        let past = queue(400, 1);
        let (one, many) = (forecast(&past, asked(1.0), 1.0), forecast(&past, asked(64.0), 1.0));
        assert!(one.seconds[2] < 15.0 && many.seconds[2] > 200.0, "{one:?} {many:?}");
    }

    #[test]
    fn nine_of_ten_waits_come_within_the_outer_quantiles() {
        let past = queue(400, 2);
        let said = forecast(&past, asked(64.0), 1.0);
        let others = queue(4000, 3);
        let like: Vec<f64> =
            others.iter().filter(|w| w.asked.cpus == Some(64.0)).map(|w| w.seconds).collect();
        let inside = like.iter().filter(|s| (said.seconds[0]..=said.seconds[4]).contains(s));
        let share = inside.count() as f64 / like.len() as f64;
        assert!((0.85..0.97).contains(&share), "{share}");
    }

    #[test]
    fn without_a_past_anything_between_seconds_and_hours_may_be() {
        let none = forecast(&[], asked(1.0), 0.0);
        assert!(none.seconds[0] < 5.0 && none.seconds[4] > 3600.0, "{none:?}");
        let one = Waited { day: 0.0, asked: asked(1.0), seconds: 5.0 };
        let wide = forecast(&[one], asked(1.0), 0.0);
        assert!(wide.seconds[4] > 1800.0, "one wait is not many: {wide:?}");
    }

    #[test]
    fn what_is_no_wait_is_left_out() {
        let bad = [f64::NAN, -1.0, f64::INFINITY].map(|seconds| Waited {
            day: 0.0,
            asked: asked(1.0),
            seconds,
        });
        assert_eq!(forecast(&bad, asked(1.0), 1.0), forecast(&[], asked(1.0), 1.0));
    }
}
