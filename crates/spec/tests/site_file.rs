//! The site file: defaults, mistakes with their places, and that a site is written as it is read.

use proptest::prelude::*;
use spec::ZoneId;
use spec::diagnostic::{Diagnostic, Source};
use spec::resources::{MilliCpus, Resources};
use spec::site::{
    Backend, Calendar, CalendarKind, Domains, Feed, Generated, GeneratedKind, ImageRule, Link,
    Location, Outages, Policy, Pool, Site, TraceSource, Weights, Zone,
};
use spec::site_file::{parse, render};
use spec::units::{Bytes, Duration};

fn read(text: &str) -> Site {
    let (site, diagnostics) = parse(&Source::new("site.yaml", text));
    site.unwrap_or_else(|| panic!("{diagnostics:#?}"))
}

/// `line: message (help)` of every mistake.
fn mistakes(text: &str) -> Vec<String> {
    let source = Source::new("site.yaml", text);
    let (site, diagnostics) = parse(&source);
    assert!(site.is_none());
    let told = |d: &Diagnostic| {
        let line = source.position(d.span.start).line;
        format!("{line}: {} ({})", d.message, d.help.as_deref().unwrap_or_default())
    };
    diagnostics.iter().map(told).collect()
}

#[test]
fn what_is_left_out_has_a_default() {
    let site = read("foreshard: 1\nzones: {z: {pools: {p: {cpus: 2, memory: 4GiB}}}}\n");
    let pool = Pool {
        name: "p".to_owned(),
        node: Resources {
            cpus: MilliCpus::whole(2),
            memory: Bytes(4 << 30),
            ..Resources::default()
        },
        count: 1,
        max_nodes: 1,
        price_per_hour: 0.0,
        launch_delay: Duration::ZERO,
        preemption_notice: None,
        provision: Vec::new(),
    };
    assert_eq!(site.zones[0].pools, [pool]);
    assert_eq!(site.zones[0].backend, Backend::Local);
    assert_eq!((site.links.len(), site.policy), (0, Policy::balanced()));
}

#[test]
fn everything_can_be_said() {
    let site = read(
        "foreshard: 1
zones:
  a:
    backend: slurm
    location: {region: lab, zone: desk}
    domains: {host: ws1, rack: r1, image: debian12}
    pools:
      main: {cpus: 8, memory: 32GiB, network: 100MB, gpu: 1, count: 2, price_per_core: 0.05,
             launch_delay: 90s, preemption_notice: 2m, max_nodes: 5, provision: [./add, '{count}']}
    wrap: [nice, -n, '10']
    trace: traces/a.json
  b: {pools: {p: {cpus: 0.5, memory: 1GiB, price: 3}}}
links:
  - {between: [b, a], latency: 20ms, bandwidth: 50MB/s, price_per_gb: 0.02}
policy: {name: thrifty, weights: {price: 2, finish: 0.5}}
",
    );
    let (zone, pool) = (&site.zones[0], &site.zones[0].pools[0]);
    assert_eq!((zone.backend, zone.domains.region.as_str()), (Backend::Slurm, "lab"));
    assert_eq!((pool.count, pool.max_nodes), (2, 5));
    assert!((pool.price_per_hour - 0.4).abs() < 1e-12);
    assert_eq!(pool.node.countables["gpu"], 1);
    assert_eq!(pool.provision, ["./add", "{count}"]);
    assert_eq!((site.links[0].from, site.links[0].to), (ZoneId(1), ZoneId(0)));
    assert_eq!(site.links[0].bandwidth, Bytes(50_000_000));
    assert_eq!(site.policy.weights, Weights { price: 2.0, finish: 0.5, ..Weights::ZERO });
    assert_eq!(zone.trace, Some(TraceSource::File("traces/a.json".to_owned())));
}

#[test]
fn availability_can_be_made_instead_of_recorded() {
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let site = read(
        "foreshard: 1
zones:
  a: {location: {region: east}, pools: &p {m: {cpus: 1, memory: 1GiB}}, trace: {kind: runs, up: 2h, down: 30m, seed: 7}}
  b: {pools: *p, trace: {kind: daily, most: 9, least: 3, length: 7d}}
outages: [{region: east, every: 5d, lasts: 2h, tail: 2}]
",
    );
    let runs = GeneratedKind::Runs { up: hours(2), down: Duration::from_secs(1_800), tail: 1.5 };
    let made = |kind, seed, length| Some(TraceSource::Generated(Generated { kind, seed, length }));
    assert_eq!(site.zones[0].trace, made(runs, 7, hours(720)));
    let daily = GeneratedKind::Daily { most: 9, least: 3, busiest: hours(14), noise: 0 };
    assert_eq!(site.zones[1].trace, made(daily, 1, hours(168)));
    let region = "east".to_owned();
    let outages = Outages { region, every: hours(120), lasts: hours(2), tail: 2.0, seed: 1 };
    assert_eq!(site.outages, [outages]);
}

#[test]
fn mistakes_in_what_is_made_are_told_with_their_lines() {
    let text = "foreshard: 1
zones:
  a: {pools: &p {m: {cpus: 1, memory: 1GiB}}, trace: {kind: rnus, up: 2h}}
  b: {pools: *p, trace: {kind: runs, up: 2h, tail: 1}}
  c: {pools: *p, trace: {kind: daily, most: 2, least: 3, top: 4}}
  d: {pools: *p, trace: {up: 2h}}
outages:
  - {region: west, every: 1d, lasts: 0s}
";
    let expected = [
        "3: `kind: rnus` must be one of runs, daily (did you mean `runs`?)",
        "4: `down` is missing: how long, on average (write `down: 30m`)",
        "4: `tail: 1` must lie between 1.05 and 100 ()",
        "5: `least: 3` is more than `most: 2` (raise `most`, or lower it)",
        "5: a trace of kind `daily` has no field `top` (fields are kind, seed, length, most, least, busiest, noise)",
        "6: a trace that is made needs a `kind` (write `trace: {kind: runs, up: 2h, down: 30m}`, or the path of a file)",
        "8: no zone is in the region `west` (name one that stands as `region` in the `location` of a zone)",
        "8: `lasts: 0s` must be at least a second ()",
    ];
    assert_eq!(mistakes(text), expected);
}

#[test]
fn every_mistake_is_told_at_once_with_its_line() {
    let text = "foreshard: 1
zoness: 1
zones:
  a b:
    backend: slrum
    pools:
      p: {cpu: 4, memory: 1.5.2 GB, count: -1}
      q: {cpus: 2, memory: 1GiB, max_nodes: 2, count: 3, price: 1, price_per_core: 1}
  c: {}
links:
  - {between: [c, d]}
  - {between: [c, c]}
  - {latency: 1s}
policy: fast
";
    let told = mistakes(text);
    let expected = [
        "2: a site has no field `zoness` (did you mean `zones`?)",
        "4: `a b` cannot be a name (use at most 100 letters, digits, `-`, `_` and `.`, a letter or digit first)",
        "5: `backend: slrum` must be one of local, slurm (did you mean `slurm`?)",
        "7: a pool needs `cpus`: what one node has (write `cpus: 8`)",
        "7: a pool has no field `cpu` (did you mean `cpus`?)",
        "7: `memory: 1.5.2 GB` is no size: `1.5.2` is not a number (write a size such as `500MB` or `4GiB`)",
        "7: `count: -1` must lie between 0 and 1000000 ()",
        "8: `max_nodes: 2` is less than the 3 there are (leave it out, or raise it)",
        "8: `price` and `price_per_core` say the same twice (keep one of them)",
        "9: zone `c` needs a map `pools` with at least one entry (write `pools: {main: {cpus: 8, memory: 32GiB}}`)",
        "11: there is no zone `d` (zones are a b, c)",
        "12: a link between a zone and itself says nothing (name two zones)",
        "13: a link needs the two zones that it is between (write `between: [here, there]`)",
        "14: `policy: fast` must be one of cheapest, fastest, balanced, deadline ()",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_policy_that_weighs_nothing_and_a_link_told_twice_are_mistakes() {
    let zones = "foreshard: 1\nzones: {a: &z {pools: {p: {cpus: 1, memory: 1GiB}}}, b: *z}\n";
    assert!(mistakes(&format!("{zones}policy: {{name: mine}}\n"))[0].contains("weighs nothing"));
    let links = "links: [{between: [a, b]}, {between: [b, a]}]\n";
    assert!(mistakes(&format!("{zones}{links}"))[0].contains("another link"));
}

#[test]
fn another_version_or_none_is_refused_before_anything_else() {
    assert!(mistakes("zones: {}\n")[0].contains("version of the format is missing"));
    assert!(mistakes("foreshard: 2\nnew: things\n")[0].contains("version 2"));
    assert!(mistakes("- a\n")[0].contains("must be a map"));
}

#[test]
fn policies_have_different_minds() {
    let all: Vec<_> = Policy::NAMES.iter().filter_map(|name| Policy::named(name)).collect();
    assert_eq!(all.len(), 4);
    let best = |term: &str| {
        let weight = |p: &&Policy| (p.weights.get(term).unwrap() * 1e6) as u64;
        all.iter().max_by_key(weight).unwrap().name.as_str()
    };
    assert_eq!(
        (best("price"), best("finish"), best("failure")),
        ("cheapest", "fastest", "deadline")
    );
}

// ---- Written and read again -------------------------------------------------------------------

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9][a-zA-Z0-9._-]{0,8}"
}

fn word() -> impl Strategy<Value = String> {
    "[ -~]{1,12}|\\PC{1,4}"
}

/// Braces could make a placeholder of it.
fn plain_word() -> impl Strategy<Value = String> {
    word().prop_map(|word| word.replace('{', "("))
}

prop_compose! {
    fn image_rule()(
        pattern in "[a-z/*?]{1,8}", mut wrap in proptest::collection::vec(plain_word(), 1..3),
        resolve in proptest::collection::vec(plain_word(), 0..2),
    ) -> ImageRule {
        wrap.push("{image}".to_owned());
        ImageRule { pattern, wrap, resolve }
    }
}

fn number() -> impl Strategy<Value = f64> {
    (0_u32..1_000_000).prop_map(|n| f64::from(n) / 997.0)
}

prop_compose! {
    fn pool()(
        name in name(), cpus in 1_u32..200_000, memory in 0_u64..1 << 40, network in 0_u64..1 << 33,
        gpu in proptest::option::of(0_u64..9), (count, more) in (0_u32..99, 0_u32..99),
        price in number(), delay in 0_u64..1 << 40, notice in proptest::option::of(0_u64..1 << 33),
        provision in proptest::collection::vec(word(), 0..3),
    ) -> Pool {
        let countables = gpu.map(|n| ("gpu".to_owned(), n)).into_iter().collect();
        let node = Resources { cpus: MilliCpus(cpus), memory: Bytes(memory), network: Bytes(network), countables };
        let launch_delay = Duration(delay);
        Pool { name, node, count, max_nodes: count + more, price_per_hour: price, launch_delay,
               preemption_notice: notice.map(Duration), provision }
    }
}

fn trace() -> impl Strategy<Value = TraceSource> {
    let runs = (1_u64..1 << 30, 1_u64..1 << 30, 0_u64..1 << 60).prop_map(|(up, down, seed)| {
        let (up, down) = (Duration(up + 1_000_000), Duration(down + 1_000_000));
        let kind = GeneratedKind::Runs { up, down, tail: 1.75 };
        TraceSource::Generated(Generated { kind, seed, length: Duration(down.0 * 7) })
    });
    let daily = (0_u32..50, 0_u32..50, 0_u64..1 << 40).prop_map(|(least, more, busiest)| {
        let kind = GeneratedKind::Daily {
            most: least + more,
            least,
            busiest: Duration(busiest),
            noise: more,
        };
        TraceSource::Generated(Generated { kind, seed: busiest, length: Duration(86_400_000_000) })
    });
    prop_oneof![word().prop_map(TraceSource::File), runs, daily]
}

prop_compose! {
    fn zone()(
        name in name(), slurm in any::<bool>(), texts in proptest::collection::vec(word(), 6),
        mut pools in proptest::collection::vec(pool(), 1..3),
        trace in proptest::option::of(trace()), wrap in proptest::collection::vec(plain_word(), 0..3),
        mut images in proptest::collection::vec(image_rule(), 0..3),
    ) -> Zone {
        let mut text = texts.into_iter();
        let mut next = || text.next().unwrap_or_default();
        pools.dedup_by_key(|pool| pool.name.clone());
        let backend = if slurm { Backend::Slurm } else { Backend::Local };
        let location = Location { region: next(), zone: next() };
        let domains = Domains { host: next(), rack: next(), region: next(), image: next() };
        images.sort_by(|a, b| a.pattern.cmp(&b.pattern));
        images.dedup_by_key(|rule| rule.pattern.clone());
        let time_zone = slurm.then(|| "Europe/Berlin".to_owned());
        Zone { name, backend, location, domains, time_zone, pools, trace, wrap, images }
    }
}

prop_compose! {
    fn site()(
        mut zones in proptest::collection::vec(zone(), 1..4), latency in 0_u64..1 << 40,
        bandwidth in 0_u64..1 << 40, price_per_gb in number(), policy in name(), weight in number(),
    ) -> Site {
        zones.sort_by(|a, b| a.name.cmp(&b.name));
        zones.dedup_by_key(|zone| zone.name.clone());
        let link = Link { from: ZoneId(1), to: ZoneId(0), latency: Duration(latency), bandwidth: Bytes(bandwidth), price_per_gb };
        let links = if zones.len() > 1 { vec![link] } else { Vec::new() };
        let weights = Weights { price: weight, finish: 1.0, ..Weights::ZERO };
        let region = zones[0].location.region.clone();
        let outages = Outages { region, every: Duration(latency + 1_000_000), lasts: Duration(5_000_000), tail: 1.25, seed: bandwidth };
        let outages = if outages.region.is_empty() { Vec::new() } else { vec![outages] };
        let from = zones[0].name.clone();
        let calendar = Calendar { name: "c".to_owned(), from: from.clone(), kind: CalendarKind::Drain, zones: vec![ZoneId(0)] };
        let query = (latency % 2 == 0).then(|| "sum(up) # x".to_owned());
        let feed = Feed { name: "f".to_owned(), from, query, lag: (latency % 3 > 0).then_some(Duration(latency)), zones: Vec::new() };
        let (calendars, feeds) = if weight > 1.0 { (vec![calendar], vec![feed]) } else { (Vec::new(), Vec::new()) };
        Site { zones, links, policy: Policy { name: policy, weights }, outages, calendars, feeds }
    }
}

proptest! {
    #[test]
    fn a_site_that_is_written_is_read_as_the_same(site in site()) {
        let text = render(&site);
        let (again, diagnostics) = parse(&Source::new("site.yaml", text.clone()));
        prop_assert_eq!(again, Some(site), "{}\n{:?}", text, diagnostics);
    }
}

#[test]
fn what_is_known_ahead_is_read_and_each_mistake_in_it_named() {
    let zones = "foreshard: 1\nzones: {a: {time_zone: Europe/Berlin, pools: {p: {cpus: 1, memory: 1GiB}}}}\n";
    let read = |text: &str| parse(&Source::new("s.yaml", format!("{zones}{text}")));
    let (site, diagnostics) = read(
        "calendars: {public: {from: h.ics, kind: holiday}, works: {from: \"https://x/w.ics\", kind: drain, zones: [a]}}\n\
         feeds: {load: {from: l.csv}, plan: {from: p.csv, known_ahead: true}, grid: {from: \"http://x\", query: up, lag: 10m}}\n",
    );
    let site = site.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    assert_eq!(site.zones[0].time_zone.as_deref(), Some("Europe/Berlin"));
    let kinds: Vec<CalendarKind> = site.calendars.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [CalendarKind::Holiday, CalendarKind::Drain]);
    assert_eq!(site.calendars[1].zones, [ZoneId(0)]);
    let lags: Vec<Option<u64>> = site.feeds.iter().map(|one| one.lag.map(|lag| lag.0)).collect();
    assert_eq!(lags, [Some(0), None, Some(600_000_000)]);

    let mistakes = [
        ("calendars: [a]", "`calendars` must be a map"),
        ("calendars: {c: {kind: drain}}", "needs `from`"),
        ("calendars: {c: {from: x, kind: dreain}}", "must be one of holiday, drain, event"),
        ("calendars: {c: {from: x, zones: [b]}}", "there is no zone `b`"),
        ("calendars: {clock: {from: x}}", "there is an input `clock` always"),
        ("calendars: {c: {from: x}}\nfeeds: {c: {from: y}}", "there is a calendar `c`, too"),
        ("feeds: {f: {from: y, known_ahead: true, lag: 5m}}", "are not late"),
        ("feeds: {f: {from: y, lag: soon}}", "soon"),
    ];
    for (text, expected) in mistakes {
        let (site, diagnostics) = read(text);
        assert!(site.is_none(), "{text}");
        assert!(
            diagnostics.iter().any(|d| d.message.contains(expected)),
            "{text}: {diagnostics:#?}"
        );
        assert!(diagnostics.iter().all(|d| d.span.start >= zones.len()), "{text}");
    }
    let text =
        "foreshard: 1\nzones: {a: {time_zone: \"../x\", pools: {p: {cpus: 1, memory: 1GiB}}}}";
    assert!(parse(&Source::new("s.yaml", text)).0.is_none());
}
