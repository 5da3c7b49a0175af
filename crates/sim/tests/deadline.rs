//! What rules pay in the simulated world is what the bare arithmetic of the game says.
//!
//! The reference below plays the game as two loops over numbers, without engine, keepers, places
//! or books; whatever the world does wrong with launches, preemptions or money shows.

use proptest::prelude::*;
use sim::deadline::{Choice, Game, Move, Rule, Zones, optimum, play, play_out};
use sim::trace::{Runs, Trace};
use spec::Duration;

const STEP: Duration = Duration::from_secs(390);

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn rules_pay_in_the_world_what_the_bare_game_says(
        seed in 0_u64..1_000_000,
        n_zones in 1_usize..4,
        work in 5_usize..40,
        slack in 0_usize..40,
    ) {
        let zones = generated(seed, n_zones, 200);
        let game = Game {
            start: 50,
            work,
            deadline: work + 1 + slack,
            spot_price: 1.0 / 3.0,
            spot_launch: if n_zones > 1 { 2 } else { 1 },
        };
        let best = optimum(&zones, game);
        for rule in rules() {
            let said = bare(&zones, game, &rule);
            let paid = play(&zones, game, &rule);
            prop_assert!(is_equal(said, paid), "{rule:?}: {said:?} and {paid:?}");
            if let Some(paid) = paid {
                prop_assert!(best.cost <= paid + 1e-6, "{rule:?} pays {paid}, best {}", best.cost);
            }
        }
        let written = Rule::Written(best.moves.clone());
        prop_assert!(is_equal(Some(best.cost), play(&zones, game, &written)));
    }
}

#[test]
fn on_demand_pays_the_launch_and_every_step() {
    let zones = generated(1, 1, 200);
    let game = Game { start: 0, work: 30, deadline: 40, spot_price: 0.25, spot_launch: 1 };
    assert!(is_equal(Some(31.0), play(&zones, game, &Rule::OnDemand)));
}

#[test]
fn who_waits_for_a_zone_that_never_comes_is_saved_by_the_net_and_who_does_not_is_late() {
    let zones = Zones { step: STEP, is_up: vec![vec![false; 100]] };
    let game = Game { start: 0, work: 30, deadline: 40, spot_price: 0.25, spot_launch: 1 };
    assert!(is_equal(Some(31.0), play(&zones, game, &Rule::Greedy(Choice::First))));
    assert_eq!(play(&zones, game, &Rule::Written(vec![Move::Idle; 40])), None);
}

#[test]
fn a_zone_that_goes_away_takes_its_launch_with_it_and_no_work() {
    let mut is_up = vec![true; 100];
    is_up[10..12].fill(false);
    let zones = Zones { step: STEP, is_up: vec![is_up] };
    let game = Game { start: 0, work: 20, deadline: 60, spot_price: 0.25, spot_launch: 1 };
    let outcome = play_out(&zones, game, &Rule::Greedy(Choice::First));
    assert_eq!((outcome.preemptions, outcome.allocations), (1, 2));
    assert!(outcome.lost_work.abs() < 1e-9);
    // Nine steps of work, two launches, eleven steps more.
    assert!((outcome.cost - 22.0 * 0.25).abs() < 1e-6, "{}", outcome.cost);
}

fn rules() -> Vec<Rule> {
    let day = Choice::UpMost(Duration::from_secs(4 * 3_600));
    vec![
        Rule::OnDemand,
        Rule::Greedy(Choice::First),
        Rule::Greedy(day),
        Rule::TimeSliced(20),
        Rule::TimeSliced(3),
        Rule::UniformProgress(Choice::First),
        Rule::UniformProgress(day),
    ]
}

fn generated(seed: u64, n_zones: usize, n_steps: u64) -> Zones {
    let hours = |h: u64| Duration::from_secs(h * 3_600);
    let runs = Runs { count: 1, mean_up: hours(2), mean_down: hours(1), tail: 1.6 };
    let length = Duration(STEP.0 * n_steps);
    let traces: Vec<Trace> =
        (0..n_zones as u64).map(|zone| runs.generate(length, seed, zone)).collect();
    Zones::of_traces(&traces, Duration(STEP.0 / 2), 2)
}

fn is_equal(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-6,
        (None, None) => true,
        _ => false,
    }
}

/// The game as numbers: where it is, what is left, how long until the launch is over.
struct Bare {
    place: Option<usize>,
    launching: usize,
    left: usize,
    cost: f64,
}

fn bare(zones: &Zones, game: Game, rule: &Rule) -> Option<f64> {
    let n = zones.is_up.len();
    let mut now = Bare { place: None, launching: 0, left: game.work, cost: 0.0 };
    let mut is_locked = false;
    for step in 0..game.deadline {
        if now.left == 0 {
            break;
        }
        let is_up: Vec<bool> = zones.is_up.iter().map(|zone| zone[game.start + step]).collect();
        now.place = now.place.filter(|&place| place == n || is_up[place]);
        let wanted = if is_locked { Some(n) } else { bare_choice(zones, game, rule, &now, step) };
        if wanted.is_none() || wanted != now.place {
            now.launching = if wanted == Some(n) { 1 } else { game.spot_launch };
            now.place = wanted;
        }
        let Some(place) = now.place else { continue };
        now.cost += if place == n { 1.0 } else { game.spot_price };
        if now.launching > 0 {
            now.launching -= 1;
        } else {
            now.left -= 1;
        }
        is_locked |= place == n && game.deadline - step <= now.left + 2;
    }
    (now.left == 0).then_some(now.cost)
}

fn bare_choice(zones: &Zones, game: Game, rule: &Rule, now: &Bare, t: usize) -> Option<usize> {
    let n = zones.is_up.len();
    let (c, d) = (game.work as f64, game.deadline as f64);
    let done = c - now.left as f64;
    let here = now.place.filter(|&place| place < n);
    let on_demand = now.place == Some(n);
    let net = game.deadline - t <= now.left + 2;
    let up = |window: usize| {
        let at = game.start + t;
        let score = |zone: usize| {
            let past = &zones.is_up[zone][at.saturating_sub(window)..=at];
            if window == 0 { 0 } else { past.iter().filter(|&&is_up| is_up).count() }
        };
        let there = (0..n).filter(|&zone| zones.is_up[zone][at]);
        here.or_else(|| there.max_by_key(|&zone| (score(zone), n - zone)))
    };
    let window = |choice: &Choice| match choice {
        Choice::First => 0,
        Choice::UpMost(window) => (window.0 / zones.step.0) as usize,
    };
    match rule {
        Rule::OnDemand => Some(n),
        Rule::Greedy(_) if on_demand || here.is_none() && net => Some(n),
        Rule::Greedy(choice) => up(window(choice)),
        Rule::TimeSliced(slices) => {
            let length = d / *slices as f64;
            let end = d.min(((t as f64 / length) as usize + 1) as f64 * length);
            let need = c * end / d - done;
            let late = need > 0.0 && (on_demand || end - t as f64 <= need + 1.0);
            if here.is_none() && (late || net && !on_demand) { Some(n) } else { up(0) }
        }
        Rule::UniformProgress(choice) => {
            let line = |at: usize| (game.work * at) as f64 / d;
            let spot = up(window(choice));
            match (here, on_demand) {
                (Some(zone), _) => Some(zone),
                (None, true) if done < line(game.deadline.min(t + 2)) => Some(n),
                (None, true) => spot,
                (None, false) if net => Some(n),
                (None, false) => spot.or((done < line(t)).then_some(n)),
            }
        }
        Rule::Written(_) => unreachable!("written rules are not bare"),
    }
}
