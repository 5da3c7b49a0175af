//! What the whole machine does: cpus, memory and network, as the kernel counts them.

use engine::input::MachineUsage;
use spec::{Bytes, Timestamp};

/// Counters at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counters {
    at: Timestamp,
    /// Ticks of all cpus together, and those in which they did nothing.
    cpu_ticks: u64,
    cpu_idle: u64,
    cpus: u64,
    memory_used: u64,
    received: u64,
    sent: u64,
}

impl Counters {
    /// Reads them; none where the kernel does not show them.
    pub(super) fn read(at: Timestamp) -> Option<Self> {
        let file = |name: &str| std::fs::read_to_string(name).ok();
        let (cpu_ticks, cpu_idle, cpus) = cpu_ticks(&file("/proc/stat")?)?;
        let memory_used = memory_used(&file("/proc/meminfo")?)?;
        let (received, sent) = network_bytes(&file("/proc/net/dev")?);
        Some(Self { at, cpu_ticks, cpu_idle, cpus, memory_used, received, sent })
    }

    /// What was used since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> MachineUsage {
        let ticks = self.cpu_ticks.saturating_sub(earlier.cpu_ticks);
        let idle = self.cpu_idle.saturating_sub(earlier.cpu_idle);
        let busy = ticks.saturating_sub(idle) as f64 / ticks.max(1) as f64;
        MachineUsage {
            at: self.at,
            interval: self.at.since(earlier.at),
            cpus_busy: (busy * self.cpus as f64) as f32,
            memory_used: Bytes(self.memory_used),
            network_in: Bytes(self.received.saturating_sub(earlier.received)),
            network_out: Bytes(self.sent.saturating_sub(earlier.sent)),
        }
    }
}

/// All ticks, idle ticks and the number of cpus.
fn cpu_ticks(stat: &str) -> Option<(u64, u64, u64)> {
    let total = stat.lines().next()?.strip_prefix("cpu ")?;
    // user, nice, system, idle, iowait, irq, softirq, steal; guest times are inside user.
    let ticks: Vec<u64> = total.split_ascii_whitespace().take(8).flat_map(str::parse).collect();
    let idle = ticks.get(3)? + ticks.get(4)?;
    let cpus = stat.lines().skip(1).take_while(|line| line.starts_with("cpu")).count();
    Some((ticks.iter().sum(), idle, cpus as u64))
}

/// All memory of this machine, in bytes.
pub(super) fn memory_total() -> Option<u64> {
    bytes_of(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

fn memory_used(meminfo: &str) -> Option<u64> {
    let available = bytes_of(meminfo, "MemAvailable:")?;
    Some(bytes_of(meminfo, "MemTotal:")?.saturating_sub(available))
}

fn bytes_of(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Received and sent over all interfaces but loopback.
fn network_bytes(net_dev: &str) -> (u64, u64) {
    let interfaces = net_dev.lines().filter_map(|line| line.split_once(':'));
    let mut total = (0, 0);
    for (_, counters) in interfaces.filter(|(name, _)| name.trim() != "lo") {
        let counters: Vec<u64> = counters.split_ascii_whitespace().flat_map(str::parse).collect();
        total.0 += counters.first().copied().unwrap_or(0);
        total.1 += counters.get(8).copied().unwrap_or(0);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_the_difference_of_two_readings() {
        let stat = "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 50 0 25 400 25 0 0 0 0 0\ncpu1 50 0 25 400 25 0 0 0 0 0\nintr 1\n";
        assert_eq!(cpu_ticks(stat), Some((1_000, 850, 2)));
        let before = Counters {
            at: Timestamp(0),
            cpu_ticks: 1_000,
            cpu_idle: 850,
            cpus: 2,
            memory_used: 5,
            received: 10,
            sent: 20,
        };
        let after = Counters {
            at: Timestamp(5_000_000),
            cpu_ticks: 2_000,
            cpu_idle: 1_100,
            memory_used: 7,
            received: 110,
            sent: 25,
            ..before
        };
        let usage = after.since(&before);
        assert_eq!((usage.cpus_busy, usage.memory_used), (1.5, Bytes(7)));
        assert_eq!((usage.network_in, usage.network_out), (Bytes(100), Bytes(5)));
        assert_eq!(usage.interval, spec::Duration::from_secs(5));
    }

    #[test]
    fn memory_in_use_is_what_is_not_available_and_loopback_is_no_network() {
        let meminfo = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\n";
        assert_eq!(memory_used(meminfo), Some(600 * 1024));
        let net_dev = "Inter-|   Receive\n face |bytes\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n  eth0: 70 1 0 0 0 0 0 0 30 1 0 0 0 0 0 0\n";
        assert_eq!(network_bytes(net_dev), (70, 30));
    }

    #[test]
    fn this_machine_can_be_read() {
        assert!(Counters::read(Timestamp(0)).is_some());
    }
}
