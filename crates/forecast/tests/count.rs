//! Forecasts of how many instances there will be: they agree with those of being up, find what was
//! planted, cannot read ahead, and stay upright on bad data.
#![expect(clippy::unwrap_used, reason = "tests panic where something is not as they say")]

use forecast::backtest::Folder;
use forecast::count::{Counts, backtest};
use forecast::free::backtest::Sums;
use forecast::learning::{BoostPlan, Learning};
use forecast::seed::Stream;
use forecast::target::{Kind, Target, UP_ANCHORS, steps_of};
use forecast::trace::Trace;
use forecast::{Covariates, Horizon, Predictor, Zone, boost};
use proptest::prelude::*;

const STEP: u32 = 900;
const DAY: usize = 96;
const MEDIAN: usize = 9;

type Steps = Vec<Vec<Option<f64>>>;

/// The same models with fewer trees: what is tested here does not hang on how good they are.
fn quick() -> Learning {
    let mut learning = Learning { growth: 0.5, ..Learning::default() };
    let settings = boost::Settings { rounds: 15, ..boost::Settings::default() };
    learning.boosts =
        learning.boosts.into_iter().map(|plan| BoostPlan { settings, ..plan }).collect();
    learning
}

fn zones(n: usize) -> Vec<Zone> {
    (0..n).map(|z| Zone { name: format!("zone-{z}"), region: None }).collect()
}

fn first(n: usize) -> Predictor {
    let targets = UP_ANCHORS.map(|minutes| Target { kind: Kind::Up, minutes });
    Predictor::new(&zones(n), STEP, &targets, quick())
}

fn fed(steps: &Steps) -> (Predictor, Counts) {
    let n = steps[0].len();
    let (mut first, mut counts) = (first(n), Counts::new(&zones(n), STEP, quick()));
    for step in steps {
        first.observe(step);
        counts.observe(step);
    }
    (first, counts)
}

/// The chance of at least so many.
fn at_least(distribution: &[(f64, f64)], count: f64) -> f64 {
    distribution.iter().filter(|one| one.0 >= count).map(|one| one.1).sum()
}

fn up(predictor: &Predictor, minutes: u32) -> f64 {
    let curve = predictor.view(0).unwrap().up();
    curve.points().iter().find(|point| point.0 == minutes).unwrap().1
}

#[test]
fn the_chance_of_one_is_that_of_being_up_and_of_more_nearly_that_of_a_zone_that_needs_more() {
    // One instance for four days: the second rung is reached late, and must know what was before.
    let mut stream = Stream::new(3);
    let count =
        |i: usize, dice: f64| f64::from(u8::from(dice > 0.3)) * if i < 4 * DAY { 1.0 } else { 3.0 };
    let steps: Steps = (0..8 * DAY).map(|i| vec![Some(count(i, stream.uniform()))]).collect();
    let (up_at_all, counts) = fed(&steps);
    let mut needing_two = first(1).needing(2);
    steps.iter().for_each(|step| needing_two.observe(step));
    let outlook = counts.outlook(0, &up_at_all, Horizon::default()).unwrap();
    for minutes in UP_ANCHORS {
        let distribution = outlook.distribution(minutes);
        let all: f64 = distribution.iter().map(|one| one.1).sum();
        assert!((all - 1.0).abs() < 1e-9);
        assert!((at_least(&distribution, 1.0) - up(&up_at_all, minutes)).abs() < 1e-6);
        // It has had nothing but three for days, so what is usual adds to the chance of that.
        let one = up(&up_at_all, minutes);
        let two = up(&needing_two, minutes).min(one);
        let found = at_least(&distribution, 2.0);
        let most = two + 0.3 * (one - two);
        assert!((two - 1e-6..most + 1e-6).contains(&found), "at {minutes} min: {found}, {two}");
        assert!(distribution.iter().all(|one| one.0 != 2.0), "it never had two");
    }
}

#[test]
fn a_daily_cycle_of_counts_is_found() {
    // Sixteen at night and five by day, one more or less each time.
    let mut stream = Stream::new(5);
    let planted = |i: usize| if i % DAY < DAY / 2 { 16.0 } else { 5.0 };
    let steps: Steps =
        (0..20 * DAY).map(|i| vec![Some(planted(i) + stream.below(2) as f64)]).collect();
    let (first, counts) = fed(&steps);
    let outlook = counts.outlook(0, &first, Horizon::default()).unwrap();
    // The last step is the last of a day: night is next, and a day ahead it is day again.
    for (minutes, planted) in [(360, 16.0), (1440, 5.0)] {
        let median = outlook.quantiles(minutes)[MEDIAN];
        assert!((planted..=planted + 1.0).contains(&median), "{median} in {minutes} min");
    }
}

#[test]
fn forecasts_are_the_same_when_what_came_later_is_removed() {
    let mut stream = Stream::new(9);
    let samples: Vec<Option<f64>> =
        (0..10 * DAY).map(|_| Some((stream.uniform() * 5.0).floor())).collect();
    let folder = |until: usize| Folder {
        name: "made".to_owned(),
        zones: zones(1),
        traces: vec![Trace {
            step_seconds: STEP,
            samples: samples.iter().enumerate().map(|(t, s)| s.filter(|_| t <= until)).collect(),
        }],
    };
    let cut = 8 * DAY;
    let rows = |until| {
        let ahead = [Covariates::none()];
        let outcome = backtest::run(&folder(until), &quick(), &ahead).unwrap().unwrap();
        outcome
            .rows
            .into_iter()
            .filter(|row| row.origin + steps_of(row.minutes, STEP) <= cut)
            .collect::<Vec<_>>()
    };
    let all = rows(usize::MAX);
    assert!(all.len() > 500);
    assert_eq!(all, rows(cut));
}

#[test]
fn forecasts_beat_the_baselines_on_counts_that_come_and_go() {
    let mut stream = Stream::new(1);
    let mut count = 4.0_f64;
    let samples = (0..15 * DAY).map(|_| {
        if stream.uniform() < 0.08 {
            count = [0.0, 4.0, 3.0][stream.below(3)];
        }
        Some(count)
    });
    let traces = vec![Trace { step_seconds: STEP, samples: samples.collect() }];
    let folder = Folder { name: "made".to_owned(), zones: zones(1), traces };
    let outcome = backtest::run(&folder, &quick(), &[Covariates::none()]).unwrap().unwrap();
    for (minutes, cells) in outcome.cells.iter().filter(|(minutes, _)| (30..=360).contains(minutes))
    {
        let least = cells[1..].iter().map(Sums::crps).fold(f64::INFINITY, f64::min);
        assert!(cells[0].crps() <= 1.02 * least, "{minutes} min: {} of {least}", cells[0].crps());
    }
}

#[test]
fn a_folder_that_only_says_up_or_down_has_no_counts() {
    let traces = vec![Trace { step_seconds: STEP, samples: vec![Some(1.0); 10] }];
    let folder = Folder { name: "made".to_owned(), zones: zones(1), traces };
    assert!(backtest::run(&folder, &quick(), &[Covariates::none()]).unwrap().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_samples_give_counts_that_add_up(
        samples in prop::collection::vec(
            prop_oneof![
                4 => (0..6_u8).prop_map(|count| Some(f64::from(count))),
                1 => Just(None),
                1 => prop_oneof![Just(f64::NAN), Just(-1.0), Just(1e300), Just(2.5)].prop_map(Some),
            ],
            1..200,
        ),
    ) {
        let steps: Steps = samples.iter().map(|&sample| vec![sample, sample]).collect();
        let (first, counts) = fed(&steps);
        if let Some(outlook) = counts.outlook(1, &first, Horizon::default()) {
            for minutes in [5, 90, 1440, 5000] {
                let distribution = outlook.distribution(minutes);
                let all: f64 = distribution.iter().map(|one| one.1).sum();
                prop_assert!((all - 1.0).abs() < 1e-9);
                prop_assert!(distribution.iter().all(|one| one.0 >= 0.0 && one.1 >= -1e-12));
                prop_assert!(outlook.quantiles(minutes).is_sorted());
            }
        }
    }
}
