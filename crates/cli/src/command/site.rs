//! `foreshard site show`: the places in force.

use std::collections::BTreeMap;

use report::quantity::Seconds;
use serde::Serialize;
use serde_json::json;
use spec::site::{
    Backend, Domains, Generated, GeneratedKind, ImageRule, Link, Location, Policy, Pool,
    TraceSource, Zone,
};
use spec::{Bytes, Site, site_file};

use crate::args::SiteShow;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::machine;
use crate::screen::Screen;
use crate::site;

/// Prints the site as a site file, or as JSON.
///
/// # Errors
/// The file cannot be read, or there are mistakes in it.
pub(crate) fn show(args: &SiteShow, screen: Screen) -> Result<Code, Failure> {
    let site = match args.file.as_ref().or(args.site.as_ref()) {
        Some(path) => site::read(path, screen)?,
        None => machine::site(None),
    };
    if args.json {
        screen.print_json(&Told::of(&site))?;
    } else {
        screen.print(&site_file::render(&site))?;
    }
    Ok(Code::Succeeded)
}

/// A site as programs read it: the names of fields end in their unit.
#[derive(Serialize)]
struct Told<'a> {
    zones: Vec<ToldZone<'a>>,
    links: Vec<ToldLink<'a>>,
    policy: &'a Policy,
}

#[derive(Serialize)]
struct ToldZone<'a> {
    name: &'a str,
    backend: Backend,
    location: &'a Location,
    domains: &'a Domains,
    pools: Vec<ToldPool<'a>>,
    trace: Option<serde_json::Value>,
    wrap: &'a [String],
    images: &'a [ImageRule],
}

#[derive(Serialize)]
struct ToldPool<'a> {
    name: &'a str,
    cpus: f64,
    memory_bytes: Bytes,
    network_bytes_per_second: Bytes,
    countables: &'a BTreeMap<String, u64>,
    count: u32,
    max_nodes: u32,
    price_per_hour: f64,
    launch_delay_seconds: Seconds,
    preemption_notice_seconds: Option<Seconds>,
    provision: &'a [String],
}

#[derive(Serialize)]
struct ToldLink<'a> {
    between: [&'a str; 2],
    latency_seconds: Seconds,
    bandwidth_bytes_per_second: Bytes,
    price_per_gb: f64,
}

impl<'a> Told<'a> {
    fn of(site: &'a Site) -> Self {
        let link = |link: &Link| ToldLink {
            between: [link.from, link.to].map(|zone| site.zone(zone).name.as_str()),
            latency_seconds: Seconds(link.latency),
            bandwidth_bytes_per_second: link.bandwidth,
            price_per_gb: link.price_per_gb,
        };
        Self {
            zones: site.zones.iter().map(ToldZone::of).collect(),
            links: site.links.iter().map(link).collect(),
            policy: &site.policy,
        }
    }
}

impl<'a> ToldZone<'a> {
    fn of(zone: &'a Zone) -> Self {
        Self {
            name: &zone.name,
            backend: zone.backend,
            location: &zone.location,
            domains: &zone.domains,
            pools: zone.pools.iter().map(ToldPool::of).collect(),
            trace: zone.trace.as_ref().map(told_trace),
            wrap: &zone.wrap,
            images: &zone.images,
        }
    }
}

/// The path, or what it is made with.
fn told_trace(trace: &TraceSource) -> serde_json::Value {
    let Generated { kind, seed, length } = match trace {
        TraceSource::File(path) => return path.as_str().into(),
        TraceSource::Generated(made) => made,
    };
    let mut told = match kind {
        GeneratedKind::Runs { up, down, tail } => json!({
            "kind": "runs", "up_seconds": Seconds(*up), "down_seconds": Seconds(*down), "tail": tail,
        }),
        GeneratedKind::Daily { most, least, busiest, noise } => json!({
            "kind": "daily", "most": most, "least": least, "busiest_seconds": Seconds(*busiest),
            "noise": noise,
        }),
    };
    told["seed"] = json!(seed);
    told["length_seconds"] = json!(Seconds(*length));
    told
}

impl<'a> ToldPool<'a> {
    fn of(pool: &'a Pool) -> Self {
        Self {
            name: &pool.name,
            cpus: f64::from(pool.node.cpus.0) / 1e3,
            memory_bytes: pool.node.memory,
            network_bytes_per_second: pool.node.network,
            countables: &pool.node.countables,
            count: pool.count,
            max_nodes: pool.max_nodes,
            price_per_hour: pool.price_per_hour,
            launch_delay_seconds: Seconds(pool.launch_delay),
            preemption_notice_seconds: pool.preemption_notice.map(Seconds),
            provision: &pool.provision,
        }
    }
}
