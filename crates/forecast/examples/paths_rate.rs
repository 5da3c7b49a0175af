//! How long joint futures take: 10,000 paths of 50 zones over a day in steps of five minutes.
//!
//! `cargo run --release -p forecast --example paths_rate [ZONES] [PATHS]`
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::unwrap_used, reason = "a measurement may end where something is amiss")]

use std::time::Instant;

use forecast::Horizon;
use forecast::dependence::Dependence;
use forecast::paths::{Ahead, Joint};

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>().unwrap());
    let (zones, n) = (args.next().unwrap_or(50), args.next().unwrap_or(10_000));
    let ahead: Vec<Ahead> = (0..zones).map(zone).collect();
    let correlation = |k: usize| match (k / zones, k % zones) {
        (a, b) if a == b => 1.0,
        (a, b) if a / 4 == b / 4 => 0.4,
        _ => 0.1,
    };
    let correlations = (0..zones * zones).map(correlation).collect();
    let dependence = Dependence::given(correlations, zones);
    let start = Instant::now();
    let joint = Joint::new(&ahead, &dependence, Horizon::default());
    let fitted = start.elapsed();
    let start = Instant::now();
    let paths = joint.paths(n, 1);
    let drawn = start.elapsed();
    let runs: usize = (0..n).map(|path| paths.runs(path, 0).count()).sum();
    println!("calibrated in {fitted:.2?}");
    println!("{n} paths of {zones} zones over a day drawn in {drawn:.2?}");
    println!("{:.1} runs a day in the first zone", runs as f64 / n as f64);
}

/// A zone that is up most of the time, with runs of an hour to days.
fn zone(z: usize) -> Ahead {
    let is_up = z % 4 != 3;
    let rest = 0.5 + 0.4 * (z % 5) as f64 / 5.0;
    let up = |k: usize| rest + (f64::from(u8::from(is_up)) - rest) * 0.98_f64.powi(k as i32);
    let survival = |k: usize| (1.0 + k as f64 / 4.0).powf(-0.3) * 0.99_f64.powi(k as i32 / 4);
    Ahead {
        is_up: Some(is_up),
        minutes_in_state: 60.0,
        up: (1..=288).map(up).collect(),
        survival: if is_up {
            (1..=288).map(|k| survival(k).min(up(k))).collect()
        } else {
            Vec::new()
        },
        step_minutes: 5,
        hazards: [
            vec![0.1, 0.06, 0.04, 0.03, 0.02, 0.01],
            vec![0.08, 0.05, 0.03, 0.02, 0.01, 0.005],
        ],
    }
}
