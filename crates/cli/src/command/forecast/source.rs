//! Where forecasts come from: folders of traces, or what a project measured.

use std::path::Path;

use forecast::backtest::Folder;
use forecast::calendar::Axis;
use forecast::covariates;
use forecast::recording::Measure;
use forecast::{Availability, Covariates, Horizon, Learning, Material, ResourcePredictor};
use journal::history::History;
use observe::feed::Limits;
use observe::{ahead, past, time};
use runner::run_dir::Project;
use spec::{Duration, Timestamp};

use super::below;
use crate::args::{ForecastFrom, ProjectChoice};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::{Screen, Tone};
use crate::{past_run, site};

/// How many past runs are looked at for such that recur.
const RUNS: usize = 500;
/// The latest forecast, below the project's state.
const LATEST: &str = "forecast.json";

/// Groups of zones, each with its name, and how a command ends that used them.
type Groups<T> = (Vec<(String, T)>, Code);

/// Every group of zones with its name, and what was learned of it.
///
/// # Errors
/// There is none, it cannot be read, or the site file cannot.
pub(super) fn learned(
    from: &ForecastFrom,
    horizon: Horizon,
    screen: Screen,
) -> Result<Groups<ResourcePredictor>, Failure> {
    let mut groups = Vec::new();
    let (read, code) = read(from, screen)?;
    for (name, mut material) in read {
        if let Some(path) = &from.site {
            let site = Site { path, project: &from.project, without: &from.without };
            know_ahead(site, &mut material, horizon.minutes, screen)?;
        }
        let predictor = ResourcePredictor::learn(material, Learning::default().in_haste());
        groups.push((name, predictor));
    }
    Ok((groups, code))
}

/// How far ahead a forecast is asked for.
///
/// # Errors
/// It is nothing, or more than is learned.
pub(super) fn horizon(span: Duration) -> Result<Horizon, Failure> {
    let minutes = (span.as_secs_f64() / 60.0).ceil();
    if !(5.0..=1440.0).contains(&minutes) {
        return Err(Failure::invalid("--horizon must be from 5min to 24h")
            .hint("forecasts are learned up to a day ahead; beyond it there is little to know"));
    }
    let minutes = (minutes as u32).next_multiple_of(Horizon::default().step_minutes);
    Ok(Horizon { minutes, ..Horizon::default() })
}

fn read(from: &ForecastFrom, screen: Screen) -> Result<Groups<Material>, Failure> {
    match &from.root {
        Some(root) => traces(root, from.at.as_deref(), screen),
        None => {
            let project = past_run::home(&from.project)?;
            let material = measured(&project, from.at.as_deref())?;
            Ok((vec![(name(&project), material)], Code::Succeeded))
        }
    }
}

/// What a project measured, by its name.
///
/// # Errors
/// There is nothing, or it cannot be read.
pub(super) fn history(choice: &ProjectChoice) -> Result<(String, Material), Failure> {
    let project = past_run::home(choice)?;
    Ok((name(&project), measured(&project, None)?))
}

fn name(project: &Project) -> String {
    let name = project.root().file_name().unwrap_or(project.root().as_os_str());
    name.to_string_lossy().into_owned()
}

/// Keeps a forecast with its model card in the project, for whoever asks what was said last.
///
/// # Errors
/// It cannot be written.
pub(super) fn remember(choice: &ProjectChoice, made: &Availability) -> Result<(), Failure> {
    let path = past_run::home(choice)?.state().join(LATEST);
    let text = serde_json::to_string(made).expect("plain values serialize");
    let new = path.with_extension("json.new");
    let write = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &path));
    write.map_err(|error| Failure::io("write", &path, &error))
}

/// What is told about a project besides what was measured.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    /// The site file.
    pub(super) path: &'a Path,
    /// The project, whose runs may recur.
    pub(super) project: &'a ProjectChoice,
    /// Inputs that are left out.
    pub(super) without: &'a [String],
}

/// Adds what a site says is known ahead up to so many minutes from now; what cannot be used is said.
///
/// # Errors
/// The site file cannot be read, or it has no such input as is to be left out.
pub(super) fn know_ahead(
    told: Site<'_>,
    material: &mut Material,
    minutes: u32,
    screen: Screen,
) -> Result<(), Failure> {
    let site = site::read(told.path, screen)?;
    are_inputs(&site, told.without)?;
    bound(&site, material);
    let (Some(start), Some(now)) = (material.start, material.now()) else { return Ok(()) };
    let project = past_run::home(told.project)?;
    let until = now + Duration::from_secs(u64::from(minutes) * 60 + 86_400);
    let axis = Axis { start, step_seconds: material.step_seconds };
    let folder = told.path.parent().unwrap_or(Path::new(""));
    let runs = runner::past::runs(&project, RUNS, None);
    let loaded = ahead::load(&site, folder, axis, until, &runs, Limits::default());
    let loaded = loaded.of_zones(&site, material.zones.iter().map(|zone| zone.name.as_str()));
    let warning = screen.word(Tone::Doubtful, "warning:");
    loaded.warnings.iter().for_each(|told| screen.say(&format!("{warning} {told}")));
    let left = |zone: Covariates| told.without.iter().fold(zone, |zone, name| zone.without(name));
    material.ahead = loaded.zones.into_iter().map(left).collect();
    Ok(())
}

/// What a site says its zones hold counts where nobody measured it.
fn bound(site: &spec::Site, material: &mut Material) {
    for number in 0..material.zones.len() {
        let name = &material.zones[number].name;
        let Some(zone) = site.zones.iter().find(|zone| zone.name == *name) else { continue };
        let all = zone.capacity();
        for (measure, size) in
            [(Measure::MemoryCapacity, all.memory), (Measure::NetworkCapacity, all.network)]
        {
            if size.0 > 0 {
                material.bound(number, &measure, size.0 as f64);
            }
        }
    }
}

/// Whether a site has these inputs, or could have.
fn are_inputs(site: &spec::Site, names: &[String]) -> Result<(), Failure> {
    let mut inputs = vec![covariates::CLOCK, covariates::RUNS];
    inputs.extend(site.calendars.iter().map(|calendar| calendar.name.as_str()));
    inputs.extend(site.feeds.iter().map(|feed| feed.name.as_str()));
    match names.iter().find(|name| !inputs.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Failure::invalid(format!("there is no input `{name}`"))
            .hint(format!("there are {}", inputs.join(", ")))),
    }
}

fn traces(root: &Path, at: Option<&str>, screen: Screen) -> Result<Groups<Material>, Failure> {
    let since = at.map(|at| at.parse::<Duration>().map_err(|_| no_span(at))).transpose()?;
    let below = below::look(root, None, screen)?;
    let material = |folder: &Folder| {
        let step = folder.traces.first().map_or(1, |trace| trace.step_seconds.max(1));
        let until =
            since.map_or(usize::MAX, |since| (since.as_secs_f64() / f64::from(step)) as usize);
        // A folder that was named itself is called by its last part.
        let name = Path::new(&folder.name);
        let name = name.file_name().filter(|_| name == root).unwrap_or(name.as_os_str());
        let name = name.to_string_lossy().into_owned();
        let length = folder.traces.iter().map(|trace| trace.samples.len()).max().unwrap_or(0);
        if since.is_some() && until > length {
            let end = Duration::from_secs(length as u64 * u64::from(step));
            let warning = screen.word(Tone::Doubtful, "warning:");
            screen.say(&format!("{warning} {name} ends after {end}, and is forecast from there"));
        }
        (name, Material::of_traces(&folder.zones, &folder.traces, until))
    };
    Ok((below.folders.iter().map(material).collect(), below.code()))
}

fn no_span(at: &str) -> Failure {
    Failure::invalid(format!("`{at}` is no time since the begin of traces, which have no dates"))
        .hint("use a span, such as 36h or 20d")
}

fn measured(project: &Project, at: Option<&str>) -> Result<Material, Failure> {
    let unusable = |error| Failure::of(Code::Machine, &error);
    let nothing = || {
        Failure::invalid("nothing was measured yet in this project").hint(
            "`foreshard observe` measures this machine, `foreshard history import` takes in what \
             others measured; `foreshard forecast show ROOT` reads traces",
        )
    };
    if !project.history().exists() {
        return Err(nothing());
    }
    let until = match at {
        Some(at) => time::parse(at).map_err(|error| {
            Failure::invalid(format!("`{at}` is no moment")).cause(error.to_string())
        })?,
        None => Timestamp(i64::MAX),
    };
    let mut history = History::open(&project.history()).map_err(unusable)?;
    past::material(&mut history, None, None, until).map_err(unusable)?.ok_or_else(nothing)
}
