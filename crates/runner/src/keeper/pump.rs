//! Between a task that was given secrets and its log: pipes, and a thread that masks what comes.
//!
//! Tasks without secrets write into their log themselves.

use std::fs::File;
use std::io::{PipeReader, Read, Write, pipe};
use std::os::fd::AsFd;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::mask::{Masker, Patterns};
use super::sampler::LOG_MAX;
use super::slot_log::SlotLog;

/// How often a silent pipe is left to see whether its task has ended.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// A little more than a log may have: whoever measures it must see that it is too long.
const WRITTEN_MAX: u64 = LOG_MAX.0 + 4_096;

const BUFFER: usize = 64 << 10;

/// The threads of one attempt.
pub(super) struct Pump {
    /// Nothing that belongs to the attempt writes any more.
    has_ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Pump {
    /// What the task is to write to: its log, or pipes that lead there.
    ///
    /// # Errors
    /// No pipe or thread can be had.
    pub(super) fn between(
        patterns: Option<&Arc<Patterns>>,
        log: &SlotLog,
    ) -> std::io::Result<((Stdio, Stdio), Option<Self>)> {
        let (out, err) = (log.out.try_clone()?, log.err.try_clone()?);
        let Some(patterns) = patterns else { return Ok(((out.into(), err.into()), None)) };
        let mut pump = Self { has_ended: Arc::default(), threads: Vec::new() };
        let (out, err) = (pump.start(patterns, out)?, pump.start(patterns, err)?);
        Ok(((out, err), Some(pump)))
    }

    fn start(&mut self, patterns: &Arc<Patterns>, log: File) -> std::io::Result<Stdio> {
        let (reader, writer) = pipe()?;
        let masker = Masker::new(Arc::clone(patterns));
        let has_ended = Arc::clone(&self.has_ended);
        let thread = std::thread::Builder::new().name("mask".to_owned());
        let thread = thread.stack_size(super::SLOT_STACK);
        self.threads.push(thread.spawn(move || copy(reader, masker, log, &has_ended))?);
        Ok(writer.into())
    }

    /// Everything that the attempt started is dead, or cannot be killed. Returns when what it
    /// wrote is in its log.
    pub(super) fn finish(self) {
        self.has_ended.store(true, Ordering::Release);
        for thread in self.threads {
            // A thread that panicked has written what it could.
            let _ = thread.join();
        }
    }
}

fn copy(mut from: PipeReader, mut masker: Masker, to: File, has_ended: &AtomicBool) {
    let mut sink = Sink { log: to, written: 0 };
    let mut buffer = vec![0; BUFFER];
    loop {
        // Asked before reading: what was written by then is all there.
        let is_last = has_ended.load(Ordering::Acquire);
        let is_readable = wait(&from, is_last);
        if !is_readable {
            if is_last {
                break;
            }
            continue;
        }
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => sink.write(&masker.pass(&buffer[..n])),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    sink.write(&masker.finish());
}

/// Whether there is something to read, or never will be.
fn wait(pipe: &PipeReader, is_last: bool) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    let polled = poll(&mut fds, Some(if is_last { &none } else { &PATIENCE }));
    !matches!(polled, Ok(0) | Err(rustix::io::Errno::INTR))
}

/// A log that is full, or on a full disk, takes no more; its task is not held up.
struct Sink {
    log: File,
    written: u64,
}

impl Sink {
    fn write(&mut self, bytes: &[u8]) {
        let room = usize::try_from(WRITTEN_MAX - self.written).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(room)];
        self.written += bytes.len() as u64;
        if let Err(error) = self.log.write_all(bytes) {
            eprintln!("failed to write a log: {error}");
            self.written = WRITTEN_MAX;
        }
    }
}
