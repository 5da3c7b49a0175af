//! Joint futures for people: which zones go together, how many there will be, and what they have.
//!
//! Knows sampled futures; every number here is a share of them.

use forecast::Horizon;
use forecast::paths::{AmountAhead, Paths};

use super::{ahead, fan};
use crate::printable::clipped;
use crate::quantity::plural;
use crate::text::Style;

/// Hours ahead that are told, in minutes.
const HORIZONS: [u32; 3] = [60, 360, 1440];
/// The most zones whose correlations are told.
const ZONES: usize = 12;
/// Names are clipped to this.
const NAME: usize = 22;
/// Every so many minutes states are compared.
const EVERY: u32 = 30;
/// Of amounts in all zones together, the levels that are told.
const LEVELS: [f64; 3] = [0.05, 0.5, 0.95];

/// Futures of a group of zones.
#[derive(Clone, Copy, Debug)]
pub struct Futures<'a> {
    /// What the zones are called together.
    pub name: &'a str,
    /// The zones.
    pub zones: &'a [String],
    /// What was drawn.
    pub paths: &'a Paths,
    /// How far ahead, and in what steps.
    pub horizon: Horizon,
    /// What it was drawn from.
    pub seed: u64,
}

/// Futures in short.
#[must_use]
pub fn futures(of: &Futures<'_>, style: Style) -> String {
    let mut text = style.bold(&clipped(of.name, 60));
    text += &format!(
        ": {} of {}, the next {}, seed {}\n",
        plural(of.paths.len(), "joint future", "joint futures"),
        plural(of.zones.len(), "zone", "zones"),
        ahead(f64::from(of.horizon.minutes)),
        of.seed
    );
    text += &of.correlations(style);
    text += &of.numbers(style);
    text += &of.throughout(style);
    text += &of.amounts(style);
    text
}

impl Futures<'_> {
    /// Horizons that are within the futures, with their steps; the last step where there is none.
    fn horizons(&self) -> Vec<(u32, u16)> {
        let step = |minutes: u32| minutes.div_ceil(self.horizon.step_minutes.max(1)) as u16;
        let within = HORIZONS.into_iter().filter(|&minutes| minutes <= self.horizon.minutes);
        let mut found: Vec<(u32, u16)> = within.map(|minutes| (minutes, step(minutes))).collect();
        if found.is_empty() {
            found.push((self.horizon.minutes, self.paths.steps()));
        }
        found
    }

    /// How states of two zones go together, within steps.
    fn correlations(&self, style: Style) -> String {
        let shown = self.zones.len().min(ZONES);
        if shown < 2 {
            return String::new();
        }
        let r = correlations(self.paths, shown, self.horizon.step_minutes);
        let title = "which zones are up and down together: correlation of states at a moment";
        let mut text = format!("\n{}\n{:w$}", style.faint(title), "", w = NAME + 4);
        (1..=shown).for_each(|number| text += &format!("{number:>7}"));
        text += "\n";
        for z in 0..shown {
            text += &format!("{:>2}  {:NAME$}", z + 1, clipped(&self.zones[z], NAME));
            for other in 0..=z {
                text += &match r[z * shown + other] {
                    Some(_) if other == z => format!("{:>7}", "1"),
                    Some(r) => format!("{r:>7.2}"),
                    None => format!("{:>7}", "-"),
                };
            }
            text += "\n";
        }
        if self.zones.len() > shown {
            let more = plural(self.zones.len() - shown, "more zone", "more zones");
            text += &format!("    and {more}: see --json\n");
        }
        text
    }

    /// The chance that at least so many zones are up at a moment.
    fn numbers(&self, style: Style) -> String {
        let zones = self.zones.len();
        let horizons = self.horizons();
        let mut text = format!("\n{}\n", style.faint("chance that at least so many are up, %"));
        let mut line = format!("{:>w$}", "", w = NAME + 4);
        horizons
            .iter()
            .for_each(|(m, _)| line += &format!("{:>10}", format!("in {}", ahead(f64::from(*m)))));
        text += &(style.faint(&line) + "\n");
        let mut beyond = vec![vec![0_usize; zones + 2]; horizons.len()];
        for (counts, &(_, step)) in beyond.iter_mut().zip(&horizons) {
            for path in 0..self.paths.len() {
                counts[(0..zones).filter(|&zone| self.paths.is_up(path, zone, step)).count()] += 1;
            }
            (0..=zones).rev().for_each(|k| counts[k] += counts[k + 1]);
        }
        // With many zones, not every number.
        for k in (1..=zones).filter(|k| (k - 1) % zones.div_ceil(ZONES).max(1) == 0) {
            let title = if zones == 1 { "the zone".to_owned() } else { format!("{k} of {zones}") };
            text += &format!("    {title:NAME$}");
            beyond.iter().for_each(|counts| text += &format!("{:>10}", self.percent(counts[k])));
            text += "\n";
        }
        text
    }

    /// The chance that some zone is up at every step, whichever, and that one and the same is.
    fn throughout(&self, style: Style) -> String {
        let ends = self.ends();
        let title = "chance of that all the time until then, %";
        let mut text = format!("\n{}\n", style.faint(title));
        let row = |name: &str, share: &dyn Fn(u16) -> usize| {
            let mut row = format!("    {name:NAME$}");
            for (_, step) in self.horizons() {
                row += &format!("{:>10}", self.percent(share(step)));
            }
            row + "\n"
        };
        let lasting = |ends: &[u16], step: u16| ends.iter().filter(|&&end| end > step).count();
        text += &row("any of them up", &|step| lasting(&ends.any, step));
        if self.zones.len() > 1 {
            let last = self.horizons().last().map_or(0, |&(_, step)| step);
            let best = (0..self.zones.len())
                .max_by_key(|&z| (lasting(&ends.each[z], last), usize::MAX - z));
            if let Some(z) = best {
                let name = format!("{} alone", clipped(&self.zones[z], NAME - 6));
                text += &row(&name, &|step| lasting(&ends.each[z], step));
            }
        }
        text
    }

    /// The first step at which no zone is up, and each zone is not, by path.
    fn ends(&self) -> Ends {
        let (paths, zones) = (self.paths.len(), self.zones.len());
        let mut ends = Ends { any: vec![0; paths], each: vec![vec![0; paths]; zones] };
        let mut runs: Vec<(u16, u16)> = Vec::new();
        for path in 0..paths {
            runs.clear();
            for zone in 0..zones {
                let up = self.paths.runs(path, zone).filter(|run| run.is_up);
                runs.extend(up.map(|run| (run.from, run.to)));
                let first = self.paths.runs(path, zone).next().filter(|run| run.is_up);
                ends.each[zone][path] = first.map_or(0, |run| run.to);
            }
            runs.sort_unstable();
            for &(from, to) in &runs {
                if from > ends.any[path] {
                    break;
                }
                ends.any[path] = ends.any[path].max(to);
            }
        }
        ends
    }

    /// What all zones together have of a measure, where what is free is known.
    fn amounts(&self, style: Style) -> String {
        let mut text = String::new();
        let mut told: Vec<&AmountAhead> = Vec::new();
        for amount in (0..self.zones.len()).flat_map(|zone| self.paths.measures(zone)) {
            let is_new = !told.iter().any(|known| known.measure == amount.measure);
            if amount.capacity.is_some() && is_new {
                told.push(amount);
            }
        }
        for amount in told {
            let title = format!("{} free in all zones that are up, together", amount.measure);
            text += &format!("\n{}\n", style.faint(&title));
            for (minutes, step) in self.horizons() {
                let [low, middle, high] = self.free(amount, step);
                text += &format!(
                    "    in {:<8} {middle} (90 % between {low} and {high})\n",
                    ahead(f64::from(minutes))
                );
            }
        }
        text
    }

    /// Quantiles over futures of the sum over zones.
    fn free(&self, of: &AmountAhead, step: u16) -> [String; 3] {
        let is_it = |one: &AmountAhead| one.measure == of.measure && one.capacity.is_some();
        let of_zone = |path: usize, zone: usize| -> f64 {
            let Some(i) = self.paths.measures(zone).position(is_it) else { return 0.0 };
            let mut states = self.paths.states(path, zone);
            let state = states.find(|state| (state.from..state.to).contains(&step));
            state.and_then(|state| state.amounts().nth(i)).unwrap_or(0.0)
        };
        let mut sums: Vec<f64> = (0..self.paths.len())
            .map(|path| (0..self.zones.len()).map(|zone| of_zone(path, zone)).sum())
            .collect();
        sums.sort_by(f64::total_cmp);
        let at = |level: f64| (level * sums.len().saturating_sub(1) as f64).round() as usize;
        LEVELS.map(|level| {
            fan::figure(sums.get(at(level)).copied().unwrap_or(0.0), of.measure.unit())
        })
    }

    /// So many futures, in a hundred.
    fn percent(&self, many: usize) -> String {
        let one = 100.0 / self.paths.len().max(1) as f64;
        if many == 0 { format!("under {one:.1}") } else { format!("{:.1}", many as f64 * one) }
    }
}

/// Of each path, the first step at which something is not so any more.
struct Ends {
    any: Vec<u16>,
    each: Vec<Vec<u16>>,
}

/// Of the first `n` zones: covariance within steps, over all of them; none of a zone that does not
/// vary.
fn correlations(paths: &Paths, n: usize, step_minutes: u32) -> Vec<Option<f64>> {
    let every = (EVERY / step_minutes.max(1)).max(1) as usize;
    let every = every.min(usize::from(paths.steps()).max(1));
    let all = paths.len().max(1) as f64;
    let mut covariances = vec![0.0; n * n];
    for step in (every as u16..=paths.steps()).step_by(every) {
        let up: Vec<Vec<usize>> = (0..n)
            .map(|zone| (0..paths.len()).filter(|&path| paths.is_up(path, zone, step)).collect())
            .collect();
        for (a, b) in (0..n).flat_map(|a| (0..=a).map(move |b| (a, b))) {
            let both = common(&up[a], &up[b]) as f64 / all;
            covariances[a * n + b] += both - up[a].len() as f64 * up[b].len() as f64 / (all * all);
        }
    }
    let r = |k: usize| {
        let own = |z: usize| covariances[z * n + z];
        let spread = (own(k / n) * own(k % n)).sqrt();
        (spread > 1e-9).then(|| covariances[k] / spread)
    };
    (0..n * n).map(r).collect()
}

/// How many are in both of two ascending lists.
fn common(a: &[usize], b: &[usize]) -> usize {
    let mut b = b.iter().peekable();
    let is_in = |path: &&usize| {
        while b.next_if(|other| other < path).is_some() {}
        b.peek() == Some(path)
    };
    a.iter().filter(is_in).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use forecast::association::Association;
    use forecast::dependence::Dependence;
    use forecast::paths::{Ahead, Joint};
    use forecast::recording::Measure;

    fn zone(is_up: bool) -> Ahead {
        let up = |k: i32| 0.6 + (f64::from(u8::from(is_up)) - 0.6) * 0.95_f64.powi(k);
        Ahead {
            is_up: Some(is_up),
            minutes_in_state: 30.0,
            up: (1..=288).map(up).collect(),
            survival: Vec::new(),
            step_minutes: 5,
            hazards: [vec![0.05], vec![0.04]],
        }
    }

    #[test]
    fn futures_in_short_say_what_goes_together_how_many_there_are_and_what_they_have() {
        let dependence = Dependence::given(vec![1.0, 0.6, 0.6, 1.0], 2);
        let amount = |zone| AmountAhead {
            zone,
            measure: Measure::Cpu,
            capacity: Some(1.0),
            used: vec![[0.25; 19]],
        };
        let horizon = Horizon::default();
        let joint = Joint::new(&[zone(true), zone(false)], &dependence, horizon)
            .with_amounts(vec![amount(0), amount(1)], &Association::none(2));
        let paths = joint.paths(1000, 1);
        let zones = ["east".to_owned(), "west".to_owned()];
        let of = Futures { name: "spot", zones: &zones, paths: &paths, horizon, seed: 1 };
        let text = futures(&of, Style::plain(80));
        assert!(text.starts_with("spot: 1,000 joint futures of 2 zones, the next 24 h, seed 1\n"));
        let r = correlations(&paths, 2, 5)[2].unwrap();
        assert!((r - 0.6).abs() < 0.06 && text.contains(&format!("{r:.2}")), "{r}\n{text}");
        let ends = of.ends();
        for path in 0..20 {
            let is_any = |step: u16| (0..2).any(|zone| paths.is_up(path, zone, step));
            assert!((0..ends.any[path]).all(is_any));
            assert!(ends.any[path] > 288 || !is_any(ends.any[path]));
        }
        for told in ["1 of 2", "any of them up", "alone", "cpu free in all zones"] {
            assert!(text.contains(told), "{told}\n{text}");
        }
        assert!(text.contains("150 %") || text.contains("1.5"), "{text}");
    }
}
