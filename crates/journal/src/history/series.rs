//! What was measured in zones: series of samples that grow thinner with age.
//!
//! Knows zones, measures and units as names, times in microseconds since 1970, and of waits what had
//! been asked for. Does not know what is measured, where from, or what a gap means: a sample is there
//! or it is not.
//!
//! Age is counted back from a series' newest sample, so no clock is needed and an old recording keeps
//! its detail. Up to [`RAW`] samples are kept as they are, up to [`FINE`] one for each
//! [`FINE_STEP`], up to [`COARSE`] one for each [`COARSE_STEP`], then none. What was thinned out is
//! closed: a sample that comes later for a step that has one changes nothing, so taking the same
//! samples in twice is the same as once. Samples for different requests do not stand for each other.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Error, History};

/// Samples younger than 7 days are kept as they are.
pub const RAW: i64 = 7 * DAY;
/// Younger than 90 days, thinned to [`FINE_STEP`].
pub const FINE: i64 = 90 * DAY;
/// Younger than two years, thinned to [`COARSE_STEP`].
pub const COARSE: i64 = 730 * DAY;
/// Five minutes.
pub const FINE_STEP: i64 = 300 * SECOND;
/// An hour.
pub const COARSE_STEP: i64 = 3_600 * SECOND;
/// The most samples of a history, about 600 MB: beyond, the longest series lose their oldest.
pub const SAMPLES_MAX: u64 = 20_000_000;
/// The most series of a history.
pub const SERIES_MAX: u64 = 10_000;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// What series add to the format of a history.
pub(super) const TABLES: &str = "\
    CREATE TABLE IF NOT EXISTS series(id INTEGER PRIMARY KEY, zone TEXT NOT NULL, \
        measure TEXT NOT NULL, unit TEXT NOT NULL, source TEXT NOT NULL, least INTEGER NOT NULL, \
        count INTEGER NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, \
        fine_to_us INTEGER NOT NULL, coarse_to_us INTEGER NOT NULL, UNIQUE(zone, measure));\
    CREATE TABLE IF NOT EXISTS samples(series INTEGER NOT NULL, at_us INTEGER NOT NULL, \
        value REAL NOT NULL, PRIMARY KEY(series, at_us)) WITHOUT ROWID;";

/// What samples of requests add to it; before, nobody knew what had been asked for.
pub(super) const ASKED_TABLES: &str = "\
    CREATE TABLE IF NOT EXISTS requests(id INTEGER PRIMARY KEY, cpus REAL NOT NULL, \
        memory REAL NOT NULL, walltime REAL NOT NULL, UNIQUE(cpus, memory, walltime));\
    ALTER TABLE samples RENAME TO samples_before;\
    CREATE TABLE samples(series INTEGER NOT NULL, at_us INTEGER NOT NULL, value REAL NOT NULL, \
        asked INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(series, at_us, asked)) WITHOUT ROWID;\
    INSERT INTO samples SELECT series, at_us, value, 0 FROM samples_before;\
    DROP TABLE samples_before;\
    UPDATE series SET least = 2 WHERE measure = 'wait';";

/// A time in microseconds since 1970, and a value.
pub type Point = (i64, f64);

/// What samples are about that each belong to a request: 0 where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Asked {
    /// Cpus.
    pub cpus: f64,
    /// Memory in bytes.
    pub memory: f64,
    /// For how long, in seconds.
    pub walltime: f64,
}

/// Samples of one thing in one zone, to be remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The zone.
    pub zone: String,
    /// What was measured.
    pub measure: String,
    /// The unit of the values.
    pub unit: String,
    /// Where they come from; the last one is remembered.
    pub source: String,
    /// What stands for several samples.
    pub fold: Fold,
    /// What had been asked for, of a wait.
    pub asked: Asked,
    /// Finite values in order of time, each moment once.
    pub points: Vec<Point>,
}

/// What stands for the samples of a step when they are thinned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    /// Their mean.
    Mean,
    /// The least of them: what was not there all the time was not there.
    Least,
    /// The middle one: a mean of things that each happened is none that ever happened.
    Middle,
}

impl Fold {
    const ALL: [Self; 3] = [Self::Mean, Self::Least, Self::Middle];

    fn of_number(number: i64) -> Self {
        usize::try_from(number).ok().and_then(|n| Self::ALL.get(n)).copied().unwrap_or(Self::Mean)
    }
}

/// What became of samples that were put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// New ones.
    pub added: u64,
    /// Those whose moment was known with another value, and now has this one.
    pub changed: u64,
    /// Those that were known, or lie in a step that was closed.
    pub known: u64,
    /// Those older than anything that is kept.
    pub expired: u64,
}

/// What is known of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The zone.
    pub zone: String,
    /// What is measured.
    pub measure: String,
    /// The unit of the values.
    pub unit: String,
    /// Where the last samples came from.
    pub source: String,
    /// How many samples are kept.
    pub count: u64,
    /// The time of the oldest.
    pub first_us: i64,
    /// The time of the newest.
    pub last_us: i64,
}

/// What is to be forgotten: all that all of these say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forget {
    /// Of this zone only.
    pub zone: Option<String>,
    /// Of this measure only.
    pub measure: Option<String>,
    /// Only samples before this time.
    pub before_us: Option<i64>,
}

impl History {
    /// Remembers samples, all in one transaction; says of each series what became of them.
    ///
    /// # Errors
    /// SQLite refused, or there are more than [`SERIES_MAX`] series.
    ///
    /// # Panics
    /// Values are not finite.
    pub fn put_series(&mut self, measured: &[Measured]) -> Result<Vec<Taken>, Error> {
        self.write(|transaction| {
            let mut taken = Vec::with_capacity(measured.len());
            // What is left to do for a series is done once, in however many parts it comes.
            let mut touched = BTreeMap::new();
            for series in measured {
                assert!(series.points.iter().all(|point| point.1.is_finite()), "finite values");
                taken.push(put(transaction, series, &mut touched)?);
            }
            for one in touched.values() {
                settle(transaction, one)?;
            }
            bound(transaction, SAMPLES_MAX)?;
            Ok(taken)
        })
    }

    /// All series, by zone and measure.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn series(&mut self) -> Result<Vec<Summary>, Error> {
        let sql = "SELECT zone, measure, unit, source, count, first_us, last_us FROM series \
                   WHERE count > 0 ORDER BY zone, measure";
        let mut all = Vec::new();
        self.read(sql, [], summary_of, |summary| all.push(summary))?;
        Ok(all)
    }

    /// The samples of a series from a time up to before another, in order.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn samples(
        &mut self,
        zone: &str,
        measure: &str,
        range: std::ops::Range<i64>,
    ) -> Result<Vec<Point>, Error> {
        let sql = "SELECT at_us, value FROM samples WHERE series = \
                   (SELECT id FROM series WHERE zone=?1 AND measure=?2) \
                   AND at_us >= ?3 AND at_us < ?4 ORDER BY at_us";
        let mut points = Vec::new();
        let parameters = params![zone, measure, range.start, range.end];
        let point = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.read(sql, parameters, point, |point| points.push(point))?;
        Ok(points)
    }

    /// The same for each request by itself, in order of what was asked for.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn samples_asked(
        &mut self,
        zone: &str,
        measure: &str,
        range: std::ops::Range<i64>,
    ) -> Result<Vec<(Asked, Vec<Point>)>, Error> {
        let sql = "SELECT ifnull(cpus, 0.0), ifnull(memory, 0.0), ifnull(walltime, 0.0), at_us, \
                   value FROM samples LEFT JOIN requests ON id = asked WHERE series = \
                   (SELECT id FROM series WHERE zone=?1 AND measure=?2) \
                   AND at_us >= ?3 AND at_us < ?4 ORDER BY 1, 2, 3, 4";
        let mut all: Vec<(Asked, Vec<Point>)> = Vec::new();
        let parameters = params![zone, measure, range.start, range.end];
        let sample = |row: &rusqlite::Row<'_>| {
            let asked = Asked { cpus: row.get(0)?, memory: row.get(1)?, walltime: row.get(2)? };
            Ok((asked, (row.get(3)?, row.get(4)?)))
        };
        self.read(sql, parameters, sample, |(asked, point)| match all.last_mut() {
            Some((last, points)) if *last == asked => points.push(point),
            _ => all.push((asked, vec![point])),
        })?;
        Ok(all)
    }

    /// Forgets samples; says how many.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn forget_samples(&mut self, forget: &Forget) -> Result<u64, Error> {
        self.write(|transaction| {
            let mut of = transaction.prepare_cached(
                "SELECT id FROM series WHERE (?1 IS NULL OR zone=?1) \
                 AND (?2 IS NULL OR measure=?2)",
            )?;
            let ids = of.query_map(params![forget.zone, forget.measure], |row| row.get(0))?;
            let ids: Vec<i64> = ids.collect::<rusqlite::Result<_>>()?;
            let mut forgotten = 0;
            for id in ids {
                forgotten += delete_before(transaction, id, forget.before_us.unwrap_or(i64::MAX))?;
                count_anew(transaction, id)?;
            }
            transaction.execute("DELETE FROM series WHERE count = 0", [])?;
            let unused = "DELETE FROM requests WHERE id NOT IN (SELECT asked FROM samples)";
            transaction.execute(unused, [])?;
            Ok(forgotten)
        })
    }

    /// Gives space that nothing needs any more back to the file system.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn shrink(&mut self) -> Result<(), Error> {
        self.db.execute_batch("VACUUM").map_err(super::sqlite(&self.path))
    }
}

fn summary_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Summary> {
    Ok(Summary {
        zone: row.get(0)?,
        measure: row.get(1)?,
        unit: row.get(2)?,
        source: row.get(3)?,
        count: row.get::<_, i64>(4)?.cast_unsigned(),
        first_us: row.get(5)?,
        last_us: row.get(6)?,
    })
}

/// How far a series has been thinned out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marks {
    /// Before this, one sample for each coarse step; at most `fine_to`.
    coarse_to: i64,
    /// Before this, one sample for each fine step.
    fine_to: i64,
}

impl Marks {
    const NONE: Self = Self { coarse_to: i64::MIN, fine_to: i64::MIN };

    /// Where they belong when this is the newest sample; they never go back.
    fn moved(self, newest: i64) -> Self {
        let below = |at: i64, step: i64| at.div_euclid(step) * step;
        Self {
            coarse_to: self.coarse_to.max(below(newest.saturating_sub(FINE), COARSE_STEP)),
            fine_to: self.fine_to.max(below(newest.saturating_sub(RAW), FINE_STEP)),
        }
    }

    /// The step that a thinned-out sample stands for.
    fn step_of(self, at: i64) -> std::ops::Range<i64> {
        let step = if at < self.coarse_to { COARSE_STEP } else { FINE_STEP };
        let start = at.div_euclid(step) * step;
        start..start + step
    }
}

/// A row of `series`.
struct Row {
    id: i64,
    newest: Option<i64>,
    marks: Marks,
    fold: Fold,
    /// The number of what had been asked for.
    asked: i64,
}

/// A series that got samples.
struct Touched {
    row: Row,
    newest: i64,
    source: String,
}

fn put(
    transaction: &Transaction<'_>,
    measured: &Measured,
    touched: &mut BTreeMap<i64, Touched>,
) -> rusqlite::Result<Taken> {
    let row = row_of(transaction, measured)?;
    let mut taken = Taken::default();
    let Some(last) = measured.points.last() else { return Ok(taken) };
    let newest = row.newest.map_or(last.0, |newest| newest.max(last.0));
    let marks = row.marks.moved(newest);
    // Of a new series nothing is closed: what is old is thinned out before it is written.
    let closed = if row.newest.is_none() { marks } else { row.marks };
    let oldest = newest.saturating_sub(COARSE);
    let points = &measured.points[measured.points.partition_point(|point| point.0 < oldest)..];
    taken.expired = (measured.points.len() - points.len()) as u64;
    let (old, young) = points.split_at(points.partition_point(|point| point.0 < closed.fine_to));
    put_closed(transaction, &row, closed, old, &mut taken)?;
    put_young(transaction, &row, young, &mut taken)?;
    match touched.get_mut(&row.id) {
        Some(known) => known.newest = known.newest.max(newest),
        None => {
            let source = measured.source.clone();
            touched.insert(row.id, Touched { row, newest, source });
        }
    }
    Ok(taken)
}

/// Thins out what has become old by what came, and counts what is there.
fn settle(transaction: &Transaction<'_>, touched: &Touched) -> rusqlite::Result<()> {
    let Touched { row, newest, source } = touched;
    let marks = row.marks.moved(*newest);
    thin(transaction, row, marks)?;
    delete_before(transaction, row.id, newest.saturating_sub(COARSE))?;
    let mut mark = transaction.prepare_cached(
        "UPDATE series SET source=?2, fine_to_us=?3, coarse_to_us=?4 WHERE id=?1",
    )?;
    mark.execute(params![row.id, source, marks.fine_to, marks.coarse_to])?;
    count_anew(transaction, row.id)
}

fn row_of(transaction: &Transaction<'_>, measured: &Measured) -> rusqlite::Result<Row> {
    let Measured { zone, measure, unit, source, .. } = measured;
    let asked = number_of(transaction, measured.asked)?;
    let mut find = transaction.prepare_cached(
        "SELECT id, count, last_us, fine_to_us, coarse_to_us, least FROM series \
         WHERE zone=?1 AND measure=?2",
    )?;
    let known = find.query_row(params![zone, measure], |row| {
        let count: i64 = row.get(1)?;
        Ok(Row {
            id: row.get(0)?,
            newest: if count > 0 { Some(row.get(2)?) } else { None },
            marks: Marks { fine_to: row.get(3)?, coarse_to: row.get(4)? },
            fold: Fold::of_number(row.get(5)?),
            asked,
        })
    });
    if let Some(row) = known.optional()? {
        return Ok(row);
    }
    let series: i64 = transaction.query_row("SELECT count(*) FROM series", [], |row| row.get(0))?;
    if series.cast_unsigned() >= SERIES_MAX {
        let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
        let text = format!("a history holds at most {SERIES_MAX} series");
        return Err(rusqlite::Error::SqliteFailure(full, Some(text)));
    }
    let mut add = transaction.prepare_cached(
        "INSERT INTO series(zone, measure, unit, source, least, count, first_us, last_us, \
         fine_to_us, coarse_to_us) VALUES(?1, ?2, ?3, ?4, ?5, 0, 0, 0, ?6, ?6)",
    )?;
    let fold = measured.fold;
    let number = Fold::ALL.iter().position(|one| *one == fold).unwrap_or(0) as i64;
    add.execute(params![zone, measure, unit, source, number, i64::MIN])?;
    Ok(Row { id: transaction.last_insert_rowid(), newest: None, marks: Marks::NONE, fold, asked })
}

/// The number of a request; 0 of one of which nothing is known.
fn number_of(transaction: &Transaction<'_>, asked: Asked) -> rusqlite::Result<i64> {
    if asked == Asked::default() {
        return Ok(0);
    }
    let sizes = params![asked.cpus, asked.memory, asked.walltime];
    let mut add = transaction.prepare_cached(
        "INSERT OR IGNORE INTO requests(cpus, memory, walltime) VALUES(?1,?2,?3)",
    )?;
    add.execute(sizes)?;
    let mut find = transaction
        .prepare_cached("SELECT id FROM requests WHERE cpus=?1 AND memory=?2 AND walltime=?3")?;
    find.query_row(sizes, |row| row.get(0))
}

/// Puts samples of steps that are closed: each step that has none yet gets one.
fn put_closed(
    transaction: &Transaction<'_>,
    row: &Row,
    marks: Marks,
    points: &[Point],
    taken: &mut Taken,
) -> rusqlite::Result<()> {
    let mut is_there = transaction.prepare_cached(
        "SELECT 1 FROM samples WHERE series=?1 AND at_us >= ?2 AND at_us < ?3 AND asked=?4 LIMIT 1",
    )?;
    let mut add = transaction.prepare_cached("INSERT INTO samples VALUES(?1, ?2, ?3, ?4)")?;
    for group in points.chunk_by(|a, b| marks.step_of(a.0) == marks.step_of(b.0)) {
        let step = marks.step_of(group[0].0);
        if is_there.exists(params![row.id, step.start, step.end, row.asked])? {
            taken.known += group.len() as u64;
        } else {
            let (at, value) = folded(group, step.start, row.fold);
            add.execute(params![row.id, at, value, row.asked])?;
            taken.added += group.len() as u64;
        }
    }
    Ok(())
}

fn put_young(
    transaction: &Transaction<'_>,
    row: &Row,
    points: &[Point],
    taken: &mut Taken,
) -> rusqlite::Result<()> {
    let mut add =
        transaction.prepare_cached("INSERT OR IGNORE INTO samples VALUES(?1, ?2, ?3, ?4)")?;
    let mut change = transaction.prepare_cached(
        "UPDATE samples SET value=?3 WHERE series=?1 AND at_us=?2 AND asked=?4 AND value<>?3",
    )?;
    for (at, value) in points {
        if add.execute(params![row.id, at, value, row.asked])? == 1 {
            taken.added += 1;
        } else if change.execute(params![row.id, at, value, row.asked])? == 1 {
            taken.changed += 1;
        } else {
            taken.known += 1;
        }
    }
    Ok(())
}

/// Thins out what has become old since the last time.
fn thin(transaction: &Transaction<'_>, row: &Row, to: Marks) -> rusqlite::Result<()> {
    let of = |start: i64, end: i64, marks: Marks| {
        if start >= end { Ok(()) } else { thin_range(transaction, row, start..end, marks) }
    };
    of(row.marks.fine_to, to.fine_to, to)?;
    of(row.marks.coarse_to, to.coarse_to, to)
}

fn thin_range(
    transaction: &Transaction<'_>,
    row: &Row,
    range: std::ops::Range<i64>,
    marks: Marks,
) -> rusqlite::Result<()> {
    let mut read = transaction.prepare_cached(
        "SELECT asked, at_us, value FROM samples WHERE series=?1 AND at_us >= ?2 AND at_us < ?3 \
         ORDER BY asked, at_us",
    )?;
    let points = read.query_map(params![row.id, range.start, range.end], |row| {
        Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
    })?;
    let points: Vec<(i64, Point)> = points.collect::<rusqlite::Result<_>>()?;
    let mut delete = transaction.prepare_cached(
        "DELETE FROM samples WHERE series=?1 AND at_us >= ?2 AND at_us < ?3 AND asked=?4",
    )?;
    let mut add = transaction.prepare_cached("INSERT INTO samples VALUES(?1, ?2, ?3, ?4)")?;
    let step_of = |(asked, point): &(i64, Point)| (*asked, marks.step_of(point.0));
    for group in points.chunk_by(|a, b| step_of(a) == step_of(b)) {
        if let [(asked, first), _, ..] = group {
            let step = marks.step_of(first.0);
            let group: Vec<Point> = group.iter().map(|(_, point)| *point).collect();
            let (at, value) = folded(&group, step.start, row.fold);
            delete.execute(params![row.id, step.start, step.end, asked])?;
            add.execute(params![row.id, at, value, asked])?;
        }
    }
    Ok(())
}

/// What stands for the samples of a step: a single one for itself, at its own time.
fn folded(group: &[Point], start: i64, fold: Fold) -> Point {
    if let [alone] = group {
        return *alone;
    }
    let values = group.iter().map(|point| point.1);
    let least = values.clone().fold(f64::INFINITY, f64::min);
    match fold {
        Fold::Least => (start, least),
        Fold::Middle => {
            let mut sorted: Vec<f64> = values.collect();
            sorted.sort_by(f64::total_cmp);
            (start, sorted[(sorted.len() - 1) / 2])
        }
        Fold::Mean => {
            // Sums of differences: no overflow, and a constant stays what it is.
            let above = values.map(|value| (value - least) / group.len() as f64).sum::<f64>();
            (start, if (least + above).is_finite() { least + above } else { group[0].1 })
        }
    }
}

fn delete_before(transaction: &Transaction<'_>, id: i64, before: i64) -> rusqlite::Result<u64> {
    let mut delete =
        transaction.prepare_cached("DELETE FROM samples WHERE series=?1 AND at_us < ?2")?;
    Ok(delete.execute(params![id, before])? as u64)
}

fn count_anew(transaction: &Transaction<'_>, id: i64) -> rusqlite::Result<()> {
    let mut count = transaction.prepare_cached(
        "UPDATE series SET (count, first_us, last_us) = (SELECT count(*), \
         ifnull(min(at_us), 0), ifnull(max(at_us), 0) FROM samples WHERE series=?1) WHERE id=?1",
    )?;
    count.execute([id])?;
    Ok(())
}

/// Keeps a history within so many samples: series with more than their share lose their oldest.
fn bound(transaction: &Transaction<'_>, most: u64) -> rusqlite::Result<()> {
    let sums = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let sql = "SELECT count(*), ifnull(sum(count), 0) FROM series";
    let (series, samples) = transaction.query_row(sql, [], sums)?;
    if samples.cast_unsigned() <= most {
        return Ok(());
    }
    let share = most.cast_signed() / series.max(1);
    let mut over = transaction.prepare_cached("SELECT id FROM series WHERE count > ?1")?;
    let ids = over.query_map([share], |row| row.get(0))?;
    for id in ids.collect::<rusqlite::Result<Vec<i64>>>()? {
        transaction.execute(
            "DELETE FROM samples WHERE series=?1 AND at_us <= (SELECT at_us FROM samples \
             WHERE series=?1 ORDER BY at_us DESC LIMIT 1 OFFSET ?2)",
            params![id, share],
        )?;
        count_anew(transaction, id)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: i64 = 1_700_000_000 * SECOND / COARSE_STEP * COARSE_STEP;

    fn history(dir: &tempfile::TempDir) -> History {
        History::open(&dir.path().join("history.db")).unwrap()
    }

    fn measured(measure: &str, points: Vec<Point>) -> Measured {
        Measured {
            zone: "north".into(),
            measure: measure.into(),
            unit: "share".into(),
            source: "test".into(),
            fold: match measure {
                "up" => Fold::Least,
                "wait" => Fold::Middle,
                _ => Fold::Mean,
            },
            asked: Asked::default(),
            points,
        }
    }

    fn all(history: &mut History, measure: &str) -> Vec<Point> {
        history.samples("north", measure, i64::MIN..i64::MAX).unwrap()
    }

    #[test]
    fn samples_are_there_once_however_often_they_are_put() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = history(&dir);
        let points: Vec<Point> = (0..100).map(|i| (NOON + i * 30 * SECOND, i as f64)).collect();
        let put = [measured("cpu", points.clone())];
        let taken = history.put_series(&put).unwrap();
        assert_eq!(taken, [Taken { added: 100, ..Taken::default() }]);
        let taken = history.put_series(&put).unwrap();
        assert_eq!(taken, [Taken { known: 100, ..Taken::default() }]);
        assert_eq!(all(&mut history, "cpu"), points);
        let taken = history.put_series(&[measured("cpu", vec![(NOON, 5.0)])]).unwrap();
        assert_eq!(taken, [Taken { changed: 1, ..Taken::default() }]);
        let summaries = history.series().unwrap();
        assert_eq!((summaries[0].count, summaries[0].first_us), (100, NOON));
        assert_eq!(summaries[0].last_us, points[99].0);
    }

    #[test]
    fn the_past_grows_thinner_with_age_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = history(&dir);
        // A sample each ten minutes over three years, then each half minute for an hour.
        let old = (0..3 * 365 * 144).map(|i| (NOON - 3 * 365 * DAY + i * 600 * SECOND, 1.0));
        let young = (0..120).map(|i| (NOON + i * 30 * SECOND, i as f64));
        history.put_series(&[measured("cpu", old.chain(young).collect())]).unwrap();
        let kept = all(&mut history, "cpu");
        let newest = kept[kept.len() - 1].0;
        assert!(kept[0].0 >= newest - COARSE);
        let apart = |from: i64, to: i64| {
            let pairs = kept.windows(2).filter(move |pair| (from..to).contains(&pair[0].0));
            pairs.map(|pair| pair[1].0 - pair[0].0).collect::<Vec<_>>()
        };
        assert!(apart(newest - COARSE, newest - FINE - DAY).iter().all(|gap| *gap == COARSE_STEP));
        assert!(apart(newest - FINE, NOON - DAY).iter().all(|gap| *gap == 600 * SECOND));
        assert_eq!(apart(NOON, newest), [30 * SECOND; 119]);
        // A week later the hour of half minutes is a dozen of means.
        history.put_series(&[measured("cpu", vec![(NOON + 8 * DAY, 0.0)])]).unwrap();
        let range = NOON..NOON + DAY;
        let thinned = history.samples("north", "cpu", range).unwrap();
        let mean = |k: i64| (NOON + k * FINE_STEP, 4.5 + 10.0 * k as f64);
        assert_eq!(thinned, (0..12).map(mean).collect::<Vec<_>>());
    }

    #[test]
    fn a_zone_that_was_down_for_a_part_of_a_step_was_down() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = history(&dir);
        let points = (0..20).map(|i| (NOON + i * 30 * SECOND, f64::from(u8::from(i != 3))));
        history.put_series(&[measured("up", points.collect())]).unwrap();
        history.put_series(&[measured("up", vec![(NOON + 30 * DAY, 1.0)])]).unwrap();
        let values: Vec<f64> = all(&mut history, "up").iter().map(|point| point.1).collect();
        assert_eq!(values, [0.0, 1.0, 1.0]);
    }

    #[test]
    fn what_is_forgotten_is_gone_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = history(&dir);
        let points: Vec<Point> = (0..10).map(|i| (NOON + i * SECOND, 1.0)).collect();
        history
            .put_series(&[measured("cpu", points.clone()), measured("up", points.clone())])
            .unwrap();
        let before_us = Some(NOON + 4 * SECOND);
        let forget = Forget { measure: Some("cpu".into()), before_us, ..Forget::default() };
        assert_eq!(history.forget_samples(&forget).unwrap(), 4);
        assert_eq!(all(&mut history, "cpu"), points[4..]);
        assert_eq!(all(&mut history, "up"), points);
        let all_of_it = Forget { zone: Some("north".into()), ..Forget::default() };
        assert_eq!(history.forget_samples(&all_of_it).unwrap(), 16);
        assert!(history.series().unwrap().is_empty());
        history.shrink().unwrap();
    }

    #[test]
    fn series_with_more_than_their_share_lose_their_oldest() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = history(&dir);
        let points = |n: i64| (0..n).map(|i| (NOON + i * SECOND, 1.0)).collect::<Vec<_>>();
        history.put_series(&[measured("cpu", points(90)), measured("up", points(10))]).unwrap();
        history.write(|transaction| bound(transaction, 60)).unwrap();
        assert_eq!(all(&mut history, "cpu"), points(90)[60..]);
        assert_eq!(all(&mut history, "up").len(), 10);
    }

    #[test]
    fn a_history_from_before_there_were_series_gets_them_and_keeps_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let mut old = history(&dir);
        let file = super::super::FileState {
            path: "a".into(),
            size: 1,
            ctime_ns: 2,
            ino: 3,
            digest: [7; 32],
        };
        old.put_files(std::slice::from_ref(&file)).unwrap();
        let before = "DROP TABLE series; DROP TABLE samples; DROP TABLE requests; \
                      PRAGMA user_version=2";
        old.db.execute_batch(before).unwrap();
        drop(old);
        let mut new = history(&dir);
        assert_eq!(new.moved_aside(), None);
        assert_eq!(new.file("a").unwrap(), Some(file));
        new.put_series(&[measured("cpu", vec![(NOON, 1.0)])]).unwrap();
        assert_eq!(all(&mut new, "cpu"), [(NOON, 1.0)]);
    }

    fn asked(cpus: f64) -> Asked {
        Asked { cpus, ..Asked::default() }
    }

    /// Waits for requests of so many cpus.
    fn waits(cpus: f64, points: &[Point]) -> Measured {
        Measured { asked: asked(cpus), ..measured("wait", points.to_vec()) }
    }

    #[test]
    fn waits_for_unlike_requests_at_one_moment_are_all_kept_and_grow_thin_each_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = history(&dir);
        let points = |scale: f64| -> Vec<Point> {
            (0..5)
                .map(|i| (NOON + i * 60 * SECOND, [1.0, 9.0, 3.0, 100.0, 2.0][i as usize] * scale))
                .collect()
        };
        let put = [waits(1.0, &points(1.0)), waits(64.0, &points(10.0))];
        for added in [5, 0] {
            let taken = history.put_series(&put).unwrap();
            assert!(taken.iter().all(|taken| taken.added == added), "{taken:?}");
        }
        let range = i64::MIN..i64::MAX;
        let all = history.samples_asked("north", "wait", range.clone()).unwrap();
        assert_eq!(all, [(asked(1.0), points(1.0)), (asked(64.0), points(10.0))]);
        assert_eq!(history.series().unwrap()[0].count, 10);
        // Eight days later five waits within five minutes are the one in the middle of each kind.
        history.put_series(&[waits(64.0, &[(NOON + 8 * DAY, 7.0)])]).unwrap();
        let old = NOON..NOON + DAY;
        let all = history.samples_asked("north", "wait", old.clone()).unwrap();
        assert_eq!(all, [(asked(1.0), vec![(NOON, 3.0)]), (asked(64.0), vec![(NOON, 30.0)])]);
        let taken = history.put_series(&put).unwrap();
        assert!(taken.iter().all(|taken| taken.known == 5), "{taken:?}");
        assert_eq!(history.samples_asked("north", "wait", old).unwrap(), all);
        history.forget_samples(&Forget::default()).unwrap();
        let requests = "SELECT count(*) FROM requests";
        let left: i64 = history.db.query_row(requests, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
    }

    #[test]
    fn waits_in_many_parts_grow_as_thin_as_in_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = history(&dir);
        // Old and young, of five requests, the youngest in the middle.
        let part = |i: i64| {
            let at = NOON - 120 * DAY + (i * 37 % 40) * 3 * DAY + i * 30 * SECOND;
            waits((i % 5 + 1) as f64, &[(at, i as f64), (at + 20 * SECOND, 0.5)])
        };
        let parts: Vec<Measured> = (0..200).map(part).collect();
        history.put_series(&parts).unwrap();
        let once = history.samples_asked("north", "wait", i64::MIN..i64::MAX).unwrap();
        let summary = history.series().unwrap();
        let kept: usize = once.iter().map(|(_, points)| points.len()).sum();
        assert_eq!((summary[0].count, once.len()), (kept as u64, 5));
        let newest = summary[0].last_us;
        let marks = Marks::NONE.moved(newest);
        for (_, points) in &once {
            let old = points.iter().filter(|point| point.0 < marks.fine_to);
            let mut steps: Vec<i64> = old.map(|point| marks.step_of(point.0).start).collect();
            let n = steps.len();
            steps.dedup();
            assert_eq!(steps.len(), n, "one for each step");
        }
        let taken = history.put_series(&parts).unwrap();
        assert_eq!(taken.iter().map(|taken| taken.added).sum::<u64>(), 0);
        assert_eq!(history.samples_asked("north", "wait", i64::MIN..i64::MAX).unwrap(), once);
    }

    #[test]
    fn waits_from_before_requests_were_known_are_kept_as_of_no_request() {
        let dir = tempfile::tempdir().unwrap();
        let old = history(&dir);
        let before = "DROP TABLE samples; DROP TABLE requests; \
            CREATE TABLE samples(series INTEGER NOT NULL, at_us INTEGER NOT NULL, \
            value REAL NOT NULL, PRIMARY KEY(series, at_us)) WITHOUT ROWID; \
            INSERT INTO series VALUES(1, 'north', 'wait', 's', 'x', 0, 1, 5, 5, 0, 0); \
            INSERT INTO samples VALUES(1, 5, 2.5); PRAGMA user_version=3";
        old.db.execute_batch(before).unwrap();
        drop(old);
        let mut new = history(&dir);
        assert_eq!(new.moved_aside(), None);
        let all = new.samples_asked("north", "wait", 0..10).unwrap();
        assert_eq!(all, [(Asked::default(), vec![(5, 2.5)])]);
        let least: i64 =
            new.db.query_row("SELECT least FROM series", [], |row| row.get(0)).unwrap();
        assert_eq!(Fold::of_number(least), Fold::Middle);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// In however many parts a recording comes, and however old it is: putting all of it once
        /// more changes nothing.
        #[test]
        fn taking_everything_in_again_changes_nothing(
            gaps in prop::collection::vec(1_i64..20 * 3_600, 1..150),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut history = history(&dir);
            let mut at = NOON;
            let points: Vec<Point> = gaps.iter().map(|gap| {
                at += gap * SECOND;
                (at, (gap % 17) as f64)
            }).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(points.len())).collect();
            cuts.extend([0, points.len()]);
            cuts.sort_unstable();
            for part in cuts.windows(2) {
                history.put_series(&[measured("cpu", points[part[0]..part[1]].to_vec())]).unwrap();
            }
            let once = all(&mut history, "cpu");
            let taken = history.put_series(&[measured("cpu", points.clone())]).unwrap();
            prop_assert_eq!(taken[0].added + taken[0].changed, 0);
            prop_assert_eq!(all(&mut history, "cpu"), once);
        }
    }
}
