//! What had been asked for, of waits: numbers, or texts as people and queues write sizes and spans.

use forecast::wait::Asked;
use spec::{Bytes, Duration};

/// The three sizes, as a file has them; empty where it has none.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Texts<'a> {
    pub(super) cpus: &'a str,
    pub(super) memory: &'a str,
    pub(super) walltime: &'a str,
}

/// Reads them; or what is wrong, and what to write instead.
pub(super) fn read(texts: Texts<'_>) -> Result<Asked, (String, &'static str)> {
    Ok(Asked {
        cpus: size(texts.cpus, "number of cpus", "write a number, as in 4 or 0.5", |_| None)?,
        memory: size(texts.memory, "size of memory", "write bytes, or as in 8GiB", bytes)?,
        walltime: size(
            texts.walltime,
            "span of time",
            "write seconds, or as in 2h, 1-12:00:00 or 00:30:00",
            seconds,
        )?,
    })
}

fn size(
    text: &str,
    what: &str,
    instead: &'static str,
    of_words: impl Fn(&str) -> Option<f64>,
) -> Result<Option<f64>, (String, &'static str)> {
    if matches!(text, "" | "null" | "NA" | "-") {
        return Ok(None);
    }
    let number = text.parse().ok().or_else(|| of_words(text));
    match number.filter(|number: &f64| number.is_finite() && *number > 0.0) {
        Some(number) => Ok(Some(number)),
        None => {
            let shown: String = text.chars().take(40).collect();
            Err((format!("`{shown}` is no {what}"), instead))
        }
    }
}

/// `8GiB`, or `8G` for each node or cpu as Slurm has it.
fn bytes(text: &str) -> Option<f64> {
    let text = text.trim_end_matches(['n', 'c']);
    let unit = text.chars().last()?;
    let bytes = match unit {
        'K' | 'M' | 'G' | 'T' => format!("{text}iB").parse::<Bytes>(),
        _ => text.parse::<Bytes>(),
    };
    bytes.ok().map(|bytes| bytes.0 as f64)
}

/// `2h30m`; or days, hours, minutes and seconds as Slurm has them.
fn seconds(text: &str) -> Option<f64> {
    if !text.contains(':') && !text.contains('-') {
        return text.parse::<Duration>().ok().map(Duration::as_secs_f64);
    }
    let (days, clock) = text.split_once('-').unwrap_or(("0", text));
    let parts: Option<Vec<f64>> = clock.split(':').map(|part| part.parse().ok()).collect();
    let of_clock = match (parts?.as_slice(), text.contains('-')) {
        (&[hours, minutes, seconds], _) => hours * 3600.0 + minutes * 60.0 + seconds,
        (&[hours, minutes], true) => hours * 3600.0 + minutes * 60.0,
        (&[minutes, seconds], false) => minutes * 60.0 + seconds,
        (&[hours], true) => hours * 3600.0,
        _ => return None,
    };
    Some(days.parse::<f64>().ok()? * 86_400.0 + of_clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_and_queues_write_them() {
        let of = |memory, walltime| {
            let asked = read(Texts { cpus: "4", memory, walltime }).unwrap();
            (asked.memory.unwrap_or(0.0) as u64, asked.walltime.unwrap_or(0.0) as u64)
        };
        for memory in ["8589934592", "8GiB", "8G", "8Gn", "8192M"] {
            assert_eq!(of(memory, "").0, 8 << 30, "{memory}");
        }
        for walltime in ["5400", "1h30m", "01:30:00", "0-01:30:00", "0-01:30", "90:00"] {
            assert_eq!(of("", walltime).1, 5400, "{walltime}");
        }
        assert_eq!(of("", "1-12").1, 129_600);
        for memory in ["much", "-4", "0", "NaN", "1e999"] {
            assert!(read(Texts { memory, ..Texts::default() }).is_err(), "{memory}");
        }
        let wrong = read(Texts { walltime: "UNLIMITED", ..Texts::default() }).unwrap_err();
        assert_eq!(wrong.0, "`UNLIMITED` is no span of time");
    }
}
