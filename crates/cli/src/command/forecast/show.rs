//! `foreshard forecast show`: what will be free, as a table, as pictures and as JSON.

use forecast::{Availability, Covariates, Horizon, Material, ResourcePredictor};
use report::outlook::{self, Outlook, Past, Together};
use report::text::Style;

use super::source;
use crate::args::ForecastShow;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;

/// How many joint futures stand behind the numbers of zones that are up at once.
const FUTURES: usize = 4000;

/// Forecasts every group of zones and shows it.
///
/// # Errors
/// There is no past, it cannot be read, or a file cannot be written.
pub(crate) fn show(args: &ForecastShow, screen: Screen) -> Result<Code, Failure> {
    let horizon = source::horizon(args.from.horizon)?;
    let mut outlooks = Vec::new();
    let (groups, code) = source::learned(&args.from, horizon, screen)?;
    for (name, predictor) in groups {
        outlooks.push(outlook(name, &predictor, horizon, args)?);
    }
    if outlooks.iter().all(|outlook| outlook.availability.zones.is_empty()) {
        return Err(Failure::invalid(format!("there is no zone {}", args.zone.join(", "))));
    }
    outlooks.retain(|outlook| !outlook.availability.zones.is_empty());
    if args.from.root.is_none() {
        source::remember(&args.from.project, &outlooks[0].availability)?;
    }
    if let Some(path) = &args.svg {
        let text = outlook::svg(&outlooks);
        std::fs::write(path, text).map_err(|error| Failure::io("write", path, &error))?;
    }
    if args.json {
        let made: Vec<&Availability> = outlooks.iter().map(|one| &one.availability).collect();
        screen.print_json(&made)?;
        return Ok(code);
    }
    let width = screen.width();
    let style = if screen.paints_out() { Style::coloured(width) } else { Style::plain(width) };
    let texts = outlooks
        .iter()
        .map(|one| outlook::text(one, style) + &outlook::card(&one.availability.model, style));
    screen.print(&texts.collect::<Vec<_>>().join("\n"))?;
    Ok(code)
}

fn unknown(name: &str) -> Failure {
    Failure::invalid(format!("nothing is known of {name}"))
        .hint("forecasts begin when five minutes were measured")
}

fn outlook(
    name: String,
    predictor: &ResourcePredictor,
    horizon: Horizon,
    args: &ForecastShow,
) -> Result<Outlook, Failure> {
    let made = predictor.predict_availability(horizon);
    let mut availability = made.ok_or_else(|| unknown(&name))?;
    availability.name = name;
    for (z, zone) in availability.zones.iter_mut().enumerate() {
        zone.wait = predictor.wait(z, args.asked());
    }
    let mut pasts = pasts(predictor.material(), horizon);
    let events = events(predictor.material());
    let together = predictor
        .joint(horizon)
        .filter(|_| availability.zones.len() > 1)
        .map(|joint| Together::of(&joint.paths(FUTURES, args.from.seed), &pasts));
    let is_wanted: Vec<bool> = availability
        .zones
        .iter()
        .map(|zone| args.zone.is_empty() || args.zone.contains(&zone.zone))
        .collect();
    let mut wanted = is_wanted.iter();
    availability.zones.retain(|_| *wanted.next().unwrap_or(&true));
    let mut wanted = is_wanted.iter();
    pasts.retain(|_| *wanted.next().unwrap_or(&true));
    Ok(Outlook { availability, pasts, together, events })
}

/// What is in the calendars of any zone, each once.
fn events(material: &Material) -> Vec<outlook::Event> {
    let minutes = |step: i64| {
        (step - material.steps() as i64) as f64 * f64::from(material.step_seconds) / 60.0
    };
    let mut found: Vec<(String, i64, i64)> = Vec::new();
    for (name, spans) in material.ahead.iter().flat_map(Covariates::events) {
        found.extend(spans.all().iter().map(|span| (name.to_owned(), span.from, span.to)));
    }
    found.sort();
    found.dedup();
    let event = |(name, from, to)| outlook::Event { name, from: minutes(from), to: minutes(to) };
    found.into_iter().map(event).collect()
}

/// The last part of what is known, half as long as the horizon.
fn pasts(material: &Material, horizon: Horizon) -> Vec<Past> {
    let steps =
        (u64::from(horizon.minutes) * 30 / u64::from(material.step_seconds)).max(2) as usize;
    let end = material.steps();
    let last = |values: &Vec<Option<f64>>| -> Vec<Option<f64>> {
        (end.saturating_sub(steps)..end).map(|t| values.get(t).copied().flatten()).collect()
    };
    let past = |(z, up): (usize, &Vec<Option<f64>>)| {
        let most = up.iter().flatten().copied().fold(1.0, f64::max);
        let amounts = material.amounts.iter().filter(|amount| amount.zone == z);
        let amounts = amounts.map(|amount| {
            let free = |used: f64| amount.capacity.map_or(used, |all| (all - used).max(0.0));
            last(&amount.values).into_iter().map(|used| used.map(free)).collect()
        });
        Past {
            step_minutes: f64::from(material.step_seconds) / 60.0,
            up: last(up).into_iter().map(|count| count.map(|count| count / most)).collect(),
            // Instances come last, where there ever was more than one.
            amounts: amounts.chain((most > 1.0).then(|| last(up))).collect(),
        }
    };
    material.up.iter().enumerate().map(past).collect()
}
