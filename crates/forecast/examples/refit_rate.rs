//! How long it takes to learn from a long past, and to forecast: 100 zones, 90 days of 5 minutes, each
//! with whether it is up and three amounts (cpu, memory, network).
//!
//! `cargo run --release -p forecast --example refit_rate [ZONES] [DAYS]`
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::unwrap_used, reason = "a measurement may end where something is amiss")]

use std::time::{Duration, Instant};

use forecast::free::{FreePredictor, Settings};
use forecast::seed::Stream;
use forecast::target::Target;
use forecast::{Horizon, Learning, Predictor, Zone};

const STEP: u32 = 300;
/// Cpu, memory and network of each zone.
const AMOUNTS: usize = 3;

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>().unwrap());
    let (zones, days) = (args.next().unwrap_or(100), args.next().unwrap_or(90));
    let names: Vec<Zone> = (0..zones)
        .map(|z| Zone { name: format!("zone-{z}"), region: Some(format!("region-{}", z / 4)) })
        .collect();
    let mut stream = Stream::new(1);
    let mut states = vec![true; zones];
    let mut predictor =
        Predictor::new(&names, STEP, &Target::all(), Learning::default().in_haste());
    let (mut in_up, mut in_free) = (Duration::ZERO, Duration::ZERO);
    let amounts = zones * AMOUNTS;
    let mut free = FreePredictor::new(&vec![None; amounts], Settings::new(STEP).in_haste());
    let start = Instant::now();
    for t in 0..days * 86_400 / STEP as usize {
        let busy = if (96..240).contains(&(t % 288)) { 0.02 } else { 0.005 };
        for (z, state) in states.iter_mut().enumerate() {
            *state ^= stream.uniform() < busy * (1.0 + z as f64 / zones as f64);
        }
        let samples: Vec<_> = states.iter().map(|&up| Some(f64::from(u8::from(up)))).collect();
        let wave = (t as f64 / 288.0 * std::f64::consts::TAU).sin();
        let values: Vec<_> =
            (0..amounts).map(|i| Some(50.0 + wave * (i % 7) as f64 + stream.uniform())).collect();
        let before = Instant::now();
        predictor.observe(&samples);
        let between = Instant::now();
        free.observe(&values);
        in_up += between - before;
        in_free += between.elapsed();
    }
    println!(
        "history of {zones} zones x {days} days read in, with refits: {:.2?}, of which up and survival \
         {in_up:.2?}, {AMOUNTS} amounts each {in_free:.2?}",
        start.elapsed()
    );
    let start = Instant::now();
    predictor.refit();
    println!("one refit of up and survival: {:.2?}", start.elapsed());
    let start = Instant::now();
    free.refit();
    println!("one refit of amounts: {:.2?}", start.elapsed());
    let start = Instant::now();
    let sum: f64 = (0..zones)
        .map(|z| predictor.forecast(z, Horizon::default()).unwrap().survival.iter().sum::<f64>())
        .sum();
    println!("up and survival over a day, all zones: {:.2?} (sum {sum:.3})", start.elapsed());
    let start = Instant::now();
    let fans = (0..amounts).map(|i| free.fan(i, 288).unwrap());
    let sum: f64 = fans.map(|fan| fan.iter().map(|quantiles| quantiles[9]).sum::<f64>()).sum();
    println!("all quantiles over a day, all amounts: {:.2?} (sum {sum:.3})", start.elapsed());
}
