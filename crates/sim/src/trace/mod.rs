//! Recorded and generated availability: how many could be held in a zone, and at what price.
//!
//! Knows texts and values; who reads the file is not known here. Two forms are read: JSON
//! `{"metadata": {"gap_seconds": 195}, "data": [0, 1, null, …], "prices": […]}`, one count per gap,
//! and CSV with the columns `seconds,count` or `seconds,count,price`, one line per change.
//! What is not known counts as not there: a simulation must not live on gaps in the records.

mod generated;

use serde::Deserialize;
use spec::{Duration, Timestamp};

use crate::steps::Steps;

pub use generated::{Daily, Outages, Runs};

/// A zone over time. It begins at zero, and again when it is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// How many could be held, from a time on; the first from the begin.
    pub counts: Vec<(Duration, u32)>,
    /// Money per hour of one of them, from a time on; empty where the site gives the price.
    pub prices: Vec<(Duration, f64)>,
    /// How long it was recorded.
    pub length: Duration,
}

/// Why a text is no trace.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not the JSON that was expected.
    #[error("the trace is not the JSON that was expected")]
    Json(#[from] serde_json::Error),
    /// Steps take no time, or too much.
    #[error("gap_seconds is {0}, and must be from 0.001 to 86400")]
    Gap(f64),
    /// Nothing is recorded.
    #[error("the trace is empty")]
    Empty,
    /// A price for some samples and not for others.
    #[error("{prices} prices do not go with {counts} counts")]
    Prices {
        /// How many counts.
        counts: usize,
        /// How many prices.
        prices: usize,
    },
    /// A line that is not `seconds,count` or `seconds,count,price` after the line before.
    #[error(
        "line {0} must be `seconds,count` or `seconds,count,price`, with seconds that grow from 0"
    )]
    Line(usize),
}

#[derive(Deserialize)]
struct File {
    metadata: Metadata,
    data: Vec<Option<f64>>,
    #[serde(default)]
    prices: Vec<f64>,
}

#[derive(Deserialize)]
struct Metadata {
    gap_seconds: f64,
}

impl Trace {
    /// Reads either form.
    ///
    /// # Errors
    /// The text is not a trace.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with(['{', '[']) { Self::json(text) } else { Self::csv(text) }
    }

    fn json(text: &str) -> Result<Self, Error> {
        let File { metadata, data, prices } = serde_json::from_str(text)?;
        let gap = metadata.gap_seconds;
        if !(0.001..=86_400.0).contains(&gap) {
            return Err(Error::Gap(gap));
        }
        if !prices.is_empty() && prices.len() != data.len() {
            return Err(Error::Prices { counts: data.len(), prices: prices.len() });
        }
        let counts = data.into_iter().map(|sample| sample.map_or(0, |count| count.max(0.0) as u32));
        let gap = Duration::from_secs_f64(gap);
        let mut made = Self::ticks(gap, counts).ok_or(Error::Empty)?;
        made.prices =
            prices.into_iter().enumerate().map(|(i, price)| (times(gap, i), price)).collect();
        made.prices.dedup_by(|later, kept| later.1.to_bits() == kept.1.to_bits());
        Ok(made)
    }

    fn csv(text: &str) -> Result<Self, Error> {
        let (mut counts, mut prices) = (Vec::new(), Vec::new());
        let mut length = Duration::ZERO;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            let is_head = number == 1 && line.starts_with(|first: char| first.is_alphabetic());
            if line.is_empty() || line.starts_with('#') || is_head {
                continue;
            }
            let row = csv_row(line).ok_or(Error::Line(number))?;
            let at = Duration::from_secs_f64(row.0);
            let follows = counts.last().is_none_or(|&(before, _)| before < at);
            if !follows || counts.is_empty() && at != Duration::ZERO {
                return Err(Error::Line(number));
            }
            // The last line holds as long as the one before it.
            length = at + Duration(at.0 - length_before(&counts).0);
            counts.push((at, row.1));
            prices.extend(row.2.map(|price| (at, price)));
        }
        if !prices.is_empty() && prices.len() != counts.len() {
            return Err(Error::Prices { counts: counts.len(), prices: prices.len() });
        }
        let length = if length == Duration::ZERO { Duration::from_secs(1) } else { length };
        if counts.is_empty() { Err(Error::Empty) } else { Ok(Self { counts, prices, length }) }
    }

    /// One count per `gap`; none if there are none.
    #[must_use]
    pub fn ticks(gap: Duration, counts: impl IntoIterator<Item = u32>) -> Option<Self> {
        let mut changes: Vec<(Duration, u32)> = Vec::new();
        let mut n = 0;
        for count in counts {
            if changes.last().is_none_or(|&(_, last)| last != count) {
                changes.push((times(gap, n), count));
            }
            n += 1;
        }
        (n > 0).then(|| Self { counts: changes, prices: Vec::new(), length: times(gap, n) })
    }

    /// How many could be held at a time within the trace.
    #[must_use]
    pub fn count_at(&self, at: Duration) -> u32 {
        let after = self.counts.partition_point(|&(change, _)| change <= at);
        self.counts.get(after.saturating_sub(1)).map_or(0, |&(_, count)| count)
    }

    /// Room over time from `start` on, a count being `each` allocations, so many times over.
    #[must_use]
    pub fn available(&self, start: Timestamp, each: u32, rounds: u32) -> Steps<u32> {
        self.steps(&self.counts, start, rounds, |count| count.saturating_mul(each))
    }

    /// The price over time; none where the trace says nothing of it.
    #[must_use]
    pub fn price(&self, start: Timestamp, rounds: u32) -> Option<Steps<f64>> {
        (!self.prices.is_empty()).then(|| self.steps(&self.prices, start, rounds, |price| price))
    }

    fn steps<T: Copy + PartialEq>(
        &self,
        changes: &[(Duration, T)],
        start: Timestamp,
        rounds: u32,
        value: impl Fn(T) -> T,
    ) -> Steps<T> {
        let round = |n: u32| start + times(self.length, n as usize);
        let all = (0..rounds.max(1))
            .flat_map(|n| changes.iter().map(move |&(at, value)| (round(n) + at, value)));
        Steps::new(all.map(|(at, counted)| (at, value(counted))))
    }
}

/// So many spans, one after the other.
pub(crate) fn times(span: Duration, n: usize) -> Duration {
    Duration(span.0.saturating_mul(n as u64))
}

fn length_before(counts: &[(Duration, u32)]) -> Duration {
    counts.last().map_or(Duration::ZERO, |&(at, _)| at)
}

fn csv_row(line: &str) -> Option<(f64, u32, Option<f64>)> {
    let mut cells = line.split(',').map(str::trim);
    let seconds: f64 = cells.next()?.parse().ok()?;
    let count = match cells.next()? {
        "" => 0,
        count => count.parse().ok()?,
    };
    let price = cells.next().map(str::parse::<f64>).transpose().ok()?;
    let is_sound = seconds.is_finite() && seconds >= 0.0 && price.is_none_or(f64::is_finite);
    (is_sound && cells.next().is_none()).then_some((seconds, count, price))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn both_forms_say_the_same() {
        let json = r#"{"metadata": {"gap_seconds": 10}, "data": [0, 2, 2, null, -1, 1]}"#;
        let csv = "seconds,count\n0,0\n10,2\n30,\n50,1\n";
        let (json, csv) = (Trace::parse(json).unwrap(), Trace::parse(csv).unwrap());
        assert_eq!(json.counts, csv.counts);
        assert_eq!(json.counts, [(0, 0), (10, 2), (30, 0), (50, 1)].map(|(s, n)| (seconds(s), n)));
        assert_eq!((json.length, csv.length), (seconds(60), seconds(70)));
        assert_eq!([0, 29, 30, 59].map(|s| json.count_at(seconds(s))), [0, 2, 0, 1]);
    }

    #[test]
    fn prices_go_with_counts() {
        let json = r#"{"metadata": {"gap_seconds": 60}, "data": [1, 1, 1], "prices": [3, 3, 2.5]}"#;
        let trace = Trace::parse(json).unwrap();
        assert_eq!(trace.prices, [(seconds(0), 3.0), (seconds(120), 2.5)]);
        let price = trace.price(Timestamp(0), 2).unwrap();
        assert_eq!([0, 120, 180].map(|s| price.at(Timestamp(0) + seconds(s))), [3.0, 2.5, 3.0]);
        assert!(matches!(
            Trace::parse(r#"{"metadata": {"gap_seconds": 60}, "data": [1], "prices": [1, 2]}"#),
            Err(Error::Prices { counts: 1, prices: 2 })
        ));
    }

    #[test]
    fn a_trace_begins_again_when_it_is_over_and_a_count_stands_for_several() {
        let trace = Trace::ticks(seconds(10), [1, 0]).unwrap();
        let room = trace.available(Timestamp(0), 4, 2);
        let at = |s| room.at(Timestamp(0) + seconds(s));
        assert_eq!([0, 10, 20, 30, 99].map(at), [4, 0, 4, 0, 0]);
    }

    #[test]
    fn what_is_no_trace_is_refused_with_its_line() {
        for text in ["[]", r#"{"metadata": {"gap_seconds": 0}, "data": [1]}"#, "", "seconds,count"]
        {
            assert!(Trace::parse(text).is_err(), "{text}");
        }
        for text in ["0,1\n0,2", "5,1", "0,1\n3", "0,1\n4,x", "0,1\nnan,1", "0,1\n9,1,2,3"] {
            let number = text.lines().count();
            assert!(
                matches!(Trace::parse(text), Err(Error::Line(line)) if line == number),
                "{text}"
            );
        }
    }
}
