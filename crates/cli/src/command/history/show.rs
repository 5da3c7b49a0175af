//! `foreshard history show`: a table of series, or a plot of one.

use forecast::recording::{Flaw, Measure};
use forecast::tidy;
use journal::history::History;
use journal::history::series::Summary;
use observe::{store, time};
use report::printable::clipped;
use report::quantity::count;
use serde::Serialize;
use spec::{Duration, Timestamp};

use super::{chosen, open, plot, unusable};
use crate::args::HistoryShow;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run;
use crate::screen::{Screen, Tone};

/// A series, for programs.
#[derive(Serialize)]
struct Value {
    zone: String,
    measure: String,
    unit: String,
    source: String,
    samples: u64,
    first: String,
    last: String,
    step_seconds: f64,
    /// Of a hundred steps, as many are not known.
    gaps_percent: u32,
    warnings: Vec<Flaw>,
}

pub(super) fn show(args: &HistoryShow, screen: Screen) -> Result<Code, Failure> {
    let project = past_run::home(&args.project)?;
    let mut history = open(&project, screen)?;
    let series = chosen(&mut history, &args.series)?;
    if let ([one], false) = (&series[..], args.json)
        && let Ok(measure) = one.measure.parse::<Measure>()
    {
        let samples = store::read(&mut history, &one.zone, &measure, store::EVER)
            .map_err(|error| unusable(&error))?
            .samples;
        screen.print(&plot::plot(one, &samples, screen))?;
        return Ok(Code::Succeeded);
    }
    let mut values = Vec::with_capacity(series.len());
    for one in series {
        values.push(value(&mut history, one)?);
    }
    if args.json {
        screen.print_json(&values)?;
    } else {
        screen.print(&table(&values, screen))?;
    }
    Ok(Code::Succeeded)
}

fn value(history: &mut History, series: Summary) -> Result<Value, Failure> {
    let Summary { zone, measure, unit, source, count: samples, first_us, last_us } = series;
    let named: Measure = measure.parse().unwrap_or_else(|_| Measure::Named(measure.clone()));
    let recording =
        store::read(history, &zone, &named, store::EVER).map_err(|error| unusable(&error))?;
    let usual = tidy::usual_interval(&recording.samples) as f64 / 1e6;
    // Never finer than what is kept of the past.
    let gridded = recording.grid((usual.round() as u32).max(300));
    let gaps = gridded.flaws.iter().find_map(|flaw| match flaw {
        Flaw::Gaps { percent } => Some(*percent),
        _ => None,
    });
    Ok(Value {
        zone,
        measure,
        unit,
        source,
        samples,
        first: time::text(Timestamp(first_us)),
        last: time::text(Timestamp(last_us)),
        step_seconds: usual,
        gaps_percent: gaps.unwrap_or(0),
        warnings: gridded.flaws,
    })
}

fn table(values: &[Value], screen: Screen) -> String {
    let head = format!(
        "{:<20} {:<16} {:<9} {:>10} {:<16} {:<16} {:>7} {:>5}  {}",
        "ZONE", "MEASURE", "UNIT", "SAMPLES", "FROM (UTC)", "TO (UTC)", "STEP", "GAPS", "SOURCE"
    );
    let mut text = screen.datum(Tone::Faint, &head) + "\n";
    for value in values {
        let step = Duration::from_secs_f64(value.step_seconds);
        let n = usize::try_from(value.samples).unwrap_or(usize::MAX);
        text += &format!(
            "{:<20} {:<16} {:<9} {:>10} {:<16} {:<16} {:>7} {:>5}  {}\n",
            clipped(&value.zone, 20),
            clipped(&value.measure, 16),
            clipped(&value.unit, 9),
            count(n),
            minute(&value.first),
            minute(&value.last),
            if value.step_seconds > 0.0 { step.to_string() } else { "-".to_owned() },
            format!("{} %", value.gaps_percent),
            clipped(&value.source, 40),
        );
        for flaw in value.warnings.iter().filter(|flaw| !matches!(flaw, Flaw::Gaps { .. })) {
            text += &screen.datum(Tone::Doubtful, &format!("  {flaw}"));
            text.push('\n');
        }
    }
    text
}

/// A time without seconds, as tables show it.
pub(super) fn minute(text: &str) -> String {
    text.chars().take(16).collect::<String>().replace('T', " ")
}
