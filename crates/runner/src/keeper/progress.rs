//! The progress file: lines are collected in order, one thread writes them.
//!
//! A disk that is full or fails holds up what is reported, never what runs: nothing counts
//! before it is in the file, and writing is tried until it succeeds.

use std::fs::File;
use std::io::Write;
use std::time::Duration;

use super::hub::Hub;
use crate::protocol::{Progress, write_line};

/// Lines that come closer together than this share one write.
const COALESCE: Duration = Duration::from_millis(2);

/// After a failed write, the first pause and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Lines that are not in the file yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    /// Bytes that were ever appended, and those of them that are in the file.
    appended: u64,
    written: u64,
    is_closed: bool,
    /// Whether the writer waits to be told of the next line.
    is_writer_waiting: bool,
    /// Whether anyone waits to be told of the next write.
    is_awaited: bool,
}

impl Pending {
    /// Adds a line. True if the writer must be woken.
    pub(super) fn append(&mut self, line: &Progress) -> bool {
        let before = self.bytes.len();
        write_line(&mut self.bytes, line);
        self.appended += (self.bytes.len() - before) as u64;
        std::mem::take(&mut self.is_writer_waiting)
    }

    /// Everything up to here was appended so far.
    pub(super) fn end(&self) -> u64 {
        self.appended
    }

    /// Whether everything up to `end` is in the file; if not, the next write is announced.
    pub(super) fn is_written(&mut self, end: u64) -> bool {
        let is_written = self.written >= end;
        self.is_awaited |= !is_written;
        is_written
    }

    /// No line will follow.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }
}

/// Writes what is appended until the hub's progress is closed.
///
/// After each write comes a pause, so that a first line goes out at once, and a busy keeper wakes
/// this thread by the clock and never by hand.
pub(super) fn write(hub: &Hub, file: &mut File) {
    let mut bytes = Vec::new();
    loop {
        let mut state = hub.wait_for_lines(|pending| {
            let is_waiting = pending.bytes.is_empty() && !pending.is_closed;
            pending.is_writer_waiting = is_waiting;
            is_waiting
        });
        std::mem::swap(&mut bytes, &mut state.progress.bytes);
        drop(state);
        write_until_done(file, &bytes);
        let mut state = hub.lock();
        state.progress.written += bytes.len() as u64;
        bytes.clear();
        let is_closed = state.progress.is_closed;
        let is_over = is_closed && state.progress.bytes.is_empty();
        let must_notify = std::mem::take(&mut state.progress.is_awaited);
        drop(state);
        if must_notify {
            hub.written.notify_all();
        }
        if is_over {
            return;
        }
        if !is_closed {
            std::thread::sleep(COALESCE);
        }
    }
}

fn write_until_done(file: &mut File, mut bytes: &[u8]) {
    let mut pause = BACK_OFF.0;
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(n) if n > 0 => {
                bytes = &bytes[n..];
                pause = BACK_OFF.0;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Ok(_) | Err(_) => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(BACK_OFF.1);
            }
        }
    }
}
