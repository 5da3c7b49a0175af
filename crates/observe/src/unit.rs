//! Units of measurements, brought to the unit of their measure.
//!
//! Knows the names of units and what they are multiplied by. Whether values are in the unit that is
//! said, `forecast::unit_change` doubts.

use forecast::recording::Measure;

/// A unit that does not fit the measure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{measure} is not measured in `{unit}`; use one of {known}")]
pub struct NotAUnit {
    /// Of what.
    pub measure: String,
    /// As written.
    pub unit: String,
    /// The ones that fit.
    pub known: String,
}

const SHARES: &[(&str, f64)] = &[("share", 1.0), ("percent", 0.01), ("%", 0.01)];
const COUNTS: &[(&str, f64)] = &[("instances", 1.0)];
const BYTES: &[(&str, f64)] = &[
    ("B", 1.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("TiB", 1_099_511_627_776.0),
];
const RATES: &[(&str, f64)] = &[
    ("B/s", 1.0),
    ("kB/s", 1e3),
    ("MB/s", 1e6),
    ("KiB/s", 1024.0),
    ("MiB/s", 1_048_576.0),
    ("bit/s", 0.125),
    ("kbit/s", 125.0),
    ("Mbit/s", 125_000.0),
    ("Gbit/s", 125_000_000.0),
    ("B", 1.0),
];
const SPANS: &[(&str, f64)] = &[("s", 1.0), ("ms", 1e-3), ("min", 60.0), ("h", 3600.0)];
const PRICES: &[(&str, f64)] = &[("1/h", 1.0), ("1/s", 3600.0)];

/// By what values in this unit are multiplied to be in that of the measure. Series of other names
/// have the unit they are given, and stay as they are.
///
/// # Errors
/// The unit is not one of the measure.
pub fn factor(measure: &Measure, unit: &str) -> Result<f64, NotAUnit> {
    let known = match measure {
        Measure::Named(_) => return Ok(1.0),
        Measure::Up | Measure::Cpu => SHARES,
        Measure::Count => COUNTS,
        Measure::Memory | Measure::Disk | Measure::MemoryCapacity => BYTES,
        // Bytes: what is counted in total becomes a rate later.
        Measure::NetworkIn | Measure::NetworkOut | Measure::DiskRead | Measure::DiskWrite => RATES,
        Measure::NetworkCapacity => RATES,
        Measure::Wait => SPANS,
        Measure::Price => PRICES,
    };
    let found = known.iter().find(|(name, _)| *name == unit);
    found.map(|(_, factor)| *factor).ok_or_else(|| NotAUnit {
        measure: measure.to_string(),
        unit: unit.to_owned(),
        known: known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_to_the_unit_of_their_measure() {
        let of = |measure, unit| factor(&measure, unit).map(f64::to_bits);
        assert_eq!(of(Measure::Cpu, "percent"), Ok(0.01_f64.to_bits()));
        assert_eq!(of(Measure::NetworkIn, "Mbit/s"), Ok(125e3_f64.to_bits()));
        assert_eq!(of(Measure::Named("x".into()), "apples"), Ok(1.0_f64.to_bits()));
        let error = factor(&Measure::Memory, "percent").unwrap_err();
        assert!(error.to_string().contains("use one of B, kB"), "{error}");
    }

    #[test]
    fn a_measure_knows_its_own_unit() {
        for name in
            ["up", "count", "cpu", "memory", "network_in", "disk_write", "disk", "wait", "price"]
        {
            let measure: Measure = name.parse().unwrap();
            assert_eq!(factor(&measure, measure.unit()).map(f64::to_bits), Ok(1_f64.to_bits()));
        }
    }
}
