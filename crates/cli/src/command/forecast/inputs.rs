//! What each input was worth: forecasts of a past with it and without it, held against what came.

use forecast::Covariates;
use forecast::backtest::Outcome;
use forecast::covariates::{CLOCK, RUNS};
use forecast::target::Kind;
use forecast::worth::{Verdict, Worth};
use serde::Serialize;

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
    input: String,
    horizon_min: Option<u32>,
    rows: usize,
    brier_with: f64,
    brier_without: f64,
    standard_error: Option<f64>,
    verdict: &'static str,
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
            input: self.input.to_owned(),
            horizon_min: minutes,
            rows: worth.rows,
            brier_with: worth.with,
            brier_without: worth.without,
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
        let verdict = worth.verdict();
        let told = match verdict {
            Verdict::Helped => screen.datum(Tone::Good, word(verdict)),
            Verdict::Hurt => screen.datum(Tone::Doubtful, word(verdict)),
            Verdict::Unclear => word(verdict).to_owned(),
        };
        let (input, Worth { with, without, error, .. }) = (label(part), worth);
        text += &format!(
            "{input}: Brier {with:.4} with, {without:.4} without (± {error:.4}): {told}\n"
        );
    }
    text
}

/// An input with what it is.
fn label(part: &Part<'_>) -> String {
    let name = report::printable::clipped(part.input, 40);
    let is_calendar = |zone: &Covariates| zone.events().any(|(calendar, _)| calendar == part.input);
    match part.input {
        CLOCK | RUNS => name,
        _ if part.subject.ahead.iter().any(is_calendar) => format!("calendar {name}"),
        _ => format!("feed {name}"),
    }
}
