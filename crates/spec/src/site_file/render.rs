//! Writes a site as a site file, with every default spelled out.
//!
//! What is written is read back as the same site: quantities are exact, not rounded for people.

use std::fmt::{Display, Write as _};

use crate::id::ZoneId;
use crate::site::{
    Backend, Generated, GeneratedKind, Link, Outages, Pool, Site, TraceSource, Weights, Zone,
};
use crate::units::{Bytes, Duration};

/// The site as YAML.
#[must_use]
pub fn render(site: &Site) -> String {
    let mut out = Lines { text: "foreshard: 1\nzones:\n".to_owned() };
    for zone in &site.zones {
        out.zone(zone);
    }
    if !site.links.is_empty() {
        out.line(0, "links:");
    }
    for link in &site.links {
        out.link(site, link);
    }
    if !site.outages.is_empty() {
        out.line(0, "outages:");
    }
    for outages in &site.outages {
        out.line(2, &format!("- {}", outage(outages)));
    }
    if !site.calendars.is_empty() {
        out.line(0, "calendars:");
    }
    for calendar in &site.calendars {
        out.input(site, &calendar.name, &calendar.from, &calendar.zones);
        out.field(4, "kind", calendar.kind.name());
    }
    if !site.feeds.is_empty() {
        out.line(0, "feeds:");
    }
    for feed in &site.feeds {
        out.input(site, &feed.name, &feed.from, &feed.zones);
        if let Some(query) = &feed.query {
            out.field(4, "query", quoted(query));
        }
        match feed.lag {
            Some(lag) => out.field(4, "lag", duration(lag)),
            None => out.field(4, "known_ahead", true),
        }
    }
    out.line(0, "policy:");
    out.field(2, "name", quoted(&site.policy.name));
    out.field(2, "weights", weights(&site.policy.weights));
    out.text
}

struct Lines {
    text: String,
}

impl Lines {
    fn line(&mut self, indent: usize, text: &str) {
        self.field_or_line(indent, format_args!("{text}"));
    }

    fn field(&mut self, indent: usize, name: &str, value: impl Display) {
        self.field_or_line(indent, format_args!("{name}: {value}"));
    }

    fn field_or_line(&mut self, indent: usize, text: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{:indent$}{text}", "").expect("text can always be written to");
    }

    fn zone(&mut self, zone: &Zone) {
        self.line(2, &format!("{}:", quoted(&zone.name)));
        let backend = match zone.backend {
            Backend::Local => "local",
            Backend::Slurm => "slurm",
        };
        self.field(4, "backend", backend);
        let location = [("region", &zone.location.region), ("zone", &zone.location.zone)];
        self.texts(4, "location", &location);
        let domains = &zone.domains;
        let levels = [
            ("host", &domains.host),
            ("rack", &domains.rack),
            ("region", &domains.region),
            ("image", &domains.image),
        ];
        self.texts(4, "domains", &levels);
        if let Some(name) = &zone.time_zone {
            self.field(4, "time_zone", quoted(name));
        }
        self.line(4, "pools:");
        for pool in &zone.pools {
            self.pool(pool);
        }
        self.words(4, "wrap", &zone.wrap);
        if !zone.images.is_empty() {
            self.line(4, "images:");
        }
        for rule in &zone.images {
            self.line(6, &format!("{}:", quoted(&rule.pattern)));
            self.field(8, "wrap", listed(&rule.wrap));
            self.words(8, "resolve", &rule.resolve);
        }
        match &zone.trace {
            Some(TraceSource::File(path)) => self.field(4, "trace", quoted(path)),
            Some(TraceSource::Generated(made)) => self.field(4, "trace", generated(made)),
            None => {}
        }
    }

    fn input(&mut self, site: &Site, name: &str, from: &str, zones: &[ZoneId]) {
        self.line(2, &format!("{}:", quoted(name)));
        self.field(4, "from", quoted(from));
        let zones: Vec<String> = zones.iter().map(|&zone| site.zone(zone).name.clone()).collect();
        self.words(4, "zones", &zones);
    }

    fn pool(&mut self, pool: &Pool) {
        self.line(6, &format!("{}:", quoted(&pool.name)));
        self.field(8, "cpus", pool.node.cpus);
        self.field(8, "memory", bytes(pool.node.memory));
        self.field(8, "network", bytes(pool.node.network));
        for (name, count) in &pool.node.countables {
            self.field(8, &quoted(name), count);
        }
        self.field(8, "count", pool.count);
        self.field(8, "max_nodes", pool.max_nodes);
        self.field(8, "price", pool.price_per_hour);
        self.field(8, "launch_delay", duration(pool.launch_delay));
        if let Some(notice) = pool.preemption_notice {
            self.field(8, "preemption_notice", duration(notice));
        }
        self.words(8, "provision", &pool.provision);
    }

    fn link(&mut self, site: &Site, link: &Link) {
        let name = |zone| quoted(&site.zone(zone).name);
        let text = format!(
            "- {{between: [{}, {}], latency: {}, bandwidth: {}, price_per_gb: {}}}",
            name(link.from),
            name(link.to),
            duration(link.latency),
            bytes(link.bandwidth),
            link.price_per_gb
        );
        self.line(2, &text);
    }

    fn texts(&mut self, indent: usize, name: &str, fields: &[(&str, &String)]) {
        let given = fields.iter().filter(|(_, text)| !text.is_empty());
        let given: Vec<String> =
            given.map(|(name, text)| format!("{name}: {}", quoted(text))).collect();
        if !given.is_empty() {
            self.field(indent, name, format_args!("{{{}}}", given.join(", ")));
        }
    }

    fn words(&mut self, indent: usize, name: &str, words: &[String]) {
        if !words.is_empty() {
            self.field(indent, name, listed(words));
        }
    }
}

fn listed(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

fn weights(weights: &Weights) -> String {
    let named = Weights::NAMES.map(|name| format!("{name}: {}", weights.get(name).unwrap_or(0.0)));
    format!("{{{}}}", named.join(", "))
}

fn generated(Generated { kind, seed, length }: &Generated) -> String {
    let kind = match kind {
        GeneratedKind::Runs { up, down, tail } => {
            format!("kind: runs, up: {}, down: {}, tail: {tail}", duration(*up), duration(*down))
        }
        GeneratedKind::Daily { most, least, busiest, noise } => format!(
            "kind: daily, most: {most}, least: {least}, busiest: {}, noise: {noise}",
            duration(*busiest)
        ),
    };
    format!("{{{kind}, seed: {seed}, length: {}}}", duration(*length))
}

fn outage(Outages { region, every, lasts, tail, seed }: &Outages) -> String {
    format!(
        "{{region: {}, every: {}, lasts: {}, tail: {tail}, seed: {seed}}}",
        quoted(region),
        duration(*every),
        duration(*lasts)
    )
}

/// Bare where nothing can go wrong, else as a JSON string, which YAML reads as the same text.
fn quoted(text: &str) -> String {
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let is_value = matches!(text, "true" | "false" | "null");
    if is_word && !is_value { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

fn duration(span: Duration) -> String {
    const UNITS: [(&str, u64); 5] =
        [("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];
    exact(span.0, &UNITS, "0s")
}

fn bytes(bytes: Bytes) -> String {
    const UNITS: [(&str, u64); 8] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("GB", 1_000_000_000),
        ("MiB", 1 << 20),
        ("MB", 1_000_000),
        ("KiB", 1 << 10),
        ("kB", 1_000),
        ("B", 1),
    ];
    exact(bytes.0, &UNITS, "0")
}

/// In the largest unit that needs no fraction.
fn exact(amount: u64, units: &[(&str, u64)], none: &str) -> String {
    if amount == 0 {
        return none.to_owned();
    }
    let unit = units.iter().find(|(_, size)| amount.is_multiple_of(*size));
    unit.map_or_else(|| amount.to_string(), |(name, size)| format!("{}{name}", amount / size))
}
