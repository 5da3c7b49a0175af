//! One panel of a picture: axes, lines, areas and bands over time, now in the middle.
//!
//! Knows minutes from now and a range of values; what they are of, its callers know.

use crate::markup::Markup;

/// Where panels begin and end, and where now is.
pub(super) const LEFT: f64 = 64.0;
pub(super) const RIGHT: f64 = 940.0;
pub(super) const NOW: f64 = LEFT + (RIGHT - LEFT) / 3.0;
/// The width of a picture.
pub(super) const WIDTH: f64 = 960.0;

pub(super) const STYLE: &str = "<style>\
:root{color-scheme:light dark}\
svg{background:#fff}text{font:12px ui-sans-serif,system-ui,sans-serif;fill:#1f2933}\
.h{font-size:16px;font-weight:600}.z{font-weight:600}.s{fill:#66727f;font-size:11px}\
.grid{stroke:#e3e7eb;stroke-width:1}.now{stroke:#8d96a3;stroke-width:1}\
.was{fill:#9fb8a8}.gap{fill:#f1f2f4}.event{fill:#f7ecc8}\
.up{fill:none;stroke:#1f5fa8;stroke-width:2}.upa{fill:#dbe8f6}\
.stay{fill:none;stroke:#c2570c;stroke-width:1.6;stroke-dasharray:5 3}\
.f90{fill:#d6e4f4}.f50{fill:#a9c7e8}.mid{fill:none;stroke:#1f5fa8;stroke-width:1.8}\
.line{fill:none;stroke:#3d4852;stroke-width:1.3}.perfect{stroke:#9aa5b1;stroke-dasharray:4 4}\
.dot{fill:#1f5fa8}.bar{fill:#c6cdd5}\
@media (prefers-color-scheme:dark){\
svg{background:#171b20}text{fill:#e6e9ed}.s{fill:#9aa5b1}.grid{stroke:#2b323a}.now{stroke:#6b7684}\
.was{fill:#4d6b5a}.gap{fill:#20252b}.event{fill:#3d361c}.up{stroke:#6aa5e8}.upa{fill:#1d2f45}\
.stay{stroke:#f0924c}.f90{fill:#1b2d42}.f50{fill:#2b4a6e}.mid{stroke:#8fbdf0}.line{stroke:#c6cdd5}\
.dot{fill:#6aa5e8}.bar{fill:#3a434d}}\
</style>";

/// A panel that is being drawn.
pub(super) struct Panel {
    pub(super) top: f64,
    pub(super) height: f64,
    /// The values at the bottom and at the top.
    pub(super) range: (f64, f64),
    /// Minutes of the horizon.
    pub(super) minutes: f64,
}

impl Panel {
    pub(super) fn x(&self, minutes: f64) -> f64 {
        (NOW + minutes / self.minutes.max(1.0) * (RIGHT - NOW)).clamp(LEFT, RIGHT)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        let (low, high) = self.range;
        let share = ((value - low) / (high - low).max(1e-12)).clamp(0.0, 1.0);
        self.top + self.height * (1.0 - share)
    }

    /// Lines across with their values, and one for now.
    pub(super) fn axes(&self, values: &[(f64, String)], out: &mut Markup) {
        for (value, label) in values {
            let y = self.y(*value);
            segment("grid", (LEFT, y), (RIGHT, y), out);
            text("s", LEFT - 6.0, y + 4.0, Anchor::End, label, out);
        }
        segment("now", (NOW, self.top - 4.0), (NOW, self.top + self.height), out);
    }

    /// Times below the panel.
    pub(super) fn times(&self, out: &mut Markup) {
        let y = self.top + self.height + 14.0;
        let parts = [-0.5, -0.25, 0.25, 0.5, 0.75, 1.0];
        for part in parts {
            let minutes = part * self.minutes;
            let label =
                format!("{}{}", if part < 0.0 { "−" } else { "+" }, super::ahead(minutes.abs()));
            let anchor = if part >= 1.0 { Anchor::End } else { Anchor::Middle };
            let anchor = if part <= -0.5 { Anchor::Start } else { anchor };
            text("s", self.x(minutes), y, anchor, &label, out);
        }
        text("s", NOW, y, Anchor::Middle, "now", out);
    }

    /// From one time to another, the whole height.
    pub(super) fn band(&self, class: &'static str, from: f64, to: f64, out: &mut Markup) {
        let (left, right) = (self.x(from), self.x(to));
        rect(class, (left, self.top), (right - left, self.height), out);
    }

    /// Through points of minutes and values.
    pub(super) fn line(&self, class: &'static str, points: &[(f64, f64)], out: &mut Markup) {
        if points.len() < 2 {
            return;
        }
        out.raw("<path class=\"").raw(class).raw("\" d=\"");
        for (i, &(minutes, value)) in points.iter().enumerate() {
            out.raw(if i == 0 { "M" } else { "L" });
            out.at(self.x(minutes)).raw(" ").at(self.y(value));
        }
        out.raw("\"/>\n");
    }

    /// Between two lines with the same times.
    pub(super) fn between(
        &self,
        class: &'static str,
        low: &[(f64, f64)],
        high: &[(f64, f64)],
        out: &mut Markup,
    ) {
        let points = low.iter().chain(high.iter().rev());
        out.raw("<path class=\"").raw(class).raw("\" d=\"");
        for (i, &(minutes, value)) in points.enumerate() {
            out.raw(if i == 0 { "M" } else { "L" });
            out.at(self.x(minutes)).raw(" ").at(self.y(value));
        }
        out.raw("Z\"/>\n");
    }
}

/// Where a text lies beside its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

pub(super) fn text(
    class: &'static str,
    x: f64,
    y: f64,
    anchor: Anchor,
    words: &str,
    out: &mut Markup,
) {
    out.raw("<text class=\"").raw(class).raw("\" x=\"").at(x).raw("\" y=\"").at(y);
    out.raw(match anchor {
        Anchor::Start => "\">",
        Anchor::Middle => "\" text-anchor=\"middle\">",
        Anchor::End => "\" text-anchor=\"end\">",
    });
    out.text(words).raw("</text>\n");
}

pub(super) fn rect(
    class: &'static str,
    (x, y): (f64, f64),
    (width, height): (f64, f64),
    out: &mut Markup,
) {
    out.raw("<rect class=\"").raw(class).raw("\" x=\"").at(x).raw("\" y=\"").at(y);
    out.raw("\" width=\"").at(width.max(0.0)).raw("\" height=\"").at(height.max(0.0)).raw("\"/>\n");
}

pub(super) fn segment(class: &'static str, from: (f64, f64), to: (f64, f64), out: &mut Markup) {
    out.raw("<path class=\"").raw(class).raw("\" d=\"M").at(from.0).raw(" ").at(from.1);
    out.raw("L").at(to.0).raw(" ").at(to.1).raw("\"/>\n");
}

/// A file: what was drawn, as high as it is.
pub(super) fn file(label: &'static str, width: f64, height: f64, drawn: &Markup) -> String {
    let mut out = Markup::new();
    out.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"").raw(label);
    out.raw("\" viewBox=\"0 0 ").at(width).raw(" ").at(height);
    out.raw("\" width=\"").at(width).raw("\" height=\"").at(height).raw("\">").raw(STYLE).raw("\n");
    out.add(drawn).raw("</svg>\n");
    out.into_string()
}
