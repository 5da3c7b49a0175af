//! Features cut into at most 64 bins, column by column, with one bin for what is not known.
//!
//! Edges lie at quantiles of a column's values, so that a split is looked for where the rows are.

use crate::rows::Rows;

/// The most bins of a column, of which bin 0 is for unknown values.
pub const BINS: usize = 64;

/// How many rows are looked at to place the edges.
const LOOKED_AT: usize = 20_000;

/// A binned table.
#[derive(Clone, Debug)]
pub struct Binned {
    columns: Vec<Column>,
}

#[derive(Clone, Debug)]
struct Column {
    /// Upper edges of bins 1.. but the last, ascending.
    edges: Vec<f32>,
    bins: Vec<u8>,
}

impl Binned {
    /// Bins every column.
    #[must_use]
    pub fn of(rows: &Rows) -> Self {
        let column = |c: usize| {
            let values = || rows.iter().map(move |row| row[c]);
            let edges = edges_of(values().step_by(rows.len().div_ceil(LOOKED_AT).max(1)));
            let bins = values().map(|value| bin_of(&edges, value)).collect();
            Column { edges, bins }
        };
        Self { columns: (0..rows.width()).map(column).collect() }
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.columns.first().map_or(0, |column| column.bins.len())
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many columns there are.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// The bins of a column, one for each row.
    #[must_use]
    pub fn column(&self, column: u16) -> &[u8] {
        &self.columns[usize::from(column)].bins
    }

    /// How many bins the known values of a column fill: they are bins `1..=count`.
    #[must_use]
    pub fn count(&self, column: u16) -> usize {
        self.columns[usize::from(column)].edges.len() + 1
    }

    /// The largest value of a bin that is not the last.
    #[must_use]
    pub fn edge(&self, column: u16, bin: usize) -> f32 {
        self.columns[usize::from(column)].edges[bin - 1]
    }
}

fn bin_of(edges: &[f32], value: f32) -> u8 {
    if value.is_nan() {
        return 0;
    }
    1 + edges.partition_point(|&edge| edge < value) as u8
}

fn edges_of(values: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut sorted: Vec<f32> = values.filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup();
    if distinct.len() < BINS {
        // Between two values, so that a new value falls to the nearer one.
        return distinct.windows(2).map(|pair| pair[0] + (pair[1] - pair[0]) / 2.0).collect();
    }
    let mut edges: Vec<f32> =
        (1..BINS - 1).map(|i| sorted[i * sorted.len() / (BINS - 1)]).collect();
    edges.dedup();
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_on_the_same_side_as_by_its_edge() {
        let mut rows = Rows::new(1);
        for i in 0..1000_u16 {
            rows.push(&[if i % 10 == 0 { f32::NAN } else { f32::from(i * 37 % 501) }]);
        }
        let binned = Binned::of(&rows);
        for (row, &bin) in rows.iter().zip(binned.column(0)) {
            assert_eq!(row[0].is_nan(), bin == 0);
            for edge in 1..binned.count(0) {
                if bin > 0 {
                    assert_eq!(row[0] <= binned.edge(0, edge), usize::from(bin) <= edge);
                }
            }
        }
        assert!(binned.count(0) < BINS);
    }

    #[test]
    fn a_constant_column_has_one_bin() {
        let mut rows = Rows::new(1);
        (0..9).for_each(|_| rows.push(&[4.0]));
        assert_eq!(Binned::of(&rows).count(0), 1);
    }
}
