//! `foreshard simulate`: what a workflow would have cost under several policies, on traces.
//!
//! Reads workflows, a site with its traces and starts; the virtual site and the policies are in
//! [`sim::lab`]. What it found is in [`findings`], as values, text and JSON.

mod findings;
mod places;

use std::path::Path;
use std::sync::Arc;

use plan::Infeasible;
use runner::load::LoadRequest;
use runner::start::Error as Refused;
use sim::Outcome;
use sim::lab::{Contender, Experiment, gantt, picture, random_starts};
use spec::wfformat::ReplayOptions;
use spec::{Duration, Site, Timestamp};

use crate::args::Simulate;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::{refusal, site, workflow};
use findings::{Findings, Runs};
use places::Places;

/// How many starts there are at most.
const STARTS_MAX: usize = 1_000_000;

/// Plays each workflow under each policy from each start.
///
/// # Errors
/// Something cannot be read, a policy or a start makes no sense, or a task fits nowhere.
pub(crate) fn simulate(args: &Simulate, screen: Screen) -> Result<Code, Failure> {
    let contenders = contenders(&args.policy)?;
    let site = site::read(&args.site, screen)?;
    let places = Places::read(&site, args.site.parent().unwrap_or(Path::new("")))?;
    if contenders.contains(&Contender::OnDemand) && !places.is_safe.contains(&true) {
        let failure =
            Failure::invalid("on-demand needs a zone without a trace, which is always there");
        return Err(failure.hint("leave it out with --policy, or add such a zone to the site"));
    }
    let starts = starts(args, &places)?;
    let mut all = Vec::new();
    for path in &args.files {
        let experiment = experiment(args, path, &site, &places, screen)?;
        let findings = play(args, &experiment, &contenders, &starts);
        if !args.json {
            screen.print(&findings.text())?;
        }
        let shown = show(args, &experiment, &contenders, starts[0], &findings)?;
        if !args.json {
            screen.print(&shown)?;
        }
        all.push(findings);
    }
    if args.json {
        screen.print_json(&all)?;
    }
    Ok(Code::Succeeded)
}

fn contenders(names: &[String]) -> Result<Vec<Contender>, Failure> {
    let mut contenders = Vec::new();
    for name in names {
        let found = Contender::named(name).ok_or_else(|| {
            let known = Contender::ALL.map(Contender::name).join(", ");
            Failure::invalid(format!("there is no policy `{name}`")).hint(format!("use {known}"))
        })?;
        if !contenders.contains(&found) {
            contenders.push(found);
        }
    }
    Ok(contenders)
}

/// A number of starts, or a file of them.
fn starts(args: &Simulate, places: &Places) -> Result<Vec<Timestamp>, Failure> {
    if let Ok(n) = args.starts.parse::<usize>() {
        if !(1..=STARTS_MAX).contains(&n) {
            return Err(Failure::invalid(format!("--starts must be from 1 to {STARTS_MAX}")));
        }
        let window = args.deadline.unwrap_or_default();
        return Ok(random_starts(n, places.traced, window, args.seed));
    }
    let path = Path::new(&args.starts);
    let text = std::fs::read_to_string(path).map_err(|error| workflow::unreadable(path, &error))?;
    let mut starts = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let seconds = line.parse::<f64>().ok().filter(|s| (0.0..=1e10).contains(s));
        let seconds = seconds.ok_or_else(|| {
            let what = format!("{}:{number}: `{line}` is no number of seconds", path.display());
            Failure::invalid(what)
        })?;
        starts.push(Timestamp(0) + Duration::from_secs_f64(seconds));
    }
    starts.sort_unstable();
    if starts.is_empty() {
        return Err(Failure::invalid(format!("there is no start in {}", path.display())));
    }
    Ok(starts)
}

fn experiment(
    args: &Simulate,
    path: &Path,
    site: &Site,
    places: &Places,
    screen: Screen,
) -> Result<Experiment, Failure> {
    let request = LoadRequest {
        path: path.to_owned(),
        params: args.params.iter().cloned().collect(),
        params_file: None,
        replay: ReplayOptions { scale: args.scale, scale_memory: Some(1.0) },
    };
    let loaded = workflow::load(&request, screen)?;
    let refused =
        |wishes: Vec<Infeasible>| refusal::tell(Refused::Infeasible(wishes), Some(&loaded), screen);
    plan::make(&loaded.workflow, site).map_err(refused)?;
    Ok(Experiment {
        workflow: Arc::clone(&loaded.workflow),
        site: places.site.clone(),
        is_safe: places.is_safe.clone(),
        deadline: args.deadline,
        runtime_sigma: args.error.clamp(0.0, 10.0),
        seed: args.seed,
    })
}

fn play(
    args: &Simulate,
    experiment: &Experiment,
    contenders: &[Contender],
    starts: &[Timestamp],
) -> Findings {
    let scores = contenders.iter().map(|&contender| {
        let run = |&start| experiment.score(&experiment.run(contender, start, false));
        Runs { contender, scores: starts.iter().map(run).collect() }
    });
    let runs: Vec<Runs> = scores.collect();
    Findings::of(experiment, starts, &runs, args.seed)
}

/// The pictures of the first start: as text, and as a file where one is asked for.
fn show(
    args: &Simulate,
    experiment: &Experiment,
    contenders: &[Contender],
    start: Timestamp,
    findings: &Findings,
) -> Result<String, Failure> {
    if args.json && args.svg.is_none() {
        return Ok(String::new());
    }
    let outcomes: Vec<Outcome> =
        contenders.iter().map(|&contender| experiment.run(contender, start, true)).collect();
    let zones: Vec<String> = experiment.site.zones.iter().map(|zone| zone.name.clone()).collect();
    if let Some(path) = &args.svg {
        let shown: Vec<picture::Shown<'_>> = (contenders.iter().zip(&outcomes).enumerate())
            .map(|(i, (contender, run))| picture::Shown {
                name: contender.name(),
                cost: findings.policies[i].spread_of_cost(),
                makespan: findings.policies[i].spread_of_makespan(),
                run,
            })
            .collect();
        let path = findings.numbered(path, args.files.len());
        let text = picture::svg(&findings.title(), &shown, &zones);
        std::fs::write(&path, text).map_err(|error| Failure::io("write", &path, &error))?;
    }
    let mut text = String::from("The first start: ░ launching, ▒ held, █ at work, × preempted\n");
    for (contender, outcome) in contenders.iter().zip(&outcomes) {
        text +=
            &format!("{} in {}\n", contender.name(), report::quantity::Seconds(outcome.makespan));
        text += &gantt::text(outcome, &zones, 76);
    }
    Ok(text)
}
