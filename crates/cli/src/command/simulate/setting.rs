//! One comparison before it is played: which policies, what, where, from which starts.

use std::path::Path;
use std::sync::Arc;

use plan::Infeasible;
use runner::load::LoadRequest;
use runner::start::Error as Refused;
use sim::Outcome;
use sim::lab::{Contender, Experiment, Score, Workload, gantt, job, picture};
use spec::wfformat::ReplayOptions;
use spec::{Duration, Site, Timestamp, Workflow};

use super::findings::{Findings, Runs};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::{ordered, refusal, workflow};

/// What a workflow file is read with.
pub(super) struct Reading<'a> {
    /// Parameters.
    pub(super) params: &'a [(String, String)],
    /// What times and sizes of a recording are multiplied by.
    pub(super) scale: f64,
}

/// A comparison that can be played.
pub(super) struct Setting {
    /// Which policies, the one that others are compared to first.
    pub(super) contenders: Vec<Contender>,
    /// What they meet.
    pub(super) experiment: Experiment,
    /// From when on, in order.
    pub(super) starts: Vec<Timestamp>,
}

/// Reads a workflow and checks that the site can hold each of its tasks.
///
/// # Errors
/// It cannot be read, or a task fits nowhere.
pub(super) fn read(
    path: &Path,
    reading: &Reading<'_>,
    site: &Site,
    screen: Screen,
) -> Result<Arc<Workflow>, Failure> {
    let request = LoadRequest {
        path: path.to_owned(),
        params: reading.params.iter().cloned().collect(),
        params_file: None,
        replay: ReplayOptions { scale: reading.scale, scale_memory: Some(1.0) },
    };
    let loaded = workflow::load(&request, screen)?;
    let refused =
        |wishes: Vec<Infeasible>| refusal::tell(Refused::Infeasible(wishes), Some(&loaded), screen);
    plan::make(&loaded.workflow, site).map_err(refused)?;
    Ok(loaded.workflow)
}

/// Workflows as one, each so many times, with times multiplied.
///
/// # Errors
/// Together they are too large.
pub(super) fn together(
    parts: &[Arc<Workflow>],
    copies: usize,
    factor: f64,
) -> Result<Workload, Failure> {
    if !(1e-6..=1e6).contains(&factor) {
        return Err(Failure::invalid(format!("the factor is {factor}, and must be above 0")));
    }
    let is_as_it_is = (factor - 1.0).abs() < f64::EPSILON;
    if let ([only], 1, true) = (parts, copies, is_as_it_is) {
        return Ok(Workload::of(Arc::clone(only)));
    }
    let all: Vec<Arc<Workflow>> =
        parts.iter().flat_map(|part| std::iter::repeat_n(Arc::clone(part), copies)).collect();
    Workload::ensemble(&all, factor).map_err(|mistakes| {
        let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        Failure::invalid("these workflows cannot be put together").cause(told.join("; "))
    })
}

/// Policies by their names; all that are usual where none is named.
///
/// # Errors
/// There is none of that name.
pub(super) fn contenders(names: &[String]) -> Result<Vec<Contender>, Failure> {
    let mut contenders = Vec::new();
    for name in names {
        let found = Contender::named(name).ok_or_else(|| {
            let known = Contender::ALL.map(Contender::name).join(", ");
            Failure::invalid(format!("there is no policy `{name}`")).hint(format!("use {known}"))
        })?;
        if !contenders.contains(&found) {
            contenders.push(found);
        }
    }
    Ok(contenders)
}

impl Setting {
    /// `asked` may be empty: then all that apply are compared. Where a rule for one job is among them, the job
    /// is a chain of steps for all, and starts are begins of steps.
    ///
    /// # Errors
    /// A policy that was asked for does not apply.
    pub(super) fn new(
        asked: &[Contender],
        mut experiment: Experiment,
        mut starts: Vec<Timestamp>,
    ) -> Result<Self, Failure> {
        let is_safe = experiment.is_safe.contains(&true);
        if asked.contains(&Contender::OnDemand) && !is_safe {
            let failure =
                Failure::invalid("on-demand needs a zone without a trace, which is always there");
            return Err(failure.hint("leave it out with --policy, or add such a zone to the site"));
        }
        let mut contenders = asked.to_vec();
        if asked.is_empty() {
            let applies = |contender: &Contender| is_safe || !contender.needs_safety();
            contenders = Contender::USUAL.into_iter().filter(applies).collect();
        }
        let rule = contenders.iter().copied().find(|contender| contender.is_rule());
        match job_of(&experiment) {
            Ok((terms, chain)) if rule.is_some() || asked.is_empty() => {
                if asked.is_empty() {
                    contenders.extend(Contender::RULES);
                }
                starts.iter_mut().for_each(|start| *start = terms.begin(*start));
                experiment.workload = chain;
                experiment.job = Some(terms);
            }
            Err(unfit) => {
                if let Some(rule) = rule {
                    let message = format!("{} cannot be played", rule.name());
                    return Err(Failure::invalid(message).cause(unfit.to_string()));
                }
            }
            Ok(_) => {}
        }
        Ok(Self { contenders, experiment, starts })
    }

    /// The same of those of the named policies that apply.
    ///
    /// # Errors
    /// None of them does.
    pub(super) fn applying(
        named: &[Contender],
        experiment: Experiment,
        starts: Vec<Timestamp>,
    ) -> Result<Self, Failure> {
        let (is_safe, is_job) = (experiment.is_safe.contains(&true), job_of(&experiment).is_ok());
        let applies = |contender: &Contender| {
            (is_safe || !contender.needs_safety()) && (is_job || !contender.is_rule())
        };
        let asked: Vec<Contender> = named.iter().copied().filter(applies).collect();
        if asked.is_empty() && !named.is_empty() {
            return Err(Failure::invalid("none of these policies can be played here"));
        }
        Self::new(&asked, experiment, starts)
    }

    /// Plays every policy from every start.
    pub(super) fn play(&self, threads: usize) -> Findings {
        let runs = self.runs(&self.contenders, threads);
        Findings::of(self, &runs)
    }

    /// One policy from every start, in an experiment that is another one in some way.
    pub(super) fn scores(
        &self,
        experiment: &Experiment,
        contender: Contender,
        threads: usize,
    ) -> Vec<Score> {
        let run = |&start: &Timestamp| Score::of(&experiment.run(contender, start, false));
        ordered::map(&self.starts, threads, run)
    }

    /// The runs of some policies.
    fn runs(&self, contenders: &[Contender], threads: usize) -> Vec<Runs> {
        let all: Vec<(Contender, Timestamp)> = contenders
            .iter()
            .flat_map(|&contender| self.starts.iter().map(move |&start| (contender, start)))
            .collect();
        let run = |&(contender, start): &(Contender, Timestamp)| {
            Score::of(&self.experiment.run(contender, start, false))
        };
        let scores = ordered::map(&all, threads, run);
        let rows = contenders.iter().zip(scores.chunks(self.starts.len().max(1)));
        rows.map(|(&contender, scores)| Runs { contender, scores: scores.to_vec() }).collect()
    }

    /// One run of each policy, with its timeline.
    pub(super) fn outcomes(&self, threads: usize) -> Vec<Outcome> {
        let start = self.starts.first().copied().unwrap_or_default();
        ordered::map(&self.contenders, threads, |&contender| {
            self.experiment.run(contender, start, true)
        })
    }

    pub(super) fn zone_names(&self) -> Vec<String> {
        self.experiment.site.zones.iter().map(|zone| zone.name.clone()).collect()
    }

    /// The Gantt charts of one run of each, as text.
    pub(super) fn charts(&self, outcomes: &[Outcome]) -> String {
        let mut text =
            String::from("The first start: ░ launching, ▒ held, █ at work, × preempted\n");
        for (contender, outcome) in self.contenders.iter().zip(outcomes) {
            let span = report::quantity::Seconds(outcome.makespan);
            text += &format!("{} in {span}\n", contender.name());
            text += &gantt::text(outcome, &self.zone_names(), 76);
        }
        text
    }

    /// The plot of all policies and the Gantt charts of one run of each, as an SVG document.
    pub(super) fn picture(&self, findings: &Findings, outcomes: &[Outcome]) -> String {
        let shown: Vec<picture::Shown<'_>> = (findings.policies.iter().zip(outcomes))
            .map(|(policy, run)| picture::Shown {
                name: policy.name(),
                cost: policy.spread_of_cost(),
                makespan: policy.spread_of_makespan(),
                run,
            })
            .collect();
        picture::svg(&findings.title(), &shown, &self.zone_names())
    }
}

/// How the rules for one job see this, and the job in their steps.
fn job_of(experiment: &Experiment) -> Result<(job::Terms, Workload), job::Unfit> {
    let n_tasks = experiment.workload.workflow.n_tasks();
    if n_tasks != 1 {
        return Err(job::Unfit::Tasks(n_tasks));
    }
    experiment
        .deadline
        .filter(|&deadline| deadline > Duration::ZERO)
        .ok_or(job::Unfit::Deadline)?;
    let terms = job::Terms::of(&experiment.site, &experiment.is_safe)?;
    let chain = terms.steps_of(&experiment.workload.workflow)?;
    Ok((terms, chain))
}
