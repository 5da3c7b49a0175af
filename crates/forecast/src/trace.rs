//! Recorded availability of a zone: the text of a trace file as values.
//!
//! Knows the form `{"metadata": {"gap_seconds": 195}, "data": [0, 1, null, …]}`: how many
//! instances were up at each step, `null` where that is not known. Who reads the file is not
//! known here; a simulator replays the same value.

use serde::Deserialize;

/// A zone's recorded past.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Seconds from one sample to the next.
    pub step_seconds: u32,
    /// Instances up at each step; none where that is not known.
    pub samples: Vec<Option<f64>>,
}

/// Why a text is no trace.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not the JSON that was expected.
    #[error("the trace is not valid")]
    Json(#[from] serde_json::Error),
    /// Steps take no time, or too much.
    #[error("gap_seconds is {0}, and must be a whole number from 1 to 86400")]
    Step(f64),
}

#[derive(Deserialize)]
struct File {
    metadata: Metadata,
    data: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Metadata {
    gap_seconds: f64,
}

/// Reads a trace. Counts below 0 are not known.
///
/// # Errors
/// The text is not a trace.
pub fn parse(text: &str) -> Result<Trace, Error> {
    let file: File = serde_json::from_str(text)?;
    let gap = file.metadata.gap_seconds;
    if !(1.0..=86_400.0).contains(&gap) || gap.fract() != 0.0 {
        return Err(Error::Step(gap));
    }
    let known = |sample: Option<f64>| sample.filter(|count| *count >= 0.0);
    Ok(Trace { step_seconds: gap as u32, samples: file.data.into_iter().map(known).collect() })
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

    #[test]
    fn gaps_and_counts_are_read() {
        let text = r#"{"metadata": {"gap_seconds": 195}, "data": [0, 4, null, -1]}"#;
        let trace = parse(text).expect("valid");
        assert_eq!(trace.step_seconds, 195);
        assert_eq!(trace.samples, [Some(0.0), Some(4.0), None, None]);
    }

    #[test]
    fn what_is_no_trace_is_refused() {
        assert!(parse("[]").is_err());
        assert!(parse(r#"{"metadata": {"gap_seconds": 0}, "data": []}"#).is_err());
        assert!(parse(r#"{"metadata": {"gap_seconds": 0.5}, "data": []}"#).is_err());
    }

    #[test]
    fn regions_are_in_the_names_of_clouds() {
        assert_eq!(region_of("us-east-1a_v100_1"), Some("us-east-1"));
        assert_eq!(region_of("us-central1-a_c3-88"), Some("us-central1"));
        assert_eq!(region_of("workstation"), None);
        assert_eq!(region_of("n1"), None);
    }
}
