//! Takes away what runs have left on disk: private folders of attempts, or a run as a whole.
//!
//! Everything that goes lies in the run's own folder, and links in it are never followed, so that
//! no published output can be touched. What is still needed is decided by whoever calls; here a
//! run is only taken while nobody drives it and none of its keepers lives. Reuse does not need
//! runs: it compares the project's history with the files themselves.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use engine::AttemptId;
use journal::lease::{self, Lease};
use spec::TaskId;

use crate::artifact;
use crate::process;
use crate::protocol::{Keeper, LineReader, Progress};
use crate::run_dir::{Project, RunDir};

/// From other hosts, whoever cleans is believed dead after so long.
const LEASE_DURATION: std::time::Duration = std::time::Duration::from_secs(60);

/// Why something was not taken away.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody drives the run.
    #[error("the run is being driven")]
    Driven(#[source] lease::Error),
    /// A keeper goes on with what it was given.
    #[error("process {} on {} still runs tasks of it", .0.pid, .0.host)]
    Kept(Keeper),
    /// The disk fails, or something may not be removed.
    #[error("failed to {what} {}", path.display())]
    Io {
        /// What was to be done.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { what, path, source }
}

/// Removes a run with its journal, logs and private folders. It is gone at once: what is left of
/// it if this is interrupted is no run any more, and goes the next time.
///
/// # Errors
/// It is in use, or cannot be removed.
pub fn remove_run(project: &Project, run_dir: &RunDir) -> Result<(), Error> {
    let _lease = take(run_dir)?;
    let trash = trash(project);
    std::fs::create_dir_all(&trash).map_err(io("make", &trash))?;
    let aside = trash.join(run_dir.id());
    std::fs::rename(run_dir.path(), &aside).map_err(io("move", run_dir.path()))?;
    artifact::discard(&aside).map_err(io("remove", &aside))
}

/// Removes private folders of attempts.
///
/// # Errors
/// The run is in use, or a folder cannot be removed.
pub fn remove_attempts(run_dir: &RunDir, attempts: &[AttemptId]) -> Result<(), Error> {
    if attempts.is_empty() {
        return Ok(());
    }
    let _lease = take(run_dir)?;
    for &attempt in attempts {
        let folder = run_dir.attempt(attempt);
        artifact::discard(&folder).map_err(io("remove", &folder))?;
    }
    Ok(())
}

/// Removes what is left of runs whose removal was interrupted.
///
/// # Errors
/// It cannot be removed.
pub fn empty_trash(project: &Project) -> Result<(), Error> {
    let trash = trash(project);
    artifact::discard(&trash).map_err(io("remove", &trash))
}

fn trash(project: &Project) -> PathBuf {
    project.state().join("trash")
}

fn take(run_dir: &RunDir) -> Result<Lease, Error> {
    let path = run_dir.path();
    let lease = Lease::acquire(path, lease::Holder::own(), LEASE_DURATION, journal::Epoch(0))
        .map_err(Error::Driven)?;
    match living_keeper(run_dir).map_err(io("read the keepers of", path))? {
        None => Ok(lease),
        Some(keeper) => Err(Error::Kept(keeper)),
    }
}

/// A keeper that goes on with what it was given, as far as can be told from this machine.
///
/// # Errors
/// The run's folder cannot be read.
pub fn living_keeper(run_dir: &RunDir) -> std::io::Result<Option<Keeper>> {
    let folder = run_dir.path().join("allocations");
    for entry in list(&folder)? {
        let Ok(file) = File::open(folder.join(entry).join("progress")) else { continue };
        // A damaged file says nothing about who keeps it; a keeper that lives would have been
        // found by its first line, which is synced before anything is started.
        let Ok(lines) = LineReader::new(file).read::<Progress>() else { continue };
        let hello = lines.iter().find_map(|line| match line {
            Progress::Hello(keeper) => Some(keeper),
            _ => None,
        });
        let has_ended = matches!(lines.last(), Some(Progress::Bye));
        if let Some(keeper) = hello.filter(|keeper| !has_ended && may_live(keeper)) {
            return Ok(Some(keeper.clone()));
        }
    }
    Ok(None)
}

fn may_live(keeper: &Keeper) -> bool {
    if keeper.host != process::host() {
        return true;
    }
    keeper.boot_id == process::boot_id() && process::is_alive(keeper.pid, keeper.start_ticks)
}

/// The attempts of a run that have a private folder, by id.
///
/// # Errors
/// The run's folder cannot be read.
pub fn attempts_with_folder(run_dir: &RunDir) -> std::io::Result<BTreeSet<AttemptId>> {
    let attempt = |name: String| {
        let (task, number) = name.strip_prefix('t')?.split_once('.')?;
        let attempt = AttemptId(TaskId(task.parse().ok()?), number.parse().ok()?);
        (attempt.to_string() == name).then_some(attempt)
    };
    Ok(list(&run_dir.attempts())?.into_iter().filter_map(attempt).collect())
}

/// Folders of runs that never began, as nobody wrote what they are, and that are older than this.
#[must_use]
pub fn never_begun(project: &Project, older_than: std::time::Duration) -> Vec<RunDir> {
    let names = list(&project.runs()).unwrap_or_default();
    let runs = names.into_iter().map(|name| project.run(&name));
    let is_old = |run: &RunDir| {
        let modified = run.path().metadata().and_then(|meta| meta.modified());
        modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > older_than))
    };
    runs.filter(|run| !run.manifest().exists() && is_old(run)).collect()
}

fn list(folder: &Path) -> std::io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.collect())
}

/// How much of the disk a folder takes, in bytes; what cannot be looked at counts as nothing.
#[must_use]
pub fn size_on_disk(folder: &Path) -> u64 {
    const BLOCK: u64 = 512;
    let mut bytes = 0;
    let mut stack = vec![folder.to_path_buf()];
    while let Some(path) = stack.pop() {
        let Ok(meta) = path.symlink_metadata() else { continue };
        bytes += meta.blocks() * BLOCK;
        if meta.is_dir() {
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            stack.extend(entries.map(|entry| entry.path()));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::write_line;

    fn run_in(dir: &tempfile::TempDir) -> (Project, RunDir) {
        let project = Project::new(dir.path().to_path_buf());
        let run = project.run("r1");
        std::fs::create_dir_all(run.allocation(engine::AllocationId(1)).path()).unwrap();
        std::fs::create_dir_all(run.attempts()).unwrap();
        (project, run)
    }

    fn keeper(host: String, pid: u32, start_ticks: u64) -> Keeper {
        let capacity = spec::Resources::default();
        Keeper { pid, start_ticks, boot_id: process::boot_id(), host, capacity }
    }

    fn write(run: &RunDir, lines: &[Progress]) {
        let mut text = Vec::new();
        lines.iter().for_each(|line| write_line(&mut text, line));
        std::fs::write(run.allocation(engine::AllocationId(1)).progress(), text).unwrap();
    }

    #[test]
    fn a_run_whose_keeper_lives_stays_and_goes_when_the_keeper_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let (project, run) = run_in(&dir);
        let own = std::process::id();
        let ours = keeper(process::host(), own, process::start_ticks(own).unwrap());
        write(&run, &[Progress::Hello(ours.clone())]);
        assert!(matches!(remove_run(&project, &run), Err(Error::Kept(_))));
        write(&run, &[Progress::Hello(keeper("elsewhere".to_owned(), 1, 1))]);
        assert!(matches!(remove_run(&project, &run), Err(Error::Kept(_))));
        assert!(run.path().exists());
        write(&run, &[Progress::Hello(ours), Progress::Bye]);
        remove_run(&project, &run).unwrap();
        assert!(!run.path().exists());
    }

    #[test]
    fn a_folder_goes_and_what_its_links_lead_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (project, run) = run_in(&dir);
        let precious = dir.path().join("precious");
        std::fs::create_dir(&precious).unwrap();
        std::fs::write(precious.join("result"), "r").unwrap();
        let [gone, kept] = [1, 2].map(|number| AttemptId(TaskId(7), number));
        for attempt in [gone, kept] {
            std::fs::create_dir(run.attempt(attempt)).unwrap();
            std::os::unix::fs::symlink(&precious, run.attempt(attempt).join("link")).unwrap();
        }
        std::fs::create_dir(run.attempts().join("t07.1")).unwrap();
        assert_eq!(attempts_with_folder(&run).unwrap(), BTreeSet::from([gone, kept]));
        remove_attempts(&run, &[gone]).unwrap();
        assert_eq!(attempts_with_folder(&run).unwrap(), BTreeSet::from([kept]));
        remove_run(&project, &run).unwrap();
        assert_eq!(std::fs::read_to_string(precious.join("result")).unwrap(), "r");
        empty_trash(&project).unwrap();
        assert!(!trash(&project).exists());
    }
}
