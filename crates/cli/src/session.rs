//! Drives a run from a terminal: shows how it goes, listens to Ctrl-C, tells how it ended.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use engine::cause::FailureCause;
use engine::outcome::Outcome;
use engine::phase::Phase;
use engine::task_state::TaskState;
use engine::{AttemptId, Event, Record, RunState};
use report::Progress;
use report::printable::{clipped, printable};
use report::quantity::{count, plural};
use runner::drive::Observer;
use runner::run_dir::RunDir;
use runner::start::Ready;
use spec::{TaskId, Timestamp, Workflow};

use crate::args::{RunChoice, Watching};
use crate::command;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::PastRun;
use crate::progress::{Bars, Events, Lines, Silence};
use crate::refusal;
use crate::screen::{Screen, Tone};
use crate::signals::Interrupts;
use crate::typed;

/// How many failures are told at the end; `foreshard report` tells all.
const FAILURES_TOLD: usize = 10;

/// How many lines of a failed task's error output are shown.
const LINES_TOLD: usize = 5;

/// Where a session begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// With the first record.
    New,
    /// After those that others have left.
    TakenOver,
}

/// Whether what is wanted at the end of a session can be had: better known before hours of work.
///
/// # Errors
/// The report has no folder to lie in.
pub(crate) fn check(watching: &Watching) -> Result<(), Failure> {
    let Some(path) = &watching.html else { return Ok(()) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        None => Ok(()),
        Some(folder) => Err(Failure::invalid(format!(
            "the report cannot be written: there is no folder {}",
            folder.display()
        ))),
    }
}

/// Drives a run to its end or pause.
///
/// # Errors
/// It could not go on, or its report could not be written.
pub(crate) fn drive(
    mut ready: Ready,
    run: &PastRun,
    origin: Origin,
    watching: &Watching,
    screen: Screen,
) -> Result<Code, Failure> {
    let workflow = ready.workflow.clone();
    ready.observe_every(watching.observe_every);
    let interrupts = Interrupts::listen(ready.messages.clone())?;
    if !watching.quiet && !watching.json {
        let name = screen.word(Tone::Strong, &printable(workflow.name()));
        screen.say(&format!("{name}: run {}", run.id));
    }
    let mut watcher = Watcher {
        display: display(run, &workflow, origin, watching, screen),
        began_at: None,
        n_reused: 0,
        ending: None,
        notices: Vec::new(),
    };
    let ended = ready.drive(&mut watcher);
    drop(interrupts);
    let Watcher { display, ending, notices, .. } = watcher;
    // The display leaves the screen before anything else is said on it.
    drop(display);
    let phase = ended.map_err(|error| {
        let failure = refusal::tell(error, None, screen);
        match failure.code {
            Code::Owned => failure,
            _ => failure.hint(format!("`foreshard resume {}` goes on with the run", run.words())),
        }
    })?;
    // Quiet is for a run that goes well: nobody should have to ask why it did not.
    let is_told = !watching.quiet || code_of(phase) != Code::Succeeded;
    for notice in notices {
        screen.say(&format!("{} {}", screen.word(Tone::Doubtful, "warning:"), printable(&notice)));
    }
    if let Some(ending) = ending.filter(|_| is_told) {
        tell(&ending, phase, run, screen);
    }
    if let Some(path) = &watching.html {
        write_html(path, run, screen)?;
    }
    Ok(code_of(phase))
}

fn display(
    run: &PastRun,
    workflow: &Arc<Workflow>,
    origin: Origin,
    watching: &Watching,
    screen: Screen,
) -> Box<dyn Observer> {
    if watching.json {
        return Box::new(Events::new(&run.id, run.dir.path(), workflow));
    }
    if watching.quiet {
        return Box::new(Silence);
    }
    if !screen.is_live() {
        return Box::new(Lines::new(screen));
    }
    let mut progress = Progress::new(workflow.clone());
    if origin == Origin::TakenOver {
        for record in run.records().unwrap_or_default() {
            // The engine has checked the same records; falling short would only show less.
            let _ = progress.apply(&record);
        }
    }
    Box::new(Bars::new(progress, screen))
}

fn write_html(path: &Path, run: &PastRun, screen: Screen) -> Result<(), Failure> {
    let choice = RunChoice {
        run: Some(run.id.clone()),
        project: crate::args::ProjectChoice { project: Some(run.project.root().to_path_buf()) },
    };
    command::write_html(&choice, path, screen)
}

fn code_of(phase: Phase) -> Code {
    match phase {
        Phase::Finished(Outcome::Succeeded) => Code::Succeeded,
        Phase::Finished(Outcome::Failed) => Code::TasksFailed,
        Phase::Finished(Outcome::Cancelled) => Code::Cancelled,
        Phase::Finished(Outcome::Stalled) => Code::Internal,
        Phase::Paused
        | Phase::Draining { .. }
        | Phase::Running
        | Phase::Cancelling
        | Phase::Finishing(_) => Code::Interrupted,
    }
}

/// Looks on beside the display, and keeps what the last words need.
struct Watcher {
    display: Box<dyn Observer>,
    began_at: Option<Timestamp>,
    n_reused: usize,
    ending: Option<Ending>,
    notices: Vec<String>,
}

/// How a session ended, in figures.
struct Ending {
    /// With all that it grew.
    workflow: Arc<Workflow>,
    took: spec::Duration,
    n_selected: usize,
    n_published: usize,
    n_reused: usize,
    n_unfinished: usize,
    n_skipped: usize,
    failures: Vec<Failed>,
    n_failures: usize,
}

struct Failed {
    attempt: AttemptId,
    cause: FailureCause,
    n_skipped: usize,
}

impl Observer for Watcher {
    fn recorded(&mut self, record: &Record, state: &RunState) {
        self.began_at.get_or_insert(record.at);
        match &record.event {
            Event::TaskReused { .. } => self.n_reused += 1,
            Event::RunFinished { .. } | Event::RunPaused => {
                let began_at = self.began_at.unwrap_or(record.at);
                self.ending = Some(Ending::of(state, record.at.since(began_at), self.n_reused));
            }
            _ => {}
        }
        self.display.recorded(record, state);
    }

    fn tick(&mut self, state: &RunState, now: Timestamp) {
        self.display.tick(state, now);
    }

    fn notice(&mut self, text: &str) {
        self.notices.push(text.to_owned());
    }
}

impl Ending {
    fn of(state: &RunState, took: spec::Duration, n_reused: usize) -> Self {
        let mut skipped: BTreeMap<TaskId, usize> = BTreeMap::new();
        for &blamed in state.skipped().values() {
            *skipped.entry(blamed).or_default() += 1;
        }
        let failed = |(&task, cause): (&TaskId, &FailureCause)| Failed {
            attempt: AttemptId(task, state.task(task).attempts),
            cause: cause.clone(),
            n_skipped: skipped.get(&task).copied().unwrap_or(0),
        };
        Self {
            workflow: Arc::clone(state.workflow()),
            took,
            n_selected: state.n_selected(),
            n_published: state.count(TaskState::Published),
            n_reused,
            n_unfinished: state.n_unfinished(),
            n_skipped: state.count(TaskState::Skipped),
            failures: state.failures().iter().take(FAILURES_TOLD).map(failed).collect(),
            n_failures: state.failures().len(),
        }
    }

    fn figures(&self) -> String {
        let tasks = plural(self.n_selected, "task", "tasks");
        if self.n_published == self.n_selected {
            return match self.n_reused {
                0 => format!("{tasks} in {}", self.took),
                n if n == self.n_selected => format!("{tasks}, all unchanged"),
                n => format!("{tasks}, {} of them unchanged, in {}", count(n), self.took),
            };
        }
        let mut parts = vec![format!("{} of {tasks} done", count(self.n_published))];
        let others = [
            (self.n_failures, "failed"),
            (self.n_skipped, "could not run"),
            (self.n_unfinished, "left"),
        ];
        parts.extend(
            others.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n))),
        );
        format!("{} in {}", parts.join(", "), self.took)
    }
}

/// The last words: failures with what they printed, figures, the next step.
fn tell(ending: &Ending, phase: Phase, run: &PastRun, screen: Screen) {
    let workflow = &ending.workflow;
    for failed in &ending.failures {
        tell_failure(failed, run, workflow, screen);
    }
    if ending.n_failures > ending.failures.len() {
        let more = count(ending.n_failures - ending.failures.len());
        screen.say(&format!("… and {more} more; `foreshard report` tells all of them"));
    }
    let word = match phase {
        Phase::Finished(Outcome::Succeeded) => screen.word(Tone::Good, "succeeded"),
        Phase::Finished(Outcome::Failed) => screen.word(Tone::Bad, "failed"),
        Phase::Finished(Outcome::Cancelled) => screen.word(Tone::Doubtful, "cancelled"),
        Phase::Finished(Outcome::Stalled) => screen.word(Tone::Bad, "stalled"),
        Phase::Paused
        | Phase::Draining { .. }
        | Phase::Running
        | Phase::Cancelling
        | Phase::Finishing(_) => screen.word(Tone::Doubtful, "interrupted"),
    };
    screen.say(&format!("{word}: {}", ending.figures()));
    for hint in hints(ending, phase, run, workflow) {
        screen.say(&format!("{} {hint}", screen.word(Tone::Helpful, "hint:")));
    }
}

fn tell_failure(failed: &Failed, run: &PastRun, workflow: &Workflow, screen: Screen) {
    let name = workflow.task_name(failed.attempt.task());
    let name = screen.word(Tone::Bad, &printable(&name));
    let mut line = format!("{name}: {}", printable(&failed.cause.to_string()));
    if failed.n_skipped > 0 {
        line += &format!("; {} could not run", plural(failed.n_skipped, "task", "tasks"));
    }
    screen.say(&line);
    let width = screen.width().saturating_sub(6);
    for error in last_lines(&run.dir, failed.attempt, LINES_TOLD) {
        screen.say(&screen.word(Tone::Faint, &format!("  | {}", clipped(&error, width))));
    }
    let logs = [run.dir.stderr(failed.attempt), run.dir.stdout(failed.attempt)];
    if let Some(log) = logs.iter().find(|path| path.exists()) {
        screen.say(&screen.word(Tone::Faint, &format!("  log: {}", typed::path(log).display())));
    }
}

fn hints(ending: &Ending, phase: Phase, run: &PastRun, workflow: &Workflow) -> Vec<String> {
    let mut hints = Vec::new();
    match phase {
        Phase::Finished(Outcome::Failed) => {
            if let Some(failed) = ending.failures.first() {
                let task = typed::word(&workflow.task_name(failed.attempt.task()));
                let project = run.project_words();
                hints.push(format!("`foreshard logs {task}{project}` shows all it printed"));
            }
            let words = run.words();
            hints
                .push(format!("`foreshard resume --retry-failed {words}` tries again what failed"));
        }
        Phase::Finished(Outcome::Stalled) => {
            hints.push("this is a defect of foreshard; please report it".to_owned());
        }
        Phase::Finished(Outcome::Succeeded | Outcome::Cancelled) => {}
        Phase::Paused
        | Phase::Draining { .. }
        | Phase::Running
        | Phase::Cancelling
        | Phase::Finishing(_) => {
            hints.push(format!("`foreshard resume {}` goes on with it", run.words()));
        }
    }
    hints
}

/// The last lines of what an attempt wrote to standard error, or else to standard output.
#[must_use]
pub(crate) fn last_lines(dir: &RunDir, attempt: AttemptId, n: usize) -> Vec<String> {
    let of = |path: &Path| tail(path, n).ok().filter(|lines| !lines.is_empty());
    of(&dir.stderr(attempt)).or_else(|| of(&dir.stdout(attempt))).unwrap_or_default()
}

fn tail(path: &Path, n: usize) -> std::io::Result<Vec<String>> {
    use std::io::{Read, Seek, SeekFrom};
    const REACH: u64 = 16 << 10;
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(REACH)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> =
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    Ok(lines[lines.len().saturating_sub(n)..].iter().map(|line| (*line).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_long_log_is_its_last_lines() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text: String = (0..10_000).map(|i| format!("line {i}\n\n")).collect();
        std::fs::write(file.path(), text).unwrap();
        assert_eq!(tail(file.path(), 2).unwrap(), ["line 9998", "line 9999"]);
    }

    #[test]
    fn a_session_ends_with_the_code_of_its_run() {
        assert_eq!(code_of(Phase::Finished(Outcome::Failed)), Code::TasksFailed);
        assert_eq!(code_of(Phase::Finished(Outcome::Cancelled)), Code::Cancelled);
        assert_eq!(code_of(Phase::Paused), Code::Interrupted);
    }
}
