//! What a run would do, and why: one line for each task, or for each template when there are many.
//!
//! Knows decisions, not how they are made: whoever compares results with what would be run now
//! hands them in.

use std::collections::BTreeMap;
use std::fmt::Write;

use engine::decision::{Decision, TaskDecision};
use serde::Serialize;
use spec::Workflow;

use crate::printable::printable;
use crate::quantity::{count, plural};
use crate::summary::TaskRef;

/// More tasks than this are told by template, unless asked otherwise.
pub const TASKS_MAX: usize = 100_000;

/// The version of the JSON.
pub const FORMAT: u32 = 1;

/// How many reasons a template shows.
const REASONS_MAX: usize = 5;

/// How much to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// By task up to [`TASKS_MAX`] of them, else by template.
    #[default]
    Auto,
    /// By task.
    Tasks,
    /// By template.
    Templates,
}

/// A dry run, ready to be shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DryRun {
    /// [`FORMAT`].
    pub format: u32,
    /// The name of the workflow.
    pub workflow: String,
    /// Over all tasks.
    pub total: Tally,
    /// By task, unless told by template.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<TaskRow>,
    /// By template, unless told by task.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<TemplateRow>,
    /// Templates of which no task is made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A template whose condition does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its name.
    pub template: String,
    /// For people.
    pub why: String,
}

impl LeftOut {
    /// All of a workflow.
    #[must_use]
    pub fn of(workflow: &Workflow) -> Vec<Self> {
        let of = |(template, why): (&spec::Template, &str)| Self {
            template: template.name.clone(),
            why: why.to_owned(),
        };
        workflow.left_out().map(of).collect()
    }
}

/// How many tasks would do what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Would run.
    pub run: usize,
    /// Would run if an input comes out different.
    pub perhaps: usize,
    /// Would not run.
    pub reuse: usize,
}

/// A task in a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskRow {
    /// Which.
    pub task: TaskRef,
    /// `run`, `perhaps` or `reuse`.
    pub decision: &'static str,
    /// For people.
    pub why: String,
    /// The run whose result would be reused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reuse_of: Option<String>,
}

/// A template in a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TemplateRow {
    /// Its name.
    pub template: String,
    /// Over its tasks.
    pub tally: Tally,
    /// The commonest reasons to run, perhaps or for sure, and of how many tasks.
    pub reasons: Vec<(String, usize)>,
}

impl DryRun {
    /// Of decisions, in the order in which they are to be told; templates in that of the file.
    #[must_use]
    pub fn of(workflow: &Workflow, decisions: &[TaskDecision], detail: Detail) -> Self {
        let by_task = match detail {
            Detail::Auto => decisions.len() <= TASKS_MAX,
            Detail::Tasks => true,
            Detail::Templates => false,
        };
        let mut total = Tally::default();
        for decision in decisions {
            total.add(&decision.decision);
        }
        let (tasks, templates) = if by_task {
            (decisions.iter().map(|d| TaskRow::of(workflow, d)).collect(), Vec::new())
        } else {
            (Vec::new(), by_template(workflow, decisions))
        };
        Self {
            format: FORMAT,
            workflow: workflow.name().to_owned(),
            total,
            tasks,
            templates,
            left_out: LeftOut::of(workflow),
        }
    }

    /// As JSON, for programs.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a dry run has no keys but texts")
    }

    /// As text, for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let width = self.tasks.iter().map(|row| row.task.name.chars().count()).max().unwrap_or(0);
        let width = width.min(60);
        for row in &self.tasks {
            let (name, why) = (printable(&row.task.name), printable(&row.why));
            let _ = write!(text, "{:<8} {name:<width$}  {why}", row.decision);
            if let Some(run) = &row.reuse_of {
                let _ = write!(text, " (run {})", printable(run));
            }
            trim_line(&mut text);
        }
        for row in &self.templates {
            let _ = write!(text, "{}: {}", printable(&row.template), row.tally);
            trim_line(&mut text);
            for (why, n) in &row.reasons {
                let _ = write!(text, "    {} {}", plural(*n, "task:", "tasks:"), printable(why));
                trim_line(&mut text);
            }
        }
        for LeftOut { template, why } in &self.left_out {
            let _ = writeln!(text, "left out {}  {}", printable(template), printable(why));
        }
        let n = self.total.run + self.total.perhaps + self.total.reuse;
        let _ = writeln!(text, "{}: {}", plural(n, "task", "tasks"), self.total);
        text
    }
}

fn trim_line(text: &mut String) {
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
}

impl Tally {
    fn add(&mut self, decision: &Decision) {
        match decision {
            Decision::Run => self.run += 1,
            Decision::Perhaps => self.perhaps += 1,
            Decision::Reuse { .. } => self.reuse += 1,
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to run", count(self.run))?;
        if self.perhaps > 0 {
            write!(f, ", {} perhaps", count(self.perhaps))?;
        }
        write!(f, ", {} to reuse", count(self.reuse))
    }
}

impl TaskRow {
    fn of(workflow: &Workflow, decided: &TaskDecision) -> Self {
        let (decision, reuse_of) = match &decided.decision {
            Decision::Run => ("run", None),
            Decision::Perhaps => ("perhaps", None),
            Decision::Reuse { run } => ("reuse", Some(run.clone())),
        };
        let task = TaskRef::of(workflow, decided.task);
        Self { task, decision, why: decided.why.clone(), reuse_of }
    }
}

fn by_template(workflow: &Workflow, decisions: &[TaskDecision]) -> Vec<TemplateRow> {
    let mut rows: BTreeMap<usize, (Tally, BTreeMap<&str, usize>)> = BTreeMap::new();
    for decided in decisions {
        let (tally, reasons) = rows.entry(workflow.template_of(decided.task).index()).or_default();
        tally.add(&decided.decision);
        if !matches!(decided.decision, Decision::Reuse { .. }) {
            *reasons.entry(&decided.why).or_default() += 1;
        }
    }
    let row = |(template, (tally, reasons)): (usize, (Tally, BTreeMap<&str, usize>))| {
        let mut reasons: Vec<(String, usize)> =
            reasons.into_iter().map(|(why, n)| (why.to_owned(), n)).collect();
        reasons.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
        reasons.truncate(REASONS_MAX);
        TemplateRow { template: workflow.templates()[template].name.clone(), tally, reasons }
    };
    rows.into_iter().map(row).collect()
}
