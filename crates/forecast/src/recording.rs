//! What was measured in a zone: samples with absolute times, and what may be wrong with them.
//!
//! Knows measures, their units and the names of flaws. How samples become steps of a grid is in
//! [`grid`](crate::grid), what is done about flaws in [`tidy`](crate::tidy),
//! [`counter`](crate::counter) and [`unit_change`](crate::unit_change). Nothing measured, however
//! bad, is an error here: a flaw is named, and what cannot be trusted is unknown.

use serde::{Deserialize, Serialize};
use spec::Timestamp;

use crate::grid::{Grid, Method};
use crate::wait::Asked;
use crate::{grid, tidy, unit_change};

/// What a series measures.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Measure {
    /// Whether the zone can start and keep work: 1 or 0.
    Up,
    /// How many instances are up.
    Count,
    /// Share of the zone's cpus in use, 0 to 1.
    Cpu,
    /// Memory in use, in bytes.
    Memory,
    /// Bytes received per second.
    NetworkIn,
    /// Bytes sent per second.
    NetworkOut,
    /// Bytes read from disks per second.
    DiskRead,
    /// Bytes written to disks per second.
    DiskWrite,
    /// Space in use where the zone keeps its files, in bytes.
    Disk,
    /// Seconds from asking for capacity to having it.
    Wait,
    /// Price of one instance for an hour.
    Price,
    /// All memory that there is, in bytes.
    MemoryCapacity,
    /// The most bytes a second in each direction.
    NetworkCapacity,
    /// Anything else: an external series that may tell something about the others.
    Named(String),
}

/// The measures with a meaning of their own, and their names.
const KNOWN: [(Measure, &str); 13] = [
    (Measure::Up, "up"),
    (Measure::Count, "count"),
    (Measure::Cpu, "cpu"),
    (Measure::Memory, "memory"),
    (Measure::NetworkIn, "network_in"),
    (Measure::NetworkOut, "network_out"),
    (Measure::DiskRead, "disk_read"),
    (Measure::DiskWrite, "disk_write"),
    (Measure::Disk, "disk"),
    (Measure::Wait, "wait"),
    (Measure::Price, "price"),
    (Measure::MemoryCapacity, "memory_capacity"),
    (Measure::NetworkCapacity, "network_capacity"),
];

/// A text that names no measure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a measure is named by 1 to 64 lower-case letters, digits and `_`, a letter first: up, count, \
     cpu, memory, network_in, network_out, disk_read, disk_write, disk, wait, price, \
     memory_capacity, network_capacity, or a name of your own"
)]
pub struct NotAMeasure;

impl Measure {
    /// The name, as in files and options.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Named(name) => name,
            known => KNOWN.iter().find(|(measure, _)| measure == known).map_or("", |(_, n)| n),
        }
    }

    /// The unit of its values; of a series named by somebody else, none is known.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Up | Self::Cpu => "share",
            Self::Count => "instances",
            Self::Memory | Self::Disk | Self::MemoryCapacity => "B",
            Self::NetworkIn | Self::NetworkOut | Self::DiskRead | Self::DiskWrite => "B/s",
            Self::NetworkCapacity => "B/s",
            Self::Wait => "s",
            Self::Price => "1/h",
            Self::Named(_) => "",
        }
    }

    /// The least and the greatest value that it can have.
    #[must_use]
    pub fn bounds(&self) -> (f64, f64) {
        match self {
            Self::Up | Self::Cpu => (0.0, 1.0),
            Self::Named(_) => (f64::NEG_INFINITY, f64::INFINITY),
            Self::Price => (-1e12, 1e12),
            // More than any machine has: an exabyte, a petabyte a second, thirty years.
            Self::Memory | Self::Disk | Self::MemoryCapacity => (0.0, 1e18),
            Self::NetworkIn | Self::NetworkOut | Self::NetworkCapacity => (0.0, 1e15),
            Self::DiskRead | Self::DiskWrite => (0.0, 1e15),
            Self::Wait | Self::Count => (0.0, 1e9),
        }
    }

    /// The measure that says how much of this one there is in all, if there is one.
    #[must_use]
    pub fn capacity(&self) -> Option<Self> {
        match self {
            Self::Memory => Some(Self::MemoryCapacity),
            Self::NetworkIn | Self::NetworkOut => Some(Self::NetworkCapacity),
            _ => None,
        }
    }

    /// Whether it says how much there is, which is the same most of the time.
    #[must_use]
    pub fn is_capacity(&self) -> bool {
        matches!(self, Self::MemoryCapacity | Self::NetworkCapacity)
    }

    /// Whether what is recorded may be a total since some start, of which the change counts.
    #[must_use]
    pub fn may_be_counter(&self) -> bool {
        match self {
            Self::NetworkIn | Self::NetworkOut | Self::DiskRead | Self::DiskWrite => true,
            Self::Named(name) => name.ends_with("_total"),
            _ => false,
        }
    }
}

impl std::str::FromStr for Measure {
    type Err = NotAMeasure;

    fn from_str(text: &str) -> Result<Self, NotAMeasure> {
        if let Some((measure, _)) = KNOWN.iter().find(|(_, name)| *name == text) {
            return Ok(measure.clone());
        }
        let is_letter = |c: char| c.is_ascii_lowercase();
        let fits = text.len() <= 64
            && text.starts_with(is_letter)
            && text.chars().all(|c| is_letter(c) || c.is_ascii_digit() || c == '_');
        if fits { Ok(Self::Named(text.to_owned())) } else { Err(NotAMeasure) }
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Measure> for String {
    fn from(measure: Measure) -> Self {
        measure.name().to_owned()
    }
}

impl TryFrom<String> for Measure {
    type Error = NotAMeasure;

    fn try_from(text: String) -> Result<Self, NotAMeasure> {
        text.parse()
    }
}

/// One value at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// How much, in the unit of the measure.
    pub value: f64,
}

/// All that was measured of one thing in one zone, in the order in which it came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The zone.
    pub zone: String,
    /// What was measured.
    pub measure: Measure,
    /// Of waits, what had been asked for: other requests are other recordings.
    pub asked: Asked,
    /// The samples.
    pub samples: Vec<Sample>,
}

/// What is wrong with a recording, and what was done about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// Values that are no numbers, or infinite; left out.
    NotANumber {
        /// How many.
        count: usize,
    },
    /// Values that the measure cannot have, such as a share above 1; left out.
    OutOfRange {
        /// How many.
        count: usize,
    },
    /// Times before 1970 or after 2200, or a single stamp from which the clock came back; left out.
    BadTime {
        /// How many.
        count: usize,
    },
    /// Samples that came after later ones; put in order.
    OutOfOrder {
        /// How many.
        count: usize,
    },
    /// The clock was set back, and went on from there; both stretches were put in order.
    ClockJump {
        /// How often.
        count: usize,
    },
    /// Samples that are there twice; taken once.
    Duplicates {
        /// How many.
        count: usize,
    },
    /// Several values for one moment; the one that came last counts.
    Conflicts {
        /// How many.
        count: usize,
    },
    /// What is recorded is a total that began anew; counted on from 0.
    CounterReset {
        /// How often.
        count: usize,
    },
    /// From here on the values are greater by a factor that lies between units; what was before is
    /// unknown.
    UnitChanged {
        /// From when.
        at: Timestamp,
        /// By how much, roughly: 1000 also stands for 1024.
        factor: f64,
    },
    /// More steps than are ever needed; only the stretch with the most samples was kept.
    TooLong {
        /// Samples left out.
        count: usize,
    },
    /// Every sample has the same value: how it changes cannot be known.
    Constant,
    /// Steps of which nothing is known.
    Gaps {
        /// Of a hundred.
        percent: u32,
    },
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let either = |count: usize, one: &str, several: &str| match count {
            1 => format!("1 {one}"),
            n => format!("{n} {several}"),
        };
        let text = match *self {
            Self::NotANumber { count } => {
                either(count, "value is no number", "values are no numbers") + "; left out"
            }
            Self::OutOfRange { count } => {
                either(count, "value is", "values are") + " impossible for this measure; left out"
            }
            Self::BadTime { count } => {
                either(count, "time is", "times are")
                    + " impossible (before 1970, in the future, or far off the others); left out"
            }
            Self::OutOfOrder { count } => {
                either(count, "sample", "samples") + " came late; put in order"
            }
            Self::ClockJump { count } => {
                format!("the clock was set back {}", either(count, "time", "times"))
            }
            Self::Duplicates { count } => {
                either(count, "sample is", "samples are") + " there twice"
            }
            Self::Conflicts { count } => {
                either(count, "moment has", "moments have")
                    + " several values; what came last counts"
            }
            Self::CounterReset { count } => {
                format!("the counter began anew {}", either(count, "time", "times"))
            }
            Self::UnitChanged { factor, .. } => format!(
                "values changed by a factor of {factor}, as if the unit did; \
                 what was before is left out"
            ),
            Self::TooLong { count } => {
                let samples = either(count, "sample", "samples");
                format!("it spans too long a time; {samples} left out")
            }
            Self::Constant => "every value is the same".to_owned(),
            Self::Gaps { percent } => format!("{percent} % of the steps are missing"),
        };
        f.write_str(&text)
    }
}

/// A recording on a grid, and what was wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Gridded {
    /// The steps.
    pub grid: Grid,
    /// What was wrong.
    pub flaws: Vec<Flaw>,
}

impl Recording {
    /// Lays it on a grid of this step: prices as they hold, of what is up the least, all else as
    /// means. Values are taken as they are: what were readings of a counter has become its change per
    /// second before, see [`counter`](crate::counter).
    ///
    /// # Panics
    /// `step_seconds` is 0.
    #[must_use]
    pub fn grid(&self, step_seconds: u32) -> Gridded {
        let (mut samples, mut flaws) = tidy::tidy(&self.samples);
        let (min, max) = self.measure.bounds();
        flaws.extend(tidy::bound(&mut samples, min, max));
        if let Some(change) = unit_change::find(&samples) {
            samples.drain(..change.index);
            let (at, factor) = (samples[0].at, change.factor);
            flaws.push(Flaw::UnitChanged { at, factor });
        }
        flaws.extend(grid::shorten(&mut samples, step_seconds));
        let method = match &self.measure {
            Measure::Price | Measure::MemoryCapacity | Measure::NetworkCapacity => Method::Held,
            Measure::Up | Measure::Count => Method::Least,
            _ => Method::Mean,
        };
        let grid = grid::lay(&samples, step_seconds, method);
        let is_constant = samples.windows(2).all(|pair| pair[0].value.eq(&pair[1].value));
        let is_odd = samples.len() > 1 && is_constant && !self.measure.is_capacity();
        flaws.extend(is_odd.then_some(Flaw::Constant));
        let missing = grid.values.iter().filter(|value| value.is_none()).count();
        if missing > 0 {
            let percent = (100 * missing).div_ceil(grid.values.len()) as u32;
            flaws.push(Flaw::Gaps { percent });
        }
        Gridded { grid, flaws }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(measure: Measure, values: &[f64]) -> Recording {
        let at = |i: usize| Timestamp(1_700_000_100_000_000 + i as i64 * 300_000_000);
        let samples = values.iter().enumerate().map(|(i, &value)| Sample { at: at(i), value });
        Recording { zone: "z".into(), measure, asked: Asked::default(), samples: samples.collect() }
    }

    #[test]
    fn a_measure_is_named_as_it_is_read() {
        for (measure, name) in KNOWN {
            assert_eq!(name.parse(), Ok(measure.clone()));
            assert_eq!(measure.to_string(), name);
        }
        assert_eq!("queue_length".parse(), Ok(Measure::Named("queue_length".into())));
        for wrong in ["", "Cpu", "1x", "a b", "ä", &"x".repeat(65)] {
            assert_eq!(wrong.parse::<Measure>(), Err(NotAMeasure));
        }
    }

    #[test]
    fn flaws_are_told_as_people_count() {
        let told = |flaw: Flaw| flaw.to_string();
        assert_eq!(told(Flaw::NotANumber { count: 1 }), "1 value is no number; left out");
        assert_eq!(told(Flaw::Duplicates { count: 2 }), "2 samples are there twice");
        assert_eq!(told(Flaw::ClockJump { count: 1 }), "the clock was set back 1 time");
        assert!(told(Flaw::BadTime { count: 1 }).starts_with("1 time is impossible"));
    }

    #[test]
    fn a_rate_that_only_rises_is_a_rate() {
        let values: Vec<f64> = (0..60).map(f64::from).collect();
        let grid = recording(Measure::NetworkIn, &values).grid(300).grid;
        assert_eq!(grid.values, values.into_iter().map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn percent_taken_for_shares_is_left_out_and_said() {
        let gridded = recording(Measure::Cpu, &[0.5, 0.5, 0.5, 42.0, 0.25, -1.0]).grid(300);
        assert_eq!(gridded.flaws[0], Flaw::OutOfRange { count: 2 });
        assert_eq!(gridded.grid.values[2..], [Some(0.5), None, Some(0.25)]);
        assert_eq!(gridded.flaws[1], Flaw::Gaps { percent: 20 });
    }

    #[test]
    fn what_was_before_a_change_of_unit_is_unknown() {
        let mut values: Vec<f64> = (0..200).map(|i| 4e9 + f64::from(i % 17) * 1e8).collect();
        values.iter_mut().skip(80).for_each(|value| *value /= 1024.0);
        let gridded = recording(Measure::Memory, &values).grid(300);
        let at = Timestamp(1_700_000_100_000_000 + 80 * 300_000_000);
        assert_eq!(gridded.flaws, [Flaw::UnitChanged { at, factor: 1.0 / 1000.0 }]);
        assert_eq!(gridded.grid.values.len(), 120);
    }

    #[test]
    fn nothing_measured_is_an_empty_grid() {
        let gridded = recording(Measure::Cpu, &[]).grid(300);
        assert!(gridded.grid.values.is_empty() && gridded.flaws.is_empty());
        let gridded = recording(Measure::Cpu, &[f64::NAN]).grid(300);
        assert!(gridded.grid.values.is_empty());
        assert_eq!(gridded.flaws, [Flaw::NotANumber { count: 1 }]);
    }
}
