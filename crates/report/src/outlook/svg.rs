//! A forecast as a picture: for every zone what it did and will do, and fans of amounts.

use forecast::availability::{Free, ZoneAvailability};

use super::chart::{self, Anchor, LEFT, NOW, Panel, RIGHT, WIDTH};
use super::{Outlook, Past, Together, ahead, fan, is_silent};
use crate::markup::Markup;

/// The height of a zone's panel, and of a fan.
const ZONE: f64 = 72.0;
const FAN: f64 = 110.0;
/// From one panel to the next, with room for a title.
const GAP: f64 = 48.0;
/// The most warnings of a zone: there is one line for them, beside its name.
const WARNINGS: usize = 3;
/// The most panels of one file.
const PANELS: usize = 400;

/// An SVG file of groups of zones.
#[must_use]
pub fn svg(outlooks: &[Outlook]) -> String {
    let mut sheet = Sheet { out: Markup::new(), y: 14.0, panels: 0 };
    for outlook in outlooks {
        sheet.group(outlook);
    }
    chart::file("Forecast", WIDTH, sheet.y + 10.0, &sheet.out)
}

struct Sheet {
    out: Markup,
    y: f64,
    panels: usize,
}

impl Sheet {
    fn group(&mut self, outlook: &Outlook) {
        let made = &outlook.availability;
        self.y += 14.0;
        let title = format!("{}: the next {}", made.name, ahead(f64::from(made.horizon.minutes)));
        chart::text("h", 10.0, self.y, Anchor::Start, &title, &mut self.out);
        self.legend();
        if let Some(together) = outlook.together.as_ref().filter(|together| together.zones > 1) {
            self.together(together, outlook);
        }
        for (zone, past) in made.zones.iter().zip(&outlook.pasts) {
            if self.panels >= PANELS {
                self.y += 20.0;
                chart::text("s", LEFT, self.y, Anchor::Start, "and more", &mut self.out);
                return;
            }
            self.zone(zone, past, outlook);
            for (i, free) in zone.free.iter().enumerate() {
                self.fan(zone, free, past, past.amounts.get(i), outlook);
            }
        }
        self.y += 18.0;
    }

    fn legend(&mut self) {
        self.y += 20.0;
        let (mut x, y) = (LEFT, self.y - 4.0);
        let out = &mut self.out;
        for (class, words, width) in [
            ("was", "was up", 62.0),
            ("up", "chance to be up", 118.0),
            ("stay", "chance to stay up", 126.0),
            ("f50", "50 %", 50.0),
            ("f90", "90 % of futures", 90.0),
        ] {
            match class {
                "up" | "stay" => chart::segment(class, (x, y), (x + 16.0, y), out),
                _ => chart::rect(class, (x, y - 5.0), (16.0, 10.0), out),
            }
            chart::text("s", x + 20.0, y + 4.0, Anchor::Start, words, out);
            x += width + 16.0;
        }
    }

    /// A panel with its title; times are below it.
    fn panel(
        &mut self,
        title: &str,
        note: &str,
        height: f64,
        range: (f64, f64),
        outlook: &Outlook,
    ) -> Panel {
        self.panels += 1;
        self.y += GAP;
        let panel = Panel {
            top: self.y,
            height,
            range,
            minutes: f64::from(outlook.availability.horizon.minutes),
        };
        for event in &outlook.events {
            panel.band("event", event.from, event.to, &mut self.out);
            let seen =
                (event.to > -panel.minutes / 2.0 && event.from < panel.minutes).then_some(());
            if seen.is_some() {
                let x = panel.x(event.from) + 3.0;
                chart::text("s", x, panel.top + 11.0, Anchor::Start, &event.name, &mut self.out);
            }
        }
        chart::text("z", LEFT, self.y - 9.0, Anchor::Start, title, &mut self.out);
        chart::text("s", RIGHT, self.y - 9.0, Anchor::End, note, &mut self.out);
        self.y += height;
        panel
    }

    fn zone(&mut self, zone: &ZoneAvailability, past: &Past, outlook: &Outlook) {
        let state = match zone.is_up {
            Some(is_up) if is_silent(zone) => format!("was {}", if is_up { "up" } else { "down" }),
            Some(true) => format!("up for {}", ahead(zone.minutes_in_state)),
            Some(false) => format!("down for {}", ahead(zone.minutes_in_state)),
            None => "never seen".to_owned(),
        };
        let mut note: String =
            zone.warnings.iter().take(WARNINGS).map(|w| format!(" · {w}")).collect();
        note += if zone.warnings.len() > WARNINGS { " · …" } else { "" };
        let panel = self.panel(&zone.zone, &(state + &note), ZONE, (0.0, 1.0), outlook);
        let out = &mut self.out;
        was(&panel, past, out);
        let step = f64::from(outlook.availability.horizon.step_minutes);
        let now =
            zone.is_up.filter(|_| !is_silent(zone)).map(|is_up| (0.0, f64::from(u8::from(is_up))));
        let up = curve(now, &zone.up, step);
        let floor: Vec<(f64, f64)> = up.iter().map(|point| (point.0, 0.0)).collect();
        panel.between("upa", &floor, &up, out);
        panel.axes(
            &[(0.0, "0 %"), (0.5, "50 %"), (1.0, "100 %")].map(|(v, l)| (v, l.to_owned())),
            out,
        );
        panel.line("up", &up, out);
        if zone.is_up == Some(true) {
            panel.line("stay", &curve(Some((0.0, 1.0)), &zone.survival, step), out);
        }
        panel.times(out);
    }

    fn together(&mut self, together: &Together, outlook: &Outlook) {
        let range = (0.0, together.zones as f64);
        let panel = self.panel("zones up at once", "in joint futures", FAN, range, outlook);
        let step = f64::from(outlook.availability.horizon.step_minutes);
        let curves: [Vec<f64>; 5] =
            std::array::from_fn(|i| together.quantiles.iter().map(|q| q[i]).collect());
        let past = outlook.pasts.first().map_or(5.0, |past| past.step_minutes);
        let middle = together.zones as f64 / 2.0;
        let ticks = [0.0, middle.round(), together.zones as f64].map(|v| (v, format!("{v:.0}")));
        draw_fan(&panel, &curves, step, (&together.past, past), &ticks, &mut self.out);
    }

    fn fan(
        &mut self,
        zone: &ZoneAvailability,
        free: &Free,
        past: &Past,
        amounts: Option<&Vec<Option<f64>>>,
        outlook: &Outlook,
    ) {
        let curves = [0.05, 0.25, 0.5, 0.75, 0.95].map(|level| {
            (0..free.quantiles.len()).filter_map(|k| free.quantile(k, level)).collect::<Vec<f64>>()
        });
        let history = amounts.map_or(&[][..], Vec::as_slice);
        let shown = curves.iter().flatten().copied().chain(history.iter().flatten().copied());
        let range = fan::range(shown);
        let title = format!("{}: {}", zone.zone, fan::subject(free));
        let panel = self.panel(&title, "", FAN, range, outlook);
        let step = f64::from(outlook.availability.horizon.step_minutes);
        let middle = f64::midpoint(range.0, range.1);
        let ticks = [range.0, middle, range.1].map(|v| (v, fan::figure(v, &free.unit)));
        draw_fan(&panel, &curves, step, (history, past.step_minutes), &ticks, &mut self.out);
    }
}

/// Quantiles to come and a line that was.
fn draw_fan(
    panel: &Panel,
    curves: &[Vec<f64>; 5],
    step: f64,
    (past, past_step): (&[Option<f64>], f64),
    ticks: &[(f64, String)],
    out: &mut Markup,
) {
    let points: Vec<Vec<(f64, f64)>> =
        curves.iter().map(|values| curve(None, values, step)).collect();
    panel.between("f90", &points[0], &points[4], out);
    panel.between("f50", &points[1], &points[3], out);
    panel.axes(ticks, out);
    panel.line("mid", &points[2], out);
    let mut piece: Vec<(f64, f64)> = Vec::new();
    for (i, value) in past.iter().enumerate() {
        let minutes = -((past.len() - 1 - i) as f64) * past_step;
        match value {
            Some(value) if panel.x(minutes) > LEFT || minutes >= 0.0 => {
                piece.push((minutes, *value));
            }
            _ => {
                panel.line("line", &piece, out);
                piece.clear();
            }
        }
    }
    panel.line("line", &piece, out);
    panel.times(out);
}

/// Steps of a horizon as points.
fn curve(now: Option<(f64, f64)>, steps: &[f64], step: f64) -> Vec<(f64, f64)> {
    let later = steps.iter().enumerate().map(|(i, &p)| ((i + 1) as f64 * step, p));
    now.into_iter().chain(later).collect()
}

/// Stretches that were up, and such of which nothing is known.
fn was(panel: &Panel, past: &Past, out: &mut Markup) {
    let n = past.up.len();
    let time = |i: usize| -((n - i) as f64) * past.step_minutes;
    let mut from = 0;
    while from < n {
        let value = past.up[from];
        let to = (from..n).find(|&i| past.up[i] != value).unwrap_or(n);
        let (left, right) = (panel.x(time(from)), panel.x(time(to)));
        if right > LEFT && left < NOW {
            match value {
                None => panel.band("gap", time(from), time(to), out),
                Some(share) if share > 0.0 => {
                    let top = panel.y(share);
                    let height = panel.top + panel.height - top;
                    chart::rect("was", (left, top), (right - left, height), out);
                }
                Some(_) => {}
            }
        }
        from = to;
    }
}
