//! A forecast as text: a table, a strip of the past and the future of every zone, fans of amounts.

use forecast::Horizon;
use forecast::availability::{Availability, Free, ZoneAvailability};
use forecast::card::ModelCard;
use spec::Bytes;

use super::fan;
use super::{Outlook, Past, ahead, is_silent};
use crate::printable::clipped;
use crate::quantity::{count, plural};
use crate::text::Style;

/// Horizons in the table, in minutes.
const HORIZONS: [u32; 6] = [15, 60, 180, 360, 720, 1440];
/// Horizons of survival in the table, in minutes.
const STAYS: [u32; 3] = [60, 360, 1440];
/// Names are clipped to this.
const NAME: usize = 22;
/// The most warnings of a zone that are told.
const WARNINGS: usize = 4;

/// The forecast of a group of zones.
#[must_use]
pub fn text(outlook: &Outlook, style: Style) -> String {
    let made = &outlook.availability;
    let mut text = style.bold(&clipped(&made.name, 60));
    let hours = made.zones.iter().map(|zone| zone.hours_known).fold(0.0, f64::max);
    text += &format!(
        ": {}, {} of their past, the next {}\n\n",
        plural(made.zones.len(), "zone", "zones"),
        ahead(hours * 60.0),
        ahead(f64::from(made.horizon.minutes))
    );
    text += &table(made, style);
    text += &together(outlook, style);
    text += &strips(outlook, style);
    for (zone, past) in made.zones.iter().zip(&outlook.pasts) {
        for (i, free) in zone.free.iter().enumerate() {
            let history = past.amounts.get(i).map_or(&[][..], Vec::as_slice);
            text += &amount(zone, free, history, past, made, style);
        }
        text += &wait(zone);
    }
    text += &warnings(made, style);
    text
}

/// Chances in percent: to be up at a moment, and to stay up until then.
fn table(made: &Availability, style: Style) -> String {
    let (horizons, stays) = (within(&HORIZONS, made.horizon), within(&STAYS, made.horizon));
    let first = format!("{:NAME$}  {:<14}", "", "");
    let mut head = format!("{first}{:<width$}", "up in, %", width = 7 * horizons.len());
    head += "   stays up for, %";
    let mut text = style.faint(head.trim_end()) + "\n";
    let mut head = format!("{:NAME$}  {:<14}", "zone", "now");
    horizons.iter().for_each(|&m| head += &format!("{:>7}", ahead(f64::from(m))));
    head += "   ";
    stays.iter().for_each(|&m| head += &format!("{:>6}", ahead(f64::from(m))));
    text += &(style.faint(head.trim_end()) + "\n");
    for zone in &made.zones {
        text += &format!("{:NAME$}  {:<14}", clipped(&zone.zone, NAME), now(zone));
        for &minutes in &horizons {
            text += &format!("{:>7}", percent(zone.up_at(minutes, made.horizon)));
        }
        text += "   ";
        for &minutes in &stays {
            let stays = percent(zone.survival_at(minutes, made.horizon));
            let told = if zone.is_up == Some(true) { stays } else { "-".to_owned() };
            text += &format!("{told:>6}");
        }
        text.truncate(text.trim_end().len());
        text += "\n";
    }
    text
}

/// Those that are not beyond the horizon; its end where all are.
fn within(minutes: &[u32], horizon: Horizon) -> Vec<u32> {
    let mut within: Vec<u32> =
        minutes.iter().copied().filter(|&minutes| minutes <= horizon.minutes).collect();
    if within.is_empty() {
        within.push(horizon.minutes);
    }
    within
}

fn percent(p: f64) -> String {
    format!("{:.0}", p * 100.0)
}

fn now(zone: &ZoneAvailability) -> String {
    let Some(is_up) = zone.is_up else { return "unknown".to_owned() };
    let state = if is_up { "up" } else { "down" };
    // Of what nobody heard of for long, only what it was is known.
    if is_silent(zone) {
        format!("was {state}")
    } else {
        format!("{state}, {}", ahead(zone.minutes_in_state))
    }
}

/// How many zones there will be at once.
fn together(outlook: &Outlook, style: Style) -> String {
    let Some(together) = &outlook.together else { return String::new() };
    if together.zones < 2 {
        return String::new();
    }
    let horizon = outlook.availability.horizon;
    let mut text = format!("\n{}", style.faint("zones up at once, in joint futures\n"));
    let step = |minutes: u32| (minutes.div_ceil(horizon.step_minutes.max(1)).max(1) - 1) as usize;
    for minutes in within(&HORIZONS[1..], horizon) {
        let (Some([low, _, middle, _, high]), Some(none)) =
            (together.quantiles.get(step(minutes)), together.none.get(step(minutes)))
        else {
            continue;
        };
        let none =
            if *none > 0.0 { format!("{:.1} %", none * 100.0) } else { "under 0.1 %".to_owned() };
        text += &format!(
            "  in {:<6} {middle:.0} of {}, 90 % between {low:.0} and {high:.0}; none: {none}\n",
            ahead(f64::from(minutes)),
            together.zones,
        );
    }
    text
}

/// A line per zone: what it did, a bar for now, and the chance to be up.
fn strips(outlook: &Outlook, style: Style) -> String {
    let horizon = outlook.availability.horizon;
    let room = style.width.saturating_sub(NAME + 5).clamp(20, 120);
    let (before, after) = (room / 3, room - room / 3 - 1);
    let Some(past) = outlook.pasts.first() else { return String::new() };
    let shown = past.up.len() as f64 * past.step_minutes;
    let head = format!("{} before", ahead(shown));
    let line = format!(
        "{:NAME$}  {head:<before$}│{:>after$}",
        "",
        format!("chance to be up over {}", ahead(f64::from(horizon.minutes)))
    );
    let mut text = format!("\n{}\n", style.faint(&line));
    for (zone, past) in outlook.availability.zones.iter().zip(&outlook.pasts) {
        let done = fan::strip(&past.up, before);
        let chances: Vec<Option<f64>> = zone.up.iter().map(|&p| Some(p)).collect();
        let to_come = style.paint_future(&fan::levels(&chances, after));
        text += &format!("{:NAME$}  {done}│{to_come}\n", clipped(&zone.zone, NAME));
    }
    text
}

/// A fan of one amount.
fn amount(
    zone: &ZoneAvailability,
    free: &Free,
    history: &[Option<f64>],
    past: &Past,
    made: &Availability,
    style: Style,
) -> String {
    let title = format!("{}: {}", clipped(&zone.zone, NAME), fan::subject(free));
    let mut text = format!("\n{}", style.bold(&title));
    let step =
        |minutes: u32| (minutes.div_ceil(made.horizon.step_minutes.max(1)).max(1) - 1) as usize;
    for minutes in [60, 360, 1440].into_iter().filter(|&minutes| minutes <= made.horizon.minutes) {
        let at = |level| free.quantile(step(minutes), level);
        if let (Some(low), Some(middle), Some(high)) = (at(0.05), at(0.5), at(0.95)) {
            let [low, middle, high] =
                [low, middle, high].map(|value| fan::figure(value, &free.unit));
            text += &format!("; in {}: {middle} ({low} to {high})", ahead(f64::from(minutes)));
        }
    }
    text + "\n" + &fan::text(free, history, past.step_minutes, made.horizon, style)
}

/// How long asking takes.
fn wait(zone: &ZoneAvailability) -> String {
    let Some(wait) = &zone.wait else { return String::new() };
    let [low, _, middle, _, high] = wait.seconds.map(waited);
    let asked = [
        wait.asked.cpus.map(|cpus| format!("{cpus} cpus")),
        wait.asked.memory.map(|bytes| Bytes(bytes as u64).to_string()),
        wait.asked.walltime.map(waited),
    ];
    let asked = asked.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let asked = if asked.is_empty() { asked } else { format!(" for {asked}") };
    format!(
        "\n{}: from asking to running{asked}: {middle} (90 % between {low} and {high}; {:.0} past waits)\n",
        clipped(&zone.zone, NAME),
        wait.waits
    )
}

/// A wait, of which seconds count while there are few.
fn waited(seconds: f64) -> String {
    if seconds < 100.0 { format!("{seconds:.0} s") } else { ahead(seconds / 60.0) }
}

fn warnings(made: &Availability, style: Style) -> String {
    let mut text = String::new();
    for zone in made.zones.iter().filter(|zone| !zone.warnings.is_empty()) {
        let told: Vec<String> =
            zone.warnings.iter().take(WARNINGS).map(ToString::to_string).collect();
        text += &format!("{}: {}\n", style.warn(&clipped(&zone.zone, NAME)), told.join("; "));
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

/// What made a forecast, and how good it has been.
#[must_use]
pub fn card(card: &ModelCard, style: Style) -> String {
    let days = card.steps_kept as f64 * f64::from(card.step_seconds) / 86_400.0;
    let mut text = format!(
        "\n{} {}, learned from {}\n",
        style.faint("model:"),
        card.model,
        ahead(days * 1440.0)
    );
    let head = format!(
        "  {:<18}{:>8}{:>8}{:>8}{:>9}  {}",
        "scored on the way", "Brier", "skill", "calib.", "outcomes", "who has a say"
    );
    text += &(style.faint(&head) + "\n");
    let shown = |minutes: u32| [60, 360, 1440].contains(&minutes);
    for target in card.targets.iter().filter(|target| shown(target.horizon_minutes)) {
        let name = format!("{}, {}", target.statement, ahead(f64::from(target.horizon_minutes)));
        let experts: Vec<String> = target
            .experts
            .iter()
            .take(3)
            .map(|expert| format!("{} {:.0} %", expert.name, expert.weight * 100.0))
            .collect();
        let Some(scores) = target.scores else {
            text += &format!("  {name:<18}{:>33}  {}\n", "no outcome yet", experts.join(", "));
            continue;
        };
        text += &format!(
            "  {name:<18}{:>8.4}{:>8.3}{:>8.3}{:>9}  {}\n",
            scores.brier,
            scores.skill,
            scores.calibration_error,
            count(scores.forecasts),
            experts.join(", ")
        );
    }
    text
}
