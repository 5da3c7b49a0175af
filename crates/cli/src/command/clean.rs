//! `foreshard clean`: takes away what runs have left, and nothing that is still needed.

use std::collections::BTreeSet;

use engine::outcome::Outcome;
use engine::phase::Phase;
use engine::{AttemptId, RunState};
use report::quantity::{Moment, plural};
use runner::clean;
use runner::drive::clock;
use runner::run_dir::{Project, RunDir};
use serde::Serialize;
use spec::{Bytes, Timestamp};

use super::standing;
use crate::args::{Clean, RunChoice};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::{self, PastRun};
use crate::screen::{Screen, Tone};

/// A folder that became no run is left alone for so long: perhaps it is about to become one.
const NEVER_BEGUN_AFTER: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Cleans.
///
/// # Errors
/// A run that was named is still needed, or something cannot be removed.
pub(crate) fn clean(args: &Clean, screen: Screen) -> Result<Code, Failure> {
    let all = past_run::all(&args.project)?;
    let mut told = Told { format: 1, is_dry_run: args.dry_run, ..Told::default() };
    if args.runs.is_empty() {
        let latest = all.last().map(|run| run.id.clone());
        for (run, n_after) in all.iter().zip((0..all.len()).rev()) {
            let standing = Standing::of(run, screen);
            let is_chosen = is_chosen(args, &standing, n_after);
            match &standing.needed {
                None if is_chosen => told.take(run, &standing, args.dry_run)?,
                Some(why) if is_chosen => told.keep(run, why),
                _ => {}
            }
            let is_gone = is_chosen && standing.needed.is_none();
            // Whoever looks into what just failed finds it as it was left.
            let is_of_interest =
                latest.as_deref() == Some(run.id.as_str()) && !standing.has_succeeded();
            if !is_gone && !is_of_interest {
                told.sweep(run, &standing, args.dry_run)?;
            }
        }
        if !args.dry_run {
            projects(&all).iter().for_each(clear_up);
        }
    }
    for name in &args.runs {
        let choice = RunChoice { run: Some(name.clone()), project: args.project.clone() };
        let run = past_run::find(&choice)?;
        let standing = Standing::of(&run, screen);
        if let Some(why) = standing.needed.as_ref().filter(|_| !args.force) {
            return Err(still_needed(&run, why, standing.is_driven));
        }
        told.take(&run, &standing, args.dry_run)?;
    }
    if args.json {
        screen.print_json(&told)?;
    } else {
        told.say(args, screen)?;
    }
    Ok(Code::Succeeded)
}

fn is_chosen(args: &Clean, standing: &Standing, n_after: usize) -> bool {
    let is_asked = args.older_than.is_some() || args.keep.is_some();
    let is_old = args.older_than.is_none_or(|age| clock().since(standing.last_at) > age);
    let is_past = args.keep.is_none_or(|n| n_after >= n);
    is_asked && is_old && is_past
}

/// What is left of interrupted removals, and of runs that never began. It is nobody's, and what
/// cannot be removed now goes another time.
fn clear_up(project: &Project) {
    let _ = clean::empty_trash(project);
    for run_dir in clean::never_begun(project, NEVER_BEGUN_AFTER) {
        let _ = clean::remove_run(project, &run_dir);
    }
}

fn projects(runs: &[PastRun]) -> Vec<Project> {
    let mut projects: Vec<Project> = runs.iter().map(|run| run.project.clone()).collect();
    projects.dedup();
    projects
}

fn still_needed(run: &PastRun, why: &str, is_driven: bool) -> Failure {
    let code = if is_driven { Code::Owned } else { Code::Invalid };
    let failure = Failure::new(code, format!("run {} is still needed: {why}", run.id));
    if is_driven {
        failure.hint(format!("`foreshard cancel {}` ends it", run.words()))
    } else {
        failure.hint("`--force` removes it all the same, with what it has not published")
    }
}

/// How a run stands, as far as that says what is needed of it.
struct Standing {
    /// The state in the end; none if its journal cannot be read.
    state: Option<RunState>,
    is_driven: bool,
    /// Why it cannot go; none if it can.
    needed: Option<String>,
    last_at: Timestamp,
}

impl Standing {
    fn of(run: &PastRun, screen: Screen) -> Self {
        let is_driven = standing::orchestrator(run).is_some();
        let created_at = run.manifest().map_or_else(|_| clock(), |manifest| manifest.created_at);
        let read = || -> Result<_, Failure> {
            let workflow = run.load(&run.manifest()?, screen)?.workflow;
            let timeline = run.timeline(&workflow)?;
            Ok((timeline.run().last_at, timeline.state().clone()))
        };
        let Ok((last_at, state)) = read() else {
            let needed = if is_driven { "it is running" } else { "its journal cannot be read" };
            let needed = Some(needed.to_owned());
            return Self { state: None, is_driven, needed, last_at: created_at };
        };
        let needed = match (is_driven, state.phase()) {
            (true, _) => Some("it is running"),
            (false, Phase::Finished(_)) => None,
            (false, _) => Some("it was interrupted, and can be resumed"),
        };
        let needed = needed.map(str::to_owned);
        Self { state: Some(state), is_driven, needed, last_at: last_at.max(created_at) }
    }

    fn has_succeeded(&self) -> bool {
        let phase = self.state.as_ref().map(RunState::phase);
        phase == Some(Phase::Finished(Outcome::Succeeded))
    }

    /// Private folders that a resumed run would not look at.
    fn leftovers(&self, dir: &RunDir) -> Vec<AttemptId> {
        let Some(state) = self.state.as_ref().filter(|_| !self.is_driven) else {
            return Vec::new();
        };
        let is_over = matches!(state.phase(), Phase::Finished(_));
        let is_left = |attempt: &AttemptId| {
            let task = attempt.task();
            if task.index() >= state.workflow().n_tasks() {
                return is_over;
            }
            let number = |latest: u32| latest == attempt.number();
            let is_live = state.live().get(&task).is_some_and(|live| number(live.number));
            let is_safe = state.committed().get(&task).is_some_and(|safe| number(safe.number));
            // What was granted when the power went may have been started unrecorded.
            let is_known = attempt.number() <= state.task(task).attempts;
            !is_live && !is_safe && (is_known || is_over)
        };
        let found: BTreeSet<AttemptId> = clean::attempts_with_folder(dir).unwrap_or_default();
        found.into_iter().filter(is_left).collect()
    }
}

/// What was, or would be, taken away and left.
#[derive(Default, Serialize)]
struct Told {
    format: u32,
    is_dry_run: bool,
    freed_bytes: u64,
    removed: Vec<Removed>,
    swept: Vec<Swept>,
    kept: Vec<Kept>,
}

#[derive(Serialize)]
struct Removed {
    run: String,
    last_at: Moment,
    bytes: u64,
}

#[derive(Serialize)]
struct Swept {
    run: String,
    n_attempts: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct Kept {
    run: String,
    because: String,
}

impl Told {
    fn take(&mut self, run: &PastRun, standing: &Standing, is_dry: bool) -> Result<(), Failure> {
        let bytes = clean::size_on_disk(run.dir.path());
        if !is_dry {
            clean::remove_run(&run.project, &run.dir).map_err(|error| refused(run, &error))?;
        }
        self.freed_bytes += bytes;
        let last_at = Moment(standing.last_at);
        self.removed.push(Removed { run: run.id.clone(), last_at, bytes });
        Ok(())
    }

    fn sweep(&mut self, run: &PastRun, standing: &Standing, is_dry: bool) -> Result<(), Failure> {
        let left = standing.leftovers(&run.dir);
        let bytes = left.iter().map(|&attempt| clean::size_on_disk(&run.dir.attempt(attempt)));
        let bytes = bytes.sum();
        if left.is_empty() {
            return Ok(());
        }
        if !is_dry {
            match clean::remove_attempts(&run.dir, &left) {
                Ok(()) => {}
                // Its tasks go on without an orchestrator.
                Err(clean::Error::Kept(_) | clean::Error::Driven(_)) => return Ok(()),
                Err(error) => return Err(refused(run, &error)),
            }
        }
        self.freed_bytes += bytes;
        self.swept.push(Swept { run: run.id.clone(), n_attempts: left.len(), bytes });
        Ok(())
    }

    fn keep(&mut self, run: &PastRun, why: &str) {
        self.kept.push(Kept { run: run.id.clone(), because: why.to_owned() });
    }

    fn say(&self, args: &Clean, screen: Screen) -> Result<(), Failure> {
        let mut text = String::new();
        for row in &self.removed {
            let size = Bytes(row.bytes);
            text += &format!("run {}, last active {}: {size}\n", row.run, row.last_at);
        }
        for row in &self.swept {
            let n = plural(row.n_attempts, "folder of an attempt", "folders of attempts");
            text += &format!("{n} of run {}: {}\n", row.run, Bytes(row.bytes));
        }
        screen.print(&text)?;
        for row in &self.kept {
            screen.say(&format!("kept run {}: {}", row.run, row.because));
        }
        let done = if args.dry_run { "would free" } else { "freed" };
        let nothing = self.removed.is_empty() && self.swept.is_empty();
        screen.say(&match nothing {
            true => "nothing to remove".to_owned(),
            false => format!("{done} {}", Bytes(self.freed_bytes)),
        });
        let is_unasked = args.older_than.is_none() && args.keep.is_none() && args.runs.is_empty();
        if nothing && is_unasked {
            let hint = screen.word(Tone::Helpful, "hint:");
            screen.say(&format!(
                "{hint} `--older-than 30d`, `--keep 5` or the name of a run removes whole runs"
            ));
        }
        Ok(())
    }
}

fn refused(run: &PastRun, error: &clean::Error) -> Failure {
    let code = match error {
        clean::Error::Driven(_) | clean::Error::Kept(_) => Code::Owned,
        clean::Error::Io { .. } => Code::Machine,
    };
    let failure = Failure::of(code, error);
    match error {
        clean::Error::Kept(_) => {
            failure.hint(format!("`foreshard cancel {}` ends it", run.words()))
        }
        clean::Error::Driven(_) | clean::Error::Io { .. } => failure,
    }
}
