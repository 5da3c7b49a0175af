//! `foreshard forecast paths`: joint futures of all zones, in short and as lines of JSON.

use forecast::paths::{Paths, State};
use forecast::{Horizon, ResourcePredictor};
use report::outlook::{self, Futures};
use report::text::Style;
use serde_json::{Value, json};
use spec::Timestamp;

use super::source;
use crate::args::ForecastPaths;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;

/// The version of the lines.
const VERSION: u32 = 1;
/// Digits of an amount that are told.
const DIGITS: i32 = 5;

/// Draws futures of every group of zones and shows them.
///
/// # Errors
/// There is no past, or it cannot be read.
pub(crate) fn paths(args: &ForecastPaths, screen: Screen) -> Result<Code, Failure> {
    let horizon = source::horizon(args.from.horizon)?;
    let width = screen.width();
    let style = if screen.paints_out() { Style::coloured(width) } else { Style::plain(width) };
    let (groups, code) = source::learned(&args.from, horizon, screen)?;
    for (i, (name, predictor)) in groups.into_iter().enumerate() {
        let joint = predictor.joint(horizon);
        let joint = joint.ok_or_else(|| Failure::invalid(format!("nothing is known of {name}")))?;
        let paths = joint.paths(args.number as usize, args.from.seed);
        let zones: Vec<String> =
            predictor.material().zones.iter().map(|zone| zone.name.clone()).collect();
        if args.json {
            let head = head(&name, &predictor, &paths, horizon, args.from.seed);
            screen.print(&format!("{head}\n"))?;
            for path in 0..paths.len() {
                screen.print(&lines(&paths, path, &zones))?;
            }
            continue;
        }
        let of =
            Futures { name: &name, zones: &zones, paths: &paths, horizon, seed: args.from.seed };
        let gap = if i > 0 { "\n" } else { "" };
        screen.print(&format!("{gap}{}", outlook::futures(&of, style)))?;
    }
    Ok(code)
}

/// The first line of a group: of what the others are.
fn head(
    name: &str,
    predictor: &ResourcePredictor,
    paths: &Paths,
    horizon: Horizon,
    seed: u64,
) -> Value {
    let material = predictor.material();
    let zone = |z: usize| {
        let amount = |amount: &forecast::paths::AmountAhead| {
            json!({
                "measure": amount.measure.to_string(),
                "unit": amount.measure.unit(),
                "capacity": amount.capacity,
            })
        };
        json!({
            "zone": material.zones[z].name,
            "region": material.zones[z].region,
            "amounts": paths.measures(z).map(amount).collect::<Vec<_>>(),
        })
    };
    json!({
        "version": VERSION,
        "name": name,
        "at": material.now().map(|Timestamp(at)| at),
        "horizon": horizon,
        "paths": paths.len(),
        "seed": seed,
        "zones": (0..material.zones.len()).map(zone).collect::<Vec<_>>(),
    })
}

/// A line for each zone of a future.
fn lines(paths: &Paths, path: usize, zones: &[String]) -> String {
    let run = |state: State<'_>| {
        let amounts: Vec<f64> = state.amounts().map(rounded).collect();
        let mut run = json!({"from": state.from, "to": state.to, "is_up": state.is_up});
        if state.is_up && !amounts.is_empty() {
            run["amounts"] = json!(amounts);
        }
        run
    };
    let line = |(z, zone): (usize, &String)| {
        let runs: Vec<Value> = paths.states(path, z).map(run).collect();
        format!("{}\n", json!({"path": path, "zone": zone, "runs": runs}))
    };
    zones.iter().enumerate().map(line).collect()
}

fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let by = 10_f64.powi(DIGITS - 1 - value.abs().log10().floor() as i32);
    if by.is_finite() { (value * by).round() / by } else { value }
}
