//! The journal of one run: records in, records back, two watermarks in between.
//!
//! Knows opaque lines of text. Does not know what they mean. Reading order: [`Journal`], then
//! `row` (what a flush looks like), `threads` (who writes and who syncs), `scan` (what is checked),
//! `store` (SQLite), `mark` (the high-water mark).

pub(crate) mod mark;
pub(crate) mod place;
pub(crate) mod reader;
pub(crate) mod row;
pub(crate) mod scan;
mod shared;
pub(crate) mod snapshot;
pub(crate) mod store;
mod threads;
pub(crate) mod wal;

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

pub use reader::{Follower, Verified, read, verify};
pub use row::Head;
pub use shared::{OnProgress, Progress};
pub use wal::Tail;

use crate::error::Error;
use crate::number::{Epoch, Seq};
use mark::Marked;
use place::Place;
use row::{Row, UNCHAINED};
use shared::{Batch, Shared, Written};
use store::{Access, Store};
use threads::{Syncer, Writer};

/// How a journal is kept; the defaults are right for runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether readers can share memory with the writer; found out from the file system if `None`.
    pub shared_memory: Option<bool>,
    /// The WAL is moved into the database when this much was written to it. In bytes.
    pub checkpoint_bytes: u64,
    /// SQLite's page size for a new journal: a power of two from 512 to 65,536. In bytes.
    pub page_bytes: u32,
    /// The journal fails with [`crate::FailureKind::NoSpace`] when it grows beyond. In bytes.
    pub bytes_max: Option<u64>,
    /// Without shared memory: how old the readers' copy may be.
    pub snapshot_every: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shared_memory: None,
            // A checkpoint holds up writing for some tens of milliseconds; this makes it rare,
            // and recovery still reads the whole WAL in less than that.
            checkpoint_bytes: 16 << 20,
            page_bytes: 4_096,
            bytes_max: None,
            snapshot_every: Duration::from_secs(1),
        }
    }
}

/// What a writer brings along.
#[derive(Clone)]
pub struct Setup {
    /// The run; a journal of another run is refused.
    pub run: String,
    /// The writer's term, from its lease.
    pub epoch: Epoch,
    /// Hears of progress and failure.
    pub on_progress: OnProgress,
    /// How the journal is kept.
    pub options: Options,
}

impl Setup {
    /// A writer that listens to nothing and keeps the journal in the default way.
    #[must_use]
    pub fn new(run: impl Into<String>, epoch: Epoch) -> Self {
        let on_progress: OnProgress = Arc::new(|_| {});
        Self { run: run.into(), epoch, on_progress, options: Options::default() }
    }

    /// Sets the listener.
    #[must_use]
    pub fn on_progress(mut self, listen: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Arc::new(listen);
        self
    }
}

/// What was found when a journal was opened; everything in it is synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// What the journal is about.
    pub head: Head,
    /// The last record.
    pub last: Seq,
    /// The latest term that wrote.
    pub epoch: Epoch,
    /// What was known to be synced; later records had only been written.
    pub synced: Seq,
    /// What an interrupted write left behind the last record; it has been cut off.
    pub tail: Option<Tail>,
}

/// An open journal. One per run and process; appending needs `&mut`, so one thread at a time.
///
/// Dropping it flushes and waits for the disk like [`Journal::close`], but has nobody to tell of
/// an error.
pub struct Journal {
    shared: Arc<Shared>,
    pending: Vec<u8>,
    /// The place of the first pending record.
    first: Seq,
    /// The place of the next record.
    next: Seq,
    threads: Option<(JoinHandle<Store>, JoinHandle<()>)>,
}

impl Journal {
    /// Makes the journal of a new run in an existing directory and opens it. `about` is one line
    /// of text for whoever opens the journal next.
    ///
    /// # Errors
    /// There is a journal already, or the files cannot be made.
    pub fn create(dir: &Path, about: &str, setup: Setup) -> Result<Self, Error> {
        let place = Place::new(dir)?;
        if place.database().exists() || place.repairing().exists() {
            return Err(Error::Exists { path: place.database() });
        }
        let head = Head { run: setup.run.clone(), about: about.to_owned() };
        let row = head.row();
        install(&place, setup.options.page_bytes, &[&row])?;
        Self::open(dir, setup, |_, _| {}).map(|(journal, _)| journal)
    }

    /// Opens the journal of a run, checks all of it, hands every record to `visit` in order, and
    /// makes durable what had only been written.
    ///
    /// # Errors
    /// Any damage, named with its place (then what was visited is only a part: forget it); a
    /// journal of another run or format; a file that is not safe to use; another writer.
    pub fn open(
        dir: &Path,
        setup: Setup,
        mut visit: impl FnMut(Seq, &str),
    ) -> Result<(Self, Recovered), Error> {
        let place = Place::new(dir)?;
        place.check()?;
        if !place.mark().exists() {
            return Err(store::damaged(&place.mark(), Seq::ZERO, crate::error::Damage::Mark));
        }
        let mark = mark::lock(&place.mark(), &place.database())?;
        let marked = scan::marked(&place)?;
        let tail = std::fs::read(place.wal()).ok().and_then(|bytes| wal::tail(&bytes));
        let shared_memory = match setup.options.shared_memory {
            Some(choice) => choice,
            None => !place::is_network(&place.dir)?,
        };
        let access = if shared_memory { Access::Write } else { Access::WriteAlone };
        let store = Store::open(&place.database(), access)?;
        let scanned = scan::whole(&place, &store, &marked, &mut visit)?;
        admit(&place, &setup, &scanned)?;
        store.prepare(setup.options.bytes_max)?;
        let recovered = Recovered {
            last: scanned.end.seq,
            epoch: scanned.epoch,
            synced: scanned.marked,
            head: scanned.head,
            tail,
        };
        let journal = Self::start(&place, setup, store, mark, scanned.end, !shared_memory)?;
        Ok((journal, recovered))
    }

    /// Syncs what was recovered and starts the threads.
    fn start(
        place: &Place,
        setup: Setup,
        store: Store,
        mark_file: std::fs::File,
        end: mark::Mark,
        alone: bool,
    ) -> Result<Self, Error> {
        let wal_path = place.wal();
        let open = OpenOptions::new().read(true).write(true).open(&wal_path);
        let wal_file = open.map_err(Error::io(&wal_path))?;
        rustix::fs::fdatasync(&wal_file).map_err(|e| Error::io(&wal_path)(e.into()))?;
        place::sync_dir(&place.dir)?;
        end.write(&mark_file).map_err(Error::io(&place.mark()))?;
        let snapshot = if alone {
            Some(snapshot::Snapshot::create(place, &store, setup.options.snapshot_every)?)
        } else {
            snapshot::remove(place)?;
            None
        };
        #[cfg(feature = "fault-injection")]
        let wal_bytes = store.wal_bytes().map_err(Error::sqlite(&place.database()))?;
        let start = Written {
            end,
            unread: Vec::new(),
            #[cfg(feature = "fault-injection")]
            wal_bytes,
        };
        let shared = Arc::new(Shared::new(start, setup.on_progress));
        let syncer = Syncer {
            shared: Arc::clone(&shared),
            wal: wal_file,
            #[cfg(feature = "fault-injection")]
            registered: crate::fault::register(wal_path.clone(), wal_bytes),
            wal_path,
            mark: mark_file,
            snapshot,
        };
        let writer = Writer {
            shared: Arc::clone(&shared),
            store,
            end,
            epoch: setup.epoch,
            checkpoint_bytes: setup.options.checkpoint_bytes,
            snapshot: alone,
        };
        let spawn = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let writer = spawn("journal-writer").spawn(move || writer.run());
        let writer = writer.map_err(Error::io(&place.dir))?;
        let syncer = spawn("journal-syncer").spawn(move || syncer.run());
        let syncer = syncer.map_err(Error::io(&place.dir))?;
        let next = end.seq.next();
        let threads = Some((writer, syncer));
        Ok(Self { shared, pending: Vec::new(), first: next, next, threads })
    }

    /// Takes a record, one line of text, into memory and tells its place. Nothing happens to it
    /// before [`Journal::flush`].
    ///
    /// # Panics
    /// The record contains a newline.
    pub fn append(&mut self, record: &str) -> Seq {
        assert!(!record.contains('\n'), "a record is one line");
        if self.next > self.first {
            self.pending.push(b'\n');
        }
        self.pending.extend_from_slice(record.as_bytes());
        let seq = self.next;
        self.next = seq.next();
        seq
    }

    /// Hands what was appended to the writer and returns at once. While the writer is busy,
    /// flushes gather and go to the disk together; if they gather to 64 MiB, this waits.
    ///
    /// # Errors
    /// The journal has stopped.
    pub fn flush(&mut self) -> Result<(), Error> {
        if self.next == self.first {
            return self.shared.alive();
        }
        let last = Seq(self.next.0 - 1);
        let batch = Batch { first: self.first, last, records: std::mem::take(&mut self.pending) };
        self.first = self.next;
        self.shared.push(batch)
    }

    /// The last record appended.
    #[must_use]
    pub fn last(&self) -> Seq {
        Seq(self.next.0 - 1)
    }

    /// The last record that survives the end of this process.
    #[must_use]
    pub fn written(&self) -> Seq {
        self.shared.written()
    }

    /// The last record that survives the loss of power.
    #[must_use]
    pub fn synced(&self) -> Seq {
        self.shared.synced()
    }

    /// Says that something waits for the sync of a record; else it comes some milliseconds later,
    /// together with others. Returns at once.
    pub fn want_sync(&self, seq: Seq) {
        self.shared.want_sync(seq);
    }

    /// Waits until a flushed record is written.
    ///
    /// # Errors
    /// The journal has stopped before that.
    pub fn wait_written(&self, seq: Seq) -> Result<(), Error> {
        self.shared.wait_written(seq)
    }

    /// Waits until a flushed record is synced.
    ///
    /// # Errors
    /// The journal has stopped before that.
    pub fn wait_synced(&self, seq: Seq) -> Result<(), Error> {
        self.shared.wait_synced(seq)
    }

    /// Flushes, waits until all is synced, and closes the files.
    ///
    /// # Errors
    /// The journal has stopped.
    pub fn close(mut self) -> Result<(), Error> {
        self.finish()
    }

    fn finish(&mut self) -> Result<(), Error> {
        let Some((writer, syncer)) = self.threads.take() else { return Ok(()) };
        let flushed = self.flush();
        self.shared.close();
        let store = writer.join();
        let _ = syncer.join();
        // Only now: closing the last connection checkpoints and removes the WAL.
        drop(store);
        flushed.and_then(|()| self.shared.alive())
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

/// Makes the files of a journal under other names and puts them in place, the database last: it
/// is there only when all is there.
fn install(place: &Place, page_bytes: u32, rows: &[&Row]) -> Result<(), Error> {
    let new = place.dir.join("journal.db.new");
    match std::fs::remove_file(&new) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&new)(e)),
        _ => {}
    }
    Store::create(&new, page_bytes, rows)?;
    marked_by(rows).create(&place.mark())?;
    std::fs::rename(&new, place.database()).map_err(Error::io(&new))?;
    place::sync_dir(&place.dir)
}

/// The mark of a journal that holds exactly these rows, the head first.
pub(crate) fn marked_by(rows: &[&Row]) -> Marked {
    let (head, end) = (rows[0], rows[rows.len() - 1]);
    debug_assert!(head.follows(&UNCHAINED).is_ok());
    Marked {
        mark: mark::Mark { seq: end.last, chain: end.chain },
        genesis: head.chain,
        head: head.records.clone(),
    }
}

/// Whether this writer may write this journal.
fn admit(place: &Place, setup: &Setup, scanned: &scan::Scanned) -> Result<(), Error> {
    if scanned.head.run != setup.run {
        return Err(Error::OtherRun {
            path: place.database(),
            expected: setup.run.clone(),
            found: scanned.head.run.clone(),
        });
    }
    if scanned.epoch > setup.epoch {
        return Err(Error::StaleEpoch {
            path: place.database(),
            found: scanned.epoch,
            ours: setup.epoch,
        });
    }
    Ok(())
}
