//! SVG: boxes with names, curved arrows; colours by class, so that a page can restyle them.

use super::layout::{self, Layout};
use super::{Graph, Node};
use crate::markup::Markup;
use crate::printable::clipped;

const CHAR: f64 = 6.7;
const LABEL_MAX: usize = 26;
const BOX_HEIGHT: f64 = 24.0;
const ROW: f64 = 34.0;
const GAP: f64 = 46.0;
const MARGIN: f64 = 10.0;

/// The colours of a file of its own; a report has its own ones for the same classes.
const STYLE: &str = "<style>\
:root{color-scheme:light dark}\
.dag rect{fill:#fff;stroke:#8d96a3}.dag text{font:12px ui-sans-serif,system-ui,sans-serif;fill:#1f2933}\
.dag path{fill:none;stroke:#9aa5b1;stroke-width:1.2}.dag .tip{fill:#9aa5b1;stroke:none}\
.dag .failed rect{fill:#fbdcd9;stroke:#c0392b}.dag .done rect{fill:#d9f2e2;stroke:#2c8a57}\
.dag .running rect{fill:#dbe9fb;stroke:#2f6fbd}\
.dag .skipped rect{fill:#eceef1;stroke-dasharray:4 3}\
@media (prefers-color-scheme:dark){\
.dag rect{fill:#20262e;stroke:#6b7684}.dag text{fill:#e6e9ed}.dag path{stroke:#5c6773}\
.dag .tip{fill:#5c6773}.dag .failed rect{fill:#4a1f1b;stroke:#e5776b}\
.dag .done rect{fill:#173626;stroke:#4fb57d}.dag .running rect{fill:#182f4d;stroke:#5d9be6}\
.dag .skipped rect{fill:#262b31}}\
</style>";

pub(super) fn file(graph: &Graph) -> String {
    let mut out = Markup::new();
    draw(graph, Some(STYLE), &mut out);
    out.raw("\n");
    out.into_string()
}

/// Appends an `<svg>` element.
pub(crate) fn draw(graph: &Graph, style: Option<&'static str>, out: &mut Markup) {
    let layout = layout::of(graph);
    let columns = columns(graph, &layout);
    let width = columns.last().map_or(0.0, |column| column.x + column.width) + MARGIN;
    let height = layout.row_max * ROW + BOX_HEIGHT + 2.0 * MARGIN;
    out.raw("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"dag\" role=\"img\" aria-label=\"Graph of the workflow\" viewBox=\"0 0 ");
    out.at(width).raw(" ").at(height).raw("\" width=\"").at(width).raw("\" height=\"").at(height);
    out.raw("\">");
    if let Some(style) = style {
        out.raw(style);
    }
    out.raw("<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"tip\" d=\"M0 1L7 4L0 7z\"/></marker></defs>\n");
    let pen = Pen { graph, layout: &layout, columns: &columns };
    for (i, &(from, to)) in graph.edges.iter().enumerate() {
        pen.edge(from, to, &layout.way_points[i], out);
    }
    for (i, node) in graph.nodes.iter().enumerate() {
        pen.node(i, node, out);
    }
    out.raw("</svg>");
}

struct Column {
    x: f64,
    width: f64,
}

fn columns(graph: &Graph, layout: &Layout) -> Vec<Column> {
    let mut widths = vec![0.0_f64; layout.n_layers as usize];
    for (node, &layer) in graph.nodes.iter().zip(&layout.layers) {
        let width = &mut widths[layer as usize];
        *width = width.max(box_width(node));
    }
    let mut x = MARGIN;
    let mut columns = Vec::new();
    for width in widths {
        columns.push(Column { x, width });
        x += width + GAP;
    }
    columns
}

fn box_width(node: &Node) -> f64 {
    let n_wide =
        |label: &str| label.chars().map(|c| if c as u32 >= 0x1100 { 2 } else { 1 }).sum::<usize>();
    n_wide(&clipped(&node.label(), LABEL_MAX)) as f64 * CHAR + 20.0
}

struct Pen<'a> {
    graph: &'a Graph,
    layout: &'a Layout,
    columns: &'a [Column],
}

impl Pen<'_> {
    fn y(row: f64) -> f64 {
        MARGIN + row * ROW + BOX_HEIGHT / 2.0
    }

    /// The right end of box `i` and the height of its middle; boxes fill their column.
    fn right_of(&self, i: u32) -> (f64, f64) {
        let column = &self.columns[self.layout.layers[i as usize] as usize];
        (column.x + column.width, Self::y(self.layout.rows[i as usize]))
    }

    fn left_of(&self, i: u32) -> (f64, f64) {
        let column = &self.columns[self.layout.layers[i as usize] as usize];
        (column.x, Self::y(self.layout.rows[i as usize]))
    }

    fn edge(&self, from: u32, to: u32, way_points: &[(u32, f64)], out: &mut Markup) {
        let (mut at, end) = (self.right_of(from), self.left_of(to));
        out.raw("<path marker-end=\"url(#tip)\" d=\"M").at(at.0).raw(" ").at(at.1);
        for &(layer, row) in way_points {
            let column = &self.columns[layer as usize];
            let (left, right, y) = (column.x, column.x + column.width, Self::y(row));
            curve(at, (left, y), out);
            out.raw("H").at(right);
            at = (right, y);
        }
        curve(at, end, out);
        out.raw("\"/>\n");
    }

    fn node(&self, i: usize, node: &Node, out: &mut Markup) {
        let (x, y) = self.left_of(i as u32);
        out.raw("<g class=\"").raw(node.shade.word()).raw("\"><title>").text(&node.label());
        if self.graph.has_states {
            out.raw(": ").raw(node.shade.word());
        }
        out.raw("</title><rect rx=\"6\" x=\"").at(x).raw("\" y=\"").at(y - BOX_HEIGHT / 2.0);
        out.raw("\" width=\"").at(self.right_of(i as u32).0 - x).raw("\" height=\"").at(BOX_HEIGHT);
        out.raw("\"/><text x=\"").at(x + 10.0).raw("\" y=\"").at(y + 4.0).raw("\">");
        out.text(&clipped(&node.label(), LABEL_MAX)).raw("</text></g>\n");
    }
}

fn curve(from: (f64, f64), to: (f64, f64), out: &mut Markup) {
    let reach = ((to.0 - from.0).abs() / 2.0).max(20.0);
    out.raw("C").at(from.0 + reach).raw(" ").at(from.1).raw(" ");
    out.at(to.0 - reach).raw(" ").at(to.1).raw(" ").at(to.0).raw(" ").at(to.1);
}
