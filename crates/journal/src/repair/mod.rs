//! Salvages a damaged journal: a new one from every record before the damage, and a list of what
//! else could be found.
//!
//! The damaged files are read, and renamed aside when the new ones are complete; never changed.
//! A repair that is interrupted half way is completed by the next one.

mod carve;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::journal::mark::{self, Marked};
use crate::journal::place::{Place, check_file, create_file, sync_dir};
use crate::journal::row::{Head, Row, UNCHAINED};
use crate::journal::store::Store;
use crate::journal::{marked_by, verify};
use crate::number::{Epoch, Seq};

/// What a repair did.
#[derive(Debug, Default)]
pub struct RepairReport {
    /// What was wrong; `None` if nothing was, and nothing was done.
    pub damage: Option<Error>,
    /// The last record of the journal as it is now; a run can be resumed from there.
    pub kept: Seq,
    /// Later records that are whole but have lost their predecessors: in the side file.
    pub salvaged: Vec<RangeInclusive<Seq>>,
    /// Records that are known to have existed and could not be found.
    pub lost: Vec<RangeInclusive<Seq>>,
    /// The salvaged records, one a line: place, space, record.
    pub side_file: Option<PathBuf>,
    /// The damaged files under their new names.
    pub aside: Vec<PathBuf>,
}

/// Repairs the journal in a directory. A journal without damage is left as it is.
///
/// # Errors
/// There is no journal; it is in use, unsafe to read or of another format; its head is lost
/// everywhere; or files cannot be written.
pub fn repair(dir: &Path) -> Result<RepairReport, Error> {
    let place = Place::new(dir)?;
    if place.repairing().exists() {
        finish(&place)?;
        let verified = verify(dir)?;
        return Ok(RepairReport { kept: verified.last, ..RepairReport::default() });
    }
    let _lock = match check_file(&place.mark())? {
        true => Some(mark::lock(&place.mark(), &place.database())?),
        false => None,
    };
    let damage = match verify(dir) {
        Ok(verified) => {
            return Ok(RepairReport { kept: verified.last, ..RepairReport::default() });
        }
        Err(damage @ (Error::Damaged { .. } | Error::Version { .. })) => damage,
        Err(other) => return Err(other),
    };
    let marked = Marked::read(&place.mark())?;
    let database = fs::read(place.database()).map_err(Error::io(&place.database()))?;
    let wal = fs::read(place.wal()).unwrap_or_default();
    let found = carve::rows(&database, &wal);
    let Some(head) = head(&found, marked.as_ref()) else {
        return Err(match damage {
            other @ Error::Version { .. } => other,
            _ => Error::HeadLost { path: place.database() },
        });
    };
    let prefix = prefix(&head, &found);
    let kept = prefix.last().map_or(Seq::ZERO, |row| row.last);
    let later = later(&found, kept);
    let promised = marked.map_or(Seq::ZERO, |marked| marked.mark.seq);
    let number = free_number(&place);
    let side_file = write_side_file(&place, number, &later)?;
    Store::create(&place.dir.join(NEW_DATABASE), 4_096, &prefix)?;
    marked_by(&prefix).create(&place.dir.join(NEW_MARK))?;
    write_synced(&place.repairing(), number.to_string().as_bytes())?;
    sync_dir(&place.dir)?;
    let aside = finish(&place)?;
    let salvaged = later.iter().map(|row| row.first..=row.last).collect::<Vec<_>>();
    let lost = gaps(kept, &salvaged, promised);
    Ok(RepairReport { damage: Some(damage), kept, salvaged, lost, side_file, aside })
}

const NEW_DATABASE: &str = "journal.db.new";
const NEW_MARK: &str = "journal.mark.new";

/// The head's row, from the rows or from the copy in the mark.
fn head(found: &BTreeMap<Seq, Vec<Row>>, marked: Option<&Marked>) -> Option<Row> {
    let copy = marked.map(|marked| Head::row_of_text(marked.head.clone()));
    let carved = found.get(&Seq::ZERO).into_iter().flatten().cloned();
    copy.into_iter()
        .chain(carved)
        .find(|row| row.follows(&UNCHAINED).is_ok() && Head::of_row(row).is_ok())
}

/// The rows that follow each other from the head on.
fn prefix<'a>(head: &'a Row, found: &'a BTreeMap<Seq, Vec<Row>>) -> Vec<&'a Row> {
    let mut rows = vec![head];
    let mut end = head;
    // Where two rows follow, the one of the earlier term was cut off before the other was written.
    while let Some(next) = found.get(&end.last.next()).and_then(|rows| {
        rows.iter().find(|row| row.epoch >= end.epoch && row.follows(&end.chain).is_ok())
    }) {
        rows.push(next);
        end = next;
    }
    rows
}

/// Whole rows beyond the prefix, without overlap.
fn later(found: &BTreeMap<Seq, Vec<Row>>, kept: Seq) -> Vec<&Row> {
    let mut rows: Vec<&Row> = Vec::new();
    let mut end = (kept, Epoch(0));
    for row in found.range(kept.next()..).filter_map(|(_, rows)| rows.first()) {
        if row.first > end.0 && row.epoch >= end.1 {
            rows.push(row);
            end = (row.last, row.epoch);
        }
    }
    rows
}

/// What is missing between the prefix, the salvaged ranges and the promised end.
fn gaps(kept: Seq, salvaged: &[RangeInclusive<Seq>], promised: Seq) -> Vec<RangeInclusive<Seq>> {
    let mut gaps = Vec::new();
    let mut next = kept.next();
    for range in salvaged {
        if *range.start() > next {
            gaps.push(next..=Seq(range.start().0 - 1));
        }
        next = range.end().next();
    }
    if promised >= next {
        gaps.push(next..=promised);
    }
    gaps
}

fn aside(place: &Place, number: u32, suffix: &str) -> PathBuf {
    place.dir.join(format!("journal.damaged-{number}.{suffix}"))
}

fn free_number(place: &Place) -> u32 {
    let free = |number: &u32| !aside(place, *number, "db").exists();
    (1..).find(free).expect("numbers do not run out")
}

/// Writes a file that is there whole or not at all.
fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let new = path.with_extension("new");
    create_file(&new)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, path))
        .map_err(Error::io(path))
}

fn write_side_file(place: &Place, number: u32, rows: &[&Row]) -> Result<Option<PathBuf>, Error> {
    if rows.is_empty() {
        return Ok(None);
    }
    let path = place.dir.join(format!("journal.salvaged-{number}.txt"));
    let mut text = String::new();
    for (seq, record) in rows.iter().flat_map(|row| row.records()) {
        text.push_str(&format!("{seq} {record}\n"));
    }
    write_synced(&path, text.as_bytes())?;
    Ok(Some(path))
}

/// Puts a complete repair in place; can be done again from any point.
fn finish(place: &Place) -> Result<Vec<PathBuf>, Error> {
    let note = fs::read_to_string(place.repairing()).map_err(Error::io(&place.repairing()))?;
    let number = note.trim().parse().unwrap_or_else(|_| free_number(place));
    let (new_database, new_mark) = (place.dir.join(NEW_DATABASE), place.dir.join(NEW_MARK));
    let moves = [
        (place.database(), aside(place, number, "db"), &new_database),
        (place.wal(), aside(place, number, "db-wal"), &new_database),
        (place.mark(), aside(place, number, "mark"), &new_mark),
    ];
    let mut names = Vec::new();
    for (from, to, new) in moves {
        // While the new file waits, the one in its place is the old one.
        if new.exists() && from.exists() && !to.exists() {
            fs::rename(&from, &to).map_err(Error::io(&from))?;
        }
        if to.exists() {
            names.push(to);
        }
    }
    for path in [place.shared_memory(), place.snapshot()] {
        remove(&path)?;
    }
    for (new, path) in [(new_mark, place.mark()), (new_database, place.database())] {
        if new.exists() {
            fs::rename(&new, &path).map_err(Error::io(&new))?;
        }
    }
    sync_dir(&place.dir)?;
    remove(&place.repairing())?;
    sync_dir(&place.dir)?;
    Ok(names)
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path)(e)),
        _ => Ok(()),
    }
}
