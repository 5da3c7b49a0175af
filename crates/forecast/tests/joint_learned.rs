//! Joint futures learned from nothing but a history: zones go together in them as they did.

mod pooled;

use forecast::learning::{BoostPlan, Learning};
use forecast::seed::Stream;
use forecast::target::{Kind, Target};
use forecast::{Horizon, Predictor, Zone, boost};
use pooled::{Sums, compare};

const MINUTES: u32 = 15;
const DAY: usize = 96;
const DAYS: usize = 160;
const NAMES: [&str; 5] = ["east-1a", "east-1b", "east-1c", "west-1a", "west-1b"];
const REGION: [usize; 5] = [0, 0, 0, 1, 1];

/// Zones that are lost and come back each for itself, far more often and for longer while there is a
/// storm in their region; and less often at night.
fn history() -> Vec<Vec<bool>> {
    let mut stream = Stream::new(4);
    let mut up = [true; 5];
    let mut storm = [false; 2];
    let step = |t: usize| {
        for storm in &mut storm {
            *storm = if *storm { stream.uniform() < 0.8 } else { stream.uniform() < 0.08 };
        }
        let day = 1.0 + 0.6 * (t as f64 / DAY as f64 * std::f64::consts::TAU).sin();
        for z in 0..5 {
            let lost = if storm[REGION[z]] { 0.6 } else { 0.06 * day };
            let back = if storm[REGION[z]] { 0.05 } else { 0.4 };
            let is_change = stream.uniform() < if up[z] { lost } else { back };
            up[z] ^= is_change;
        }
        up.to_vec()
    };
    (0..DAYS * DAY).map(step).collect()
}

fn quick() -> Learning {
    let settings = boost::Settings { rounds: 10, ..boost::Settings::default() };
    let mut learning = Learning::default().in_haste();
    learning.boosts =
        learning.boosts.into_iter().map(|plan| BoostPlan { settings, ..plan }).collect();
    learning
}

#[test]
fn zones_of_a_region_go_together_in_futures_as_their_history_did() {
    let states = history();
    let region = |z: usize| Some(["east-1", "west-1"][REGION[z]].to_owned());
    let zones: Vec<Zone> =
        (0..5).map(|z| Zone { name: NAMES[z].to_owned(), region: region(z) }).collect();
    // Survival of a day in the middle says enough of how long runs last.
    let is_asked = |target: &Target| target.kind == Kind::Up || target.minutes == 360;
    let targets: Vec<Target> = Target::all().into_iter().filter(is_asked).collect();
    let mut predictor = Predictor::new(&zones, MINUTES * 60, &targets, quick());
    let [mut history, mut futures] = [(); 2].map(|()| Sums::new(5));
    for (t, up) in states.iter().enumerate() {
        let samples: Vec<Option<f64>> =
            up.iter().map(|&up| Some(f64::from(u8::from(up)))).collect();
        predictor.observe(&samples);
        // The second half, as each origin knew the first and what had come since.
        if t >= states.len() / 2 && t + DAY < states.len() && t.is_multiple_of(DAY / 2 + 1) {
            let ahead = predictor.ahead(Horizon::default()).unwrap();
            futures.add_futures(&ahead, &predictor.dependence(), t as u64);
            history.add_past(&states, t, f64::from(MINUTES));
        }
    }
    let off = compare("second half", &NAMES.map(str::to_owned), &history, &futures);
    assert!(history.correlation(0, 1) > 0.3 && history.correlation(0, 3) < 0.1);
    assert!(off.worst < 0.05, "{}", off.worst);
}
