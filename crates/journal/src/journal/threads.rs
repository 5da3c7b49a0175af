//! The two threads of a journal: one writes rows, the other makes them durable.
//!
//! The writer commits into the WAL in the page cache; the syncer calls `fdatasync` on the WAL
//! while the writer goes on, and then moves the mark. One sync covers all that was written before
//! it began. The first error of either stops both, and nothing is retried: after a failed sync the
//! kernel may have marked the pages clean.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Failure, FailureKind};
use crate::fault;
use crate::journal::mark::Mark;
use crate::journal::place;
use crate::journal::row::Row;
use crate::journal::shared::{Due, Shared, Written};
use crate::journal::snapshot::{self, Snapshot};
use crate::journal::store::Store;
use crate::number::Epoch;

/// Turns batches into rows.
pub(crate) struct Writer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Store,
    pub(crate) end: Mark,
    pub(crate) epoch: Epoch,
    pub(crate) checkpoint_bytes: u64,
    pub(crate) snapshot: bool,
}

impl Writer {
    /// Writes until the queue is closed and empty, or something fails. Gives back the store, which
    /// must stay open until the syncer is done: closing it removes the WAL.
    pub(crate) fn run(mut self) -> Store {
        let _leave = Leave { shared: Arc::clone(&self.shared), writer: true };
        let mut since_checkpoint = 0;
        while let Some(batch) = self.shared.next_batch() {
            if self.shared.alive().is_err() {
                break;
            }
            let row =
                Row::seal(&self.end.chain, batch.first, batch.last, self.epoch, batch.records);
            since_checkpoint += row.records.len() as u64 + PAGES_PER_ROW;
            let due = since_checkpoint >= self.checkpoint_bytes;
            if let Err(error) = self.write(&row, due) {
                self.shared.fail(Failure::from(&error));
                break;
            }
            if due {
                since_checkpoint = 0;
            }
        }
        if self.shared.alive().is_err() {
            self.store.freeze();
        }
        self.store
    }

    fn write(&mut self, row: &Row, checkpoint: bool) -> rusqlite::Result<()> {
        fault::point("journal-write-before");
        let whole = fault::whole();
        self.store.insert(row)?;
        self.end = Mark { seq: row.last, chain: row.chain };
        #[cfg(feature = "fault-injection")]
        let wal_bytes = self.store.wal_bytes()?;
        drop(whole);
        let copy = self.snapshot;
        self.shared.wrote(self.end, |written| {
            if copy {
                snapshot::encode(row, &mut written.unread);
            }
            #[cfg(feature = "fault-injection")]
            {
                written.wal_bytes = wal_bytes;
            }
        });
        fault::point("journal-write-after");
        let _whole = fault::whole();
        if checkpoint { self.store.checkpoint() } else { Ok(()) }
    }
}

/// What a small row adds to the WAL: the leaf it is on and now and then an inner page.
const PAGES_PER_ROW: u64 = 8_192;

/// Tells the others that a thread is gone, even if it panics.
struct Leave {
    shared: Arc<Shared>,
    writer: bool,
}

impl Drop for Leave {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let what = "a thread of the journal panicked".to_owned();
            self.shared.fail(Failure { kind: FailureKind::Other, what });
        }
        if self.writer {
            self.shared.writer_leaves();
        }
    }
}

/// Makes what was written durable and says so.
pub(crate) struct Syncer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) wal: File,
    pub(crate) wal_path: PathBuf,
    pub(crate) mark: File,
    pub(crate) snapshot: Option<Snapshot>,
    #[cfg(feature = "fault-injection")]
    pub(crate) registered: Arc<fault::Wal>,
}

impl Syncer {
    /// Syncs until the writer has left and all is synced, or something fails.
    pub(crate) fn run(mut self) {
        let _leave = Leave { shared: Arc::clone(&self.shared), writer: false };
        let patience = self.snapshot.as_ref().map(Snapshot::patience);
        loop {
            let step = match self.shared.next_sync(patience) {
                Due::Sync(written) => self.sync(&written),
                Due::Nothing => self.snapshot.as_mut().map_or(Ok(()), Snapshot::publish),
                Due::End => break,
            };
            if let Err(error) = step {
                self.shared.fail(Failure::from(&error));
                break;
            }
        }
        if let Some(snapshot) = &mut self.snapshot {
            // Readers' copy only: the journal itself is complete.
            let _ = snapshot.publish();
        }
    }

    fn sync(&mut self, written: &Written) -> std::io::Result<()> {
        fault::point("journal-sync-before");
        let whole = fault::whole();
        if !place::names(&self.wal_path, &self.wal)? {
            return Err(std::io::Error::other("the WAL was replaced while in use"));
        }
        rustix::fs::fdatasync(&self.wal)?;
        #[cfg(feature = "fault-injection")]
        self.registered.synced_bytes.store(written.wal_bytes, std::sync::atomic::Ordering::SeqCst);
        written.end.write(&self.mark)?;
        drop(whole);
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.add(&written.unread)?;
        }
        self.shared.made_durable(written.end.seq);
        fault::point("journal-sync-after");
        Ok(())
    }
}
