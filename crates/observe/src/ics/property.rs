//! Lines of an iCalendar text: unfolded, and cut into name, parameters and value (RFC 5545, 3.1).
//!
//! Knows letters, and times as they are written. What properties mean is not known here.

use jiff::civil::{Date, DateTime, Time};

/// A content line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Property {
    /// In capital letters.
    pub(super) name: String,
    parameters: Vec<(String, String)>,
    pub(super) value: String,
}

/// Unfolded lines with the number of their first, as far as each is not longer than `most` bytes.
pub(super) fn lines(text: &str, most: usize) -> impl Iterator<Item = (usize, String)> {
    let mut rest = text.lines().enumerate().peekable();
    std::iter::from_fn(move || {
        let (number, first) = rest.next()?;
        let mut line = first.chars().take(most).collect::<String>();
        while let Some((_, next)) = rest.next_if(|(_, next)| next.starts_with([' ', '\t'])) {
            if line.len() + next.len() <= most {
                line.push_str(&next[1..]);
            }
        }
        Some((number + 1, line))
    })
}

impl Property {
    /// None where a line is no property.
    pub(super) fn of(line: &str) -> Option<Self> {
        let colon = unquoted(line, ':')?;
        let (head, value) = (&line[..colon], &line[colon + 1..]);
        let mut parts = Vec::new();
        let mut rest = head;
        while let Some(semicolon) = unquoted(rest, ';') {
            parts.push(&rest[..semicolon]);
            rest = &rest[semicolon + 1..];
        }
        parts.push(rest);
        let parameter = |part: &&str| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim().to_ascii_uppercase(), value.trim().trim_matches('"').to_owned()))
        };
        let name = parts[0].trim().to_ascii_uppercase();
        let parameters = parts[1..].iter().filter_map(parameter).collect();
        Some(Self { name, parameters, value: value.to_owned() })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|one| one.0 == name).map(|one| one.1.as_str())
    }
}

/// The first of a character outside of quotation marks.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let mut is_quoted = false;
    text.char_indices().find_map(|(i, c)| {
        is_quoted ^= c == '"';
        (c == wanted && !is_quoted).then_some(i)
    })
}

/// `20260105`, `20260105T093000` or `20260105T093000Z`: the time, whether it is a date, whether it is
/// in UTC.
pub(super) fn moment(text: &str) -> Option<(DateTime, bool, bool)> {
    let (date, time) = text.split_once(['T', 't']).map_or((text, None), |(d, t)| (d, Some(t)));
    let digits = |text: &str, n: usize| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(date, 8) {
        return None;
    }
    let year: i16 = date[..4].parse().ok()?;
    let date = Date::new(year, date[4..6].parse().ok()?, date[6..].parse().ok()?).ok()?;
    let Some(time) = time else { return Some((date.to_datetime(Time::midnight()), true, false)) };
    let (time, is_utc) = time.strip_suffix(['Z', 'z']).map_or((time, false), |time| (time, true));
    if !digits(time, 6) {
        return None;
    }
    let second: i8 = time[4..].parse().ok()?;
    // A leap second is the one before.
    let time =
        Time::new(time[..2].parse().ok()?, time[2..4].parse().ok()?, second.min(59), 0).ok()?;
    Some((date.to_datetime(time), false, is_utc))
}
