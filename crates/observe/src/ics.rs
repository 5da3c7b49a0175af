//! Events from an iCalendar text (RFC 5545), spread out over a stretch of time.
//!
//! Knows components, properties, dates and [`rule`]s. Whatever a text holds, work and events are
//! bounded: a rule without end, one for every second, a file of a hundred megabytes or one that is
//! nested or broken costs a named warning and the rest is read. Time zones are known by
//! name; definitions inside a file are not read.

mod property;
mod rule;

use std::collections::BTreeMap;
use std::fmt;

use forecast::calendar::When;
use jiff::Span;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use spec::Timestamp;

use crate::time;
use property::Property;
use rule::Rule;

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
    /// A time zone that the system does not know.
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
    let mut reader = Reader { bounds, work: bounds.work, found: Events::default() };
    let mut drafts = reader.drafts(text);
    // An occurrence that is described on its own is not one of the rule's.
    let mut replaced: BTreeMap<String, Vec<Moment>> = BTreeMap::new();
    for draft in &drafts {
        if let Some(moment) = &draft.replaces {
            replaced.entry(draft.uid.clone()).or_default().push(moment.clone());
        }
    }
    for draft in &mut drafts {
        if draft.replaces.is_none()
            && let Some(moments) = replaced.get(&draft.uid)
        {
            draft.without.extend(moments.iter().cloned());
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
    /// That on the wall, wherever it is.
    Wall,
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
        let zone = match &self.clock {
            Clock::Utc | Clock::Wall => TimeZone::UTC,
            Clock::OfZone(zone) => zone.clone(),
        };
        // A time that is skipped is as much later, one that comes twice is the earlier.
        Some(zone.to_timestamp(self.civil).ok()?.as_second())
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
    also: Vec<Moment>,
    without: Vec<Moment>,
    replaces: Option<Moment>,
    is_cancelled: bool,
}

struct Reader {
    bounds: Bounds,
    work: usize,
    found: Events,
}

impl Reader {
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
            "RDATE" => draft.also.extend(self.moments(draft.line, property)),
            "EXDATE" => draft.without.extend(self.moments(draft.line, property)),
            "RECURRENCE-ID" => draft.replaces = self.moments(draft.line, property).pop(),
            "STATUS" => {
                draft.is_cancelled = property.value.trim().eq_ignore_ascii_case("CANCELLED");
            }
            _ => {}
        }
    }

    /// The times of a property, separated by commas.
    fn moments(&mut self, line: usize, property: &Property) -> Vec<Moment> {
        let zone = property.parameter("TZID").map(|name| (name, time::zone(name)));
        let clock = match zone {
            Some((_, Some(zone))) => Clock::OfZone(zone),
            Some((name, None)) => {
                let flaw = Flaw::Zone(shown(name));
                if !self.found.flaws.contains(&flaw) {
                    self.tell(flaw);
                }
                Clock::Wall
            }
            None => Clock::Wall,
        };
        let mut moments = Vec::new();
        for text in property.value.split(',') {
            // Of a period, the beginning counts; it is as long as the others.
            let text = text.split('/').next().unwrap_or(text).trim();
            match property::moment(text) {
                Some((civil, is_date, is_utc)) => {
                    let clock = if is_utc { Clock::Utc } else { clock.clone() };
                    let clock = if is_date { Clock::Wall } else { clock };
                    moments.push(Moment { civil, clock, is_date });
                }
                None => self.leave_out(line, format!("`{}` is no time", shown(text))),
            }
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
                Ok(rule) => starts = self.occurrences(&rule, start, length),
                Err(why) => self.tell(Flaw::Rule { line: draft.line, why }),
            }
        }
        let moments = starts.into_iter().map(|civil| Moment { civil, ..start.clone() });
        let excluded: Vec<(bool, i64)> = draft.without.iter().filter_map(key).collect();
        let excluded: std::collections::BTreeSet<(bool, i64)> = excluded.into_iter().collect();
        for moment in moments.chain(draft.also.iter().cloned()) {
            let is_out = key(&moment).is_some_and(|key| excluded.contains(&key));
            if !is_out && !self.add(&moment, length) {
                return;
            }
        }
    }

    fn occurrences(&mut self, rule: &Rule, start: &Moment, length: i64) -> Vec<DateTime> {
        // Two days more on either side are more than any clock is off.
        let civil = |at: Timestamp, seconds: i64| {
            let second = at.0.div_euclid(1_000_000).saturating_add(seconds);
            let at = jiff::Timestamp::from_second(second).ok();
            at.map(|at| TimeZone::UTC.to_datetime(at))
        };
        let from = civil(self.bounds.from, -length - 172_800).unwrap_or(DateTime::MIN);
        let to = civil(self.bounds.to, 172_800).unwrap_or(DateTime::MAX);
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
            Clock::Utc | Clock::OfZone(_) => {
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

/// Seconds from beginning to end; none where the end is the earlier. Without an end, a date is a
/// day, and a time is a moment.
fn length_of(draft: &Draft, start: &Moment) -> Option<i64> {
    let seconds = match (&draft.end, draft.length) {
        (Some(end), _) if end.clock == start.clock && start.clock == Clock::Wall => {
            end.second()? - start.second()?
        }
        (Some(end), _) => end.second()? - start.second()?,
        (None, Some(length)) => {
            let end = start.civil.checked_add(length).ok()?;
            Moment { civil: end, ..start.clone() }.second()? - start.second()?
        }
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
