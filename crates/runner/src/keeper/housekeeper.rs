//! What comes round at intervals: the share of the machine, its measurement, and whether anyone
//! still gives orders.

use std::time::{Duration, Instant};

use engine::shard::HostInput;

use super::Keep;
use super::machine::Counters;
use super::share::CapacityShare;

/// How often the share of the machine is asked for.
const SHARE_INTERVAL: Duration = Duration::from_millis(500);

/// How often the machine is measured.
const MEASURE_INTERVAL: Duration = Duration::from_secs(5);

/// An idle keeper without an orchestrator ends after this long.
const ABANDONED_MAX: Duration = Duration::from_secs(10);

/// Keeps house for as long as the keeper lives.
pub(super) fn run(
    keep: &Keep,
    mut share: Box<dyn CapacityShare>,
    is_orchestrator_alive: &dyn Fn() -> bool,
) {
    let mut measure = Measure { last: Counters::read(keep.hub.clock.now()), at: Instant::now() };
    let mut last_sign = Instant::now();
    loop {
        let (wanted, in_use) = keep.hub.demand();
        keep.hub.tell(HostInput::Capacity(share.update(&wanted, &in_use)));
        if measure.at.elapsed() >= MEASURE_INTERVAL {
            measure.tell(keep);
            if !keep.hub.is_idle() || is_orchestrator_alive() {
                last_sign = Instant::now();
            }
        }
        if last_sign.elapsed() >= ABANDONED_MAX + MEASURE_INTERVAL {
            keep.hub.end_if_idle();
        }
        keep.hub.wait_for_wish(SHARE_INTERVAL);
    }
}

struct Measure {
    last: Option<Counters>,
    at: Instant,
}

impl Measure {
    fn tell(&mut self, keep: &Keep) {
        self.at = Instant::now();
        let counters = Counters::read(keep.hub.clock.now());
        match (&self.last, &counters) {
            (Some(last), Some(now)) => keep.hub.tell(HostInput::Measured(now.since(last))),
            (None, _) | (_, None) => keep.hub.beat(),
        }
        self.last = counters;
    }
}
