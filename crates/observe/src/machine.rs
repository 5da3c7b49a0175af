//! What the whole machine does: cpus, memory, network and disks, as the kernel counts them.
//!
//! Knows `/proc`. Two readings make a usage; one reading of a few files takes well under a
//! millisecond.

use std::path::Path;

use forecast::recording::{Measure, Sample};
use spec::Timestamp;

/// Counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counters {
    /// When.
    pub at: Timestamp,
    /// Ticks of all cpus together.
    pub cpu_ticks: u64,
    /// Those in which they did nothing.
    pub cpu_idle: u64,
    /// How many cpus.
    pub cpus: u64,
    /// Bytes that are not available to anybody.
    pub memory_used: u64,
    /// Bytes received over all interfaces but loopback.
    pub received: u64,
    /// Bytes sent over them.
    pub sent: u64,
}

impl Counters {
    /// Reads them; none where the kernel does not show them.
    #[must_use]
    pub fn read(at: Timestamp) -> Option<Self> {
        let (cpu_ticks, cpu_idle, cpus) = cpu_ticks(&proc("stat")?)?;
        let memory_used = memory_used(&proc("meminfo")?)?;
        let (received, sent) = network_bytes(&proc("net/dev")?);
        Some(Self { at, cpu_ticks, cpu_idle, cpus, memory_used, received, sent })
    }

    /// The share of all cpus that was busy since `earlier`, 0 to 1.
    #[must_use]
    pub fn busy_since(&self, earlier: &Self) -> f64 {
        let ticks = self.cpu_ticks.saturating_sub(earlier.cpu_ticks);
        let idle = self.cpu_idle.saturating_sub(earlier.cpu_idle);
        ticks.saturating_sub(idle) as f64 / ticks.max(1) as f64
    }
}

/// A reading of everything that the history keeps of this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    counters: Counters,
    disk_read: u64,
    disk_written: u64,
    disk_used: Option<u64>,
    memory: Option<u64>,
    network: Option<u64>,
}

impl Reading {
    /// Reads it; `folder` is on the disk whose space counts. None where the kernel does not show it.
    #[must_use]
    pub fn read(at: Timestamp, folder: &Path) -> Option<Self> {
        let (disk_read, disk_written) = disk_bytes(&proc("diskstats").unwrap_or_default());
        let disk_used = rustix::fs::statvfs(folder)
            .ok()
            .map(|disk| disk.f_blocks.saturating_sub(disk.f_bfree).saturating_mul(disk.f_frsize));
        let (memory, network) = (memory_total(), network_speed(Path::new("/sys/class/net")));
        let counters = Counters::read(at)?;
        Some(Self { counters, disk_read, disk_written, disk_used, memory, network })
    }

    /// What was measured from `earlier` to now, a sample for each measure, at the time of `earlier`:
    /// from then on it was so.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Vec<(Measure, Sample)> {
        let (now, then) = (&self.counters, &earlier.counters);
        let seconds = now.at.since(then.at).as_secs_f64();
        if seconds <= 0.0 {
            return Vec::new();
        }
        let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        let mut values = vec![
            (Measure::Up, 1.0),
            (Measure::Cpu, now.busy_since(then)),
            (Measure::Memory, now.memory_used as f64),
            (Measure::NetworkIn, rate(now.received, then.received)),
            (Measure::NetworkOut, rate(now.sent, then.sent)),
            (Measure::DiskRead, rate(self.disk_read, earlier.disk_read)),
            (Measure::DiskWrite, rate(self.disk_written, earlier.disk_written)),
        ];
        values.extend(self.disk_used.map(|used| (Measure::Disk, used as f64)));
        values.extend(self.memory.map(|all| (Measure::MemoryCapacity, all as f64)));
        values.extend(self.network.map(|all| (Measure::NetworkCapacity, all as f64)));
        let sample = |(measure, value)| (measure, Sample { at: then.at, value });
        values.into_iter().map(sample).collect()
    }
}

/// All memory of this machine, in bytes.
#[must_use]
pub fn memory_total() -> Option<u64> {
    bytes_of(&proc("meminfo")?, "MemTotal:")
}

/// Bytes a second in each direction over all interfaces that are devices and say how fast they are;
/// those of virtual machines often do not.
fn network_speed(interfaces: &Path) -> Option<u64> {
    let mut all = 0_u64;
    for entry in std::fs::read_dir(interfaces).ok()?.flatten() {
        let interface = entry.path();
        if !interface.join("device").exists() {
            continue;
        }
        // In Mbit/s; -1, or an error, where it is not known or not connected.
        let speed = std::fs::read_to_string(interface.join("speed")).ok();
        let speed = speed.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
        all = all.saturating_add(speed.saturating_mul(125_000));
    }
    Some(all).filter(|all| *all > 0)
}

fn proc(name: &str) -> Option<String> {
    std::fs::read_to_string(Path::new("/proc").join(name)).ok()
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

/// Bytes read and written by all whole disks. The kernel counts sectors of 512 bytes whatever
/// those of the disk are (Documentation/admin-guide/iostats.rst).
fn disk_bytes(diskstats: &str) -> (u64, u64) {
    const SECTOR: u64 = 512;
    let mut total = (0, 0);
    for line in diskstats.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (Some(name), Some(read), Some(written)) = (fields.get(2), fields.get(5), fields.get(9))
        else {
            continue;
        };
        if is_whole_disk(name) {
            total.0 += read.parse::<u64>().unwrap_or(0) * SECTOR;
            total.1 += written.parse::<u64>().unwrap_or(0) * SECTOR;
        }
    }
    total
}

/// Not a part of a disk, nor something that lies on one, which would count twice.
fn is_whole_disk(name: &str) -> bool {
    let ends_in_digit = name.ends_with(|c: char| c.is_ascii_digit());
    if name.starts_with("nvme") || name.starts_with("mmcblk") {
        return !name.contains('p');
    }
    let kinds = ["sd", "hd", "vd", "xvd"];
    kinds.iter().any(|kind| name.starts_with(kind)) && !ends_in_digit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_the_difference_of_two_readings() {
        let stat = "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 50 0 25 400 25 0 0 0 0 0\n\
                    cpu1 50 0 25 400 25 0 0 0 0 0\nintr 1\n";
        assert_eq!(cpu_ticks(stat), Some((1_000, 850, 2)));
        let ticks = Counters { cpu_ticks: 1_000, cpu_idle: 850, cpus: 2, ..Counters::default() };
        let before = Counters { memory_used: 5, received: 10, ..ticks };
        let after = Counters {
            at: Timestamp(5_000_000),
            cpu_ticks: 2_000,
            cpu_idle: 1_100,
            received: 110,
            ..before
        };
        let reading = |counters, disk_read| Reading {
            counters,
            disk_read,
            disk_written: 0,
            disk_used: Some(9),
            memory: Some(64),
            network: None,
        };
        let measured = reading(after, 1_000).since(&reading(before, 0));
        let value = |of: &Measure| {
            let found = measured.iter().find(|(measure, _)| measure == of).unwrap();
            assert_eq!(found.1.at, Timestamp(0));
            found.1.value
        };
        let expected = [
            (Measure::Cpu, 0.75),
            (Measure::Memory, 5.0),
            (Measure::NetworkIn, 20.0),
            (Measure::NetworkOut, 0.0),
            (Measure::DiskRead, 200.0),
            (Measure::Disk, 9.0),
            (Measure::MemoryCapacity, 64.0),
            (Measure::Up, 1.0),
        ];
        for (measure, expected) in expected {
            assert!((value(&measure) - expected).abs() < 1e-12, "{measure}");
        }
        assert!(reading(before, 0).since(&reading(after, 0)).is_empty(), "the clock was set back");
    }

    #[test]
    fn memory_in_use_is_what_is_not_available_and_loopback_is_no_network() {
        let meminfo = "MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable:    400 kB\n";
        assert_eq!(memory_used(meminfo), Some(600 * 1024));
        let net_dev = "Inter-|   Receive\n face |bytes\n    lo: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n  \
                       eth0: 70 1 0 0 0 0 0 0 30 1 0 0 0 0 0 0\n";
        assert_eq!(network_bytes(net_dev), (70, 30));
    }

    #[test]
    fn a_network_is_as_fast_as_its_devices_say_together() {
        let dir = tempfile::tempdir().unwrap();
        let interface = |name: &str, speed: &str, is_device: bool| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(if is_device { path.join("device") } else { path.clone() })
                .unwrap();
            std::fs::write(path.join("speed"), speed).unwrap();
        };
        interface("docker0", "10000\n", false);
        interface("eth1", "-1\n", true);
        assert_eq!(network_speed(dir.path()), None);
        interface("eth0", "1000\n", true);
        assert_eq!(network_speed(dir.path()), Some(125_000_000));
    }

    #[test]
    fn disks_count_once() {
        let line = |name: &str| format!(" 8 0 {name} 5 0 2 0 7 0 4 0 0 0 0\n");
        let parts =
            ["sda", "sda1", "nvme0n1", "nvme0n1p2", "dm-0", "loop3", "md0"].map(line).concat();
        assert_eq!(disk_bytes(&parts), (2 * 2 * 512, 2 * 4 * 512));
    }

    #[test]
    fn this_machine_can_be_read() {
        assert!(Reading::read(Timestamp(0), Path::new("/")).is_some());
    }
}
