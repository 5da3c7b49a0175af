//! The summary of a run: everything that a report says, in one value, which is also its JSON.
//!
//! Long lists are cut at [`LISTED_MAX`] rows and stand beside their full number. The format is
//! described in `docs/formats/report.md` and numbered by [`FORMAT`].

use engine::id::AttemptId;
use serde::Serialize;
use spec::{Bytes, Site, TaskId, Workflow};

use crate::dry_run::LeftOut;
use crate::lower_bound::LowerBound;
use crate::quantity::{Moment, Seconds};
use crate::surroundings::{FindImage, Surroundings};
use crate::templates::{self, TemplateFigures};
use crate::timeline::{Attempt, Timeline};
use crate::work::Work;

mod costs;
mod counts;
mod path;
mod trouble;

pub use costs::{Cost, ZoneCost};
pub(crate) use counts::phase_word;
pub use counts::{Counts, Reuse};
pub use path::{Path, PathStep, PathWaits};
pub use trouble::{Failure, Retry, Skipped};

/// The version of the JSON; grows when a field changes its meaning or goes away.
pub const FORMAT: u32 = 1;

/// How many rows a list in a summary has at most.
pub const LISTED_MAX: usize = 1_000;

const MEMORY_ROWS: usize = 20;

/// A task, by number and by what people call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskRef {
    /// Its number in this workflow.
    pub id: TaskId,
    /// Its name.
    pub name: String,
}

impl TaskRef {
    /// Of a task.
    #[must_use]
    pub fn of(workflow: &Workflow, task: TaskId) -> Self {
        Self { id: task, name: workflow.task_name(task) }
    }
}

/// What a summary can use beyond the records.
#[derive(Clone, Copy, Default)]
pub struct Extras<'a> {
    /// For names of zones and prices.
    pub site: Option<&'a Site>,
    /// What the run is called.
    pub run: Option<&'a str>,
    /// What images were found to be.
    pub images: Option<FindImage<'a>>,
    /// The lines of an attempt's error output that best explain its failure; empty if unknown.
    pub error_lines: Option<&'a dyn Fn(AttemptId) -> Vec<String>>,
}

/// A run in figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// [`FORMAT`].
    pub format: u32,
    /// The name of the workflow.
    pub workflow: String,
    /// What the run is called, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// `succeeded`, `failed`, `cancelled`, `stalled`; `running`, `draining`, `paused`,
    /// `cancelling` of a run that is not over.
    pub outcome: &'static str,
    /// When the run began.
    pub started_at: Moment,
    /// When the last task ended; so far, of a run that is not over.
    pub ended_at: Moment,
    /// End of the last task minus start of the run.
    pub makespan_seconds: Seconds,
    /// The least possible makespan.
    pub lower_bound: LowerBound,
    /// Tasks by state.
    pub tasks: Counts,
    /// Where core time went.
    pub work: Work,
    /// The realised critical path.
    pub critical_path: Path,
    /// How many attempts failed or were lost and were followed by another.
    pub n_retries: usize,
    /// The first of them.
    pub retries: Vec<Retry>,
    /// How many tasks failed for good.
    pub n_failures: usize,
    /// The first of them.
    pub failures: Vec<Failure>,
    /// Tasks that did not run because something they need failed, by what failed.
    pub skipped: Vec<Skipped>,
    /// Templates of which no task was made, because their condition does not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// What commands ran in, by template; those without anything to tell are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub surroundings: Vec<Surroundings>,
    /// Results of earlier runs.
    pub reuse: Reuse,
    /// By template, the one that took longest in all first.
    pub templates: Vec<TemplateFigures>,
    /// The attempts that held most memory.
    pub memory_peaks: Vec<MemoryPeak>,
    /// What went over the network.
    pub network: Network,
    /// What the capacity cost, if the site has prices.
    pub cost: Option<Cost>,
    /// When other orchestrators took over.
    pub resumes: Vec<ResumeAt>,
}

/// An attempt that held much memory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MemoryPeak {
    /// Which task.
    pub task: TaskRef,
    /// Which try.
    pub attempt: u32,
    /// The largest resident memory of any one of its processes.
    pub memory_peak_bytes: Bytes,
    /// What the task asked for; 0 if it asked for none.
    pub memory_asked_bytes: Bytes,
}

/// What went over the network, of the whole machine: other programs' traffic is in it. Tasks
/// share the machine's interfaces, so how much each moved is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Network {
    /// `machine`: measured over all interfaces but loopback, while the run held capacity.
    pub scope: &'static str,
    /// `unknown`.
    pub per_task: &'static str,
    /// Received; none if it was never measured.
    pub received_bytes: Option<Bytes>,
    /// Sent; none if it was never measured.
    pub sent_bytes: Option<Bytes>,
}

/// Another orchestrator took over.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ResumeAt {
    /// When.
    pub at: Moment,
    /// How long nobody had been in charge.
    pub gap_seconds: Seconds,
    /// The number of the orchestrator.
    pub epoch: u64,
}

impl Summary {
    /// Sums up a timeline.
    #[must_use]
    pub fn of(workflow: &Workflow, timeline: &Timeline, extras: Extras<'_>) -> Self {
        let work = Work::of(workflow, timeline);
        let retries = trouble::retries(timeline);
        let failures = timeline.state().failures();
        let (started_at, ended_at) = (timeline.run().started_at, timeline.ended_at());
        Self {
            format: FORMAT,
            workflow: workflow.name().to_owned(),
            run: extras.run.map(str::to_owned),
            outcome: phase_word(timeline.state().phase()),
            started_at: Moment(started_at),
            ended_at: Moment(ended_at),
            makespan_seconds: Seconds(ended_at.since(started_at)),
            lower_bound: LowerBound::of(workflow, timeline, &work),
            tasks: Counts::of(workflow, timeline),
            work,
            critical_path: Path::of(workflow, timeline),
            n_retries: retries.len(),
            retries: trouble::describe_retries(workflow, timeline, &retries),
            n_failures: failures.len(),
            failures: trouble::failures(workflow, timeline, extras.error_lines),
            skipped: trouble::skipped(workflow, timeline),
            left_out: LeftOut::of(workflow),
            surroundings: Surroundings::of(workflow, extras.site, extras.images),
            reuse: Reuse::of(workflow, timeline),
            templates: templates::slowest(workflow, timeline),
            memory_peaks: memory_peaks(workflow, timeline),
            network: network(timeline),
            cost: extras.site.and_then(|site| Cost::of(site, timeline)),
            resumes: resumes(timeline),
        }
    }

    /// As JSON, for programs.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a summary has no keys but texts")
    }
}

fn memory_peaks(workflow: &Workflow, timeline: &Timeline) -> Vec<MemoryPeak> {
    let measured = timeline.attempts().iter().filter_map(|a| Some((a.memory_peak?, a)));
    let mut peaks: Vec<_> = measured.filter(|(memory, _)| memory.0 > 0).collect();
    peaks.sort_unstable_by_key(|&(memory, attempt)| (std::cmp::Reverse(memory), attempt.id));
    let row = |(memory_peak_bytes, attempt): (Bytes, &Attempt)| MemoryPeak {
        task: TaskRef::of(workflow, attempt.id.task()),
        attempt: attempt.id.number(),
        memory_peak_bytes,
        memory_asked_bytes: attempt.memory_granted,
    };
    peaks.into_iter().take(MEMORY_ROWS).map(row).collect()
}

fn network(timeline: &Timeline) -> Network {
    let samples = timeline.machine();
    let sum = |of: fn(&engine::input::MachineUsage) -> Bytes| {
        let bytes = samples.iter().map(|sample| of(&sample.usage).0);
        (!samples.is_empty()).then(|| Bytes(bytes.fold(0, u64::saturating_add)))
    };
    Network {
        scope: "machine",
        per_task: "unknown",
        received_bytes: sum(|usage| usage.network_in),
        sent_bytes: sum(|usage| usage.network_out),
    }
}

fn resumes(timeline: &Timeline) -> Vec<ResumeAt> {
    let row = |resume: &crate::timeline::Resume| ResumeAt {
        at: Moment(resume.at),
        gap_seconds: Seconds(resume.at.since(resume.silent_since)),
        epoch: resume.epoch.0,
    };
    timeline.run().resumed.iter().map(row).collect()
}
