//! The scores of a backtest, as values for programs and as tables for people.

use forecast::backtest::{BLEND, Cell, Folder, Outcome, REFERENCE};
use forecast::score::{BINS, Bin, Score};
use forecast::target::{Kind, Target};
use report::outlook;
use serde::Serialize;

use crate::screen::{Screen, Tone};

/// One folder, one statement.
pub(crate) struct Part<'a> {
    /// What was replayed.
    pub(crate) folder: &'a Folder,
    /// What was forecast.
    pub(crate) kind: Kind,
    /// What came of it.
    pub(crate) outcome: &'a Outcome,
}

/// A forecaster at a horizon.
#[derive(Serialize)]
pub(crate) struct Value {
    folder: String,
    kind: &'static str,
    horizon_min: u32,
    forecaster: &'static str,
    #[serde(flatten)]
    measures: Measures,
    reliability: Vec<Bin>,
    zones: Vec<ZoneValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    weights: Vec<WeightValue>,
}

#[derive(Serialize)]
struct Measures {
    rows: usize,
    base_rate: f64,
    brier: f64,
    skill: f64,
    log_loss: f64,
    ece: f64,
}

#[derive(Serialize)]
struct ZoneValue {
    zone: String,
    #[serde(flatten)]
    measures: Measures,
}

#[derive(Serialize)]
pub(super) struct WeightValue {
    pub(super) expert: String,
    pub(super) weight: f64,
}

impl Measures {
    fn of(score: &Score, reference: &Score) -> Self {
        Self {
            rows: score.rows(),
            base_rate: score.base_rate(),
            brier: score.brier(),
            skill: score.skill(reference),
            log_loss: score.log_loss(),
            ece: score.ece(),
        }
    }
}

/// Every score, for programs. Cells without a forecast are left out.
pub(crate) fn values(parts: &[Part<'_>]) -> Vec<Value> {
    let mut values = Vec::new();
    for part in parts {
        for cell in part.outcome.cells.iter().filter(|cell| cell.all().rows() > 0) {
            values.push(value(part, cell));
        }
    }
    values
}

fn value(part: &Part<'_>, cell: &Cell) -> Value {
    let reference = part.cell(cell.target, REFERENCE);
    let zones = part.folder.zones.iter().zip(cell.zones.iter().zip(&reference.zones));
    let weights = part
        .outcome
        .weights
        .iter()
        .filter(|(target, _)| *target == cell.target && cell.forecaster == BLEND);
    Value {
        folder: part.folder.name.clone(),
        kind: key(part.kind),
        horizon_min: cell.target.minutes,
        forecaster: cell.forecaster,
        measures: Measures::of(&cell.all(), &reference.all()),
        reliability: cell.all().reliability().to_vec(),
        zones: zones
            .filter(|(_, (score, _))| score.rows() > 0)
            .map(|(zone, (score, reference))| ZoneValue {
                zone: zone.name.clone(),
                measures: Measures::of(score, reference),
            })
            .collect(),
        weights: weights
            .flat_map(|(_, weights)| weights)
            .filter(|(_, weight)| *weight > 0.0)
            .map(|(expert, weight)| WeightValue { expert: expert.clone(), weight: *weight })
            .collect(),
    }
}

/// What a statement is called in files.
pub(super) fn key(kind: Kind) -> &'static str {
    match kind {
        Kind::Up => "p_available",
        Kind::Survival => "p_survive",
    }
}

impl Part<'_> {
    fn targets(&self) -> Vec<Target> {
        let tested = self.outcome.cells.iter().filter(|cell| cell.forecaster == BLEND);
        tested.filter(|cell| cell.all().rows() > 0).map(|cell| cell.target).collect()
    }

    fn cell(&self, target: Target, forecaster: &str) -> &Cell {
        let mut cells = self.outcome.cells.iter();
        cells
            .find(|cell| cell.target == target && cell.forecaster == forecaster)
            .expect("every forecaster has a cell for every target")
    }
}

/// Horizons with a diagram, in minutes.
const DRAWN: [u32; 3] = [60, 360, 1440];

/// What a folder is called where there is little room.
fn last_part(name: &str) -> String {
    report::printable::clipped(name.rsplit('/').next().unwrap_or(name), 20)
}

/// Reliability diagrams as an SVG file.
pub(crate) fn diagrams(parts: &[Part<'_>]) -> String {
    let of = |part: &Part<'_>, target: Target| {
        let what = match part.kind {
            Kind::Up => "up in",
            Kind::Survival => "stays up for",
        };
        let (blend, reference) =
            (part.cell(target, BLEND).all(), part.cell(target, REFERENCE).all());
        outlook::Diagram {
            title: format!("{what} {}: {}", ahead(target.minutes), last_part(&part.folder.name)),
            note: format!(
                "Brier {:.3}, skill {}, calibration error {:.3}",
                blend.brier(),
                skill(blend.skill(&reference), 2),
                blend.ece()
            ),
            bins: *blend.reliability(),
        }
    };
    let drawn = parts.iter().flat_map(|part| {
        let targets = part.targets();
        let shown = targets.into_iter().filter(|target| DRAWN.contains(&target.minutes));
        shown.map(move |target| of(part, target))
    });
    outlook::reliability("How forecasts kept their word", &drawn.collect::<Vec<_>>())
}

/// What a statement says.
pub(super) fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Up => "up at the end of the horizon",
        Kind::Survival => "up throughout the horizon, if up now",
    }
}

/// Tables for people.
pub(crate) fn text(parts: &[Part<'_>], screen: Screen) -> String {
    let mut text = String::new();
    for part in parts {
        let targets = part.targets();
        if targets.is_empty() {
            continue;
        }
        let title = title(part.kind);
        let name = screen.datum(Tone::Strong, &part.folder.name);
        text += &format!("{name}: {title}\n\n");
        text += &briers(part, &targets, screen);
        text += &qualities(part, &targets);
        text += &skills_of_zones(part, &targets, screen);
        text += &reliability(part, &targets, screen);
        text += "\n";
    }
    if text.is_empty() {
        text += "there is nothing to hold forecasts against: the traces are too short, or nothing is \
                 known of what follows their first 60 %\n";
    }
    text
}

fn head(title: &str, targets: &[Target], screen: Screen) -> String {
    let mut line = format!("{title:<24}");
    for target in targets {
        line += &format!("{:>9}", ahead(target.minutes));
    }
    screen.datum(Tone::Faint, &line) + "\n"
}

/// How far ahead that is.
pub(super) fn ahead(minutes: u32) -> String {
    if minutes.is_multiple_of(60) {
        format!("{} h", minutes / 60)
    } else {
        format!("{minutes} min")
    }
}

/// A skill; against a climatology that is hardly ever wrong, how bad it is says nothing.
fn skill(value: f64, digits: usize) -> String {
    if value < -10.0 { "< -10".to_owned() } else { format!("{value:.digits$}") }
}

fn line(name: &str, values: impl Iterator<Item = f64>) -> String {
    let mut line = format!("{name:<24}");
    for value in values {
        line += &format!("{value:>9.4}");
    }
    line + "\n"
}

/// The Brier score of everyone; the best of each horizon stands out.
fn briers(part: &Part<'_>, targets: &[Target], screen: Screen) -> String {
    let mut text = head("Brier score", targets, screen);
    let mut forecasters: Vec<&str> = Vec::new();
    for cell in &part.outcome.cells {
        if !forecasters.contains(&cell.forecaster) {
            forecasters.push(cell.forecaster);
        }
    }
    let brier = |target, forecaster| part.cell(target, forecaster).all().brier();
    for &forecaster in &forecasters {
        text += &format!("{forecaster:<24}");
        for &target in targets {
            let value = brier(target, forecaster);
            let least = forecasters.iter().map(|other| brier(target, other));
            let is_best = least.fold(f64::INFINITY, f64::min) >= value;
            let word = format!("{value:>9.4}");
            text += &if is_best { screen.datum(Tone::Good, &word) } else { word };
        }
        text += "\n";
    }
    text + "\n"
}

/// What else is to be known of the blend.
fn qualities(part: &Part<'_>, targets: &[Target]) -> String {
    let each = |of: &dyn Fn(&Score, &Score) -> f64| {
        let values = targets.iter().map(|&target| {
            of(&part.cell(target, BLEND).all(), &part.cell(target, REFERENCE).all())
        });
        values.collect::<Vec<_>>().into_iter()
    };
    let mut text = format!("{:<24}", "skill");
    for value in each(&|score, reference| score.skill(reference)) {
        text += &format!("{:>9}", skill(value, 4));
    }
    text += "\n";
    text += &line("log loss", each(&|score, _| score.log_loss()));
    text += &line("calibration error", each(&|score, _| score.ece()));
    text += &line("share true", each(&|score, _| score.base_rate()));
    text += &format!("{:<24}", "forecasts");
    for &target in targets {
        text += &format!("{:>9}", part.cell(target, BLEND).all().rows());
    }
    text + "\n\n"
}

fn skills_of_zones(part: &Part<'_>, targets: &[Target], screen: Screen) -> String {
    let mut text = head("skill by zone", targets, screen);
    for (z, zone) in part.folder.zones.iter().enumerate() {
        text += &format!("{:<24}", report::printable::clipped(&zone.name, 23));
        for &target in targets {
            let score = &part.cell(target, BLEND).zones[z];
            let reference = &part.cell(target, REFERENCE).zones[z];
            text += &if score.rows() == 0 {
                format!("{:>9}", "-")
            } else {
                format!("{:>9}", skill(score.skill(reference), 3))
            };
        }
        text += "\n";
    }
    text + "\n"
}

/// Of all horizons together: a bar as long as what came true, and a mark at what was said.
fn reliability(part: &Part<'_>, targets: &[Target], screen: Screen) -> String {
    const WIDTH: usize = 50;
    let mut sum = Score::default();
    targets.iter().for_each(|&target| sum.merge(&part.cell(target, BLEND).all()));
    let head = format!(
        "{:<9}{:>7}{:>9}{:>9}  {}",
        "said", "mean", "true", "rows", "came true, and | where it was said to"
    );
    let mut text = screen.datum(Tone::Faint, &head) + "\n";
    for (i, bin) in sum.reliability().iter().enumerate() {
        if bin.rows < 1.0 {
            continue;
        }
        let (said, came_true) = (bin.said / bin.rows, bin.came_true / bin.rows);
        let at = |share: f64| ((share * WIDTH as f64).round() as usize).min(WIDTH - 1);
        let mut bar: Vec<char> =
            (0..WIDTH).map(|c| if c < at(came_true) { '█' } else { '·' }).collect();
        bar[at(said)] = '|';
        let bar: String = bar.into_iter().collect();
        let range = format!("{}-{} %", i * 100 / BINS, (i + 1) * 100 / BINS);
        text += &format!("{range:<9}{said:>7.3}{came_true:>9.3}{:>9}  {bar}\n", bin.rows as u64);
    }
    text
}
