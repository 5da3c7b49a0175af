//! Joint futures of recorded zones: over many origins, zones go together as they did.
//!
//! Needs the folder of traces that `FORESHARD_DATA` names; without it there is nothing to test.
#![expect(clippy::unwrap_used, reason = "tests panic where something is not as they say")]
#![expect(clippy::disallowed_methods, reason = "a test on recorded data reads files")]

mod pooled;

use std::path::PathBuf;

use forecast::learning::{BoostPlan, Learning};
use forecast::seed::Stream;
use forecast::target::Target;
use forecast::trace::{self, Trace};
use forecast::{Horizon, Predictor, Zone, boost};
use pooled::{Sums, compare};

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

#[test]
fn over_many_origins_zones_go_together_as_they_did() {
    let Some(recorded) = recorded() else {
        eprintln!("skipped: FORESHARD_DATA has no {FOLDER}");
        return;
    };
    let (zones, traces): (Vec<Zone>, Vec<Trace>) = recorded.into_iter().unzip();
    let n = zones.len();
    let step = traces[0].step_seconds;
    let day = 86_400 / step as usize;
    let mut predictor = Predictor::new(&zones, step, &Target::all(), quick());
    let [mut whole, mut later, mut causal] = [(); 3].map(|()| Sums::new(n));
    let state = |z: usize, t: usize| traces[z].samples[t].is_some_and(|count| count > 0.0);
    let length = traces[0].samples.len();
    let states: Vec<Vec<bool>> =
        (0..length).map(|t| (0..n).map(|z| state(z, t)).collect()).collect();
    let minutes = f64::from(step) / 60.0;
    let mut origins = Vec::new();
    for t in 0..length - day {
        let samples: Vec<Option<f64>> = traces.iter().map(|trace| trace.samples[t]).collect();
        predictor.observe(&samples);
        if t == 0 || !t.is_multiple_of(day / 4) {
            continue;
        }
        let ahead = predictor.ahead(Horizon::default()).unwrap();
        whole.add_past(&states, t, minutes);
        if t >= 5 * day && origins.len().is_multiple_of(2) {
            later.add_past(&states, t, minutes);
            causal.add_futures(&ahead, &predictor.dependence(), t as u64);
        }
        origins.push(ahead);
    }
    for t in length - day..length {
        predictor.observe(&traces.iter().map(|trace| trace.samples[t]).collect::<Vec<_>>());
    }
    let names: Vec<&str> = zones.iter().map(|zone| zone.name.as_str()).collect();
    // With what the whole history shows.
    let dependence = predictor.dependence();
    let mut known = Sums::new(n);
    for (i, ahead) in origins.iter().enumerate() {
        known.add_futures(ahead, &dependence, i as u64);
    }
    let off = compare("known at last", &names, &whole, &known);
    assert!(off.worst < 0.05 && off.mean.abs() < 0.02, "{} {}", off.worst, off.mean);
    // As each origin knew: of what was still to come nobody knew, and days differ.
    let off = compare("known then", &names, &later, &causal);
    let doubt = doubts(&states[5 * day..], day);
    let beyond = |&(a, b): &(usize, usize)| {
        let distance = causal.correlation(a, b) - later.correlation(a, b);
        distance.abs() > 2.0 * doubt[a * n + b]
    };
    let pairs: Vec<(usize, usize)> = later.pairs().collect();
    let mean = pairs.iter().map(|(a, b)| doubt[a * n + b]).sum::<f64>() / pairs.len() as f64;
    println!("other days of the same kind would have correlations that differ by {mean:.3}");
    assert!(off.mean.abs() < 0.03, "{}", off.mean);
    let beyond: Vec<_> = pairs.iter().filter(|pair| beyond(pair)).collect();
    assert!(20 * beyond.len() <= pairs.len(), "{beyond:?}");
    agrees(&predictor);
}

/// The standard error of every correlation, by drawing as many days with replacement.
fn doubts(states: &[Vec<bool>], day: usize) -> Vec<f64> {
    let n = states[0].len();
    let days: Vec<&[Vec<bool>]> = states.chunks_exact(day).collect();
    let mut stream = Stream::new(1);
    let (mut sums, mut squares) = (vec![0.0; n * n], vec![0.0; n * n]);
    let draws = 100;
    for _ in 0..draws {
        let mut drawn = Sums::new(n);
        for _ in &days {
            days[stream.below(days.len())].iter().step_by(9).for_each(|up| drawn.add(up));
        }
        for (a, b) in drawn.pairs() {
            let r = drawn.correlation(a, b);
            sums[a * n + b] += r;
            squares[a * n + b] += r * r;
        }
    }
    let draws = f64::from(draws);
    let error = |k: usize| (squares[k] / draws - (sums[k] / draws).powi(2)).max(0.0).sqrt();
    (0..n * n).map(error).collect()
}

/// Fewer trees, grown less often: what is tested here does not hang on how good they are.
fn quick() -> Learning {
    let settings = boost::Settings { rounds: 20, ..boost::Settings::default() };
    let mut learning = Learning { growth: 0.5, ..Learning::default() };
    learning.boosts =
        learning.boosts.into_iter().map(|plan| BoostPlan { settings, ..plan }).collect();
    learning
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
