//! `foreshard logs`: what tasks printed, also while they print it.
//!
//! While an attempt runs, it writes into the files of its slot; when it has ended, they are
//! renamed to its own. An open file stays the right one across that.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use engine::task_state::TaskState;
use engine::{AttemptId, RunState};
use journal::{Follower, Seq};
use report::printable::printable;
use runner::load::Loaded;
use spec::TaskId;

mod told;

use super::standing;
use crate::args::{Logs, RunChoice};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::{self, PastRun};
use crate::screen::{Screen, Tone};
use crate::workflow;

/// How many lines of a failed task are shown unless told otherwise.
const FAILED_LINES: usize = 20;

/// How often a followed run is looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// Shows logs.
///
/// # Errors
/// The run cannot be read, or there is no such task.
pub(crate) fn logs(args: &Logs, screen: Screen) -> Result<Code, Failure> {
    let choice = RunChoice { run: args.run.clone(), project: args.project.clone() };
    let run = past_run::find(&choice)?;
    let loaded = run.load(&run.manifest()?, screen)?;
    let begun_with = loaded.workflow.clone();
    let mut history = History::open(run, loaded)?;
    history.read_on()?;
    let tasks = wanted(args, &history, screen)?;
    if args.command || args.json {
        return told::tell(args, &history.run, &begun_with, &tasks, screen);
    }
    if args.follow {
        return follow(args, &mut history, &tasks, screen);
    }
    let mut shown = 0;
    for task in &tasks {
        shown += show(args, &history, *task, tasks.len() > 1 || args.failed, screen)?;
    }
    if shown == 0 && !tasks.is_empty() {
        screen.say("nothing was printed");
    }
    Ok(Code::Succeeded)
}

/// A run as its journal tells it, as far as it was read.
struct History {
    run: PastRun,
    follower: Follower,
    state: RunState,
}

impl History {
    fn open(run: PastRun, loaded: Loaded) -> Result<Self, Failure> {
        let follower =
            Follower::open(run.dir.path(), Seq(1)).map_err(|error| run.unreadable(error))?;
        let state = RunState::new(loaded.workflow);
        Ok(Self { run, follower, state })
    }

    /// Takes in what was written since.
    fn read_on(&mut self) -> Result<(), Failure> {
        let mut texts = Vec::new();
        self.follower
            .poll(|_, text| texts.push(text.to_owned()))
            .map_err(|error| self.run.unreadable(error))?;
        for text in texts {
            let record = self.run.record(&text)?;
            self.state.apply(&record).map_err(|error| Failure::of(Code::Damaged, &error))?;
        }
        Ok(())
    }

    /// The latest attempt that may have printed something.
    fn latest(&self, task: TaskId) -> Option<AttemptId> {
        let live = self.state.live().get(&task);
        let waits = live.is_some_and(|live| live.started.is_none());
        let number = self.state.task(task).attempts.saturating_sub(u32::from(waits));
        (number > 0).then_some(AttemptId(task, number))
    }

    /// Whether an attempt has not ended.
    fn is_live(&self, attempt: AttemptId) -> bool {
        let live = self.state.live().get(&attempt.task());
        live.is_some_and(|live| live.number == attempt.number())
    }

    /// The file that holds what an attempt wrote, if it wrote anything.
    fn file(&self, attempt: AttemptId, stream: Stream) -> Option<PathBuf> {
        let own = match stream {
            Stream::Out => self.run.dir.stdout(attempt),
            Stream::Err => self.run.dir.stderr(attempt),
        };
        if own.exists() {
            return Some(own);
        }
        let live = self.state.live().get(&attempt.task())?;
        let (_, slot) = live.started.filter(|_| live.number == attempt.number())?;
        let slot = self.run.dir.allocation(live.allocation).slot_log(slot, stream.name());
        // It may have ended meanwhile: its own file is then there by now.
        if own.exists() { Some(own) } else { Some(slot).filter(|path| path.exists()) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stream {
    Out,
    Err,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
        }
    }

    fn wanted(args: &Logs) -> &'static [Self] {
        match (args.stdout, args.stderr) {
            (true, _) => &[Self::Out],
            (_, true) => &[Self::Err],
            _ => &[Self::Out, Self::Err],
        }
    }
}

/// How many of the last lines are wanted; all of them if none.
fn lines_wanted(args: &Logs) -> Option<usize> {
    args.lines.or_else(|| args.failed.then_some(FAILED_LINES))
}

fn wanted(args: &Logs, history: &History, screen: Screen) -> Result<Vec<TaskId>, Failure> {
    let mut tasks = Vec::new();
    for name in &args.tasks {
        let found = workflow::tasks_named(history.state.workflow(), name);
        if found.is_empty() {
            return Err(workflow::unknown_target(history.state.workflow(), name));
        }
        tasks.extend(found);
    }
    if args.tasks.is_empty() && args.follow {
        return Ok(history.state.workflow().tasks().collect());
    }
    if args.tasks.is_empty() {
        tasks.extend(history.state.workflow().tasks());
    }
    if args.tasks.is_empty() || args.failed {
        tasks.retain(|&task| has_failed(history, task));
        if tasks.is_empty() {
            screen.say(&format!("no task of run {} has failed", history.run.id));
            let hint = screen.word(Tone::Helpful, "hint:");
            screen.say(&format!("{hint} `foreshard logs TASK` shows what a task printed"));
        }
    }
    Ok(tasks)
}

/// Whether a task failed for good, or failed and is tried again.
fn has_failed(history: &History, task: TaskId) -> bool {
    matches!(history.state.task(task).state, TaskState::Failed | TaskState::Held)
}

/// Prints what a task has printed so far; says how many files there were.
fn show(
    args: &Logs,
    history: &History,
    task: TaskId,
    is_named: bool,
    screen: Screen,
) -> Result<usize, Failure> {
    let chosen = args.attempt.map(|number| AttemptId(task, number));
    let Some(attempt) = chosen.or_else(|| history.latest(task)) else {
        let name = history.state.workflow().task_name(task);
        screen.say(&format!("`{name}` has not run in run {}", history.run.id));
        return Ok(0);
    };
    let mut shown = 0;
    for &stream in Stream::wanted(args) {
        let Some(path) = history.file(attempt, stream) else { continue };
        shown += 1;
        if args.path {
            screen.print(&format!("{}\n", path.display()))?;
            continue;
        }
        let bytes = std::fs::read(&path).map_err(|error| Failure::io("read", &path, &error))?;
        let bytes = lines_wanted(args).map_or(&bytes[..], |n| last_lines(&bytes, n));
        if is_named {
            let title = title(history, attempt, &format!("std{}", stream.name()));
            screen.print(&(screen.datum(Tone::Faint, &title) + "\n"))?;
        }
        write_out(bytes)?;
        if is_named && !bytes.is_empty() && !bytes.ends_with(b"\n") {
            screen.print("\n")?;
        }
    }
    if shown == 0 && args.failed {
        let title = title(history, attempt, "printed nothing");
        screen.print(&(screen.datum(Tone::Faint, &title) + "\n"))?;
        shown += 1;
    }
    Ok(shown)
}

/// What stands before the log of one of several tasks.
fn title(history: &History, attempt: AttemptId, what: &str) -> String {
    let name = history.state.workflow().task_name(attempt.task());
    let cause = history.state.failures().get(&attempt.task());
    let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
    let title = format!("==> {name}, try {}, {what}{cause} <==", attempt.number());
    printable(&title).into_owned()
}

fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}

/// The end of a text from its last `n` lines on.
fn last_lines(text: &[u8], n: usize) -> &[u8] {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    if n == 0 {
        return &[];
    }
    let breaks = body.iter().enumerate().rev().filter(|&(_, &byte)| byte == b'\n');
    let start = breaks.map(|(at, _)| at + 1).nth(n - 1).unwrap_or(0);
    &text[start..]
}

/// Prints what tasks print until they have ended, or nobody drives the run any more.
fn follow(
    args: &Logs,
    history: &mut History,
    tasks: &[TaskId],
    screen: Screen,
) -> Result<Code, Failure> {
    let mut tails = Tails::default();
    loop {
        // Whether it is over is asked before reading: what was written by then is all there.
        let is_over = is_over(history, tasks);
        tails.open(args, history, tasks);
        tails.print(history, tasks.len() > 1, is_over)?;
        if is_over {
            screen.say(&format!("run {} prints no more of this", history.run.id));
            return Ok(Code::Succeeded);
        }
        std::thread::sleep(INTERVAL);
        history.read_on()?;
    }
}

fn is_over(history: &History, tasks: &[TaskId]) -> bool {
    tasks.iter().all(|&task| history.state.task(task).state.is_final())
        || standing::orchestrator(&history.run).is_none()
}

/// The files that are followed.
#[derive(Default)]
struct Tails {
    open: Vec<Tail>,
    /// What was opened before, and is not opened again.
    seen: BTreeSet<(AttemptId, Stream)>,
}

/// A file that is read as it grows.
struct Tail {
    attempt: AttemptId,
    file: File,
    /// The beginning of a line whose end has not come.
    pending: Vec<u8>,
}

impl Tails {
    /// Opens what has come since.
    fn open(&mut self, args: &Logs, history: &History, tasks: &[TaskId]) {
        let attempts = tasks.iter().filter_map(|&task| history.latest(task));
        for attempt in attempts {
            for &stream in Stream::wanted(args) {
                if self.seen.contains(&(attempt, stream)) {
                    continue;
                }
                let path = history.file(attempt, stream);
                if let Some(file) = path.and_then(|path| File::open(path).ok()) {
                    self.seen.insert((attempt, stream));
                    self.open.push(Tail { attempt, file, pending: Vec::new() });
                }
            }
        }
    }

    /// Prints what has been added, and lets go of what was added to for the last time.
    fn print(&mut self, history: &History, is_named: bool, is_last: bool) -> Result<(), Failure> {
        for tail in &mut self.open {
            tail.print(history, is_named, is_last || !history.is_live(tail.attempt))?;
        }
        self.open.retain(|tail| history.is_live(tail.attempt));
        Ok(())
    }
}

impl Tail {
    /// Prints what has been added: bytes as they come for a single task, whole lines with the
    /// task's name for several.
    fn print(&mut self, history: &History, is_named: bool, is_last: bool) -> Result<(), Failure> {
        let mut added = Vec::new();
        self.file.read_to_end(&mut added)?;
        if !is_named {
            return if added.is_empty() { Ok(()) } else { write_out(&added) };
        }
        self.pending.extend(added);
        if is_last && !self.pending.is_empty() && !self.pending.ends_with(b"\n") {
            self.pending.push(b'\n');
        }
        let Some(end) = self.pending.iter().rposition(|&byte| byte == b'\n') else {
            return Ok(());
        };
        let name = history.state.workflow().task_name(self.attempt.task());
        let name = printable(&name);
        let mut text = Vec::new();
        for line in self.pending[..end].split(|&byte| byte == b'\n') {
            text.extend(format!("{name} | ").as_bytes());
            text.extend(line);
            text.push(b'\n');
        }
        self.pending.drain(..=end);
        write_out(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole_lines() {
        assert_eq!(last_lines(b"a\nb\nc\n", 2), b"b\nc\n");
        assert_eq!(last_lines(b"a\nb\nc", 1), b"c");
        assert_eq!(last_lines(b"a\nb\n", 5), b"a\nb\n");
        assert_eq!(last_lines(b"a\nb\n", 0), b"");
    }
}
