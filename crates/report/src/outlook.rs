//! Forecasts for people: what zones did, and what they will do, as a table and as pictures.
//!
//! Knows the output of the Resource Predictor and the past it was made from. Whoever calls has read
//! both; nothing is forecast here.

mod chart;
mod fan;
mod futures;
mod reliability;
mod svg;
mod text;

use forecast::Warning;
use forecast::availability::{Availability, ZoneAvailability};
use forecast::paths::Paths;

pub use fan::figure;
pub use futures::{Futures, futures};
pub use reliability::{Diagram, reliability};
pub use svg::svg;
pub use text::{card, text};

/// What is shown of a group of zones.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// The forecast.
    pub availability: Availability,
    /// By zone, what it did before.
    pub pasts: Vec<Past>,
    /// How many zones were up before, at the same steps, and will be.
    pub together: Option<Together>,
    /// What is in the calendar, as minutes from now.
    pub events: Vec<Event>,
}

/// The past of a zone: the last steps, the last of them now.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Minutes from one step to the next.
    pub step_minutes: f64,
    /// The share of the zone that was up, 0 to 1; none where that is not known.
    pub up: Vec<Option<f64>>,
    /// Amounts by measure, in the order of the forecast's `free`.
    pub amounts: Vec<Vec<Option<f64>>>,
}

/// How many zones are up at once.
#[derive(Clone, Debug)]
pub struct Together {
    /// How many there are.
    pub zones: usize,
    /// In the past: a number for each step, none where a zone is not known.
    pub past: Vec<Option<f64>>,
    /// At each step to come: the numbers that 5, 25, 50, 75 and 95 % of the futures do not exceed.
    pub quantiles: Vec<[f64; 5]>,
    /// At each step to come: the chance that none is up.
    pub none: Vec<f64>,
}

/// Something in the calendar.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it is called.
    pub name: String,
    /// When it begins, in minutes from now.
    pub from: f64,
    /// When it ends.
    pub to: f64,
}

/// Whether nothing was heard of a zone for longer than its samples are apart.
fn is_silent(zone: &ZoneAvailability) -> bool {
    let is_silence = |w: &Warning| matches!(w, Warning::Stale { .. } | Warning::Vanished { .. });
    zone.warnings.iter().any(is_silence)
}

/// The levels of [`Together::quantiles`].
const LEVELS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

impl Together {
    /// Counts zones in sampled futures, and in the past that is shown.
    #[must_use]
    pub fn of(paths: &Paths, pasts: &[Past]) -> Self {
        let zones = paths.zones();
        let length = pasts.iter().map(|past| past.up.len()).min().unwrap_or(0);
        let at = |i: usize| {
            let each = pasts.iter().map(|past| past.up[past.up.len() - length + i]);
            each.map(|up| up.map(|share| f64::from(u8::from(share > 0.0)))).sum::<Option<f64>>()
        };
        let mut counts = vec![vec![0_usize; zones + 1]; usize::from(paths.steps())];
        let mut up = vec![0_u16; usize::from(paths.steps()) + 2];
        for path in 0..paths.len() {
            up.fill(0);
            for run in (0..zones).flat_map(|zone| paths.runs(path, zone)).filter(|run| run.is_up) {
                up[usize::from(run.from)..usize::from(run.to)].iter_mut().for_each(|n| *n += 1);
            }
            for (step, &n) in up[1..=usize::from(paths.steps())].iter().enumerate() {
                counts[step][usize::from(n)] += 1;
            }
        }
        let all = paths.len().max(1) as f64;
        Self {
            zones,
            past: (0..length).map(at).collect(),
            quantiles: counts
                .iter()
                .map(|counts| LEVELS.map(|l| quantile(counts, l * all)))
                .collect(),
            none: counts.iter().map(|counts| counts[0] as f64 / all).collect(),
        }
    }
}

/// The least number that as many do not exceed.
fn quantile(counts: &[usize], many: f64) -> f64 {
    let mut below = 0;
    let found = counts.iter().position(|&count| {
        below += count;
        below as f64 >= many
    });
    found.unwrap_or(0) as f64
}

/// `15 min`, `6 h`, `2 days`.
fn ahead(minutes: f64) -> String {
    let whole = |value: f64, unit: &str| {
        let text = format!("{value:.1}");
        format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
    };
    match minutes {
        m if m < 60.0 => whole(m, "min"),
        m if m < 2880.0 => whole(m / 60.0, "h"),
        m => whole(m / 1440.0, "days"),
    }
}
