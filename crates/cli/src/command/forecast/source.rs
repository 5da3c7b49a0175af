//! Where forecasts come from: folders of traces, or what a project measured.

use std::path::Path;

use forecast::calendar::Axis;
use forecast::{Availability, Horizon, Material};
use journal::history::History;
use observe::feed::Limits;
use observe::{ahead, past, time};
use runner::run_dir::Project;
use spec::{Duration, Timestamp};

use super::backtest;
use crate::args::ForecastShow;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::{Screen, Tone};
use crate::{past_run, site};

/// How many past runs are looked at for such that recur.
const RUNS: usize = 500;
/// The latest forecast, below the project's state.
const LATEST: &str = "forecast.json";

/// Every group of zones with its name.
///
/// # Errors
/// There is none, or it cannot be read.
pub(super) fn read(args: &ForecastShow) -> Result<Vec<(String, Material)>, Failure> {
    match &args.root {
        Some(root) => traces(root, args.at.as_deref()),
        None => {
            let project = past_run::home(&args.project)?;
            let name = project.root().file_name().unwrap_or(project.root().as_os_str());
            let name = name.to_string_lossy().into_owned();
            Ok(vec![(name, measured(&project, args.at.as_deref())?)])
        }
    }
}

/// Keeps a forecast with its model card in the project, for whoever asks what was said last.
///
/// # Errors
/// It cannot be written.
pub(super) fn remember(args: &ForecastShow, made: &Availability) -> Result<(), Failure> {
    let path = past_run::home(&args.project)?.state().join(LATEST);
    let text = serde_json::to_string(made).expect("plain values serialize");
    let new = path.with_extension("json.new");
    let write = std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, &path));
    write.map_err(|error| Failure::io("write", &path, &error))
}

/// Adds what a site says is known ahead; what cannot be used is said.
///
/// # Errors
/// The site file cannot be read.
pub(super) fn know_ahead(
    args: &ForecastShow,
    path: &Path,
    material: &mut Material,
    horizon: Horizon,
    screen: Screen,
) -> Result<(), Failure> {
    let site = site::read(path, screen)?;
    let (Some(start), Some(now)) = (material.start, material.now()) else { return Ok(()) };
    let project = past_run::home(&args.project)?;
    let until = now + Duration::from_secs(u64::from(horizon.minutes) * 60 + 86_400);
    let axis = Axis { start, step_seconds: material.step_seconds };
    let folder = path.parent().unwrap_or(Path::new(""));
    let runs = runner::past::runs(&project, RUNS);
    let loaded = ahead::load(&site, folder, axis, until, &runs, Limits::default());
    let warning = screen.word(Tone::Doubtful, "warning:");
    loaded.warnings.iter().for_each(|told| screen.say(&format!("{warning} {told}")));
    let of = |zone: &forecast::Zone| {
        let number = site.zones.iter().position(|known| known.name == zone.name)?;
        loaded.zones.get(number).cloned()
    };
    match material.zones.iter().map(of).collect::<Option<Vec<_>>>() {
        Some(zones) => material.ahead = zones,
        None => screen.say(&format!(
            "{warning} not every zone that was measured is in {}; what it says is left out",
            path.display()
        )),
    }
    Ok(())
}

fn traces(root: &Path, at: Option<&str>) -> Result<Vec<(String, Material)>, Failure> {
    let since = at.map(|at| at.parse::<Duration>().map_err(|_| no_span(at))).transpose()?;
    let folders = backtest::read(root)?;
    let material = folders.into_iter().map(|folder| {
        let step = folder.traces.first().map_or(1, |trace| trace.step_seconds.max(1));
        if folder.traces.iter().any(|trace| trace.step_seconds != step) {
            let message = format!("the zones of {} are not sampled at the same steps", folder.name);
            return Err(Failure::invalid(message));
        }
        let until =
            since.map_or(usize::MAX, |since| (since.as_secs_f64() / f64::from(step)) as usize);
        // A folder that was named itself is called by its last part.
        let name = Path::new(&folder.name);
        let name = name.file_name().filter(|_| name == root).unwrap_or(name.as_os_str());
        Ok((
            name.to_string_lossy().into_owned(),
            Material::of_traces(&folder.zones, &folder.traces, until),
        ))
    });
    material.collect()
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
