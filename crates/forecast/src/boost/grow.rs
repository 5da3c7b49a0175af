//! Grows one tree, best leaf first, from histograms of slopes.
//!
//! Of two children only the smaller is counted; the other is its parent minus that.

use super::bins::{BINS, Binned};
use super::{Node, Settings, Tree};

/// What a row says about the score it should have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slope {
    pub(super) gradient: f32,
    pub(super) curvature: f32,
    pub(super) weight: f32,
}

/// A tree, and which rows ended in which leaf.
pub(super) struct Grown {
    pub(super) tree: Tree,
    pub(super) leaves: Vec<(usize, Vec<u32>)>,
}

impl Grown {
    pub(super) fn is_stump(&self) -> bool {
        self.tree.nodes.len() < 2
    }
}

/// Sums of slopes.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    gradient: f64,
    curvature: f64,
    weight: f64,
}

impl Sum {
    fn add(&mut self, slope: Slope) {
        self.gradient += f64::from(slope.gradient);
        self.curvature += f64::from(slope.curvature);
        self.weight += f64::from(slope.weight);
    }

    fn plus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            curvature: self.curvature + other.curvature,
            weight: self.weight + other.weight,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            curvature: self.curvature - other.curvature,
            weight: self.weight - other.weight,
        }
    }

    /// Whether a split after this bin is that before it.
    fn is_empty(self) -> bool {
        let are_zero = [self.gradient, self.curvature, self.weight].map(|sum| sum.abs() <= 0.0);
        are_zero == [true; 3]
    }

    /// Twice the loss that a leaf with these rows takes away.
    fn gain(self, l2: f64) -> f64 {
        self.gradient * self.gradient / (self.curvature + l2)
    }
}

/// For each chosen column, a sum for each bin.
type Histogram = Vec<[Sum; BINS]>;

#[derive(Clone, Copy)]
struct Split {
    column: u16,
    bin: usize,
    unknown_left: bool,
    gain: f64,
}

struct Leaf {
    node: usize,
    members: Vec<u32>,
    total: Sum,
    histogram: Histogram,
    split: Option<Split>,
}

pub(super) struct Growth<'a> {
    binned: &'a Binned,
    slopes: &'a [Slope],
    columns: &'a [u16],
    settings: &'a Settings,
}

impl<'a> Growth<'a> {
    pub(super) fn new(
        binned: &'a Binned,
        slopes: &'a [Slope],
        columns: &'a [u16],
        settings: &'a Settings,
    ) -> Self {
        Self { binned, slopes, columns, settings }
    }

    pub(super) fn grow(&self, members: Vec<u32>) -> Grown {
        let mut tree = Tree { nodes: vec![Node::Leaf { value: 0.0 }] };
        let histogram = self.count(&members);
        let mut leaves = vec![self.leaf(0, members, histogram)];
        while leaves.len() < self.settings.leaves {
            let Some(best) = best_leaf(&leaves) else { break };
            let (left, right) = self.part(leaves.swap_remove(best), &mut tree);
            leaves.push(left);
            leaves.push(right);
        }
        for leaf in &leaves {
            tree.nodes[leaf.node] = Node::Leaf { value: self.value(leaf.total) };
        }
        let leaves = leaves.into_iter().map(|leaf| (leaf.node, leaf.members)).collect();
        Grown { tree, leaves }
    }

    fn value(&self, total: Sum) -> f32 {
        let step = -total.gradient / (total.curvature + self.settings.l2);
        (step * self.settings.rate) as f32
    }

    fn leaf(&self, node: usize, members: Vec<u32>, histogram: Histogram) -> Leaf {
        let total = histogram[0].iter().copied().fold(Sum::default(), Sum::plus);
        let split = self.best_split(&histogram, total);
        Leaf { node, members, total, histogram, split }
    }

    fn count(&self, members: &[u32]) -> Histogram {
        // Slopes are fetched once, not once for each column.
        let slopes: Vec<Slope> = members.iter().map(|&i| self.slopes[i as usize]).collect();
        let mut histogram = vec![[Sum::default(); BINS]; self.columns.len()];
        for (sums, &column) in histogram.iter_mut().zip(self.columns) {
            let bins = self.binned.column(column);
            for (&i, &slope) in members.iter().zip(&slopes) {
                sums[usize::from(bins[i as usize]) % BINS].add(slope);
            }
        }
        histogram
    }

    fn best_split(&self, histogram: &Histogram, total: Sum) -> Option<Split> {
        let mut best: Option<Split> = None;
        let whole = total.gain(self.settings.l2);
        for (sums, &column) in histogram.iter().zip(self.columns) {
            for unknown_left in [false, true] {
                if unknown_left && sums[0].weight <= 0.0 {
                    continue;
                }
                let mut left = if unknown_left { sums[0] } else { Sum::default() };
                for (bin, sum) in sums.iter().enumerate().take(self.binned.count(column)).skip(1) {
                    if sum.is_empty() {
                        continue;
                    }
                    left = left.plus(*sum);
                    let gain = self.gain(left, total, whole);
                    if gain > best.map_or(1e-6, |best| best.gain) {
                        best = Some(Split { column, bin, unknown_left, gain });
                    }
                }
                if !unknown_left && sums[0].weight > 0.0 {
                    // All that is known against what is not.
                    let left = total.minus(sums[0]);
                    let gain = self.gain(left, total, whole);
                    if gain > best.map_or(1e-6, |best| best.gain) {
                        let bin = self.binned.count(column);
                        best = Some(Split { column, bin, unknown_left, gain });
                    }
                }
            }
        }
        best
    }

    /// Negative where a side would be too light; `whole` is the gain of the total.
    fn gain(&self, left: Sum, total: Sum, whole: f64) -> f64 {
        let right = total.minus(left);
        if left.weight.min(right.weight) < self.settings.leaf_weight {
            return -1.0;
        }
        let l2 = self.settings.l2;
        left.gain(l2) + right.gain(l2) - whole
    }

    fn part(&self, leaf: Leaf, tree: &mut Tree) -> (Leaf, Leaf) {
        let split = leaf.split.expect("only leaves with a split are parted");
        let bins = self.binned.column(split.column);
        let goes_left = |&i: &u32| match usize::from(bins[i as usize]) {
            0 => split.unknown_left,
            bin => bin <= split.bin,
        };
        let (left, right): (Vec<u32>, Vec<u32>) = leaf.members.iter().partition(|&i| goes_left(i));
        let at = tree.nodes.len();
        tree.nodes.push(Node::Leaf { value: 0.0 });
        tree.nodes.push(Node::Leaf { value: 0.0 });
        let is_last = split.bin >= self.binned.count(split.column);
        let edge = if is_last { f32::INFINITY } else { self.binned.edge(split.column, split.bin) };
        tree.nodes[leaf.node] = Node::Split {
            column: split.column,
            unknown_left: split.unknown_left,
            threshold: edge,
            gain: split.gain as f32,
            left: at as u32,
            right: at as u32 + 1,
        };
        let is_left_smaller = left.len() <= right.len();
        let counted = self.count(if is_left_smaller { &left } else { &right });
        let rest = subtract(leaf.histogram, &counted);
        let (of_left, of_right) = if is_left_smaller { (counted, rest) } else { (rest, counted) };
        (self.leaf(at, left, of_left), self.leaf(at + 1, right, of_right))
    }
}

fn best_leaf(leaves: &[Leaf]) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (i, leaf) in leaves.iter().enumerate() {
        if let Some(split) = leaf.split
            && best.is_none_or(|(_, gain)| split.gain > gain)
        {
            best = Some((i, split.gain));
        }
    }
    best.map(|(i, _)| i)
}

fn subtract(mut from: Histogram, what: &Histogram) -> Histogram {
    for (from, what) in from.iter_mut().zip(what) {
        for (from, what) in from.iter_mut().zip(what) {
            *from = from.minus(*what);
        }
    }
    from
}
