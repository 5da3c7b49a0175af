//! Learned forecasts of one target: logistic regression and boosted trees on the same rows.
//!
//! Knows rows of features with the odds of the tables beside them, labels and weights. Both
//! learners start from the semi-Markov table and are held to it, so that with little history they
//! say what the table says.

use crate::boost::{self, loss};
use crate::feature;
use crate::logistic;
use crate::rows::Rows;
use crate::table;

/// What a row holds: the features, those of the horizon, and the log-odds of tables.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Features.
    pub base: usize,
    /// Features of the horizon.
    pub ahead: usize,
    /// Log-odds.
    pub odds: usize,
}

impl Shape {
    fn width(self) -> usize {
        self.base + self.ahead + self.odds
    }

    fn semi_markov(self) -> usize {
        self.base + self.ahead + table::SEMI_MARKOV
    }
}

/// Rows, their labels and weights.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// Features, features of the horizon, log-odds.
    pub rows: Rows,
    /// 0 or 1.
    pub labels: Vec<f32>,
    /// How much each row counts.
    pub weights: Vec<f32>,
}

/// Settings of the logistic regression.
#[derive(Clone, Copy, Debug)]
pub struct LogitSettings {
    /// The ridge on each coefficient.
    pub ridge: f64,
    /// Whether each feature may act otherwise while the zone is down.
    pub by_state: bool,
}

/// A fitted logistic regression.
#[derive(Clone, Debug)]
pub struct Logit {
    /// The column of log-odds that it starts from.
    offset: usize,
    by_state: bool,
    columns: Vec<usize>,
    mean: Vec<f32>,
    scale: Vec<f32>,
    coefficients: Vec<f64>,
    narrow: Vec<f32>,
}

impl Logit {
    /// Fits; `earlier` is where it starts from, which only saves time.
    #[must_use]
    pub fn fit(
        shape: Shape,
        lesson: &Lesson,
        settings: LogitSettings,
        earlier: Option<&Self>,
    ) -> Self {
        let not_for_lines = [feature::ZONE, feature::HOUR];
        let columns: Vec<usize> =
            (0..shape.width()).filter(|c| !not_for_lines.contains(c)).collect();
        Self::of(columns, shape.semi_markov(), lesson, settings, earlier)
    }

    /// Fits what some columns add to the log-odds in another; column 0 is the state.
    #[must_use]
    pub fn of(
        columns: Vec<usize>,
        offset: usize,
        lesson: &Lesson,
        settings: LogitSettings,
        earlier: Option<&Self>,
    ) -> Self {
        let mut model = Self {
            offset,
            by_state: settings.by_state,
            mean: vec![0.0; columns.len()],
            scale: vec![1.0; columns.len()],
            columns,
            coefficients: Vec::new(),
            narrow: Vec::new(),
        };
        model.standardise(lesson);
        let width = model.width();
        let mut rows = Vec::with_capacity(lesson.rows.len() * width);
        let mut offsets = Vec::with_capacity(lesson.rows.len());
        for row in lesson.rows.iter() {
            model.extend(row, &mut rows);
            offsets.push(row[offset]);
        }
        let mut ridge = vec![settings.ridge; width];
        ridge[0] = settings.ridge * 0.1;
        let centre = vec![0.0; width];
        let start = match earlier {
            Some(earlier) if earlier.coefficients.len() == width => earlier.coefficients.clone(),
            _ => centre.clone(),
        };
        let lesson = logistic::Lesson {
            rows: &rows,
            width,
            targets: &lesson.labels,
            weights: &lesson.weights,
            offsets: &offsets,
            ridge: &ridge,
            centre: &centre,
        };
        model.coefficients = logistic::fit(&lesson, &start);
        model.narrow = model.coefficients.iter().map(|&c| c as f32).collect();
        model
    }

    /// The log-odds of a row.
    #[must_use]
    pub fn log_odds(&self, row: &[f32]) -> f32 {
        let mut extended = Vec::with_capacity(self.width());
        self.extend(row, &mut extended);
        let offset = row[self.offset];
        (offset + logistic::dot(&extended, &self.narrow)).clamp(-7.0, 7.0)
    }

    fn width(&self) -> usize {
        1 + self.columns.len() * if self.by_state { 2 } else { 1 }
    }

    fn standardise(&mut self, lesson: &Lesson) {
        for (i, &c) in self.columns.iter().enumerate() {
            let (mut n, mut sum, mut squares) = (0.0_f64, 0.0_f64, 0.0_f64);
            for row in lesson.rows.iter() {
                let value = f64::from(row[c]);
                if !value.is_nan() {
                    n += 1.0;
                    sum += value;
                    squares += value * value;
                }
            }
            let mean = if n > 0.0 { sum / n } else { 0.0 };
            let variance = if n > 0.0 { squares / n - mean * mean } else { 0.0 };
            self.mean[i] = mean as f32;
            // A column that does not vary says nothing.
            self.scale[i] = if variance > 1e-8 { (1.0 / variance.sqrt()) as f32 } else { 0.0 };
        }
    }

    /// The constant, the standardised columns, and these again for a zone that is down.
    fn extend(&self, row: &[f32], into: &mut Vec<f32>) {
        into.push(1.0);
        let from = into.len();
        for (i, &c) in self.columns.iter().enumerate() {
            let value = (row[c] - self.mean[i]) * self.scale[i];
            into.push(if value.is_nan() { 0.0 } else { value.clamp(-6.0, 6.0) });
        }
        if self.by_state {
            let sign = if row[feature::STATE] > 0.5 { 1.0 } else { -1.0 };
            for i in from..from + self.columns.len() {
                let value = into[i];
                into.push(value * sign);
            }
        }
    }
}

/// Boosted trees on top of the semi-Markov table.
#[derive(Clone, Debug)]
pub struct Boosted {
    shape: Shape,
    model: boost::Model,
    from_table: bool,
}

impl Boosted {
    /// Grows trees.
    #[must_use]
    pub fn fit(
        shape: Shape,
        lesson: &Lesson,
        settings: &boost::Settings,
        from_table: bool,
    ) -> Self {
        let offsets: Vec<f32> =
            lesson.rows.iter().map(|row| row[shape.semi_markov()].clamp(-4.0, 4.0)).collect();
        let lesson = boost::Lesson {
            rows: &lesson.rows,
            targets: &lesson.labels,
            weights: Some(&lesson.weights),
            offsets: from_table.then_some(&offsets),
        };
        let model = boost::Model::fit(lesson, &loss::Logistic, settings);
        Self { shape, model, from_table }
    }

    /// The log-odds of a row.
    #[must_use]
    pub fn log_odds(&self, row: &[f32]) -> f32 {
        let offset =
            if self.from_table { row[self.shape.semi_markov()].clamp(-4.0, 4.0) } else { 0.0 };
        (offset + self.model.score(row) as f32).clamp(-7.0, 7.0)
    }
}
