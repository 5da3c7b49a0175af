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
const COLORS: [&str; 6] = ["#2f6f9f", "#b5651d", "#3c7a3c", "#7a3c7a", "#8a8a2a", "#444444"];

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
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        sheet.label(x(share * cost) - 8.0, top + PLOT.1 + 14.0, &figure(share * cost));
        sheet.label(40.0, y(share * hours * 3_600.0) + 4.0, &figure(share * hours));
    }
    sheet.label(LEFT + PLOT.0 - 30.0, top + PLOT.1 + 28.0, "cost");
    sheet.label(6.0, top + 8.0, "hours");
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
        sheet.label(at.0 + 7.0, at.1 - 6.0, policy.name);
    }
    sheet.y = top + PLOT.1 + 44.0;
}

/// A number with about three figures.
fn figure(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}
