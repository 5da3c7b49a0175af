//! Beginning a run, or taking one over: everything the drive loop works with is put together here.

use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use engine::engine::Start;
use engine::event::Options;
use engine::phase::Phase;
use engine::ranges::TaskRanges;
use engine::{Engine, Epoch, Record, RunState};
use journal::Journal;
use journal::history::History;
use journal::lease::{self, Lease};
use observe::sampler::{Place, Sampler};
use spec::site::Backend;
use spec::{Site, TaskId, Timestamp, Workflow};

use crate::demand;
use crate::drive::{self, Drive, Message, Observer, clock};
use crate::executor::local::LocalExecutor;
use crate::executor::{GiveUp, Observe};
use crate::forecaster::{Forecaster, Told};
use crate::images::{self, Images};
use crate::initial::{InitialFiles, Missing};
use crate::load::{LoadError, LoadRequest, Loaded};
use crate::manifest::{self, RunManifest};
use crate::notify::{Listener, Teller};
use crate::publishing::Publishing;
use crate::record::Found;
use crate::results::{Past, Results};
use crate::reuse::{self, Environment};
use crate::run_dir::{Project, RunDir};
use crate::waits::Waits;
use crate::work::WorkMaker;

/// From other hosts, an orchestrator that has not renewed its lease for so long is believed dead.
const LEASE_DURATION: std::time::Duration = std::time::Duration::from_secs(30);

/// What a person wants to run.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Where the workflow came from.
    pub request: LoadRequest,
    /// The workflow.
    pub loaded: Loaded,
    /// The places.
    pub site: Site,
    /// Where calendars and feeds that the site names lie; none where it comes from no file.
    pub site_folder: Option<PathBuf>,
    /// For the engine.
    pub options: Options,
    /// Tasks that are wanted, with all they need; all of them if empty.
    pub targets: Vec<TaskId>,
    /// Names of wanted fan-outs whose tasks are still to come.
    pub wanted: Vec<String>,
    /// Whether earlier results count for nothing.
    pub is_fresh: bool,
    /// The ledger of this machine, unless the run is to have it alone.
    pub ledger: Option<PathBuf>,
}

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Initial inputs are not there.
    #[error("{} missing", n_inputs(.0.len()))]
    MissingInputs(Vec<Missing>),
    /// An initial input cannot be read.
    #[error("failed to read the input {}", .0.path)]
    Input(#[source] crate::artifact::Refusal),
    /// A zone of a kind that cannot be used.
    #[error("zone {zone} has the backend {backend:?}, which this version cannot use")]
    Backend {
        /// The zone.
        zone: String,
        /// Its backend.
        backend: Backend,
    },
    /// An image cannot be used.
    #[error(transparent)]
    Image(#[from] images::Error),
    /// Tasks fit nowhere.
    #[error("no pool can hold {}", .0.first().map_or("a task", |first| first.task_name.as_str()))]
    Infeasible(Vec<plan::Infeasible>),
    /// This process is a keeper that does not know it: its runs would start keepers without end.
    #[error("this process was started as a keeper; call `embedded::keep_if_asked` first in `main`")]
    IsKeeper,
    /// Another orchestrator owns the run, or its lease cannot be had.
    #[error("failed to take the lease of the run")]
    Lease(#[source] lease::Error),
    /// The journal cannot be made, or is damaged.
    #[error("failed to open the journal")]
    Journal(#[source] journal::Error),
    /// The journal holds what cannot have happened.
    #[error("the journal does not belong to this workflow: {0}")]
    History(String),
    /// The run's folder does not say what it was started with.
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
    /// The run's copy of the workflow cannot be read.
    #[error("failed to read the run's copy of the workflow")]
    Load(Box<LoadError>),
    /// The disk fails.
    #[error("failed to {what}")]
    Io {
        /// What was to be done.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The loop ended early.
    #[error(transparent)]
    Drive(#[from] drive::Error),
}

fn n_inputs(n: usize) -> String {
    if n == 1 { "an input is".to_owned() } else { format!("{n} inputs are") }
}

/// A run that is about to be driven.
pub struct Ready {
    /// Its folder.
    pub run_dir: RunDir,
    /// Its graph, as it is before the first input; it may grow.
    pub workflow: Arc<Workflow>,
    /// Says things to the loop: commands of the person at the terminal.
    pub messages: Sender<Message>,
    drive: Drive,
    teller: Teller,
    site_folder: Option<PathBuf>,
    observe_every: Option<std::time::Duration>,
}

impl Ready {
    /// While it is driven, measures this machine so often, into the history of the project; not at
    /// all where the span is nothing. Unless told, a run measures nothing.
    pub fn observe_every(&mut self, span: spec::Duration) {
        self.observe_every = (span != spec::Duration::ZERO).then(|| span.to_std());
    }

    /// A sampler for the zones that this machine is.
    fn sampler(&self) -> Option<Sampler> {
        let is_local = |zone: &&spec::site::Zone| zone.backend == Backend::Local;
        let zones = self.drive.site.zones.iter().filter(is_local);
        let place = Place {
            history: self.drive.project.history(),
            folder: self.drive.project.root().to_path_buf(),
            zones: zones.map(|zone| zone.name.clone()).collect(),
        };
        Sampler::start(place, self.observe_every?)
    }

    /// Somebody who forecasts the zones, where this machine is measured, too.
    fn forecaster(&self) -> Option<Forecaster> {
        self.observe_every?;
        let told = Told {
            site: self.drive.site.clone(),
            folder: self.site_folder.clone(),
            project: self.drive.project.clone(),
            run: self.run_dir.id(),
        };
        Forecaster::start(told, self.messages.clone())
    }

    /// Drives the run until it has ended or paused, and tells whom the workflow names of its end.
    ///
    /// # Errors
    /// Why it could not go on.
    pub fn drive(self, observer: &mut dyn Observer) -> Result<Phase, Error> {
        let _sampler = self.sampler();
        let _forecaster = self.forecaster();
        let waits = self.observe_every.map(|_| Waits::default());
        let (history, site) = (self.drive.project.history(), self.drive.site.clone());
        let mut listener = Listener { observer, ended: None, waits };
        let driven = drive::drive(self.drive, &mut listener);
        if let Some(ended) = listener.ended.take() {
            for unsent in self.teller.tell(&self.workflow, &ended) {
                listener.notice(&unsent);
            }
        }
        if let Some(waits) = &listener.waits {
            // The history is never the truth: what cannot be kept is forgotten.
            let _ = History::open(&history).and_then(|mut history| waits.keep(&mut history, &site));
        }
        Ok(driven?)
    }

    /// The state before the first input.
    #[must_use]
    pub fn state(&self) -> &RunState {
        self.drive.engine.state()
    }
}

/// Begins a run.
///
/// # Errors
/// Why it cannot begin; nothing is left behind then but, at worst, an empty folder.
pub fn begin(new: NewRun) -> Result<Ready, Error> {
    refuse_backends(&new.site)?;
    plan::make(&new.loaded.workflow, &new.site).map_err(Error::Infeasible)?;
    let images = Images::find(&new.loaded.project, &new.loaded.workflow, &new.site)?;
    let initial = prepare_inputs(&new.loaded)?;
    let (run_dir, id) = make_run_dir(&new.loaded.project)?;
    let manifest = RunManifest::new(id, &new, images, clock());
    manifest
        .write(&run_dir, &new.loaded)
        .map_err(|source| io("write the run's manifest", source))?;
    Found::of(&new.loaded.workflow, &initial, &environment(&new.loaded.workflow))
        .write(&run_dir)
        .map_err(|source| io("write what the run found", source))?;
    take_over(run_dir, manifest, new.loaded, initial, new.ledger)
}

/// What a resume may do beyond going on.
#[derive(Clone, Debug, Default)]
pub struct ResumeOptions {
    /// The ledger of this machine, unless the run is to have it alone.
    pub ledger: Option<PathBuf>,
}

/// Takes over a run. One that was stopped before its first record begins now.
///
/// # Errors
/// Why it cannot go on.
pub fn resume(project: &Project, id: &str, options: ResumeOptions) -> Result<Ready, Error> {
    let run_dir = project.run(id);
    let manifest = RunManifest::read(&run_dir)?;
    manifest.images.verify()?;
    let loaded = manifest.load(project.clone(), &run_dir);
    let loaded = loaded.map_err(|error| Error::Load(Box::new(error)))?;
    let initial = prepare_inputs(&loaded)?;
    take_over(run_dir, manifest, loaded, initial, options.ledger)
}

/// From a folder with a manifest to a run that can be driven.
fn take_over(
    run_dir: RunDir,
    manifest: RunManifest,
    loaded: Loaded,
    mut initial: InitialFiles,
    ledger: Option<PathBuf>,
) -> Result<Ready, Error> {
    if std::env::args_os().nth(1).is_some_and(|word| word == crate::keeper::ROLE) {
        return Err(Error::IsKeeper);
    }
    let workflow = loaded.workflow.clone();
    let lease =
        Lease::acquire(run_dir.path(), lease::Holder::own(), LEASE_DURATION, journal::Epoch(0))
            .map_err(Error::Lease)?;
    let (messages, received) = unbounded();
    let setup = journal_setup(&manifest.id, &lease, &messages);
    let (journal, state) = open_journal(&run_dir, &manifest, &workflow, setup)?;
    if state.workflow().n_tasks() > workflow.n_tasks() {
        let cache = crate::results::Cache::open(&loaded.project);
        let found = initial.extend(&loaded.project, state.workflow(), &cache);
        found.map_err(Error::History)?;
    }
    let is_first = state.seq() == 0;
    let is_fresh = manifest.is_fresh && is_first;
    let past = if is_fresh { Past::default() } else { Past::read(&loaded.project, &workflow) };
    let engine = if is_first {
        let plan = plan::make(&workflow, &manifest.site).map_err(Error::Infeasible)?;
        let selected = select(&workflow, &manifest.target_tasks(&workflow));
        let reusable = reusable(&workflow, &selected, &past);
        let memory = demand::terms(&loaded.project, &workflow, &manifest.site);
        let wanted = manifest.wanted(&workflow);
        let options = manifest.options.clone();
        let start = Start { plan, options, selected, reusable, wanted, memory };
        Engine::start(workflow, start, clock())
    } else {
        Engine::take_over(state, Epoch(lease.epoch().0), clock())
    };
    let started_at = manifest.created_at;
    let (site, images) = (manifest.site, manifest.images);
    let parts = Parts {
        started_at,
        site_folder: manifest.site_folder,
        run_dir,
        loaded,
        site,
        images,
        ledger,
        initial,
        past,
        messages,
        received,
    };
    Ok(parts.assemble(engine, journal, lease))
}

/// Replays the records while the journal checks them; makes a journal if there is none yet.
fn open_journal(
    run_dir: &RunDir,
    manifest: &RunManifest,
    workflow: &Arc<Workflow>,
    setup: journal::Setup,
) -> Result<(Journal, RunState), Error> {
    let mut state = RunState::new(Arc::clone(workflow));
    if !run_dir.journal().exists() {
        let journal = Journal::create(run_dir.path(), &manifest.workflow_name, setup);
        return Ok((journal.map_err(Error::Journal)?, state));
    }
    let mut wrong = None;
    let visit = |_, text: &str| {
        if wrong.is_some() {
            return;
        }
        let applied = serde_json::from_str::<Record>(text)
            .map_err(|error| error.to_string())
            .and_then(|record| state.apply(&record).map_err(|e| e.to_string()));
        wrong = applied.err();
    };
    let (journal, _) = Journal::open(run_dir.path(), setup, visit).map_err(Error::Journal)?;
    if state.seq() > 0 && state.plan().is_none() && wrong.is_none() {
        // The first two records are one flush: no crash can come between them.
        wrong = Some("it begins without a plan".to_owned());
    }
    match wrong {
        None => Ok((journal, state)),
        Some(why) => Err(Error::History(why)),
    }
}

/// What both ways of getting a run going have at the end.
struct Parts {
    started_at: Timestamp,
    site_folder: Option<PathBuf>,
    run_dir: RunDir,
    loaded: Loaded,
    site: Site,
    images: Images,
    ledger: Option<PathBuf>,
    initial: InitialFiles,
    past: Past,
    messages: Sender<Message>,
    received: Receiver<Message>,
}

impl Parts {
    fn assemble(self, engine: Engine, journal: Journal, lease: Lease) -> Ready {
        let Self {
            started_at,
            site_folder,
            run_dir,
            loaded,
            site,
            images,
            ledger,
            initial,
            past,
            messages,
            received,
        } = self;
        let project = loaded.project.clone();
        let observe = observe_into(&messages);
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("foreshard"));
        let root = project.root().to_path_buf();
        let teller = Teller { project: root.clone(), run: run_dir.id(), started_at };
        let maker = WorkMaker {
            project: root.to_string_lossy().into_owned(),
            run_dir: run_dir.clone(),
            images,
            site: site.clone(),
            initial,
            replayer: program.to_string_lossy().into_owned(),
        };
        let environment = environment(engine.state().workflow());
        let workflow = Arc::clone(engine.state().workflow());
        let epoch = Epoch(lease.epoch().0);
        let is_takeover = epoch.0 > 1;
        let ears = (observe.clone(), give_up_into(&messages));
        let executor = LocalExecutor::new(run_dir.clone(), root, epoch, program, ledger, ears);
        let drive = Drive {
            engine,
            journal,
            lease,
            executor: Box::new(executor),
            publishing: Publishing::start(project.clone(), is_takeover, observe.clone()),
            results: Results::start(project.clone(), run_dir.id(), past.clone(), observe),
            maker,
            environment,
            project,
            past,
            site,
            run_dir: run_dir.clone(),
            messages: received,
        };
        Ready { run_dir, workflow, messages, drive, teller, site_folder, observe_every: None }
    }
}

fn observe_into(messages: &Sender<Message>) -> Observe {
    let messages = messages.clone();
    Arc::new(move |observations| {
        // When the loop has ended, nobody listens any more, and nobody needs to.
        let _ = messages.send(Message::Observed(observations));
    })
}

fn give_up_into(messages: &Sender<Message>) -> GiveUp {
    let messages = messages.clone();
    Arc::new(move |error| {
        let _ = messages.send(Message::Broken(error));
    })
}

fn journal_setup(id: &str, lease: &Lease, messages: &Sender<Message>) -> journal::Setup {
    let messages = messages.clone();
    journal::Setup::new(id, lease.epoch()).on_progress(move |progress| {
        let _ = messages.send(Message::Journal(progress));
    })
}

/// The outside variables that any task names.
pub(crate) fn environment(workflow: &Workflow) -> Environment {
    let names = workflow.templates().iter().flat_map(|template| &template.env_from);
    names.filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect()
}

fn refuse_backends(site: &Site) -> Result<(), Error> {
    match site.zones.iter().find(|zone| zone.backend != Backend::Local) {
        None => Ok(()),
        Some(zone) => Err(Error::Backend { zone: zone.name.clone(), backend: zone.backend }),
    }
}

/// Finds initial inputs and takes their digests; makes those of a recorded workflow.
fn prepare_inputs(loaded: &Loaded) -> Result<InitialFiles, Error> {
    let root = loaded.project.root();
    if loaded.workflow.is_replay() {
        let inputs: Vec<(&str, spec::Bytes)> = loaded.workflow.replay_inputs().collect();
        crate::replay::create_initial_inputs(root, &inputs)
            .map_err(|source| io("make the inputs of the recorded workflow", source))?;
        return InitialFiles::find(&loaded.project, &loaded.workflow).map_err(Error::MissingInputs);
    }
    let mut initial =
        InitialFiles::find(&loaded.project, &loaded.workflow).map_err(Error::MissingInputs)?;
    let cache = crate::results::Cache::open(&loaded.project);
    initial.hash(&loaded.project, &loaded.workflow, &cache).map_err(Error::Input)?;
    Ok(initial)
}

/// The wanted tasks and all they need, and final tasks, which run at the end of any run.
#[must_use]
pub fn select(workflow: &Workflow, targets: &[TaskId]) -> TaskRanges {
    if targets.is_empty() {
        return TaskRanges::all(workflow.n_tasks());
    }
    let mut is_wanted = vec![false; workflow.n_tasks()];
    let mut stack = targets.to_vec();
    stack.extend(workflow.final_tasks());
    while let Some(task) = stack.pop() {
        if !std::mem::replace(&mut is_wanted[task.index()], true) {
            stack.extend(workflow.parents(task));
        }
    }
    TaskRanges::from_sorted(workflow.tasks().filter(|task| is_wanted[task.index()]))
}

fn reusable(workflow: &Workflow, selected: &TaskRanges, past: &Past) -> TaskRanges {
    if past.is_empty() {
        return TaskRanges::default();
    }
    let has_past = |task: &TaskId| {
        reuse::can_be_reused(workflow, *task) && past.get(&workflow.task_name(*task)).is_some()
    };
    TaskRanges::from_sorted(selected.iter().filter(has_past))
}

fn make_run_dir(project: &Project) -> Result<(RunDir, String), Error> {
    let failed = |source| io("make the run's folder", source);
    std::fs::create_dir_all(project.runs()).map_err(failed)?;
    // What is ours is nobody's input: version control and globs leave it alone.
    let ignore = project.state().join(".gitignore");
    if !ignore.exists() {
        std::fs::write(&ignore, "*\n").map_err(failed)?;
    }
    loop {
        let id = new_run_id();
        let run_dir = project.run(&id);
        match std::fs::create_dir(run_dir.path()) {
            Ok(()) => {
                for folder in ["inbox", "attempts", "logs", "allocations"] {
                    std::fs::create_dir(run_dir.path().join(folder)).map_err(failed)?;
                }
                return Ok((run_dir, id));
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Sorts by time, reads as a date, and is told apart from its neighbours by three digits.
fn new_run_id() -> String {
    let now = clock();
    let at = jiff::Timestamp::from_microsecond(now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let mix = now.0.cast_unsigned() ^ u64::from(std::process::id());
    let digest = spec::Digest::of(&mix.to_le_bytes());
    format!("{}-{}", at.strftime("%Y%m%d-%H%M%S"), &digest.to_string()[..3])
}

fn io(what: &'static str, source: std::io::Error) -> Error {
    Error::Io { what, source }
}
