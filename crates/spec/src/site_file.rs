//! Reads a site file: `docs/formats/site.md` as code.
//!
//! Knows fields and defaults, and reports every mistake with its place and what to write instead.
//! [`render`] writes what is in force as a site file again, defaults spelled out.

mod ahead;
mod pool;
mod render;
pub(crate) mod trace;
mod wraps;

use std::ops::Range;

pub use render::render;

use crate::diagnostic::{Code, Diagnostic, Source, nearest};
use crate::id::ZoneId;
use crate::site::{Backend, Domains, Link, Location, Policy, Site, Weights, Zone};
use crate::source::fields::Fields;
use crate::source::scalar::Scalar;
use crate::source::{self, Node};
use crate::units::{Bytes, Duration};

/// The version of the format that is read.
pub const VERSION: i64 = 1;

pub(crate) const FIELDS: [&str; 7] =
    ["foreshard", "zones", "links", "policy", "outages", "calendars", "feeds"];
pub(crate) const ZONE_FIELDS: [&str; 8] =
    ["backend", "location", "domains", "time_zone", "pools", "wrap", "images", "trace"];
pub(crate) const LOCATION_FIELDS: [&str; 2] = ["region", "zone"];
pub(crate) const DOMAIN_FIELDS: [&str; 4] = ["host", "rack", "region", "image"];
pub(crate) const LINK_FIELDS: [&str; 4] = ["between", "latency", "bandwidth", "price_per_gb"];
pub(crate) const POLICY_FIELDS: [&str; 2] = ["name", "weights"];
pub(crate) const BACKENDS: [&str; 2] = ["local", "slurm"];

/// Money and weights beyond this are slips of the finger.
const MAX_NUMBER: f64 = 1e9;

/// Reads a site.
///
/// There is a site unless one of the diagnostics is an error. They come in the order of the file.
#[must_use]
pub fn parse(source: &Source) -> (Option<Site>, Vec<Diagnostic>) {
    let root = match source::read(source) {
        Ok(root) => root,
        Err(diagnostics) => return (None, diagnostics),
    };
    let mut reader = Reader { diagnostics: Vec::new() };
    let site = match check_version(&root) {
        Ok(()) => reader.site(&root),
        Err(mistake) => return (None, vec![mistake]),
    };
    let mut diagnostics = reader.diagnostics;
    diagnostics.sort_by(|a, b| (a.span.start, &a.message).cmp(&(b.span.start, &b.message)));
    let sound = !diagnostics.iter().any(Diagnostic::is_error);
    (site.filter(|_| sound), diagnostics)
}

fn check_version(root: &Node<'_>) -> Result<(), Diagnostic> {
    let begin = "begin with `foreshard: 1`";
    if root.map().is_none() {
        let message = format!("a site must be a map of fields, not {}", root.what());
        return Err(Diagnostic::error(Code::Value, root.span()).message(message).help(begin));
    }
    let Some(version) = root.get("foreshard") else {
        let start = root.span().start;
        let message = "the version of the format is missing";
        let mistake = Diagnostic::error(Code::MissingField, start..start);
        return Err(mistake.message(message).help(begin));
    };
    match Scalar::of(version, "foreshard")?.int(1..=i64::from(u32::MAX))? {
        VERSION => Ok(()),
        number => {
            let message = format!(
                "this is version {number} of the format, and this foreshard reads version {VERSION}"
            );
            let mistake = Diagnostic::error(Code::Version, version.span()).message(message);
            Err(mistake.help("use a newer foreshard, or write `foreshard: 1`"))
        }
    }
}

/// Collects what is wrong while it reads on.
struct Reader {
    diagnostics: Vec<Diagnostic>,
}

impl Reader {
    fn site(&mut self, root: &Node<'_>) -> Option<Site> {
        let fields = self.open(root, "a site", &FIELDS)?;
        let zones = self.zones(&fields);
        let links = self.links(&fields, &zones);
        let policy = fields.get("policy").and_then(|node| self.policy(node));
        let outages = self.outages(&fields, &zones);
        let calendars = self.calendars(&fields, &zones);
        let feeds = self.feeds(&fields, &zones, &calendars);
        let policy = policy.unwrap_or_else(Policy::balanced);
        Some(Site { zones, links, policy, outages, calendars, feeds })
    }

    fn zones(&mut self, fields: &Fields<'_, '_>) -> Vec<Zone> {
        let entries = self.named(fields, "zones", "a site", "zones: {mine: {pools: …}}");
        let zones = entries.into_iter().filter_map(|(name, node)| self.zone(name, node));
        zones.collect()
    }

    fn zone(&mut self, name: String, node: &Node<'_>) -> Option<Zone> {
        let what = format!("zone `{name}`");
        let fields = self.open(node, &what, &ZONE_FIELDS)?;
        let backend = self.choice(&fields, "backend", &BACKENDS);
        let location = self.location(&fields);
        let mut domains = self.domains(&fields);
        if domains.region.is_empty() {
            domains.region.clone_from(&location.region);
        }
        let entries =
            self.named(&fields, "pools", &what, "pools: {main: {cpus: 8, memory: 32GiB}}");
        let pools = entries.into_iter().filter_map(|(name, node)| self.pool(name, node)).collect();
        Some(Zone {
            name,
            backend: if backend == Some("slurm") { Backend::Slurm } else { Backend::Local },
            location,
            domains,
            time_zone: self.time_zone(&fields),
            pools,
            trace: self.trace(&fields),
            wrap: self.zone_wrap(&fields),
            images: self.images(&fields),
        })
    }

    fn location(&mut self, zone: &Fields<'_, '_>) -> Location {
        let opened =
            zone.get("location").and_then(|n| self.open(n, "`location`", &LOCATION_FIELDS));
        opened.map_or_else(Location::default, |fields| Location {
            region: self.text(&fields, "region").unwrap_or_default(),
            zone: self.text(&fields, "zone").unwrap_or_default(),
        })
    }

    fn domains(&mut self, zone: &Fields<'_, '_>) -> Domains {
        let opened = zone.get("domains").and_then(|n| self.open(n, "`domains`", &DOMAIN_FIELDS));
        opened.map_or_else(Domains::default, |fields| Domains {
            host: self.text(&fields, "host").unwrap_or_default(),
            rack: self.text(&fields, "rack").unwrap_or_default(),
            region: self.text(&fields, "region").unwrap_or_default(),
            image: self.text(&fields, "image").unwrap_or_default(),
        })
    }

    fn links(&mut self, site: &Fields<'_, '_>, zones: &[Zone]) -> Vec<Link> {
        let Some(node) = site.get("links") else { return Vec::new() };
        let Some(items) = node.list() else {
            let message = format!("`links` must be a list, not {}", node.what());
            self.diagnostics.push(Diagnostic::error(Code::Value, node.span()).message(message));
            return Vec::new();
        };
        let mut links: Vec<Link> = Vec::new();
        for item in items {
            let Some(link) = self.link(item, zones) else { continue };
            let pair = |link: &Link| (link.from.min(link.to), link.from.max(link.to));
            if links.iter().any(|other| pair(other) == pair(&link)) {
                let message = "there is another link between these zones";
                let mistake = Diagnostic::error(Code::DuplicateKey, item.span()).message(message);
                self.diagnostics.push(mistake.help("a link goes both ways: remove one of the two"));
            }
            links.push(link);
        }
        links
    }

    fn link(&mut self, node: &Node<'_>, zones: &[Zone]) -> Option<Link> {
        let fields = self.open(node, "a link", &LINK_FIELDS)?;
        let latency = self.value(&fields, "latency", Scalar::duration);
        let bandwidth = self.value(&fields, "bandwidth", Scalar::bandwidth);
        let price_per_gb = self.value(&fields, "price_per_gb", |s| s.float(0.0..=MAX_NUMBER));
        let (from, to) = self.ends(&fields, zones)?;
        Some(Link {
            from,
            to,
            latency: latency.unwrap_or(Duration::ZERO),
            bandwidth: bandwidth.unwrap_or(Bytes(0)),
            price_per_gb: price_per_gb.unwrap_or(0.0),
        })
    }

    fn ends(&mut self, link: &Fields<'_, '_>, zones: &[Zone]) -> Option<(ZoneId, ZoneId)> {
        let ends = link.get("between").and_then(Node::list).unwrap_or_default();
        let [from, to] = ends else {
            let mistake = Diagnostic::error(Code::MissingField, link.key_span("between"));
            let message = "a link needs the two zones that it is between";
            self.diagnostics.push(mistake.message(message).help("write `between: [here, there]`"));
            return None;
        };
        let (from_id, to_id) = (self.zone_id(from, zones), self.zone_id(to, zones));
        let (from_id, to_id) = (from_id?, to_id?);
        if from_id == to_id {
            let message = "a link between a zone and itself says nothing";
            let mistake = Diagnostic::error(Code::Value, to.span()).message(message);
            self.diagnostics.push(mistake.help("name two zones"));
            return None;
        }
        Some((from_id, to_id))
    }

    fn zone_id(&mut self, node: &Node<'_>, zones: &[Zone]) -> Option<ZoneId> {
        let name = self.keep(Scalar::of(node, "between"))?;
        if let Some(found) = zones.iter().position(|zone| zone.name == name.text) {
            return Some(ZoneId::from_index(found));
        }
        let names = || zones.iter().map(|zone| zone.name.as_str());
        let help = match nearest(&name.text, names()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("zones are {}", names().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("there is no zone `{}`", name.text.escape_debug());
        let mistake = Diagnostic::error(Code::Value, name.span.clone());
        self.diagnostics.push(mistake.message(message).help(help));
        None
    }

    fn policy(&mut self, node: &Node<'_>) -> Option<Policy> {
        if node.map().is_none() {
            let name = self.keep(Scalar::of(node, "policy"))?;
            let known = Policy::named(&name.text);
            if known.is_none() {
                let mistake = one_of(&name, &Policy::NAMES);
                self.diagnostics.push(mistake);
            }
            return known;
        }
        let fields = self.open(node, "`policy`", &POLICY_FIELDS)?;
        let name = self.text(&fields, "name").unwrap_or_else(|| "custom".to_owned());
        let base = Policy::named(&name).map_or(Weights::ZERO, |policy| policy.weights);
        let weights = match fields.get("weights") {
            Some(node) => self.weights(node, base)?,
            None => base,
        };
        if weights == Weights::ZERO {
            let mistake = Diagnostic::error(Code::Value, fields.key_span("weights"));
            let message = format!("policy `{}` weighs nothing", name.escape_debug());
            let help = "write `weights: {price: 1, finish: 2}`, or name one of the policies";
            self.diagnostics.push(mistake.message(message).help(help));
        }
        Some(Policy { name, weights })
    }

    fn weights(&mut self, node: &Node<'_>, mut weights: Weights) -> Option<Weights> {
        let fields = self.open(node, "`weights`", &Weights::NAMES)?;
        for name in Weights::NAMES {
            if let Some(weight) = self.value(&fields, name, |s| s.float(0.0..=MAX_NUMBER)) {
                *weights.get_mut(name).expect("it is one of the names") = weight;
            }
        }
        Some(weights)
    }
}

/// Single fields.
impl Reader {
    fn open<'n, 'a>(
        &mut self,
        node: &'n Node<'a>,
        what: &str,
        known: &[&str],
    ) -> Option<Fields<'n, 'a>> {
        Fields::open(node, what, known, &mut self.diagnostics)
    }

    fn keep<T>(&mut self, outcome: Result<T, Diagnostic>) -> Option<T> {
        outcome.map_err(|mistake| self.diagnostics.push(mistake)).ok()
    }

    fn value<'n, T>(
        &mut self,
        fields: &Fields<'n, '_>,
        name: &'static str,
        read: impl FnOnce(&Scalar<'n>) -> Result<T, Diagnostic>,
    ) -> Option<T> {
        let node = fields.get(name)?;
        self.keep(Scalar::of(node, name).and_then(|scalar| read(&scalar)))
    }

    fn text(&mut self, fields: &Fields<'_, '_>, name: &'static str) -> Option<String> {
        self.value(fields, name, plain)
    }

    fn choice(
        &mut self,
        fields: &Fields<'_, '_>,
        name: &'static str,
        known: &'static [&'static str],
    ) -> Option<&'static str> {
        self.value(fields, name, |scalar| {
            let found = known.iter().copied().find(|&choice| choice == scalar.text);
            found.ok_or_else(|| one_of(scalar, known))
        })
    }

    /// A command line as a list of words.
    fn words(&mut self, fields: &Fields<'_, '_>, name: &'static str) -> Vec<String> {
        let Some(node) = fields.get(name) else { return Vec::new() };
        let Some(items) = node.list() else {
            let message = format!("`{name}` must be a list of words, not {}", node.what());
            let mistake = Diagnostic::error(Code::Value, node.span()).message(message);
            self.diagnostics.push(mistake.help(format!("write `{name}: [program, argument]`")));
            return Vec::new();
        };
        let word = |item| Scalar::of(item, name).and_then(|scalar| plain(&scalar));
        items.iter().filter_map(|item| self.keep(word(item))).collect()
    }

    /// The entries of a map whose keys are names; it must be there and hold one.
    fn named<'n, 'a>(
        &mut self,
        fields: &Fields<'n, 'a>,
        name: &'static str,
        what: &str,
        example: &str,
    ) -> Vec<(String, &'n Node<'a>)> {
        let entries = fields.get(name).and_then(Node::map).unwrap_or_default();
        if entries.is_empty() {
            let mistake = Diagnostic::error(Code::MissingField, fields.key_span(name));
            let message = format!("{what} needs a map `{name}` with at least one entry");
            self.diagnostics.push(mistake.message(message).help(format!("write `{example}`")));
        }
        let mut named = Vec::new();
        for (key, node) in entries {
            let name = key.text().unwrap_or_default();
            if let Err(mistake) = check_name(name, key.span()) {
                self.diagnostics.push(mistake);
            }
            named.push((name.to_owned(), node));
        }
        named
    }
}

fn check_name(name: &str, span: Range<usize>) -> Result<(), Diagnostic> {
    const MAX_LEN: usize = 100;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && name.len() <= MAX_LEN && name.chars().all(is_allowed) {
        return Ok(());
    }
    let shown: String = name.escape_debug().take(60).collect();
    let mistake =
        Diagnostic::error(Code::Name, span).message(format!("`{shown}` cannot be a name"));
    Err(mistake.help("use at most 100 letters, digits, `-`, `_` and `.`, a letter or digit first"))
}

fn plain(scalar: &Scalar<'_>) -> Result<String, Diagnostic> {
    if scalar.text.chars().any(char::is_control) {
        return Err(scalar.wrong("contains a control character"));
    }
    Ok(scalar.text.clone().into_owned())
}

fn one_of(scalar: &Scalar<'_>, known: &[&str]) -> Diagnostic {
    let mistake = scalar.wrong(&format!("must be one of {}", known.join(", ")));
    match nearest(&scalar.text, known.iter().copied()) {
        Some(close) => mistake.help(format!("did you mean `{close}`?")),
        None => mistake,
    }
}
