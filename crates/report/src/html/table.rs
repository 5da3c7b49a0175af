//! A table: names to the left, figures to the right with the number to sort by.

use crate::markup::Markup;

/// A column: its name, and whether it holds figures.
pub(super) enum Head {
    Text(&'static str),
    Figure(&'static str),
}

/// What stands in a cell.
pub(super) enum Cell {
    /// A name.
    Name(String),
    /// Less important words.
    Words(String),
    /// A figure, and the number it stands for.
    Figure(String, f64),
    /// One of a few words, in its colour.
    Chip(&'static str),
    /// A share from 0 to 1.
    Bar(f64),
}

impl Cell {
    /// A span of time.
    pub(super) fn span(span: crate::quantity::Seconds) -> Self {
        Self::Figure(span.to_string(), span.0.as_secs_f64())
    }

    /// A size, or nothing.
    pub(super) fn size(size: Option<spec::Bytes>) -> Self {
        size.map_or_else(
            || Self::Figure(String::new(), -1.0),
            |size| Self::Figure(size.to_string(), size.0 as f64),
        )
    }

    /// A count.
    pub(super) fn count(n: usize) -> Self {
        Self::Figure(crate::quantity::count(n), n as f64)
    }
}

pub(super) fn draw(heads: &[Head], rows: &[Vec<Cell>], out: &mut Markup) {
    out.raw("<div class=\"scroll\"><table>\n<thead><tr>");
    for head in heads {
        match head {
            Head::Text(name) => out.raw("<th scope=\"col\">").raw(name),
            Head::Figure(name) => out.raw("<th scope=\"col\" class=\"n\">").raw(name),
        };
        out.raw("</th>");
    }
    out.raw("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.raw("<tr>");
        for cell in row {
            draw_cell(cell, out);
        }
        out.raw("</tr>\n");
    }
    out.raw("</tbody></table></div>\n");
}

fn draw_cell(cell: &Cell, out: &mut Markup) {
    match cell {
        Cell::Name(name) => out.raw("<td class=\"t\">").text(name),
        Cell::Words(words) => out.raw("<td class=\"w\">").text(words),
        Cell::Figure(shown, key) => {
            out.raw("<td class=\"n\" data-v=\"").text(&format!("{key}")).raw("\">").text(shown)
        }
        Cell::Chip(word) => {
            out.raw("<td><span class=\"chip ").raw(word).raw("\">").raw(word).raw("</span>")
        }
        Cell::Bar(share) => {
            out.raw("<td data-v=\"").text(&format!("{share}"));
            out.raw("\"><svg width=\"140\" height=\"8\"><rect class=\"barbg\" width=\"140\" height=\"8\" rx=\"3\"/>");
            out.raw("<rect class=\"bar\" width=\"").at(140.0 * share.clamp(0.0, 1.0));
            out.raw("\" height=\"8\" rx=\"3\"/></svg>")
        }
    };
    out.raw("</td>");
}
