//! Time zones as a calendar defines them itself (RFC 5545, 3.6.5): changes of a clock.
//!
//! Knows observances and what they make of a time on the wall. A name of the tz database counts more
//! than a definition of the same name, see [`super`].

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::property::{self, Property};
use super::rule::Rule;
use super::{Clock, Moment};

/// The most that is looked at in all definitions of a file.
const WORK: usize = 100_000;
/// The most observances of a definition.
const OBSERVANCES: usize = 1_000;

/// A clock: when it changes, since 1970, from how far east of UTC to how far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Definition {
    changes: Vec<Change>,
}

/// When, from what offset, to what offset; all in seconds.
type Change = (i64, i32, i32);

/// A stretch of time with one offset, as it is written.
#[derive(Clone, Debug, Default)]
struct Observance {
    start: Option<DateTime>,
    from: Option<i32>,
    to: Option<i32>,
    rule: Option<String>,
    also: Vec<DateTime>,
}

impl Definition {
    /// Seconds since 1970 of a time on this clock. One that is skipped is as much later, one that
    /// comes twice is the earlier.
    pub(super) fn second(&self, civil: DateTime) -> Option<i64> {
        let wall = TimeZone::UTC.to_timestamp(civil).ok()?.as_second();
        let is_past = |change: &Change| wall >= change.0 + i64::from(change.1.max(change.2));
        Some(wall - i64::from(self.offset(is_past)))
    }

    /// What it shows at an instant.
    pub(super) fn civil(&self, at: jiff::Timestamp) -> Option<DateTime> {
        let offset = self.offset(|change| at.as_second() >= change.0);
        Some(Offset::from_seconds(offset).ok()?.to_datetime(at))
    }

    /// After the last change that is past; there may be very many.
    fn offset(&self, is_past: impl Fn(&Change) -> bool) -> i32 {
        let before = self.changes.first().map_or(0, |first| first.1);
        let last = self.changes[..self.changes.partition_point(is_past)].last();
        last.map_or(before, |change| change.2)
    }
}

/// The clocks that a text defines, by name, with their changes up to a moment; and whether these are
/// all.
pub(super) fn read(
    text: &str,
    longest_line: usize,
    to: DateTime,
) -> (BTreeMap<String, Definition>, bool) {
    let mut found = BTreeMap::new();
    let (mut name, mut observances) = (None, Vec::<Observance>::new());
    let (mut is_zone, mut is_open) = (false, false);
    let (mut work, mut is_whole) = (WORK, true);
    for (_, content) in property::lines(text, longest_line) {
        let Some(property) = Property::of(&content) else { continue };
        let value = property.value.trim().to_ascii_uppercase();
        match (property.name.as_str(), value.as_str()) {
            ("BEGIN", "VTIMEZONE") => {
                (is_zone, is_open) = (true, false);
                (name, observances) = (None, Vec::new());
            }
            ("END", "VTIMEZONE") if is_zone => {
                is_zone = false;
                let (definition, all) = defined(&observances, to, &mut work);
                is_whole &= all;
                if let (Some(name), Some(definition)) = (name.take(), definition) {
                    found.insert(name, definition);
                }
            }
            ("BEGIN", "STANDARD" | "DAYLIGHT") if is_zone && observances.len() < OBSERVANCES => {
                is_open = true;
                observances.push(Observance::default());
            }
            ("END", "STANDARD" | "DAYLIGHT") => is_open = false,
            ("TZID", _) if is_zone && !is_open => name = Some(property.value.trim().to_owned()),
            _ if is_zone && is_open => {
                if let Some(observance) = observances.last_mut() {
                    observance.take(&property);
                }
            }
            _ => {}
        }
    }
    (found, is_whole)
}

fn defined(
    observances: &[Observance],
    to: DateTime,
    work: &mut usize,
) -> (Option<Definition>, bool) {
    let (mut changes, mut is_whole) = (Vec::new(), true);
    for observance in observances {
        let Some((mut more, all)) = observance.changes(to, work) else { continue };
        is_whole &= all;
        changes.append(&mut more);
    }
    changes.sort_unstable();
    changes.dedup();
    ((!changes.is_empty()).then_some(Definition { changes }), is_whole)
}

impl Observance {
    fn take(&mut self, property: &Property) {
        let value = property.value.trim();
        match property.name.as_str() {
            "DTSTART" => self.start = property::moment(value).map(|(civil, ..)| civil),
            "TZOFFSETFROM" => self.from = offset(value),
            "TZOFFSETTO" => self.to = offset(value),
            "RRULE" => self.rule = Some(value.to_owned()),
            "RDATE" => {
                let moment = |text: &str| property::moment(text.trim()).map(|(civil, ..)| civil);
                self.also.extend(value.split(',').filter_map(moment).take(OBSERVANCES));
            }
            _ => {}
        }
    }

    /// None where something is missing without which there is no change.
    fn changes(&self, to: DateTime, work: &mut usize) -> Option<(Vec<Change>, bool)> {
        let (start, from, after) = (self.start?, self.from?, self.to?);
        let zone = TimeZone::fixed(Offset::from_seconds(from).ok()?);
        let (mut starts, mut is_whole) = (vec![start], true);
        if let Some(text) = &self.rule {
            let clock = Clock::OfZone(zone.clone());
            let moment = Moment { civil: start, clock, is_date: false };
            if let Ok((rule, _)) = Rule::parse(text, &moment) {
                let (more, all) = rule.occurrences(start, start, to, work);
                starts.extend(more);
                is_whole = all;
            }
        }
        starts.extend(&self.also);
        let change =
            |civil: DateTime| Some((zone.to_timestamp(civil).ok()?.as_second(), from, after));
        Some((starts.into_iter().filter_map(change).collect(), is_whole))
    }
}

/// `+0100`, `-043000`: seconds east of UTC.
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |part| part.parse::<i32>().ok());
    let seconds = part(0)? * 3600 + part(2)? * 60 + part(4)?;
    (seconds < 26 * 3600).then_some(sign * seconds)
}
