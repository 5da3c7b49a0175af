//! Reliability diagrams: of what was said to come true with some probability, how much did.
//!
//! On the diagonal, forecasts kept their word (Murphy and Winkler, 1977). Bars below say how often
//! each probability was spoken.

use forecast::score::{BINS, Bin};

use super::chart::{self, Anchor};
use crate::markup::Markup;

/// One diagram.
#[derive(Clone, Debug)]
pub struct Diagram {
    /// What was forecast.
    pub title: String,
    /// How good it was, in a few words.
    pub note: String,
    /// By tenths of what was said.
    pub bins: [Bin; BINS],
}

const SIDE: f64 = 200.0;
const BARS: f64 = 36.0;
const COLUMNS: usize = 3;
const CELL: (f64, f64) = (300.0, 330.0);

/// An SVG file of diagrams, three in a row.
#[must_use]
pub fn reliability(title: &str, diagrams: &[Diagram]) -> String {
    let mut out = Markup::new();
    chart::text("h", 14.0, 28.0, Anchor::Start, title, &mut out);
    for (i, diagram) in diagrams.iter().enumerate() {
        let (column, row) = ((i % COLUMNS) as f64, (i / COLUMNS) as f64);
        draw(diagram, (column * CELL.0 + 64.0, row * CELL.1 + 84.0), &mut out);
    }
    let columns = diagrams.len().clamp(1, COLUMNS) as f64;
    let rows = diagrams.len().div_ceil(COLUMNS).max(1) as f64;
    chart::file("Reliability", columns * CELL.0 + 30.0, rows * CELL.1 + 60.0, &out)
}

fn draw(diagram: &Diagram, (left, top): (f64, f64), out: &mut Markup) {
    let bottom = top + SIDE;
    let at = |said: f64, true_: f64| (left + said * SIDE, bottom - true_ * SIDE);
    chart::text("z", left, top - 24.0, Anchor::Start, &diagram.title, out);
    chart::text("s", left, top - 9.0, Anchor::Start, &diagram.note, out);
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        chart::segment("grid", at(0.0, tick), at(1.0, tick), out);
        chart::segment("grid", at(tick, 0.0), at(tick, 1.0), out);
        let label = format!("{:.0} %", tick * 100.0);
        chart::text("s", left - 5.0, at(0.0, tick).1 + 4.0, Anchor::End, &label, out);
        chart::text("s", at(tick, 0.0).0, bottom + BARS + 18.0, Anchor::Middle, &label, out);
    }
    chart::segment("perfect", at(0.0, 0.0), at(1.0, 1.0), out);
    let spoken: Vec<&Bin> = diagram.bins.iter().filter(|bin| bin.rows >= 1.0).collect();
    let points: Vec<(f64, f64)> =
        spoken.iter().map(|bin| at(bin.said / bin.rows, bin.came_true / bin.rows)).collect();
    for pair in points.windows(2) {
        chart::segment("mid", pair[0], pair[1], out);
    }
    for (bin, &(x, y)) in spoken.iter().zip(&points) {
        let (least, most) = interval(bin);
        chart::segment("line", (x, at(0.0, most).1), (x, at(0.0, least).1), out);
        out.raw("<circle class=\"dot\" cx=\"").at(x).raw("\" cy=\"").at(y).raw("\" r=\"3.5\"/>\n");
    }
    let most = diagram.bins.iter().map(|bin| bin.rows).fold(1.0, f64::max);
    for (i, bin) in diagram.bins.iter().enumerate() {
        let height = bin.rows / most * BARS;
        let x = left + i as f64 * SIDE / BINS as f64;
        chart::rect("bar", (x + 1.0, bottom + 4.0), (SIDE / BINS as f64 - 2.0, height), out);
    }
    let y = bottom + BARS + 32.0;
    chart::text("s", left + SIDE / 2.0, y, Anchor::Middle, "said (bars: how often)", out);
    chart::text("s", left + SIDE - 4.0, bottom - 6.0, Anchor::End, "upwards: came true", out);
}

/// Where the share that comes true lies with 95 % (Wilson, 1927), as if forecasts were independent,
/// which they are not: the least doubt there is. Two standard errors would leave none where all came
/// true.
fn interval(bin: &Bin) -> (f64, f64) {
    const Z: f64 = 1.96;
    let (n, share) = (bin.rows, (bin.came_true / bin.rows).clamp(0.0, 1.0));
    let middle = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_true_a_few_times_is_not_sure_to() {
        let of = |rows, came_true| interval(&Bin { rows, said: 0.5 * rows, came_true });
        let (least, most) = of(4.0, 4.0);
        assert!((least - 0.5101).abs() < 1e-3 && most > 0.999, "{least} {most}");
        // Of Wilson's interval of 10 of 100: 5.52 % to 17.44 %.
        let (least, most) = of(100.0, 10.0);
        assert!((least - 0.0552).abs() < 1e-3 && (most - 0.1744).abs() < 1e-3, "{least} {most}");
    }
}
