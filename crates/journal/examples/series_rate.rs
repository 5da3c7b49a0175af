//! Prints how fast the measurements of a hundred zones over 90 days of 5 minutes are written, written
//! again, and read.
//!
//! `cargo run --release -p journal --example series_rate [directory] [zones] [days]`

use std::time::Instant;

use journal::history::History;
use journal::history::series::{Asked, Fold, Measured};

const STEP: i64 = 300_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let zones: u32 = std::env::args().nth(2).map_or(Ok(100), |text| text.parse())?;
    let days: i64 = std::env::args().nth(3).map_or(Ok(90), |text| text.parse())?;
    let dir = std::path::Path::new(&base).join(format!("series-rate-{}", std::process::id()));
    std::fs::create_dir(&dir)?;
    let mut history = History::open(&dir.join("history.db"))?;
    let timed = |what: &str, start: Instant| {
        println!("{what:<20} {:>7.2} s", start.elapsed().as_secs_f64());
    };
    let all: Vec<Measured> = (0..zones).map(|zone| measured(zone, days * 288)).collect();
    for what in ["put, new", "put, known"] {
        let start = Instant::now();
        history.put_series(&all)?;
        timed(what, start);
    }
    let start = Instant::now();
    let mut samples = 0;
    for series in &all {
        samples += history.samples(&series.zone, &series.measure, i64::MIN..i64::MAX)?.len();
    }
    timed("read all", start);
    let newest = all[0].points[all[0].points.len() - 1].0;
    let start = Instant::now();
    for i in 1..=100 {
        let points = vec![(newest + i * 30_000_000, 0.5)];
        history.put_series(&[Measured { points, ..all[0].clone() }])?;
    }
    timed("100 single samples", start);
    println!("{samples} samples, {} bytes", std::fs::metadata(dir.join("history.db"))?.len());
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn measured(zone: u32, samples: i64) -> Measured {
    let value = |i: i64| (f64::from(zone) + i as f64 / 288.0).sin().abs();
    Measured {
        zone: format!("zone-{zone:03}"),
        measure: "cpu".to_owned(),
        unit: "share".to_owned(),
        source: "an example".to_owned(),
        fold: Fold::Mean,
        asked: Asked::default(),
        points: (0..samples).map(|i| (1_700_000_100_000_000 + i * STEP, value(i))).collect(),
    }
}
