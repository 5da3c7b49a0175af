//! Runs inside of other programs.
//!
//! A run is driven by the program that begins it, and its tasks are children of keepers, which
//! survive that program. Keepers are the same program, started again: so it has to ask first thing
//! whether it is one.
//!
//! ```
//! use runner::embedded;
//! use runner::run_dir::Project;
//! use spec::builder::WorkflowBuilder;
//! use spec::resources::MilliCpus;
//! use spec::{Resources, Site};
//!
//! embedded::keep_if_asked(); // keepers are this program, started again
//!
//! let folder = tempfile::tempdir()?;
//! let mut flow = WorkflowBuilder::new("greetings");
//! flow.task("greet")
//!     .foreach("name", ["Ada", "Grace"])
//!     .output("greetings/{name}")
//!     .run("echo Hello {name} > {outputs}");
//! flow.task("gather").input("greetings/*").output("all.txt").run("cat {inputs} > {outputs}");
//!
//! let site = Site::this_machine(
//!     Resources { cpus: MilliCpus::whole(2), ..Resources::default() },
//!     "here",
//! );
//! let outcome = embedded::run(flow.source(), Project::new(folder.path().canonicalize()?), site)?;
//! assert_eq!(outcome, engine::Outcome::Succeeded);
//! assert_eq!(std::fs::read_to_string(folder.path().join("all.txt"))?, "Hello Ada\nHello Grace\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What it leaves in `.foreshard` is what `foreshard run` leaves: `foreshard report`, `logs` and
//! `resume` work on it, and a second run reuses what has not changed. Whoever wants to see events,
//! choose targets or cancel uses [`crate::start`] itself.

use std::ffi::OsString;
use std::path::PathBuf;

use engine::event::Options;
use engine::phase::Phase;
use engine::{AllocationId, Epoch, Outcome, Record, RunState};
use spec::diagnostic::Source;
use spec::{Site, Timestamp};

use crate::drive::Observer;
use crate::keeper::{self, KeeperOptions};
use crate::load::{self, LoadError, LoadRequest};
use crate::run_dir::Project;
use crate::start::{self, NewRun};

/// Why a run did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There are mistakes in the workflow: one line for each, with its place.
    #[error("the workflow has mistakes:\n{}", .0.join("\n"))]
    Invalid(Vec<String>),
    /// A file of the workflow cannot be read.
    #[error("failed to read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It could not begin or go on.
    #[error(transparent)]
    Run(#[from] start::Error),
    /// Somebody made it pause; `foreshard resume` goes on with it.
    #[error("the run was paused")]
    Paused,
}

/// Runs a workflow in a project to its end, with the machine to itself.
///
/// # Errors
/// It has mistakes, or could not begin or go on. Failed tasks are no error: they are the outcome.
pub fn run(source: Source, project: Project, site: Site) -> Result<Outcome, Error> {
    let request = LoadRequest::new(source.name.clone());
    let loaded = load::load_source(source, project, &request).map_err(told)?;
    let new = NewRun {
        request,
        loaded,
        site,
        site_folder: None,
        options: Options::default(),
        targets: Vec::new(),
        wanted: Vec::new(),
        is_fresh: false,
        ledger: None,
    };
    match start::begin(new)?.drive(&mut Silent)? {
        Phase::Finished(outcome) => Ok(outcome),
        _ => Err(Error::Paused),
    }
}

fn told(error: LoadError) -> Error {
    match error {
        LoadError::Unreadable { path, source } => Error::Unreadable { path, source },
        LoadError::Invalid { sources, diagnostics } => {
            let tell = |mistake: &spec::diagnostic::Diagnostic| {
                let source = sources.get(mistake.source);
                let at = source.position(mistake.span.start);
                let help = mistake.help.as_ref().map(|help| format!(" ({help})"));
                let (help, line) = (help.unwrap_or_default(), at.line);
                format!("{}:{line}: {}{help}", source.name, mistake.message)
            };
            let errors = diagnostics.iter().filter(|mistake| mistake.is_error());
            Error::Invalid(errors.map(tell).collect())
        }
    }
}

struct Silent;

impl Observer for Silent {
    fn recorded(&mut self, _: &Record, _: &RunState) {}
    fn tick(&mut self, _: &RunState, _: Timestamp) {}
}

/// Does the work of a keeper, and ends the process, if this process was started to be one. To be
/// called before anything else in `main`.
pub fn keep_if_asked() {
    let mut words = std::env::args_os().skip(1);
    if words.next().is_none_or(|word| word != keeper::ROLE) {
        return;
    }
    let Some(options) = options(words) else {
        eprintln!("error: these are not the words that a keeper is started with");
        std::process::exit(2);
    };
    match keeper::run(options) {
        Ok(()) => std::process::exit(0),
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(7);
        }
    }
}

/// Reads what [`crate::executor::local`] writes.
fn options(mut words: impl Iterator<Item = OsString>) -> Option<KeeperOptions> {
    let (mut run_dir, mut project, mut ledger) = (None, None, None);
    let (mut allocation, mut epoch, mut capacity) = (None, None, None);
    while let Some(name) = words.next() {
        let value = words.next()?;
        match name.to_str()? {
            "--run-dir" => run_dir = Some(value.into()),
            "--project" => project = Some(value.into()),
            "--ledger" => ledger = Some(value.into()),
            "--allocation" => allocation = value.to_str()?.parse().ok().map(AllocationId),
            "--epoch" => epoch = value.to_str()?.parse().ok().map(Epoch),
            "--capacity" => capacity = serde_json::from_str(value.to_str()?).ok(),
            _ => return None,
        }
    }
    Some(KeeperOptions {
        run_dir: run_dir?,
        project: project?,
        allocation: allocation?,
        epoch: epoch?,
        capacity: capacity?,
        ledger,
    })
}
