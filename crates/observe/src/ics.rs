//! Events from an iCalendar text (RFC 5545), spread out over a stretch of time.
//!
//! Knows components, properties, dates and [`rule`]s. Whatever a text holds, work and events are
//! bounded: a rule without end, one for every second, a file of a hundred megabytes or one that is
//! nested or broken costs a named warning and the rest is read. Time zones are known by name,
//! else as the file defines them. What is not read is said, and there are rather more events than fewer.

mod property;
mod rule;
mod zone;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use forecast::calendar::When;
use jiff::Span;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use spec::Timestamp;

use crate::time;
use property::Property;
use rule::Rule;
use zone::Definition;

/// What is looked at, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Events that end after this.
    pub from: Timestamp,
    /// Events that begin before this.
    pub to: Timestamp,
    /// The most events.
    pub events: usize,
    /// The most candidates of rules that are looked at.
    pub work: usize,
}

impl Bounds {
    /// A stretch of time, with at most 20,000 events from 400,000 candidates.
    #[must_use]
    pub fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to, events: 20_000, work: 400_000 }
    }
}

/// What is wrong with a calendar; the rest of it counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is something else.
    #[error("it is no iCalendar file: `BEGIN:VCALENDAR` is missing")]
    NotACalendar,
    /// An event cannot be understood.
    #[error("the event at line {line} is left out: {why}")]
    Event {
        /// Where it begins.
        line: usize,
        /// In our words.
        why: String,
    },
    /// A rule has parts that are not known.
    #[error("the event at line {line} comes only once: {why}")]
    Rule {
        /// Where the event begins.
        line: usize,
        /// In our words.
        why: String,
    },
    /// Something that is not read.
    #[error(
        "of the event at line {line} `{what}` is not read: without it there may be more events"
    )]
    Unread {
        /// Where the event begins.
        line: usize,
        /// As written.
        what: String,
    },
    /// A time zone that neither the system nor the file knows.
    #[error("the time zone `{0}` is not known: its times are taken by the clock of each zone")]
    Zone(String),
    /// There are more events than are looked at.
    #[error("it has more than {0} events: the others are left out")]
    TooMany(usize),
    /// Rules have more candidates than are looked at.
    #[error("its rules never end, or take too long: what comes later is left out")]
    TooLong,
    /// It ends in the middle of a component.
    #[error("it ends in the middle of `{0}`")]
    CutOff(String),
    /// More was wrong than is told.
    #[error("there is more that is not told")]
    More,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// When events are, in no order.
    pub events: Vec<When>,
    /// What is wrong, at most [`FLAWS`].
    pub flaws: Vec<Flaw>,
}

/// The most flaws that are told.
pub const FLAWS: usize = 20;
/// The longest line, unfolded.
const LINE_BYTES: usize = 1 << 20;

/// Reads events.
#[must_use]
pub fn read(text: &str, bounds: Bounds) -> Events {
    let mut reader =
        Reader { bounds, work: bounds.work, clocks: BTreeMap::new(), found: Events::default() };
    reader.define(text);
    let mut drafts = reader.drafts(text);
    // An occurrence that is described on its own is not one of the rule's.
    let mut replaced: BTreeMap<String, Vec<Draft>> = BTreeMap::new();
    for draft in drafts.iter().filter(|draft| draft.replaces.is_some()) {
        replaced.entry(draft.uid.clone()).or_default().push(draft.clone());
    }
    for draft in &mut drafts {
        if draft.replaces.is_none()
            && let Some(others) = replaced.get(&draft.uid)
        {
            draft.without.extend(others.iter().filter_map(|other| other.replaces.clone()));
            draft.later = others.iter().filter_map(Later::of).collect();
            draft.later.sort_by_key(|later| later.since);
        }
        reader.spread(draft);
    }
    reader.found
}

/// Which clock a time is read from.
#[derive(Clone, Debug, PartialEq)]
enum Clock {
    Utc,
    OfZone(TimeZone),
    /// As the file defines it.
    Defined(Arc<Definition>),
    /// That on the wall, wherever it is.
    Wall,
}

impl Clock {
    /// Seconds since 1970 of what it shows; a wall is taken to be in UTC.
    fn second(&self, civil: DateTime) -> Option<i64> {
        // A time that is skipped is as much later, one that comes twice is the earlier.
        match self {
            Self::Utc | Self::Wall => Some(TimeZone::UTC.to_timestamp(civil).ok()?.as_second()),
            Self::OfZone(zone) => Some(zone.to_timestamp(civil).ok()?.as_second()),
            Self::Defined(definition) => definition.second(civil),
        }
    }

    /// What it shows at an instant.
    fn civil(&self, at: jiff::Timestamp) -> Option<DateTime> {
        match self {
            Self::Utc | Self::Wall => Some(TimeZone::UTC.to_datetime(at)),
            Self::OfZone(zone) => Some(zone.to_datetime(at)),
            Self::Defined(definition) => definition.civil(at),
        }
    }
}

/// A time as it is written.
#[derive(Clone, Debug, PartialEq)]
struct Moment {
    civil: DateTime,
    clock: Clock,
    is_date: bool,
}

impl Moment {
    /// Seconds since 1970 by its own clock on the wall, or as an instant.
    fn second(&self) -> Option<i64> {
        self.clock.second(self.civil)
    }

    /// A time that names no clock is by that of the event's beginning.
    fn by_clock_of(mut self, start: &Self) -> Self {
        if self.clock == Clock::Wall && !self.is_date {
            self.clock = start.clock.clone();
        }
        self
    }
}

/// From one occurrence on, all others are otherwise.
#[derive(Clone, Debug)]
struct Later {
    /// The second of the occurrence, by the rule.
    since: i64,
    /// Seconds by which they are later, and how many they last; none where they do not take place, or
    /// follow a rule of their own.
    changed: Option<(i64, i64)>,
}

impl Later {
    /// None of a change of one occurrence alone.
    fn of(draft: &Draft) -> Option<Self> {
        let (start, replaces) = (draft.start.as_ref()?, draft.replaces.as_ref()?);
        if !draft.is_for_all_later {
            return None;
        }
        let replaces = replaces.clone().by_clock_of(start);
        let since = replaces.second()?;
        let is_over = draft.is_cancelled || draft.rule.is_some();
        // By the clock on the wall, so that a change of it does not move them.
        let shift = if replaces.clock == start.clock {
            let wall = |civil| Clock::Wall.second(civil);
            wall(start.civil)? - wall(replaces.civil)?
        } else {
            start.second()? - since
        };
        let length = length_of(draft, start)?;
        Some(Self { since, changed: (!is_over).then_some((shift, length)) })
    }
}

/// An event as it is written.
#[derive(Clone, Debug, Default)]
struct Draft {
    line: usize,
    uid: String,
    start: Option<Moment>,
    end: Option<Moment>,
    length: Option<Span>,
    rule: Option<String>,
    /// With the seconds that each lasts, where it says so.
    also: Vec<(Moment, Option<i64>)>,
    without: Vec<Moment>,
    replaces: Option<Moment>,
    is_for_all_later: bool,
    later: Vec<Later>,
    is_cancelled: bool,
}

struct Reader {
    bounds: Bounds,
    work: usize,
    /// By name, as the file defines them.
    clocks: BTreeMap<String, Arc<Definition>>,
    found: Events,
}

impl Reader {
    /// The clocks that the file defines.
    fn define(&mut self, text: &str) {
        let second = self.bounds.to.0.div_euclid(1_000_000).saturating_add(172_800);
        let to = jiff::Timestamp::from_second(second).map(|at| TimeZone::UTC.to_datetime(at));
        let (clocks, is_whole) = zone::read(text, LINE_BYTES, to.unwrap_or(DateTime::MAX));
        self.clocks = clocks.into_iter().map(|(name, clock)| (name, Arc::new(clock))).collect();
        if !is_whole {
            self.tell(Flaw::TooLong);
        }
    }

    /// The clock of a name: of the tz database, also where the name has a path before it, else as the
    /// file defines it.
    fn clock(&mut self, name: &str) -> Clock {
        let parts: Vec<&str> = name.split('/').collect();
        let ends = [parts.len(), 3, 2].into_iter().filter(|n| *n <= parts.len());
        let known =
            ends.map(|n| parts[parts.len() - n..].join("/")).find_map(|end| time::zone(&end));
        if let Some(zone) = known {
            return Clock::OfZone(zone);
        }
        if let Some(definition) = self.clocks.get(name) {
            return Clock::Defined(definition.clone());
        }
        let flaw = Flaw::Zone(shown(name));
        if !self.found.flaws.contains(&flaw) {
            self.tell(flaw);
        }
        Clock::Wall
    }

    /// The events of a text, as they are written.
    fn drafts(&mut self, text: &str) -> Vec<Draft> {
        let mut drafts: Vec<Draft> = Vec::new();
        let mut open: Option<Draft> = None;
        let (mut depth, mut inside) = (0_usize, 0_usize);
        let mut is_calendar = false;
        for (line, content) in property::lines(text, LINE_BYTES) {
            let Some(property) = Property::of(&content) else { continue };
            match (property.name.as_str(), property.value.trim()) {
                ("BEGIN", what) => {
                    depth += 1;
                    is_calendar |= what.eq_ignore_ascii_case("VCALENDAR");
                    if what.eq_ignore_ascii_case("VEVENT") && open.is_none() {
                        (open, inside) = (Some(Draft { line, ..Draft::default() }), depth);
                    }
                }
                ("END", what) => {
                    if depth == inside
                        && let Some(draft) = open.take()
                    {
                        if what.eq_ignore_ascii_case("VEVENT") {
                            drafts.push(draft);
                        } else {
                            self.tell(Flaw::CutOff("VEVENT".to_owned()));
                        }
                        inside = 0;
                    }
                    depth = depth.saturating_sub(1);
                }
                // What is said inside of an alarm is not about the event.
                _ if depth == inside => {
                    if let Some(draft) = &mut open {
                        self.take(draft, &property);
                    }
                }
                _ => {}
            }
            if drafts.len() > self.bounds.work {
                self.tell(Flaw::TooMany(self.bounds.work));
                break;
            }
        }
        if !is_calendar {
            self.tell(Flaw::NotACalendar);
            return Vec::new();
        }
        if open.is_some() {
            self.tell(Flaw::CutOff("VEVENT".to_owned()));
        }
        drafts
    }

    fn take(&mut self, draft: &mut Draft, property: &Property) {
        match property.name.as_str() {
            "UID" => draft.uid.clone_from(&property.value),
            "DTSTART" => draft.start = self.moments(draft.line, property).pop(),
            "DTEND" => draft.end = self.moments(draft.line, property).pop(),
            "DURATION" => match property.value.trim().parse::<Span>() {
                Ok(length) => draft.length = Some(length),
                Err(_) => self
                    .leave_out(draft.line, format!("`{}` is no duration", shown(&property.value))),
            },
            "RRULE" => draft.rule = Some(property.value.clone()),
            "RDATE" => draft.also.extend(self.periods(draft.line, property)),
            "EXDATE" => draft.without.extend(self.moments(draft.line, property)),
            "RECURRENCE-ID" => {
                draft.replaces = self.moments(draft.line, property).pop();
                let range = property.parameter("RANGE").unwrap_or("");
                draft.is_for_all_later = range.eq_ignore_ascii_case("THISANDFUTURE");
                if !range.is_empty() && !draft.is_for_all_later {
                    let what = format!("RANGE={}", shown(range));
                    self.tell(Flaw::Unread { line: draft.line, what });
                }
            }
            "EXRULE" => {
                let what = format!("EXRULE:{}", shown(&property.value));
                self.tell(Flaw::Unread { line: draft.line, what });
            }
            "STATUS" => {
                draft.is_cancelled = property.value.trim().eq_ignore_ascii_case("CANCELLED");
            }
            _ => {}
        }
    }

    /// The times of a property, separated by commas.
    fn moments(&mut self, line: usize, property: &Property) -> Vec<Moment> {
        self.periods(line, property).into_iter().map(|(moment, _)| moment).collect()
    }

    /// The same with how many seconds each lasts, where it is a period.
    fn periods(&mut self, line: usize, property: &Property) -> Vec<(Moment, Option<i64>)> {
        let clock = match property.parameter("TZID") {
            Some(name) => self.clock(name.trim()),
            None => Clock::Wall,
        };
        let mut moments = Vec::new();
        for text in property.value.split(',') {
            let (text, end) = text.split_once('/').map_or((text, None), |(t, e)| (t, Some(e)));
            let text = text.trim();
            let Some(moment) = moment_of(text, &clock) else {
                self.leave_out(line, format!("`{}` is no time", shown(text)));
                continue;
            };
            let length = end.and_then(|end| match moment_of(end.trim(), &clock) {
                Some(end) => Some(end.second()? - moment.second()?),
                None => seconds_of(&moment, end.trim().parse().ok()?),
            });
            moments.push((moment, length.filter(|length| *length >= 0)));
        }
        moments
    }

    /// All occurrences of an event within the bounds.
    fn spread(&mut self, draft: &Draft) {
        let Some(start) = &draft.start else {
            return self.leave_out(draft.line, "it has no beginning".to_owned());
        };
        if draft.is_cancelled {
            return;
        }
        let Some(length) = length_of(draft, start) else {
            return self.leave_out(draft.line, "it ends before it begins".to_owned());
        };
        let mut starts: Vec<DateTime> = vec![start.civil];
        if let Some(text) = &draft.rule {
            match Rule::parse(text, start) {
                Ok((rule, unread)) => {
                    for what in unread {
                        self.tell(Flaw::Unread { line: draft.line, what });
                    }
                    let far = draft.later.iter().filter_map(|later| later.changed);
                    let far = far.map(|(shift, _)| shift.saturating_abs()).max().unwrap_or(0);
                    starts = self.occurrences(&rule, start, length.saturating_add(far));
                }
                Err(why) => self.tell(Flaw::Rule { line: draft.line, why }),
            }
        }
        let without: Vec<Moment> =
            draft.without.iter().map(|moment| moment.clone().by_clock_of(start)).collect();
        let excluded: BTreeSet<(bool, i64)> = without.iter().filter_map(key).collect();
        // A day that is left out of times leaves out all that begin on it.
        let days = without.iter().filter(|moment| moment.is_date && !start.is_date);
        let days: BTreeSet<_> = days.map(|moment| moment.civil.date()).collect();
        let of_rule = starts.into_iter().map(|civil| (Moment { civil, ..start.clone() }, None));
        for (moment, lasts) in of_rule.chain(draft.also.iter().cloned()) {
            let moment = moment.by_clock_of(start);
            let is_out = key(&moment).is_some_and(|key| excluded.contains(&key))
                || days.contains(&moment.civil.date());
            if is_out {
                continue;
            }
            let Some((moment, length)) = draft.at(moment, lasts.unwrap_or(length)) else {
                continue;
            };
            if !self.add(&moment, length) {
                return;
            }
        }
    }

    /// Those of a rule that may reach the bounds from so many seconds before or after.
    fn occurrences(&mut self, rule: &Rule, start: &Moment, length: i64) -> Vec<DateTime> {
        // Two days more on either side are more than any clock is off.
        let civil = |at: Timestamp, seconds: i64| {
            let second = at.0.div_euclid(1_000_000).saturating_add(seconds);
            let at = jiff::Timestamp::from_second(second).ok();
            at.map(|at| TimeZone::UTC.to_datetime(at))
        };
        let from = civil(self.bounds.from, -length - 172_800).unwrap_or(DateTime::MIN);
        let to = civil(self.bounds.to, length + 172_800).unwrap_or(DateTime::MAX);
        let (found, is_whole) = rule.occurrences(start.civil, from, to, &mut self.work);
        if !is_whole && !self.found.flaws.contains(&Flaw::TooLong) {
            self.tell(Flaw::TooLong);
        }
        found
    }

    /// Adds an occurrence that lies within the bounds; whether there may be more.
    fn add(&mut self, moment: &Moment, length: i64) -> bool {
        let Some(second) = moment.second() else { return true };
        let micros = |second: i64| second.saturating_mul(1_000_000);
        let end = second.saturating_add(length);
        let day = 2 * 86_400;
        let (least, most) = (self.bounds.from.0, self.bounds.to.0);
        let is_near = micros(end + day) > least && micros(second - day) < most;
        if !is_near || length <= 0 {
            return true;
        }
        if self.found.events.len() >= self.bounds.events {
            let flaw = Flaw::TooMany(self.bounds.events);
            if !self.found.flaws.contains(&flaw) {
                self.tell(flaw);
            }
            return false;
        }
        self.found.events.push(match moment.clock {
            Clock::Wall => When::Civil { from: second, to: end },
            Clock::Utc | Clock::OfZone(_) | Clock::Defined(_) => {
                When::Instants { from: Timestamp(micros(second)), to: Timestamp(micros(end)) }
            }
        });
        true
    }

    fn leave_out(&mut self, line: usize, why: String) {
        self.tell(Flaw::Event { line, why });
    }

    fn tell(&mut self, flaw: Flaw) {
        match self.found.flaws.len().cmp(&(FLAWS - 1)) {
            std::cmp::Ordering::Less => self.found.flaws.push(flaw),
            std::cmp::Ordering::Equal => self.found.flaws.push(Flaw::More),
            std::cmp::Ordering::Greater => {}
        }
    }
}

impl Draft {
    /// An occurrence as it is after all changes for later ones, and how long it lasts; none where it
    /// does not take place.
    fn at(&self, moment: Moment, length: i64) -> Option<(Moment, i64)> {
        let second = moment.second();
        let later = self.later.iter().rev().find(|later| second.is_some_and(|s| s > later.since));
        let Some(later) = later else { return Some((moment, length)) };
        let (shift, length) = later.changed?;
        let civil = moment.civil.checked_add(Span::new().try_seconds(shift).ok()?).ok()?;
        Some((Moment { civil, ..moment }, length))
    }
}

fn moment_of(text: &str, clock: &Clock) -> Option<Moment> {
    let (civil, is_date, is_utc) = property::moment(text)?;
    let clock = if is_utc { Clock::Utc } else { clock.clone() };
    let clock = if is_date { Clock::Wall } else { clock };
    Some(Moment { civil, clock, is_date })
}

/// How long a span is from a moment on, by its clock.
fn seconds_of(moment: &Moment, span: Span) -> Option<i64> {
    let civil = moment.civil.checked_add(span).ok()?;
    Some(Moment { civil, ..moment.clone() }.second()? - moment.second()?)
}

/// Seconds from beginning to end; none where the end is the earlier. Without an end, a date is a
/// day, and a time is a moment.
fn length_of(draft: &Draft, start: &Moment) -> Option<i64> {
    let seconds = match (&draft.end, draft.length) {
        (Some(end), _) => end.second()? - start.second()?,
        (None, Some(length)) => seconds_of(start, length)?,
        (None, None) if start.is_date => 86_400,
        (None, None) => 0,
    };
    (seconds >= 0).then_some(seconds)
}

/// What tells one occurrence of an event from another.
fn key(moment: &Moment) -> Option<(bool, i64)> {
    Some((moment.clock == Clock::Wall, moment.second()?))
}

/// Text from outside, short and without control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events, {} flaws", self.events.len(), self.flaws.len())
    }
}

#[cfg(test)]
mod tests;
