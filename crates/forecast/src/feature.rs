//! What is known about a zone at an origin, as one row of numbers.
//!
//! Knows the pasts of all zones of a group up to the origin and nothing later. What is not known
//! is NaN. The choice of features follows what helped on recorded spot capacity: the state and how
//! long it has lasted, how much of the recent past was up, how restless it was, the time of day,
//! and how the other zones fare, those of the region first.

use crate::series::Series;
use crate::target::steps_of;

/// Minutes over which the share of time up is taken.
const SHARES: [u32; 9] = [15, 30, 60, 180, 360, 720, 1440, 4320, 10080];

/// Names of the features of a zone, in the order of a row.
pub const NAMES: [&str; 36] = [
    "state",
    "log time in state",
    "signed log time in state",
    "log previous run",
    "up 15 min",
    "up 30 min",
    "up 1 h",
    "up 3 h",
    "up 6 h",
    "up 12 h",
    "up 1 d",
    "up 3 d",
    "up 7 d",
    "up ever",
    "changes 1 h",
    "changes 6 h",
    "changes 1 d",
    "hour sin",
    "hour cos",
    "hour",
    "level",
    "level 30 min",
    "level 3 h",
    "level 1 d",
    "others",
    "others 1 h",
    "others 6 h",
    "others 1 d",
    "region",
    "region 1 h",
    "region 6 h",
    "region 1 d",
    "partner",
    "partner 1 h",
    "log unknown",
    "zone",
];

/// Names of the features of a zone that depend on the horizon, in the order of a row.
pub const AHEAD_NAMES: [&str; 6] =
    ["target hour sin", "target hour cos", "1 d before", "2 d before", "7 d before", "3 d before"];

/// Index of the state in a row.
pub const STATE: usize = 0;
/// Index of the zone's number: an order without meaning, for trees only.
pub const ZONE: usize = 35;
/// Index of the hour, for trees only.
pub const HOUR: usize = 19;

/// Which zones say something about each other.
#[derive(Clone, Debug, Default)]
pub struct Neighbours {
    /// Zones of the same region, without the zone itself.
    pub region: Vec<usize>,
    /// All other zones.
    pub others: Vec<usize>,
}

/// The row of zone `z` at step `t`, which is at this hour.
#[must_use]
pub fn row(
    all: &[Series],
    near: &Neighbours,
    partner: Option<usize>,
    z: usize,
    (t, hour): (usize, f32),
    step_seconds: u32,
) -> Vec<f32> {
    let zone = &all[z];
    let minutes = step_seconds as f32 / 60.0;
    let steps = |m: u32| steps_of(m, step_seconds);
    let state = zone.carried_up(t).map_or(f32::NAN, |up| f32::from(u8::from(up)));
    let log_time = (zone.in_state(t) as f32 * minutes).ln_1p();
    let mut row = Vec::with_capacity(NAMES.len());
    row.extend([state, log_time, if state > 0.5 { log_time } else { -log_time }]);
    row.push((zone.previous_run() as f32 * minutes).ln_1p());
    row.extend(SHARES.map(|m| zone.up_share(t, steps(m))));
    row.push(zone.up_share(t, t + 1));
    row.extend([60, 360, 1440].map(|m| zone.changes(t, steps(m))));
    row.extend(round_the_clock(hour));
    row.push(hour);
    let levels = [30, 180, 1440].map(|m| zone.level_mean(t, steps(m)));
    row.extend(if zone.is_counted() {
        [zone.level(t), levels[0], levels[1], levels[2]]
    } else {
        [0.0; 4]
    });
    let region = if near.region.is_empty() { &near.others } else { &near.region };
    for zones in [&near.others, region] {
        row.extend([1, steps(60), steps(360), steps(1440)].map(|w| mean_of(all, zones, t, w)));
    }
    let of_partner = |w| partner.map_or(f32::NAN, |p| all[p].up_share(t, w));
    row.extend([of_partner(1), of_partner(steps(60))]);
    row.push((zone.unknown_for() as f32 * minutes).ln_1p());
    row.push(z as f32);
    row
}

/// Makes a row that of a zone which has just come up, all else being as it is.
pub fn suppose_just_up(row: &mut [f32]) {
    row[..3].copy_from_slice(&[1.0, 0.0, 0.0]);
}

/// The features of a zone at step `t` for a horizon of `k` steps, which ends at this hour.
#[must_use]
pub fn ahead(
    zone: &Series,
    t: usize,
    (k, hour): (usize, f32),
    step_seconds: u32,
) -> [f32; AHEAD_NAMES.len()] {
    let [sin, cos] = round_the_clock(hour);
    let before = |days| same_time(zone, t, k, days, step_seconds);
    [sin, cos, before(1), before(2), before(7), before(3)]
}

/// Hours since the first step, modulo a day.
#[must_use]
pub fn hour_of(t: usize, step_seconds: u32) -> f32 {
    let seconds = (t as u64 * u64::from(step_seconds)) % 86_400;
    seconds as f32 / 3600.0
}

fn round_the_clock(hour: f32) -> [f32; 2] {
    let angle = hour / 24.0 * std::f32::consts::TAU;
    [angle.sin(), angle.cos()]
}

/// Share up within half an hour of the target's clock time so many days before, as far as that
/// lies before the origin.
fn same_time(zone: &Series, t: usize, k: usize, days: u32, step_seconds: u32) -> f32 {
    let half = steps_of(30, step_seconds);
    let Some(centre) = (t + k).checked_sub(steps_of(days * 1440, step_seconds)) else {
        return f32::NAN;
    };
    let Some(from) = centre.checked_sub(half) else { return f32::NAN };
    let to = (centre + half).min(t);
    if to <= from { f32::NAN } else { zone.up_share(to, to + 1 - from) }
}

/// Mean share up over those zones of which something is known.
fn mean_of(all: &[Series], zones: &[usize], t: usize, w: usize) -> f32 {
    let (mut sum, mut n) = (0.0, 0.0_f32);
    for &z in zones {
        let share = all[z].up_share(t, w);
        if !share.is_nan() {
            sum += share;
            n += 1.0;
        }
    }
    if n > 0.0 { sum / n } else { f32::NAN }
}
