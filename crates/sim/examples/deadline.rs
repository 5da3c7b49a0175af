//! Plays every run of a dump of the single-job deadline experiment in the simulated world, and
//! says where the costs differ.
//!
//! `deadline FOLDER_OF_TRACES DUMP…`: a dump has one JSON object per line with the game (`single`
//! or `multi`), its zones, start and deadline in steps, and the `cost` of each policy in steps on
//! demand.
#![expect(clippy::disallowed_methods, reason = "a programme beside the pure core, which reads")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;
use sim::deadline::{Choice, Game, Rule, Zones, optimum, play};
use sim::trace::Trace;
use spec::Duration;

/// Costs in the dump are rounded to nine places.
const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Line {
    game: String,
    #[serde(default)]
    zone: Option<String>,
    #[serde(default)]
    zones: Vec<String>,
    c_over_d: f64,
    samples_per_step: usize,
    work_steps: usize,
    deadline_steps: usize,
    start_step: usize,
    cost: BTreeMap<String, f64>,
}

/// How a policy of the dump came out.
#[derive(Default)]
struct Tally {
    n: usize,
    n_equal: usize,
    worst: f64,
    sum: f64,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = args.next().ok_or("deadline FOLDER_OF_TRACES DUMP…")?;
    let mut tallies = BTreeMap::<(String, String), Tally>::new();
    let mut cut = BTreeMap::new();
    for dump in args {
        for line in std::fs::read_to_string(dump)?.lines() {
            let line: Line = serde_json::from_str(line)?;
            let zones = zones_of(&folder, &line, &mut cut)?;
            compare(&line, zones, &mut tallies);
        }
    }
    let mut is_equal = true;
    println!(
        "{:<28} {:<12} {:>5} {:>5} {:>11} {:>9}",
        "game", "policy", "runs", "equal", "worst", "mean"
    );
    for ((game, policy), tally) in &tallies {
        let Tally { n, n_equal, worst, sum } = tally;
        println!(
            "{game:<28} {policy:<12} {n:>5} {n_equal:>5} {worst:>11.2e} {:>9.3}",
            sum / *n as f64
        );
        is_equal &= n == n_equal;
    }
    Ok(if is_equal { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The zones of a line, cut into its steps.
fn zones_of<'a>(
    folder: &Path,
    line: &Line,
    cut: &'a mut BTreeMap<(Vec<String>, usize), Zones>,
) -> Result<&'a Zones, Box<dyn Error>> {
    let names: Vec<String> = line.zone.iter().chain(&line.zones).cloned().collect();
    let key = (names, line.samples_per_step);
    if !cut.contains_key(&key) {
        let (mut traces, mut gap) = (Vec::new(), Duration::ZERO);
        for name in &key.0 {
            let text = std::fs::read_to_string(folder.join(format!("{name}.json")))?;
            let json: serde_json::Value = serde_json::from_str(&text)?;
            let seconds = json["metadata"]["gap_seconds"].as_f64().ok_or("no gap_seconds")?;
            gap = Duration::from_secs_f64(seconds);
            traces.push(Trace::parse(&text)?);
        }
        cut.insert(key.clone(), Zones::of_traces(&traces, gap, key.1));
    }
    cut.get(&key).ok_or_else(|| "just put in".into())
}

fn compare(line: &Line, zones: &Zones, tallies: &mut BTreeMap<(String, String), Tally>) {
    let is_single = line.game == "single";
    let game = Game {
        start: line.start_step,
        work: line.work_steps,
        deadline: line.deadline_steps,
        spot_price: 1.0 / 3.0,
        spot_launch: if is_single { 1 } else { 2 },
    };
    let best = optimum(zones, game);
    for (policy, &said) in &line.cost {
        let rule = if policy == "omni" {
            Rule::Written(best.moves.clone())
        } else if let Some(rule) = rule_named(policy) {
            rule
        } else {
            continue;
        };
        let paid = play(zones, game, &rule).unwrap_or(f64::INFINITY);
        let mut apart = (paid - said).abs();
        if policy == "omni" {
            apart = apart.max((best.cost - said).abs());
        }
        let n_zones = zones.is_up.len();
        let label = format!(
            "{} {n_zones} zones, {} samples, {}",
            line.game, line.samples_per_step, line.c_over_d
        );
        let tally = tallies.entry((label, policy.clone())).or_default();
        tally.n += 1;
        tally.n_equal += usize::from(apart <= TOLERANCE);
        tally.worst = tally.worst.max(apart);
        tally.sum += paid;
    }
}

fn rule_named(policy: &str) -> Option<Rule> {
    let day = Choice::UpMost(Duration::from_secs(24 * 3_600));
    let week = Choice::UpMost(Duration::from_secs(168 * 3_600));
    Some(match policy {
        "od" => Rule::OnDemand,
        "greedy" | "g_first" => Rule::Greedy(Choice::First),
        "slice" => Rule::TimeSliced(20),
        "up" => Rule::UniformProgress(Choice::First),
        "g_recent24" => Rule::Greedy(day),
        "g_recent7d" => Rule::Greedy(week),
        "up_recent24" => Rule::UniformProgress(day),
        _ => return None,
    })
}
