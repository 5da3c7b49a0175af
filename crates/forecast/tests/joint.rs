//! Joint futures agree with the forecasts they are drawn from, and with how zones fared together.

use forecast::Horizon;
use forecast::dependence::Dependence;
use forecast::paths::{Ahead, Joint, Paths};
use proptest::prelude::*;

const STEPS: usize = 288;

/// A zone with a daily dip, whose runs get safer as they last.
fn zone(is_up: Option<bool>, level: f64) -> Ahead {
    let now = is_up.map_or(level, |is_up| f64::from(u8::from(is_up)));
    let dip = |k: usize| 0.15 * (k as f64 / STEPS as f64 * std::f64::consts::TAU).sin();
    let up = |k: usize| {
        let rest = (level + dip(k)).clamp(0.02, 0.98);
        rest + (now - rest) * 0.97_f64.powi(k as i32)
    };
    // Whoever leaves at a step is down at it.
    let mut stay = 1.0_f64;
    let survival = (1..=STEPS).map(|k| {
        stay = (stay - (0.01 * stay).min(0.8 * (1.0 - up(k)))).min(up(k));
        stay
    });
    Ahead {
        is_up,
        minutes_in_state: 45.0,
        survival: if is_up == Some(true) { survival.collect() } else { Vec::new() },
        up: (1..=STEPS).map(up).collect(),
        step_minutes: 5,
        hazards: [
            vec![0.2, 0.1, 0.05, 0.03, 0.02, 0.01],
            vec![0.15, 0.08, 0.04, 0.02, 0.01, 0.005],
        ],
    }
}

fn four() -> Vec<Ahead> {
    vec![zone(Some(true), 0.7), zone(Some(true), 0.5), zone(Some(false), 0.6), zone(None, 0.4)]
}

/// Two regions of two.
fn regional(inside: f64, between: f64) -> Dependence {
    let r = |k: usize| match (k / 4, k % 4) {
        (a, b) if a == b => 1.0,
        (a, b) if a / 2 == b / 2 => inside,
        _ => between,
    };
    Dependence::given((0..16).map(r).collect(), 4)
}

fn share(paths: &Paths, is_true: impl Fn(usize) -> bool) -> f64 {
    (0..paths.len()).filter(|&path| is_true(path)).count() as f64 / paths.len() as f64
}

/// Of states, over paths and steps, within each step.
fn correlation(paths: &Paths, a: usize, b: usize, steps: std::ops::RangeInclusive<u16>) -> f64 {
    let [mut aa, mut bb, mut ab] = [0.0; 3];
    for step in steps.step_by(6) {
        let up = |zone| move |path| paths.is_up(path, zone, step);
        let (x, y) = (share(paths, up(a)), share(paths, up(b)));
        aa += x * (1.0 - x);
        bb += y * (1.0 - y);
        ab += share(paths, |path| up(a)(path) && up(b)(path)) - x * y;
    }
    ab / (aa * bb).sqrt()
}

#[test]
fn as_many_paths_are_up_and_stay_up_as_the_forecasts_say() {
    let zones = four();
    let paths = Joint::new(&zones, &regional(0.4, 0.1), Horizon::default()).paths(4000, 7);
    for (z, zone) in zones.iter().enumerate() {
        for step in 1..=STEPS {
            let said = zone.up[step - 1];
            let up = share(&paths, |path| paths.is_up(path, z, step as u16));
            // Nearer than independent paths would be: thresholds are ranks of the population.
            assert!((up - said).abs() < 0.01, "zone {z}, step {step}: {up} of {said}");
            let Some(&said) = zone.survival.get(step - 1) else { continue };
            let first = |path| paths.runs(path, z).next().unwrap();
            let stayed = share(&paths, |path| usize::from(first(path).to) > step);
            assert!((stayed - said).abs() < 0.01, "zone {z}, step {step}: {stayed} of {said}");
        }
    }
}

#[test]
fn zones_go_together_as_much_as_they_did() {
    for (inside, between) in [(0.5, 0.1), (0.3, 0.0), (-0.2, 0.2)] {
        let dependence = regional(inside, between);
        let paths = Joint::new(&four(), &dependence, Horizon::default()).paths(4000, 3);
        for a in 0..4 {
            for b in 0..a {
                let (found, said) = (correlation(&paths, a, b, 36..=288), dependence.between(a, b));
                assert!((found - said).abs() < 0.05, "{a}, {b}: {found:.3} of {said}");
            }
        }
    }
}

#[test]
fn runs_are_as_long_as_hazards_make_them() {
    // In a steady state nothing scales the hazards: those of ages up to ten minutes are 0.2.
    let mut zone = zone(None, 0.5);
    zone.hazards = [vec![0.2, 0.05], vec![0.2, 0.05]];
    zone.up = vec![0.5; STEPS];
    let paths = Joint::new(&[zone], &Dependence::none(1), Horizon::default()).paths(3000, 5);
    let (mut begun, mut longer) = ([0.0; 2], [0.0; 2]);
    for path in 0..paths.len() {
        let inner = paths.runs(path, 0).skip(1).filter(|run| run.from < 250);
        for run in inner {
            let length = run.to - run.from;
            begun[usize::from(run.is_up)] += 1.0;
            // Two steps at 0.2 and the rest at 0.05.
            longer[usize::from(run.is_up)] += f64::from(u8::from(length > 10));
        }
    }
    let said = 0.8_f64.powi(2) * 0.95_f64.powi(8);
    for state in 0..2 {
        let found = longer[state] / begun[state];
        assert!((found - said).abs() < 0.03, "{found} of {said}");
    }
}

#[test]
fn runs_are_now_and_the_whole_horizon_in_turns() {
    let paths = Joint::new(&four(), &regional(0.4, 0.1), Horizon::default()).paths(50, 1);
    for path in 0..50 {
        for zone in 0..4 {
            let runs: Vec<_> = paths.runs(path, zone).collect();
            assert_eq!((runs[0].from, runs.last().unwrap().to), (0, STEPS as u16 + 1));
            for pair in runs.windows(2) {
                assert_eq!(pair[0].to, pair[1].from);
                assert_ne!(pair[0].is_up, pair[1].is_up);
            }
            for run in runs {
                let mut steps = run.from..run.to;
                assert!(run.from < run.to || run.from == 0);
                assert!(steps.all(|step| paths.is_up(path, zone, step) == run.is_up));
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_futures_and_another_one_others() {
    let joint = Joint::new(&four(), &regional(0.4, 0.1), Horizon::default());
    assert_eq!(joint.paths(100, 1), joint.paths(100, 1));
    assert_ne!(joint.paths(100, 1), joint.paths(100, 2));
    assert_eq!(joint.paths(0, 1).len(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_forecast_gives_paths(
        up in prop::collection::vec(prop_oneof![4 => 0.0..=1.0, 1 => Just(f64::NAN)], 0..40),
        survival in prop::collection::vec(-1.0..2.0, 0..40),
        hazards in prop::collection::vec(prop_oneof![0.0..1.0, Just(f64::INFINITY)], 0..4),
        is_up in prop::option::of(any::<bool>()),
        minutes in 0..3000_u32,
    ) {
        let ahead = Ahead {
            is_up,
            minutes_in_state: f64::from(minutes) * 1e3,
            up,
            survival,
            step_minutes: 5,
            hazards: [hazards.clone(), hazards],
        };
        let zones = [ahead.clone(), ahead];
        let horizon = Horizon { minutes, step_minutes: 5 };
        let dependence = Dependence::given(vec![1.0, 0.9, 0.9, 1.0], 2);
        let paths = Joint::new(&zones, &dependence, horizon).paths(3, 9);
        prop_assert_eq!(u32::from(paths.steps()), minutes / 5);
        prop_assert!((0..3).all(|path| paths.runs(path, 1).count() >= 1));
    }
}
