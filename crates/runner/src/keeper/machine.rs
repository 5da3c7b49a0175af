//! What the whole machine does, as runs record it.

use engine::input::MachineUsage;
use observe::machine::Counters;
use spec::Bytes;

/// What was used from one reading to another.
pub(super) fn usage(earlier: &Counters, now: &Counters) -> MachineUsage {
    MachineUsage {
        at: now.at,
        interval: now.at.since(earlier.at),
        cpus_busy: (now.busy_since(earlier) * now.cpus as f64) as f32,
        memory_used: Bytes(now.memory_used),
        network_in: Bytes(now.received.saturating_sub(earlier.received)),
        network_out: Bytes(now.sent.saturating_sub(earlier.sent)),
    }
}

#[cfg(test)]
mod tests {
    use spec::Timestamp;

    use super::*;

    #[test]
    fn usage_is_the_difference_of_two_readings() {
        let none = Counters { cpus: 2, ..Counters::default() };
        let now = Counters { at: Timestamp(5_000_000), cpu_ticks: 1_000, cpu_idle: 250, ..none };
        let now = Counters { memory_used: 7, received: 100, sent: 5, ..now };
        let usage = usage(&none, &now);
        assert_eq!((usage.cpus_busy, usage.memory_used), (1.5, Bytes(7)));
        assert_eq!((usage.network_in, usage.network_out), (Bytes(100), Bytes(5)));
        assert_eq!(usage.interval, spec::Duration::from_secs(5));
    }
}
