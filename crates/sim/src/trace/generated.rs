//! Traces that nobody recorded: runs with heavy tails, days, and outages of whole regions.
//!
//! Each is a function of its settings, a seed and the number of its zone. Spans of recorded spot
//! capacity have heavy tails: most are minutes, most of the time lies in the long ones; a Pareto
//! distribution with an exponent between 1 and 2 has that shape.

use spec::Duration;

use super::{Trace, times};
use crate::chance::{Purpose, Stream};

/// A zone that is there and gone in turn, each for a span with a heavy tail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Runs {
    /// How many can be held while it is there.
    pub count: u32,
    /// How long it is there, on average.
    pub mean_up: Duration,
    /// How long it is gone, on average.
    pub mean_down: Duration,
    /// The exponent of the tail, above 1; the smaller, the heavier.
    pub tail: f64,
}

/// A zone whose room goes down while others work and up at night.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Daily {
    /// The most that can be held.
    pub most: u32,
    /// The least.
    pub least: u32,
    /// When the least is reached, from midnight; the most is reached half a day later.
    pub busiest: Duration,
    /// What is added or taken at random each quarter of an hour, at most.
    pub noise: u32,
}

/// Times at which all zones of a region are gone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outages {
    /// From the end of one to the begin of the next, on average.
    pub mean_between: Duration,
    /// How long one lasts, on average.
    pub mean_length: Duration,
    /// The exponent of the tail of its length, above 1.
    pub tail: f64,
}

const DAY: Duration = Duration::from_secs(86_400);
const QUARTER: Duration = Duration::from_secs(900);

impl Runs {
    /// A zone of this kind.
    #[must_use]
    pub fn generate(&self, length: Duration, seed: u64, zone: u64) -> Trace {
        let mut stream = Stream::new(seed, Purpose::Trace, zone);
        let share = self.mean_up.0 as f64 / (self.mean_up + self.mean_down).0.max(1) as f64;
        let mut is_up = stream.chance(share);
        let (mut at, mut counts) = (Duration::ZERO, Vec::new());
        while at < length {
            counts.push((at, if is_up { self.count } else { 0 }));
            let mean = if is_up { self.mean_up } else { self.mean_down };
            at = at + heavy(&mut stream, mean, self.tail);
            is_up = !is_up;
        }
        Trace { counts, prices: Vec::new(), length }
    }
}

/// A span with this mean: a Pareto variable has the mean `tail / (tail - 1)`.
fn heavy(stream: &mut Stream, mean: Duration, tail: f64) -> Duration {
    let tail = tail.max(1.01);
    let span = mean.mul_f64(stream.pareto(tail) * (tail - 1.0) / tail);
    Duration(span.0.max(1))
}

impl Daily {
    /// A zone of this kind.
    #[must_use]
    pub fn generate(&self, length: Duration, seed: u64, zone: u64) -> Trace {
        let mut stream = Stream::new(seed, Purpose::Trace, zone);
        let n = (length.0 / QUARTER.0).max(1) as usize;
        let count = |tick: usize| {
            let noise = i64::try_from(stream.between(0, 2 * u64::from(self.noise))).unwrap_or(0)
                - i64::from(self.noise);
            let count = i64::from(self.usual(times(QUARTER, tick))) + noise;
            count.clamp(0, i64::from(self.most)) as u32
        };
        Trace::ticks(QUARTER, (0..n).map(count)).unwrap_or(Trace {
            counts: vec![(Duration::ZERO, self.most)],
            prices: Vec::new(),
            length,
        })
    }

    /// Down to the least in a straight line, and up again.
    fn usual(&self, at: Duration) -> u32 {
        let since = (at.0 + DAY.0 - self.busiest.0 % DAY.0) % DAY.0;
        let distance = since.min(DAY.0 - since) as f64 / (DAY.0 / 2) as f64;
        let width = f64::from(self.most.saturating_sub(self.least));
        self.least + (width * distance).round() as u32
    }
}

impl Outages {
    /// Takes everything from zones of one region at times that are the same for all of them.
    pub fn strike(&self, zones: &mut [Trace], seed: u64, region: u64) {
        let Some(length) = zones.iter().map(|zone| zone.length).max() else { return };
        // Streams of regions lie beyond those of zones.
        let mut stream = Stream::new(seed, Purpose::Trace, u64::MAX - region);
        let mut outages = Vec::new();
        let mut at = self.mean_between.mul_f64(stream.exponential());
        while at < length {
            let end = at + heavy(&mut stream, self.mean_length, self.tail);
            outages.push((at, end));
            at = end + self.mean_between.mul_f64(stream.exponential());
        }
        for zone in zones {
            zone.counts = without(zone, &outages);
        }
    }
}

fn without(zone: &Trace, outages: &[(Duration, Duration)]) -> Vec<(Duration, u32)> {
    let is_out = |at: Duration| outages.iter().any(|&(from, to)| from <= at && at < to);
    let mut times: Vec<Duration> = zone.counts.iter().map(|&(at, _)| at).collect();
    times.extend(outages.iter().flat_map(|&(from, to)| [from, to]));
    times.retain(|&at| at < zone.length);
    times.sort_unstable();
    times.dedup();
    let mut counts: Vec<(Duration, u32)> =
        times.into_iter().map(|at| (at, if is_out(at) { 0 } else { zone.count_at(at) })).collect();
    counts.dedup_by_key(|&mut (_, count)| count);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn hours(n: usize) -> Duration {
        times(HOUR, n)
    }

    fn share_up(trace: &Trace) -> f64 {
        let ends = trace.counts.iter().skip(1).map(|&(at, _)| at).chain([trace.length]);
        let spans = trace.counts.iter().zip(ends).filter(|((_, count), _)| *count > 0);
        let up: f64 = spans.map(|(&(from, _), to)| (to.0 - from.0) as f64).sum();
        up / trace.length.0 as f64
    }

    #[test]
    fn runs_have_the_share_that_their_means_say_and_a_heavy_tail() {
        let runs = Runs { count: 3, mean_up: hours(3), mean_down: HOUR, tail: 1.8 };
        let trace = runs.generate(hours(200_000), 1, 0);
        assert!((share_up(&trace) - 0.75).abs() < 0.05, "{}", share_up(&trace));
        let mut spans: Vec<u64> =
            trace.counts.windows(2).map(|pair| pair[1].0.0 - pair[0].0.0).collect();
        spans.sort_unstable();
        let (median, last) = (spans[spans.len() / 2], spans[spans.len() - 1]);
        assert!(last > 50 * median, "{last} is no heavy tail beside {median}");
        assert_eq!(runs.generate(hours(50), 7, 2), runs.generate(hours(50), 7, 2));
        assert_ne!(runs.generate(hours(50), 7, 2), runs.generate(hours(50), 7, 3));
    }

    #[test]
    fn days_have_their_least_when_they_are_busiest() {
        let daily = Daily { most: 20, least: 4, busiest: hours(14), noise: 0 };
        let trace = daily.generate(times(DAY, 2), 1, 0);
        assert_eq!([14, 2, 38, 8].map(|hour| trace.count_at(hours(hour))), [4, 20, 4, 12]);
    }

    #[test]
    fn an_outage_takes_all_zones_of_a_region_at_once() {
        let zone = || Trace::ticks(HOUR, vec![2; 5_000]).unwrap();
        let mut zones = vec![zone(), zone()];
        let outages = Outages { mean_between: hours(90), mean_length: hours(10), tail: 2.5 };
        outages.strike(&mut zones, 3, 0);
        assert_eq!(zones[0], zones[1]);
        assert!((share_up(&zones[0]) - 0.9).abs() < 0.06, "{}", share_up(&zones[0]));
    }
}
