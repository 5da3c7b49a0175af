//! What a virtual task costs, from the first moment of a world to its last:
//!
//! ```text
//! cargo run --release -p sim --example sim_rate [TASKS ...]
//! ```
//!
//! A layered graph as in DSLab's `dag-benchmark` (two parents a task, an output of 1 to 100 MB, layers
//! of a hundredth of the tasks), on 8 nodes with distance between them. The real engine and the real
//! inside of keepers run, and the cheap invariants are checked after every record. Rates are per second
//! of cpu time, so that a machine that others use, too, gives the same. `bytes/task` is the peak of the
//! process, the workflow included.

use std::sync::Arc;

use plan::{Order, Placements, Plan, PlanId, Shards};
use sim::chance::{Purpose, Stream};
use sim::{Link, Links, Options, Setup, Truth, VirtualSite, VirtualZone, World};
use spec::assemble::{Parts, assemble};
use spec::command::{CommandTemplate, TextTemplate};
use spec::csr::Csr;
use spec::files::FileTable;
use spec::resources::MilliCpus;
use spec::template::{Domain, Per, Template, Variable};
use spec::workflow::Input;
use spec::{Bytes, Digest, Duration, Resources, Workflow, ZoneId};

const N_NODES: u32 = 8;

fn main() {
    let chosen: Vec<u32> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if chosen.is_empty() { vec![10_000, 100_000, 1_000_000] } else { chosen };
    println!(
        "{:>10} {:>9} {:>10} {:>12} {:>11} {:>12}",
        "tasks", "cpu", "tasks/s", "happenings/s", "records/s", "bytes/task"
    );
    for n in sizes {
        measure(n);
    }
}

fn measure(n: u32) {
    let before = memory("VmRSS:");
    let width = (n / 100).max(1);
    let workflow = Arc::new(layered(n, width));
    let mut stream = Stream::new(1, Purpose::Case, 0);
    let runtimes = (0..n).map(|_| Duration(stream.between(1_000_000, 60_000_000))).collect();
    let sizes = (0..n).map(|_| Bytes(stream.between(1_000_000, 100_000_000))).collect();
    let truth = Truth { runtimes, sizes, ..Truth::default() };
    let node = Resources { cpus: MilliCpus::whole(8), ..Resources::default() };
    let zones = (0..N_NODES).map(|zone| VirtualZone::steady(format!("z{zone}"), node.clone(), 1));
    let mut site = VirtualSite::of(zones.collect());
    let usual = Link { bandwidth: Some(1e9), ..Link::default() };
    site.links = Links { usual, ..Links::default() };
    let plan = Plan {
        id: PlanId(1),
        shards: Shards::Singletons(n),
        placements: Placements::Each((0..n).map(|task| ZoneId(task % N_NODES)).collect()),
        order: Order::ById,
    };
    let options = Options::default();
    let setup = Setup { workflow, site, truth, plan, policy: None, options, seed: 1 };
    let begun = cpu_seconds();
    let outcome = World::new(setup).run();
    let seconds = cpu_seconds() - begun;
    assert!(outcome.is_success(), "{:?}", outcome.ending);
    let bytes = memory("VmHWM:").saturating_sub(before) / u64::from(n);
    let rate = |what: u64| what as f64 / seconds;
    println!(
        "{n:>10} {seconds:>7.2} s {:>10.0} {:>12.0} {:>11.0} {bytes:>12}",
        rate(u64::from(n)),
        rate(outcome.n_happenings),
        rate(outcome.n_records),
    );
}

/// One template; each task reads the outputs of two of the layer before.
fn layered(n: u32, width: u32) -> Workflow {
    let (mut inputs, mut outputs, mut needs) = (Csr::default(), Csr::default(), Csr::default());
    let mut files = FileTable::default();
    for task in 0..n {
        let above = task.checked_sub(width).into_iter();
        let first = task - task % width;
        let parents = above.flat_map(|t| [t, (first - width) + (t + 7) % width]);
        let read: Vec<Input> = parents.map(|t| Input { slot: 0, file: spec::FileId(t) }).collect();
        inputs.push_row(read);
        outputs.push_row([files.intern(&format!("o{task}"))]);
        needs.push_row([]);
    }
    let template = Template {
        name: "t".to_owned(),
        command: CommandTemplate::Shell(TextTemplate::default()),
        variables: vec![Variable {
            name: "i".to_owned(),
            domain: Domain::Range { start: 0, step: 1, len: n },
            repeat: 1,
        }],
        resources: Per::Same(Resources { cpus: MilliCpus::ONE, ..Resources::default() }),
        ..Template::default()
    };
    let parts = Parts {
        name: "rate".to_owned(),
        digest: Digest([0; 32]),
        params: std::collections::BTreeMap::new(),
        templates: vec![template],
        first_task: vec![0, n],
        files,
        inputs,
        outputs,
        needs,
    };
    assemble(parts).expect("edges lead from one layer to the next")
}

/// Cpu time of this thread; Linux tells it in nanoseconds.
fn cpu_seconds() -> f64 {
    let text = read("/proc/thread-self/schedstat");
    let nanoseconds = text.split_whitespace().next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.unwrap_or(f64::NAN) / 1e9
}

/// A line of what Linux says of this process, in bytes; 0 where it does not.
fn memory(name: &str) -> u64 {
    let status = read("/proc/self/status");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}

fn read(path: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "a measurement reads /proc; worlds do not")]
    std::fs::read_to_string(path).unwrap_or_default()
}
