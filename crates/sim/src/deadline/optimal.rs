//! The least that any rule could have paid: a dynamic programme over the whole future.
//!
//! State: the step, the work that is left, and where the job is: idle, on demand, warm in a zone,
//! or still launching there. Exact, for the future is known; no rule can pay less.

use super::{Game, Move, Zones};

/// The least cost of a game, and how to reach it.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimum {
    /// In steps on demand; infinite if the deadline cannot be met.
    pub cost: f64,
    /// What to do, step by step.
    pub moves: Vec<Move>,
}

const IDLE: usize = 0;
const ON_DEMAND: usize = 1;

/// States of a job: idle, on demand, then for each zone so many as a launch takes; the first of
/// them is warm, the others still have launching steps to go.
struct States {
    zones: usize,
    launch: usize,
}

impl States {
    fn count(&self) -> usize {
        2 + self.zones * self.launch
    }

    /// With so many steps of launching still to pay.
    fn in_zone(&self, zone: usize, to_go: usize) -> usize {
        2 + zone * self.launch + to_go
    }
}

/// The best that can be done when everything is known.
///
/// # Panics
/// A launch of spot capacity takes no step, or the zones end before the deadline.
#[must_use]
pub fn optimum(zones: &Zones, game: Game) -> Optimum {
    assert!(game.spot_launch >= 1, "a launch takes at least one step");
    let states = States { zones: zones.is_up.len(), launch: game.spot_launch };
    let n = states.count();
    let width = (game.work + 1) * n;
    // What the rest costs from the next step on, by work that is left and state.
    let mut after = vec![f64::INFINITY; width];
    after[..n].fill(0.0);
    let mut chosen = vec![0_u8; width * game.deadline];
    for step in (0..game.deadline).rev() {
        let is_up: Vec<bool> = zones.is_up.iter().map(|zone| zone[game.start + step]).collect();
        let mut now = vec![0.0; width];
        let moves = &mut chosen[step * width..(step + 1) * width];
        for left in 1..=game.work {
            for state in 0..n {
                let (cost, to) = best(&states, game, &is_up, &after, left, state);
                now[left * n + state] = cost;
                moves[left * n + state] = to;
            }
        }
        after = now;
    }
    let cost = after[game.work * n + IDLE];
    Optimum { cost, moves: read_off(&states, game, &chosen) }
}

/// The best place for this step: 0 is idle, 1 on demand, others zones from 2 on.
fn best(
    states: &States,
    game: Game,
    is_up: &[bool],
    after: &[f64],
    left: usize,
    state: usize,
) -> (f64, u8) {
    let mut least = (f64::INFINITY, 0);
    for place in 0..2 + states.zones {
        if place >= 2 && !is_up[place - 2] {
            continue;
        }
        let (next, progress) = step_to(states, state, place);
        let price = match place {
            IDLE => 0.0,
            ON_DEMAND => 1.0,
            _ => game.spot_price,
        };
        let cost = price + after[(left - progress) * states.count() + next];
        if cost < least.0 {
            least = (cost, place as u8);
        }
    }
    least
}

/// The state after a step in a place, and what the step brings.
fn step_to(states: &States, state: usize, place: usize) -> (usize, usize) {
    match place {
        IDLE => (IDLE, 0),
        ON_DEMAND => (ON_DEMAND, usize::from(state == ON_DEMAND)),
        _ => {
            let zone = place - 2;
            let warm = states.in_zone(zone, 0);
            if state == warm {
                (warm, 1)
            } else if (warm..warm + states.launch).contains(&state) {
                (state - 1, 0)
            } else {
                (states.in_zone(zone, states.launch - 1), 0)
            }
        }
    }
}

fn read_off(states: &States, game: Game, chosen: &[u8]) -> Vec<Move> {
    let n = states.count();
    let (mut left, mut state) = (game.work, IDLE);
    let mut moves = Vec::new();
    for step in 0..game.deadline {
        if left == 0 {
            break;
        }
        let place = usize::from(chosen[step * (game.work + 1) * n + left * n + state]);
        moves.push(match place {
            IDLE => Move::Idle,
            ON_DEMAND => Move::OnDemand,
            _ => Move::Spot(place as u32 - 2),
        });
        let (next, progress) = step_to(states, state, place);
        state = next;
        left -= progress;
    }
    moves
}
