//! `foreshard plan`: which tasks would run and why each one, where, and how long at least.

use engine::decision::{Decision, TaskDecision};
use report::dry_run::{Detail, DryRun};
use report::printable::printable;
use report::quantity::{Seconds, plural};
use report::start_memory::StartMemory;
use runner::load::Loaded;
use runner::start::Error as Refused;
use runner::{demand, dry_run};
use serde::Serialize;
use spec::site::Zone;
use spec::{Bytes, Duration, Site, TaskId, Workflow};

use crate::args::Plan;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::{Screen, Tone};
use crate::{refusal, site, workflow};

/// What a plan is wanted of.
pub(crate) struct Asked {
    /// Tasks that are wanted; all if empty.
    pub(crate) targets: Vec<TaskId>,
    /// Whether earlier results count for nothing.
    pub(crate) is_fresh: bool,
    /// For programs.
    pub(crate) is_json: bool,
}

/// Says what `run` would do; starts nothing.
///
/// # Errors
/// The run could not begin.
pub(crate) fn plan(args: &Plan, screen: Screen) -> Result<Code, Failure> {
    let loaded = workflow::load(&workflow::request(&args.workflow), screen)?;
    let site = site::choose(&args.site, screen)?;
    let targets = workflow::targets(&loaded.workflow, &args.tasks.targets)?;
    let asked = Asked { targets, is_fresh: args.tasks.fresh, is_json: args.json };
    tell(&loaded, &site, &asked, screen)
}

/// Says what a run of this workflow would do.
///
/// # Errors
/// The run could not begin.
pub(crate) fn tell(
    loaded: &Loaded,
    site: &Site,
    asked: &Asked,
    screen: Screen,
) -> Result<Code, Failure> {
    let workflow = &loaded.workflow;
    let refused = |error| refusal::tell(error, Some(loaded), screen);
    plan::make(workflow, site).map_err(|wishes| refused(Refused::Infeasible(wishes)))?;
    let decided = dry_run::of(loaded, site, &asked.targets, asked.is_fresh).map_err(refused)?;
    let told = Told {
        bound: Bound::of(workflow, site, &decided),
        zones: site.zones.iter().map(ZoneFigures::of).collect(),
        memory: StartMemory::of(workflow, &demand::terms(&loaded.project, workflow, site)),
        decisions: DryRun::of(workflow, &decided, Detail::Auto),
    };
    if asked.is_json {
        screen.print_json(&told)?;
    } else {
        screen.print(&told.text(screen))?;
    }
    Ok(Code::Succeeded)
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    decisions: DryRun,
    zones: Vec<ZoneFigures<'a>>,
    /// Of templates whose memory is a guess or was learned.
    memory: Vec<StartMemory>,
    bound: Bound,
}

#[derive(Serialize)]
struct ZoneFigures<'a> {
    name: &'a str,
    cpus: f64,
    memory_bytes: Bytes,
}

/// How long the tasks that would run take at least, by their estimates.
#[derive(Serialize)]
struct Bound {
    /// The larger of the two below; none without an estimate.
    seconds: Option<Seconds>,
    longest_path_seconds: Seconds,
    /// All estimated work over all cpus.
    work_seconds: Seconds,
    /// How many tasks that would run have an estimate.
    n_estimated: usize,
}

impl Told<'_> {
    fn text(&self, screen: Screen) -> String {
        let mut text = self.decisions.text();
        for zone in &self.zones {
            text += &zone.text();
        }
        for memory in &self.memory {
            text += &memory.text();
        }
        if let Some(seconds) = self.bound.seconds {
            let n = plural(self.bound.n_estimated, "task", "tasks");
            let bound = screen.datum(Tone::Strong, &seconds.to_string());
            text += &format!("takes at least {bound}, by the estimates of {n}\n");
        }
        text
    }
}

impl<'a> ZoneFigures<'a> {
    fn of(zone: &'a Zone) -> Self {
        let capacity = zone.capacity();
        let cpus = f64::from(capacity.cpus.0) / 1e3;
        Self { name: &zone.name, cpus, memory_bytes: capacity.memory }
    }

    fn text(&self) -> String {
        let name = printable(self.name);
        match self.memory_bytes {
            Bytes(0) => format!("zone {name}: {} cpus\n", self.cpus),
            memory => format!("zone {name}: {} cpus, {memory}\n", self.cpus),
        }
    }
}

impl Bound {
    fn of(workflow: &Workflow, site: &Site, decisions: &[TaskDecision]) -> Self {
        let mut seconds = vec![0.0; workflow.n_tasks()];
        let (mut n_estimated, mut core_seconds) = (0, 0.0);
        for decision in decisions.iter().filter(|d| d.decision == Decision::Run) {
            if let Some(estimate) = workflow.estimate(decision.task) {
                let cpus = f64::from(workflow.resources(decision.task).cpus.0) / 1e3;
                seconds[decision.task.index()] = estimate.as_secs_f64();
                core_seconds += estimate.as_secs_f64() * cpus;
                n_estimated += 1;
            }
        }
        let ranks = plan::rank::upward(workflow, |task| seconds[task.index()]);
        let longest = ranks.into_iter().fold(0.0, f64::max);
        let cpus: f64 = site.zones.iter().map(|z| f64::from(z.capacity().cpus.0) / 1e3).sum();
        let spread = if cpus > 0.0 { core_seconds / cpus } else { 0.0 };
        let of = |seconds| Seconds(Duration::from_secs_f64(seconds));
        Self {
            seconds: (n_estimated > 0).then(|| of(longest.max(spread))),
            longest_path_seconds: of(longest),
            work_seconds: of(spread),
            n_estimated,
        }
    }
}
