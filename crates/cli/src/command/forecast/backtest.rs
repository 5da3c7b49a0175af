//! `foreshard forecast backtest`: recorded availability and amounts replayed, folder by folder, or what a
//! project measured, with all that is known ahead and without each input.

use std::io::{BufWriter, Write};
use std::path::Path;

use forecast::backtest::{Error, Folder, Outcome, run_knowing, targets};
use forecast::target::Kind;
use forecast::trace::Trace;
use forecast::{Covariates, Learning, Material};

use super::each::on_all_cpus;
use super::{amounts, below, counts, inputs, scores, source};
use crate::args::ForecastBacktest;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;

/// A folder, and what is known ahead of its zones.
pub(super) struct Subject {
    /// What was recorded.
    pub(super) folder: Folder,
    /// Of each zone, in order.
    pub(super) ahead: Vec<Covariates>,
}

impl Subject {
    /// How many samples there are, of all zones.
    pub(super) fn samples(&self) -> usize {
        self.folder.traces.iter().map(|trace| trace.samples.len()).sum()
    }
}

/// One replay.
struct Job<'a> {
    subject: &'a Subject,
    kind: Kind,
    /// The input that is left out.
    without: Option<String>,
}

/// Replays every folder below the root, or what a project measured, and prints scores.
///
/// # Errors
/// There are neither traces nor tables, or the forecasts cannot be written.
pub(crate) fn backtest(args: &ForecastBacktest, screen: Screen) -> Result<Code, Failure> {
    let (subjects, amounts, code) = match &args.root {
        Some(root) => recorded(root, args, screen)?,
        None => measured(args, screen)?,
    };
    let jobs: Vec<Job<'_>> = subjects.iter().flat_map(jobs).collect();
    let outcomes = test_all(&jobs)?;
    let (parts, inputs) = parts(&jobs, &outcomes);
    let counts = counts::test(&subjects).map_err(|error| Failure::of(Code::Invalid, &error))?;
    if let Some(path) = &args.emit {
        emit(path, &parts)?;
    }
    if let Some(path) = &args.emit_counts {
        counts::emit(path, &counts)?;
    }
    if let Some(path) = &args.svg {
        let text = scores::diagrams(&parts);
        std::fs::write(path, text).map_err(|error| Failure::io("write", path, &error))?;
    }
    if args.json {
        let odds = scores::values(&parts).into_iter().map(Entry::Odds);
        let worth = inputs::values(&inputs).into_iter().map(Entry::Input);
        let of_counts = counts::values(&counts).into_iter().map(Entry::Count);
        let of_amounts = amounts::values(&amounts).into_iter().map(Entry::Amount);
        let worth_of_amounts = inputs::values_of_amounts(&subjects, &amounts);
        let entries = odds.chain(of_counts).chain(worth).chain(of_amounts);
        let entries = entries.chain(worth_of_amounts.into_iter().map(Entry::Input));
        screen.print_json(&entries.collect::<Vec<_>>())?;
    } else {
        let odds = if subjects.is_empty() { String::new() } else { scores::text(&parts, screen) };
        let odds = odds + &counts::text(&counts, screen);
        let worth = inputs::text(&inputs, screen);
        let space = if odds.is_empty() || amounts.is_empty() { "" } else { "\n" };
        let of_amounts = inputs::text_of_amounts(&subjects, &amounts, screen);
        let text = odds + &worth + space + &amounts::text(&amounts, screen) + &of_amounts;
        screen.print(&text)?;
    }
    Ok(code)
}

/// What is replayed, and how the command ends.
type Recordings = (Vec<Subject>, Vec<amounts::Tested>, Code);

/// What is below a folder.
fn recorded(root: &Path, args: &ForecastBacktest, screen: Screen) -> Result<Recordings, Failure> {
    let below = below::look(root, Some(args.step), screen)?;
    let code = below.code();
    let bare = |folder: Folder| {
        let ahead = vec![Covariates::none(); folder.zones.len()];
        Subject { folder, ahead }
    };
    let amounts = amounts::test(below.columns, screen);
    Ok((below.folders.into_iter().map(bare).collect(), amounts, code))
}

/// What a project measured, with what its site says is known ahead.
fn measured(args: &ForecastBacktest, screen: Screen) -> Result<Recordings, Failure> {
    let (name, mut material) = source::history(&args.project)?;
    if let Some(path) = &args.site {
        let site = source::Site { path, project: &args.project, without: &[] };
        source::know_ahead(site, &mut material, 0, screen)?;
    }
    material.ahead.resize(material.zones.len(), Covariates::none());
    let inputs = inputs_of(&material.ahead);
    let amounts = amounts::test_measured(&name, &material, &inputs);
    let Material { zones, up, step_seconds, ahead, .. } = material;
    let traces = up.into_iter().map(|samples| Trace { step_seconds, samples }).collect();
    let subject = Subject { folder: Folder { name, zones, traces }, ahead };
    Ok((vec![subject], amounts, Code::Succeeded))
}

/// Names of the inputs of zones, which have the same.
fn inputs_of(zones: &[Covariates]) -> Vec<String> {
    zones.first().into_iter().flat_map(Covariates::inputs).map(str::to_owned).collect()
}

/// Each statement with all inputs, and then without each.
fn jobs(subject: &Subject) -> Vec<Job<'_>> {
    let inputs = inputs_of(&subject.ahead).into_iter().map(Some);
    let withouts: Vec<Option<String>> = std::iter::once(None).chain(inputs).collect();
    let job = |kind| withouts.iter().cloned().map(move |without| Job { subject, kind, without });
    [Kind::Up, Kind::Survival].into_iter().flat_map(job).collect()
}

/// What is scored, and what inputs are judged by.
fn parts<'a>(
    jobs: &'a [Job<'a>],
    outcomes: &'a [Outcome],
) -> (Vec<scores::Part<'a>>, Vec<inputs::Part<'a>>) {
    let (mut parts, mut inputs) = (Vec::<scores::Part<'a>>::new(), Vec::new());
    for (&Job { subject, kind, ref without }, outcome) in jobs.iter().zip(outcomes) {
        match (without, parts.last()) {
            (Some(input), Some(whole)) => {
                let with = whole.outcome;
                inputs.push(inputs::Part { subject, kind, input, with, without: outcome });
            }
            _ => parts.push(scores::Part { folder: &subject.folder, kind, outcome }),
        }
    }
    (parts, inputs)
}

/// What `--json` lists.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Entry {
    Odds(scores::Value),
    Count(counts::Value),
    Input(inputs::Value),
    Amount(amounts::Value),
}

/// Does each job; the order of what comes back is that of the jobs.
fn test_all(jobs: &[Job<'_>]) -> Result<Vec<Outcome>, Failure> {
    let size = |job: &Job<'_>| job.subject.samples() * if job.kind == Kind::Up { 2 } else { 1 };
    let outcomes: Result<Vec<Outcome>, _> = on_all_cpus(jobs, size, test).into_iter().collect();
    outcomes.map_err(|error| Failure::of(Code::Invalid, &error))
}

fn test(job: &Job<'_>) -> Result<Outcome, Error> {
    let left = |zone: &Covariates| match &job.without {
        Some(input) => zone.without(input),
        None => zone.clone(),
    };
    let ahead: Vec<Covariates> = job.subject.ahead.iter().map(left).collect();
    run_knowing(&job.subject.folder, &targets(job.kind), &Learning::default(), &ahead)
}

fn emit(path: &Path, parts: &[scores::Part<'_>]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::io("write", path, &error);
    let mut out = BufWriter::new(std::fs::File::create(path).map_err(failed)?);
    for scores::Part { folder, kind, outcome } in parts {
        let name = serde_json::Value::from(folder.name.as_str());
        let key = scores::key(*kind);
        for row in &outcome.rows {
            let zone = serde_json::Value::from(folder.zones[row.zone].name.as_str());
            let (origin, minutes, p) = (row.origin, row.target.minutes, row.p);
            writeln!(
                out,
                r#"{{"folder":{name},"zone":{zone},"origin":{origin},"horizon_min":{minutes},"{key}":{p:.6}}}"#
            )
            .map_err(failed)?;
        }
    }
    out.flush().map_err(failed)
}
