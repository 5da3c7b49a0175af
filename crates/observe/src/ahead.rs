//! What a site says is known ahead, read in: clocks, calendars, feeds and past runs become the
//! inputs of a forecast.
//!
//! Knows site files, files and addresses. Whatever cannot be read, or is not what it should be, is a
//! warning, and the forecast does without.

use std::path::Path;

use forecast::calendar::{Axis, Kind, When};
use forecast::local_clock::LocalClock;
use forecast::recurrence::Run;
use forecast::regressor::{Known, Regressor};
use forecast::{Covariates, recording::Measure};
use spec::site::{Calendar, CalendarKind, Feed, Site};
use spec::{Duration, Timestamp, ZoneId};

use crate::feed::{self, Limits};
use crate::file::{self, Reading};
use crate::{ics, prometheus, time};

/// Changes of a clock that are looked at: two a year.
const CHANGES: usize = 400;
/// Points of a series that a Prometheus is asked for.
const POINTS: i64 = 50_000;

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Of each zone of the site, in order; all have the same columns.
    pub zones: Vec<Covariates>,
    /// What could not be used, and why.
    pub warnings: Vec<String>,
}

impl Loaded {
    /// Of zones by name, in this order: they may be others than the site's. One that the site does
    /// not know is a warning, and nothing is known of it.
    #[must_use]
    pub fn of_zones<'a>(mut self, site: &Site, names: impl Iterator<Item = &'a str>) -> Self {
        let mut unknown = Vec::new();
        let zone = |name: &'a str| {
            let number = site.zones.iter().position(|zone| zone.name == name);
            let known = number.and_then(|number| self.zones.get(number)).cloned();
            known.or_else(|| {
                unknown.push(format!("`{name}`"));
                self.zones.first().map(Covariates::silent)
            })
        };
        let zones: Vec<Covariates> = names.filter_map(zone).collect();
        if !unknown.is_empty() {
            let unknown = unknown.join(", ");
            self.warnings
                .push(format!("not in the site file, so nothing is known ahead: {unknown}"));
        }
        self.zones = zones;
        self
    }
}

/// Reads what a site says is known ahead about the steps of `axis` up to `until`, with a clock as
/// an input and the runs that the project's own history holds. Names of files are relative to
/// `folder`.
#[must_use]
pub fn load(
    site: &Site,
    folder: &Path,
    axis: Axis,
    until: Timestamp,
    runs: &[Run],
    limits: Limits,
) -> Loaded {
    let mut warnings = Vec::new();
    let mut zones: Vec<Covariates> = Vec::with_capacity(site.zones.len());
    for zone in &site.zones {
        let name = zone.time_zone.as_deref().unwrap_or("UTC");
        let clock = clock(name, axis.start, until).unwrap_or_else(|| {
            warnings.push(format!(
                "zone `{}`: the time zone `{name}` is not known; UTC is used",
                zone.name
            ));
            LocalClock::utc()
        });
        zones.push(Covariates::new(axis, clock).with_clock());
    }
    for calendar in &site.calendars {
        let events = events(calendar, folder, axis.start, until, limits, &mut warnings);
        let kind = match calendar.kind {
            CalendarKind::Holiday => Kind::Holiday,
            CalendarKind::Drain => Kind::Drain,
            CalendarKind::Event => Kind::Other,
        };
        zones = each(zones, &calendar.zones, |zone, is_about| {
            zone.with_events(&calendar.name, kind, if is_about { &events } else { &[] })
        });
    }
    for feed in &site.feeds {
        match series(feed, folder, axis, until, limits) {
            Ok(regressor) => {
                zones = each(zones, &feed.zones, |zone, is_about| {
                    let here = if is_about { regressor.clone() } else { regressor.silent() };
                    zone.with_regressor(&feed.name, here)
                });
            }
            Err(why) => warnings.push(format!("feed `{}` is left out: {why}", feed.name)),
        }
    }
    if !runs.is_empty() {
        zones = zones.into_iter().map(|zone| zone.with_runs(runs)).collect();
    }
    Loaded { zones, warnings }
}

/// The clock of a time zone, as far as it changes in a stretch of time; none of that name.
#[must_use]
pub fn clock(name: &str, from: Timestamp, to: Timestamp) -> Option<LocalClock> {
    let zone = time::zone(name)?;
    // Whole days may begin a little earlier than the first step.
    let from = jiff::Timestamp::from_second(from.0.div_euclid(1_000_000) - 14 * 86_400).ok()?;
    let to = to.0.div_euclid(1_000_000).saturating_add(14 * 86_400);
    let changes = zone
        .following(from)
        .take(CHANGES)
        .map(|change| (change.timestamp().as_second(), change.offset().seconds()))
        .take_while(|change| change.0 <= to);
    Some(LocalClock::new(zone.to_offset(from).seconds(), changes.collect()))
}

fn each(
    zones: Vec<Covariates>,
    about: &[ZoneId],
    with: impl Fn(Covariates, bool) -> Covariates,
) -> Vec<Covariates> {
    let is_about = |i: usize| about.is_empty() || about.contains(&ZoneId::from_index(i));
    zones.into_iter().enumerate().map(|(i, zone)| with(zone, is_about(i))).collect()
}

fn events(
    calendar: &Calendar,
    folder: &Path,
    from: Timestamp,
    to: Timestamp,
    limits: Limits,
    warnings: &mut Vec<String>,
) -> Vec<When> {
    let name = &calendar.name;
    match feed::fetch(&place(folder, &calendar.from), limits) {
        Ok(text) => {
            let read = ics::read(&text, ics::Bounds::new(from, to));
            warnings.extend(read.flaws.iter().map(|flaw| format!("calendar `{name}`: {flaw}")));
            read.events
        }
        Err(unheard) => {
            warnings.push(format!("calendar `{name}` is left out: {unheard}"));
            Vec::new()
        }
    }
}

fn series(
    feed: &Feed,
    folder: &Path,
    axis: Axis,
    until: Timestamp,
    limits: Limits,
) -> Result<Regressor, String> {
    let samples = match &feed.query {
        Some(query) => asked(feed, query, axis, until, limits)?,
        None => read(feed, folder, limits)?,
    };
    let late =
        |lag: Duration| Known::Late(u32::try_from(lag.0.div_ceil(1_000_000)).unwrap_or(u32::MAX));
    let known = feed.lag.map_or(Known::Ahead, late);
    Regressor::new(axis, known, &samples).map_err(|flaw| flaw.to_string())
}

fn asked(
    feed: &Feed,
    query: &str,
    axis: Axis,
    until: Timestamp,
    limits: Limits,
) -> Result<Vec<(Timestamp, f64)>, String> {
    let step = i64::from(axis.step_seconds) * 1_000_000;
    let least = until.0.saturating_sub(axis.start.0) / POINTS;
    let query = prometheus::Query {
        address: feed.from.clone(),
        expression: query.to_owned(),
        from: axis.start,
        to: until,
        step: step.max(least),
        headers: Vec::new(),
        limits,
    };
    let found = prometheus::range(&query).map_err(|error| error.to_string())?;
    let [series] = &found[..] else {
        return Err(format!("the query answers with {} series, and must with one", found.len()));
    };
    Ok(series.samples.iter().map(|sample| (sample.at, sample.value)).collect())
}

fn read(feed: &Feed, folder: &Path, limits: Limits) -> Result<Vec<(Timestamp, f64)>, String> {
    let text =
        feed::fetch(&place(folder, &feed.from), limits).map_err(|error| error.to_string())?;
    let reading = Reading {
        zone: Some("feed".to_owned()),
        measure: Some(Measure::Named(feed.name.clone())),
        ..Reading::default()
    };
    let found = file::read(&text, &feed.from, &reading).map_err(|mistakes| {
        let first = mistakes.first();
        first.map_or_else(|| "it cannot be read".to_owned(), |one| one.of(&shown(&feed.from)))
    })?;
    let [one] = &found[..] else {
        return Err(format!("it holds {} series, and must hold one", found.len()));
    };
    Ok(one.recording.samples.iter().map(|sample| (sample.at, sample.value)).collect())
}

/// Where it comes from as people may see it: of an address nothing that may be secret.
fn shown(from: &str) -> String {
    if feed::is_address(from) { feed::shown(from) } else { from.to_owned() }
}

/// An address, or a file below a folder.
fn place(folder: &Path, from: &str) -> String {
    if feed::is_address(from) { from.to_owned() } else { folder.join(from).display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spec::diagnostic::Source;

    /// 2026-03-23 00:00 UTC, a Monday.
    const START: Timestamp = Timestamp(1_774_224_000_000_000);
    const AXIS: Axis = Axis { start: START, step_seconds: 3600 };

    fn site(more: &str) -> Site {
        let text = format!(
            "foreshard: 1\nzones:\n  a: {{time_zone: Europe/Berlin, pools: {{p: {{cpus: 1, memory: 1GiB}}}}}}\n  \
             b: {{pools: {{p: {{cpus: 1, memory: 1GiB}}}}}}\n{more}"
        );
        let (site, diagnostics) = spec::site_file::parse(&Source::new("site.yaml", text));
        site.unwrap_or_else(|| panic!("{diagnostics:#?}"))
    }

    fn loaded(folder: &Path, more: &str) -> Loaded {
        let site = site(more);
        let until = Timestamp(START.0 + 30 * 86_400_000_000);
        let limits = Limits { timeout: std::time::Duration::from_millis(300), ..Limits::default() };
        load(&site, folder, AXIS, until, &[], limits)
    }

    #[test]
    fn a_site_becomes_inputs_with_the_same_columns_in_all_zones() {
        let folder = tempfile::tempdir().unwrap();
        let ics = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260324\nEND:VEVENT\nEND:VCALENDAR\n";
        std::fs::write(folder.path().join("works.ics"), ics).unwrap();
        let csv = "time,value\n2026-03-23T00:00:00Z,1.5\n2026-03-23T01:00:00Z,2.5\n";
        std::fs::write(folder.path().join("load.csv"), csv).unwrap();
        let loaded = loaded(
            folder.path(),
            "calendars: {works: {from: works.ics, kind: drain, zones: [a]}}\nfeeds: {load: {from: load.csv, known_ahead: true, zones: [b]}}\n",
        );
        assert_eq!(loaded.warnings, [""; 0]);
        let [a, b] = &loaded.zones[..] else { panic!("two zones") };
        assert_eq!(a.inputs().collect::<Vec<_>>(), ["clock", "works", "load"]);
        assert_eq!(a.columns(), b.columns());
        // The day begins an hour earlier in Berlin than in UTC; the other zone has no works.
        assert_eq!(a.drains().all(), [forecast::calendar::Span { from: 23, to: 47 }]);
        assert_eq!(b.drains().all(), []);
        let load = |zone: &Covariates| zone.row(0, 1)[15];
        assert!(load(a).is_nan() && load(b) == 2.5);
    }

    #[test]
    fn a_zone_that_the_site_does_not_know_is_a_warning_and_has_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let site = site("");
        let until = Timestamp(START.0 + 86_400_000_000);
        let loaded = load(&site, folder.path(), AXIS, until, &[], Limits::default());
        let zones = loaded.clone().of_zones(&site, ["far", "b", "a"].into_iter());
        assert_eq!(zones.warnings, ["not in the site file, so nothing is known ahead: `far`"]);
        let rows =
            |zones: &Loaded| zones.zones.iter().map(|zone| zone.row(0, 1)).collect::<Vec<_>>();
        let (rows, before) = (rows(&zones), rows(&loaded));
        assert_eq!(rows[1..], [before[1].clone(), before[0].clone()]);
        assert!(rows[0].len() == rows[1].len() && rows[0].iter().all(|value| value.is_nan()));
    }

    #[test]
    fn what_cannot_be_read_is_a_warning_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bad.ics"), "<html>").unwrap();
        std::fs::write(folder.path().join("bad.csv"), "time,value\nnever,1\n").unwrap();
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/x.ics", silent.local_addr().unwrap());
        let loaded = loaded(
            folder.path(),
            &format!(
                "calendars: {{gone: {{from: gone.ics}}, bad: {{from: bad.ics}}, silent: {{from: \"{address}\"}}}}\n\
                 feeds: {{lost: {{from: gone.csv}}, odd: {{from: bad.csv}}}}\n"
            ),
        );
        let of = |name: &str| loaded.warnings.iter().find(|warning| warning.contains(name));
        for (name, why) in [
            ("`gone`", "cannot be read"),
            ("`bad`", "no iCalendar file"),
            ("`silent`", "did not answer"),
            ("`lost`", "cannot be read"),
            ("`odd`", "bad.csv:2"),
        ] {
            assert!(of(name).is_some_and(|warning| warning.contains(why)), "{:?}", loaded.warnings);
        }
        assert_eq!(loaded.zones[0].inputs().count(), 4, "the clock and three empty calendars");
    }

    #[test]
    fn what_is_wrong_in_a_feed_is_told_without_the_secrets_of_its_address() {
        use std::io::{Read, Write};

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let body = "time,value\nnever,1\n";
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + body).as_bytes());
        });
        let more = format!(
            "feeds: {{grid: {{from: \"http://me:secret@{address}/grid.csv?token=secret\"}}}}\n"
        );
        let told = loaded(Path::new(""), &more).warnings.join("\n");
        server.join().unwrap();
        assert!(
            told.contains(&format!("http://{address}/grid.csv:2: `never` is no time")),
            "{told}"
        );
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn a_clock_is_that_of_its_place_over_both_changes() {
        let year = Timestamp(START.0 + 366 * 86_400_000_000);
        let berlin = clock("Europe/Berlin", START, year).unwrap();
        let hour = |second: i64| berlin.reading(Timestamp(second * 1_000_000)).hour;
        // 2026-03-29 and 2026-10-25, 01:00 UTC.
        assert_eq!([hour(1_774_745_999).floor(), hour(1_774_746_000)], [1.0, 3.0]);
        assert_eq!([hour(1_792_889_999).floor(), hour(1_792_890_000)], [2.0, 2.0]);
        assert_eq!(clock("Mars/Base", START, year), None);
    }
}
