//! The past of one zone, step by step: up or not, how much of it, and where nothing is known.
//!
//! Knows counts of steps. Sums over any stretch cost the same; the oldest steps are forgotten.
//! A gap stays a gap: it is in no mean, and a run of equal states does not reach across a long one.

/// Steps that may be missing without a run of equal states being taken to have ended.
const BRIDGED_STEPS: usize = 3;

/// One zone's past.
#[derive(Clone, Debug)]
pub struct Series {
    /// Absolute index of `steps[0]`.
    first: usize,
    steps: Vec<Step>,
    kept: usize,
    /// How many instances make it up; with 0, any.
    needed: f64,
    size: f32,
    previous_run: u32,
}

/// The state after a step, and sums up to and with it.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    known: u32,
    ups: u32,
    changes: u32,
    share: f64,
    in_state: u32,
    unknown_for: u32,
    level: f32,
    is_up: bool,
}

impl Series {
    /// A zone of which nothing is known yet; of its steps at least the last `kept` are kept.
    #[must_use]
    pub fn new(kept: usize) -> Self {
        Self {
            first: 0,
            steps: Vec::new(),
            kept: kept.max(16),
            needed: 0.0,
            size: 1.0,
            previous_run: 0,
        }
    }

    /// The same, up only while at least so many instances are.
    #[must_use]
    pub fn needing(self, instances: u32) -> Self {
        Self { needed: f64::from(instances), ..self }
    }

    /// Takes the next step: how many instances are up, or none where it is not known. What is no
    /// number, infinite or below 0 is not known.
    pub fn push(&mut self, sample: Option<f64>) {
        let sample = sample.filter(|value| value.is_finite() && *value >= 0.0);
        let last = self.steps.last().copied();
        let step = match sample {
            Some(value) => self.known_step(last, value),
            None => unknown_step(last),
        };
        self.steps.push(step);
        if self.steps.len() > 2 * self.kept {
            let dropped = self.steps.len() - self.kept;
            self.steps.drain(..dropped);
            self.first += dropped;
        }
    }

    fn known_step(&mut self, last: Option<Step>, value: f64) -> Step {
        self.size = self.size.max(value as f32);
        let is_up = value > 0.0 && value >= self.needed;
        let level = (value / f64::from(self.size)) as f32;
        let Some(last) = last else {
            return Step {
                known: 1,
                ups: u32::from(is_up),
                share: f64::from(level),
                level,
                is_up,
                ..Step::default()
            };
        };
        let is_first = last.known == 0;
        let is_change = !is_first && is_up != last.is_up;
        let goes_on = !is_change && !is_first && last.unknown_for as usize <= BRIDGED_STEPS;
        if is_change {
            self.previous_run = last.in_state + 1;
        }
        Step {
            known: last.known + 1,
            ups: last.ups + u32::from(is_up),
            changes: last.changes + u32::from(is_change),
            share: last.share + f64::from(level),
            in_state: if goes_on { last.in_state + 1 + last.unknown_for } else { 0 },
            unknown_for: 0,
            level,
            is_up,
        }
    }

    /// How many steps there were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first + self.steps.len()
    }

    /// Whether there was none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many steps were known, of all there were.
    #[must_use]
    pub fn known(&self) -> usize {
        self.steps.last().map_or(0, |step| step.known as usize)
    }

    /// How many steps, up to the last, are not known.
    #[must_use]
    pub fn unknown_for(&self) -> usize {
        self.steps.last().map_or(0, |step| step.unknown_for as usize)
    }

    /// Up or not at step `t`, if that is known and still kept.
    #[must_use]
    pub fn up(&self, t: usize) -> Option<bool> {
        self.at(t).filter(|step| step.known > 0 && step.unknown_for == 0).map(|step| step.is_up)
    }

    /// The last known state up to step `t`.
    #[must_use]
    pub fn carried_up(&self, t: usize) -> Option<bool> {
        self.at(t).filter(|step| step.known > 0).map(|step| step.is_up)
    }

    /// Whether the zone was up at every known step after `t - k` up to `t`, having been up at
    /// `t - k`; none where that is not known.
    #[must_use]
    pub fn survived(&self, t: usize, k: usize) -> Option<bool> {
        let origin = t.checked_sub(k)?;
        if !self.up(origin)? {
            return None;
        }
        let (from, to) = (self.at(origin)?, self.at(t)?);
        let known = (to.known - from.known) as usize;
        if ((to.ups - from.ups) as usize) < known {
            return Some(false);
        }
        // Half a horizon without a sample proves nothing.
        (2 * known >= k && to.unknown_for == 0).then_some(true)
    }

    /// Steps since the state changed, 0 at the change.
    #[must_use]
    pub fn in_state(&self, t: usize) -> usize {
        self.at(t).map_or(0, |step| (step.in_state + step.unknown_for) as usize)
    }

    /// Steps of the run before the present one.
    #[must_use]
    pub fn previous_run(&self) -> usize {
        self.previous_run as usize
    }

    /// The share of instances that is up at step `t`, of the most there ever were.
    #[must_use]
    pub fn level(&self, t: usize) -> f32 {
        self.at(t).map_or(f32::NAN, |step| step.level)
    }

    /// Whether there is more than one instance.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.size > 1.0
    }

    /// Share of known steps that were up, of the `w` steps up to and with `t`.
    #[must_use]
    pub fn up_share(&self, t: usize, w: usize) -> f32 {
        self.mean(t, w, |step| f64::from(step.ups))
    }

    /// Mean share of instances up, of the `w` steps up to and with `t`.
    #[must_use]
    pub fn level_mean(&self, t: usize, w: usize) -> f32 {
        self.mean(t, w, |step| step.share)
    }

    /// How often the state changed in the `w` steps up to and with `t`.
    #[must_use]
    pub fn changes(&self, t: usize, w: usize) -> f32 {
        let (from, to) = self.ends(t, w);
        (to.changes - from.changes) as f32
    }

    fn mean(&self, t: usize, w: usize, sum: impl Fn(&Step) -> f64) -> f32 {
        let (from, to) = self.ends(t, w);
        let known = to.known - from.known;
        if known == 0 {
            return f32::NAN;
        }
        ((sum(&to) - sum(&from)) / f64::from(known)) as f32
    }

    /// The steps just before and at the end of a window, as far as it is kept.
    fn ends(&self, t: usize, w: usize) -> (Step, Step) {
        let to = self.at(t).copied().unwrap_or_default();
        let from = match (t + 1).checked_sub(w + 1) {
            Some(before) if before >= self.first => self.at(before).copied().unwrap_or_default(),
            _ if self.first > 0 => self.steps.first().copied().unwrap_or_default(),
            _ => Step::default(),
        };
        (from, to)
    }

    fn at(&self, t: usize) -> Option<&Step> {
        self.steps.get(t.checked_sub(self.first)?)
    }
}

fn unknown_step(last: Option<Step>) -> Step {
    let last = last.unwrap_or_default();
    Step { unknown_for: last.unknown_for + 1, ..last }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(samples: &[Option<f64>]) -> Series {
        let mut series = Series::new(1000);
        samples.iter().for_each(|&sample| series.push(sample));
        series
    }

    const UP: Option<f64> = Some(1.0);
    const DOWN: Option<f64> = Some(0.0);

    #[test]
    fn gaps_are_in_no_mean() {
        let series = series(&[UP, None, None, DOWN, UP, Some(f64::NAN)]);
        assert_eq!(series.known(), 3);
        assert!((series.up_share(5, 6) - 2.0 / 3.0).abs() < 1e-6);
        assert!((series.up_share(3, 1) - 0.0).abs() < 1e-6);
        assert!(series.up_share(2, 2).is_nan());
        assert_eq!(series.up(1), None);
        assert_eq!(series.carried_up(2), Some(true));
        assert_eq!(series.unknown_for(), 1);
    }

    #[test]
    fn a_zone_of_which_more_is_needed_is_up_only_while_it_has_as_much() {
        let mut series = Series::new(100).needing(3);
        [4.0, 2.0, 3.0].into_iter().for_each(|count| series.push(Some(count)));
        assert_eq!(
            (0..3).map(|t| series.up(t)).collect::<Vec<_>>(),
            [Some(true), Some(false), Some(true)]
        );
        assert!((series.level(1) - 0.5).abs() < 1e-6, "how much there is stays known");
    }

    #[test]
    fn a_run_counts_from_its_change() {
        let series = series(&[UP, UP, DOWN, DOWN, DOWN, UP]);
        assert_eq!(series.in_state(1), 1);
        assert_eq!(series.in_state(2), 0);
        assert_eq!(series.in_state(4), 2);
        assert_eq!(series.previous_run(), 3);
        assert!((series.changes(5, 3) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_zone_survives_when_it_is_up_throughout() {
        let series = series(&[UP, UP, UP, DOWN, UP, UP]);
        assert_eq!(series.survived(2, 2), Some(true));
        assert_eq!(series.survived(4, 2), Some(false));
        assert_eq!(series.survived(5, 2), None, "it was not up when that began");
        assert_eq!(series.survived(1, 2), None, "that began before there was anything");
    }

    #[test]
    fn sums_of_a_window_stay_right_when_the_oldest_steps_are_forgotten() {
        let mut kept = Series::new(20);
        let mut all = Series::new(10_000);
        for i in 0..300_u32 {
            let sample = Some(f64::from(u8::from(i * 7 % 11 < 5)));
            kept.push(sample);
            all.push(sample);
            let t = kept.len() - 1;
            for w in [1, 3, 17] {
                assert_eq!(kept.up_share(t, w).to_bits(), all.up_share(t, w).to_bits());
                assert_eq!(kept.changes(t, w).to_bits(), all.changes(t, w).to_bits());
            }
            assert_eq!(kept.in_state(t), all.in_state(t));
        }
    }
}
