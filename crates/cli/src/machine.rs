//! Measures this machine: the place that a run has when no site file names another.
//!
//! Knows `/proc`, `/sys` and what the process may use of them: affinity and cgroups. Does not know
//! what else runs here; the machine's ledger does.

use std::path::{Path, PathBuf};

use spec::resources::MilliCpus;
use spec::{Bytes, Resources, Site};

/// The share of the memory that tasks may plan with; the rest is for the system and for us.
const MEMORY_SHARE: (u64, u64) = (9, 10);

/// What a network is taken to carry where no interface says: one gigabit a second.
const NETWORK_UNKNOWN: Bytes = Bytes(125_000_000);

const MIB: u64 = 1 << 20;

/// This machine as the only zone. `jobs` replaces the number of its cpus.
#[must_use]
pub(crate) fn site(jobs: Option<u32>) -> Site {
    let cpus = jobs.unwrap_or_else(cpus);
    let node = Resources {
        cpus: MilliCpus::whole(cpus),
        memory: memory(),
        network: network(),
        countables: std::collections::BTreeMap::default(),
    };
    Site::this_machine(node, &host())
}

/// Cpus that this process may use, by affinity and cgroup quota.
fn cpus() -> u32 {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(cpus).unwrap_or(u32::MAX)
}

fn memory() -> Bytes {
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| mem_total(&text));
    let limit = cgroup_memory_limit();
    let usable = total.into_iter().chain(limit).min().unwrap_or(0);
    let planned = usable / MEMORY_SHARE.1 * MEMORY_SHARE.0;
    Bytes(planned / MIB * MIB)
}

fn mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The lowest limit of the cgroups (version 2) that this process is in.
fn cgroup_memory_limit() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    let root = Path::new("/sys/fs/cgroup");
    let own: PathBuf = root.join(path.trim_start_matches('/'));
    let groups = own.ancestors().take_while(|group| group.starts_with(root));
    let limits = groups.filter_map(|group| {
        // The word `max` is no limit, and no number.
        std::fs::read_to_string(group.join("memory.max")).ok()?.trim().parse().ok()
    });
    limits.min()
}

/// Bytes a second of the fastest interface that is up.
fn network() -> Bytes {
    let interfaces = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let speeds = interfaces.filter_map(|interface| {
        let megabits: i64 =
            std::fs::read_to_string(interface.path().join("speed")).ok()?.trim().parse().ok()?;
        u64::try_from(megabits).ok().filter(|&megabits| megabits > 0)
    });
    speeds.max().map_or(NETWORK_UNKNOWN, |megabits| Bytes(megabits * 125_000))
}

/// The name of this machine.
#[must_use]
pub(crate) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_something_to_run_on() {
        let site = site(None);
        let node = &site.zones[0].pools[0].node;
        assert!(node.cpus >= MilliCpus::ONE);
        assert!(node.memory.0 >= MIB && node.memory.0.is_multiple_of(MIB));
        assert!(node.network.0 > 0);
    }

    #[test]
    fn jobs_replace_the_cpus_that_were_measured() {
        assert_eq!(site(Some(7)).zones[0].pools[0].node.cpus, MilliCpus::whole(7));
    }

    #[test]
    fn memory_is_read_in_the_unit_it_is_written_in() {
        assert_eq!(mem_total("MemFree: 1 kB\nMemTotal:       16384 kB\n"), Some(16 << 20));
        assert_eq!(mem_total("MemFree: 1 kB\n"), None);
    }
}
