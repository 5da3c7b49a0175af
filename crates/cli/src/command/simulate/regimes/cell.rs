//! One regime at one factor and one launch: how every policy fares in it, at every deadline.

use report::quantity::{Seconds, plural};
use serde::Serialize;
use sim::Outcome;
use sim::lab::compare;
use sim::lab::map::{self, Gain};
use sim::lab::picture;
use sim::lab::{Contender, Experiment, Score};
use spec::Duration;

use super::super::findings::{self, Bounds, Range};
use super::super::setting::Setting;

/// What is known of a cell before it is played.
pub(super) struct Cell {
    /// Of the regime.
    pub(super) regime: String,
    /// What runtimes are multiplied by.
    pub(super) factor: f64,
    /// From asking for capacity to having it.
    pub(super) launch: Duration,
    /// What is compared; its deadline is the first one.
    pub(super) setting: Setting,
    /// In fault-free makespans, and as spans.
    pub(super) deadlines: Vec<(f64, Duration)>,
    /// How long it takes on demand when all tasks last as long as expected.
    pub(super) fault_free: Duration,
    /// How long capacity stays on average.
    pub(super) up_run: Duration,
}

/// The runs of a policy; of one that decides by the deadline, for one of them.
struct Row {
    contender: Contender,
    deadline: Option<usize>,
    scores: Vec<Score>,
}

/// How a cell came out.
#[derive(Serialize)]
pub(super) struct Played {
    title: String,
    regime: String,
    workload: String,
    n_tasks: usize,
    core_hours: f64,
    factor: f64,
    launch_seconds: f64,
    task_seconds: f64,
    up_run_seconds: f64,
    /// Task length and launch, in up-runs: where it lies on the map.
    task_over_up_run: f64,
    launch_over_up_run: f64,
    fault_free_seconds: f64,
    deadlines: Vec<f64>,
    n_starts: usize,
    n_windows: usize,
    bounds: Bounds,
    policies: Vec<PolicyFindings>,
    #[serde(skip)]
    rows: Vec<Row>,
    #[serde(skip)]
    windows: Vec<u64>,
    #[serde(skip)]
    deadline_spans: Vec<Duration>,
    #[serde(skip)]
    seed: u64,
}

#[derive(Serialize)]
struct PolicyFindings {
    policy: &'static str,
    /// For which deadline it was played, in fault-free makespans; none where it heeds none.
    deadline: Option<f64>,
    makespan_seconds: Range,
    cost: Range,
    mean_cost: f64,
    lost_core_seconds: Range,
    allocations: Range,
    n_unfinished: usize,
    /// By deadline: how many runs were late or came to no end.
    n_late: Vec<Option<usize>>,
}

/// Which policy a map is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// This one.
    Named(Contender),
    /// In each cell, of the policies that use spot capacity and do not know the future, the one that
    /// costs least of those that are late least often; picked afterwards.
    Strongest,
}

/// What a map measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// Money.
    Cost,
    /// Time.
    Makespan,
}

impl Cell {
    /// Plays it.
    pub(super) fn play(self, threads: usize) -> Played {
        let (rows, longest) = self.rows(threads);
        let Setting { experiment, starts, .. } = &self.setting;
        let last = self.deadlines.iter().map(|&(_, span)| span).max().unwrap_or_default();
        let windows = compare::windows(starts, last.max(longest));
        let workload = &experiment.workload;
        let up_run = self.up_run.as_secs_f64();
        let policies = rows.iter().map(|row| self.findings(row)).collect();
        Played {
            title: self.title(),
            workload: workload.workflow.name().to_owned(),
            n_tasks: workload.workflow.n_tasks(),
            core_hours: workload.core_seconds() / 3_600.0,
            factor: self.factor,
            launch_seconds: self.launch.as_secs_f64(),
            task_seconds: workload.task_seconds(),
            up_run_seconds: up_run,
            task_over_up_run: workload.task_seconds() / up_run,
            launch_over_up_run: self.launch.as_secs_f64() / up_run,
            fault_free_seconds: self.fault_free.as_secs_f64(),
            deadlines: self.deadlines.iter().map(|&(times, _)| times).collect(),
            n_starts: starts.len(),
            n_windows: compare::n_windows(&windows),
            bounds: Bounds::of(&self.setting),
            policies,
            rows,
            windows,
            deadline_spans: self.deadlines.iter().map(|&(_, span)| span).collect(),
            seed: experiment.seed,
            regime: self.regime,
        }
    }

    /// A line that says what is compared.
    pub(super) fn title(&self) -> String {
        let workload = &self.setting.experiment.workload;
        let name = workload.workflow.name();
        let tasks = plural(workload.workflow.n_tasks(), "task", "tasks");
        let (work, launch) = (workload.core_seconds() / 3_600.0, Seconds(self.launch));
        let (regime, factor) = (&self.regime, self.factor);
        format!("{regime}, times {factor}, launch {launch}: {name}, {tasks}, {work:.0} core-hours")
    }

    /// Those that heed deadlines are played for each of them.
    fn rows(&self, threads: usize) -> (Vec<Row>, Duration) {
        let mut rows = Vec::new();
        for &contender in &self.setting.contenders {
            let deadlines = if contender.heeds_deadline() { self.deadlines.len() } else { 1 };
            for (number, &(_, span)) in self.deadlines[..deadlines].iter().enumerate() {
                let experiment =
                    Experiment { deadline: Some(span), ..self.setting.experiment.clone() };
                let scores = self.setting.scores(&experiment, contender, threads);
                let deadline = contender.heeds_deadline().then_some(number);
                rows.push(Row { contender, deadline, scores });
            }
        }
        let all = rows.iter().flat_map(|row| &row.scores).map(|score| score.makespan);
        let longest = Duration::from_secs_f64(all.fold(1.0, f64::max));
        (rows, longest)
    }

    fn findings(&self, row: &Row) -> PolicyFindings {
        let range = |value: fn(&Score) -> f64| Range::of(row.scores.iter().map(value));
        let late = |(number, &(_, span)): (usize, &(f64, Duration))| {
            let is_meant = row.deadline.is_none_or(|only| only == number);
            is_meant.then(|| n_late(&row.scores, span))
        };
        PolicyFindings {
            policy: row.contender.name(),
            deadline: row.deadline.map(|number| self.deadlines[number].0),
            makespan_seconds: range(|score| score.makespan),
            cost: range(|score| score.cost),
            mean_cost: mean(&row.scores, Measure::Cost),
            lost_core_seconds: range(|score| score.lost_work),
            allocations: range(|score| score.allocations),
            n_unfinished: row.scores.iter().filter(|score| !score.is_done).count(),
            n_late: self.deadlines.iter().enumerate().map(late).collect(),
        }
    }
}

fn n_late(scores: &[Score], deadline: Duration) -> usize {
    scores.iter().filter(|score| !score.is_in_time(Some(deadline))).count()
}

fn mean(scores: &[Score], measure: Measure) -> f64 {
    scores.iter().map(|score| measure.of(score)).sum::<f64>() / scores.len().max(1) as f64
}

impl Measure {
    fn of(self, score: &Score) -> f64 {
        match self {
            Self::Cost => score.cost,
            Self::Makespan => score.makespan,
        }
    }
}

impl Played {
    /// What a side saves of what the other one pays or takes, at a deadline; none where one of them was not
    /// played, or where both are the same.
    pub(super) fn cell(
        &self,
        of: Side,
        over: Side,
        what: Measure,
        times: f64,
    ) -> Option<map::Cell> {
        let number = self.deadlines.iter().position(|&d| (d - times).abs() < 1e-9)?;
        let (of, over) = (self.side(of, number)?, self.side(over, number)?);
        if of.contender == over.contender {
            return None;
        }
        let values = |row: &Row| -> Vec<f64> { row.scores.iter().map(|s| what.of(s)).collect() };
        let late = |row: &Row| n_late(&row.scores, self.deadline_spans[number]) as i64;
        let mut gain = Gain::of(&values(of), &values(over), &self.windows, self.seed);
        gain.more_late = late(of) - late(over);
        Some(map::Cell { task: self.task_over_up_run, launch: self.launch_over_up_run, gain })
    }

    fn side(&self, side: Side, deadline: usize) -> Option<&Row> {
        let at = |row: &&Row| row.deadline.is_none_or(|only| only == deadline);
        let rows = self.rows.iter().filter(at);
        match side {
            Side::Named(contender) => rows.into_iter().find(|row| row.contender == contender),
            Side::Strongest => {
                let span = self.deadline_spans[deadline];
                let rank =
                    |row: &Row| (n_late(&row.scores, span), mean(&row.scores, Measure::Cost));
                rows.filter(|row| row.contender.is_spot()).min_by(|a, b| {
                    let (a, b) = (rank(a), rank(b));
                    a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
                })
            }
        }
    }

    /// The plot of all policies, for the first deadline, and one run of each.
    pub(super) fn picture(&self, title: &str, outcomes: &[Outcome], zones: &[String]) -> String {
        let first = |policy: &&PolicyFindings| {
            policy.deadline.is_none_or(|d| (d - self.deadlines[0]).abs() < 1e-9)
        };
        let shown: Vec<picture::Shown<'_>> = (self.policies.iter().filter(first).zip(outcomes))
            .map(|(policy, run)| picture::Shown {
                name: policy.policy,
                cost: policy.cost.spread(),
                makespan: policy.makespan_seconds.spread(),
                run,
            })
            .collect();
        picture::svg(title, &shown, zones)
    }

    /// The file of its picture.
    pub(super) fn stem(&self) -> String {
        let launch = Seconds(Duration::from_secs_f64(self.launch_seconds));
        let text = format!("{}-x{}-launch-{launch}", self.regime, self.factor);
        let plain = |c: char| if c.is_alphanumeric() || c == '-' || c == '.' { c } else { '_' };
        text.chars().map(plain).collect()
    }

    /// For people: the conditions, and a line per policy.
    pub(super) fn text(&self) -> String {
        let span = findings::span;
        let mut text = format!(
            "{}\n  task {} = {:.3} and launch = {:.4} of a mean up-run of {}; fault-free {}; {}, {}\n",
            self.title,
            span(self.task_seconds),
            self.task_over_up_run,
            self.launch_over_up_run,
            span(self.up_run_seconds),
            span(self.fault_free_seconds),
            plural(self.n_starts, "start", "starts"),
            plural(self.n_windows, "independent window", "independent windows"),
        );
        let late: Vec<String> = self.deadlines.iter().map(|d| format!("late at {d}")).collect();
        let head = ["", "makespan", "cost", "lost core-h", "launches"].map(str::to_owned);
        let mut rows = vec![head.into_iter().chain(late).collect()];
        rows.extend(self.policies.iter().map(|policy| policy.cells(self.n_starts)));
        let bounds = &self.bounds;
        let least = [bounds.makespan_seconds.text(&span), bounds.cost.text(&findings::money)];
        let blank = vec![String::new(); 2 + self.deadlines.len()];
        rows.push(["at least".to_owned()].into_iter().chain(least).chain(blank).collect());
        for line in findings::table(&rows).lines() {
            text += &format!("  {line}\n");
        }
        text
    }
}

impl PolicyFindings {
    fn cells(&self, n_starts: usize) -> Vec<String> {
        let name = match self.deadline {
            Some(times) => format!("{} for {times}", self.policy),
            None => self.policy.to_owned(),
        };
        let late = self
            .n_late
            .iter()
            .map(|late| late.map_or_else(String::new, |late| format!("{late} of {n_starts}")));
        let unfinished = match self.n_unfinished {
            0 => String::new(),
            n => format!(" ({n} given up)"),
        };
        let mut cells = vec![
            name,
            self.makespan_seconds.text(&findings::span) + &unfinished,
            self.cost.text(&findings::money),
            self.lost_core_seconds.text(&|work| format!("{:.1}", work / 3_600.0)),
            self.allocations.text(&findings::whole),
        ];
        cells.extend(late);
        cells
    }
}
