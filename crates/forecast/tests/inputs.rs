//! What inputs are worth for amounts: a feed that drives cpu is found to help, one of noise is not.

use forecast::Covariates;
use forecast::calendar::Axis;
use forecast::covariates::CLOCK;
use forecast::free::Settings;
use forecast::free::backtest::{self, HORIZONS, Outcome, Recorded};
use forecast::local_clock::LocalClock;
use forecast::regressor::{Known, Regressor};
use forecast::seed::Stream;
use forecast::worth::{Verdict, Worth};
use spec::Timestamp;

const STEP: u32 = 900;
const DAYS: usize = 12;
const HOURS: usize = DAYS * 24;

/// A level for each three hours, drawn anew each time.
fn levels(stream: &mut Stream) -> Vec<f64> {
    let drawn: Vec<f64> = (0..HOURS / 3 + 8).map(|_| stream.uniform()).collect();
    (0..HOURS + 24).map(|hour| drawn[hour / 3]).collect()
}

fn feed(axis: Axis, levels: &[f64]) -> Regressor {
    let at = |hour: usize| Timestamp(axis.start.0 + hour as i64 * 3_600_000_000);
    let samples: Vec<_> = levels.iter().enumerate().map(|(h, &level)| (at(h), level)).collect();
    Regressor::new(axis, Known::Ahead, &samples).expect("sound")
}

/// Cpu of two zones that follows one feed and not the other, and what is known ahead of them.
fn driven(seed: u64) -> (Vec<Recorded>, Vec<Covariates>) {
    let mut stream = Stream::new(seed);
    let (jobs, wind) = (levels(&mut stream), levels(&mut stream));
    let series = ["north", "south"].map(|zone| {
        let amount = |t: usize| Some(0.1 + 0.7 * jobs[t / 4] + 0.05 * stream.uniform());
        Recorded {
            name: zone.to_owned(),
            step_seconds: STEP,
            amounts: (0..HOURS * 4).map(amount).collect(),
            capacity: Some(1.0),
        }
    });
    let axis = Axis { start: Timestamp(1_774_224_000_000_000), step_seconds: STEP };
    let known = Covariates::new(axis, LocalClock::utc())
        .with_clock()
        .with_regressor("jobs", feed(axis, &jobs))
        .with_regressor("wind", feed(axis, &wind));
    (series.to_vec(), vec![known; 2])
}

/// Fewer trees: what is tested here does not hang on how good they are.
fn quick() -> Settings {
    let mut settings = Settings::new(STEP);
    settings.boost.rounds = 30;
    settings.rows = 2000;
    settings.growth = 0.5;
    settings
}

fn tested(series: &[Recorded], ahead: &[Covariates]) -> Vec<Outcome> {
    let outcomes = backtest::run_group(series, &quick(), ahead);
    outcomes.into_iter().map(|outcome| outcome.expect("it is long enough")).collect()
}

fn worth(with: &[Outcome], without: &[Outcome], horizon: Option<usize>) -> Worth {
    let pairs: Vec<_> = with.iter().zip(without).collect();
    backtest::worth(&pairs, horizon).expect("there are forecasts")
}

#[test]
fn a_feed_that_drives_cpu_is_found_to_help_and_one_of_noise_is_not() {
    let (series, ahead) = driven(1);
    let with = tested(&series, &ahead);
    let left = |name: &str| {
        let ahead: Vec<Covariates> = ahead.iter().map(|zone| zone.without(name)).collect();
        tested(&series, &ahead)
    };
    let (no_jobs, no_wind, no_clock) = (left("jobs"), left("wind"), left(CLOCK));
    let jobs = worth(&with, &no_jobs, None);
    assert_eq!(jobs.verdict(), Verdict::Helped, "{jobs:?}");
    assert!(jobs.with < 0.8 * jobs.without, "{jobs:?}");
    for horizon in 1..HORIZONS.len() {
        let jobs = worth(&with, &no_jobs, Some(horizon));
        assert_eq!(jobs.verdict(), Verdict::Helped, "{horizon}: {jobs:?}");
    }
    for noise in [&no_wind, &no_clock] {
        let noise = worth(&with, noise, None);
        assert_ne!(noise.verdict(), Verdict::Helped, "{noise:?}");
    }
}

#[test]
fn series_of_any_size_count_alike_and_a_score_is_that_of_the_table() {
    let (mut series, ahead) = driven(3);
    series[1].amounts.iter_mut().flatten().for_each(|amount| *amount *= 1e9);
    series[1].capacity = Some(1e9);
    let with = tested(&series, &ahead);
    let all = worth(&with, &with, Some(2));
    let mean = (with[0].cells[2][0].wql() + with[1].cells[2][0].wql()) / 2.0;
    assert!((all.with - mean).abs() < 1e-9 && all.verdict() == Verdict::Unclear, "{all:?} {mean}");
    assert_eq!(all.rows, with.iter().map(|one| one.cells[2][0].rows).sum::<usize>());
}

#[test]
fn a_short_series_keeps_no_other_from_being_tested() {
    let (mut series, ahead) = driven(4);
    series[0].amounts.iter_mut().skip(100).for_each(|amount| *amount = None);
    let outcomes = backtest::run_group(&series, &quick(), &ahead);
    let message = outcomes[0].as_ref().expect_err("it is short").to_string();
    assert_eq!(message, "north has less than three days of known hours");
    assert!(outcomes[1].is_ok());
}
