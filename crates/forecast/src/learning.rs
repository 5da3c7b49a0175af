//! How models learn: which there are, on how many rows, held how strongly, fitted how often.
//!
//! One set for every zone and every history. Chosen on early parts and on time-reversed copies of
//! recorded availability; what differs between zones is left to the weights of the blend.

use crate::boost;
use crate::hazard;
use crate::table;
use crate::target::Kind;

/// How many experts come without learning: tables and hazards.
pub const NAIVE: usize = table::NAMES.len() + hazard::NAMES.len();

/// A half-life that weighs all rows alike.
const FOREVER: f64 = 1e9;

/// How much rows count.
#[derive(Clone, Copy, Debug)]
pub struct Counting {
    /// Days after which a row counts half.
    pub half_life_days: f64,
    /// How much of their overlap rows are taken to repeat each other in: 0 for nothing, 1 for all.
    pub overlap: f64,
    /// The same where survival is learned, which depends on fewer events.
    pub overlap_of_survival: f64,
}

impl Counting {
    /// What of a row is new, for a horizon of so many minutes and a row every 15.
    #[must_use]
    pub fn news(self, kind: Kind, minutes: u32) -> f64 {
        let overlap = match kind {
            Kind::Up => self.overlap,
            Kind::Survival => self.overlap_of_survival,
        };
        (15.0 / f64::from(minutes.max(15))).powf(overlap)
    }
}

/// A logistic regression.
#[derive(Clone, Copy, Debug)]
pub struct LogitPlan {
    /// The ridge on each coefficient.
    pub ridge: f64,
    /// How much rows count.
    pub counting: Counting,
}

/// A boosting.
#[derive(Clone, Copy, Debug)]
pub struct BoostPlan {
    /// How trees grow.
    pub settings: boost::Settings,
    /// Whether it starts from the semi-Markov table, and so stays there where there is little.
    pub starts_from_table: bool,
    /// How much rows count.
    pub counting: Counting,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Learning {
    /// The most rows that a model is fitted on.
    pub rows: usize,
    /// Logistic regressions.
    pub logits: Vec<LogitPlan>,
    /// Boostings.
    pub boosts: Vec<BoostPlan>,
    /// The logistic regression of what is known ahead on what the pool leaves out of it.
    pub residue: LogitPlan,
    /// By what share history must have grown before models are fitted again; at least a day.
    pub growth: f64,
}

impl Default for Learning {
    fn default() -> Self {
        let settings = boost::Settings::default();
        let counting = |half_life_days, overlap_of_survival| Counting {
            half_life_days,
            overlap: 0.5,
            overlap_of_survival,
        };
        let long = counting(FOREVER, 0.75);
        Self {
            rows: 16_000,
            logits: vec![
                LogitPlan { ridge: 100.0, counting: long },
                LogitPlan { ridge: 25.0, counting: counting(7.0, 0.5) },
            ],
            boosts: vec![
                BoostPlan { settings, starts_from_table: true, counting: long },
                BoostPlan { settings, starts_from_table: false, counting: counting(FOREVER, 0.5) },
            ],
            residue: LogitPlan { ridge: 60.0, counting: counting(FOREVER, 0.75) },
            growth: 0.06,
        }
    }
}

impl Learning {
    /// The same models, fitted only when history has doubled: for reading in a long past at once.
    #[must_use]
    pub fn in_haste(self) -> Self {
        Self { growth: 1.0, ..self }
    }

    /// How many models are learned.
    #[must_use]
    pub fn models(&self) -> usize {
        self.logits.len() + self.boosts.len()
    }

    /// Names of all experts, naive ones first.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let naive = table::NAMES.iter().chain(&hazard::NAMES).map(ToString::to_string);
        let logits = (1..=self.logits.len()).map(|i| format!("logistic {i}"));
        let boosts = (1..=self.boosts.len()).map(|i| format!("boosted {i}"));
        naive.chain(logits).chain(boosts).collect()
    }

    /// What each expert weighs before anything is known. All tables have a part, so that a blend of
    /// few days is close to them.
    #[must_use]
    pub fn prior(&self, kind: Kind) -> Vec<f64> {
        let (rough, hazard, learned) = match kind {
            Kind::Up => (0.75, 0.0, [2.0, 1.0, 1.5, 2.0]),
            Kind::Survival => (0.5, 2.0, [2.0, 1.0, 1.5, 0.5]),
        };
        let mut prior = vec![rough, 0.0, rough, 0.0, 0.5, 1.0, 1.0, rough, hazard];
        prior.extend(learned.into_iter().chain(std::iter::repeat(1.0)).take(self.models()));
        prior
    }
}
