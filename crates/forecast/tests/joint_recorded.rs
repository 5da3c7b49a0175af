//! Joint futures of recorded zones: over many origins, zones go together as they did.
//!
//! Needs the folder of traces that `FORESHARD_DATA` names; without it there is nothing to test.
#![expect(clippy::unwrap_used, reason = "tests panic where something is not as they say")]
#![expect(clippy::disallowed_methods, reason = "a test on recorded data reads files")]

mod pooled;

use std::path::PathBuf;

use forecast::learning::{BoostPlan, Learning};
use forecast::paths::Ahead;
use forecast::seed::Stream;
use forecast::target::Target;
use forecast::trace::{self, Trace};
use forecast::{Horizon, Predictor, Zone, boost};
use pooled::{Off, Sums, compare};

const DAY: usize = 288;

fn recorded(folder: &str) -> Option<Vec<(Zone, Trace)>> {
    let data = std::env::var("FORESHARD_DATA").unwrap_or("../shared/data".to_owned());
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(data);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(beside.join(folder)).ok()?.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let trace = trace::parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
        (Zone { region: trace::region_of(&name).map(str::to_owned), name }, trace)
    };
    Some(files.into_iter().map(read).collect())
}

/// A recording fed step by step, with the forecasts of many origins.
struct Replay {
    names: Vec<String>,
    states: Vec<Vec<bool>>,
    day: usize,
    predictor: Predictor,
    /// What came after all origins.
    whole: Sums,
    /// The origins, four a day.
    origins: Vec<Vec<Ahead>>,
    /// What came after every other one from the sixth day on, and futures drawn with what was known then.
    later: Sums,
    causal: Sums,
}

fn replay(folder: &str) -> Option<Replay> {
    let Some(recorded) = recorded(folder) else {
        eprintln!("skipped: FORESHARD_DATA has no {folder}");
        return None;
    };
    let (zones, traces): (Vec<Zone>, Vec<Trace>) = recorded.into_iter().unzip();
    let (n, step, length) = (zones.len(), traces[0].step_seconds, traces[0].samples.len());
    let state = |z: usize, t: usize| traces[z].samples[t].is_some_and(|count| count > 0.0);
    let mut replay = Replay {
        names: zones.iter().map(|zone| zone.name.clone()).collect(),
        states: (0..length).map(|t| (0..n).map(|z| state(z, t)).collect()).collect(),
        day: 86_400 / step as usize,
        predictor: Predictor::new(&zones, step, &Target::all(), quick()),
        whole: Sums::new(n),
        origins: Vec::new(),
        later: Sums::new(n),
        causal: Sums::new(n),
    };
    for t in 0..length {
        let samples: Vec<Option<f64>> = traces.iter().map(|trace| trace.samples[t]).collect();
        replay.predictor.observe(&samples);
        if t > 0 && t + replay.day < length && t.is_multiple_of(replay.day / 4) {
            replay.origin(t, f64::from(step) / 60.0);
        }
    }
    Some(replay)
}

impl Replay {
    fn origin(&mut self, t: usize, minutes: f64) {
        let ahead = self.predictor.ahead(Horizon::default()).unwrap();
        self.whole.add_past(&self.states, t, minutes);
        if t >= 5 * self.day && self.origins.len().is_multiple_of(2) {
            self.later.add_past(&self.states, t, minutes);
            self.causal.add_futures(&ahead, &self.predictor.dependence(), t as u64);
        }
        self.origins.push(ahead);
    }

    /// Futures with forecasts as they were and what the whole history shows of how zones go together.
    fn known_at_last(&self) -> Off {
        let dependence = self.predictor.dependence();
        let mut known = Sums::new(self.names.len());
        for (i, ahead) in self.origins.iter().enumerate() {
            known.add_futures(ahead, &dependence, i as u64);
        }
        compare("known at last", &self.names, &self.whole, &known)
    }

    /// The pairs whose futures, with what each origin knew, are further from what came than other
    /// days of the same kind would be.
    fn beyond(&self) -> Vec<(usize, usize)> {
        let n = self.names.len();
        let doubts = doubts(&self.states[5 * self.day..], self.day);
        let pairs: Vec<(usize, usize)> = self.later.pairs().collect();
        let mean = pairs.iter().map(|(a, b)| doubts[a * n + b]).sum::<f64>() / pairs.len() as f64;
        println!("other days of the same kind would have correlations that differ by {mean:.3}");
        let is_beyond = |&(a, b): &(usize, usize)| {
            let distance = self.causal.correlation(a, b) - self.later.correlation(a, b);
            distance.abs() > 2.0 * doubts[a * n + b]
        };
        pairs.into_iter().filter(is_beyond).collect()
    }
}

#[test]
fn over_many_origins_zones_go_together_as_they_did() {
    let Some(replay) = replay("traces/availability/1-node/aws-02-15-2023") else { return };
    let off = replay.known_at_last();
    assert!(off.worst < 0.05 && off.mean.abs() < 0.02, "{} {}", off.worst, off.mean);
    // As each origin knew: of what was still to come nobody knew, and days differ.
    let off = compare("known then", &replay.names, &replay.later, &replay.causal);
    assert!(off.mean.abs() < 0.03, "{}", off.mean);
    let beyond = replay.beyond();
    assert!(20 * beyond.len() <= replay.later.pairs().count(), "{beyond:?}");
    agrees(&replay.predictor);
}

#[test]
fn instances_of_one_place_go_together_as_they_did_though_one_of_them_goes_away_for_good() {
    let Some(replay) = replay("traces/availability/1-node/aws-10-26-2022") else { return };
    let off = replay.known_at_last();
    assert!(off.worst < 0.05 && off.mean.abs() < 0.02, "{} {}", off.worst, off.mean);
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
