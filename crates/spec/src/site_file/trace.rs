//! `trace` of a zone and `outages` of regions: what a simulation takes for their availability.

use super::{Reader, one_of};
use crate::diagnostic::{Code, Diagnostic};
use crate::site::{Generated, GeneratedKind, Outages, TraceSource, Zone};
use crate::source::Node;
use crate::source::fields::Fields;
use crate::source::scalar::Scalar;
use crate::units::Duration;

pub(crate) const KINDS: [&str; 2] = ["runs", "daily"];
pub(crate) const RUNS_FIELDS: [&str; 6] = ["kind", "seed", "length", "up", "down", "tail"];
pub(crate) const DAILY_FIELDS: [&str; 7] =
    ["kind", "seed", "length", "most", "least", "busiest", "noise"];
pub(crate) const OUTAGE_FIELDS: [&str; 5] = ["region", "every", "lasts", "tail", "seed"];

const LENGTH_USUAL: Duration = Duration::from_secs(30 * 86_400);
const TAIL_USUAL: f64 = 1.5;
const COUNT_MAX: i64 = 1_000_000;

impl Reader {
    /// The path of a recording, or how to make one.
    pub(super) fn trace(&mut self, zone: &Fields<'_, '_>) -> Option<TraceSource> {
        let node = zone.get("trace")?;
        if node.map().is_none() {
            return self.text(zone, "trace").map(TraceSource::File);
        }
        let kind = node.get("kind").and_then(|kind| self.keep(Scalar::of(kind, "kind")));
        let Some(kind) = kind else {
            if node.get("kind").is_none() {
                let mistake = Diagnostic::error(Code::MissingField, node.span());
                let help = "write `trace: {kind: runs, up: 2h, down: 30m}`, or the path of a file";
                let message = "a trace that is made needs a `kind`";
                self.diagnostics.push(mistake.message(message).help(help));
            }
            return None;
        };
        let kind = match kind.text.as_ref() {
            "runs" => self.runs(node),
            "daily" => self.daily(node),
            _ => {
                self.diagnostics.push(one_of(&kind, &KINDS));
                None
            }
        };
        let (kind, fields) = kind?;
        let length = self.long(&fields, "length").unwrap_or(LENGTH_USUAL);
        let seed = self.seed(&fields);
        Some(TraceSource::Generated(Generated { kind, seed, length }))
    }

    fn runs<'n, 'a>(&mut self, node: &'n Node<'a>) -> Option<(GeneratedKind, Fields<'n, 'a>)> {
        let fields = self.open(node, "a trace of kind `runs`", &RUNS_FIELDS)?;
        let (up, down) = (self.must(&fields, "up", "2h"), self.must(&fields, "down", "30m"));
        let tail = self.tail(&fields);
        Some((GeneratedKind::Runs { up: up?, down: down?, tail }, fields))
    }

    fn daily<'n, 'a>(&mut self, node: &'n Node<'a>) -> Option<(GeneratedKind, Fields<'n, 'a>)> {
        let fields = self.open(node, "a trace of kind `daily`", &DAILY_FIELDS)?;
        let most = self.count(&fields, "most").unwrap_or(1);
        let least = self.count(&fields, "least").unwrap_or(0);
        if least > most {
            let message = format!("`least: {least}` is more than `most: {most}`");
            let mistake = Diagnostic::error(Code::Value, fields.key_span("least"));
            self.diagnostics.push(mistake.message(message).help("raise `most`, or lower it"));
        }
        let noise = self.count(&fields, "noise").unwrap_or(0);
        let busiest = self.value(&fields, "busiest", Scalar::duration);
        let busiest = busiest.unwrap_or(Duration::from_secs(14 * 3_600));
        Some((GeneratedKind::Daily { most, least, busiest, noise }, fields))
    }

    /// Times at which regions are gone.
    pub(super) fn outages(&mut self, site: &Fields<'_, '_>, zones: &[Zone]) -> Vec<Outages> {
        let Some(node) = site.get("outages") else { return Vec::new() };
        let Some(items) = node.list() else {
            let message = format!("`outages` must be a list, not {}", node.what());
            let mistake = Diagnostic::error(Code::Value, node.span()).message(message);
            self.diagnostics
                .push(mistake.help("write `outages: [{region: east, every: 5d, lasts: 2h}]`"));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.outage(item, zones)).collect()
    }

    fn outage(&mut self, node: &Node<'_>, zones: &[Zone]) -> Option<Outages> {
        let fields = self.open(node, "an outage", &OUTAGE_FIELDS)?;
        let region = self.text(&fields, "region").unwrap_or_default();
        if region.is_empty() || zones.iter().all(|zone| zone.location.region != region) {
            let message = format!("no zone is in the region `{}`", region.escape_debug());
            let mistake = Diagnostic::error(Code::Value, fields.key_span("region"));
            let help = "name one that stands as `region` in the `location` of a zone";
            self.diagnostics.push(mistake.message(message).help(help));
        }
        let (every, lasts) = (self.must(&fields, "every", "5d"), self.must(&fields, "lasts", "2h"));
        let (tail, seed) = (self.tail(&fields), self.seed(&fields));
        Some(Outages { region, every: every?, lasts: lasts?, tail, seed })
    }

    /// A span that must be there, and be more than none.
    fn must(
        &mut self,
        fields: &Fields<'_, '_>,
        name: &'static str,
        example: &str,
    ) -> Option<Duration> {
        if fields.get(name).is_none() {
            let mistake = Diagnostic::error(Code::MissingField, fields.key_span(name));
            let message = format!("`{name}` is missing: how long, on average");
            self.diagnostics
                .push(mistake.message(message).help(format!("write `{name}: {example}`")));
        }
        self.long(fields, name)
    }

    fn long(&mut self, fields: &Fields<'_, '_>, name: &'static str) -> Option<Duration> {
        self.value(fields, name, |scalar| {
            let span = scalar.duration()?;
            if span < Duration::from_secs(1) {
                return Err(scalar.wrong("must be at least a second"));
            }
            Ok(span)
        })
    }

    fn tail(&mut self, fields: &Fields<'_, '_>) -> f64 {
        self.value(fields, "tail", |scalar| scalar.float(1.05..=100.0)).unwrap_or(TAIL_USUAL)
    }

    fn seed(&mut self, fields: &Fields<'_, '_>) -> u64 {
        let seed = self.value(fields, "seed", |scalar| scalar.int(0..=i64::MAX));
        seed.unwrap_or(1).unsigned_abs()
    }

    fn count(&mut self, fields: &Fields<'_, '_>, name: &'static str) -> Option<u32> {
        let count = self.value(fields, name, |scalar| scalar.int(0..=COUNT_MAX))?;
        u32::try_from(count).ok()
    }
}
