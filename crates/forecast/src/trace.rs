//! Recorded availability of a zone: the text of a trace file as values.
//!
//! Knows the two forms of such a file: JSON `{"metadata": {"gap_seconds": 195}, "data": [0, 1, null, …],
//! "prices": […]}`, one count per gap, and CSV with the columns `seconds,count` or `seconds,count,price`,
//! one line per change. A count that is `null`, empty or below 0 is not known, and stays so. Who reads the
//! file is not known here. A predictor takes a [`Trace`], even steps; a simulator the [`Recorded`] changes.

use serde::Deserialize;
use spec::Duration;

use crate::grid::STEPS_MAX;

/// A zone's recorded past in even steps, as predictors take it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Seconds from one sample to the next.
    pub step_seconds: u32,
    /// Instances up at each step; none where that is not known.
    pub samples: Vec<Option<f64>>,
}

/// What a file of a trace says, in whatever steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// How many instances were up, from a time on; none where that is not known. The first is at 0.
    pub counts: Vec<(Duration, Option<f64>)>,
    /// Money per hour of one of them, from a time on; empty where the file says nothing of it.
    pub prices: Vec<(Duration, f64)>,
    /// How long it was recorded.
    pub length: Duration,
    /// How far apart samples are, where there is one per gap.
    pub gap: Option<Duration>,
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
    /// A predictor needs steps of whole seconds.
    #[error("gap_seconds is {0}, and must be a whole number from 1 to 86400")]
    Step(f64),
    /// No predictor looks at so many steps.
    #[error("it is longer than {STEPS_MAX} steps of {0} s")]
    Long(f64),
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

/// The steps in which changes are sampled that were not recorded in steps, in seconds.
const STEP_OF_CHANGES: u32 = 300;

/// Reads a trace for a predictor: in the steps in which it was recorded, or in steps of 5 minutes.
///
/// # Errors
/// The text is not a trace, its steps are not whole seconds, or there are more than are ever needed.
pub fn parse(text: &str) -> Result<Trace, Error> {
    let recorded = read(text)?;
    let seconds = recorded.gap.map_or(f64::from(STEP_OF_CHANGES), Duration::as_secs_f64);
    if seconds < 1.0 || seconds.fract() != 0.0 {
        return Err(Error::Step(seconds));
    }
    if recorded.length.as_secs_f64() > STEPS_MAX as f64 * seconds {
        return Err(Error::Long(seconds));
    }
    Ok(recorded.sampled(seconds as u32))
}

/// Reads either form.
///
/// # Errors
/// The text is not a trace.
pub fn read(text: &str) -> Result<Recorded, Error> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with(['{', '[']) { json(text) } else { csv(text) }
}

impl Recorded {
    /// In even steps: what was there at the begin of each.
    #[must_use]
    pub fn sampled(&self, step_seconds: u32) -> Trace {
        let step = Duration::from_secs(u64::from(step_seconds.max(1)));
        let n = self.length.0.div_ceil(step.0) as usize;
        let mut samples = Vec::with_capacity(n);
        let mut next = 0;
        let mut count = None;
        for i in 0..n {
            while self.counts.get(next).is_some_and(|&(at, _)| at <= times(step, i)) {
                count = self.counts[next].1;
                next += 1;
            }
            samples.push(count);
        }
        Trace { step_seconds: step_seconds.max(1), samples }
    }
}

fn json(text: &str) -> Result<Recorded, Error> {
    let File { metadata, data, prices } = serde_json::from_str(text)?;
    let seconds = metadata.gap_seconds;
    if !(0.001..=86_400.0).contains(&seconds) {
        return Err(Error::Gap(seconds));
    }
    if data.is_empty() {
        return Err(Error::Empty);
    }
    if !prices.is_empty() && prices.len() != data.len() {
        return Err(Error::Prices { counts: data.len(), prices: prices.len() });
    }
    let gap = Duration::from_secs_f64(seconds);
    let length = times(gap, data.len());
    let known = data.into_iter().map(|sample| sample.filter(|count| *count >= 0.0));
    let mut counts: Vec<_> = known.enumerate().map(|(i, count)| (times(gap, i), count)).collect();
    counts.dedup_by(|later, kept| later.1.map(f64::to_bits) == kept.1.map(f64::to_bits));
    let mut prices: Vec<_> =
        prices.into_iter().enumerate().map(|(i, price)| (times(gap, i), price)).collect();
    prices.dedup_by(|later, kept| later.1.to_bits() == kept.1.to_bits());
    Ok(Recorded { counts, prices, length, gap: Some(gap) })
}

fn csv(text: &str) -> Result<Recorded, Error> {
    let (mut counts, mut prices) = (Vec::new(), Vec::new());
    let (mut last, mut held) = (Duration::ZERO, Duration::ZERO);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        let is_head = number == 1 && line.starts_with(|first: char| first.is_alphabetic());
        if line.is_empty() || line.starts_with('#') || is_head {
            continue;
        }
        let (seconds, count, price) = csv_row(line).ok_or(Error::Line(number))?;
        let at = Duration::from_secs_f64(seconds);
        let follows = if counts.is_empty() { at == Duration::ZERO } else { at > last };
        if !follows {
            return Err(Error::Line(number));
        }
        held = Duration(at.0 - last.0);
        last = at;
        counts.push((at, count));
        prices.extend(price.map(|price| (at, price)));
    }
    if counts.is_empty() {
        return Err(Error::Empty);
    }
    if !prices.is_empty() && prices.len() != counts.len() {
        return Err(Error::Prices { counts: counts.len(), prices: prices.len() });
    }
    // The last line holds as long as the one before it.
    let length = last + if held == Duration::ZERO { Duration::from_secs(1) } else { held };
    Ok(Recorded { counts, prices, length, gap: None })
}

fn csv_row(line: &str) -> Option<(f64, Option<f64>, Option<f64>)> {
    let mut cells = line.split(',').map(str::trim);
    let seconds: f64 = cells.next()?.parse().ok()?;
    let count = match cells.next()? {
        "" => None,
        count => Some(count.parse::<f64>().ok()?),
    };
    let price = cells.next().map(str::parse::<f64>).transpose().ok()?;
    let is_sound = seconds.is_finite()
        && seconds >= 0.0
        && count.is_none_or(f64::is_finite)
        && price.is_none_or(f64::is_finite);
    let known = count.filter(|count| *count >= 0.0);
    (is_sound && cells.next().is_none()).then_some((seconds, known, price))
}

/// So many spans, one after the other.
fn times(span: Duration, n: usize) -> Duration {
    Duration(span.0.saturating_mul(n as u64))
}

/// The region that is in the name of a cloud's zone: `us-east-1` of `us-east-1a` and of
/// `us-east-1a_v100_1`; none where there is no such name.
#[must_use]
pub fn region_of(zone: &str) -> Option<&str> {
    let place = zone.split('_').next()?;
    let region = place.strip_suffix(|letter: char| letter.is_ascii_lowercase())?;
    let region = region.strip_suffix('-').unwrap_or(region);
    region.ends_with(|digit: char| digit.is_ascii_digit()).then_some(region)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn gaps_and_counts_are_read() {
        let text = r#"{"metadata": {"gap_seconds": 195}, "data": [0, 4, null, -1]}"#;
        let trace = parse(text).expect("valid");
        assert_eq!(trace.step_seconds, 195);
        assert_eq!(trace.samples, [Some(0.0), Some(4.0), None, None]);
    }

    #[test]
    fn both_forms_say_the_same() {
        let json = r#"{"metadata": {"gap_seconds": 10}, "data": [0, 2, 2, null, -1, 1]}"#;
        let csv = "seconds,count\n0,0\n10,2\n30,\n50,1\n";
        let (json, csv) = (read(json).unwrap(), read(csv).unwrap());
        assert_eq!(json.counts, csv.counts);
        let said = [(0, Some(0.0)), (10, Some(2.0)), (30, None), (50, Some(1.0))];
        assert_eq!(json.counts, said.map(|(s, n)| (seconds(s), n)));
        assert_eq!((json.length, csv.length), (seconds(60), seconds(70)));
        assert_eq!(
            json.sampled(10),
            Trace { samples: csv.sampled(10).samples[..6].to_vec(), ..csv.sampled(10) }
        );
    }

    #[test]
    fn changes_are_sampled_where_steps_begin() {
        let trace = parse("0,1\n299,3\n300,\n901,2\n").unwrap();
        assert_eq!(trace.step_seconds, 300);
        // The last line holds for 601 s, until 1502 s.
        let samples = [Some(1.0), None, None, None, Some(2.0), Some(2.0)];
        assert_eq!(trace.samples, samples);
    }

    #[test]
    fn prices_go_with_counts() {
        let json = r#"{"metadata": {"gap_seconds": 60}, "data": [1, 1, 1], "prices": [3, 3, 2.5]}"#;
        assert_eq!(read(json).unwrap().prices, [(seconds(0), 3.0), (seconds(120), 2.5)]);
        assert!(matches!(
            read(r#"{"metadata": {"gap_seconds": 60}, "data": [1], "prices": [1, 2]}"#),
            Err(Error::Prices { counts: 1, prices: 2 })
        ));
    }

    #[test]
    fn what_is_no_trace_is_refused_with_its_line() {
        for text in ["[]", r#"{"metadata": {"gap_seconds": 0}, "data": [1]}"#, "", "seconds,count"]
        {
            assert!(read(text).is_err(), "{text}");
        }
        let short = r#"{"metadata": {"gap_seconds": 0.5}, "data": [1]}"#;
        assert!(read(short).is_ok() && matches!(parse(short), Err(Error::Step(_))));
        let long = "seconds,count\n0,1\n1e12,0\n";
        assert!(read(long).is_ok() && matches!(parse(long), Err(Error::Long(_))));
        for text in ["0,1\n0,2", "5,1", "0,1\n3", "0,1\n4,x", "0,1\nnan,1", "0,1\n9,1,2,3"] {
            let number = text.lines().count();
            assert!(matches!(read(text), Err(Error::Line(line)) if line == number), "{text}");
        }
    }

    #[test]
    fn regions_are_in_the_names_of_clouds() {
        assert_eq!(region_of("us-east-1a_v100_1"), Some("us-east-1"));
        assert_eq!(region_of("us-central1-a_c3-88"), Some("us-central1"));
        assert_eq!(region_of("workstation"), None);
        assert_eq!(region_of("n1"), None);
    }
}
