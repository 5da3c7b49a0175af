//! How long joint futures take: 10,000 paths of 50 zones over a day in steps of five minutes, first
//! only up and down, then with three amounts of each zone.
//!
//! `cargo run --release -p forecast --example paths_rate [ZONES] [PATHS]`
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::unwrap_used, reason = "a measurement may end where something is amiss")]

use std::time::Instant;

use forecast::Horizon;
use forecast::association::{Association, Outcomes};
use forecast::dependence::Dependence;
use forecast::free::levels;
use forecast::paths::{Ahead, AmountAhead, Joint, knots};
use forecast::recording::Measure;
use forecast::seed::Stream;

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
    println!("calibrated in {fitted:.2?}");
    println!("{n} paths of {zones} zones over a day drawn in {drawn:.2?}");
    let association = association(zones);
    let start = Instant::now();
    let joint = joint.with_amounts(amounts(zones), &association);
    let full = joint.paths(n, 1);
    println!("with three amounts of each zone in {:.2?}", start.elapsed());
    let start = Instant::now();
    let walked = (0..n).flat_map(|path| (0..zones).flat_map(move |zone| [(path, zone)]));
    let stretches = walked.map(|(path, zone)| full.states(path, zone).count()).sum::<usize>();
    println!("{stretches} stretches of one state walked in {:.2?}", start.elapsed());
    let runs: usize = (0..n).map(|path| paths.runs(path, 0).count()).sum();
    println!("{:.1} runs a day in the first zone", runs as f64 / n as f64);
}

/// Three amounts of each zone, that spread more the farther ahead.
fn amounts(zones: usize) -> Vec<AmountAhead> {
    let measures = [Measure::Cpu, Measure::Memory, Measure::NetworkIn];
    let quantile =
        |knot: usize, i: usize| 0.5 + 0.02 * (knot + 1) as f64 * (levels::level(i) - 0.5);
    let used = |knot| std::array::from_fn(|i| quantile(knot, i));
    let amount = |k: usize| AmountAhead {
        zone: k / 3,
        measure: measures[k % 3].clone(),
        capacity: Some(1.0),
        used: (0..knots(288, 5).len()).map(used).collect(),
    };
    (0..3 * zones).map(amount).collect()
}

/// Measures of a zone go together, and zones of a region.
fn association(zones: usize) -> Association {
    let mut stream = Stream::new(1);
    let origins = 2000;
    let mut ranks = vec![Vec::with_capacity(origins); 3 * zones];
    for _ in 0..origins {
        let regions: Vec<f64> = (0..zones.div_ceil(4)).map(|_| stream.uniform()).collect();
        for (i, ranks) in ranks.iter_mut().enumerate() {
            ranks.push((0.5 * (regions[i / 12] + stream.uniform())) as f32);
        }
    }
    let outcomes = |minutes| Outcomes { minutes, first: 0, news: 1.0, ranks: ranks.clone() };
    Association::of(&[outcomes(60), outcomes(180)], 3 * zones)
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
