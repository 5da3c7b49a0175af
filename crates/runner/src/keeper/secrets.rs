//! Looks up what tasks may know and nobody may read, when they are started.
//!
//! Values live in this process and in the environment of the task. Every text that comes from
//! here says what could not be looked up and why, never what was found.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::AttemptId;
use spec::template::SecretSource;

use super::mask::Patterns;
use crate::ask::{Limits, ask};
use crate::process::ATTEMPT_MARK;
use crate::protocol::Work;

/// Of one secret, in bytes. Less would be found everywhere in a log; more is no secret but a file.
const LENGTH_MIN: usize = 4;
const LENGTH_MAX: usize = 16 << 10;

/// For a program that prints a secret.
const LIMITS: Limits = Limits { time: Duration::from_secs(30), length: LENGTH_MAX + 2 };

/// How long what a program printed is good for: a thousand tasks that start together do not ask a
/// thousand times.
const FRESH: Duration = Duration::from_secs(60);

/// A variable of a task's environment.
pub(super) type Variable = (String, OsString);

/// The secrets of one attempt.
pub(super) struct Opened {
    pub(super) variables: Vec<Variable>,
    pub(super) patterns: Arc<Patterns>,
}

/// Secrets of running attempts, and answers of programs.
pub(super) struct Vault {
    project: PathBuf,
    answers: Mutex<HashMap<Vec<String>, Answer>>,
    /// By attempt: what must not be shown. Values that were masked once are masked again without
    /// building the patterns anew.
    open: Mutex<Kept>,
}

/// What a program printed, and when.
type Answer = (Instant, Vec<u8>);

#[derive(Default)]
struct Kept {
    attempts: BTreeMap<AttemptId, Arc<Patterns>>,
    last: Option<(Vec<Vec<u8>>, Arc<Patterns>)>,
}

impl Vault {
    pub(super) fn new(project: PathBuf) -> Self {
        Self { project, answers: Mutex::default(), open: Mutex::default() }
    }

    /// The secrets that an attempt is given; none if it asks for none.
    ///
    /// # Errors
    /// Which one cannot be had, and why, for people.
    pub(super) fn open(&self, work: &Work) -> Result<Option<Opened>, String> {
        if work.secrets.is_empty() {
            return Ok(None);
        }
        let mut variables = Vec::new();
        for secret in &work.secrets {
            let value = self.value(&secret.source, work.attempt).and_then(check);
            let value = value.map_err(|why| format!("its secret {} {why}", secret.name))?;
            variables.push((secret.name.clone(), OsString::from_vec(value)));
        }
        let values = variables.iter().map(|(_, value)| value.as_bytes().to_vec()).collect();
        let patterns = self.patterns_of(values);
        self.kept().attempts.insert(work.attempt, Arc::clone(&patterns));
        Ok(Some(Opened { variables, patterns }))
    }

    /// What must not be shown of an attempt, while it is open.
    pub(super) fn patterns(&self, attempt: AttemptId) -> Option<Arc<Patterns>> {
        self.kept().attempts.get(&attempt).map(Arc::clone)
    }

    /// Forgets an attempt. Says whether it had secrets.
    pub(super) fn close(&self, attempt: AttemptId) -> bool {
        self.kept().attempts.remove(&attempt).is_some()
    }

    fn patterns_of(&self, values: Vec<Vec<u8>>) -> Arc<Patterns> {
        let mut kept = self.kept();
        match &kept.last {
            Some((last, patterns)) if *last == values => Arc::clone(patterns),
            _ => {
                let patterns = Arc::new(Patterns::of(&values));
                kept.last = Some((values, Arc::clone(&patterns)));
                patterns
            }
        }
    }

    fn value(&self, source: &SecretSource, attempt: AttemptId) -> Result<Vec<u8>, String> {
        match source {
            SecretSource::Env(variable) => std::env::var_os(variable)
                .map(OsString::into_vec)
                .ok_or_else(|| format!("cannot be read: the variable {variable} is not set")),
            SecretSource::File(path) => {
                let read = self.file(path).map(without_line_end);
                read.map_err(|why| format!("cannot be read from {path}: {why}"))
            }
            SecretSource::Command(words) => self.answer(words, attempt),
        }
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = match path.strip_prefix("~/") {
            Some(below) => std::env::home_dir().ok_or("there is no home folder")?.join(below),
            None => self.project.join(path),
        };
        let told = |error: std::io::Error| error.to_string();
        let mut options = std::fs::OpenOptions::new();
        // Should it be a pipe, opening it must not wait for a writer.
        let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(told)?;
        let metadata = file.metadata().map_err(told)?;
        if !metadata.is_file() {
            return Err("it is not a file".to_owned());
        }
        if metadata.mode() & 0o007 != 0 {
            return Err("everybody may read or write it; `chmod o=` it first".to_owned());
        }
        let mut value = Vec::new();
        file.take(LENGTH_MAX as u64 + 2).read_to_end(&mut value).map_err(told)?;
        Ok(value)
    }

    fn answer(&self, words: &[String], attempt: AttemptId) -> Result<Vec<u8>, String> {
        // Held while the program runs: others that want the same wait for its answer.
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, answer)) = answers.get(words)
            && at.elapsed() < FRESH
        {
            return Ok(answer.clone());
        }
        let (program, arguments) = words.split_first().ok_or("has an empty command")?;
        let mut command = Command::new(program);
        // What it leaves behind is cleared away with the attempt.
        command.args(arguments).current_dir(&self.project).env(ATTEMPT_MARK, attempt.to_string());
        let answer = ask(command, LIMITS).map_err(|error| format!("cannot be had: {error}"))?;
        let answer = without_line_end(answer);
        answers.insert(words.to_vec(), (Instant::now(), answer.clone()));
        Ok(answer)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A secret that no task is given, as text.
///
/// # Errors
/// Why it cannot be had, for people.
pub(crate) fn look_up(source: &SecretSource, project: &Path) -> Result<String, String> {
    let nobody = AttemptId(spec::TaskId(0), 0);
    let value = Vault::new(project.to_path_buf()).value(source, nobody).and_then(check)?;
    String::from_utf8(value).map_err(|_| "is no text".to_owned())
}

fn without_line_end(mut value: Vec<u8>) -> Vec<u8> {
    if value.ends_with(b"\n") {
        value.pop();
        if value.ends_with(b"\r") {
            value.pop();
        }
    }
    value
}

fn check(value: Vec<u8>) -> Result<Vec<u8>, String> {
    if value.is_empty() {
        Err("is empty".to_owned())
    } else if value.len() < LENGTH_MIN {
        Err(format!("has less than {LENGTH_MIN} bytes, too few to be kept out of a log"))
    } else if value.len() > LENGTH_MAX {
        Err(format!("has more than {LENGTH_MAX} bytes"))
    } else if value.contains(&0) {
        Err("contains a NUL byte, which no variable can hold".to_owned())
    } else {
        Ok(value)
    }
}
