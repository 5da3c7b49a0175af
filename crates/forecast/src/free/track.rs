//! One horizon of one series: what experts said, what came, and so what each weighs.
//!
//! Knows origins whose outcome is not known yet and, for each expert, the errors it made. Weights
//! are those of a Bayesian average over Laplace-like errors, tempered: each expert's loss so far to
//! a power that grows with how many origins do not repeat each other, times what shorter horizons
//! say of who errs more than usual now. The blend of quantiles is then stretched on each side of its
//! median to what its own past missed (conformal, per side).

use std::collections::VecDeque;

use super::continued;
use super::expert::{self, ERRORS, EXPERTS, LINE, Outlook};
use super::levels::{self, INTERVAL, LEVELS, MEDIAN, Quantiles, Window};
use super::line::Line;
use super::past::{Clock, Past};
use super::standing::{Standing, Turned};

/// Days over which errors are kept.
const ERROR_DAYS: usize = 14;
/// The least number of errors that is kept, however rare origins are.
const ERRORS_MIN: usize = 120;
/// Days over which it is kept where outcomes fell in what was said.
const RANK_DAYS: usize = 45;
/// Days over which the stretch is found.
const STRETCH_DAYS: usize = 6;
/// The least number of scores that the stretch is found from, however rare origins are.
const SCORES_MIN: usize = 60;
/// Days after which a loss counts half.
const LOSS_HALF_LIFE: f64 = 4.0;
/// Days after which counts half how a deviation from the hour of the day lasts, and how experts stand.
const LASTING_HALF_LIFE: f64 = 8.0;
/// Days after which it counts half how experts stand lately.
const LATELY_HALF_LIFE: f64 = 0.1;
/// By what power of e a weight falls for each loss that is usual, lost beyond what is usual.
const TURN: f64 = 4.0;
/// The power of a loss for each independent origin, and the most it becomes.
const TEMPER: f64 = 6.0;
const POWER_MAX: f64 = 32.0;
/// What share of the best expert's loss is added to each before they are compared.
const DOUBT: f64 = 1e-3;
/// How many times what is usually lost one hit counts at most, and how many spreads it counts anyway.
const HIT: f64 = 20.0;
const HIT_SPREADS: f64 = 5.0;
/// Levels to each side whose losses count for the weights at a level.
const REACH: usize = 1;
/// Days after which a row of the line counts half.
const LINE_HALF_LIFE: f64 = 21.0;
/// Independent origins at which a stretch is believed half.
const STRETCH_DOUBT: f64 = 24.0;
/// How far an interval is stretched or shrunk at most.
const STRETCH: (f64, f64) = (0.5, 4.0);

/// An origin whose outcome is not known yet.
#[derive(Clone, Debug)]
struct Pending {
    at: usize,
    outlook: Outlook,
    said: Vec<[f32; LEVELS]>,
    blend: Quantiles,
    row: Vec<f32>,
}

/// An outcome that has become known, to be learned from by what series share.
pub(super) struct Resolved {
    pub(super) row: Vec<f32>,
    pub(super) target: f32,
}

/// One horizon of one series.
#[derive(Clone, Debug)]
pub(super) struct Track {
    /// Steps ahead.
    pub(super) k: usize,
    pending: VecDeque<Pending>,
    errors: Vec<Window>,
    losses: [[f64; LEVELS]; EXPERTS],
    /// At each level, what each expert weighs.
    weights: Vec<[f64; EXPERTS]>,
    keep: f64,
    keep_lasting: f64,
    standing: Standing,
    /// How experts have turned at shorter horizons; at the shortest that warns, at that.
    turned: [f64; EXPERTS],
    /// Whether it is an hour or more: below, single steps decide, not what lasts.
    warns: bool,
    /// What of an origin does not repeat the one before.
    news: f64,
    /// Independent origins that losses were summed over.
    seen: f64,
    above: Window,
    below: Window,
    line: Line,
    /// Sums for how a deviation from the hour of the day lasts.
    lasting: [f64; 2],
    /// At past origins, the rank of what came in what was said, in 65,536; the latest last.
    ranks: VecDeque<(usize, u16)>,
    ranks_kept: usize,
}

/// What was said of a target.
pub(super) struct Said {
    pub(super) outlook: Outlook,
    pub(super) each: Vec<[f32; LEVELS]>,
    /// Weighed together, not yet stretched.
    pub(super) blend: Quantiles,
}

impl Track {
    pub(super) fn new(k: usize, clock: Clock) -> Self {
        let a_day = clock.origins(1) as f64;
        let news = (clock.stride as f64 / k as f64).min(1.0);
        Self {
            k,
            pending: VecDeque::new(),
            errors: vec![Window::new(clock.origins(ERROR_DAYS).max(ERRORS_MIN)); ERRORS],
            losses: [[0.0; LEVELS]; EXPERTS],
            weights: vec![[1.0 / EXPERTS as f64; EXPERTS]; LEVELS],
            keep: 0.5_f64.powf(1.0 / (LOSS_HALF_LIFE * a_day)),
            keep_lasting: 0.5_f64.powf(1.0 / (LASTING_HALF_LIFE * a_day)),
            standing: Standing::new(LOSS_HALF_LIFE * a_day, LATELY_HALF_LIFE * a_day),
            turned: [0.0; EXPERTS],
            warns: k >= clock.hours(1.0),
            news,
            seen: 0.0,
            above: Window::new(clock.origins(STRETCH_DAYS).max(SCORES_MIN)),
            below: Window::new(clock.origins(STRETCH_DAYS).max(SCORES_MIN)),
            line: Line::new(LINE_HALF_LIFE * a_day, news, clock.origins(1) / 4),
            lasting: [0.0; 2],
            ranks: VecDeque::new(),
            ranks_kept: clock.origins(RANK_DAYS).max(ERRORS_MIN),
        }
    }

    /// What is known of the target `k` steps ahead, with the line's point.
    pub(super) fn outlook(&self, past: &Past, clock: Clock, k: usize) -> Option<Outlook> {
        let decay = (self.lasting[0] / (self.lasting[1] + 1e-9)).clamp(0.0, 1.0);
        let mut outlook = Outlook::of(past, clock, k, decay)?;
        let line = outlook.points[0] + outlook.spread * self.line.at(&outlook.row);
        outlook.points[LINE] = past.believable(line);
        Some(outlook)
    }

    /// What all experts say, and the blend of it.
    pub(super) fn say(
        &self,
        past: &Past,
        target: usize,
        mut outlook: Outlook,
        boosted: Option<Quantiles>,
    ) -> Said {
        let boosted = boosted.map(|quantiles| quantiles.map(|q| past.believable(q)));
        outlook.points[expert::BOOSTED] = boosted.map_or(outlook.points[LINE], |q| q[MEDIAN]);
        let mut each: Vec<Quantiles> = Vec::with_capacity(EXPERTS);
        let naive = outlook.spread;
        for (e, errors) in self.errors.iter().enumerate() {
            each.push(match levels::of_sorted(errors.sorted()) {
                Some(errors) => errors.map(|error| outlook.after(e, error)),
                // Nothing is known of errors yet: as wide as the series was ever.
                None => std::array::from_fn(|i| {
                    outlook.points[0] + 4.0 * naive * (levels::level(i) - 0.5)
                }),
            });
        }
        let fallback = each[0];
        let empirical = expert::empirical(past, target);
        each.extend(empirical.map(|quantiles| quantiles.unwrap_or(fallback)));
        each.push(boosted.unwrap_or(each[LINE]));
        let mut blend: Quantiles = std::array::from_fn(|i| {
            each.iter().zip(&self.weights[i]).map(|(quantiles, weight)| weight * quantiles[i]).sum()
        });
        // Weights differ between levels.
        blend.sort_by(f64::total_cmp);
        let widening = 1.0 + 1.0 / (1.0 + self.seen);
        let median = blend[MEDIAN];
        blend.iter_mut().for_each(|q| *q = median + (*q - median) * widening);
        let each = each.iter().map(|quantiles| quantiles.map(|q| q as f32)).collect();
        Said { outlook, each, blend }
    }

    /// Remembers what was said until it is known what came.
    pub(super) fn keep(&mut self, at: usize, said: Said, row: Vec<f32>) {
        let Said { outlook, each, blend } = said;
        self.pending.push_back(Pending { at, outlook, said: each, blend, row });
    }

    /// Learns from the origin whose target is now, if there is one, and from how experts have turned at
    /// shorter horizons.
    pub(super) fn resolve(
        &mut self,
        now: usize,
        value: f64,
        past: &Past,
        turned: &Turned,
    ) -> Option<Resolved> {
        while self.pending.front().is_some_and(|pending| pending.at + self.k < now) {
            self.pending.pop_front();
        }
        if self.pending.front()?.at + self.k != now {
            return None;
        }
        let pending = self.pending.pop_front()?;
        if value.is_nan() {
            return None;
        }
        self.learn(&pending, value, past, now, turned);
        let target = super::boosted::target(&pending.outlook, value);
        Some(Resolved { row: pending.row, target })
    }

    fn learn(&mut self, pending: &Pending, value: f64, past: &Past, now: usize, turned: &Turned) {
        let outlook = &pending.outlook;
        for (e, errors) in self.errors.iter_mut().enumerate() {
            errors.push(outlook.error(e, value));
        }
        self.lose(pending, value);
        self.turned = match turned.each() {
            None if self.warns => self.standing.turned(),
            each => each.unwrap_or([0.0; EXPERTS]),
        };
        self.seen = self.seen * self.keep + self.news;
        self.weights = (0..LEVELS).map(|i| self.weights_at(i)).collect();
        let last = outlook.points[0];
        let target = ((value - last) / outlook.spread).clamp(-8.0, 8.0);
        self.line.learn(&outlook.row, target);
        let hour = past.recent_hour_mean(now);
        let before = past.recent_hour_mean(pending.at);
        if !hour.is_nan() && !before.is_nan() {
            let was = ((last - before) / outlook.spread).clamp(-8.0, 8.0);
            let is = ((value - hour) / outlook.spread).clamp(-8.0, 8.0);
            self.lasting[0] = self.lasting[0] * self.keep_lasting + was * is;
            self.lasting[1] = self.lasting[1] * self.keep_lasting + was * was;
        }
        let rank = continued::rank(&self.stretch(&pending.blend), value);
        if self.ranks.len() == self.ranks_kept {
            self.ranks.pop_front();
        }
        self.ranks.push_back((pending.at, (rank * 65_536.0) as u16));
        let q = &pending.blend;
        let floor = 1e-3 * outlook.spread;
        let above = (value - q[MEDIAN]) / (q[INTERVAL.1] - q[MEDIAN]).max(floor);
        let below = (q[MEDIAN] - value) / (q[MEDIAN] - q[INTERVAL.0]).max(floor);
        self.above.push(above as f32);
        self.below.push(below as f32);
    }

    /// Adds up what each expert lost; of one hit no more than a multiple of what is usual, lest it
    /// alone tells for days whom to believe.
    fn lose(&mut self, pending: &Pending, value: f64) {
        let spreads = HIT_SPREADS * LEVELS as f64 * pending.outlook.spread;
        let most = match self.standing.usually_lost() {
            Some(usual) => (HIT * usual).max(spreads),
            None => f64::INFINITY,
        };
        let mut lost = [0.0; EXPERTS];
        for ((sums, said), lost) in self.losses.iter_mut().zip(&pending.said).zip(&mut lost) {
            let losses: [f64; LEVELS] =
                std::array::from_fn(|i| levels::pinball(i, f64::from(said[i]), value));
            *lost = losses.iter().sum();
            let counts = if *lost > most { most / *lost } else { 1.0 };
            for (sum, loss) in sums.iter_mut().zip(losses) {
                *sum = *sum * self.keep + self.news * loss * counts;
            }
        }
        let by_blend = pending.blend.iter().enumerate().map(|(i, &q)| levels::pinball(i, q, value));
        self.standing.learn(&lost, by_blend.sum::<f64>().min(most), 1e-4 * pending.outlook.spread);
    }

    /// Warns longer horizons, if it is long enough itself.
    pub(super) fn warn(&self, turned: &mut Turned) {
        if self.warns {
            turned.add(&self.standing.turned());
        }
    }

    /// Past origins, and the rank from 0 to 1 that what came had in what was said; in order of time.
    pub(super) fn ranks(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        self.ranks.iter().map(|&(at, rank)| (at, (f32::from(rank) + 0.5) / 65_536.0))
    }

    /// What each expert weighs over all levels; they sum to 1.
    pub(super) fn weights(&self) -> [f64; EXPERTS] {
        self.weights_of(self.losses.map(|losses| losses.iter().sum()))
    }

    /// What each expert weighs at a level and those beside it; they sum to 1.
    fn weights_at(&self, level: usize) -> [f64; EXPERTS] {
        let near = level.saturating_sub(REACH)..=(level + REACH).min(LEVELS - 1);
        self.weights_of(self.losses.map(|losses| losses[near.clone()].iter().sum()))
    }

    fn weights_of(&self, losses: [f64; EXPERTS]) -> [f64; EXPERTS] {
        let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
        // Where the best hardly lost anything, its lead says little.
        let floor = self.lost_by_best() * DOUBT + 1e-300;
        let power = (TEMPER * self.seen).min(POWER_MAX);
        let raw: [f64; EXPERTS] = std::array::from_fn(|e| {
            let worse = ((losses[e] + floor) / (least + floor)).ln();
            expert::before_all(e) * (-power * worse - TURN * self.turned[e]).exp()
        });
        let total: f64 = raw.iter().sum();
        raw.map(|weight| weight / total)
    }

    fn lost_by_best(&self) -> f64 {
        let sums = self.losses.iter().map(|losses| losses.iter().sum::<f64>());
        sums.fold(f64::INFINITY, f64::min)
    }

    /// A blend stretched on each side of its median to what its past missed.
    pub(super) fn stretch(&self, blend: &Quantiles) -> Quantiles {
        let (above, below) = (self.factor(&self.above), self.factor(&self.below));
        let median = blend[MEDIAN];
        std::array::from_fn(|i| {
            let by = if i > MEDIAN { above } else { below };
            median + (blend[i] - median) * by
        })
    }

    fn factor(&self, scores: &Window) -> f64 {
        // Of few scores a higher one is taken, so that the next falls below it often enough.
        let level =
            levels::level(INTERVAL.1) + (1.0 - levels::level(INTERVAL.1)) / (1.0 + self.seen);
        let Some(wanted) = scores.quantile(level) else { return 1.0 };
        let belief = self.seen / (self.seen + STRETCH_DOUBT);
        wanted.clamp(STRETCH.0, STRETCH.1).powf(belief)
    }
}
