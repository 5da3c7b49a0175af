//! Policies side by side: what they take and what they cost, and one run of each.

use std::fmt::Write;

use super::compare::Spread;
use super::gantt::Sheet;
use crate::outcome::Outcome;

/// A policy in the picture.
#[derive(Clone, Debug)]
pub struct Shown<'a> {
    /// As people call it.
    pub name: &'a str,
    /// In money.
    pub cost: Spread,
    /// In seconds.
    pub makespan: Spread,
    /// One of its runs, with a timeline.
    pub run: &'a Outcome,
}

const WIDTH: f64 = 1_000.0;
const PLOT: (f64, f64) = (620.0, 300.0);
const LEFT: f64 = 90.0;
const COLORS: [&str; 9] = [
    "#2f6f9f", "#b5651d", "#3c7a3c", "#7a3c7a", "#8a8a2a", "#444444", "#c0504d", "#2aa198",
    "#e0a030",
];

/// An SVG document: medians of cost and makespan with their 5 to 95 % ranges, then the Gantt chart
/// of one run of each.
#[must_use]
pub fn svg(title: &str, policies: &[Shown<'_>], zones: &[String]) -> String {
    let mut sheet = Sheet { out: String::new(), y: 6.0, width: WIDTH };
    sheet.title(title);
    plot(&mut sheet, policies);
    for policy in policies {
        sheet.gantt(&format!("{}: one run", policy.name), policy.run, zones);
    }
    let legend = "yellow: launching; grey: held; blue: work that was kept; red: work that was lost, and preemptions";
    sheet.label(6.0, sheet.y + 9.0, legend);
    sheet.y += 14.0;
    sheet.document()
}

fn plot(sheet: &mut Sheet, policies: &[Shown<'_>]) {
    let most = |of: &dyn Fn(&Shown<'_>) -> f64| {
        let most = policies.iter().map(of).fold(0.0, f64::max);
        if most > 0.0 { most * 1.05 } else { 1.0 }
    };
    let (cost, hours) = (most(&|p| p.cost.high), most(&|p| p.makespan.high) / 3_600.0);
    let top = sheet.y;
    let x = |value: f64| LEFT + value / cost * PLOT.0;
    let y = |seconds: f64| top + PLOT.1 - seconds / 3_600.0 / hours * PLOT.1;
    let line = |out: &mut String, from: (f64, f64), to: (f64, f64), color: &str| {
        let _ = writeln!(
            out,
            "<path d=\"M{:.1} {:.1}L{:.1} {:.1}\" stroke=\"{color}\" stroke-width=\"1.5\"/>",
            from.0, from.1, to.0, to.1
        );
    };
    line(&mut sheet.out, (LEFT, top), (LEFT, top + PLOT.1), "#999");
    line(&mut sheet.out, (LEFT, top + PLOT.1), (LEFT + PLOT.0, top + PLOT.1), "#999");
    for value in ticks(cost) {
        sheet.label(x(value) - 8.0, top + PLOT.1 + 14.0, &figure(value));
    }
    for value in ticks(hours) {
        sheet.label(54.0, y(value * 3_600.0) + 4.0, &figure(value));
    }
    sheet.label(LEFT + PLOT.0 - 30.0, top + PLOT.1 + 28.0, "cost");
    sheet.label(6.0, top + 8.0, "hours");
    let mut beside = top + 14.0;
    for (policy, color) in policies.iter().zip(COLORS.iter().cycle()) {
        let at = (x(policy.cost.median), y(policy.makespan.median));
        line(&mut sheet.out, (x(policy.cost.low), at.1), (x(policy.cost.high), at.1), color);
        line(
            &mut sheet.out,
            (at.0, y(policy.makespan.low)),
            (at.0, y(policy.makespan.high)),
            color,
        );
        let _ = writeln!(
            sheet.out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{color}\"/>",
            at.0, at.1
        );
        // Names stand beside the plot, where they cannot lie upon each other.
        let right = LEFT + PLOT.0 + 30.0;
        sheet.box_at((right, beside - 8.0), (9.0, 9.0), color);
        sheet.label(right + 16.0, beside, policy.name);
        beside += 18.0;
    }
    sheet.y = top + PLOT.1 + 44.0;
}

/// From 0 up to this, in steps of 1, 2 or 5 times a power of ten, about five of them.
pub(super) fn ticks(most: f64) -> Vec<f64> {
    let rough = (most / 5.0).max(1e-9);
    let power = 10_f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power >= rough);
    let step = times.unwrap_or(10.0) * power;
    let n = (most / step).floor() as u32;
    (0..=n).map(|i| f64::from(i) * step).collect()
}

/// As few figures as tell ticks apart.
pub(super) fn figure(value: f64) -> String {
    let rounded = (value * 1e4).round() / 1e4;
    format!("{rounded}")
}
