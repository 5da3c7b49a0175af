//! Amounts in joint futures: as forecast at each knot, together and lasting as they were, and none in a
//! zone that is down.
#![expect(clippy::unwrap_used, reason = "tests panic where something is not as they say")]

use forecast::association::{Association, Outcomes};
use forecast::dependence::Dependence;
use forecast::free::levels::{LEVELS, Quantiles, level};
use forecast::learning::Learning;
use forecast::paths::{Ahead, AmountAhead, Joint, Paths, knots};
use forecast::recording::Measure;
use forecast::resource_predictor::Amount;
use forecast::seed::Stream;
use forecast::{Horizon, Material, ResourcePredictor, Zone};
use proptest::prelude::*;

const STEPS: usize = 288;

/// A zone that is up seven tenths of the time.
fn zone(is_up: bool) -> Ahead {
    let now = f64::from(u8::from(is_up));
    let up = |k: usize| 0.7 + (now - 0.7) * 0.97_f64.powi(k as i32);
    Ahead {
        is_up: Some(is_up),
        minutes_in_state: 45.0,
        survival: Vec::new(),
        up: (1..=STEPS).map(up).collect(),
        step_minutes: 5,
        hazards: [vec![0.05, 0.02], vec![0.02, 0.01]],
    }
}

/// What is in use, more and more uncertain, with a long upper tail.
fn amount(zone: usize, measure: Measure, capacity: Option<f64>) -> AmountAhead {
    let at = |knot: usize, i: usize| 2.0 + (knot + 1) as f64 * 0.05 * (level(i) * 3.0).exp();
    let used = |knot: usize| -> Quantiles { std::array::from_fn(|i| at(knot, i)) };
    let used = (0..knots(STEPS, 5).len()).map(used).collect();
    AmountAhead { zone, measure, capacity, used }
}

fn four() -> Vec<AmountAhead> {
    vec![
        amount(0, Measure::Cpu, Some(64.0)),
        amount(1, Measure::Cpu, Some(64.0)),
        amount(0, Measure::Memory, Some(128.0)),
        amount(1, Measure::NetworkIn, None),
    ]
}

fn joint() -> Joint {
    let dependence = Dependence::given(vec![1.0, 0.4, 0.4, 1.0], 2);
    Joint::new(&[zone(true), zone(false)], &dependence, Horizon::default())
        .with_amounts(four(), &Association::none(4))
}

/// The amount of a measure at a step; 0 while the zone is down.
fn at(paths: &Paths, path: usize, zone: usize, measure: &Measure, step: u16) -> f64 {
    let mut levels = paths.free(path, zone, measure);
    levels.find(|level| (level.from..level.to).contains(&step)).unwrap().value
}

#[test]
fn at_every_knot_amounts_of_paths_that_are_up_are_spread_as_forecast() {
    let paths = joint().paths(3000, 5);
    for (zone, measure, capacity) in
        [(0, Measure::Cpu, 64.0), (0, Measure::Memory, 128.0), (1, Measure::NetworkIn, 0.0)]
    {
        let said = four().into_iter().find(|a| a.zone == zone && a.measure == measure).unwrap();
        for (knot, &step) in knots(STEPS, 5).iter().enumerate() {
            let up: Vec<usize> = (0..paths.len()).filter(|&p| paths.is_up(p, zone, step)).collect();
            let used: Vec<f64> = up
                .iter()
                .map(|&path| (capacity - at(&paths, path, zone, &measure, step)).abs())
                .collect();
            for (i, &q) in said.used[knot].iter().enumerate() {
                let share =
                    used.iter().filter(|&&u| u <= q).count() as f64 / used.len().max(1) as f64;
                assert!((share - level(i)).abs() < 0.01 || up.len() < 100, "{zone} {step} {share}");
            }
            // Beyond the last level they go on as they fall off before it.
            let beyond = said.used[knot][LEVELS - 1] * 2.0 - said.used[knot][LEVELS - 2];
            let share =
                used.iter().filter(|&&u| u > beyond).count() as f64 / used.len().max(1) as f64;
            assert!((share - 0.025).abs() < 0.01 || up.len() < 100, "{zone} {step} {share}");
        }
    }
}

#[test]
fn a_zone_that_is_down_has_nothing_and_its_future_is_walked_in_one_pass() {
    let paths = joint().paths(60, 2);
    let measures: Vec<&Measure> = paths.measures(0).map(|amount| &amount.measure).collect();
    assert_eq!(measures, [&Measure::Cpu, &Measure::Memory]);
    for (path, zone) in (0..60).flat_map(|path| [(path, 0), (path, 1)]) {
        let mut next = 0;
        for state in paths.states(path, zone) {
            assert!(state.from == next && state.to > state.from);
            next = state.to;
            let mut steps = state.from..state.to;
            assert!(steps.all(|step| paths.is_up(path, zone, step) == state.is_up));
            let amounts: Vec<f64> = state.amounts().collect();
            assert_eq!(amounts.len(), 2);
            assert!(amounts.iter().all(|&amount| (amount > 0.0) == state.is_up));
            assert_eq!(amounts[0], at(&paths, path, zone, &Measure::Cpu, state.from));
        }
        assert_eq!(next, STEPS as u16 + 1);
        let levels: Vec<_> = paths.free(path, zone, &Measure::Cpu).collect();
        assert!(
            levels.windows(2).all(|two| two[0].to == two[1].from && two[0].value != two[1].value)
        );
        assert_eq!(paths.free(path, zone, &Measure::DiskRead).count(), 0);
    }
}

#[test]
fn the_same_seed_gives_the_same_amounts_and_they_change_nothing_of_what_is_up() {
    let joint = joint();
    assert_eq!(joint.paths(100, 1), joint.paths(100, 1));
    assert_ne!(joint.paths(100, 1), joint.paths(100, 2));
    let dependence = Dependence::given(vec![1.0, 0.4, 0.4, 1.0], 2);
    let bare = Joint::new(&[zone(true), zone(false)], &dependence, Horizon::default());
    let (bare, full) = (bare.paths(100, 1), joint.paths(100, 1));
    assert!((0..100).all(|path| bare.runs(path, 1).eq(full.runs(path, 1))));
    assert!(
        (0..100)
            .all(|path| bare.states(path, 1).map(|s| s.to).eq(bare.runs(path, 1).map(|r| r.to)))
    );
}

const DAY: usize = 48;
const DAYS: usize = 50;
/// What is left of a deviation half an hour later.
const LASTS: f64 = 0.885;

/// Cpu and memory of three zones, the first two in a region, as a daily wave and a deviation that
/// lasts; and the deviations. Fresh parts are what the zone's cpu and memory have in common, what the
/// region has in common, and the amount's own.
fn history() -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let mut stream = Stream::new(8);
    let mut normal = || (0..12).map(|_| stream.uniform()).sum::<f64>() - 6.0;
    let (mut amounts, mut deviations) = (vec![Vec::new(); 6], vec![Vec::new(); 6]);
    let mut now = [0.0; 6];
    for t in 0..DAYS * DAY {
        let wave = (t as f64 / DAY as f64 * std::f64::consts::TAU).sin();
        let (regions, zones) = ([normal(), normal()], [normal(), normal(), normal()]);
        for i in 0..6 {
            let zone = i / 2;
            let common = regions[zone / 2];
            let fresh = 0.6 * common + 0.5 * zones[zone] + 0.39_f64.sqrt() * normal();
            now[i] = LASTS * now[i] + fresh;
            deviations[i].push(now[i]);
            amounts[i].push(60.0 + 10.0 * wave + now[i]);
        }
    }
    (amounts, deviations)
}

fn correlation(a: impl Iterator<Item = f64> + Clone, b: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = a.clone().count() as f64;
    let mean = |x: &mut dyn Iterator<Item = f64>| x.sum::<f64>() / n;
    let (ma, mb) = (mean(&mut a.clone()), mean(&mut b.clone()));
    let aa: f64 = a.clone().map(|x| (x - ma).powi(2)).sum();
    let bb: f64 = b.clone().map(|y| (y - mb).powi(2)).sum();
    a.zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum::<f64>() / (aa * bb).sqrt()
}

#[test]
fn amounts_go_together_and_last_in_futures_as_they_did_in_the_history() {
    let (amounts, deviations) = history();
    let region = |z: usize| Some(["east", "east", "west"][z].to_owned());
    let zones: Vec<Zone> =
        (0..3).map(|z| Zone { name: format!("zone-{z}"), region: region(z) }).collect();
    let measures = [Measure::Cpu, Measure::Memory];
    let amount = |(i, values): (usize, &Vec<f64>)| Amount {
        zone: i / 2,
        measure: measures[i % 2].clone(),
        capacity: i.is_multiple_of(2).then_some(200.0),
        values: values.iter().map(|&value| Some(value)).collect(),
    };
    let material = Material {
        zones,
        start: None,
        step_seconds: 1800,
        up: vec![vec![Some(1.0); DAYS * DAY]; 3],
        amounts: amounts.iter().enumerate().map(amount).collect(),
        waits: Vec::new(),
        ahead: Vec::new(),
        warnings: Vec::new(),
    };
    let predictor = ResourcePredictor::learn(material, Learning::default().in_haste());
    let horizon = Horizon { minutes: 1440, step_minutes: 30 };
    let paths = predictor.joint(horizon).unwrap().paths(2000, 3);
    // Paths in which a zone is down for a while have nothing of it then.
    let drawn = |i: usize, step: u16| -> Vec<f64> {
        let of = |path: usize| at(&paths, path, i / 2, &measures[i % 2], step);
        // What is free goes the other way than what is in use.
        (0..2000)
            .map(|path| if i.is_multiple_of(2) { 200.0 - of(path) } else { of(path) })
            .collect()
    };
    let both_up = |i: usize, j: usize, steps: [u16; 2]| -> Vec<usize> {
        let is_up = |p: usize| paths.is_up(p, i / 2, steps[0]) && paths.is_up(p, j / 2, steps[1]);
        (0..2000).filter(|&path| is_up(path)).collect()
    };
    let together = |i: usize, j: usize, steps: [u16; 2]| {
        let (a, b) = (drawn(i, steps[0]), drawn(j, steps[1]));
        let up = both_up(i, j, steps);
        correlation(up.iter().map(|&p| a[p]), up.iter().map(|&p| b[p]))
    };
    // Deviations last four hours: fifty days of them show a correlation to 0.08 or so.
    let mut off = Vec::new();
    for i in 0..6 {
        for j in 0..i {
            let was = correlation(deviations[i].iter().copied(), deviations[j].iter().copied());
            let each = [6, 12, 24, 48].map(|step| together(i, j, [step, step]));
            let found = each.iter().sum::<f64>() / 4.0;
            println!("{i} {j}: {was:.3} was, {found:.3} drawn");
            assert!((found - was).abs() < 0.1, "{i} {j}: {found:.3} drawn, {was:.3} was");
            off.push((found - was).abs());
        }
    }
    assert!(off.iter().sum::<f64>() / (off.len() as f64) < 0.05, "{off:?}");
    let variance = |k: u16| 1.0 - LASTS.powi(2 * i32::from(k));
    for steps in [[2, 6], [6, 12], [12, 18], [24, 26]] {
        let lasts = LASTS.powi(i32::from(steps[1] - steps[0]));
        let truth = lasts * (variance(steps[0]) / variance(steps[1])).sqrt();
        let found = (0..6).map(|i| together(i, i, steps)).sum::<f64>() / 6.0;
        println!("{steps:?}: {truth:.3} planted, {found:.3} drawn");
        assert!((found - truth).abs() < 0.1, "{steps:?}: {found:.3} drawn, {truth:.3} planted");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_amounts_give_paths(
        quantiles in prop::collection::vec(prop::array::uniform19(any::<f64>()), 0..4),
        zone in 0..4_usize,
        capacity in prop::option::of(any::<f64>()),
        ranks in prop::collection::vec(prop_oneof![0.0..1.0_f32, Just(f32::NAN)], 0..30),
        series in 0..3_usize,
        minutes in 0..200_u32,
    ) {
        let amount = AmountAhead { zone, measure: Measure::Cpu, capacity, used: quantiles };
        let outcomes =
            |minutes| Outcomes { minutes, first: 0, news: 1.0, ranks: vec![ranks.clone(); series] };
        let association = Association::of(&[outcomes(60), outcomes(60), outcomes(70)], series);
        let zones = [self::zone(true), self::zone(false)];
        let horizon = Horizon { minutes, step_minutes: 5 };
        let paths = Joint::new(&zones, &Dependence::none(2), horizon)
            .with_amounts(vec![amount.clone(), amount], &association)
            .paths(3, 9);
        for state in (0..3).flat_map(|path| paths.states(path, zone.min(1))) {
            prop_assert!(state.amounts().all(|amount| !amount.is_nan()));
        }
    }
}
