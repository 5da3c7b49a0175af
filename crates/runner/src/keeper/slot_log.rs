//! Where tasks write: two files for each slot, given to an attempt only if it wrote something.
//!
//! Most short tasks say nothing. Their slot's files stay open and stay empty, and such a task
//! costs no work on the file system.

use std::fs::{File, OpenOptions};
use std::io::Result;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use engine::AttemptId;

use crate::run_dir::{AllocationDir, RunDir};

/// The open files of a slot.
#[derive(Debug)]
pub(super) struct SlotLog {
    pub(super) out: File,
    pub(super) err: File,
}

impl SlotLog {
    fn open(dir: &AllocationDir, slot: u32) -> Result<Self> {
        // Appended to, so that a task which opens its own output again does not overwrite it.
        // Each attempt must find the file empty: what a slot's file holds belongs to one.
        let open = |stream: &str| {
            let path = dir.slot_log(slot, stream);
            OpenOptions::new().create_new(true).append(true).open(path)
        };
        Ok(Self { out: open("out")?, err: open("err")? })
    }

    /// Bytes in both files together.
    pub(super) fn length(&self) -> u64 {
        let length = |file: &File| file.metadata().map_or(0, |metadata| metadata.len());
        length(&self.out) + length(&self.err)
    }
}

/// The logs of all slots of an allocation.
pub(super) struct SlotLogs {
    run_dir: RunDir,
    dir: AllocationDir,
    slots: Mutex<Vec<Option<Arc<SlotLog>>>>,
}

impl SlotLogs {
    pub(super) fn new(run_dir: RunDir, dir: AllocationDir) -> Self {
        Self { run_dir, dir, slots: Mutex::new(Vec::new()) }
    }

    /// The empty log of a slot. Only whoever has the slot may call this.
    pub(super) fn of(&self, slot: u32) -> Result<Arc<SlotLog>> {
        let index = slot as usize;
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() <= index {
            slots.resize(index + 1, None);
        }
        if let Some(log) = &slots[index] {
            return Ok(Arc::clone(log));
        }
        let log = Arc::new(SlotLog::open(&self.dir, slot)?);
        slots[index] = Some(Arc::clone(&log));
        Ok(log)
    }

    /// Gives the attempt what it wrote, and the slot new files if it needs them. Files that
    /// something may still write to (`is_shared`) are not used again.
    pub(super) fn hand_over(&self, slot: u32, attempt: AttemptId, log: &SlotLog, is_shared: bool) {
        if !is_shared && log.length() == 0 {
            return;
        }
        // What cannot be moved stays where it is; the slot's next attempt then cannot start,
        // which tells people more than a log in the wrong place.
        self.move_away(slot, "out", &log.out, &self.run_dir.stdout(attempt));
        self.move_away(slot, "err", &log.err, &self.run_dir.stderr(attempt));
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)[slot as usize] = None;
    }

    fn move_away(&self, slot: u32, stream: &str, file: &File, to: &Path) {
        let from = self.dir.slot_log(slot, stream);
        let is_empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        let moved = if is_empty { std::fs::remove_file(&from) } else { std::fs::rename(&from, to) };
        if let Err(error) = moved {
            eprintln!("failed to move {} to {}: {error}", from.display(), to.display());
        }
    }
}
