//! Gradient boosting of regression trees on histograms, generic over the loss.
//!
//! Friedman (2001) with second-order gains and leaves as in XGBoost (Chen and Guestrin, KDD 2016,
//! eq. 6 and 7), leaf-wise growth on binned features as in LightGBM (Ke et al., NeurIPS 2017).
//! Knows rows, targets and weights; not what they mean. The same seed gives the same trees.
//!
//! Reading order: [`loss`], this file, [`bins`], `grow`.

pub mod bins;
mod grow;
pub mod loss;

use crate::rows::Rows;
use crate::seed::Stream;
use bins::Binned;
use loss::Loss;

/// How trees are grown. The defaults suit rows that overlap in time: large leaves, slow steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How many trees.
    pub rounds: usize,
    /// What of each leaf's step is taken, in (0, 1].
    pub rate: f64,
    /// The most leaves of a tree, at least 2.
    pub leaves: usize,
    /// The least weight of rows in a leaf.
    pub leaf_weight: f64,
    /// Added to the curvature of a leaf: pulls its value to 0.
    pub l2: f64,
    /// The share of columns a tree may look at, in (0, 1].
    pub columns: f64,
    /// The share of rows a tree is grown on, in (0, 1].
    pub rows: f64,
    /// Of bagging and of the choice of columns.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rounds: 150,
            rate: 0.03,
            leaves: 15,
            leaf_weight: 100.0,
            l2: 20.0,
            columns: 0.5,
            rows: 0.5,
            seed: 1,
        }
    }
}

/// What is learned from: `targets[i]` belongs to row `i`.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    /// The features, NaN where one is not known.
    pub rows: &'a Rows,
    /// The targets; for binary losses 0 or 1.
    pub targets: &'a [f32],
    /// How much each row counts; `None` is 1 for each.
    pub weights: Option<&'a [f32]>,
    /// The score each row starts from, instead of one constant for all.
    pub offsets: Option<&'a [f32]>,
}

/// Trees, added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    start: f64,
    trees: Vec<Tree>,
}

impl Model {
    /// Grows trees that lower the loss. Without rows the model is the constant 0.
    ///
    /// # Panics
    /// Targets, weights or offsets are not as many as rows.
    #[must_use]
    pub fn fit(lesson: Lesson<'_>, loss: &impl Loss, settings: &Settings) -> Self {
        Self::fit_binned(lesson, &Binned::of(lesson.rows), loss, settings)
    }

    /// The same with the rows binned already, for many losses of one lesson.
    ///
    /// # Panics
    /// Targets, weights, offsets or binned rows are not as many as rows.
    #[must_use]
    pub fn fit_binned(
        lesson: Lesson<'_>,
        binned: &Binned,
        loss: &impl Loss,
        settings: &Settings,
    ) -> Self {
        let n = lesson.rows.len();
        assert_eq!(n, binned.len(), "each row is binned");
        assert_eq!(n, lesson.targets.len(), "each row has a target");
        assert!(lesson.weights.is_none_or(|w| w.len() == n), "each row has a weight");
        assert!(lesson.offsets.is_none_or(|o| o.len() == n), "each row has an offset");
        if n == 0 {
            return Self::default();
        }
        let ones;
        let weights = match lesson.weights {
            Some(weights) => weights,
            None => {
                ones = vec![1.0; n];
                &ones
            }
        };
        let start = match lesson.offsets {
            Some(_) => 0.0,
            None => loss.start(lesson.targets, weights),
        };
        let scores = match lesson.offsets {
            Some(offsets) => offsets.to_vec(),
            None => vec![start as f32; n],
        };
        let mut boosting = Boosting {
            lesson: Lesson { weights: Some(weights), ..lesson },
            weights,
            binned,
            settings,
            scores,
            stream: Stream::new(settings.seed),
        };
        let trees = (0..settings.rounds).map_while(|_| boosting.round(loss)).collect();
        Self { start, trees }
    }

    /// The score of a row, on the scale of the loss (log-odds for [`loss::Logistic`]), without
    /// its offset.
    #[must_use]
    pub fn score(&self, row: &[f32]) -> f64 {
        self.start + self.trees.iter().map(|tree| tree.value(row)).sum::<f64>()
    }

    /// How many trees there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.trees.len()
    }

    /// Whether there is no tree: nothing could be learned beyond a constant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// How much each column lowered the loss, summed over all splits and scaled to a sum of 1.
    #[must_use]
    pub fn gains(&self, width: usize) -> Vec<f64> {
        let mut gains = vec![0.0; width];
        for node in self.trees.iter().flat_map(|tree| &tree.nodes) {
            if let Node::Split { column, gain, .. } = node {
                gains[usize::from(*column)] += f64::from(*gain);
            }
        }
        let total: f64 = gains.iter().sum();
        if total > 0.0 {
            gains.iter_mut().for_each(|gain| *gain /= total);
        }
        gains
    }
}

/// A tree; node 0 is the root.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

/// A branching or an end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Node {
    /// Left where the value is at most `threshold`, or is not known and `unknown_left`.
    Split { column: u16, unknown_left: bool, threshold: f32, gain: f32, left: u32, right: u32 },
    /// What is added to the score.
    Leaf { value: f32 },
}

impl Tree {
    fn value(&self, row: &[f32]) -> f64 {
        let mut at = 0;
        loop {
            match self.nodes[at] {
                Node::Leaf { value } => return f64::from(value),
                Node::Split { column, unknown_left, threshold, left, right, .. } => {
                    let value = row[usize::from(column)];
                    let goes_left = if value.is_nan() { unknown_left } else { value <= threshold };
                    at = if goes_left { left } else { right } as usize;
                }
            }
        }
    }
}

struct Boosting<'a> {
    lesson: Lesson<'a>,
    weights: &'a [f32],
    binned: &'a Binned,
    settings: &'a Settings,
    scores: Vec<f32>,
    stream: Stream,
}

impl Boosting<'_> {
    /// One tree more; none when no split is worth it.
    fn round(&mut self, loss: &impl Loss) -> Option<Tree> {
        let slopes: Vec<grow::Slope> = (0..self.scores.len())
            .map(|i| {
                let (gradient, curvature) = loss.slope(self.lesson.targets[i], self.scores[i]);
                let weight = self.weights[i];
                grow::Slope { gradient: gradient * weight, curvature: curvature * weight, weight }
            })
            .collect();
        let columns = self.some_columns();
        let bag = self.some_rows();
        let mut grown = grow::Growth::new(self.binned, &slopes, &columns, self.settings).grow(bag);
        if grown.is_stump() {
            return None;
        }
        self.renew_leaves(&mut grown, loss);
        self.add(&grown);
        Some(grown.tree)
    }

    /// Adds a tree to the scores. Where the rows it was grown on ended is known already.
    fn add(&mut self, grown: &grow::Grown) {
        let mut is_known = vec![false; self.scores.len()];
        for (node, members) in &grown.leaves {
            let Node::Leaf { value } = grown.tree.nodes[*node] else { continue };
            for &i in members {
                self.scores[i as usize] += value;
                is_known[i as usize] = true;
            }
        }
        for (i, score) in self.scores.iter_mut().enumerate() {
            if !is_known[i] {
                *score += grown.tree.value(self.lesson.rows.row(i)) as f32;
            }
        }
    }

    /// Losses without curvature set the value of a leaf from its rows' residuals.
    fn renew_leaves(&self, grown: &mut grow::Grown, loss: &impl Loss) {
        for (node, members) in &grown.leaves {
            let residuals = members.iter().map(|&i| {
                let i = i as usize;
                (self.lesson.targets[i] - self.scores[i], self.weights[i])
            });
            let Some(value) = loss.leaf(&mut residuals.collect::<Vec<_>>()) else { continue };
            let weight: f64 = members.iter().map(|&i| f64::from(self.weights[i as usize])).sum();
            let shrunk = f64::from(value) * weight / (weight + self.settings.l2);
            let value = (shrunk * self.settings.rate) as f32;
            grown.tree.nodes[*node] = Node::Leaf { value };
        }
    }

    fn some_rows(&mut self) -> Vec<u32> {
        let n = self.scores.len() as u32;
        let share = self.settings.rows;
        let bag: Vec<u32> = (0..n).filter(|_| self.stream.uniform() < share).collect();
        if bag.is_empty() { (0..n).collect() } else { bag }
    }

    fn some_columns(&mut self) -> Vec<u16> {
        let width = self.binned.width();
        let wanted = ((width as f64 * self.settings.columns).ceil() as usize).clamp(1, width);
        let mut columns: Vec<u16> = (0..width as u16).collect();
        for i in 0..wanted {
            let j = i + self.stream.below(width - i);
            columns.swap(i, j);
        }
        columns.truncate(wanted);
        columns.sort_unstable();
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::loss::{Logistic, Pinball};
    use super::*;

    fn noise(n: usize, width: usize, seed: u64) -> (Rows, Vec<f64>) {
        let mut stream = Stream::new(seed);
        let mut rows = Rows::new(width);
        for _ in 0..n {
            let row: Vec<f32> = (0..width).map(|_| stream.uniform() as f32).collect();
            rows.push(&row);
        }
        let draws = (0..n).map(|_| stream.uniform()).collect();
        (rows, draws)
    }

    fn lesson<'a>(rows: &'a Rows, targets: &'a [f32]) -> Lesson<'a> {
        Lesson { rows, targets, weights: None, offsets: None }
    }

    fn probability(model: &Model, row: &[f32]) -> f64 {
        1.0 / (1.0 + (-model.score(row)).exp())
    }

    #[test]
    fn on_noise_it_stays_close_to_the_best_constant() {
        let (rows, draws) = noise(4000, 6, 3);
        let targets: Vec<f32> = draws.iter().map(|&u| f32::from(u8::from(u < 0.3))).collect();
        let model = Model::fit(lesson(&rows, &targets), &Logistic, &Settings::default());
        let (fresh, draws) = noise(4000, 6, 4);
        let (mut learned, mut constant) = (0.0, 0.0);
        for (row, &u) in fresh.iter().zip(&draws) {
            let truth = f64::from(u8::from(u < 0.3));
            learned += (probability(&model, row) - truth).powi(2);
            constant += (0.3 - truth).powi(2);
        }
        assert!(learned < constant * 1.01, "{learned} against {constant}");
    }

    #[test]
    fn an_exclusive_or_of_two_columns_is_found() {
        let (rows, _) = noise(6000, 4, 5);
        let truth = |row: &[f32]| (row[0] > 0.5) != (row[2] > 0.5);
        let targets: Vec<f32> = rows.iter().map(|row| f32::from(u8::from(truth(row)))).collect();
        let settings = Settings { rate: 0.1, ..Settings::default() };
        let model = Model::fit(lesson(&rows, &targets), &Logistic, &settings);
        let (fresh, _) = noise(1000, 4, 6);
        let right = fresh.iter().filter(|row| (probability(&model, row) > 0.5) == truth(row));
        assert!(right.count() > 950);
        let gains = model.gains(4);
        assert!(gains[0] + gains[2] > 0.9, "{gains:?}");
    }

    #[test]
    fn unknown_values_are_a_side_of_their_own() {
        let (plain, _) = noise(3000, 2, 7);
        let mut rows = Rows::new(2);
        for (i, row) in plain.iter().enumerate() {
            rows.push(&[if i % 3 == 0 { f32::NAN } else { row[0] }, row[1]]);
        }
        let targets: Vec<f32> =
            rows.iter().map(|row| f32::from(u8::from(row[0].is_nan()))).collect();
        let settings = Settings { rate: 0.1, columns: 1.0, ..Settings::default() };
        let model = Model::fit(lesson(&rows, &targets), &Logistic, &settings);
        assert!(probability(&model, &[f32::NAN, 0.5]) > 0.95);
        assert!(probability(&model, &[0.5, 0.5]) < 0.05);
    }

    #[test]
    fn pinball_boosting_finds_the_quantile_of_each_side() {
        let (rows, draws) = noise(8000, 2, 8);
        // Uniform on [0, 1] where the first column is low, on [0, 10] where it is high.
        let spread = |row: &[f32]| if row[0] > 0.5 { 10.0 } else { 1.0 };
        let targets: Vec<f32> =
            rows.iter().zip(&draws).map(|(row, u)| (u * spread(row)) as f32).collect();
        let settings = Settings { rate: 0.1, columns: 1.0, ..Settings::default() };
        let loss = Pinball::new(0.9);
        let model = Model::fit(lesson(&rows, &targets), &loss, &settings);
        assert!((model.score(&[0.2, 0.5]) - 0.9).abs() < 0.15, "{}", model.score(&[0.2, 0.5]));
        assert!((model.score(&[0.8, 0.5]) - 9.0).abs() < 0.5, "{}", model.score(&[0.8, 0.5]));
    }

    #[test]
    fn nothing_is_learned_from_nothing_and_from_one_class() {
        let empty = Rows::new(3);
        let model = Model::fit(lesson(&empty, &[]), &Logistic, &Settings::default());
        assert_eq!(model.score(&[0.0; 3]).to_bits(), 0.0_f64.to_bits());
        let (rows, _) = noise(500, 3, 9);
        let model = Model::fit(lesson(&rows, &[1.0; 500]), &Logistic, &Settings::default());
        let p = probability(&model, &[0.5; 3]);
        assert!(p > 0.99 && p < 1.0, "{p}");
    }

    #[test]
    fn offsets_are_where_it_starts_from() {
        let (rows, draws) = noise(4000, 3, 10);
        let targets: Vec<f32> = draws.iter().map(|&u| f32::from(u8::from(u < 0.8))).collect();
        let offsets = vec![(0.8_f32 / 0.2).ln(); 4000];
        let lesson = Lesson { offsets: Some(&offsets), ..lesson(&rows, &targets) };
        let model = Model::fit(lesson, &Logistic, &Settings::default());
        assert!(model.score(&[0.5; 3]).abs() < 0.3);
    }
}
