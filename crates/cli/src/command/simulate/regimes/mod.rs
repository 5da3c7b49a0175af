//! `foreshard simulate --regimes`: many comparisons under stated conditions, and a map of what is won
//! where.

mod cell;
mod file;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use sim::lab::map::{self, Map};
use sim::lab::{Contender, Experiment, Workload, random_starts};
use sim::{Delay, VirtualSite};
use spec::{Duration, Site, Timestamp, Workflow};

use super::places::{Folders, Places};
use super::setting::{self, Reading, Setting};
use crate::args::Simulate;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::{ordered, site};
use cell::{Cell, Measure, Played, Side};
use file::{File, Regime};

/// What runs that take so many fault-free makespans come to is not awaited.
const GIVE_UP: f64 = 20.0;
/// How many copies of workflows run together at most.
const COPIES_MAX: f64 = 10_000.0;

/// All that was found.
#[derive(Serialize)]
struct Found<'a> {
    cells: &'a [Played],
    maps: Vec<ToldMap>,
}

#[derive(Serialize)]
struct ToldMap {
    title: String,
    cells: Vec<ToldCell>,
}

#[derive(Serialize)]
struct ToldCell {
    task_over_up_run: f64,
    launch_over_up_run: f64,
    gain: f64,
    interval: Option<(f64, f64)>,
    more_late: i64,
}

/// Plays all regimes of a file.
///
/// # Errors
/// Something cannot be read or written, or makes no sense.
pub(super) fn play(args: &Simulate, path: &Path, screen: Screen) -> Result<Code, Failure> {
    let file = file::read(path)?;
    let folders = Folders::new(path.parent().unwrap_or(Path::new("")), args.data.as_deref());
    let asked = if args.policy.is_empty() { &file.policies } else { &args.policy };
    let table = Table {
        asked: setting::contenders(asked)?,
        n_starts: starts(args, &file)?,
        threads: args.threads.unwrap_or_else(ordered::threads).max(1),
        seed: file.seed,
        folders,
        screen,
    };
    let sides = sides(args)?;
    let is_meant = |regime: &&Regime| {
        args.only.is_empty() || args.only.iter().any(|part| regime.name.contains(part))
    };
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|error| Failure::io("make", folder, &error))?;
    }
    let mut played = Vec::new();
    let mut text = String::new();
    for regime in file.regimes.iter().filter(is_meant) {
        for cell in table.cells(regime)? {
            let picture = args.out.as_ref().map(|_| cell.setting.outcomes(table.threads));
            let (title, names) = (cell.title(), cell.setting.zone_names());
            let done = cell.play(table.threads);
            let told = done.text();
            if !args.json {
                screen.print(&told)?;
            }
            text += &told;
            if let (Some(folder), Some(outcomes)) = (&args.out, picture) {
                let svg = done.picture(&title, &outcomes, &names);
                write(&folder.join(format!("{}.svg", done.stem())), &svg)?;
            }
            played.push(done);
        }
    }
    if played.is_empty() {
        return Err(Failure::invalid("no regime has such a name"));
    }
    let maps = maps(&played, &sides, file.map_deadline);
    let shown: String = maps.iter().map(|(map, _)| map.text()).collect();
    text += &shown;
    text += map::LEGEND;
    let found = Found { cells: &played, maps: maps.iter().map(told).collect() };
    if let Some(folder) = &args.out {
        let all: Vec<Map> = maps.iter().map(|(map, _)| map.clone()).collect();
        let title = format!("Gains, deadline {} fault-free makespans", file.map_deadline);
        write(&folder.join("map.svg"), &map::svg::svg(&title, &all))?;
        write(&folder.join("regimes.txt"), &text)?;
        let json = serde_json::to_string_pretty(&found)
            .map_err(|error| Failure::of(Code::Internal, &error))?;
        write(&folder.join("regimes.json"), &json)?;
    }
    if args.json {
        screen.print_json(&found)?;
    } else {
        screen.print(&format!("{shown}{}", map::LEGEND))?;
    }
    Ok(Code::Succeeded)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::io("write", path, &error))
}

fn starts(args: &Simulate, file: &File) -> Result<usize, Failure> {
    let Some(asked) = &args.starts else { return Ok(file.starts) };
    let n = asked.parse::<usize>().ok().filter(|n| (1..=super::STARTS_MAX).contains(n));
    n.ok_or_else(|| Failure::invalid("with --regimes, --starts must be a number of starts"))
}

/// What is mapped: pairs of sides, and what is measured.
fn sides(args: &Simulate) -> Result<Vec<(Side, Side, Measure)>, Failure> {
    let (of, over) = (side(args.contender.as_deref())?, side(args.reference.as_deref())?);
    let (strongest, floor) = (Side::Strongest, Side::Named(Contender::Reactive));
    if of.is_some() || over.is_some() {
        let (of, over) = (of.unwrap_or(strongest), over.unwrap_or(floor));
        return Ok(vec![(of, over, Measure::Cost), (of, over, Measure::Makespan)]);
    }
    let ceiling = Side::Named(Contender::OnDemand);
    let mut all = vec![(strongest, floor, Measure::Cost), (strongest, floor, Measure::Makespan)];
    let others = [Contender::Reactive, Contender::StaticHeft, Contender::WarmPool];
    all.extend(others.map(|contender| (Side::Named(contender), ceiling, Measure::Cost)));
    let net = Side::Named(Contender::WarmPool);
    all.push((net, ceiling, Measure::Makespan));
    Ok(all)
}

fn side(name: Option<&str>) -> Result<Option<Side>, Failure> {
    let Some(name) = name else { return Ok(None) };
    if name == STRONGEST {
        return Ok(Some(Side::Strongest));
    }
    let named = setting::contenders(&[name.to_owned()])
        .map_err(|failure| failure.hint(format!("or {STRONGEST}, of each cell")))?;
    Ok(named.first().copied().map(Side::Named))
}

const STRONGEST: &str = "strongest";

fn name(side: Side) -> &'static str {
    match side {
        Side::Named(contender) => contender.name(),
        Side::Strongest => "strongest spot policy",
    }
}

/// The maps, with the cells that they are made of.
fn maps(
    played: &[Played],
    sides: &[(Side, Side, Measure)],
    deadline: f64,
) -> Vec<(Map, Vec<map::Cell>)> {
    let map = |&(of, over, what): &(Side, Side, Measure)| {
        let cells: Vec<map::Cell> =
            played.iter().filter_map(|done| done.cell(of, over, what, deadline)).collect();
        let what = match what {
            Measure::Cost => "cost",
            Measure::Makespan => "makespan",
        };
        let title = format!("{what} saved: {} over {}", name(of), name(over));
        (Map::of(title, &cells), cells)
    };
    sides.iter().map(map).filter(|(_, cells)| !cells.is_empty()).collect()
}

fn told((map, cells): &(Map, Vec<map::Cell>)) -> ToldMap {
    let told = |cell: &map::Cell| ToldCell {
        task_over_up_run: cell.task,
        launch_over_up_run: cell.launch,
        gain: cell.gain.share,
        interval: cell.gain.interval,
        more_late: cell.gain.more_late,
    };
    ToldMap { title: map.title.clone(), cells: cells.iter().map(told).collect() }
}

/// What is the same for all regimes.
struct Table {
    asked: Vec<Contender>,
    n_starts: usize,
    threads: usize,
    seed: u64,
    folders: Folders,
    screen: Screen,
}

impl Table {
    /// Each factor with each launch.
    fn cells(&self, regime: &Regime) -> Result<Vec<Cell>, Failure> {
        let path = self.folders.find(&regime.site);
        let site = site::read(&path, self.screen)?;
        let places = Places::read(&site, &self.folders.below(&path))?;
        if !places.is_safe.contains(&true) {
            let message = format!("{} has no zone that is always there", path.display());
            return Err(Failure::invalid(message).hint("deadlines are counted in runs on demand"));
        }
        let workflows = self.workflows(regime, &site)?;
        let mut cells = Vec::new();
        for &factor in &regime.factors {
            let workload = workload(regime, &workflows, factor)?;
            for &launch in &regime.launches {
                cells.push(self.cell(regime, &workload, &places, (factor, launch))?);
            }
        }
        Ok(cells)
    }

    /// Each file is read once.
    fn workflows(&self, regime: &Regime, site: &Site) -> Result<Vec<Arc<Workflow>>, Failure> {
        let reading = Reading { params: &[], scale: 1.0 };
        let mut known = BTreeMap::<&str, Arc<Workflow>>::new();
        let mut workflows = Vec::new();
        for name in &regime.workflows {
            if !known.contains_key(name.as_str()) {
                let path = self.folders.find(name);
                let hint = |failure: Failure| failure.hint(self.folders.hint());
                let read = setting::read(&path, &reading, site, self.screen);
                known.insert(name, if path.exists() { read? } else { read.map_err(hint)? });
            }
            workflows.push(Arc::clone(&known[name.as_str()]));
        }
        Ok(workflows)
    }

    fn cell(
        &self,
        regime: &Regime,
        workload: &Workload,
        places: &Places,
        (factor, launch): (f64, Duration),
    ) -> Result<Cell, Failure> {
        let site = site_of(regime, places, launch);
        let up_run = map::mean_up_run(&site.zones, &places.is_safe, places.traced);
        let mut experiment = Experiment {
            workload: workload.clone(),
            site,
            is_safe: places.is_safe.clone(),
            deadline: None,
            job: None,
            give_up: sim::lab::GIVE_UP,
            runtime_sigma: 0.0,
            seed: self.seed,
        };
        let fault_free = experiment.run(Contender::OnDemand, Timestamp(0), false).makespan;
        let deadlines: Vec<(f64, Duration)> =
            regime.deadlines.iter().map(|&times| (times, fault_free.mul_f64(times))).collect();
        let last = deadlines.iter().map(|&(_, span)| span).max().unwrap_or_default();
        experiment.deadline = deadlines.first().map(|&(_, span)| span);
        experiment.runtime_sigma = regime.error;
        experiment.give_up = fault_free.mul_f64(GIVE_UP);
        let starts = random_starts(self.n_starts, places.traced, last, self.seed);
        Ok(Cell {
            regime: regime.name.clone(),
            factor,
            launch,
            setting: Setting::applying(&self.asked, experiment, starts)?,
            deadlines,
            fault_free,
            up_run: up_run.unwrap_or(places.traced),
        })
    }
}

/// As many copies as have the work that is asked for.
fn workload(
    regime: &Regime,
    workflows: &[Arc<Workflow>],
    factor: f64,
) -> Result<Workload, Failure> {
    let once = setting::together(workflows, 1, factor)?;
    let copies = (regime.core_hours * 3_600.0 / once.core_seconds().max(1e-9)).ceil();
    let copies = copies.clamp(1.0, COPIES_MAX) as usize;
    if copies == 1 { Ok(once) } else { setting::together(workflows, copies, factor) }
}

/// The places under the conditions of a regime.
fn site_of(regime: &Regime, places: &Places, launch: Duration) -> VirtualSite {
    let mut site = places.site.clone();
    for (zone, is_safe) in site.zones.iter_mut().zip(&places.is_safe) {
        zone.launch = Delay::Fixed(launch);
        if let (Some(nodes), false) = (regime.nodes, *is_safe) {
            zone.available = zone.available.map(|count| count.saturating_mul(nodes));
        }
    }
    if let Some(bandwidth) = regime.bandwidth {
        site.links.usual.bandwidth = Some(bandwidth.0.max(1) as f64);
    }
    site
}
