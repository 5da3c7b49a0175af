//! What a comparison of policies found: as values, as a table, as JSON.

use std::path::{Path, PathBuf};

use report::quantity::{Seconds, plural};
use serde::Serialize;
use sim::lab::compare::{self, Spread};
use sim::lab::{Contender, Score};
use spec::{Bytes, Duration, Timestamp};

use super::setting::Setting;

/// The runs of one policy, by start.
pub(super) struct Runs {
    /// Which policy.
    pub(super) contender: Contender,
    /// By start.
    pub(super) scores: Vec<Score>,
}

/// What was found for one workflow.
#[derive(Serialize)]
pub(super) struct Findings {
    workflow: String,
    n_tasks: usize,
    core_seconds: f64,
    /// Where rules for one job are compared: how often the job saves its progress.
    step_seconds: Option<f64>,
    n_starts: usize,
    deadline_seconds: Option<f64>,
    /// Starts in one window are one observation.
    n_windows: usize,
    window_seconds: f64,
    bounds: Bounds,
    /// In the order in which they were asked for.
    pub(super) policies: Vec<PolicyFindings>,
    differences: Vec<DifferenceFindings>,
}

/// What no run can be better than, whatever the policy, of all starts.
#[derive(Serialize)]
pub(super) struct Bounds {
    pub(super) makespan_seconds: Range,
    pub(super) cost: Range,
}

/// One policy.
#[derive(Serialize)]
pub(super) struct PolicyFindings {
    policy: &'static str,
    makespan_seconds: Range,
    cost: Range,
    lost_core_seconds: Range,
    redundant_core_seconds: Range,
    allocations: Range,
    jobs: Range,
    bytes_moved: Range,
    /// Runs that were late or came to no end.
    n_missed: usize,
    runs: Vec<RunFindings>,
}

#[derive(Serialize)]
struct RunFindings {
    start_seconds: f64,
    makespan_seconds: f64,
    cost: f64,
    lost_core_seconds: f64,
    allocations: f64,
    jobs: f64,
    in_time: bool,
}

/// The middle and the ends of what was seen.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Range {
    median: f64,
    p05: f64,
    p95: f64,
}

/// A policy less the first one, from the same starts.
#[derive(Serialize)]
struct DifferenceFindings {
    policy: &'static str,
    to: &'static str,
    cost: MeanFindings,
    makespan_seconds: MeanFindings,
}

#[derive(Serialize)]
struct MeanFindings {
    mean: f64,
    /// Of the mean, 95 %, by block bootstrap over windows.
    interval: Option<(f64, f64)>,
}

impl Findings {
    /// Sums up runs of policies from the same starts.
    pub(super) fn of(setting: &Setting, runs: &[Runs]) -> Self {
        let Setting { experiment, starts, .. } = setting;
        let seed = experiment.seed;
        let workflow = &experiment.workload.workflow;
        let longest = runs.iter().flat_map(|runs| &runs.scores).map(|score| score.makespan);
        let longest = Duration::from_secs_f64(longest.fold(1.0, f64::max));
        let window = experiment.deadline.map_or(longest, |deadline| deadline.max(longest));
        let windows = compare::windows(starts, window);
        let difference = |of: &Runs, value: &dyn Fn(&Score) -> f64| {
            let first = runs[0].scores.iter();
            let paired: Vec<f64> =
                of.scores.iter().zip(first).map(|(a, b)| value(a) - value(b)).collect();
            let found = compare::difference(&paired, &windows, seed);
            MeanFindings { mean: found.mean, interval: found.interval }
        };
        let differences = runs[1..].iter().map(|of| DifferenceFindings {
            policy: of.contender.name(),
            to: runs[0].contender.name(),
            cost: difference(of, &|score| score.cost),
            makespan_seconds: difference(of, &|score| score.makespan),
        });
        Self {
            workflow: workflow.name().to_owned(),
            n_tasks: workflow.n_tasks(),
            core_seconds: experiment.workload.core_seconds(),
            step_seconds: experiment.job.as_ref().map(|terms| terms.step.as_secs_f64()),
            n_starts: starts.len(),
            deadline_seconds: experiment.deadline.map(Duration::as_secs_f64),
            n_windows: compare::n_windows(&windows),
            window_seconds: window.as_secs_f64(),
            bounds: Bounds::of(setting),
            differences: differences.collect(),
            policies: runs.iter().map(|runs| PolicyFindings::of(runs, setting)).collect(),
        }
    }

    /// A line that says what was compared.
    pub(super) fn title(&self) -> String {
        let deadline = self.deadline_seconds.map_or(String::new(), |seconds| {
            format!(", deadline {}", Seconds(Duration::from_secs_f64(seconds)))
        });
        let tasks = match self.step_seconds {
            Some(step) => {
                let step = Seconds(Duration::from_secs_f64(step));
                format!("one job of {} of {step}", plural(self.n_tasks, "step", "steps"))
            }
            None => plural(self.n_tasks, "task", "tasks"),
        };
        let (work, starts) =
            (core_hours(self.core_seconds), plural(self.n_starts, "start", "starts"));
        format!("{}: {tasks}, {work}, {starts}{deadline}", self.workflow)
    }

    /// Where the picture goes: with several workflows, each has one of its own.
    pub(super) fn numbered(&self, path: &Path, n_files: usize) -> PathBuf {
        if n_files < 2 {
            return path.to_owned();
        }
        let plain = |c: char| if c.is_alphanumeric() || c == '-' { c } else { '_' };
        let name: String = self.workflow.chars().map(plain).collect();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        path.with_file_name(format!("{stem}-{name}.svg"))
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\nmedian (5 % to 95 %) of each\n", self.title());
        let mut rows = vec![Vec::new()];
        rows[0].push(String::new());
        rows[0].extend(self.policies.iter().map(|policy| policy.policy.to_owned()));
        for (name, cell) in ROWS {
            let cells = self.policies.iter().map(cell);
            rows.push([name.to_owned()].into_iter().chain(cells).collect());
        }
        text += &table(&rows);
        text += &self.notes();
        let window = Seconds(Duration::from_secs_f64(self.window_seconds));
        let windows = plural(self.n_windows, "independent window", "independent windows");
        if let Some(first) = self.differences.first() {
            text += &format!(
                "less {} from the same starts, mean (95 %, blocks of {window}, {windows}):\n",
                first.to
            );
        }
        for found in &self.differences {
            let cost = found.cost.text(&|value| signed(value, &money(value.abs())));
            let makespan = found.makespan_seconds.text(&|value| signed(value, &span(value.abs())));
            text += &format!("  {:<14} cost {cost}, makespan {makespan}\n", found.policy);
        }
        text
    }
}

impl Findings {
    /// What the table does not say of itself.
    fn notes(&self) -> String {
        let bounds = &self.bounds;
        let mut text = format!(
            "no run can end before {}: the longest path, or all work on all cores there are, after a launch\n\
             or cost less than {}: all work at the lowest price of a core\n",
            bounds.makespan_seconds.text(&span),
            bounds.cost.text(&money)
        );
        if self.policies.iter().any(|policy| policy.policy == Contender::Reactive.name()) {
            text += "reactive pays for the slice of a node that a task needs, which flatters it; \
                     reactive-nodes pays for whole nodes\n";
        }
        if let Some(step) = self.step_seconds {
            let step = Seconds(Duration::from_secs_f64(step));
            text += &format!(
                "the job saves its progress every {step}; for the rules, launches take whole steps\n"
            );
        }
        text
    }
}

type Cell = fn(&PolicyFindings) -> String;

const ROWS: [(&str, Cell); 8] = [
    ("makespan", |policy| policy.makespan_seconds.text(&span)),
    ("cost", |policy| policy.cost.text(&money)),
    ("lost work", |policy| policy.lost_core_seconds.text(&core_hours)),
    ("redundant", |policy| policy.redundant_core_seconds.text(&core_hours)),
    ("allocations", |policy| policy.allocations.text(&whole)),
    ("jobs", |policy| policy.jobs.text(&whole)),
    ("moved", |policy| policy.bytes_moved.text(&bytes)),
    ("missed", |policy| format!("{} of {}", policy.n_missed, policy.runs.len())),
];

impl Bounds {
    pub(super) fn of(Setting { experiment, starts, .. }: &Setting) -> Self {
        let bounds: Vec<_> = starts.iter().map(|&start| experiment.bound(start)).collect();
        Self {
            makespan_seconds: Range::of(bounds.iter().map(|bound| bound.makespan)),
            cost: Range::of(bounds.iter().map(|bound| bound.cost)),
        }
    }
}

impl PolicyFindings {
    fn of(runs: &Runs, Setting { experiment, starts, .. }: &Setting) -> Self {
        let deadline = experiment.deadline;
        let range = |value: fn(&Score) -> f64| Range::of(runs.scores.iter().map(value));
        let told = |(score, start): (&Score, &Timestamp)| RunFindings {
            start_seconds: start.0 as f64 / 1e6,
            makespan_seconds: score.makespan,
            cost: score.cost,
            lost_core_seconds: score.lost_work,
            allocations: score.allocations,
            jobs: score.jobs,
            in_time: score.is_in_time(deadline),
        };
        Self {
            policy: runs.contender.name(),
            makespan_seconds: range(|score| score.makespan),
            cost: range(|score| score.cost),
            lost_core_seconds: range(|score| score.lost_work),
            redundant_core_seconds: range(|score| score.redundant_work),
            allocations: range(|score| score.allocations),
            jobs: range(|score| score.jobs),
            bytes_moved: range(|score| score.bytes_moved),
            n_missed: runs.scores.iter().filter(|score| !score.is_in_time(deadline)).count(),
            runs: runs.scores.iter().zip(starts).map(told).collect(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.policy
    }

    pub(super) fn spread_of_cost(&self) -> Spread {
        self.cost.spread()
    }

    pub(super) fn spread_of_makespan(&self) -> Spread {
        self.makespan_seconds.spread()
    }
}

impl Range {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let Spread { median, low, high } = compare::spread(values);
        Self { median, p05: low, p95: high }
    }

    pub(super) fn spread(self) -> Spread {
        Spread { median: self.median, low: self.p05, high: self.p95 }
    }

    pub(super) fn text(self, shown: &dyn Fn(f64) -> String) -> String {
        let (median, low, high) = (shown(self.median), shown(self.p05), shown(self.p95));
        if low == high { median } else { format!("{median} ({low} to {high})") }
    }
}

impl MeanFindings {
    fn text(&self, shown: &dyn Fn(f64) -> String) -> String {
        match self.interval {
            Some((low, high)) => {
                format!("{} ({} to {})", shown(self.mean), shown(low), shown(high))
            }
            None => format!("{} (one window: no interval)", shown(self.mean)),
        }
    }
}

/// Columns as wide as their widest cell; the last one runs out.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let n = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..n).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// Whole seconds from a minute on.
pub(super) fn span(seconds: f64) -> String {
    let seconds = if seconds >= 60.0 { seconds.round() } else { (seconds * 10.0).round() / 10.0 };
    Seconds(Duration::from_secs_f64(seconds)).to_string()
}

/// With cents, unless it is much.
pub(super) fn money(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Core-seconds as core-hours.
pub(super) fn core_hours(core_seconds: f64) -> String {
    match core_seconds / 3_600.0 {
        0.0 => "0".to_owned(),
        hours => format!("{hours:.2} core-h"),
    }
}

/// Without fractions.
pub(super) fn whole(value: f64) -> String {
    format!("{value:.0}")
}

fn bytes(value: f64) -> String {
    Bytes(value as u64).to_string()
}

fn signed(value: f64, shown: &str) -> String {
    if value < 0.0 { format!("-{shown}") } else { format!("+{shown}") }
}
