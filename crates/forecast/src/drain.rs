//! Scheduled drains as they act before anything was learned of them.
//!
//! Knows when capacity is announced to go away, and what became of earlier announcements. A drain
//! is taken to take the zone down for as long as it lasts, with a probability that begins close to
//! 1 and follows the past; a zone that is seen up in the middle of a drain is believed. What a
//! drain did to a zone says nothing of the zone at other times, and is kept out of the tables.

use crate::calendar::Spans;
use crate::odds;
use crate::series::Series;
use crate::target::Kind;

/// How likely a drain takes the zone down while none has been seen: a beta prior that counts as
/// one drain.
const PRIOR: f64 = 0.97;
/// A zone that is down for more than this of the time cannot show what a drain does.
const SHOWN_BELOW: f64 = 0.95;
/// Days before a drain that it is held against.
const DAYS_BEFORE: usize = 7;

/// The drains of one zone, and what they did so far.
#[derive(Clone, Debug)]
pub struct Drains {
    spans: Spans,
    steps_before: usize,
    seen: f64,
    took: f64,
}

/// What drains do to one target.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Acting {
    /// Probability that a drain makes it come false.
    pub takes: f32,
    /// Probability that the zone is down for a drain only, which is over by then.
    pub frees: f32,
}

impl Drains {
    /// Drains of which none has been seen yet.
    #[must_use]
    pub fn new(spans: Spans, step_seconds: u32) -> Self {
        let steps_before = DAYS_BEFORE * 86_400 / step_seconds.max(1) as usize;
        Self { spans, steps_before, seen: 0.0, took: 0.0 }
    }

    /// Step `t` of the zone has been seen.
    pub fn observe(&mut self, zone: &Series, t: usize) {
        let Some(span) = self.spans.at(t as i64) else { return };
        if span.to != t as i64 + 1 {
            return;
        }
        let Ok(from) = usize::try_from(span.from) else { return };
        let Some(before) = from.checked_sub(1) else { return };
        let usually_down = 1.0 - f64::from(zone.up_share(before, self.steps_before));
        let down = 1.0 - f64::from(zone.up_share(t, t + 1 - from));
        // NaN, where nothing is known, is in no range.
        if (0.0..=SHOWN_BELOW).contains(&usually_down) && (0.0..=1.0).contains(&down) {
            self.seen += 1.0;
            self.took += ((down - usually_down) / (1.0 - usually_down)).clamp(0.0, 1.0);
        }
    }

    /// How likely a drain takes the zone down, by those seen so far.
    #[must_use]
    pub fn trust(&self) -> f64 {
        (PRIOR + self.took) / (1.0 + self.seen)
    }

    /// What drains do to a statement about the `k` steps after `t`.
    #[must_use]
    pub fn acting(&self, zone: &Series, kind: Kind, t: usize, k: usize) -> Acting {
        let (origin, target) = (t as i64, (t + k) as i64);
        let running = self.spans.at(origin);
        let hit = match kind {
            Kind::Up => self.spans.at(target),
            Kind::Survival => {
                self.spans.from(origin + 1).first().copied().filter(|span| span.from <= target)
            }
        };
        let trust = |of_running: bool| {
            let from = running.filter(|_| of_running).map(|span| span.from.max(0) as usize);
            self.trust() * from.map_or(1.0, |from| believed(zone, from, t))
        };
        if let Some(span) = hit {
            return Acting { takes: trust(running == Some(span)) as f32, frees: 0.0 };
        }
        let is_down = zone.carried_up(t) == Some(false);
        let frees =
            if kind == Kind::Up && running.is_some() && is_down { trust(true) } else { 0.0 };
        Acting { takes: 0.0, frees: frees as f32 }
    }

    /// Whether what became of a statement made at `t` about the next `k` steps may be the doing of
    /// a drain.
    #[must_use]
    pub fn is_clouded(&self, kind: Kind, t: usize, k: usize) -> bool {
        let (origin, target) = (t as i64, (t + k) as i64);
        let is_touched = match kind {
            Kind::Up => self.spans.at(origin).is_some() || self.spans.at(target).is_some(),
            Kind::Survival => {
                self.spans.from(origin).first().is_some_and(|span| span.from <= target)
            }
        };
        is_touched && self.trust() > 0.5
    }

    /// When they are.
    #[must_use]
    pub fn spans(&self) -> &Spans {
        &self.spans
    }
}

/// What is left of the belief that a drain acts which has run since step `from`: the share of the
/// time down, as if one step of it had been down besides.
fn believed(zone: &Series, from: usize, t: usize) -> f64 {
    let steps = (t + 1 - from) as f64;
    let up = f64::from(zone.up_share(t, t + 1 - from));
    if up.is_nan() { 1.0 } else { (1.0 + steps * (1.0 - up)) / (1.0 + steps) }
}

/// Quantiles of what is free when it is all gone with a probability: the mixture of both cases.
#[must_use]
pub fn leave(levels: &[f64], free: &[f64], gone: f64) -> Vec<f64> {
    if gone <= 0.0 {
        return free.to_vec();
    }
    let at = |level: f64| {
        let next = levels.partition_point(|&one| one < level);
        match (next.checked_sub(1), levels.get(next)) {
            (None, _) => free.first().copied().unwrap_or(0.0),
            (Some(i), None) => free[i],
            (Some(i), Some(&above)) => {
                let share = (level - levels[i]) / (above - levels[i]);
                free[i] + share * (free[next] - free[i])
            }
        }
    };
    let mixed = |&level: &f64| {
        if level <= gone { 0.0 } else { at((level - gone) / (1.0 - gone)) }
    };
    levels.iter().map(mixed).collect()
}

impl Acting {
    /// Nothing is done.
    pub const NONE: Self = Self { takes: 0.0, frees: 0.0 };

    /// Log-odds of a statement with what drains do to it; `usual` are those at any other time.
    #[must_use]
    pub fn on(self, odds: f32, usual: f32) -> f32 {
        if self == Self::NONE {
            return odds;
        }
        let p = |odds: f32| odds::sigmoid(f64::from(odds));
        let (takes, frees) = (f64::from(self.takes), f64::from(self.frees));
        odds::log_odds((1.0 - takes) * ((1.0 - frees) * p(odds) + frees * p(usual)))
    }

    /// A probability that is no larger than a drain leaves it, however little is known otherwise.
    #[must_use]
    pub fn cap(self, p: f64) -> f64 {
        if self.takes > 0.0 { p.min(1.0 - f64::from(self.takes)) } else { p }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{Axis, When};
    use crate::local_clock::LocalClock;
    use spec::Timestamp;

    /// Steps of an hour; a drain of six hours each day from noon on, from the tenth day on.
    fn drains() -> Drains {
        let axis = Axis { start: Timestamp(0), step_seconds: 3600 };
        let hour = |h: i64| Timestamp(h * 3_600_000_000);
        let event =
            |day: i64| When::Instants { from: hour(day * 24 + 12), to: hour(day * 24 + 18) };
        let events: Vec<When> = (10..20).map(event).collect();
        Drains::new(Spans::new(axis, &LocalClock::utc(), &events), 3600)
    }

    fn fed(drains: &mut Drains, days: usize, is_up: impl Fn(usize) -> bool) -> Series {
        let mut zone = Series::new(10_000);
        for t in 0..days * 24 {
            zone.push(Some(f64::from(u8::from(is_up(t)))));
            drains.observe(&zone, t);
        }
        zone
    }

    fn is_drained(t: usize) -> bool {
        t >= 240 && (12..18).contains(&(t % 24))
    }

    #[test]
    fn a_drain_acts_before_one_was_ever_seen() {
        let mut drains = drains();
        let zone = fed(&mut drains, 10, |_| true);
        let takes = |kind, k| drains.acting(&zone, kind, 239, k).takes;
        assert_eq!([takes(Kind::Up, 12), takes(Kind::Up, 19)], [0.0, 0.0]);
        assert!(takes(Kind::Up, 13) > 0.95 && takes(Kind::Up, 18) > 0.95);
        assert_eq!(takes(Kind::Survival, 12), 0.0);
        assert!(takes(Kind::Survival, 13) > 0.95 && takes(Kind::Survival, 24) > 0.95);
        let acting = drains.acting(&zone, Kind::Up, 239, 13);
        assert!(acting.on(4.0, 4.0) < -3.0 && acting.cap(0.5) < 0.05);
    }

    #[test]
    fn drains_that_do_nothing_are_not_believed_for_long() {
        let mut drains = drains();
        let zone = fed(&mut drains, 12, |_| true);
        assert!(drains.trust() < 0.35);
        assert!(drains.acting(&zone, Kind::Up, 287, 13).takes < 0.35);
        let mut acted = self::drains();
        fed(&mut acted, 12, |t| !is_drained(t));
        assert!(acted.trust() > 0.98);
    }

    #[test]
    fn a_zone_that_is_up_while_it_should_be_drained_is_believed() {
        let mut drains = drains();
        let mut zone = fed(&mut drains, 10, |_| true);
        (240..255).for_each(|_| zone.push(Some(1.0)));
        let takes = |t| drains.acting(&zone, Kind::Up, t, 1).takes;
        assert!(takes(251) > 0.95, "it has not begun: {}", takes(251));
        assert!(takes(254) < 0.3, "it has run for three hours: {}", takes(254));
    }

    #[test]
    fn a_zone_that_is_down_for_a_drain_comes_back_when_it_is_over() {
        let mut drains = drains();
        let mut zone = fed(&mut drains, 10, |_| true);
        (240..255).for_each(|t| zone.push(Some(f64::from(u8::from(!is_drained(t))))));
        let within = drains.acting(&zone, Kind::Up, 254, 2);
        let beyond = drains.acting(&zone, Kind::Up, 254, 4);
        assert!(within.takes > 0.9 && beyond.frees > 0.9);
        assert!(beyond.on(-3.0, 4.0) > 1.0);
        assert!(drains.is_clouded(Kind::Up, 254, 4) && !drains.is_clouded(Kind::Up, 239, 4));
    }

    #[test]
    fn what_is_left_is_nothing_as_often_as_it_is_gone() {
        let (levels, free) = ([0.25, 0.5, 0.75], [10.0, 20.0, 30.0]);
        assert_eq!(leave(&levels, &free, 0.0), free);
        assert_eq!(leave(&levels, &free, 0.97), [0.0; 3]);
        // The upper half of all cases is spread over the levels above one half.
        assert_eq!(leave(&levels, &free, 0.5), [0.0, 0.0, 20.0]);
    }

    #[test]
    fn where_no_drain_acts_nothing_is_touched() {
        assert_eq!(Acting::NONE.on(6.999_9, 0.0).to_bits(), 6.999_9_f32.to_bits());
        assert_eq!(Acting::NONE.cap(0.3).to_bits(), 0.3_f64.to_bits());
    }
}
