//! `foreshard history import`: all of it or nothing, and every mistake at once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::Read;
use std::path::Path;

use forecast::recording::{Flaw, Measure, Recording, Sample};
use forecast::wait::Asked;
use journal::history::History;
use journal::history::series::Taken;
use observe::feed::{self, Limits, Unheard};
use observe::file::{self, Found, Reading};
use observe::prometheus::{self, Query, Series};
use observe::store::{self, Incoming, Kind, Tidied};
use observe::time;
use report::printable::printable;
use report::quantity::{count, plural};
use serde::Serialize;
use spec::{Duration, Timestamp};

use super::{open, unusable};
use crate::args::HistoryImport;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run;
use crate::screen::{Screen, Tone};

/// The largest file that is read.
const FILE_MAX: u64 = 1 << 30;

/// Mistakes that are told; the others are counted.
const TOLD_MAX: usize = 30;

/// Clocks may differ by so much before a sample counts as of the future.
const AHEAD: Duration = Duration::from_secs(86_400);

pub(super) fn import(args: &HistoryImport, screen: Screen) -> Result<Code, Failure> {
    let project = past_run::home(&args.project)?;
    let incoming = match &args.asked.prometheus {
        Some(address) => asked(args, address)?,
        None => from_files(args, screen)?,
    };
    let incoming = bounded(incoming, args)?;
    let latest = time::now() + AHEAD;
    let tidied: Vec<Tidied> = incoming.into_iter().map(|one| store::tidied(one, latest)).collect();
    let mut history = open(&project, screen)?;
    check(&mut history, &tidied)?;
    let taken = store::put(&mut history, &tidied).map_err(|error| unusable(&error))?;
    tell(args.json, &tidied, &taken, screen)?;
    Ok(Code::Succeeded)
}

fn from_files(args: &HistoryImport, screen: Screen) -> Result<Vec<Incoming>, Failure> {
    let reading = Reading {
        zone: args.series.zone.clone(),
        measure: args.series.measure.clone(),
        unit: args.unit.clone(),
        start: args.start,
        step: args.step,
        is_open: false,
    };
    let (mut incoming, mut mistakes) = (Vec::new(), Vec::new());
    for path in &args.files {
        let text = text_of(path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        match file::read(&text, &name, &reading) {
            Ok(found) => {
                let source = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                incoming.extend(found.into_iter().map(|Found { recording, unit }| Incoming {
                    recording,
                    unit,
                    source: source.clone(),
                    kind: kind(args),
                }));
            }
            Err(found) => mistakes.extend(found.into_iter().map(|mistake| (path, mistake))),
        }
    }
    if mistakes.is_empty() {
        return Ok(merged(incoming));
    }
    for (path, mistake) in mistakes.iter().take(TOLD_MAX) {
        let line = format!(
            "{}:{}{mistake}",
            path.display(),
            if mistake.line.is_none() { " " } else { "" }
        );
        screen.say(&printable(&line));
    }
    let found = plural(mistakes.len(), "mistake", "mistakes");
    let rest = mistakes.len().saturating_sub(TOLD_MAX);
    let more =
        if rest > 0 { format!(", {} more than are shown", count(rest)) } else { String::new() };
    Err(Failure::invalid(format!("{found}{more}; nothing was taken in"))
        .hint("`foreshard history import --help` shows what files look like"))
}

/// With the capacity that was typed, as if it had been measured beside the first and the last sample.
fn bounded(mut incoming: Vec<Incoming>, args: &HistoryImport) -> Result<Vec<Incoming>, Failure> {
    let Some(capacity) = args.capacity else { return Ok(incoming) };
    let mut found: Vec<Incoming> = Vec::new();
    for one in &incoming {
        let Recording { zone, measure, samples, .. } = &one.recording;
        let (Some(of), Some(first)) = (measure.capacity(), samples.first()) else { continue };
        let earliest = samples.iter().map(|sample| sample.at).min().unwrap_or(first.at);
        let latest = samples.iter().map(|sample| sample.at).max().unwrap_or(first.at);
        let value = capacity.0 as f64;
        let samples = [earliest, latest].map(|at| Sample { at, value }).to_vec();
        let is_there =
            |other: &Incoming| (&other.recording.zone, &other.recording.measure) == (zone, &of);
        if !found.iter().any(is_there) {
            let (zone, asked) = (zone.clone(), Asked::default());
            let recording = Recording { zone, measure: of, asked, samples };
            found.push(Incoming {
                recording,
                unit: String::new(),
                kind: Kind::Gauge,
                ..one.clone()
            });
        }
    }
    let is_mixed =
        found.windows(2).any(|pair| pair[0].recording.measure != pair[1].recording.measure);
    if is_mixed {
        return Err(Failure::invalid(
            "--capacity is of memory or of a network, and there are both",
        )
        .hint("name columns `memory_capacity` and `network_capacity`, or import each by itself"));
    }
    if found.is_empty() {
        return Err(Failure::invalid("--capacity is of memory and of networks, and there is none")
            .hint("the capacity of cpus is known: their use is a share of it"));
    }
    incoming.extend(found);
    Ok(incoming)
}

/// One of each series, whatever files it was cut into.
fn merged(incoming: Vec<Incoming>) -> Vec<Incoming> {
    let mut merged: BTreeMap<(String, Measure, [u64; 3]), Incoming> = BTreeMap::new();
    for one in incoming {
        let Recording { zone, measure, asked, .. } = &one.recording;
        match merged.entry((zone.clone(), measure.clone(), asked.key())) {
            Entry::Occupied(mut other) => {
                other.get_mut().recording.samples.extend(one.recording.samples);
            }
            Entry::Vacant(place) => {
                place.insert(one);
            }
        }
    }
    merged.into_values().collect()
}

fn text_of(path: &Path) -> Result<String, Failure> {
    if path == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().lock().take(FILE_MAX).read_to_string(&mut text);
        return match read {
            Ok(_) => Ok(text),
            Err(error) => Err(Failure::io("read", path, &error)),
        };
    }
    feed::read(path, FILE_MAX).map_err(|error| unheard(&error))
}

fn unheard(error: &Unheard) -> Failure {
    match error {
        Unheard::NotText { .. } | Unheard::Endless { .. } => Failure::of(Code::Invalid, error),
        _ => Failure::of(Code::Machine, error),
    }
}

fn kind(args: &HistoryImport) -> Kind {
    match (args.counter, args.gauge) {
        (true, _) => Kind::Counter,
        (_, true) => Kind::Gauge,
        _ => Kind::Guessed,
    }
}

/// What Prometheus answers.
fn asked(args: &HistoryImport, address: &str) -> Result<Vec<Incoming>, Failure> {
    let (Some(expression), Some(measure)) = (&args.asked.query, &args.series.measure) else {
        return Err(Failure::invalid("a query and a measure are needed"));
    };
    let step = args.step.unwrap_or(Duration::from_secs(60));
    let query = Query {
        address: address.to_owned(),
        expression: expression.clone(),
        from: args.asked.from,
        to: args.asked.to.unwrap_or_else(time::now),
        step: i64::try_from(step.0).unwrap_or(i64::MAX),
        headers: headers(args)?,
        limits: Limits { timeout: args.asked.timeout.to_std(), ..Limits::default() },
    };
    let all = prometheus::range(&query).map_err(|error| match error {
        prometheus::Error::Unheard(error) => unheard(&error)
            .hint("nothing was taken in; `--timeout` says how long to wait for each answer"),
        other => Failure::of(Code::Invalid, &other),
    })?;
    if all.iter().all(|series| series.samples.is_empty()) {
        let (from, to) = (time::text(query.from), time::text(query.to));
        return Err(Failure::invalid(format!("the query has no answer from {from} to {to}"))
            .hint("ask the server's own page for the same query, or say --from and --to"));
    }
    let factor = unit_factor(measure, args.unit.as_deref())?;
    let zones = zones(args, &all)?;
    let incoming = all.into_iter().zip(zones).map(|(mut series, zone)| {
        series.samples.iter_mut().for_each(|sample| sample.value *= factor);
        Incoming {
            recording: Recording {
                zone,
                measure: measure.clone(),
                asked: Asked::default(),
                samples: series.samples,
            },
            unit: args.unit.clone().unwrap_or_default(),
            source: feed::shown(address),
            kind: kind(args),
        }
    });
    Ok(incoming.collect())
}

fn unit_factor(measure: &Measure, unit: Option<&str>) -> Result<f64, Failure> {
    let unit = unit.unwrap_or(measure.unit());
    observe::unit::factor(measure, unit).map_err(|error| Failure::of(Code::Invalid, &error))
}

/// The zone of each series.
fn zones(args: &HistoryImport, all: &[Series]) -> Result<Vec<String>, Failure> {
    let labels = |series: &Series| {
        let pairs = series.labels.iter().map(|(name, value)| format!("{name}=\"{value}\""));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
    };
    if let Some(label) = &args.asked.zone_label {
        let mut zones = Vec::new();
        for series in all {
            let zone = series.labels.get(label).filter(|zone| file::wrong_zone(zone).is_none());
            let Some(zone) = zone.filter(|zone| !zones.contains(*zone)) else {
                let message =
                    format!("`{label}` does not tell the series {} from others", labels(series));
                return Err(Failure::invalid(message).hint(format!(
                    "make the query answer with one series for each, as in avg by ({label}) (…)"
                )));
            };
            zones.push(zone.clone());
        }
        return Ok(zones);
    }
    match (&args.series.zone, all) {
        (Some(zone), [_]) => match file::wrong_zone(zone) {
            None => Ok(vec![zone.clone()]),
            Some(what) => Err(Failure::invalid(what)),
        },
        (None, _) => Err(Failure::invalid("no zone: say --zone, or --zone-label")),
        (_, several) => {
            let some: Vec<String> = several.iter().take(3).map(labels).collect();
            let message = format!("the query has {} series: {} …", several.len(), some.join(", "));
            Err(Failure::invalid(message)
                .hint("add them up, as in sum(…), or let --zone-label LABEL name the zone of each"))
        }
    }
}

/// Headers to send; what they hold is said nowhere.
fn headers(args: &HistoryImport) -> Result<Vec<(String, String)>, Failure> {
    let Some(path) = &args.asked.header_file else { return Ok(Vec::new()) };
    let text = feed::read(path, 1 << 16).map_err(|error| unheard(&error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let header = |(i, line): (usize, &str)| {
        let wrong = || {
            let place = format!("{}:{}: no header", path.display(), i + 1);
            Failure::invalid(place).hint("write one to a line, as in `Authorization: Bearer …`")
        };
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    lines.map(header).collect()
}

/// Refuses what would be nothing, or spoil what is there.
fn check(history: &mut History, tidied: &[Tidied]) -> Result<(), Failure> {
    let known = history.series().map_err(|error| unusable(&error))?;
    for Tidied { measured, flaws, .. } in tidied {
        let name = printable(&format!("{} {}", measured.zone, measured.measure)).into_owned();
        if measured.points.is_empty() {
            let mut failure = Failure::invalid(format!("nothing of {name} can be used"));
            failure.causes = flaws.iter().map(ToString::to_string).collect();
            let is_out = flaws.iter().any(|flaw| matches!(flaw, Flaw::OutOfRange { .. }));
            return Err(match measured.unit.as_str() {
                "share" if is_out => failure.hint("if values are percent, say --unit percent"),
                _ => failure,
            });
        }
        let other = known.iter().find(|series| {
            series.zone == measured.zone
                && series.measure == measured.measure
                && series.unit != measured.unit
        });
        if let Some(other) = other {
            let message =
                format!("{name} is kept in `{}`, and this is in `{}`", other.unit, measured.unit);
            return Err(Failure::invalid(message)
                .hint("use another measure name, or `foreshard history prune` the old series"));
        }
    }
    Ok(())
}

/// What became of a series.
#[derive(Serialize)]
struct Value<'a> {
    zone: &'a str,
    measure: &'a str,
    unit: &'a str,
    added: u64,
    changed: u64,
    known: u64,
    expired: u64,
    was_counter: bool,
    warnings: Vec<&'a Flaw>,
}

impl<'a> Value<'a> {
    fn add(&mut self, taken: Taken, flaws: &'a [Flaw]) {
        self.added += taken.added;
        self.changed += taken.changed;
        self.known += taken.known;
        self.expired += taken.expired;
        for flaw in flaws {
            if !self.warnings.contains(&flaw) {
                self.warnings.push(flaw);
            }
        }
    }
}

fn tell(as_json: bool, tidied: &[Tidied], taken: &[Taken], screen: Screen) -> Result<(), Failure> {
    // One for each series, whatever waits in it had been for.
    let mut values: Vec<Value<'_>> = Vec::new();
    for (Tidied { measured, was_counter, flaws }, taken) in tidied.iter().zip(taken) {
        let name = (measured.zone.as_str(), measured.measure.as_str());
        match values.iter_mut().find(|value| (value.zone, value.measure) == name) {
            Some(value) => value.add(*taken, flaws),
            None => {
                let mut value = Value {
                    zone: name.0,
                    measure: name.1,
                    unit: &measured.unit,
                    added: 0,
                    changed: 0,
                    known: 0,
                    expired: 0,
                    was_counter: *was_counter,
                    warnings: Vec::new(),
                };
                value.add(*taken, flaws);
                values.push(value);
            }
        }
    }
    if as_json {
        screen.print_json(&values)?;
        return Ok(());
    }
    for value in values {
        let name = printable(&format!("{} {}", value.zone, value.measure)).into_owned();
        screen.print(&line(&name, &value))?;
        for flaw in &value.warnings {
            let warning = screen.word(Tone::Doubtful, "warning:");
            screen.say(&format!("{warning} {name}: {flaw}{}", moment_of(flaw)));
        }
    }
    Ok(())
}

fn line(name: &str, value: &Value<'_>) -> String {
    let n = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let mut line = format!("{name}: {}", plural(n(value.added), "new sample", "new samples"));
    let parts = [(value.changed, "changed"), (value.known, "known"), (value.expired, "too old")];
    for (number, word) in parts.iter().filter(|(number, _)| *number > 0) {
        line += &format!(", {} {word}", count(n(*number)));
    }
    line + if value.was_counter { "; a counter, kept as its change per second\n" } else { "\n" }
}

fn moment_of(flaw: &Flaw) -> String {
    match flaw {
        Flaw::UnitChanged { at: Timestamp(at), .. } => {
            format!(" of a forecast (from {} on)", time::text(Timestamp(*at)))
        }
        _ => String::new(),
    }
}
