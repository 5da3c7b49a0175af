//! The predictor as a stream: it cannot read ahead, is deterministic, finds planted effects, and
//! stays upright on bad data.
#![expect(clippy::unwrap_used, reason = "tests panic where something is not as they say")]

use forecast::backtest::{self, Folder};
use forecast::learning::{BoostPlan, Learning};
use forecast::seed::Stream;
use forecast::target::{Kind, SURVIVAL_ANCHORS, Target};
use forecast::trace::Trace;
use forecast::{Forecast, Horizon, Predictor, Warning, Zone, boost};
use proptest::prelude::*;

const STEP: u32 = 900;
const DAY: usize = 96;

/// The same models with fewer trees: what is tested here does not hang on how good they are.
fn quick() -> Learning {
    let mut learning = Learning { growth: 0.5, ..Learning::default() };
    let settings = boost::Settings { rounds: 20, ..boost::Settings::default() };
    learning.boosts =
        learning.boosts.into_iter().map(|plan| BoostPlan { settings, ..plan }).collect();
    learning
}

fn zones(n: usize) -> Vec<Zone> {
    let zone = |z| Zone { name: format!("zone-{z}"), region: Some(format!("region-{}", z / 2)) };
    (0..n).map(zone).collect()
}

/// Zones that change with a given hazard at each step.
fn random(n: usize, steps: usize, hazard: f64, seed: u64) -> Vec<Vec<Option<f64>>> {
    let mut stream = Stream::new(seed);
    let mut states = vec![true; n];
    (0..steps)
        .map(|_| {
            for state in &mut states {
                *state ^= stream.uniform() < hazard;
            }
            states.iter().map(|&state| Some(f64::from(u8::from(state)))).collect()
        })
        .collect()
}

fn fed(samples: &[Vec<Option<f64>>], n: usize) -> Predictor {
    let mut predictor = Predictor::new(&zones(n), STEP, &Target::all(), quick());
    samples.iter().for_each(|step| predictor.observe(step));
    predictor
}

fn forecasts(predictor: &Predictor) -> Vec<Forecast> {
    let each = 0..predictor.zones().len();
    each.map(|z| predictor.forecast(z, Horizon::default()).unwrap()).collect()
}

fn is_sound(forecast: &Forecast) -> bool {
    let in_range = |p: &f64| (0.0..=1.0).contains(p);
    forecast.up.iter().all(in_range)
        && forecast.survival.iter().all(in_range)
        && forecast.survival.windows(2).all(|pair| pair[1] <= pair[0] + 1e-9)
}

#[test]
fn forecasts_are_the_same_to_the_last_bit_when_what_came_later_is_removed() {
    let whole = random(3, 12 * DAY, 0.05, 1);
    let folder = |samples: &[Vec<Option<f64>>], cut: usize| Folder {
        name: "made".to_owned(),
        zones: zones(3),
        traces: (0..3)
            .map(|z| {
                let kept = samples.iter().enumerate();
                // What is removed is not known: the length, and so the split, stay.
                let samples = kept.map(|(t, step)| step[z].filter(|_| t <= cut)).collect();
                Trace { step_seconds: STEP, samples }
            })
            .collect(),
    };
    let targets = Target::all();
    let cut = 10 * DAY;
    let all = backtest::run(&folder(&whole, usize::MAX), &targets, &quick()).unwrap();
    let short = backtest::run(&folder(&whole, cut), &targets, &quick()).unwrap();
    let bits = |rows: &[backtest::Row], last: usize| -> Vec<(usize, usize, Target, u64)> {
        let scored = rows.iter().filter(|row| row.origin + row.target.steps(STEP) <= last);
        scored.map(|row| (row.zone, row.origin, row.target, row.p.to_bits())).collect()
    };
    let kept = bits(&short.rows, cut);
    assert!(kept.len() > 3000, "there is something to compare: {}", kept.len());
    assert_eq!(bits(&all.rows, cut), kept);
}

#[test]
fn the_order_in_which_forecasts_are_asked_for_changes_nothing() {
    let samples = random(2, 4 * DAY, 0.05, 2);
    let quiet = fed(&samples, 2);
    let mut asked = Predictor::new(&zones(2), STEP, &Target::all(), quick());
    for step in &samples {
        asked.observe(step);
        let _ = asked.forecast(1, Horizon::default());
    }
    assert_eq!(forecasts(&quiet), forecasts(&asked));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn whatever_comes_in_probabilities_go_out(
        seed: u64,
        hazard in 0.0..0.5,
        bad in prop::collection::vec(prop::sample::select(vec![
            None, Some(f64::NAN), Some(-3.0), Some(f64::INFINITY), Some(1e300), Some(0.5),
        ]), 0..200),
    ) {
        let mut samples = random(2, 3 * DAY, hazard, seed);
        for (i, sample) in bad.into_iter().enumerate() {
            samples[(i * 7) % (3 * DAY)][i % 2] = sample;
        }
        let predictor = fed(&samples, 2);
        for forecast in forecasts(&predictor) {
            prop_assert!(is_sound(&forecast), "{:?}", forecast);
        }
    }
}

#[test]
fn survival_of_a_constant_hazard_is_near_the_truth_and_on_the_mean_still_nearer() {
    let hazard = 0.02;
    let samples = random(4, 30 * DAY, hazard, 3);
    let targets: Vec<Target> = SURVIVAL_ANCHORS[..4]
        .iter()
        .map(|&minutes| Target { kind: Kind::Survival, minutes })
        .collect();
    let mut predictor = Predictor::new(&zones(4), STEP, &targets, quick());
    let mut errors = vec![Vec::new(); targets.len()];
    for (t, step) in samples.iter().enumerate() {
        predictor.observe(step);
        if t < 20 * DAY || t % 24 > 0 {
            continue;
        }
        for z in 0..4 {
            let curve = predictor.view(z).unwrap().survival();
            for (errors, target) in errors.iter_mut().zip(&targets) {
                let truth = (1.0_f64 - hazard).powi(target.steps(STEP) as i32);
                errors.push(curve.at(target.minutes, 1.0) - truth);
            }
        }
    }
    for (errors, target) in errors.iter().zip(&targets) {
        let n = errors.len() as f64;
        let mean = errors.iter().sum::<f64>() / n;
        let spread = (errors.iter().map(|error| error.powi(2)).sum::<f64>() / n).sqrt();
        assert!(mean.abs() < 0.04 && spread < 0.08, "{target}: {mean} ± {spread}");
    }
}

#[test]
fn a_daily_cycle_is_found() {
    // Up from 8 to 20 o'clock, with one sample in twenty turned over.
    let mut stream = Stream::new(4);
    let samples: Vec<Vec<Option<f64>>> = (0..30 * DAY)
        .map(|t| {
            let is_day = (32..80).contains(&(t % DAY));
            vec![Some(f64::from(u8::from(is_day != (stream.uniform() < 0.05))))]
        })
        .collect();
    let predictor = fed(&samples, 1);
    let up = &forecasts(&predictor)[0].up;
    // The last sample is of midnight: noon is 12 hours ahead, the next midnight 24.
    assert!(up[12 * 12 - 1] > 0.8, "noon: {}", up[12 * 12 - 1]);
    assert!(up[22 * 12 - 1] < 0.2, "ten at night: {}", up[22 * 12 - 1]);
}

#[test]
fn a_zone_that_foretells_another_is_used() {
    // Zone 1 does what zone 0 did an hour ago.
    let mut samples = random(1, 30 * DAY, 0.04, 5);
    for t in (0..samples.len()).rev() {
        let earlier = samples[t.saturating_sub(4)][0];
        samples[t].push(earlier);
    }
    let targets = [Target { kind: Kind::Up, minutes: 60 }];
    let folder = Folder {
        name: "made".to_owned(),
        zones: zones(2),
        traces: (0..2)
            .map(|z| Trace { step_seconds: STEP, samples: samples.iter().map(|s| s[z]).collect() })
            .collect(),
    };
    let outcome = backtest::run(&folder, &targets, &quick()).unwrap();
    let skill = |z: usize| outcome.cells[0].zones[z].skill(&outcome.cells[1].zones[z]);
    assert!(skill(1) > skill(0) + 0.1, "{} against {}", skill(1), skill(0));
}

#[test]
fn an_hour_of_history_gives_no_sure_number_and_says_why() {
    let predictor = fed(&vec![vec![Some(1.0)]; 4], 1);
    let forecast = &forecasts(&predictor)[0];
    assert!(is_sound(forecast));
    assert!(forecast.up.last().unwrap() < &0.6);
    assert!(forecast.warnings.contains(&Warning::ShortHistory { hours: 1 }));
    assert!(forecast.warnings.contains(&Warning::TablesOnly));
}

#[test]
fn a_zone_that_vanishes_and_one_that_was_never_seen_are_named() {
    let mut samples = random(3, 20 * DAY, 0.05, 6);
    for (t, step) in samples.iter_mut().enumerate() {
        step[2] = None;
        if t > 18 * DAY {
            step[1] = None;
        }
    }
    let predictor = fed(&samples, 3);
    let forecasts = forecasts(&predictor);
    assert!(forecasts.iter().all(is_sound));
    assert!(forecasts[1].warnings.iter().any(|w| matches!(w, Warning::Vanished { .. })));
    assert!(forecasts[1].up.iter().all(|p| (p - 0.5).abs() < 0.25), "{:?}", forecasts[1].up);
    assert_eq!(forecasts[2].warnings, [Warning::NeverSeen]);
    assert!(forecasts[2].up.iter().skip(11).all(|p| (p - 0.5).abs() < 0.01));
}

#[test]
fn a_zone_that_never_changed_may_still_change() {
    let predictor = fed(&vec![vec![Some(1.0)]; 20 * DAY], 1);
    let forecast = &forecasts(&predictor)[0];
    assert!(forecast.warnings.contains(&Warning::Constant));
    let last = *forecast.up.last().unwrap();
    assert!((0.8..0.97).contains(&last), "{last}");
}

#[test]
fn folders_that_cannot_be_tested_are_refused() {
    let empty = Folder { name: "empty".to_owned(), zones: Vec::new(), traces: Vec::new() };
    assert!(backtest::run(&empty, &Target::all(), &quick()).is_err());
    let trace = |step_seconds| Trace { step_seconds, samples: vec![Some(1.0)] };
    let mixed =
        Folder { name: "mixed".to_owned(), zones: zones(2), traces: vec![trace(60), trace(300)] };
    assert_eq!(
        backtest::run(&mixed, &Target::all(), &quick()).unwrap_err(),
        backtest::Error::Steps("mixed".to_owned())
    );
}
