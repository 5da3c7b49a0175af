//! Asks a program for something: what it prints, within limits of time and length.
//!
//! Does not know what is asked for. What is printed is never part of an error: it may be a secret.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;

use crate::process::pid_of;

/// How often a program that has closed its output is asked whether it has ended.
const PAUSE: Duration = Duration::from_millis(2);

/// How long an answer may take, and how long it may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) time: Duration,
    /// In bytes.
    pub(crate) length: usize,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("`{program}` cannot be run: {source}")]
    Start { program: String, source: std::io::Error },
    #[error("`{program}` did not answer within {} seconds", time.as_secs())]
    TooSlow { program: String, time: Duration },
    #[error("`{program}` printed more than {length} bytes")]
    TooLong { program: String, length: usize },
    #[error("`{program}` ended with {status}")]
    Failed { program: String, status: ExitStatus },
}

/// Runs the command with nothing to read, and returns what it printed. What it left behind in its
/// process group is killed.
///
/// # Errors
/// It could not be run, took too long, printed too much, or failed.
pub(crate) fn ask(command: Command, limits: Limits) -> Result<Vec<u8>, AskError> {
    hand(command, Stdio::null(), limits)
}

/// The same for a command that is given something to read.
///
/// # Errors
/// As of [`ask`].
pub(crate) fn hand(
    mut command: Command,
    input: Stdio,
    limits: Limits,
) -> Result<Vec<u8>, AskError> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let deadline = Instant::now() + limits.time;
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(source) => return Err(AskError::Start { program, source }),
    };
    let answer = listen(&mut child, limits, deadline);
    let status = wait_until(&mut child, deadline);
    if let Some(group) = pid_of(child.id()) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
    match (answer, status) {
        (Some(answer), _) if answer.len() > limits.length => {
            Err(AskError::TooLong { program, length: limits.length })
        }
        (Some(answer), Some(status)) if status.success() => Ok(answer),
        (_, Some(status)) if !status.success() => Err(AskError::Failed { program, status }),
        _ => Err(AskError::TooSlow { program, time: limits.time }),
    }
}

/// All that is printed, or the first bytes beyond the limit; none if it takes too long.
fn listen(child: &mut Child, limits: Limits, deadline: Instant) -> Option<Vec<u8>> {
    let out = child.stdout.take()?;
    let (said, heard) = bounded(1);
    std::thread::spawn(move || {
        let mut answer = Vec::new();
        let read = out.take(limits.length as u64 + 1).read_to_end(&mut answer);
        // Nobody listens any more when it took too long.
        let _ = said.send(read.map(|_| answer));
    });
    heard.recv_deadline(deadline).ok()?.ok()
}

fn wait_until(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            Ok(None) | Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<String, String> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let limits = Limits { time: Duration::from_secs(2), length: 10 };
        let answer = ask(command, limits).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(answer).unwrap())
    }

    #[test]
    fn an_answer_has_limits_and_a_refusal_does_not_repeat_it() {
        assert_eq!(shell("printf 0123456789"), Ok("0123456789".to_owned()));
        let refused = |script| shell(script).unwrap_err();
        assert!(refused("printf 01234567890").contains("more than 10 bytes"));
        assert!(refused("yes").contains("more than 10 bytes"));
        let failed = refused("echo hunter2; exit 3");
        assert!(failed.contains("exit status: 3") && !failed.contains("hunter2"), "{failed}");
        assert!(refused("exec sleep 60").contains("within 2 seconds"));
        assert!(refused("sleep 60 & echo a").contains("within 2 seconds"));
        let limits = Limits { time: Duration::from_secs(2), length: 10 };
        assert!(ask(Command::new("no-such-program"), limits).is_err());
    }
}
