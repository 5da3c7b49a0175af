//! `time_zone` of a zone, `calendars` and `feeds` of a site: what is known ahead, and from where.

use super::{Reader, check_name, one_of, plain};
use crate::diagnostic::{Code, Diagnostic};
use crate::id::ZoneId;
use crate::site::{Calendar, CalendarKind, Feed, Zone};
use crate::source::Node;
use crate::source::fields::Fields;
use crate::source::scalar::Scalar;
use crate::units::Duration;

pub(crate) const CALENDAR_FIELDS: [&str; 3] = ["from", "kind", "zones"];
pub(crate) const FEED_FIELDS: [&str; 5] = ["from", "query", "known_ahead", "lag", "zones"];

/// Inputs that are always there have these names.
const TAKEN: [&str; 2] = ["clock", "runs"];

impl Reader {
    /// The name of a time zone; whether there is one of that name is not known here.
    pub(super) fn time_zone(&mut self, zone: &Fields<'_, '_>) -> Option<String> {
        self.value(zone, "time_zone", |scalar| {
            let text = plain(scalar)?;
            let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
            let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text.len() <= 64
                && text.chars().all(is_part);
            let wrong = || scalar.wrong("must be the name of a time zone, as in `Europe/Berlin`");
            if is_name { Ok(text) } else { Err(wrong()) }
        })
    }

    pub(super) fn calendars(&mut self, site: &Fields<'_, '_>, zones: &[Zone]) -> Vec<Calendar> {
        let mut calendars = Vec::new();
        for (name, node) in
            self.inputs(site, "calendars", "{public: {from: holidays.ics, kind: holiday}}")
        {
            let what = format!("calendar `{name}`");
            let Some(fields) = self.open(node, &what, &CALENDAR_FIELDS) else { continue };
            let from = self.from(&fields, &what, "holidays.ics");
            let kind = self.value(&fields, "kind", |scalar| {
                CalendarKind::named(&scalar.text)
                    .ok_or_else(|| one_of(scalar, &CalendarKind::NAMES))
            });
            let zones = self.about(&fields, zones);
            let kind = kind.unwrap_or(CalendarKind::Event);
            calendars.push(Calendar { name, from, kind, zones });
        }
        calendars
    }

    pub(super) fn feeds(
        &mut self,
        site: &Fields<'_, '_>,
        zones: &[Zone],
        calendars: &[Calendar],
    ) -> Vec<Feed> {
        let mut feeds = Vec::new();
        for (name, node) in self.inputs(site, "feeds", "{load: {from: load.csv, lag: 10m}}") {
            let what = format!("feed `{name}`");
            if calendars.iter().any(|calendar| calendar.name == name) {
                let mistake = Diagnostic::error(Code::DuplicateKey, node.span());
                let message = format!("there is a calendar `{name}`, too");
                self.diagnostics
                    .push(mistake.message(message).help("give one of the two another name"));
            }
            let Some(fields) = self.open(node, &what, &FEED_FIELDS) else { continue };
            let from = self.from(&fields, &what, "load.csv");
            let query = self.text(&fields, "query");
            let lag = self.lag(&fields);
            let zones = self.about(&fields, zones);
            feeds.push(Feed { name, from, query, lag, zones });
        }
        feeds
    }

    /// None where values are known ahead.
    fn lag(&mut self, feed: &Fields<'_, '_>) -> Option<Duration> {
        let is_ahead = self.value(feed, "known_ahead", Scalar::bool).unwrap_or(false);
        let lag = self.value(feed, "lag", Scalar::duration);
        if is_ahead && lag.is_some() {
            let mistake = Diagnostic::error(Code::Value, feed.key_span("lag"));
            let message = "values that are known ahead are not late";
            self.diagnostics.push(mistake.message(message).help("remove `lag` or `known_ahead`"));
        }
        if is_ahead { None } else { Some(lag.unwrap_or(Duration::ZERO)) }
    }

    fn from(&mut self, fields: &Fields<'_, '_>, what: &str, example: &str) -> String {
        let from = self.text(fields, "from").unwrap_or_default();
        if fields.get("from").is_none() {
            let mistake = Diagnostic::error(Code::MissingField, fields.key_span("from"));
            let message = format!("{what} needs `from`: a file or an address");
            self.diagnostics
                .push(mistake.message(message).help(format!("write `from: {example}`")));
        }
        from
    }

    /// The zones that an input is about; none are all.
    fn about(&mut self, fields: &Fields<'_, '_>, zones: &[Zone]) -> Vec<ZoneId> {
        let Some(node) = fields.get("zones") else { return Vec::new() };
        let Some(items) = node.list() else {
            let message = format!("`zones` must be a list of zones, not {}", node.what());
            self.diagnostics.push(Diagnostic::error(Code::Value, node.span()).message(message));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.zone_id(item, zones)).collect()
    }

    /// The entries of a map of inputs, if it is there.
    fn inputs<'n, 'a>(
        &mut self,
        site: &Fields<'n, 'a>,
        field: &'static str,
        example: &str,
    ) -> Vec<(String, &'n Node<'a>)> {
        let Some(node) = site.get(field) else { return Vec::new() };
        let Some(entries) = node.map() else {
            let message =
                format!("`{field}` must be a map from name to source, not {}", node.what());
            let mistake = Diagnostic::error(Code::Value, node.span()).message(message);
            self.diagnostics.push(mistake.help(format!("write `{field}: {example}`")));
            return Vec::new();
        };
        let mut inputs = Vec::new();
        for (key, node) in entries {
            let name = key.text().unwrap_or_default();
            self.keep(check_name(name, key.span()));
            if TAKEN.contains(&name) {
                let mistake = Diagnostic::error(Code::Name, key.span());
                let message = format!("there is an input `{name}` always");
                self.diagnostics.push(mistake.message(message).help("use another name"));
            }
            inputs.push((name.to_owned(), node));
        }
        inputs
    }
}
