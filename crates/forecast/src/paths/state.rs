//! A zone's future walked in one pass: runs of one state, with amounts that change at knots.
//!
//! Knows changes and knots in order; amounts are looked up when asked.

use super::{Paths, amounts::Drawn};

/// A stretch in which neither a zone's state nor any of its amounts changes.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    /// The first step of it; step 0 is now.
    pub from: u16,
    /// The first step that is not of it any more, or one past the horizon.
    pub to: u16,
    /// Whether the zone is up.
    pub is_up: bool,
    path: usize,
    zone: usize,
    knot: usize,
    drawn: &'a Drawn,
}

/// A stretch of one amount.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// The first step of it; step 0 is now.
    pub from: u16,
    /// The first step that is not of it any more, or one past the horizon.
    pub to: u16,
    /// How much is free, or in use where no capacity is known; 0 while the zone is down.
    pub value: f64,
}

impl<'a> State<'a> {
    /// What is free of each measure, or in use where no capacity is known, in the order of
    /// [`Paths::measures`]; 0 of each while the zone is down.
    pub fn amounts(&self) -> impl Iterator<Item = f64> + use<'a> {
        let this = *self;
        this.drawn.of_zone(this.zone).map(move |(series, _)| this.level(series).value)
    }

    /// The same of one series.
    pub(super) fn level(&self, series: usize) -> Level {
        let value = || self.drawn.amount(self.path, series, self.knot);
        let value = if self.is_up { value() } else { 0.0 };
        Level { from: self.from, to: self.to, value }
    }
}

/// Stretches in the order of time.
#[derive(Clone, Debug)]
pub struct States<'a> {
    changes: &'a [u16],
    /// The knots that amounts change at; none where there is no amount.
    knots: &'a [u16],
    end: u16,
    next: State<'a>,
}

impl<'a> States<'a> {
    pub(super) fn new(paths: &'a Paths, path: usize, zone: usize) -> Self {
        let drawn = &paths.amounts;
        let is_measured = drawn.of_zone(zone).next().is_some();
        let is_up = paths.zones[zone].starts_up[path];
        Self {
            changes: paths.changes(path, zone),
            knots: if is_measured { drawn.knots() } else { &[] },
            end: paths.steps + 1,
            next: State { from: 0, to: 0, is_up, path, zone, knot: 0, drawn },
        }
    }
}

impl<'a> Iterator for States<'a> {
    type Item = State<'a>;

    fn next(&mut self) -> Option<State<'a>> {
        let from = self.next.from;
        if from >= self.end {
            return None;
        }
        // Amounts of the first knot are those of now, too.
        self.next.knot = self.knots.partition_point(|&knot| knot <= from).saturating_sub(1);
        let change = self.changes.first().copied().unwrap_or(self.end);
        // A zone that is down has nothing that could change.
        let anew = self.knots.get(self.next.knot + 1).copied().unwrap_or(self.end);
        let to = if self.next.is_up { change.min(anew) } else { change }.min(self.end);
        let state = State { to, ..self.next };
        if to == change && !self.changes.is_empty() {
            self.changes = &self.changes[1..];
            self.next.is_up = !self.next.is_up;
        }
        self.next.from = to;
        Some(state)
    }
}

/// Neighbours of the same amount in one.
pub(super) fn levels(each: impl Iterator<Item = Level>) -> impl Iterator<Item = Level> {
    let mut each = each.peekable();
    std::iter::from_fn(move || {
        let mut level = each.next()?;
        while let Some(next) = each.next_if(|next| next.value.to_bits() == level.value.to_bits()) {
            level.to = next.to;
        }
        Some(level)
    })
}
