//! Discards private folders in the background.
//!
//! A task is published before its folder is gone, and what waits for it must not wait for that:
//! where freed blocks are discarded at once, removing two folders takes as long as a sync.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use super::discard::discard;

/// Removals wait for the disk, not for the processor: on one that needs 3 ms for each, 8 at once
/// removed 3,500 folders a second where one removed 340.
const THREADS_MAX: usize = 8;

/// How many folders gather before they go. Some file systems do not give the numbers of files
/// out again for some seconds after they were deleted, and every new folder would have to look
/// past all of those: removed one by one, they made the next ones three times as dear.
const BACKLOG_MAX: usize = 4_096;

/// Folders to discard, and the threads that do; dropped when all are gone.
#[derive(Debug)]
pub(super) struct Sweeper {
    backlog: Mutex<Vec<PathBuf>>,
    queue: Option<Sender<PathBuf>>,
    waiting: Receiver<PathBuf>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Sweeper {
    pub(super) fn new() -> Self {
        let (queue, waiting) = crossbeam_channel::unbounded();
        let (backlog, threads) = (Mutex::default(), Mutex::default());
        Self { backlog, queue: Some(queue), waiting, threads }
    }

    /// Takes note of a folder.
    pub(super) fn sweep(&self, folder: &Path) {
        let mut backlog = self.backlog.lock().unwrap_or_else(PoisonError::into_inner);
        backlog.push(folder.to_owned());
        if backlog.len() >= BACKLOG_MAX {
            backlog.drain(..).for_each(|folder| self.enqueue(folder));
        }
    }

    /// Has a folder removed; one more thread starts if those there are cannot keep up.
    fn enqueue(&self, folder: PathBuf) {
        let queue = self.queue.as_ref().expect("taken only when dropped");
        queue.send(folder).expect("the receiver is ours");
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.is_empty() || (!self.waiting.is_empty() && threads.len() < THREADS_MAX) {
            let waiting = self.waiting.clone();
            threads.push(std::thread::spawn(move || {
                for folder in waiting {
                    // What is left is of no use, and no reason to call a published task failed.
                    let _ = discard(&folder);
                }
            }));
        }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        let backlog =
            std::mem::take(self.backlog.get_mut().unwrap_or_else(PoisonError::into_inner));
        backlog.into_iter().for_each(|folder| self.enqueue(folder));
        self.queue = None;
        let threads = self.threads.get_mut().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            // A panic there has been printed; the folders it left are found by the next sweep.
            let _ = thread.join();
        }
    }
}
