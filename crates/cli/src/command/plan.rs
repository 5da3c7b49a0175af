//! `foreshard plan`: which tasks would run and why each one, where, and how long at least.

use engine::decision::{Decision, TaskDecision};
use report::dry_run::{Detail, DryRun};
use report::printable::printable;
use report::quantity::{Seconds, plural};
use report::start_memory::StartMemory;
use report::surroundings::Surroundings;
use runner::images::Images;
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

/// Of so many templates is said what their commands run in; the JSON names all.
const SURROUNDINGS_MAX: usize = 40;

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
    let images = Images::find(&loaded.project, workflow, site)
        .map_err(|error| refused(Refused::Image(error)))?;
    let decided =
        dry_run::of(loaded, site, &images, &asked.targets, asked.is_fresh).map_err(refused)?;
    let find = |name: &str| images.get(name).map(|found| (found.reference.clone(), found.digest));
    let told = Told {
        bound: Bound::of(workflow, site, &decided),
        zones: site.zones.iter().map(ZoneFigures::of).collect(),
        memory: StartMemory::of(workflow, &demand::terms(&loaded.project, workflow, site)),
        surroundings: Surroundings::of(workflow, Some(site), Some(&find)),
        decisions: DryRun::of(workflow, &decided, Detail::Auto),
        to_come: dry_run::awaited(loaded).iter().map(ToCome::of).collect(),
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
    /// Tasks that a run would add.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    to_come: Vec<ToCome>,
    zones: Vec<ZoneFigures<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    surroundings: Vec<Surroundings>,
    /// Of templates whose memory is a guess or was learned.
    memory: Vec<StartMemory>,
    bound: Bound,
}

/// What is not known before some task has run.
#[derive(Serialize)]
struct ToCome {
    /// The task whose files or file decide.
    by: String,
    /// The fan-out that they become tasks of; none where a file declares them.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    /// How many of them earlier runs have left results of.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<usize>,
}

impl ToCome {
    fn of(awaited: &dry_run::Awaited) -> Self {
        match awaited.clone() {
            dry_run::Awaited::Discovered { template, from, pattern, known } => {
                let (template, pattern) = (Some(template), Some(pattern));
                Self { by: from, template, pattern, known: Some(known) }
            }
            dry_run::Awaited::Emitted { by } => {
                Self { by, template: None, pattern: None, known: None }
            }
        }
    }

    fn text(&self) -> String {
        let by = printable(&self.by);
        let (Some(template), Some(pattern)) = (&self.template, &self.pattern) else {
            return format!("{by} adds the tasks that its file will declare\n");
        };
        let known = match self.known {
            None | Some(0) => "how many is not known".to_owned(),
            Some(n) => format!("{n} in earlier runs"),
        };
        let (template, pattern) = (printable(template), printable(pattern));
        format!("{template}: one task for each {pattern} of {by}; {known}\n")
    }
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
        for to_come in &self.to_come {
            text += &to_come.text();
        }
        for zone in &self.zones {
            text += &zone.text();
        }
        for around in self.surroundings.iter().take(SURROUNDINGS_MAX) {
            text += &format!("{}: {}\n", printable(&around.template), around.text());
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
