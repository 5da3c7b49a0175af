//! What each input was worth: forecasts of a past with it and without it, held against what came.

use forecast::Covariates;
use forecast::backtest::Outcome;
use forecast::covariates::{CLOCK, RUNS};
use forecast::free;
use forecast::free::backtest::HORIZONS;
use forecast::target::Kind;
use forecast::worth::{Verdict, Worth};
use serde::Serialize;

use super::amounts::Tested;
use super::backtest::Subject;
use super::scores;
use crate::screen::{Screen, Tone};

/// One input, one statement.
pub(super) struct Part<'a> {
    /// What was replayed.
    pub(super) subject: &'a Subject,
    /// What was forecast.
    pub(super) kind: Kind,
    /// The input.
    pub(super) input: &'a str,
    /// What came of it with all inputs.
    pub(super) with: &'a Outcome,
    /// What came of it without this one.
    pub(super) without: &'a Outcome,
}

/// An input at a horizon, or at all of them together.
#[derive(Serialize)]
pub(super) struct Value {
    folder: String,
    kind: &'static str,
    statement: &'static str,
    /// Of what amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    measure: Option<String>,
    input: String,
    horizon_min: Option<u32>,
    rows: usize,
    #[serde(flatten)]
    score: Scores,
    standard_error: Option<f64>,
    verdict: &'static str,
}

/// With the input and without it, under the name of the score.
#[derive(Serialize)]
#[serde(untagged)]
enum Scores {
    Odds { brier_with: f64, brier_without: f64 },
    Amount { wql_with: f64, wql_without: f64 },
}

impl Part<'_> {
    /// At one horizon, or at all of them.
    fn worth(&self, minutes: Option<u32>) -> Option<Worth> {
        let step = self.subject.folder.traces.first()?.step_seconds;
        let target = minutes.map(|minutes| forecast::target::Target { kind: self.kind, minutes });
        Worth::of(&self.with.rows, &self.without.rows, target, step)
    }

    fn value(&self, minutes: Option<u32>) -> Option<Value> {
        let worth = self.worth(minutes)?;
        Some(Value {
            folder: self.subject.folder.name.clone(),
            kind: "input",
            statement: scores::key(self.kind),
            measure: None,
            input: self.input.to_owned(),
            horizon_min: minutes,
            rows: worth.rows,
            score: Scores::Odds { brier_with: worth.with, brier_without: worth.without },
            standard_error: worth.error.is_finite().then_some(worth.error),
            verdict: word(worth.verdict()),
        })
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Helped => "helped",
        Verdict::Hurt => "hurt",
        Verdict::Unclear => "unclear",
    }
}

/// For programs: each input over all horizons, then at each.
pub(super) fn values(parts: &[Part<'_>]) -> Vec<Value> {
    let horizons = |part: &Part<'_>| {
        let targets = forecast::backtest::targets(part.kind);
        std::iter::once(None).chain(targets.into_iter().map(|target| Some(target.minutes)))
    };
    parts.iter().flat_map(|part| horizons(part).filter_map(|at| part.value(at))).collect()
}

/// For people: a line for each input, over all horizons.
pub(super) fn text(parts: &[Part<'_>], screen: Screen) -> String {
    let mut text = String::new();
    let mut last = None;
    for part in parts {
        let Some(worth) = part.worth(None) else { continue };
        if last != Some(part.kind) {
            let name = screen.datum(Tone::Strong, &part.subject.folder.name);
            let space = if last.is_some() { "\n" } else { "" };
            let title = scores::title(part.kind);
            text += &format!("{space}{name}: what inputs were worth, {title}\n\n");
            last = Some(part.kind);
        }
        let told = told(worth.verdict(), screen);
        let (input, Worth { with, without, error, .. }) = (label(part.subject, part.input), worth);
        text += &format!(
            "{input}: Brier {with:.4} with, {without:.4} without (± {error:.4}): {told}\n"
        );
    }
    text
}

fn told(verdict: Verdict, screen: Screen) -> String {
    match verdict {
        Verdict::Helped => screen.datum(Tone::Good, word(verdict)),
        Verdict::Hurt => screen.datum(Tone::Doubtful, word(verdict)),
        Verdict::Unclear => word(verdict).to_owned(),
    }
}

/// What inputs were worth for amounts: of each measure, over the zones where it was measured.
struct OfAmounts<'a> {
    subject: &'a Subject,
    measure: &'a str,
    input: &'a str,
    pairs: Vec<(&'a free::backtest::Outcome, &'a free::backtest::Outcome)>,
}

fn of_amounts<'a>(subjects: &'a [Subject], tested: &'a [Tested]) -> Vec<OfAmounts<'a>> {
    let mut found: Vec<OfAmounts<'a>> = Vec::new();
    for subject in subjects {
        let inputs: Vec<&str> =
            subject.ahead.first().into_iter().flat_map(Covariates::inputs).collect();
        for one in tested {
            for &input in &inputs {
                let Some((measured, with, without)) = one.pair(input) else { continue };
                let measure = measured.measure.as_str();
                let is_it = |of: &&mut OfAmounts<'_>| (of.measure, of.input) == (measure, input);
                match found.iter_mut().find(is_it) {
                    Some(of) => of.pairs.push((with, without)),
                    None => found.push(OfAmounts {
                        subject,
                        measure,
                        input,
                        pairs: vec![(with, without)],
                    }),
                }
            }
        }
    }
    found
}

/// For programs: each input for each measure over all horizons, then at each.
pub(super) fn values_of_amounts(subjects: &[Subject], tested: &[Tested]) -> Vec<Value> {
    let value = |of: &OfAmounts<'_>, horizon: Option<usize>| {
        let worth = free::backtest::worth(&of.pairs, horizon)?;
        Some(Value {
            folder: of.subject.folder.name.clone(),
            kind: "input",
            statement: "amount",
            measure: Some(of.measure.to_owned()),
            input: of.input.to_owned(),
            horizon_min: horizon.map(|at| HORIZONS[at] as u32 * 60),
            rows: worth.rows,
            score: Scores::Amount { wql_with: worth.with, wql_without: worth.without },
            standard_error: worth.error.is_finite().then_some(worth.error),
            verdict: word(worth.verdict()),
        })
    };
    let horizons = || std::iter::once(None).chain((0..HORIZONS.len()).map(Some));
    let all = of_amounts(subjects, tested);
    all.iter().flat_map(|of| horizons().filter_map(move |at| value(of, at))).collect()
}

/// For people: a line for each input and measure, over all horizons.
pub(super) fn text_of_amounts(subjects: &[Subject], tested: &[Tested], screen: Screen) -> String {
    let (mut text, mut last) = (String::new(), "");
    for of in of_amounts(subjects, tested) {
        let Some(worth) = free::backtest::worth(&of.pairs, None) else { continue };
        if last != of.measure {
            let name = screen.datum(Tone::Strong, &of.subject.folder.name);
            text += &format!("\n{name}: what inputs were worth, {}\n\n", of.measure);
            last = of.measure;
        }
        let told = told(worth.verdict(), screen);
        let [with, without, error] =
            [worth.with, worth.without, worth.error].map(|share| 100.0 * share);
        text += &format!(
            "{}: WQL {with:.2} % with, {without:.2} % without (± {error:.2}): {told}\n",
            label(of.subject, of.input)
        );
    }
    text
}

/// An input with what it is.
fn label(subject: &Subject, input: &str) -> String {
    let name = report::printable::clipped(input, 40);
    let is_calendar = |zone: &Covariates| zone.events().any(|(calendar, _)| calendar == input);
    match input {
        CLOCK | RUNS => name,
        _ if subject.ahead.iter().any(is_calendar) => format!("calendar {name}"),
        _ => format!("feed {name}"),
    }
}
