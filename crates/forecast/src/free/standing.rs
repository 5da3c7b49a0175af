//! Who errs more than usual: what short horizons know of a change long before far ones do.
//!
//! A day ahead, what a forecast was worth is known a day later. Where the level jumps, experts that
//! hold to the past are wrong at every horizon, and an hour ahead this shows within the hour. So
//! each horizon keeps how every expert stands among the others, usually and lately; what has changed
//! at shorter horizons moves the weights of longer ones. Knows losses of experts, nothing else.

use super::expert::EXPERTS;

/// How far off a standing is believed at most, for one origin.
const FAR: f64 = 3.0;

/// How experts stand at one horizon: their losses against the middle one's, as a share of what is
/// usually lost.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    usual: Mean,
    lately: Mean,
    /// What the blend usually loses.
    scale: f64,
    known: f64,
    /// How much must be known for that to mean something.
    settled: f64,
}

/// Means that forget.
#[derive(Clone, Debug)]
struct Mean {
    keep: f64,
    weight: f64,
    sums: [f64; EXPERTS],
}

impl Standing {
    /// Of which what is usual halves after so many origins, and what is of late after so many.
    pub(super) fn new(usual: f64, lately: f64) -> Self {
        let settled = 0.25 * usual;
        Self { usual: Mean::new(usual), lately: Mean::new(lately), scale: 0.0, known: 0.0, settled }
    }

    /// Takes what each expert lost of a target, what their blend lost, and a loss that is nothing.
    pub(super) fn learn(&mut self, lost: &[f64; EXPERTS], by_blend: f64, nothing: f64) {
        self.known += 1.0;
        let rate = (1.0 - self.usual.keep).max(1.0 / self.known);
        self.scale += (by_blend - self.scale) * rate;
        let mut sorted = *lost;
        sorted.sort_by(f64::total_cmp);
        let middle = sorted[EXPERTS / 2];
        // Where all are hit alike, little is said of who is right: half on the scale of the hit.
        let scale = self.scale.max(nothing);
        let unit = (scale * scale.max(middle)).sqrt();
        let against = lost.map(|lost| ((lost - middle) / unit).clamp(-FAR, FAR));
        self.usual.add(&against);
        self.lately.add(&against);
    }

    /// What their blend usually loses; none before a day's worth is known.
    pub(super) fn usually_lost(&self) -> Option<f64> {
        (self.known >= self.settled).then_some(self.scale)
    }

    /// How much worse each has stood lately than it usually does; 0 where nothing is known.
    pub(super) fn turned(&self) -> [f64; EXPERTS] {
        let (usual, lately) = (self.usual.now(), self.lately.now());
        std::array::from_fn(|e| lately[e] - usual[e])
    }
}

impl Mean {
    fn new(half_life: f64) -> Self {
        let keep = 0.5_f64.powf(1.0 / half_life.max(1e-9));
        Self { keep, weight: 0.0, sums: [0.0; EXPERTS] }
    }

    fn add(&mut self, values: &[f64; EXPERTS]) {
        self.weight = self.weight * self.keep + 1.0;
        for (sum, value) in self.sums.iter_mut().zip(values) {
            *sum = *sum * self.keep + value;
        }
    }

    fn now(&self) -> [f64; EXPERTS] {
        self.sums.map(|sum| sum / self.weight.max(1.0))
    }
}

/// The mean over horizons of how experts have turned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turned {
    sums: [f64; EXPERTS],
    n: f64,
}

impl Turned {
    /// At no horizon yet.
    pub(super) fn none() -> Self {
        Self { sums: [0.0; EXPERTS], n: 0.0 }
    }

    /// With one horizon more.
    pub(super) fn add(&mut self, turned: &[f64; EXPERTS]) {
        self.sums.iter_mut().zip(turned).for_each(|(sum, turned)| *sum += turned);
        self.n += 1.0;
    }

    /// For each expert; none at no horizon.
    pub(super) fn each(&self) -> Option<[f64; EXPERTS]> {
        (self.n > 0.0).then(|| self.sums.map(|sum| sum / self.n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_usually_worse_has_not_turned_and_who_suddenly_is_has() {
        let mut standing = Standing::new(400.0, 8.0);
        let mut lost = [1.0; EXPERTS];
        lost[0] = 3.0;
        (0..400).for_each(|_| standing.learn(&lost, 1.0, 1e-9));
        assert!(standing.turned().iter().all(|turned| turned.abs() < 1e-9));
        lost[1] = 3.0;
        (0..8).for_each(|_| standing.learn(&lost, 1.0, 1e-9));
        let turned = standing.turned();
        assert!(turned[1] > 0.5 && turned[0].abs() < 1e-9 && turned[2].abs() < 1e-9, "{turned:?}");
    }

    #[test]
    fn what_hits_all_alike_turns_nobody() {
        let mut standing = Standing::new(400.0, 8.0);
        let lost: [f64; EXPERTS] = std::array::from_fn(|e| 1.0 + 0.1 * e as f64);
        (0..400).for_each(|_| standing.learn(&lost, 1.0, 1e-9));
        let hit = lost.map(|lost| lost + 1000.0);
        (0..8).for_each(|_| standing.learn(&hit, 1000.0, 1e-9));
        assert!(
            standing.turned().iter().all(|turned| turned.abs() < 0.5),
            "{:?}",
            standing.turned()
        );
    }
}
