//! Reading a journal that somebody else may be writing.
//!
//! Reads through SQLite where the file system allows it, else from the writer's snapshot. Either
//! way every row is checked.

use std::path::{Path, PathBuf};

use crate::error::{Damage, Error};
use crate::journal::place::{Place, check_file};
use crate::journal::row::{Head, Row};
use crate::journal::scan;
use crate::journal::snapshot;
use crate::journal::store::{Access, Store, damaged};
use crate::number::{Epoch, Seq};

/// What a look at a whole journal found; no damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What the journal is about.
    pub head: Head,
    /// The last record.
    pub last: Seq,
    /// The latest term that wrote.
    pub epoch: Epoch,
}

/// Reads all records of a journal, also while it is written.
///
/// # Errors
/// Damage, an unsafe file, another format, or the operating system.
pub fn read(dir: &Path) -> Result<Vec<String>, Error> {
    let mut records = Vec::new();
    look(dir, &mut |_, record| records.push(record.to_owned()))?;
    Ok(records)
}

/// Checks all of a journal, also while it is written.
///
/// # Errors
/// As for [`read`].
pub fn verify(dir: &Path) -> Result<Verified, Error> {
    look(dir, &mut |_, _| {})
}

fn look(dir: &Path, visit: &mut dyn FnMut(Seq, &str)) -> Result<Verified, Error> {
    let place = Place::new(dir)?;
    place.check()?;
    if place.snapshot().exists() {
        return look_at_snapshot(&place, visit);
    }
    // The mark first: what is synced later than this may or may not be seen below.
    let marked = scan::marked(&place)?;
    let store = Store::open(&place.database(), Access::Read)?;
    let scanned = scan::whole(&place, &store, &marked, visit)?;
    Ok(Verified { head: scanned.head, last: scanned.end.seq, epoch: scanned.epoch })
}

fn look_at_snapshot(place: &Place, visit: &mut dyn FnMut(Seq, &str)) -> Result<Verified, Error> {
    let mut checker = scan::Checker::new(None);
    let mut head = None;
    snapshot::read(&place.snapshot(), 0, |row| {
        checker.accept(&row)?;
        if row.first == Seq::ZERO {
            head = Some(Head::of_row(&row).map_err(|what| (Seq::ZERO, what))?);
        } else {
            row.records().for_each(|(seq, record)| visit(seq, record));
        }
        Ok(())
    })?;
    let head = head.ok_or_else(|| damaged(&place.snapshot(), Seq::ZERO, Damage::Missing))?;
    Ok(Verified { head, last: checker.end().seq, epoch: checker.epoch() })
}

/// Follows a journal that is being written: each [`Follower::poll`] gives what is new.
pub struct Follower {
    place: Place,
    source: Source,
    /// The next record wanted.
    next: Seq,
    /// The row before it, once one was seen.
    after: Option<[u8; 32]>,
}

enum Source {
    Database(Store),
    Snapshot { path: PathBuf, inode: u64, offset: u64 },
}

impl Follower {
    /// Starts at record `from`.
    ///
    /// # Errors
    /// There is no journal, or it is not safe to read.
    pub fn open(dir: &Path, from: Seq) -> Result<Self, Error> {
        let place = Place::new(dir)?;
        place.check()?;
        let source = Source::open(&place)?;
        Ok(Self { place, source, next: from.max(Seq(1)), after: None })
    }

    /// Hands the records that came since the last call to `visit`; returns at once.
    ///
    /// # Errors
    /// A row that is not as written, or does not follow the one before.
    pub fn poll(&mut self, mut visit: impl FnMut(Seq, &str)) -> Result<(), Error> {
        if let Source::Snapshot { path, inode, .. } = &self.source
            && inode_of(path)? != *inode
        {
            // Reopened by a new writer: the same rows again, and new ones.
            self.source = Source::open(&self.place)?;
        }
        let Self { source, next, after, .. } = self;
        let from = *next;
        let mut take = |row: Row| {
            if row.last < *next {
                return Ok(());
            }
            accept(&row, *next, after.as_ref()).map_err(|what| (*next, what))?;
            if row.first > Seq::ZERO {
                let wanted = row.records().filter(|(seq, _)| *seq >= *next);
                wanted.for_each(|(seq, record)| visit(seq, record));
            }
            *next = row.last.next();
            *after = Some(row.chain);
            Ok(())
        };
        match source {
            Source::Database(store) => store.scan(from, take),
            Source::Snapshot { path, offset, .. } => {
                *offset = snapshot::read(path, *offset, &mut take)?;
                Ok(())
            }
        }
    }
}

fn accept(row: &Row, next: Seq, after: Option<&[u8; 32]>) -> Result<(), Damage> {
    row.check_alone()?;
    match after {
        Some(chain) => row.follows(chain),
        None if row.first <= next => Ok(()),
        None => Err(Damage::Order { found: i64::try_from(row.first.0).unwrap_or(i64::MAX) }),
    }
}

fn inode_of(path: &Path) -> Result<u64, Error> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map(|meta| meta.ino()).map_err(Error::io(path))
}

impl Source {
    fn open(place: &Place) -> Result<Self, Error> {
        let path = place.snapshot();
        if check_file(&path)? {
            return Ok(Self::Snapshot { inode: inode_of(&path)?, path, offset: 0 });
        }
        Store::open(&place.database(), Access::Read).map(Self::Database)
    }
}
