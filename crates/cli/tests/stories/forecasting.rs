//! Forecasts tested on recorded availability.

use crate::stage::Stage;

/// Two weeks of a zone sampled every half hour: up but for some hours of each day, and now and then
/// for no reason.
fn trace(seed: u64) -> String {
    let mut dice = seed;
    let samples: Vec<&str> = (0..14 * 48)
        .map(|t| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let is_odd = dice >> 60 == 0;
            let is_day = (18..40).contains(&(t % 48));
            if t == 100 {
                "null"
            } else if is_day != is_odd {
                "1"
            } else {
                "0"
            }
        })
        .collect();
    format!("{{\"metadata\": {{\"gap_seconds\": 1800}}, \"data\": [{}]}}", samples.join(", "))
}

#[test]
fn recorded_availability_is_replayed_scored_and_every_forecast_written_the_same_twice() {
    let stage = Stage::with(&[]);
    stage.write("traces/spot/north-1a.json", &trace(1));
    stage.write("traces/spot/north-1b.json", &trace(2));
    let words = ["forecast", "backtest", "traces", "--emit", "f.jsonl"];
    let told = stage.foreshard(&words).ends(0).prints("spot: up at the end of the horizon");
    told.prints("persistence").prints("north-1b").prints("came true");
    let first = stage.read("f.jsonl");
    // Of 672 steps the last 269 are origins; an hour ahead is two steps.
    let of_an_hour = first.lines().filter(|line| {
        line.contains("\"horizon_min\":60,\"p_available\"") && line.contains("north-1a")
    });
    assert_eq!(of_an_hour.count(), 672 - 403 - 2);
    assert!(first.starts_with("{\"folder\":\"spot\",\"zone\":\"north-1a\",\"origin\":403,"));
    let json = stage.foreshard(&[&words[..], &["--json"]].concat()).ends(0).json();
    assert_eq!(json[0]["forecaster"], "foreshard");
    assert!(json[0]["skill"].as_f64().is_some_and(|skill| skill > 0.5), "{}", json[0]);
    assert_eq!(stage.read("f.jsonl"), first);
}

#[test]
fn a_file_that_is_no_trace_is_refused_by_name() {
    let stage = Stage::with(&[]);
    stage.foreshard(&["forecast", "backtest", "."]).ends(2).says("there are no traces in .");
    stage.write("traces/zone.json", "{\"data\": [1]}");
    let told = stage.foreshard(&["forecast", "backtest", "traces"]).ends(2);
    told.says("traces/zone.json is not a trace").says("metadata");
}
