//! What comes round at intervals: the share of the machine, its measurement, and whether anyone
//! still gives orders.

use std::time::{Duration, Instant};

use engine::shard::HostInput;
use observe::machine::Counters;

use super::Keep;
use super::machine::usage;
use super::share::CapacityShare;

/// How often the share of the machine is asked for, when more is not wanted sooner.
const SHARE_INTERVAL: Duration = Duration::from_millis(500);

/// How often the machine is measured, and the orchestrator looked for.
const MEASURE_INTERVAL: Duration = Duration::from_secs(5);

/// An idle keeper that looked in vain so often in a row ends.
const LOOKS_IN_VAIN_MAX: u32 = 3;

/// Keeps house for as long as the keeper lives.
pub(super) fn run(
    keep: &Keep,
    mut share: Box<dyn CapacityShare>,
    is_orchestrator_alive: &dyn Fn() -> bool,
) {
    let mut counters = Counters::read(keep.hub.clock.now());
    let (mut shared_at, mut measured_at) = (Instant::now(), Instant::now());
    let mut looks_in_vain = 0;
    loop {
        keep.hub.wait_for_wish(SHARE_INTERVAL.saturating_sub(shared_at.elapsed()));
        let is_due = shared_at.elapsed() >= SHARE_INTERVAL;
        let (wish, in_use) = keep.hub.wish(is_due);
        keep.hub.tell(HostInput::Capacity(share.update(&wish, &in_use)));
        if is_due {
            shared_at = Instant::now();
        }
        if measured_at.elapsed() >= MEASURE_INTERVAL {
            measured_at = Instant::now();
            counters = measure(keep, counters);
            let is_in_vain = keep.hub.is_idle() && !is_orchestrator_alive();
            looks_in_vain = if is_in_vain { looks_in_vain + 1 } else { 0 };
            if looks_in_vain >= LOOKS_IN_VAIN_MAX {
                keep.hub.end_if_idle();
            }
        }
    }
}

/// Reports what the machine did since it was last looked at.
fn measure(keep: &Keep, last: Option<Counters>) -> Option<Counters> {
    let counters = Counters::read(keep.hub.clock.now());
    match (&last, &counters) {
        (Some(last), Some(now)) => keep.hub.tell(HostInput::Measured(usage(last, now))),
        // Where nothing can be measured, something still shows that the keeper is there.
        (None, _) | (_, None) => keep.hub.beat(),
    }
    counters
}
