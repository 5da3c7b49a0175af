//! What the threads of a journal share: the queue of flushes, the two watermarks, the one failure.
//!
//! Knows waiting and waking. Does not know SQLite or files.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Failure};
use crate::journal::mark::Mark;
use crate::number::Seq;

/// Flushes that wait are merged into rows of about this size.
const ROW_BYTES: usize = 4 << 20;

/// How long what was written may wait for its sync when nobody waits for it. A sync costs about as
/// much as the start of a process; one for every few records would be paid by the tasks.
const SYNC_PAUSE: Duration = Duration::from_millis(20);

/// A disk that stands still must not fill the memory: beyond this, `flush` waits.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// What a journal tells its owner; called from the journal's own threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Everything up to here survives the end of this process.
    Written(Seq),
    /// Everything up to here survives the loss of power.
    Synced(Seq),
    /// The journal has stopped for good; the watermarks do not move any more.
    Failed(Failure),
}

/// The owner's ear. Must not block: the journal waits for it.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Consecutive records on their way to the writer.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) first: Seq,
    pub(crate) last: Seq,
    pub(crate) records: Vec<u8>,
}

#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<Batch>,
    bytes: usize,
    closing: bool,
}

/// How far writing has come.
#[derive(Debug)]
struct State {
    written: Written,
    synced: Seq,
    synced_at: Instant,
    /// Somebody waits for the sync of what comes up to here.
    wanted: Seq,
    failed: Option<Failure>,
    writer_left: bool,
}

impl State {
    /// How long the next sync can wait; not at all if somebody waits for it.
    fn sync_pause(&self) -> Duration {
        if self.wanted > self.synced || self.writer_left {
            return Duration::ZERO;
        }
        SYNC_PAUSE.saturating_sub(self.synced_at.elapsed())
    }
}

/// The end of what was written.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) end: Mark,
    /// Rows not yet handed to readers that cannot open the database, encoded.
    pub(crate) unread: Vec<u8>,
    #[cfg(feature = "fault-injection")]
    pub(crate) wal_bytes: u64,
}

/// What the syncer finds to do.
pub(crate) enum Due {
    /// Sync, this was written before.
    Sync(Written),
    /// Nothing came for as long as the syncer was willing to wait.
    Nothing,
    /// The writer is done and everything is synced, or the journal has failed.
    End,
}

/// Shared by the owner, the writer and the syncer.
pub(crate) struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
    room: Condvar,
    state: Mutex<State>,
    moved: Condvar,
    written: AtomicU64,
    synced: AtomicU64,
    progress: OnProgress,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of another thread is reported by its end, not by this lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Starts where a recovered journal ends, with everything synced.
    pub(crate) fn new(start: Written, progress: OnProgress) -> Self {
        let seq = start.end.seq;
        Self {
            queue: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
            state: Mutex::new(State {
                written: start,
                synced: seq,
                synced_at: Instant::now(),
                wanted: seq,
                failed: None,
                writer_left: false,
            }),
            moved: Condvar::new(),
            written: AtomicU64::new(seq.0),
            synced: AtomicU64::new(seq.0),
            progress,
        }
    }

    pub(crate) fn written(&self) -> Seq {
        Seq(self.written.load(Ordering::Acquire))
    }

    pub(crate) fn synced(&self) -> Seq {
        Seq(self.synced.load(Ordering::Acquire))
    }

    /// An error once the journal has failed.
    pub(crate) fn alive(&self) -> Result<(), Error> {
        match &lock(&self.state).failed {
            Some(failure) => Err(Error::Stopped(failure.clone())),
            None => Ok(()),
        }
    }

    /// Hands records to the writer; merges with what waits.
    pub(crate) fn push(&self, batch: Batch) -> Result<(), Error> {
        let mut queue = lock(&self.queue);
        while queue.bytes > QUEUE_BYTES_MAX {
            self.alive()?;
            queue = wait(&self.room, queue);
        }
        queue.bytes += batch.records.len();
        match queue.batches.back_mut() {
            Some(back) if back.records.len() + batch.records.len() <= ROW_BYTES => {
                back.records.push(b'\n');
                back.records.extend_from_slice(&batch.records);
                back.last = batch.last;
            }
            _ => queue.batches.push_back(batch),
        }
        drop(queue);
        self.work.notify_one();
        self.alive()
    }

    /// No more records will come.
    pub(crate) fn close(&self) {
        lock(&self.queue).closing = true;
        self.work.notify_one();
    }

    /// For the writer: waits for the next row's records; `None` when there will be no more.
    pub(crate) fn next_batch(&self) -> Option<Batch> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(batch) = queue.batches.pop_front() {
                queue.bytes -= batch.records.len().min(queue.bytes);
                drop(queue);
                self.room.notify_one();
                return Some(batch);
            }
            if queue.closing {
                return None;
            }
            queue = wait(&self.work, queue);
        }
    }

    /// For the writer: a row is in the page cache. `add` completes the account of it.
    pub(crate) fn wrote(&self, end: Mark, add: impl FnOnce(&mut Written)) {
        let mut state = lock(&self.state);
        state.written.end = end;
        add(&mut state.written);
        self.written.store(end.seq.0, Ordering::Release);
        drop(state);
        // The owner hears of "written" before the syncer can make it "synced".
        (self.progress)(Progress::Written(end.seq));
        self.moved.notify_all();
    }

    /// For the writer, when it ends.
    pub(crate) fn writer_leaves(&self) {
        lock(&self.state).writer_left = true;
        self.moved.notify_all();
    }

    /// For the syncer: waits until there is something to sync.
    pub(crate) fn next_sync(&self, patience: Option<Duration>) -> Due {
        let mut state = lock(&self.state);
        loop {
            if state.failed.is_some() {
                return Due::End;
            }
            if state.written.end.seq > state.synced {
                let pause = state.sync_pause();
                if !pause.is_zero() {
                    let waited = self.moved.wait_timeout(state, pause);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
                let unread = std::mem::take(&mut state.written.unread);
                return Due::Sync(Written { unread, ..state.written.clone() });
            }
            if state.writer_left {
                return Due::End;
            }
            let Some(patience) = patience else {
                state = wait(&self.moved, state);
                continue;
            };
            let (after, timeout) =
                self.moved.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
            state = after;
            if timeout.timed_out() {
                return Due::Nothing;
            }
        }
    }

    /// Says that somebody waits for the sync of what comes up to `seq`.
    pub(crate) fn want_sync(&self, seq: Seq) {
        let mut state = lock(&self.state);
        if seq > state.wanted {
            state.wanted = seq;
            drop(state);
            self.moved.notify_all();
        }
    }

    /// For the syncer: everything up to `seq` is on the disk.
    pub(crate) fn made_durable(&self, seq: Seq) {
        let mut state = lock(&self.state);
        (state.synced, state.synced_at) = (seq, Instant::now());
        drop(state);
        self.synced.store(seq.0, Ordering::Release);
        (self.progress)(Progress::Synced(seq));
        self.moved.notify_all();
    }

    /// Stops the journal for good; only the first failure counts.
    pub(crate) fn fail(&self, failure: Failure) {
        let mut state = lock(&self.state);
        if state.failed.is_some() {
            return;
        }
        state.failed = Some(failure.clone());
        drop(state);
        // Whoever waits for room checks for a failure with the queue locked.
        drop(lock(&self.queue));
        self.room.notify_all();
        self.moved.notify_all();
        (self.progress)(Progress::Failed(failure));
    }

    /// Waits until everything up to `seq` is on the disk.
    pub(crate) fn wait_synced(&self, seq: Seq) -> Result<(), Error> {
        self.want_sync(seq);
        self.wait_until(|state| state.synced >= seq)
    }

    /// Waits until everything up to `seq` is in the page cache.
    pub(crate) fn wait_written(&self, seq: Seq) -> Result<(), Error> {
        self.wait_until(|state| state.written.end.seq >= seq)
    }

    fn wait_until(&self, done: impl Fn(&State) -> bool) -> Result<(), Error> {
        let mut state = lock(&self.state);
        while !done(&state) {
            if let Some(failure) = &state.failed {
                return Err(Error::Stopped(failure.clone()));
            }
            state = wait(&self.moved, state);
        }
        Ok(())
    }
}
