//! The site's own runs that come back: when they start, how long they take, how much they hold.
//!
//! Knows past runs by name. What started at least three times at the same minutes past the hour,
//! time of day or time of the week, give or take, is expected to start again, as often as it did
//! in the periods since its first time. Starts are taken by the clock on the wall: a nightly run
//! stays one when the clock is put forward. What has no rhythm is left to the models.

use std::collections::BTreeMap;

use spec::Timestamp;

use crate::local_clock::LocalClock;

/// Starts that make a rhythm.
const SEEN_LEAST: usize = 3;
/// The latest starts of a name that are looked at.
const STARTS: usize = 500;
/// Weeks that are looked back.
const WEEKS: i64 = 10;
/// How many of its periods a run must have come in.
const OFTEN: f64 = 0.4;
/// A rhythm must explain so much of the starts, each by how often it comes.
const EXPLAINED: f64 = 0.3;
/// A longer period must explain so much more of the starts.
const MARGIN: f64 = 0.1;

/// Periods in seconds, and the widest gap between starts of one cluster.
const PERIODS: [(i64, i64); 3] = [(3600, 420), (86_400, 5400), (604_800, 7200)];

/// A run of the past.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// What it is a run of.
    pub name: String,
    /// When it began.
    pub start: Timestamp,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Cpus that it held on the mean.
    pub cpus: f64,
    /// Bytes of memory that it held.
    pub memory: f64,
}

/// A rhythm: what starts once in each period, perhaps.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// What it is a run of.
    pub name: String,
    /// Seconds from one start to the next, by the clock on the wall.
    pub period: i64,
    /// The usual start within a period, in such seconds.
    pub phase: i64,
    /// How often it comes, of all periods.
    pub probability: f64,
    /// Cpus while it runs: the median.
    pub cpus: f64,
    /// Bytes of memory while it runs: the median.
    pub memory: f64,
    /// Of each time: seconds after the usual start, and how long it took.
    pub seen: Vec<(i64, f64)>,
}

/// What is expected to be held at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Demand {
    /// Cpus, on the mean.
    pub cpus: f64,
    /// Bytes of memory, on the mean.
    pub memory: f64,
    /// Probability that at least one of the runs is under way.
    pub probability: f64,
}

/// The rhythms of the runs that began before `until`, by name, then by start.
#[must_use]
pub fn learn(runs: &[Run], until: Timestamp, clock: &LocalClock) -> Vec<Pattern> {
    let from = until.0.saturating_sub(WEEKS * 604_800 * 1_000_000);
    let mut names: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    let sound = |run: &&Run| run.seconds.is_finite() && run.seconds > 0.0 && run.cpus >= 0.0;
    for run in runs.iter().filter(|run| (from..until.0).contains(&run.start.0)).filter(sound) {
        names.entry(&run.name).or_default().push(run);
    }
    let now = clock.civil(until);
    names.into_values().flat_map(|runs| rhythm(runs, now, clock)).collect()
}

/// The rhythm that explains most of the starts of one name.
fn rhythm(mut runs: Vec<&Run>, now: i64, clock: &LocalClock) -> Vec<Pattern> {
    runs.sort_by_key(|run| run.start);
    runs.drain(..runs.len().saturating_sub(STARTS));
    let starts: Vec<i64> = runs.iter().map(|run| clock.civil(run.start)).collect();
    let mut best = (EXPLAINED, Vec::new());
    for (period, gap) in PERIODS {
        let found: Vec<Pattern> = clusters(&starts, period, gap)
            .into_iter()
            .filter_map(|members| pattern(&runs, &starts, &members, period, now))
            .collect();
        let explained: f64 =
            found.iter().map(|one| one.probability * one.seen.len() as f64).sum::<f64>();
        let score = explained / runs.len() as f64;
        if score > best.0 {
            best = (score + MARGIN, found);
        }
    }
    best.1
}

/// Starts that lie together within a period, round its end, too.
fn clusters(starts: &[i64], period: i64, gap: i64) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..starts.len()).collect();
    let phase = |i: usize| starts[i].rem_euclid(period);
    order.sort_by_key(|&i| (phase(i), i));
    let mut found: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match found.last_mut() {
            Some(last) if phase(i) - phase(last[last.len() - 1]) <= gap => last.push(i),
            _ => found.push(vec![i]),
        }
    }
    if let [first, .., last] = &found[..]
        && phase(first[0]) + period - phase(last[last.len() - 1]) <= gap
    {
        let joined = found.pop().unwrap_or_default();
        found[0].splice(0..0, joined);
    }
    found
}

fn pattern(
    runs: &[&Run],
    starts: &[i64],
    members: &[usize],
    period: i64,
    now: i64,
) -> Option<Pattern> {
    let middle = starts[members[members.len() / 2]].rem_euclid(period);
    let offset = |&i: &usize| {
        let off = (starts[i] - middle).rem_euclid(period);
        if off > period / 2 { off - period } else { off }
    };
    let mut offsets: Vec<i64> = members.iter().map(offset).collect();
    offsets.sort_unstable();
    let n = offsets.len();
    let spread = offsets[n - 1 - n / 10] - offsets[n / 10];
    // The periods in which it came, of those since its first time that are over.
    let index = |i: &usize| (starts[*i] - middle + period / 2).div_euclid(period);
    let mut came: Vec<i64> = members.iter().map(index).collect();
    came.sort_unstable();
    came.dedup();
    let latest = (now - middle - offsets[n - 1]).div_euclid(period);
    let could = (latest.max(came[came.len() - 1]) - came[0] + 1) as f64;
    let probability = (came.len() as f64 / could).min(1.0);
    // So many starts would lie as close together by chance, were all spread evenly.
    let by_chance = runs.len() as f64 * (offsets[n - 1] - offsets[0]) as f64 / period as f64;
    if (n as f64) < by_chance + 3.0 * by_chance.sqrt() {
        return None;
    }
    if came.len() < SEEN_LEAST || spread > period / 6 || probability < OFTEN {
        return None;
    }
    // As if it had failed to come once in as many periods as were seen, and one more.
    let probability = came.len() as f64 / (could + 1.0 / could);
    let median = |value: fn(&Run) -> f64| {
        let mut values: Vec<f64> = members.iter().map(|&i| value(runs[i])).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Some(Pattern {
        name: runs[members[0]].name.clone(),
        period,
        phase: middle,
        probability,
        cpus: median(|run| run.cpus),
        memory: median(|run| run.memory),
        seen: members.iter().map(|i| (offset(i), runs[*i].seconds)).collect(),
    })
}

impl Pattern {
    /// Probability that it is under way at a moment.
    #[must_use]
    pub fn at(&self, at: Timestamp, clock: &LocalClock) -> f64 {
        let civil = clock.civil(at);
        let longest = self.seen.iter().map(|seen| seen.0 + seen.1 as i64).max().unwrap_or(0);
        let last = (civil - self.phase + self.period / 2).div_euclid(self.period);
        let first = (civil - self.phase - longest).div_euclid(self.period);
        let mut idle = 1.0;
        // No run is so long that more than a hundred of its kind are under way.
        for index in first.max(last - 100)..=last {
            let usual = self.phase + index * self.period;
            let holds = |&&(offset, seconds): &&(i64, f64)| {
                let ran = (civil - usual - offset) as f64;
                (0.0..seconds).contains(&ran)
            };
            let share = self.seen.iter().filter(holds).count() as f64 / self.seen.len() as f64;
            idle *= 1.0 - self.probability * share;
        }
        1.0 - idle
    }
}

/// What all rhythms together are expected to hold at a moment.
#[must_use]
pub fn demand(patterns: &[Pattern], at: Timestamp, clock: &LocalClock) -> Demand {
    let mut demand = Demand { probability: 1.0, ..Demand::default() };
    for pattern in patterns {
        let p = pattern.at(at, clock);
        demand.cpus += p * pattern.cpus;
        demand.memory += p * pattern.memory;
        demand.probability *= 1.0 - p;
    }
    demand.probability = 1.0 - demand.probability;
    demand
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Stream;

    const HOUR: i64 = 3600;
    /// Monday, 2026-01-05 00:00 UTC.
    const MONDAY: i64 = 1_767_571_200;

    fn run(name: &str, second: i64, seconds: f64) -> Run {
        let start = Timestamp((MONDAY + second) * 1_000_000);
        Run { name: name.to_owned(), start, seconds, cpus: 16.0, memory: 64e9 }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp((MONDAY + second) * 1_000_000)
    }

    /// Every night at two, give or take ten minutes, for three hours.
    fn nightly(days: i64) -> Vec<Run> {
        let mut stream = Stream::new(1);
        (0..days)
            .map(|day| {
                let jitter = (1200.0 * stream.uniform()) as i64 - 600;
                run("nightly", day * 24 * HOUR + 2 * HOUR + jitter, 3.0 * 3600.0)
            })
            .collect()
    }

    #[test]
    fn a_nightly_run_is_found_and_expected_at_night() {
        let runs = nightly(12);
        let utc = LocalClock::utc();
        let patterns = learn(&runs, at(12 * 24 * HOUR), &utc);
        assert_eq!(patterns.len(), 1);
        assert_eq!(patterns[0].period, 24 * HOUR);
        let demand = |hour: i64| demand(&patterns, at((12 * 24 + hour) * HOUR), &utc);
        assert!(demand(3).probability > 0.85 && demand(3).cpus > 13.0, "{:?}", demand(3));
        assert_eq!([demand(0).cpus, demand(12).cpus], [0.0; 2]);
    }

    #[test]
    fn rhythms_of_an_hour_and_of_a_week_are_told_from_those_of_a_day() {
        let utc = LocalClock::utc();
        let period = |starts: Vec<i64>, until: i64| {
            let runs: Vec<Run> = starts.iter().map(|&s| run("x", s, 300.0)).collect();
            let found = learn(&runs, at(until), &utc);
            found.iter().map(|one| one.period / HOUR).collect::<Vec<_>>()
        };
        assert_eq!(period((0..60).map(|i| i * HOUR + 900).collect(), 60 * HOUR), [1]);
        assert_eq!(period((0..5).map(|i| i * 168 * HOUR + 900).collect(), 5 * 168 * HOUR), [168]);
        let twice = (0..20).map(|i| (i / 2) * 24 * HOUR + (i % 2) * 9 * HOUR).collect();
        assert_eq!(period(twice, 240 * HOUR), [24, 24]);
        let workdays = (0..35).filter(|i| i % 7 < 5).map(|i| i * 24 * HOUR).collect();
        assert_eq!(period(workdays, 35 * 24 * HOUR), [168; 5], "each workday is one a week");
    }

    #[test]
    fn what_has_no_rhythm_or_came_twice_or_has_stopped_is_not_expected() {
        let utc = LocalClock::utc();
        let mut stream = Stream::new(2);
        let any: Vec<Run> = (0..60)
            .map(|_| run("any", (stream.uniform() * 30.0 * 86_400.0) as i64, 600.0))
            .collect();
        assert_eq!(learn(&any, at(30 * 24 * HOUR), &utc), []);
        assert_eq!(learn(&nightly(2), at(2 * 24 * HOUR), &utc), []);
        assert_eq!(learn(&nightly(8), at(40 * 24 * HOUR), &utc), []);
    }

    #[test]
    fn a_night_that_is_missed_now_and_then_lowers_the_probability() {
        let runs: Vec<Run> =
            nightly(20).into_iter().enumerate().filter(|(i, _)| i % 4 != 1).map(|i| i.1).collect();
        let found = learn(&runs, at(20 * 24 * HOUR), &LocalClock::utc());
        assert_eq!(found.len(), 1);
        assert!((found[0].probability - 0.75).abs() < 0.05, "{}", found[0].probability);
    }

    #[test]
    fn nights_stay_nights_when_the_clock_is_put_forward() {
        // The clock goes an hour ahead on the tenth day.
        let change = MONDAY + 10 * 24 * HOUR;
        let clock = LocalClock::new(0, vec![(change, 3600)]);
        let patterns = learn(&nightly(10), at(10 * 24 * HOUR), &clock);
        let probability = |hour: f64| {
            let second = (10 * 24 * HOUR) as f64 + hour * 3600.0;
            demand(&patterns, at(second as i64), &clock).probability
        };
        // From two to five on the wall is from one to four in UTC.
        assert!(probability(1.25) > 0.8 && probability(4.25) == 0.0);
    }
}
