//! Quantiles of amounts as a stream: they cannot read ahead, stay ordered and finite whatever comes
//! in, find a planted season, and cover what they say.
#![expect(clippy::unwrap_used, reason = "tests panic where something is not as they say")]

use forecast::Covariates;
use forecast::calendar::Axis;
use forecast::free::backtest::{self, HORIZONS, Recorded};
use forecast::free::levels::{LEVELS, Quantiles, loss};
use forecast::free::{FreePredictor, Settings};
use forecast::local_clock::LocalClock;
use forecast::recurrence::Run;
use forecast::regressor::{Known, Regressor};
use forecast::seed::Stream;
use proptest::prelude::*;
use spec::Timestamp;

const STEP: u32 = 900;
const DAY: usize = 96;

/// Fewer trees: what is tested here does not hang on how good they are.
fn quick() -> Settings {
    let mut settings = Settings::new(STEP);
    settings.boost.rounds = 10;
    settings.rows = 1000;
    settings.growth = 0.5;
    settings
}

fn fed(amounts: &[Option<f64>]) -> FreePredictor {
    let mut predictor = FreePredictor::new(&[None], quick());
    amounts.iter().for_each(|&amount| predictor.observe(&[amount]));
    predictor
}

fn fan(predictor: &FreePredictor) -> Vec<Quantiles> {
    [1, 2, 4, 11, 40, 96].iter().map(|&k| predictor.quantiles(0, k).unwrap()).collect()
}

fn is_sound(quantiles: &Quantiles) -> bool {
    quantiles.iter().all(|q| q.is_finite()) && quantiles.windows(2).all(|q| q[0] <= q[1])
}

/// A day's wave with noise of this size.
fn wave(days: usize, noise: f64, seed: u64) -> Vec<Option<f64>> {
    let mut stream = Stream::new(seed);
    let at = |t: usize| (t as f64 / DAY as f64 * std::f64::consts::TAU).sin();
    (0..days * DAY)
        .map(|t| {
            let normal: f64 = (0..12).map(|_| stream.uniform()).sum::<f64>() - 6.0;
            Some(50.0 + 20.0 * at(t) + noise * normal)
        })
        .collect()
}

fn recorded(amounts: Vec<Option<f64>>) -> Recorded {
    Recorded { name: "made".to_owned(), step_seconds: STEP, amounts, capacity: None }
}

#[test]
fn forecasts_are_the_same_to_the_last_bit_when_what_came_later_is_removed() {
    let whole = wave(9, 3.0, 1);
    let mut predictor = FreePredictor::new(&[None], quick());
    let mut said = Vec::new();
    for (t, &amount) in whole.iter().enumerate() {
        predictor.observe(&[amount]);
        if t % 200 == 199 {
            said.push((t, fan(&predictor)));
        }
    }
    for (t, before) in said {
        for (a, b) in before.iter().flatten().zip(fan(&fed(&whole[..=t])).iter().flatten()) {
            assert_eq!(a.to_bits(), b.to_bits(), "at step {t}");
        }
    }
}

#[test]
fn a_planted_season_is_forecast_nearly_as_well_as_by_the_best_baseline_and_far_better_than_by_the_last_value()
 {
    // Noise that lasts some hours: neither the last value nor the hour of the day is all.
    let mut stream = Stream::new(3);
    let mut drift = 0.0;
    let amounts = wave(14, 0.5, 2).into_iter().map(|amount| {
        drift = 0.95 * drift + 2.0 * (stream.uniform() - 0.5);
        amount.map(|amount| amount + drift)
    });
    let outcome = backtest::run(&recorded(amounts.collect()), &quick()).unwrap();
    for (cells, hours) in outcome.cells.iter().zip(HORIZONS) {
        let wql: Vec<f64> = cells.iter().map(backtest::Sums::wql).collect();
        assert!(cells[0].rows > 100);
        assert!(wql[0] < wql[1] * 1.03, "{hours} h: {wql:?}");
        assert!(wql[0] < wql[2].min(wql[3]) * 1.25, "{hours} h: {wql:?}");
        if hours > 1 && hours < 24 {
            assert!(wql[0] < 0.6 * wql[1], "{hours} h: {wql:?}");
        }
    }
}

#[test]
fn eight_in_ten_fall_within_the_interval_also_where_the_spread_doubles() {
    for grows in [1.0, 2.0] {
        let mut amounts = wave(8, 3.0, 4);
        amounts.extend(wave(8, 3.0 * grows, 5));
        let outcome = backtest::run(&recorded(amounts), &quick()).unwrap();
        let covered: f64 = outcome.cells.iter().map(|cells| cells[0].coverage()).sum();
        let covered = covered / HORIZONS.len() as f64;
        assert!((0.74..0.87).contains(&covered), "{covered} where it grows by {grows}");
    }
}

/// A level with a little noise for ten days, then for two days another.
fn jump(seed: u64) -> Vec<Option<f64>> {
    let mut stream = Stream::new(seed);
    let level = |t: usize| if t < 10 * DAY { 30.0 } else { 90.0 };
    (0..12 * DAY).map(|t| Some(level(t) + 4.0 * (stream.uniform() - 0.5))).collect()
}

#[test]
fn some_hours_after_the_level_jumped_a_day_ahead_is_forecast_on_the_new_one() {
    for seed in 20..23 {
        let whole = jump(seed);
        let median = |hours: usize| {
            let predictor = fed(&whole[..10 * DAY + 4 * hours]);
            predictor.quantiles(0, DAY).unwrap()[LEVELS / 2]
        };
        let (before, after) = (median(0), median(8));
        assert!((28.0..32.0).contains(&before), "{before} before");
        // What was an hour ahead came true; a day ahead nothing has yet.
        assert!(after > 65.0, "{after} eight hours after");
    }
}

#[test]
fn intervals_of_a_level_that_jumped_hold_again_within_a_day_and_do_not_run_away() {
    let whole = jump(23);
    let mut predictor = FreePredictor::new(&[None], quick());
    let (mut asked, mut held) = (0, 0);
    for (t, &amount) in whole.iter().enumerate().take(12 * DAY - 12) {
        predictor.observe(&[amount]);
        if t < 11 * DAY {
            continue;
        }
        let said = predictor.quantiles(0, 12).unwrap();
        asked += 1;
        held += usize::from((said[1]..=said[17]).contains(&whole[t + 12].unwrap()));
        assert!(said[17] - said[1] < 30.0 && said[18] < 100.0, "at {t}: {said:?}");
    }
    assert!(held * 10 > asked * 6, "{held} of {asked}");
}

#[test]
fn one_spike_does_not_tell_for_days_whom_to_believe() {
    // Levels that hold for half a day: the last value is right. The spike hits it twice, when it comes
    // and when it has gone, and what holds to the past only once.
    let said = |spike: f64| {
        let (mut stream, mut level) = (Stream::new(24), 50.0);
        let mut predictor = FreePredictor::new(&[None], quick());
        let (mut lost, mut said): (f64, Vec<(usize, Quantiles)>) = (0.0, Vec::new());
        for t in 0..12 * DAY {
            if t % 48 == 0 {
                level = 30.0 + 40.0 * stream.uniform();
            }
            let amount = level + stream.uniform();
            let is_hit = (9 * DAY..9 * DAY + 4).contains(&t);
            predictor.observe(&[Some(if is_hit { spike } else { amount })]);
            let came = said.iter().filter(|one| one.0 == t);
            lost += came.map(|one| loss(&one.1, amount)).sum::<f64>();
            if t > 10 * DAY {
                said.push((t + 12, predictor.quantiles(0, 12).unwrap()));
            }
        }
        lost
    };
    let (with, without) = (said(1000.0), said(50.0));
    assert!(with < 1.25 * without, "{with} against {without}");
}

#[test]
fn what_was_never_negative_is_not_forecast_so_and_nothing_exceeds_capacity() {
    let mut predictor = FreePredictor::new(&[Some(10.0), None], quick());
    let mut stream = Stream::new(6);
    for _ in 0..5 * DAY {
        let spike = if stream.uniform() < 0.05 { 10.0 } else { 0.0 };
        predictor.observe(&[Some(spike), Some(-spike)]);
    }
    for k in [1, 7, 50, 96] {
        assert!(predictor.quantiles(0, k).unwrap().iter().all(|q| (0.0..=10.0).contains(q)));
        assert!(predictor.quantiles(1, k).unwrap()[0] < 0.0);
    }
}

#[test]
fn ten_minutes_of_an_idle_machine_promise_no_idle_day() {
    let mut predictor = FreePredictor::new(&[Some(1.0), None], quick());
    for step in 0..2 {
        predictor.observe(&[Some(0.01), Some(f64::from(step))]);
    }
    let share = predictor.quantiles(0, DAY).unwrap();
    assert!(is_sound(&share) && share[LEVELS - 1] > 0.8, "{share:?}");
    let amount = predictor.quantiles(1, DAY).unwrap();
    assert!(is_sound(&amount) && amount[LEVELS - 1] > 1.5, "{amount:?}");
    let soon = predictor.quantiles(0, 1).unwrap();
    assert!(soon[LEVELS - 1] < 0.3, "the next minutes are another thing: {soon:?}");
}

#[test]
fn what_was_seen_for_an_hour_or_never_moved_is_not_forecast_for_sure() {
    assert_eq!(FreePredictor::new(&[None], quick()).quantiles(0, 1), None);
    for steps in [1, 4, 3 * DAY] {
        let predictor = fed(&vec![Some(8.0); steps]);
        for quantiles in fan(&predictor) {
            assert!(is_sound(&quantiles));
            assert!(quantiles[LEVELS - 1] - quantiles[0] > 0.1, "after {steps}: {quantiles:?}");
        }
    }
}

#[test]
fn a_constant_that_no_short_number_holds_stays_within_its_interval() {
    let outcome = backtest::run(&recorded(vec![Some(11_703.99); 4 * 288]), &quick()).unwrap();
    for cells in &outcome.cells {
        assert!((cells[0].coverage() - 1.0).abs() < 1e-12, "{}", cells[0].coverage());
    }
}

#[test]
fn a_change_of_unit_is_followed_within_hours() {
    let mut amounts = wave(6, 1.0, 7);
    amounts.extend(wave(1, 1.0, 8).into_iter().map(|amount| amount.map(|a| a * 1024.0)));
    for quantiles in fan(&fed(&amounts)).iter().take(3) {
        assert!(quantiles[LEVELS - 1] > 10_000.0, "{quantiles:?}");
    }
}

#[test]
fn a_feed_that_is_known_ahead_and_drives_the_amount_is_found_and_missed_when_left_out() {
    let axis = Axis { start: Timestamp(1_700_000_000_000_000), step_seconds: STEP };
    let mut stream = Stream::new(9);
    let (mut is_on, mut feed) = (false, Vec::new());
    for t in 0..15 * DAY as i64 {
        is_on ^= stream.uniform() < 0.04;
        feed.push((axis.at(t), f64::from(u8::from(is_on))));
    }
    let lost = |is_known: bool| {
        let mut covariates = Covariates::new(axis, LocalClock::default());
        if is_known {
            let regressor = Regressor::new(axis, Known::Ahead, &feed).unwrap();
            covariates = covariates.with_regressor("feed", regressor);
        }
        let mut settings = quick();
        settings.boost.rounds = 60;
        let predictor = FreePredictor::new(&[None], settings);
        let mut predictor = predictor.with_covariates(vec![covariates]).unwrap();
        let (mut stream, mut lost) = (Stream::new(10), 0.0);
        let mut said: Vec<(usize, Quantiles)> = Vec::new();
        for (t, &(_, on)) in feed.iter().enumerate().take(14 * DAY) {
            let amount = 50.0 + 30.0 * on + stream.uniform();
            predictor.observe(&[Some(amount)]);
            lost +=
                said.iter().filter(|one| one.0 == t).map(|one| loss(&one.1, amount)).sum::<f64>();
            if t > 8 * DAY && t % 7 == 0 {
                said.push((t + 12, predictor.quantiles(0, 12).unwrap()));
            }
        }
        lost
    };
    let (with, without) = (lost(true), lost(false));
    assert!(with < 0.7 * without, "{with} against {without}");
}

#[test]
fn runs_that_recur_leave_less_free_at_hours_that_the_amount_alone_does_not_tell() {
    // Once on each day of the week at an hour of its own, for six hours. Runs are known for six weeks
    // before the two that were measured, with what they took.
    let axis = Axis { start: Timestamp(1_767_571_200_000_000), step_seconds: STEP };
    let hours = [1, 15, 8, 20, 4, 12, 17];
    let starts: Vec<i64> =
        (-42..14_i64).map(|day| day * DAY as i64 + 4 * hours[day.rem_euclid(7) as usize]).collect();
    let run = |&start: &i64| Run {
        name: "weekly".to_owned(),
        start: axis.at(start),
        seconds: 6.0 * 3600.0,
        cpus: 16.0,
        memory: 64e9,
    };
    let runs: Vec<Run> = starts.iter().map(run).collect();
    let is_busy = |t: usize| starts.iter().any(|&s| (s..s + 24).contains(&(t as i64)));
    let known = Covariates::new(axis, LocalClock::default()).with_runs(&runs);
    // The median of what is used three hours later, in the mean over the last four days: amid runs
    // that have not begun, and apart from runs.
    let said = |covariates: &Covariates| {
        let mut settings = quick();
        settings.boost.rounds = 60;
        let predictor = FreePredictor::new(&[Some(100.0)], settings);
        let mut predictor = predictor.with_covariates(vec![covariates.clone()]).unwrap();
        let (mut stream, mut sums) = (Stream::new(11), [(0.0, 0.0); 2]);
        for t in 0..14 * DAY {
            let taken = if is_busy(t) { 50.0 } else { 0.0 };
            predictor.observe(&[Some(10.0 + 5.0 * stream.uniform() + taken)]);
            if t < 10 * DAY || is_busy(t) {
                continue;
            }
            let sum = &mut sums[usize::from(is_busy(t + 12))];
            let median = predictor.quantiles(0, 12).unwrap()[LEVELS / 2];
            *sum = (sum.0 + median, sum.1 + 1.0);
        }
        sums.map(|(sum, asked)| sum / asked)
    };
    let gap = |covariates: &Covariates| {
        let [idle, busy] = said(covariates);
        busy - idle
    };
    let (with, without) = (gap(&known), gap(&known.without("runs")));
    assert!((with - 50.0).abs() < 10.0 && without < 40.0, "{with} against {without}");
}

fn amounts() -> impl Strategy<Value = Vec<Option<f64>>> {
    let one = prop_oneof![
        3 => (0.0..100.0_f64).prop_map(Some),
        2 => Just(None),
        2 => Just(Some(0.0)),
        1 => Just(Some(f64::NAN)),
        1 => Just(Some(f64::INFINITY)),
        1 => (-30..30_i32).prop_map(|e| Some(10_f64.powi(e))),
        1 => (-1e6..0.0_f64).prop_map(Some),
    ];
    // Stretches of the same, so that there are long gaps and long rests.
    prop::collection::vec((one, 1_usize..80), 1..25).prop_map(|runs| {
        runs.into_iter().flat_map(|(amount, n)| std::iter::repeat_n(amount, n)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_comes_in_quantiles_are_finite_and_ascend(amounts in amounts()) {
        let predictor = fed(&amounts);
        let is_known = |a: &Option<f64>| a.is_some_and(|a| a.is_finite() && a.abs() < 1e30);
        for k in [1, 3, 4, 20, 96, 300] {
            match predictor.quantiles(0, k) {
                Some(quantiles) => prop_assert!(is_sound(&quantiles), "{quantiles:?}"),
                None => prop_assert!(!amounts.iter().any(is_known)),
            }
        }
    }
}
