//! How counts spread between two rungs of the ladder.
//!
//! Two tallies that forget. Where the count lies between the same rungs now, it stays or moves
//! there as counts of any zone did over that horizon; else it is as the zone's own counts were of
//! late. The first is drawn to the second as far as little is known.

use std::collections::BTreeMap;

use crate::target::{UP_ANCHORS, steps_of};

/// Days after which a count that was, counts half.
const USUAL_HALF_LIFE_DAYS: f64 = 1.0;
/// Days after which a move from one count to another counts half.
const MOVE_HALF_LIFE_DAYS: f64 = 7.0;
/// Moves as which what is usual counts.
const HELD: f64 = 2.0;
/// The share that other zones have in what is usual.
const OTHERS: f64 = 0.05;
/// Counts up to here are told apart; above, those within a 24th of an octave are not.
const EXACT: f64 = 64.0;
const CELLS_PER_OCTAVE: f64 = 24.0;

/// Counts that are not told apart.
type Cell = u16;

/// How often pairs of cells were seen, forgetting.
#[derive(Clone, Debug)]
struct Tally {
    sums: BTreeMap<(Cell, Cell), f64>,
    /// What one more counts: it grows where older ones would have to shrink.
    one: f64,
    growth: f64,
}

/// Both tallies.
#[derive(Clone, Debug)]
pub(super) struct Within {
    ladder: &'static [u32],
    step_seconds: u32,
    stride: usize,
    seen: usize,
    /// By zone: how often each cell was; the first of each pair is 0.
    usual: Vec<Tally>,
    /// By horizon: moves between cells with the same rungs, of all zones.
    moves: Vec<Tally>,
    /// The last count seen of each cell.
    counts: BTreeMap<Cell, f64>,
}

impl Tally {
    fn new(half_life: f64) -> Self {
        Self { sums: BTreeMap::new(), one: 1.0, growth: 0.5_f64.powf(-1.0 / half_life.max(1.0)) }
    }

    fn tick(&mut self) {
        self.one *= self.growth;
        if self.one > 1e9 {
            self.sums.values_mut().for_each(|sum| *sum /= self.one);
            self.sums.retain(|_, sum| *sum > 1e-9);
            self.one = 1.0;
        }
    }

    fn add(&mut self, from: Cell, to: Cell, weight: f64) {
        *self.sums.entry((from, to)).or_default() += weight * self.one;
    }

    /// How often cells of a range followed one.
    fn of(&self, from: Cell, range: (Cell, Cell)) -> impl Iterator<Item = (Cell, f64)> + '_ {
        let cells = self.sums.range((from, range.0)..(from, range.1));
        cells.map(|(&(_, to), &sum)| (to, sum / self.one))
    }
}

impl Within {
    pub(super) fn new(zones: usize, step_seconds: u32, ladder: &'static [u32]) -> Self {
        let day = 86_400.0 / f64::from(step_seconds.max(1));
        let stride = steps_of(15, step_seconds);
        let strides = |days: f64| days * day / stride as f64;
        Self {
            ladder,
            step_seconds,
            stride,
            seen: 0,
            usual: vec![Tally::new(strides(USUAL_HALF_LIFE_DAYS)); zones],
            moves: vec![Tally::new(strides(MOVE_HALF_LIFE_DAYS)); UP_ANCHORS.len()],
            counts: BTreeMap::new(),
        }
    }

    /// Takes the last of these steps.
    pub(super) fn observe(&mut self, past: &[Vec<Option<f64>>]) {
        self.seen += 1;
        if !self.seen.is_multiple_of(self.stride) {
            return;
        }
        let Some((now, before)) = past.split_last() else { return };
        self.usual.iter_mut().chain(&mut self.moves).for_each(Tally::tick);
        for (z, count) in now.iter().enumerate() {
            let Some(count) = count.filter(|count| *count >= 1.0) else { continue };
            let to = cell(count);
            self.counts.insert(to, count);
            self.usual[z].add(0, to, 1.0);
            for (moves, minutes) in self.moves.iter_mut().zip(UP_ANCHORS) {
                let k = steps_of(minutes, self.step_seconds);
                let origin = before.len().checked_sub(k).and_then(|t| before[t][z]);
                let Some(from) = origin.filter(|from| *from >= 1.0) else { continue };
                if rung(self.ladder, from) == rung(self.ladder, count) {
                    // Moves over hours that begin a quarter apart repeat each other.
                    moves.add(cell(from), to, (15.0 / f64::from(minutes.max(15))).sqrt());
                }
            }
        }
    }

    /// Counts from rung `i` to the next, ascending, with the share of each; `now` are the counts of
    /// all zones.
    pub(super) fn shares(
        &self,
        z: usize,
        i: usize,
        now: Option<&Vec<Option<f64>>>,
        minutes: u32,
    ) -> Vec<(f64, f64)> {
        let lowest = |i: usize| if i == 0 { 1 } else { self.ladder[i - 1] };
        let from = f64::from(lowest(i));
        let to = if i < self.ladder.len() { cell(f64::from(lowest(i + 1))) } else { Cell::MAX };
        let range = (cell(from), to);
        let mut shares = self.usual(z, range);
        let count = now.and_then(|now| now[z]).filter(|&count| count >= 1.0);
        if let Some(count) = count.filter(|&count| rung(self.ladder, count) == i) {
            shares.values_mut().for_each(|share| *share *= HELD);
            let anchor = UP_ANCHORS.iter().position(|&anchor| anchor >= minutes);
            let moves = &self.moves[anchor.unwrap_or(UP_ANCHORS.len() - 1)];
            for (to, sum) in moves.of(cell(count), range) {
                *shares.entry(to).or_default() += sum;
            }
        }
        let all: f64 = shares.values().sum();
        if all <= 0.0 {
            return vec![(from, 1.0)];
        }
        shares.iter().map(|(cell, share)| (self.count(*cell, from), share / all)).collect()
    }

    /// All counts of at least 1 that a zone had of late, ascending, with the share of each; a single
    /// one where it had none.
    pub(super) fn usual_counts(&self, z: usize) -> Vec<(f64, f64)> {
        let usual = self.usual(z, (cell(1.0), Cell::MAX));
        if usual.is_empty() {
            return vec![(1.0, 1.0)];
        }
        usual.iter().map(|(cell, share)| (self.count(*cell, 1.0), *share)).collect()
    }

    /// The last count seen of a cell.
    fn count(&self, cell: Cell, or: f64) -> f64 {
        self.counts.get(&cell).copied().unwrap_or(or)
    }

    /// What is usual of a zone, with a small share of what is usual of others; sums to 1, or nothing.
    fn usual(&self, z: usize, range: (Cell, Cell)) -> BTreeMap<Cell, f64> {
        let mut shares = BTreeMap::new();
        for (other, tally) in self.usual.iter().enumerate() {
            let weight = if other == z { 1.0 } else { OTHERS / self.usual.len() as f64 };
            for (cell, sum) in tally.of(0, range) {
                *shares.entry(cell).or_default() += weight * sum;
            }
        }
        let all: f64 = shares.values().sum();
        shares.values_mut().for_each(|share| *share /= all);
        shares
    }
}

/// The rung that a count of at least 1 stands on.
fn rung(ladder: &[u32], count: f64) -> usize {
    ladder.partition_point(|&needed| f64::from(needed) <= count)
}

fn cell(count: f64) -> Cell {
    if count <= EXACT {
        return count as Cell;
    }
    (EXACT + CELLS_PER_OCTAVE * (count / EXACT).log2()).floor().min(f64::from(Cell::MAX - 1))
        as Cell
}

#[cfg(test)]
mod tests {
    use super::*;

    const LADDER: [u32; 3] = [2, 4, 8];

    fn shares(past: &[f64], i: usize, minutes: u32) -> Vec<(f64, f64)> {
        let mut within = Within::new(1, 900, &LADDER);
        let past: Vec<Vec<Option<f64>>> = past.iter().map(|&count| vec![Some(count)]).collect();
        (1..=past.len()).for_each(|n| within.observe(&past[..n]));
        within.shares(0, i, past.last(), minutes)
    }

    fn share(shares: &[(f64, f64)], count: f64) -> f64 {
        shares.iter().find(|share| share.0 == count).map_or(0.0, |share| share.1)
    }

    #[test]
    fn a_count_that_stays_is_likely_to_stay_and_one_that_moves_to_move() {
        let stays: Vec<f64> = (0..400).map(|i| [4.0, 6.0][i / 100 % 2]).collect();
        assert!(share(&shares(&stays, 2, 15), 6.0) > 0.9);
        let moves: Vec<f64> = (0..400).map(|i| [4.0, 6.0][i % 2]).collect();
        assert!(share(&shares(&moves, 2, 15), 4.0) > 0.9, "it was 6 a step ago");
    }

    #[test]
    fn between_rungs_where_it_is_not_counts_are_as_they_were_of_late() {
        let mut past: Vec<f64> = (0..300).map(|i| [4.0, 5.0, 5.0, 5.0][i % 4]).collect();
        past.push(9.0);
        let shares = shares(&past, 2, 60);
        assert!((share(&shares, 5.0) - 0.75).abs() < 0.03, "{shares:?}");
        assert_eq!(shares.iter().map(|share| share.1).sum::<f64>(), 1.0);
    }

    #[test]
    fn where_nothing_was_ever_seen_it_is_the_least_there_may_be() {
        assert_eq!(shares(&[1.0, 1.0], 3, 60), [(8.0, 1.0)]);
    }

    #[test]
    fn large_counts_are_told_apart_by_their_size() {
        assert_eq!(cell(63.0), 63);
        assert_eq!(cell(1000.0), cell(1005.0));
        assert!(cell(1000.0) < cell(1100.0));
        assert!(cell(f64::MAX) < Cell::MAX);
    }
}
