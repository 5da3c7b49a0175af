//! Events that are known ahead: holidays, drains and whatever else a calendar holds.
//!
//! Knows when events begin and end, as instants or by the clock on a zone's wall, and lays them
//! over the steps of a series. Where they were read from, and how they recur, is not known here.

use spec::Timestamp;

use crate::local_clock::LocalClock;

/// What the events of a calendar are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// People stay away: what follows is learned.
    Holiday,
    /// Capacity is taken away for a while: taken to be so until the past says otherwise.
    Drain,
    /// Anything else: what follows is learned.
    Other,
}

impl Kind {
    /// What people write.
    pub const NAMES: [(&str, Self); 3] =
        [("holiday", Self::Holiday), ("drain", Self::Drain), ("event", Self::Other)];
}

/// When an event begins and ends; its end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At two instants.
    Instants {
        /// The first that belongs to it.
        from: Timestamp,
        /// The first that does not.
        to: Timestamp,
    },
    /// When the clock of each zone reads so many seconds ([`LocalClock::civil`]): a whole day is one
    /// wherever it is.
    Civil {
        /// The first that belongs to it.
        from: i64,
        /// The first that does not.
        to: i64,
    },
}

impl When {
    /// A whole day by the clock of each zone, in days since 1970-01-01.
    #[must_use]
    pub fn day(day: i64) -> Self {
        Self::Civil { from: day * 86_400, to: (day + 1) * 86_400 }
    }

    /// Its two instants by a clock.
    #[must_use]
    pub fn by(self, clock: &LocalClock) -> (Timestamp, Timestamp) {
        match self {
            Self::Instants { from, to } => (from, to),
            Self::Civil { from, to } => (clock.instant(from), clock.instant(to)),
        }
    }
}

/// Steps that lie in absolute time: the first at `start`, then one every `step_seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// When step 0 is.
    pub start: Timestamp,
    /// Seconds from one step to the next, at least 1.
    pub step_seconds: u32,
}

impl Axis {
    /// When a step is.
    #[must_use]
    pub fn at(self, step: i64) -> Timestamp {
        Timestamp(self.start.0.saturating_add(step.saturating_mul(self.micros())))
    }

    /// The first step at or after an instant; below 0 before the first.
    #[must_use]
    pub fn step_from(self, at: Timestamp) -> i64 {
        let micros = at.0.saturating_sub(self.start.0);
        micros.div_euclid(self.micros()) + i64::from(micros.rem_euclid(self.micros()) > 0)
    }

    fn micros(self) -> i64 {
        i64::from(self.step_seconds.max(1)) * 1_000_000
    }
}

/// Stretches of steps, ascending, none touching another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    spans: Vec<Span>,
    /// Steps that the spans before each hold.
    before: Vec<i64>,
}

/// A stretch of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first.
    pub from: i64,
    /// The first that does not belong to it.
    pub to: i64,
}

impl Spans {
    /// The steps at which at least one of the events is under way. An event that falls between two
    /// steps is seen at the next one.
    #[must_use]
    pub fn new(axis: Axis, clock: &LocalClock, events: &[When]) -> Self {
        let span = |when: &When| {
            let (from, to) = when.by(clock);
            let from_step = axis.step_from(from);
            (from < to).then(|| Span { from: from_step, to: axis.step_from(to).max(from_step + 1) })
        };
        Self::merged(events.iter().filter_map(span).collect())
    }

    /// The steps that at least one of several holds.
    #[must_use]
    pub fn union<'a>(several: impl Iterator<Item = &'a Self>) -> Self {
        Self::merged(several.flat_map(|spans| &spans.spans).copied().collect())
    }

    fn merged(mut found: Vec<Span>) -> Self {
        found.sort_unstable();
        let mut spans: Vec<Span> = Vec::with_capacity(found.len());
        for span in found {
            match spans.last_mut() {
                Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
                _ => spans.push(span),
            }
        }
        let before = spans.iter().scan(0, |sum, span| {
            let before = *sum;
            *sum += span.to - span.from;
            Some(before)
        });
        Self { before: before.collect(), spans }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Span] {
        &self.spans
    }

    /// The one that holds a step.
    #[must_use]
    pub fn at(&self, step: i64) -> Option<Span> {
        self.from(step).first().copied().filter(|span| span.from <= step)
    }

    /// Those that end after a step.
    #[must_use]
    pub fn from(&self, step: i64) -> &[Span] {
        &self.spans[self.spans.partition_point(|span| span.to <= step)..]
    }

    /// The share of the steps after `from` up to and with `to` that they hold.
    #[must_use]
    pub fn share(&self, from: i64, to: i64) -> f32 {
        if to <= from {
            return 0.0;
        }
        let held = self.held_until(to + 1) - self.held_until(from + 1);
        held as f32 / (to - from) as f32
    }

    /// How many steps before `step` they hold.
    fn held_until(&self, step: i64) -> i64 {
        let i = self.spans.partition_point(|span| span.from < step);
        let Some(last) = i.checked_sub(1) else { return 0 };
        let span = self.spans[last];
        self.before[last] + span.to.min(step) - span.from
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AXIS: Axis = Axis { start: Timestamp(1_000_000_000), step_seconds: 300 };

    fn instants(from: i64, to: i64) -> When {
        When::Instants { from: Timestamp(from), to: Timestamp(to) }
    }

    proptest! {
        #[test]
        fn spans_hold_the_steps_at_which_an_event_is_under_way(
            events in prop::collection::vec((-20_i64..120, 1_i64..40), 0..12),
            asked in prop::collection::vec((-30_i64..130, 0_i64..40), 1..20),
        ) {
            let micros = 300_000_000;
            let start = AXIS.start.0;
            let whens: Vec<When> = events
                .iter()
                .map(|&(from, steps)| instants(start + from * micros, start + (from + steps) * micros))
                .collect();
            let spans = Spans::new(AXIS, &LocalClock::utc(), &whens);
            let holds = |step: i64| events.iter().any(|&(from, n)| (from..from + n).contains(&step));
            for (from, n) in asked {
                prop_assert_eq!(spans.at(from).is_some(), holds(from));
                let held = (from + 1..=from + n).filter(|&step| holds(step)).count();
                let share = if n > 0 { held as f32 / n as f32 } else { 0.0 };
                prop_assert!((spans.share(from, from + n) - share).abs() < 1e-6);
            }
            prop_assert!(spans.all().windows(2).all(|pair| pair[0].to < pair[1].from));
        }
    }

    #[test]
    fn an_event_between_two_steps_is_seen_at_the_next() {
        let events = [instants(1_000_000_000 + 310_000_000, 1_000_000_000 + 320_000_000)];
        let spans = Spans::new(AXIS, &LocalClock::utc(), &events);
        assert_eq!(spans.all(), [Span { from: 2, to: 3 }]);
        assert_eq!(AXIS.at(2), Timestamp(1_600_000_000));
    }

    #[test]
    fn an_event_that_ends_before_it_begins_is_none() {
        let spans = Spans::new(AXIS, &LocalClock::utc(), &[instants(5, 5), instants(9, 2)]);
        assert!(spans.all().is_empty());
        assert_eq!(spans.at(0), None);
    }

    #[test]
    fn a_whole_day_is_one_by_the_clock_of_the_zone() {
        let tokyo = LocalClock::new(9 * 3600, Vec::new());
        let (from, to) = When::day(20_000).by(&tokyo);
        assert_eq!(to.0 - from.0, 86_400 * 1_000_000);
        assert_eq!(tokyo.reading(from).hour, 0.0);
    }
}
