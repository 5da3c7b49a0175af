//! Columns that line up: texts to the left, figures to the right.

use super::Style;
use crate::printable::{clipped, printable};

pub(super) struct Table {
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(heads: &[&str]) -> Self {
        Self { heads: heads.iter().map(|&head| head.to_owned()).collect(), rows: Vec::new() }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| printable(&cell).into_owned()).into());
    }

    pub(super) fn lines(&self, style: Style) -> Vec<String> {
        let widths = self.widths(style.width);
        let is_figure: Vec<bool> = (0..self.heads.len()).map(|i| self.is_figure(i)).collect();
        let layout = |cells: &[String]| {
            let mut line = String::new();
            for (i, cell) in cells.iter().enumerate() {
                let cell = clipped(cell, widths[i]);
                let pad = " ".repeat(widths[i] - cell.chars().count());
                let (left, right) =
                    if is_figure[i] { (pad.as_str(), "") } else { ("", pad.as_str()) };
                line.push_str(&format!("  {left}{cell}{right}"));
            }
            line.trim_end().to_owned()
        };
        let head = style.faint(&layout(&self.heads));
        std::iter::once(head).chain(self.rows.iter().map(|row| layout(row))).collect()
    }

    /// What each column needs; the widest give way until the table fits.
    fn widths(&self, width: usize) -> Vec<usize> {
        let needed = |i: usize| {
            let cells = self.rows.iter().map(|row| &row[i]).chain([&self.heads[i]]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..self.heads.len()).map(needed).collect();
        let room = width.saturating_sub(2 * widths.len());
        loop {
            let total: usize = widths.iter().sum();
            let widest = (0..widths.len()).max_by_key(|&i| widths[i]).unwrap_or(0);
            if total <= room || widths[widest] <= 8 {
                return widths;
            }
            let excess = total - room;
            widths[widest] = widths[widest].saturating_sub(excess.div_ceil(2).max(1)).max(8);
        }
    }

    /// A column of figures has nothing but figures.
    fn is_figure(&self, column: usize) -> bool {
        let starts_like_one = |cell: &String| {
            cell.is_empty() || cell.starts_with(|c: char| c.is_ascii_digit() || c == '+')
        };
        self.rows.iter().all(|row| starts_like_one(&row[column]))
    }
}
