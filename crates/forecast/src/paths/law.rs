//! How one zone goes on, and a population of its futures stepped through it.
//!
//! Knows one zone. Which paths of the population change at a step is decided by pressures that come
//! from outside; how many, by the forecast.

use crate::forecast::agreed;
use crate::seed::Stream;

use super::latent::Pressure;

/// Bins of time in state, doubling from five minutes.
const AGES: usize = 12;
/// Classes of paths: down or up again at each age, and up ever since now.
const CLASSES: usize = 2 * AGES + 1;
/// The class of those that have been up ever since now.
const FIRST: usize = 2 * AGES;
/// Ranks that are told apart.
const RANKS: usize = 128;
/// Ranks in a standard deviation of pressure.
const FINENESS: f32 = 16.0;
/// From here on single-precision numbers are whole.
const WHOLE: f32 = 8_388_608.0;
/// How much luck there is beside pressure, as the half-width of a uniform variable.
const LUCK: f32 = 0.8;
/// No more of a class than this changes in one step.
const CHANGING_MAX: f64 = 0.9;
/// No age is counted beyond this, in steps.
const AGE_MAX: i32 = 20_000;

/// What is known of a zone's future.
#[derive(Clone, Debug, PartialEq)]
pub struct Ahead {
    /// Whether it is up now; none where that is not known.
    pub is_up: Option<bool>,
    /// Minutes since it changed.
    pub minutes_in_state: f64,
    /// Probability of being up, at each step of the horizon.
    pub up: Vec<f64>,
    /// Probability of staying up until each step; only of a zone that is up now. Where it
    /// contradicts `up`, `up` holds.
    pub survival: Vec<f64>,
    /// Minutes from one step to the next.
    pub step_minutes: u32,
    /// For a zone that is down and one that is up: the chance to change within a step, after time
    /// in state of 0, 10, 20, 40 … minutes; as many as there are, the last one holds on.
    pub hazards: [Vec<f64>; 2],
}

/// The same, as a population is stepped through it.
#[derive(Clone, Debug)]
pub(super) struct Law {
    start: Option<bool>,
    age: i32,
    up: Vec<f64>,
    survival: Vec<f64>,
    hazards: [[f64; AGES]; 2],
    step_minutes: u32,
}

impl Law {
    pub(super) fn new(ahead: &Ahead, steps: usize) -> Self {
        let probability = |p: Option<&f64>| p.copied().filter(|p| p.is_finite()).unwrap_or(0.5);
        let up: Vec<f64> =
            (0..steps).map(|k| probability(ahead.up.get(k)).clamp(0.0, 1.0)).collect();
        let is_first = ahead.is_up == Some(true) && !ahead.survival.is_empty();
        let survival = (0..steps).map(|k| probability(ahead.survival.get(k)).clamp(0.0, 1.0));
        let survival = if is_first { agreed(survival, &up) } else { Vec::new() };
        let step_minutes = ahead.step_minutes.max(1);
        let hazard = |state: usize, age: usize| {
            let known = &ahead.hazards[state];
            let value = known.get(age).or(known.last()).copied().unwrap_or(0.02);
            if value.is_finite() { value.clamp(1e-6, CHANGING_MAX) } else { 0.02 }
        };
        let age = (ahead.minutes_in_state / f64::from(step_minutes)) as i32;
        Self {
            start: ahead.is_up,
            age: age.clamp(0, AGE_MAX),
            up,
            survival,
            hazards: [0, 1].map(|state| std::array::from_fn(|age| hazard(state, age))),
            step_minutes,
        }
    }

    /// Whether it is both up and down with some probability.
    pub(super) fn varies(&self) -> bool {
        self.up.iter().any(|&p| p > 0.001 && p < 0.999)
    }

    /// Probability of being up, at each step.
    pub(super) fn up(&self) -> &[f64] {
        &self.up
    }

    fn bin(&self, age: usize) -> u8 {
        let minutes = age as f64 * f64::from(self.step_minutes);
        ((minutes / 5.0).max(1.0).log2() as usize).min(AGES - 1) as u8
    }
}

/// Minutes in state from which each bin of ages holds, for whoever knows hazards.
pub(crate) fn ages() -> impl Iterator<Item = f64> {
    (0..AGES).map(|bin| if bin == 0 { 0.0 } else { 5.0 * f64::from(1_u32 << bin) })
}

/// Futures of one zone, at one step.
#[derive(Debug)]
pub(super) struct Population {
    /// 0 down, 1 up, 2 up ever since now.
    kinds: Vec<u8>,
    /// The step at which each changed last.
    since: Vec<i16>,
    classes: Vec<u8>,
    ranks: Vec<u8>,
    dice: Vec<u16>,
    /// By class and rank: how many paths.
    crowd: Vec<u32>,
    /// By steps in state: the bin.
    bins: Vec<u8>,
}

/// Which of a class change: all above a rank, and of that rank a share in 256.
#[derive(Clone, Copy, Debug, Default)]
struct Bar {
    rank: u8,
    share: u16,
}

impl Population {
    pub(super) fn new(paths: usize) -> Self {
        Self {
            kinds: vec![0; paths],
            since: vec![0; paths],
            classes: vec![0; paths],
            ranks: vec![0; paths],
            dice: vec![0; paths],
            crowd: vec![0; CLASSES * RANKS],
            bins: Vec::new(),
        }
    }

    /// All paths at step 0. Where the state is not known, each path has one of its own.
    pub(super) fn begin(&mut self, law: &Law, noise: &mut Stream) {
        let up = law.up.first().copied().unwrap_or(0.5);
        for kind in &mut self.kinds {
            let is_up = law.start.unwrap_or_else(|| noise.uniform() < up);
            *kind = if is_up && !law.survival.is_empty() { 2 } else { u8::from(is_up) };
        }
        self.since.fill(-(law.age as i16));
        let oldest = law.age as usize + law.up.len();
        self.bins = (0..=oldest).map(|age| law.bin(age)).collect();
    }

    pub(super) fn states(&self) -> impl Iterator<Item = bool> + '_ {
        self.kinds.iter().map(|&kind| kind > 0)
    }

    /// From step `k - 1` to `k`; tells each path that changes.
    pub(super) fn step(
        &mut self,
        law: &Law,
        k: usize,
        pressure: &Pressure<'_>,
        noise: &mut Stream,
        mut changed: impl FnMut(u32),
    ) {
        self.rank(pressure, noise);
        self.sort(k);
        let bars = self.bars(law, k, noise);
        let paths = self.kinds.iter_mut().zip(&mut self.since);
        let ranked = self.classes.iter().zip(self.ranks.iter().zip(&self.dice));
        for (path, ((kind, since), (&class, (&rank, &dice)))) in (0_u32..).zip(paths.zip(ranked)) {
            let bar = bars[usize::from(class)];
            // Ranks come from the upper bits of the dice, ties from the lower ones.
            if rank > bar.rank || (rank == bar.rank && dice & 0xFF < bar.share) {
                *kind = u8::from(*kind == 0);
                *since = k as i16;
                changed(path);
            }
        }
    }

    /// How near to a change each path is: those under pressure leave up, the others leave down.
    fn rank(&mut self, pressure: &Pressure<'_>, noise: &mut Stream) {
        let mut fours = self.dice.chunks_exact_mut(4);
        for four in &mut fours {
            let bits = noise.bits();
            four.copy_from_slice(&[0, 16, 32, 48].map(|shift| (bits >> shift) as u16));
        }
        let bits = noise.bits();
        for (i, dice) in fours.into_remainder().iter_mut().enumerate() {
            *dice = (bits >> (16 * i)) as u16;
        }
        let pressures = pressure.from.iter().zip(pressure.to);
        let paths = self.kinds.iter().zip(&self.dice).zip(&mut self.ranks);
        for ((from, to), ((&kind, &dice), rank)) in pressures.zip(paths) {
            let slow = from + pressure.share * (to - from);
            let luck = f32::from(dice) * (LUCK / 32_768.0) - LUCK;
            let high = ((slow + luck) * FINENESS + 63.5).clamp(0.0, RANKS as f32 - 1.0);
            // The last bits of what is this large are the nearest whole number: no conversion, which
            // would be most of the work here.
            let high = (high + WHOLE).to_bits() as u8 & (RANKS as u8 - 1);
            *rank = if kind == 0 { high ^ (RANKS as u8 - 1) } else { high };
        }
    }

    /// Each path's class, and how many there are of each rank.
    fn sort(&mut self, k: usize) {
        self.crowd.fill(0);
        let paths = self.kinds.iter().zip(&self.since).zip(&self.ranks);
        for (((&kind, &since), &rank), class) in paths.zip(&mut self.classes) {
            let age = (k as i32 - 1 - i32::from(since)) as usize;
            let own = match kind {
                2 => FIRST,
                kind => usize::from(kind) * AGES + usize::from(self.bins[age]),
            };
            *class = own as u8;
            self.crowd[own * RANKS + usize::from(rank)] += 1;
        }
    }

    /// How many of each class change, as ranks.
    fn bars(&self, law: &Law, k: usize, noise: &mut Stream) -> [Bar; CLASSES] {
        let crowd = |class: usize| &self.crowd[class * RANKS..(class + 1) * RANKS];
        let count = |class: usize| f64::from(crowd(class).iter().sum::<u32>());
        let counts: [f64; CLASSES] = std::array::from_fn(count);
        let leaving = leaving(law, k, &counts, self.kinds.len() as f64);
        std::array::from_fn(|class| bar(crowd(class), leaving[class], noise))
    }
}

/// How many of each class change at a step so that as many are up as the forecast says.
fn leaving(law: &Law, k: usize, counts: &[f64; CLASSES], all: f64) -> [f64; CLASSES] {
    let mut leaving = [0.0; CLASSES];
    let staying = law.survival.get(k - 1).map_or(0.0, |survival| all * survival);
    leaving[FIRST] = (counts[FIRST] - staying).max(0.0);
    let up: f64 = counts[AGES..].iter().sum();
    // What the other classes have to add to those that are up.
    let wanted = all * law.up[k - 1] - (up - leaving[FIRST]);
    let (mut rising, mut falling) = (0.0, 0.0);
    for (class, leaving) in leaving.iter_mut().enumerate().take(FIRST) {
        *leaving = counts[class] * law.hazards[class / AGES][class % AGES];
        *(if class < AGES { &mut rising } else { &mut falling }) += *leaving;
    }
    // rising * x - falling / x = wanted, for the one x above 0.
    let root = (wanted * wanted + 4.0 * rising * falling).sqrt();
    let rise = if rising > 0.0 { (wanted + root) / (2.0 * rising) } else { 0.0 };
    let fall = if falling > 0.0 { (root - wanted) / (2.0 * falling) } else { 0.0 };
    for class in 0..FIRST {
        let by = if class < AGES { rise } else { fall };
        leaving[class] = (leaving[class] * by).min(counts[class] * CHANGING_MAX);
    }
    leaving
}

/// The rank from which so many are left.
fn bar(crowd: &[u32], leaving: f64, noise: &mut Stream) -> Bar {
    let mut left = leaving;
    for rank in (0..RANKS).rev() {
        let here = f64::from(crowd[rank]);
        if left < here {
            // A share in 256 is rough where few leave: rounded by chance, it is right in the mean.
            let share = left / here * 256.0 + noise.uniform();
            return Bar { rank: rank as u8, share: share as u16 };
        }
        left -= here;
    }
    Bar { rank: 0, share: 256 }
}
