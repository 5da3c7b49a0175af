//! Reading a journal as a whole: every row checked against itself, its predecessor and the mark.

use std::path::Path;

use crate::error::{Damage, Error};
use crate::journal::mark::{Mark, Marked};
use crate::journal::place::Place;
use crate::journal::row::{Chain, Head, Row, UNCHAINED};
use crate::journal::store::{Store, damaged};
use crate::number::{Epoch, Seq};

/// What a whole, undamaged journal amounts to.
#[derive(Clone, Debug)]
pub(crate) struct Scanned {
    pub(crate) head: Head,
    pub(crate) end: Mark,
    pub(crate) epoch: Epoch,
    /// What the mark had promised.
    pub(crate) marked: Seq,
}

/// Reads the mark, an error if it is damaged or gone.
pub(crate) fn marked(place: &Place) -> Result<Marked, Error> {
    Marked::read(&place.mark())?.ok_or_else(|| damaged(&place.mark(), Seq::ZERO, Damage::Mark))
}

/// Checks everything, visiting the records in order. If this fails, what was visited so far is a
/// true prefix of what was written, but not all of it.
pub(crate) fn whole(
    place: &Place,
    store: &Store,
    marked: &Marked,
    visit: &mut dyn FnMut(Seq, &str),
) -> Result<Scanned, Error> {
    let mut checker = Checker::new(Some(marked.mark));
    let scanned = store.at_one_time(|store| {
        let mut head = None;
        store.scan(Seq::ZERO, |row| {
            checker.accept(&row)?;
            if row.first == Seq::ZERO {
                head = Some(Head::of_row(&row).map_err(|what| (Seq::ZERO, what))?);
                if row.records != marked.head || row.chain != marked.genesis {
                    return Err((Seq::ZERO, Damage::Head));
                }
            } else {
                row.records().for_each(|(seq, record)| visit(seq, record));
            }
            Ok(())
        })?;
        store.check_pages()?;
        Ok(head)
    });
    let path = place.database();
    let head = scanned.map_err(|e| reaching(e, marked.mark.seq))?;
    match head {
        Some(head) if checker.end.seq >= marked.mark.seq => {
            Ok(Scanned { head, end: checker.end, epoch: checker.epoch, marked: marked.mark.seq })
        }
        Some(_) => Err(missing(&path, checker.end.seq.next(), marked.mark.seq)),
        None => Err(missing(&path, Seq::ZERO, marked.mark.seq)),
    }
}

fn missing(path: &Path, first: Seq, last: Seq) -> Error {
    Error::Damaged { path: path.to_owned(), first, last, what: Damage::Missing }
}

/// Damage in a chained journal reaches to its end as far as it is known.
fn reaching(error: Error, end: Seq) -> Error {
    match error {
        Error::Damaged { path, first, last, what } => {
            Error::Damaged { path, first, last: last.max(end), what }
        }
        other => other,
    }
}

/// Accepts rows that follow each other.
#[derive(Debug)]
pub(crate) struct Checker {
    mark: Option<Mark>,
    started: bool,
    end: Mark,
    epoch: Epoch,
}

impl Checker {
    /// Starts before the head.
    pub(crate) fn new(mark: Option<Mark>) -> Self {
        let end = Mark { seq: Seq::ZERO, chain: UNCHAINED };
        Self { mark, started: false, end, epoch: Epoch(0) }
    }

    /// The end of what was accepted.
    pub(crate) fn end(&self) -> Mark {
        self.end
    }

    /// The term of the last row.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Checks a row against itself, the row before and the mark.
    pub(crate) fn accept(&mut self, row: &Row) -> Result<(), (Seq, Damage)> {
        let expected = if self.started { self.end.seq.next() } else { Seq::ZERO };
        if row.first != expected {
            let found = i64::try_from(row.first.0).unwrap_or(i64::MAX);
            return Err((expected, Damage::Order { found }));
        }
        let here = |what| (expected, what);
        row.check_alone().map_err(here)?;
        let previous: &Chain = &self.end.chain;
        row.follows(previous).map_err(here)?;
        if row.epoch < self.epoch {
            return Err(here(Damage::Epoch));
        }
        self.started = true;
        self.end = Mark { seq: row.last, chain: row.chain };
        self.epoch = row.epoch;
        match &self.mark {
            Some(mark) if (row.first..=row.last).contains(&mark.seq) && self.end != *mark => {
                Err(here(Damage::Forked))
            }
            _ => Ok(()),
        }
    }
}
