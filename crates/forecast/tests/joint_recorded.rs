//! Joint futures of recorded zones: over many origins, zones go together as they did.
//!
//! Needs the folder of traces that `FORESHARD_DATA` names; without it there is nothing to test.
#![expect(clippy::unwrap_used, reason = "tests panic where something is not as they say")]
#![expect(clippy::disallowed_methods, reason = "a test on recorded data reads files")]

use std::path::PathBuf;

use forecast::learning::{BoostPlan, Learning};
use forecast::target::Target;
use forecast::trace::{self, Trace};
use forecast::{Horizon, Predictor, Zone, boost};

const FOLDER: &str = "traces/availability/1-node/aws-02-15-2023";
const DAY: usize = 288;

fn recorded() -> Option<Vec<(Zone, Trace)>> {
    let data = std::env::var("FORESHARD_DATA").unwrap_or("../shared/data".to_owned());
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(data);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(beside.join(FOLDER)).ok()?.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let trace = trace::parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
        (Zone { region: trace::region_of(&name).map(str::to_owned), name }, trace)
    };
    Some(files.into_iter().map(read).collect())
}

/// Sums for the correlation of every pair.
struct Sums {
    n: usize,
    all: f64,
    each: Vec<f64>,
    both: Vec<f64>,
}

impl Sums {
    fn new(n: usize) -> Self {
        Self { n, all: 0.0, each: vec![0.0; n], both: vec![0.0; n * n] }
    }

    fn add(&mut self, up: &[bool]) {
        self.all += 1.0;
        for a in (0..self.n).filter(|&a| up[a]) {
            self.each[a] += 1.0;
            (0..self.n).filter(|&b| up[b]).for_each(|b| self.both[a * self.n + b] += 1.0);
        }
    }

    fn correlation(&self, a: usize, b: usize) -> f64 {
        let mean = |z: usize| self.each[z] / self.all;
        let spread = |z: usize| mean(z) * (1.0 - mean(z));
        let both = self.both[a * self.n + b] / self.all;
        (both - mean(a) * mean(b)) / (spread(a) * spread(b)).sqrt()
    }
}

#[test]
fn over_many_origins_zones_go_together_as_they_did() {
    let Some(recorded) = recorded() else {
        eprintln!("skipped: FORESHARD_DATA has no {FOLDER}");
        return;
    };
    let (zones, traces): (Vec<Zone>, Vec<Trace>) = recorded.into_iter().unzip();
    let n = zones.len();
    let step = traces[0].step_seconds;
    let steps_a_day = 86_400 / step as usize;
    let settings = boost::Settings { rounds: 20, ..boost::Settings::default() };
    let mut learning = Learning { growth: 0.5, ..Learning::default() };
    learning.boosts =
        learning.boosts.into_iter().map(|plan| BoostPlan { settings, ..plan }).collect();
    let mut predictor = Predictor::new(&zones, step, &Target::all(), learning);
    let (mut history, mut futures) = (Sums::new(n), Sums::new(n));
    let is_up = |z: usize, t: usize| traces[z].samples[t].is_some_and(|count| count > 0.0);
    let length = traces[0].samples.len();
    for t in 0..length {
        let samples: Vec<Option<f64>> = traces.iter().map(|trace| trace.samples[t]).collect();
        predictor.observe(&samples);
        if t < 5 * steps_a_day || t + steps_a_day >= length {
            continue;
        }
        if t % 3 == 0 {
            history.add(&(0..n).map(|z| is_up(z, t)).collect::<Vec<_>>());
        }
        if t.is_multiple_of(steps_a_day / 2) {
            let paths = predictor.joint(Horizon::default()).unwrap().paths(200, t as u64);
            for path in 0..paths.len() {
                for step in (1..=DAY as u16).step_by(7) {
                    let up: Vec<bool> = (0..n).map(|z| paths.is_up(path, z, step)).collect();
                    futures.add(&up);
                }
            }
        }
    }
    let pairs: Vec<(usize, usize)> = (0..n).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
    let mut off = Vec::new();
    for &(a, b) in &pairs {
        let (was, drawn) = (history.correlation(a, b), futures.correlation(a, b));
        println!("{} {}: {was:.3} was, {drawn:.3} drawn", zones[a].name, zones[b].name);
        off.push(drawn - was);
    }
    let mean = off.iter().sum::<f64>() / off.len() as f64;
    let distance = off.iter().map(|d| d.abs()).sum::<f64>() / off.len() as f64;
    println!("mean difference {mean:.3}, mean distance {distance:.3}");
    // As many random pairs differ by 0.03 in the mean, and single ones by more: 40 days hold only
    // so many spells.
    assert!(mean.abs() < 0.05 && distance < 0.07, "{mean}, {distance}");
    agrees(&predictor);
}

/// Paths from the last step against forecasts: within a hundredth.
fn agrees(predictor: &Predictor) {
    let paths = predictor.joint(Horizon::default()).unwrap().paths(10_000, 1);
    for z in 0..predictor.zones().len() {
        let said = predictor.forecast(z, Horizon::default()).unwrap();
        let is_up_now = paths.is_up(0, z, 0);
        let (mut up_off, mut survival_off) = (0.0_f64, 0.0_f64);
        for step in 1..=DAY as u16 {
            let at = usize::from(step) - 1;
            let share = |is_true: &dyn Fn(usize) -> bool| {
                (0..paths.len()).filter(|&path| is_true(path)).count() as f64 / paths.len() as f64
            };
            let up = share(&|path| paths.is_up(path, z, step));
            up_off = up_off.max((up - said.up[at]).abs());
            let stayed = share(&|path| paths.runs(path, z).next().unwrap().to > step);
            survival_off = survival_off.max((stayed - said.survival[at]).abs());
        }
        println!("{}: up off by {up_off:.4}, survival by {survival_off:.4}", said.zone);
        assert!(up_off < 0.01, "{}: {up_off}", said.zone);
        assert!(!is_up_now || survival_off < 0.01, "{}: {survival_off}", said.zone);
    }
}
