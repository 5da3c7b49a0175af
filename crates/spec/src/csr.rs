//! Compressed sparse rows: many short lists in two flat vectors.

/// Row `i` is `values[starts[i]..starts[i + 1]]`. A million lists cost two allocations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csr<T> {
    starts: Vec<u32>,
    values: Vec<T>,
}

impl<T> Default for Csr<T> {
    fn default() -> Self {
        Self { starts: vec![0], values: Vec::new() }
    }
}

impl<T> Csr<T> {
    /// Appends a row.
    pub fn push_row(&mut self, row: impl IntoIterator<Item = T>) {
        self.values.extend(row);
        let end = u32::try_from(self.values.len()).expect("fewer than 2^32 edges");
        self.starts.push(end);
    }

    /// The `index`-th row; empty past the end.
    #[must_use]
    pub fn row(&self, index: usize) -> &[T] {
        match (self.starts.get(index), self.starts.get(index + 1)) {
            (Some(&start), Some(&end)) => &self.values[start as usize..end as usize],
            _ => &[],
        }
    }

    /// How many rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// How many values in all rows.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.values.len()
    }
}

/// Turns "row i lists j" around into "row j is listed by i", in order of i.
#[must_use]
pub fn transpose(rows: &Csr<u32>, n_targets: usize) -> Csr<u32> {
    let mut starts = vec![0_u32; n_targets + 1];
    for &target in &rows.values {
        starts[target as usize + 1] += 1;
    }
    for i in 0..n_targets {
        starts[i + 1] += starts[i];
    }
    let mut next = starts.clone();
    let mut values = vec![0_u32; rows.values.len()];
    for source in 0..rows.n_rows() {
        for &target in rows.row(source) {
            let slot = &mut next[target as usize];
            values[*slot as usize] = u32::try_from(source).expect("fewer than 2^32 rows");
            *slot += 1;
        }
    }
    Csr { starts, values }
}
