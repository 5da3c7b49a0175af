//! Maps of gain as a picture: green is won, red is lost, grey is neither.

use super::{Field, Map, edge, percent};
use crate::lab::gantt::Sheet;

const WIDTH: f64 = 1_000.0;
const PER_ROW: usize = 2;
const LEFT: f64 = 64.0;
const FIELD: (f64, f64) = (62.0, 42.0);
/// A gain from which on the colour is as strong as it gets.
const FULL: f64 = 0.5;

/// An SVG document with all maps, two in a row.
#[must_use]
pub fn svg(title: &str, maps: &[Map]) -> String {
    let mut sheet = Sheet { out: String::new(), y: 6.0, width: WIDTH };
    sheet.title(title);
    for row in maps.chunks(PER_ROW) {
        let top = sheet.y;
        let mut bottom = top;
        for (map, number) in row.iter().zip(0_u32..) {
            let left = f64::from(number) * WIDTH / PER_ROW as f64;
            sheet.y = top;
            panel(&mut sheet, map, left);
            bottom = bottom.max(sheet.y);
        }
        sheet.y = bottom + 22.0;
    }
    for line in [
        "Across: how long the task is in which a core-second lies on average. Up: how long a launch is.",
        "Both are in mean up-runs of the zones.",
        "A field shows the median gain of its cells; below, the least and the most, and how many there are.",
        "Green: won. Red: lost. Grey: nothing is sure. Red corner: a cell in it is surely lost.",
        "Bar at the left: later than the reference in some cell.",
    ] {
        sheet.label(6.0, sheet.y, line);
        sheet.y += 15.0;
    }
    sheet.document()
}

fn panel(sheet: &mut Sheet, map: &Map, left: f64) {
    sheet.label(left + 6.0, sheet.y + 12.0, &map.title);
    sheet.y += 22.0;
    let Some((columns, rows)) = map.extent() else { return };
    let top = sheet.y;
    let x = |column: i32| left + LEFT + f64::from(column - columns.start()) * FIELD.0;
    let y = |row: i32| top + f64::from(rows.end() - row) * FIELD.1;
    for row in rows.clone() {
        sheet.label(left + 22.0, y(row) + FIELD.1 + 4.0, &edge(row));
        for column in columns.clone() {
            let at = (x(column), y(row));
            sheet.box_at(at, (FIELD.0 - 2.0, FIELD.1 - 2.0), "#f4f4f2");
            if let Some(field) = map.field(row, column) {
                draw(sheet, field, at);
            }
        }
    }
    let bottom = y(*rows.start()) + FIELD.1;
    for column in columns.clone().chain([columns.end() + 1]) {
        sheet.label(x(column) - 10.0, bottom + 14.0, &edge(column));
    }
    sheet.label(left + 22.0, y(*rows.end()) + 4.0, &edge(rows.end() + 1));
    sheet.y = bottom + 18.0;
}

fn draw(sheet: &mut Sheet, field: &Field, (x, y): (f64, f64)) {
    let (width, height) = (FIELD.0 - 2.0, FIELD.1 - 2.0);
    sheet.box_at((x, y), (width, height), &color(field));
    if field.has_lost() {
        let points = [(x + width - 9.0, y), (x + width, y), (x + width, y + 9.0)];
        sheet.triangle(points, "#b3261e");
    }
    if field.is_later() {
        sheet.box_at((x, y), (3.0, height), "#222222");
    }
    sheet.label(x + 8.0, y + 17.0, &format!("{} %", percent(field.median())));
    let (low, high) = field.ends();
    let n = field.gains.len();
    let below =
        if n == 1 { String::new() } else { format!("{}..{}, {n}", percent(low), percent(high)) };
    sheet.small(x + 8.0, y + 32.0, &below);
}

/// From white to green or to red.
fn color(field: &Field) -> String {
    if field.is_even() {
        return "#d9d9d6".to_owned();
    }
    let gain = field.median();
    let strength = (gain.abs() / FULL).min(1.0);
    let end = if gain > 0.0 { (0x5f, 0xb0, 0x70) } else { (0xe0, 0x7b, 0x70) };
    let mix = |to: i32| (255.0 + f64::from(to - 255) * (0.25 + 0.75 * strength)).round() as i32;
    format!("#{:02x}{:02x}{:02x}", mix(end.0), mix(end.1), mix(end.2))
}
