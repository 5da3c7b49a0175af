//! Finds the run that a person means, and reads what is known of it.
//!
//! Knows folders of projects and beginnings of names. A project is looked for around the current
//! folder, as version control does, and then below it, so that `foreshard report` works where
//! `foreshard run examples/a/workflow.yaml` was typed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::Record;
use report::Timeline;
use runner::load::Loaded;
use runner::manifest::RunManifest;
use runner::run_dir::{Project, RunDir};
use runner::start;
use spec::Workflow;

use crate::args::{ProjectChoice, RunChoice};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::refusal;
use crate::screen::Screen;
use crate::typed;

/// How far below the current folder projects are looked for.
const DEPTH_MAX: usize = 3;

/// A run that was begun at some time.
#[derive(Clone, Debug)]
pub(crate) struct PastRun {
    /// The project it belongs to.
    pub(crate) project: Project,
    /// Its folder.
    pub(crate) dir: RunDir,
    /// Its name.
    pub(crate) id: String,
}

impl PastRun {
    /// What it was started with.
    ///
    /// # Errors
    /// Its folder does not say.
    pub(crate) fn manifest(&self) -> Result<RunManifest, Failure> {
        Ok(RunManifest::read(&self.dir)?)
    }

    /// Its workflow, as it was when the run was started.
    ///
    /// # Errors
    /// The run's copy of it cannot be read.
    pub(crate) fn load(&self, manifest: &RunManifest, screen: Screen) -> Result<Loaded, Failure> {
        manifest
            .load(self.project.clone(), &self.dir)
            .map_err(|error| refusal::tell(start::Error::Load(Box::new(error)), None, screen))
    }

    /// Why it cannot be taken over, shown in its workflow where that has the place.
    #[must_use]
    pub(crate) fn refused(&self, error: start::Error, screen: Screen) -> Failure {
        let is_about_workflow =
            matches!(error, start::Error::MissingInputs(_) | start::Error::Infeasible(_));
        let loaded =
            is_about_workflow.then(|| self.load(&self.manifest().ok()?, screen).ok()).flatten();
        refusal::tell(error, loaded.as_ref(), screen)
    }

    /// All records of its journal, also while it is written.
    ///
    /// # Errors
    /// The journal is damaged or cannot be read.
    pub(crate) fn records(&self) -> Result<Vec<Record>, Failure> {
        let texts = journal::read(self.dir.path()).map_err(|error| self.unreadable(error))?;
        texts.iter().map(|text| self.record(text)).collect()
    }

    /// One record of its journal.
    ///
    /// # Errors
    /// It is not one that this version knows.
    pub(crate) fn record(&self, text: &str) -> Result<Record, Failure> {
        serde_json::from_str(text).map_err(|error| {
            Failure::new(
                Code::Damaged,
                format!("the journal of run {} holds an unknown record", self.id),
            )
            .cause(error.to_string())
        })
    }

    /// What happened in it.
    ///
    /// # Errors
    /// The journal is damaged or cannot be read.
    pub(crate) fn timeline(&self, workflow: &Arc<Workflow>) -> Result<Timeline, Failure> {
        let mut timeline = Timeline::new(workflow);
        for record in self.records()? {
            timeline
                .apply(&record)
                .map_err(|error| Failure::of(Code::Damaged, &error).hint(self.repair_hint()))?;
        }
        Ok(timeline)
    }

    /// A journal that cannot be read, and what helps.
    #[must_use]
    pub(crate) fn unreadable(&self, error: journal::Error) -> Failure {
        let failure = Failure::from(error);
        if failure.code == Code::Damaged { failure.hint(self.repair_hint()) } else { failure }
    }

    fn repair_hint(&self) -> String {
        format!("`foreshard journal repair {}` keeps what is whole", self.words())
    }

    /// How to name the run on a command line in the current folder.
    #[must_use]
    pub(crate) fn words(&self) -> String {
        self.id.clone() + &self.project_words()
    }

    /// How to name its project there; nothing, where the project is around.
    #[must_use]
    pub(crate) fn project_words(&self) -> String {
        let here = std::env::current_dir().unwrap_or_default();
        if here.starts_with(self.project.root()) {
            return String::new();
        }
        let folder = typed::path(self.project.root());
        format!(" --project {}", typed::word(&folder.to_string_lossy()))
    }
}

/// A run with its workflow and all that happened in it.
pub(crate) struct Told {
    /// Which run.
    pub(crate) run: PastRun,
    /// What it was started with.
    pub(crate) manifest: RunManifest,
    /// Its workflow, with all that it grew.
    pub(crate) workflow: Arc<Workflow>,
    /// What happened.
    pub(crate) timeline: Timeline,
}

/// Finds a run and reads all of it.
///
/// # Errors
/// There is no such run, or it cannot be read.
pub(crate) fn tell(choice: &RunChoice, screen: Screen) -> Result<Told, Failure> {
    let run = find(choice)?;
    let manifest = run.manifest()?;
    tell_of(run, manifest, screen)
}

/// Reads all of a run.
///
/// # Errors
/// It cannot be read.
pub(crate) fn tell_of(
    run: PastRun,
    manifest: RunManifest,
    screen: Screen,
) -> Result<Told, Failure> {
    let workflow = run.load(&manifest, screen)?.workflow;
    let timeline = run.timeline(&workflow)?;
    let workflow = Arc::clone(timeline.state().workflow());
    Ok(Told { run, manifest, workflow, timeline })
}

/// Finds the run that a person means: the latest one, or that whose name begins so.
///
/// # Errors
/// There is none, or more than one.
pub(crate) fn find(choice: &RunChoice) -> Result<PastRun, Failure> {
    let projects = projects(&choice.project)?;
    let mut runs = runs_of(&projects);
    let Some(wanted) = &choice.run else {
        return runs.pop().ok_or_else(no_runs);
    };
    if runs.is_empty() {
        return Err(no_runs());
    }
    // The last part alone tells runs of one day apart, and is quicker to type.
    let means = |run: &PastRun| {
        run.id.starts_with(wanted) || run.id.rsplit('-').next() == Some(wanted.as_str())
    };
    let mut meant: Vec<PastRun> = runs.into_iter().filter(|run| means(run)).collect();
    match meant.len() {
        0 => Err(Failure::invalid(format!("no run is named `{wanted}`"))
            .hint("`foreshard runs` lists them")),
        1 => Ok(meant.swap_remove(0)),
        _ => {
            let names: Vec<&str> = meant.iter().map(|run| run.id.as_str()).collect();
            Err(Failure::invalid(format!("several runs are named `{wanted}…`"))
                .hint(format!("write more of its name: {}", names.join(", "))))
        }
    }
}

/// All runs of the projects that a person means, oldest first.
///
/// # Errors
/// The folder that was named is not there.
pub(crate) fn all(choice: &ProjectChoice) -> Result<Vec<PastRun>, Failure> {
    Ok(runs_of(&projects(choice)?))
}

/// All runs of one project, oldest first.
#[must_use]
pub(crate) fn of_project(project: &Project) -> Vec<PastRun> {
    runs_of(std::slice::from_ref(project))
}

fn no_runs() -> Failure {
    Failure::invalid("there are no runs yet").hint(
        "`foreshard run FILE` starts one; `--project DIR` names the folder of another workflow",
    )
}

fn runs_of(projects: &[Project]) -> Vec<PastRun> {
    let mut runs = Vec::new();
    for project in projects {
        for entry in std::fs::read_dir(project.runs()).into_iter().flatten().flatten() {
            let dir = RunDir::new(entry.path());
            // A folder without a manifest is a run that was never begun. Names tell seconds only.
            let Ok(manifest) = std::fs::metadata(dir.manifest()) else { continue };
            let written_at = manifest.modified().ok();
            runs.push((written_at, PastRun { project: project.clone(), id: dir.id(), dir }));
        }
    }
    runs.sort_by(|(a_at, a), (b_at, b)| (a_at, &a.id).cmp(&(b_at, &b.id)));
    runs.into_iter().map(|(_, run)| run).collect()
}

/// The project whose history is meant: the one that is named or around, the only one below, or
/// the current folder, which becomes one.
///
/// # Errors
/// The folder is not there, or several could be meant.
pub(crate) fn home(choice: &ProjectChoice) -> Result<Project, Failure> {
    let mut projects = projects(choice)?;
    match projects.len() {
        0 => {
            let here = std::env::current_dir().and_then(|here| here.canonicalize());
            here.map(Project::new).map_err(|error| Failure::io("find", Path::new("."), &error))
        }
        1 => Ok(projects.remove(0)),
        n => Err(Failure::invalid(format!("{n} projects lie below this folder"))
            .hint("`--project DIR` says which one is meant")),
    }
}

fn projects(choice: &ProjectChoice) -> Result<Vec<Project>, Failure> {
    if let Some(named) = &choice.project {
        let folder = named.canonicalize().map_err(|error| Failure {
            code: Code::Invalid,
            ..Failure::io("find the project", named, &error)
        })?;
        // Whoever names the workflow file means its folder.
        let folder =
            if folder.is_file() { folder.parent().map(Path::to_path_buf) } else { Some(folder) };
        return Ok(folder.into_iter().map(Project::new).collect());
    }
    let here = std::env::current_dir()
        .and_then(|here| here.canonicalize())
        .map_err(|error| Failure::io("find", Path::new("."), &error))?;
    let around = here.ancestors().find(|folder| is_project(folder));
    Ok(match around {
        Some(folder) => vec![Project::new(folder.to_path_buf())],
        None => below(&here, DEPTH_MAX).into_iter().map(Project::new).collect(),
    })
}

/// Whether there were runs, or something was measured.
fn is_project(folder: &Path) -> bool {
    let project = Project::new(folder.to_path_buf());
    project.runs().is_dir() || project.history().is_file()
}

fn below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if depth == 0 {
        return found;
    }
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if is_hidden || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if is_project(&entry.path()) {
            found.push(entry.path());
        } else {
            found.extend(below(&entry.path(), depth - 1));
        }
    }
    found
}
