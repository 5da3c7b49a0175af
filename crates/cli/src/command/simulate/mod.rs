//! `foreshard simulate`: what a workflow would have cost under several policies, on traces.
//!
//! Reads workflows, a site with its traces and starts; the virtual site and the policies are in
//! [`sim::lab`]. What it found is in [`findings`], as values, text and JSON.

mod findings;
mod places;
mod regimes;
mod setting;

use std::path::Path;
use std::sync::Arc;

use sim::lab::{Experiment, GIVE_UP, Workload, random_starts};
use spec::{Duration, Site, Timestamp, Workflow};

use crate::args::Simulate;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::{ordered, site, workflow};
use places::{Folders, Places};
use setting::{Reading, Setting};

/// How many starts there are at most.
const STARTS_MAX: usize = 1_000_000;
/// How many copies of a workflow run together at most.
const COPIES_MAX: usize = 100_000;

/// Plays each workflow, or all of them together, under each policy from each start.
///
/// # Errors
/// Something cannot be read, a policy or a start makes no sense, or a task fits nowhere.
pub(crate) fn simulate(args: &Simulate, screen: Screen) -> Result<Code, Failure> {
    if let Some(path) = &args.regimes {
        return regimes::play(args, path, screen);
    }
    let asked = setting::contenders(&args.policy)?;
    let path = args.site.as_deref().unwrap_or(Path::new("site.yaml"));
    let site = site::read(path, screen)?;
    let folders = Folders::new(path.parent().unwrap_or(Path::new("")), args.data.as_deref());
    let places = Places::read(&site, &folders)?;
    let starts = starts(args, places.traced)?;
    let workloads = workloads(args, &site, screen)?;
    let threads = args.threads.unwrap_or_else(ordered::threads).max(1);
    let (n, mut all) = (workloads.len(), Vec::new());
    for workload in workloads {
        let experiment = Experiment {
            workload,
            site: places.site.clone(),
            is_safe: places.is_safe.clone(),
            deadline: args.deadline,
            job: None,
            give_up: GIVE_UP,
            runtime_sigma: args.error.clamp(0.0, 10.0),
            seed: args.seed,
        };
        let setting = Setting::new(&asked, experiment, starts.clone())?;
        let findings = setting.play(threads);
        if !args.json {
            screen.print(&findings.text())?;
        }
        if !args.json || args.svg.is_some() {
            let outcomes = setting.outcomes(threads);
            if let Some(path) = &args.svg {
                let path = findings.numbered(path, n);
                let picture = setting.picture(&findings, &outcomes);
                std::fs::write(&path, picture)
                    .map_err(|error| Failure::io("write", &path, &error))?;
            }
            if !args.json {
                screen.print(&setting.charts(&outcomes))?;
            }
        }
        all.push(findings);
    }
    if args.json {
        screen.print_json(&all)?;
    }
    Ok(Code::Succeeded)
}

/// What is played: each workflow on its own, or all of them as one.
fn workloads(args: &Simulate, site: &Site, screen: Screen) -> Result<Vec<Workload>, Failure> {
    if !(1..=COPIES_MAX).contains(&args.copies) {
        return Err(Failure::invalid(format!("--copies must be from 1 to {COPIES_MAX}")));
    }
    let reading = Reading { params: &args.params, scale: args.scale };
    let read = |path: &std::path::PathBuf| setting::read(path, &reading, site, screen);
    let read: Result<Vec<Arc<Workflow>>, Failure> = args.files.iter().map(read).collect();
    let workflows = read?;
    let parts: Vec<&[Arc<Workflow>]> =
        if args.together { vec![&workflows[..]] } else { workflows.chunks(1).collect() };
    parts.into_iter().map(|part| setting::together(part, args.copies, args.factor)).collect()
}

/// A number of starts, or a file of them.
fn starts(args: &Simulate, traced: Duration) -> Result<Vec<Timestamp>, Failure> {
    let asked = args.starts.as_deref().unwrap_or("50");
    if let Ok(n) = asked.parse::<usize>() {
        if !(1..=STARTS_MAX).contains(&n) {
            return Err(Failure::invalid(format!("--starts must be from 1 to {STARTS_MAX}")));
        }
        return Ok(random_starts(n, traced, args.deadline.unwrap_or_default(), args.seed));
    }
    let path = Path::new(asked);
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
