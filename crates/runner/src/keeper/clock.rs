//! The keeper's clock: tells the time of day, and never goes back.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use spec::{Duration, Timestamp};

/// The time of day at the start, and what has passed since.
///
/// Setting the system's clock neither fires time limits nor puts them off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started_at: Timestamp,
    started: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
        Self { started_at: Timestamp(micros), started: Instant::now() }
    }

    pub(super) fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.started_at + Duration(passed)
    }
}
