//! Effects planted into synthetic zones: each is found, and is gone when its input is left out.
#![expect(clippy::unwrap_used, reason = "tests panic where something is not as they say")]

use forecast::backtest::{self, Folder};
use forecast::calendar::{Axis, Kind as Event, When};
use forecast::learning::{BoostPlan, Learning};
use forecast::local_clock::LocalClock;
use forecast::recurrence::Run;
use forecast::regressor::{Known, Regressor};
use forecast::seed::Stream;
use forecast::target::{Kind, Target};
use forecast::trace::Trace;
use forecast::worth::Worth;
use forecast::{Covariates, Horizon, Predictor, Zone, boost};
use spec::Timestamp;

const STEP: u32 = 900;
const DAY: usize = 96;
/// Monday, 2026-01-05 00:00 UTC.
const AXIS: Axis = Axis { start: Timestamp(1_767_571_200_000_000), step_seconds: STEP };

/// The same models with fewer trees.
fn quick() -> Learning {
    let mut learning = Learning { growth: 0.6, ..Learning::default() };
    let settings = boost::Settings { rounds: 30, ..boost::Settings::default() };
    learning.boosts =
        learning.boosts.into_iter().map(|plan| BoostPlan { settings, ..plan }).collect();
    learning
}

fn zones(n: usize) -> Vec<Zone> {
    (0..n).map(|z| Zone { name: format!("zone-{z}"), region: None }).collect()
}

fn predictor(n: usize, targets: &[Target], covariates: &Covariates) -> Predictor {
    Predictor::new(&zones(n), STEP, targets, quick())
        .with_covariates(vec![covariates.clone(); n])
        .unwrap()
}

/// Zones of which each is drawn at every step towards being up with the probability that holds
/// then; a state holds for two hours in the mean.
fn drawn(n: usize, steps: usize, seed: u64, up: impl Fn(usize) -> f64) -> Vec<Vec<Option<f64>>> {
    let mut stream = Stream::new(seed);
    let mut states = vec![true; n];
    let step = |t: usize| {
        for state in &mut states {
            if stream.uniform() < 1.0 / 8.0 {
                *state = stream.uniform() < up(t);
            }
        }
        states.iter().map(|&state| Some(f64::from(u8::from(state)))).collect()
    };
    (0..steps).map(step).collect()
}

/// What a predictor says in the mean at the origins of each kind, before it sees what follows; an
/// origin that `kind` does not name is not asked.
fn said<const N: usize>(
    samples: &[Vec<Option<f64>>],
    target: Target,
    covariates: &Covariates,
    kind: impl Fn(usize) -> Option<usize>,
) -> [f64; N] {
    let n = samples[0].len();
    let mut predictor = predictor(n, &[target], covariates);
    let mut sums = [(0.0, 0.0); N];
    for (t, step) in samples.iter().enumerate() {
        predictor.observe(step);
        let Some(kind) = kind(t) else { continue };
        for z in 0..n {
            let view = predictor.view(z).unwrap();
            let curve = if target.kind == Kind::Up { view.up() } else { view.survival() };
            sums[kind].0 += curve.points()[0].1;
            sums[kind].1 += 1.0;
        }
    }
    sums.map(|(sum, asked)| sum / asked)
}

fn up(minutes: u32) -> Target {
    Target { kind: Kind::Up, minutes }
}

fn day(day: i64) -> When {
    When::day(AXIS.start.0 / 86_400_000_000 + day)
}

#[test]
fn survival_of_runs_with_a_long_tail_is_within_its_binomial_error_of_the_truth() {
    // Six runs in ten end with a hazard of 0.1 a step, the others with 0.01.
    const MIX: [(f64, f64); 2] = [(0.6, 0.1), (0.4, 0.01)];
    let left = |age: i32| MIX.iter().map(|(part, h)| part * (1.0 - h).powi(age)).sum::<f64>();
    let mut stream = Stream::new(8);
    let mut states = [(false, 0.1); 4];
    let samples: Vec<Vec<Option<f64>>> = (0..60 * DAY)
        .map(|_| {
            for (is_up, hazard) in &mut states {
                if stream.uniform() < *hazard {
                    let is_long = stream.uniform() < MIX[1].0;
                    *is_up ^= true;
                    *hazard = if *is_up { MIX[usize::from(is_long)].1 } else { 0.1 };
                }
            }
            states.iter().map(|(is_up, _)| Some(f64::from(u8::from(*is_up)))).collect()
        })
        .collect();
    let targets = [60, 180, 360].map(|minutes| Target { kind: Kind::Survival, minutes });
    let mut predictor = predictor(4, &targets, &Covariates::none());
    let ages = [0, 8, 32];
    let mut in_state = [0_usize; 4];
    let mut runs = [0.0; 3];
    let mut sums = [[(0.0, 0.0); 3]; 3];
    for t in 0..samples.len() {
        predictor.observe(&samples[t]);
        for z in 0..4 {
            let is_same = t > 0 && samples[t][z] == samples[t - 1][z];
            in_state[z] = if is_same { in_state[z] + 1 } else { 0 };
            let at_age = ages.iter().position(|&age| age == in_state[z]);
            let (Some(age), Some(1.0)) = (at_age, samples[t][z]) else { continue };
            runs[age] += 1.0;
            if t > 40 * DAY {
                let curve = predictor.view(z).unwrap().survival();
                for (sum, point) in sums[age].iter_mut().zip(curve.points()) {
                    *sum = (sum.0 + point.1, sum.1 + 1.0);
                }
            }
        }
    }
    for (a, &age) in ages.iter().enumerate() {
        for (&(sum, n), target) in sums[a].iter().zip(targets) {
            let age = age as i32;
            let truth = left(age + target.steps(STEP) as i32) / left(age);
            let error = (truth * (1.0 - truth) / runs[a]).sqrt();
            let said = sum / n;
            assert!(
                (said - truth).abs() < 3.0 * error,
                "age {age} {target}: {said} {truth} {error}"
            );
        }
    }
}

#[test]
fn a_daily_cycle_follows_the_clock_on_the_wall_when_it_is_put_forward() {
    // Berlin, from Monday, 2026-02-16; 2026-03-29 01:00 UTC the clock goes from +1 to +2.
    let axis = Axis { start: Timestamp(1_771_200_000_000_000), step_seconds: STEP };
    let berlin = LocalClock::new(3600, vec![(1_774_746_000, 7200)]);
    let hour = |t: usize| berlin.reading(axis.at(t as i64)).hour;
    let work = |t: usize| (8.0..20.0).contains(&hour(t));
    let samples = drawn(2, 43 * DAY, 4, |t| if work(t) { 0.95 } else { 0.05 });
    let on = Covariates::new(axis, berlin.clone()).with_clock();
    let target = up(360);
    let k = target.steps(STEP);
    // Monday after the change: half past seven UTC is half past nine, an hour and a half into the
    // day of work, by the clock of last week only half an hour.
    let asked =
        |t: usize| ((t + k) / DAY == 42 && (28..32).contains(&((t + k) % DAY))).then_some(0);
    let [with] = said(&samples, target, &on, asked);
    let [without] = said(&samples, target, &on.without("clock"), asked);
    assert!(with > without + 0.1, "{with} {without}");
}

#[test]
fn a_holiday_is_found_after_a_few() {
    let days: Vec<i64> = vec![9, 20, 31, 32, 43, 54, 60];
    let is_holiday = |t: usize| days.contains(&((t / DAY) as i64));
    let samples = drawn(3, 61 * DAY, 1, |t| if is_holiday(t) { 0.15 } else { 0.9 });
    let events: Vec<When> = days.iter().map(|&d| day(d)).collect();
    let on =
        Covariates::new(AXIS, LocalClock::utc()).with_events("public", Event::Holiday, &events);
    let target = up(1440);
    let k = target.steps(STEP);
    // The afternoon of the last holiday, and of the day before it, a day ahead.
    let asked = |t: usize| match ((t + k) / DAY, (t + k) % DAY) {
        (59, 48..) => Some(0),
        (60, 48..) => Some(1),
        _ => None,
    };
    let [plain, holiday] = said(&samples, target, &on, asked);
    let [plain_off, holiday_off] = said(&samples, target, &on.without("public"), asked);
    // The truth moves by 0.75.
    assert!(plain - holiday > 0.6 * 0.75, "{plain} {holiday}");
    assert!((plain_off - holiday_off).abs() < 0.1, "{plain_off} {holiday_off}");
}

#[test]
fn a_feed_that_drives_capacity_is_found() {
    // A load that changes every five hours, known ahead; the zone is up while it is low.
    let mut stream = Stream::new(5);
    let blocks: Vec<f64> = (0..250).map(|_| 20.0 + 60.0 * stream.uniform()).collect();
    let feed: Vec<(Timestamp, f64)> =
        (0..1250).map(|i: usize| (AXIS.at(i as i64 * 4), blocks[i / 5])).collect();
    let is_low = |t: usize| blocks[t / 20] < 50.0;
    let samples = drawn(2, 50 * DAY, 2, |t| if is_low(t) { 0.95 } else { 0.05 });
    let regressor = Regressor::new(AXIS, Known::Ahead, &feed).unwrap();
    let on = Covariates::new(AXIS, LocalClock::utc()).with_regressor("load", regressor);
    let target = up(720);
    let k = target.steps(STEP);
    // Three and a half hours into a block the zone is mostly as the load has it.
    let asked = |t: usize| {
        let is_late = t > 40 * DAY && (t + k) % 20 >= 14 && t + k < 50 * DAY;
        is_late.then(|| usize::from(is_low(t + k)))
    };
    let [high, low] = said(&samples, target, &on, asked);
    let [high_off, low_off] = said(&samples, target, &on.without("load"), asked);
    // The truth moves by 0.8: 0.9, less what is left of the block before after 14 steps.
    assert!(low - high > 0.5 * 0.8, "{low} {high}");
    assert!((low_off - high_off).abs() < 0.15, "{low_off} {high_off}");
}

#[test]
fn a_run_that_comes_back_is_expected() {
    // One night in nine none, else one of six hours, some time from half past one to half past two.
    let mut stream = Stream::new(12);
    let starts: Vec<i64> = (0..45).filter(|day| day % 9 != 4).map(|day| day * 96 + 6).collect();
    let starts: Vec<i64> = starts.iter().map(|start| start + stream.below(5) as i64).collect();
    let is_busy = |t: usize| starts.iter().any(|&s| (s..s + 24).contains(&(t as i64)));
    let runs: Vec<Run> = starts
        .iter()
        .map(|&start| Run {
            name: "nightly".to_owned(),
            start: AXIS.at(start),
            seconds: 6.0 * 3600.0,
            cpus: 16.0,
            memory: 64e9,
        })
        .collect();
    let samples = drawn(2, 45 * DAY, 13, |t| if is_busy(t) { 0.1 } else { 0.9 });
    let on = Covariates::new(AXIS, LocalClock::utc()).with_runs(&runs);
    let target = up(720);
    let k = target.steps(STEP);
    // Late in the run, and at noon, of the last nights.
    let asked = |t: usize| match ((t + k) / DAY, (t + k) % DAY) {
        (42.., 24..30) => Some(0),
        (42.., 60..72) => Some(1),
        _ => None,
    };
    let [night, noon] = said(&samples, target, &on, asked);
    let [night_off, noon_off] = said(&samples, target, &on.without("runs"), asked);
    // The truth moves by 0.7; the hour of day alone, without the input, finds a part of it.
    assert!(noon - night > 0.6 * 0.7, "{noon} {night}");
    assert!(noon - night > noon_off - night_off + 0.05, "{noon_off} {night_off}");
}

#[test]
fn a_drain_acts_before_one_was_seen_and_only_while_it_lasts() {
    let samples = drawn(2, 21 * DAY, 3, |_| 0.95);
    // From five hours after the last sample on, for four hours.
    let hour = |h: i64| AXIS.at(21 * DAY as i64 - 1 + h * 4);
    let event = When::Instants { from: hour(5), to: hour(9) };
    let on = Covariates::new(AXIS, LocalClock::utc()).with_events("works", Event::Drain, &[event]);
    let forecast = |covariates: &Covariates| {
        let mut predictor = predictor(2, &Target::all(), covariates);
        samples.iter().for_each(|step| predictor.observe(step));
        predictor.forecast(0, Horizon::default()).unwrap()
    };
    let (with, without) = (forecast(&on), forecast(&on.without("works")));
    // One entry every five minutes; the step before the drain ends at 285 minutes.
    for i in 0..288 {
        let is_drained = (57..105).contains(&i);
        assert_eq!(with.up[i] < 0.05, is_drained, "at {} min: {}", 5 * (i + 1), with.up[i]);
        assert_eq!(with.survival[i] < 0.05, i >= 57, "{i}: {}", with.survival[i]);
    }
    assert!(without.up.iter().all(|&p| p > 0.8), "{:?}", without.up);
    assert!(without.survival[59] > 0.6 && (with.up[0] - without.up[0]).abs() < 0.02);
}

#[test]
fn drains_that_turn_out_to_do_nothing_are_learned_to() {
    let samples = drawn(2, 30 * DAY, 6, |_| 0.9);
    let event = |d: i64| When::Instants {
        from: AXIS.at(d * DAY as i64 + 40),
        to: AXIS.at(d * DAY as i64 + 56),
    };
    let events: Vec<When> = (3..30).step_by(3).map(event).collect();
    let on = Covariates::new(AXIS, LocalClock::utc()).with_events("works", Event::Drain, &events);
    let target = up(60);
    let asked = |t: usize| match (t / DAY, t % DAY) {
        (3, 42..52) => Some(0),
        (27, 42..52) => Some(1),
        _ => None,
    };
    let [first, last] = said(&samples, target, &on, asked);
    assert!(last > 0.7, "{first} {last}");
}

#[test]
fn an_input_that_has_nothing_to_say_costs_little_and_a_backtest_says_so() {
    let mut stream = Stream::new(9);
    let noise: Vec<(Timestamp, f64)> =
        (0..40 * 24).map(|i| (AXIS.at(i * 4), stream.uniform())).collect();
    let days: Vec<When> = (4..40).step_by(9).map(day).collect();
    let is_holiday = |t: usize| t / DAY % 9 == 4;
    let samples = drawn(2, 40 * DAY, 7, |t| if is_holiday(t) { 0.1 } else { 0.8 });
    let regressor = Regressor::new(AXIS, Known::Late(900), &noise).unwrap();
    let inputs = Covariates::new(AXIS, LocalClock::utc())
        .with_events("public", Event::Holiday, &days)
        .with_regressor("noise", regressor);
    let trace =
        |z: usize| Trace { step_seconds: STEP, samples: samples.iter().map(|s| s[z]).collect() };
    let folder =
        Folder { name: "made".to_owned(), zones: zones(2), traces: vec![trace(0), trace(1)] };
    let rows = |inputs: Covariates| {
        backtest::run_knowing(&folder, &[up(360)], &quick(), &vec![inputs; 2]).unwrap().rows
    };
    let all = rows(inputs.clone());
    let gain = |input: &str| {
        let worth = Worth::of(&all, &rows(inputs.without(input)), None, STEP).unwrap();
        worth.without - worth.with
    };
    let (holiday, noise) = (gain("public"), gain("noise"));
    assert!(holiday > 0.01, "the holiday helps: {holiday}");
    assert!(noise > -0.004, "noise harms little: {noise}");
}

#[test]
fn what_is_known_ahead_does_not_let_samples_be_read_ahead() {
    let samples = drawn(2, 8 * DAY, 11, |t| if t % DAY < 40 { 0.2 } else { 0.8 });
    let events = [day(3), day(6)];
    let inputs = Covariates::new(AXIS, LocalClock::utc())
        .with_clock()
        .with_events("public", Event::Holiday, &events)
        .with_events("works", Event::Drain, &[day(5)]);
    let bits = |samples: &[Vec<Option<f64>>]| -> Vec<u64> {
        let mut predictor = predictor(2, &Target::all(), &inputs);
        samples[..6 * DAY].iter().for_each(|step| predictor.observe(step));
        let forecast = predictor.forecast(1, Horizon::default()).unwrap();
        forecast.up.iter().chain(&forecast.survival).map(|p| p.to_bits()).collect()
    };
    assert_eq!(bits(&samples), bits(&samples[..6 * DAY]));
}

#[test]
fn zones_with_different_inputs_are_refused() {
    let on = Covariates::new(AXIS, LocalClock::utc()).with_clock();
    let make = |inputs| Predictor::new(&zones(2), STEP, &[up(60)], quick()).with_covariates(inputs);
    assert_eq!(make(vec![on.clone(), Covariates::none()]).unwrap_err().zone, 1);
    assert!(make(vec![on.clone()]).is_err());
    assert!(make(vec![on.clone(), on]).is_ok());
}
