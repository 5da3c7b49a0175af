//! One orchestrator per run: a lease with a term that only grows.
//!
//! Each term has a file of its own, `lease-<epoch>.json`, made by linking a complete file to that
//! name: of two that try, one fails, even where locks do not reach from host to host. On one
//! machine a lock on `lease.lock` tells at once whether the holder lives, for the kernel releases
//! it with the process. From other hosts the holder is believed dead when its file has not been
//! touched for the lease's duration; age is measured by the file system's own clock (the time stamp
//! of a file written just now), so that the clocks of hosts need not agree. A holder that was
//! believed dead and comes back is fenced by its epoch, not by time.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use serde::{Deserialize, Serialize};

use crate::journal::place::{check_file, create_file, sync_dir};
use crate::number::Epoch;
use crate::process::ProcessStamp;

/// Why a lease cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else holds it.
    #[error("process {} on {} orchestrates this run since {}", .0.process.pid, .0.host, .0.since_unix_ms)]
    Busy(Holder),
    /// Somebody else has taken it over; this holder must stop.
    #[error("the lease of epoch {ours} was taken over")]
    Lost {
        /// The epoch that is over.
        ours: Epoch,
    },
    /// A link, or a file that anybody may write.
    #[error(transparent)]
    Unsafe(crate::Error),
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub process: ProcessStamp,
    /// The host it runs on.
    pub host: String,
    /// When it took the lease, in milliseconds since 1970 by its own clock; for people.
    pub since_unix_ms: u64,
}

impl Holder {
    /// The calling process, from now.
    #[must_use]
    pub fn own() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            process: ProcessStamp::own(),
            host: host(),
            since_unix_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What a lease file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    holder: Holder,
    /// The lease is over when the file was not touched for so long.
    duration_ms: u64,
    released: bool,
}

/// How long a holder is given that cannot be asked, as its note is unreadable.
const DURATION_UNKNOWN: Duration = Duration::from_secs(60);

/// A lease as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The term of the latest holder.
    pub epoch: Epoch,
    /// The latest holder.
    pub holder: Holder,
    /// Whether it still holds the lease, as far as can be told from here.
    pub alive: bool,
}

/// The right to orchestrate a run. Released when dropped; the kernel releases it for the dead.
#[derive(Debug)]
pub struct Lease {
    dir: PathBuf,
    epoch: Epoch,
    note: Note,
    _lock: File,
}

impl Lease {
    /// Takes the lease of the run in a directory, if nobody alive has it. The new epoch is greater
    /// than all before it and than `floor` (what the journal knows), and durable when this returns.
    /// `duration` is how long other hosts believe in a lease that is not renewed.
    ///
    /// # Errors
    /// [`Error::Busy`]; or the files are unsafe or cannot be written.
    pub fn acquire(
        dir: &Path,
        holder: Holder,
        duration: Duration,
        floor: Epoch,
    ) -> Result<Self, Error> {
        let busy = |epoch: Option<Epoch>| {
            let note = epoch.and_then(|epoch| read_note(&path(dir, epoch)).ok().flatten());
            Error::Busy(note.map_or_else(Holder::unknown, |note| note.holder))
        };
        let Some(lock) = try_lock(&dir.join("lease.lock"))? else {
            return Err(busy(latest(dir)?));
        };
        let last = latest(dir)?;
        if let Some(last) = last
            && let Some(holder) = alive(dir, last)?
        {
            return Err(Error::Busy(holder));
        }
        let epoch = Epoch(last.unwrap_or_default().max(floor).0 + 1);
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let note = Note { holder, duration_ms, released: false };
        let new = write_note(dir, &note)?;
        let linked = fs::hard_link(&new, path(dir, epoch));
        let _ = fs::remove_file(&new);
        match linked {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(busy(Some(epoch)));
            }
            other => other.map_err(io(&path(dir, epoch)))?,
        }
        sync_dir(dir).map_err(Error::Unsafe)?;
        for other in epochs(dir)? {
            if other > epoch {
                // Without working locks: two have come and one has gone since we looked.
                let _ = fs::remove_file(path(dir, epoch));
                return Err(busy(Some(other)));
            }
            if other < epoch {
                let _ = fs::remove_file(path(dir, other));
            }
        }
        Ok(Self { dir: dir.to_owned(), epoch, note, _lock: lock })
    }

    /// The term of this holder.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Tells other hosts that the holder lives. To be called several times within the duration.
    ///
    /// # Errors
    /// [`Error::Lost`] when somebody has taken over: the holder must stop at once. Other errors
    /// may pass.
    pub fn renew(&self) -> Result<(), Error> {
        let path = self.still_ours()?;
        let file = File::open(&path).map_err(io(&path))?;
        let now = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        };
        rustix::fs::futimens(&file, &now).map_err(|e| io(&path)(e.into()))
    }

    /// The path of this term's file, if no later term has begun.
    fn still_ours(&self) -> Result<PathBuf, Error> {
        // Whoever takes over makes the next file, and whoever follows removes all before its own.
        let (ours, next) = (path(&self.dir, self.epoch), path(&self.dir, Epoch(self.epoch.0 + 1)));
        if ours.exists() && !next.exists() {
            Ok(ours)
        } else {
            Err(Error::Lost { ours: self.epoch })
        }
    }

    /// The latest lease of a run, `None` if it never had one.
    ///
    /// # Errors
    /// The lease file is unsafe or unreadable.
    pub fn read(dir: &Path) -> Result<Option<Seen>, Error> {
        let Some(epoch) = latest(dir)? else { return Ok(None) };
        if let Some(holder) = alive(dir, epoch)? {
            return Ok(Some(Seen { epoch, holder, alive: true }));
        }
        let holder = read_note(&path(dir, epoch))?.map(|note| note.holder);
        let holder = holder.unwrap_or_else(Holder::unknown);
        Ok(Some(Seen { epoch, holder, alive: false }))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Ok(ours) = self.still_ours() else { return };
        self.note.released = true;
        // Without the note the lease runs out by itself.
        let _ = write_note(&self.dir, &self.note).map(|new| fs::rename(new, ours));
    }
}

impl Holder {
    /// Somebody who has the lock and has not said yet who it is.
    fn unknown() -> Self {
        let process = ProcessStamp { pid: 0, started: 0, boot: String::new() };
        Self { process, host: host(), since_unix_ms: 0 }
    }
}

fn path(dir: &Path, epoch: Epoch) -> PathBuf {
    dir.join(format!("lease-{epoch}.json"))
}

/// The terms whose files are there.
fn epochs(dir: &Path) -> Result<Vec<Epoch>, Error> {
    let mut epochs = Vec::new();
    for entry in fs::read_dir(dir).map_err(io(dir))? {
        let name = entry.map_err(io(dir))?.file_name();
        let number = name.to_str().and_then(|name| {
            name.strip_prefix("lease-")?.strip_suffix(".json")?.parse::<u64>().ok()
        });
        epochs.extend(number.map(Epoch));
    }
    Ok(epochs)
}

fn latest(dir: &Path) -> Result<Option<Epoch>, Error> {
    Ok(epochs(dir)?.into_iter().max())
}

fn try_lock(path: &Path) -> Result<Option<File>, Error> {
    check_file(path).map_err(Error::Unsafe)?;
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o644).open(path);
    let lock = open.map_err(io(path))?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(lock)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(e) => Err(io(path)(e.into())),
    }
}

/// The holder of a term, if it still holds the lease as far as can be told from here.
fn alive(dir: &Path, epoch: Epoch) -> Result<Option<Holder>, Error> {
    let path = path(dir, epoch);
    let Some(note) = read_note(&path)? else {
        // Unreadable, or replaced at this moment: give it time.
        let fresh = age(dir, &path)?.is_none_or(|age| age <= DURATION_UNKNOWN);
        return Ok(fresh.then(Holder::unknown));
    };
    let alive = if note.released {
        false
    } else if note.holder.host == host() {
        note.holder.process.lives()
    } else {
        // A time stamp in the future says that the file is new, not that the lease is over.
        age(dir, &path)?.is_none_or(|age| age <= Duration::from_millis(note.duration_ms))
    };
    Ok(alive.then_some(note.holder))
}

/// The time since a file was touched, by the file system's clock; `None` if that clock went back.
fn age(dir: &Path, path: &Path) -> Result<Option<Duration>, Error> {
    let time = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified());
    let touched = match time(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Some(Duration::MAX)),
        other => other.map_err(io(path))?,
    };
    let probe = dir.join(format!("lease.probe-{}", unique()));
    let now =
        create_file(&probe).and_then(|mut file| file.write_all(b".")).and_then(|()| time(&probe));
    let _ = fs::remove_file(&probe);
    // Who may not write here only looks, and its own clock will do.
    Ok(now.unwrap_or_else(|_| SystemTime::now()).duration_since(touched).ok())
}

/// `None` if there is none, or it is not what a holder wrote.
fn read_note(path: &Path) -> Result<Option<Note>, Error> {
    if !check_file(path).map_err(Error::Unsafe)? {
        return Ok(None);
    }
    match fs::read(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => Ok(serde_json::from_slice(&other.map_err(io(path))?).ok()),
    }
}

/// Writes a note to a file of its own and syncs it; the caller gives it its name.
fn write_note(dir: &Path, note: &Note) -> Result<PathBuf, Error> {
    let new = dir.join(format!("lease.new-{}", unique()));
    let text = serde_json::to_vec(note).expect("numbers and strings always serialize");
    create_file(&new)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .map_err(io(&new))?;
    Ok(new)
}

/// No two threads of any two hosts have it at the same time.
fn unique() -> String {
    format!("{}-{:?}-{}", std::process::id(), std::thread::current().id(), host())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn take(dir: &Path) -> Result<Lease, Error> {
        Lease::acquire(dir, Holder::own(), LONG, Epoch(0))
    }

    fn on_another_host(released: bool, duration: Duration) -> Note {
        let holder = Holder { host: "elsewhere".into(), ..Holder::own() };
        let duration_ms = u64::try_from(duration.as_millis()).unwrap();
        Note { holder, duration_ms, released }
    }

    fn put(dir: &Path, epoch: u64, note: &Note) {
        fs::rename(write_note(dir, note).unwrap(), path(dir, Epoch(epoch))).unwrap();
    }

    #[test]
    fn a_second_orchestrator_is_told_who_the_first_is() {
        let dir = tempfile::tempdir().unwrap();
        let first = take(dir.path()).unwrap();
        match take(dir.path()) {
            Err(Error::Busy(holder)) => assert_eq!(holder, first.note.holder),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_epoch_grows_with_every_holder_and_above_the_floor() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(take(dir.path()).unwrap().epoch(), Epoch(1));
        assert_eq!(take(dir.path()).unwrap().epoch(), Epoch(2));
        let lease = Lease::acquire(dir.path(), Holder::own(), LONG, Epoch(9)).unwrap();
        assert_eq!(lease.epoch(), Epoch(10));
    }

    #[test]
    fn a_dead_holder_on_this_host_is_seen_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut note = on_another_host(false, LONG);
        note.holder.host = host();
        note.holder.process.started += 1;
        put(dir.path(), 7, &note);
        assert!(!Lease::read(dir.path()).unwrap().unwrap().alive);
        assert_eq!(take(dir.path()).unwrap().epoch(), Epoch(8));
    }

    #[test]
    fn a_holder_on_another_host_is_believed_until_its_lease_runs_out() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), 3, &on_another_host(false, LONG));
        assert!(Lease::read(dir.path()).unwrap().unwrap().alive);
        assert!(matches!(take(dir.path()), Err(Error::Busy(_))));
        let file = File::open(path(dir.path(), Epoch(3))).unwrap();
        file.set_modified(SystemTime::now() - 2 * LONG).unwrap();
        assert_eq!(take(dir.path()).unwrap().epoch(), Epoch(4));
    }

    #[test]
    fn a_clock_that_was_set_back_ends_no_lease() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), 3, &on_another_host(false, LONG));
        let file = File::open(path(dir.path(), Epoch(3))).unwrap();
        file.set_modified(SystemTime::now() + 24 * LONG).unwrap();
        assert!(matches!(take(dir.path()), Err(Error::Busy(_))));
    }

    #[test]
    fn renewing_makes_an_old_lease_young() {
        let dir = tempfile::tempdir().unwrap();
        let lease = take(dir.path()).unwrap();
        let file = path(dir.path(), lease.epoch());
        File::open(&file).unwrap().set_modified(SystemTime::now() - LONG).unwrap();
        lease.renew().unwrap();
        assert!(age(dir.path(), &file).unwrap().is_none_or(|age| age < LONG / 2));
    }

    #[test]
    fn a_holder_that_was_overtaken_learns_it_and_leaves_the_new_lease_alone() {
        let dir = tempfile::tempdir().unwrap();
        let lease = take(dir.path()).unwrap();
        put(dir.path(), 2, &on_another_host(false, LONG));
        assert!(matches!(lease.renew(), Err(Error::Lost { ours: Epoch(1) })));
        drop(lease);
        let seen = Lease::read(dir.path()).unwrap().unwrap();
        assert_eq!((seen.epoch, seen.alive), (Epoch(2), true));
    }

    #[test]
    fn a_damaged_lease_is_busy_while_young_and_never_loses_its_epoch() {
        let dir = tempfile::tempdir().unwrap();
        let file = path(dir.path(), Epoch(5));
        fs::write(&file, "{").unwrap();
        assert!(matches!(take(dir.path()), Err(Error::Busy(_))));
        File::open(&file).unwrap().set_modified(SystemTime::now() - LONG).unwrap();
        assert_eq!(take(dir.path()).unwrap().epoch(), Epoch(6));
    }

    #[test]
    fn of_many_that_try_at_once_one_holds_at_a_time_and_no_epoch_is_given_twice() {
        let dir = tempfile::tempdir().unwrap();
        let mut epochs = std::thread::scope(|scope| {
            let dir = dir.path();
            let tries = move || (0..20).filter_map(|_| Some(take(dir).ok()?.epoch())).collect();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(tries)).collect();
            threads
                .into_iter()
                .flat_map(|t| -> Vec<Epoch> { t.join().unwrap() })
                .collect::<Vec<_>>()
        });
        let taken = epochs.len();
        epochs.sort();
        epochs.dedup();
        assert_eq!(epochs.len(), taken);
        assert_eq!(epochs.last().map(|last| last.0), Some(taken as u64));
    }
}
