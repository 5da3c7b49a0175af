//! The journal as an SQLite database: connections, one table, insert, checked scan.
//!
//! Knows SQL. Does not know threads, marks or which rows ought to be there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, params};

use crate::error::{Damage, Error};
use crate::journal::row::{Chain, FORMAT, Row};
use crate::number::{Epoch, Seq};

/// The earliest SQLite without the WAL-reset bug.
const SQLITE_SOUND: i32 = 3_051_003;

/// No row is longer, so a damaged length cannot ask for more memory than this.
pub(crate) const ROW_BYTES_MAX: usize = 256 << 20;

/// The smallest page, and so the smallest database.
const PAGE_BYTES_MIN: u64 = 512;

/// Readers and writers of one journal are patient with each other for this long.
const BUSY: Duration = Duration::from_secs(10);

const SCHEMA: &str = "CREATE TABLE flush(\
    first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, epoch INTEGER NOT NULL, \
    crc INTEGER NOT NULL, chain BLOB NOT NULL, records BLOB NOT NULL)";
const INSERT: &str = "INSERT INTO flush VALUES(?1,?2,?3,?4,?5,?6)";
const SELECT_ALL: &str =
    "SELECT first_seq, last_seq, epoch, crc, chain, records FROM flush ORDER BY first_seq";
const SELECT_FROM: &str = "SELECT first_seq, last_seq, epoch, crc, chain, records FROM flush \
    WHERE first_seq >= coalesce((SELECT max(first_seq) FROM flush WHERE first_seq <= ?1), ?1) \
    ORDER BY first_seq";

/// How a connection is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Only reads; other processes may write.
    Read,
    /// The one writer; readers use shared memory.
    Write,
    /// The one writer, on a file system without shared memory maps; nobody else can open it.
    WriteAlone,
}

/// An open journal database.
pub(crate) struct Store {
    path: PathBuf,
    db: Connection,
}

impl Store {
    /// Makes a database file that holds `rows`, durable when this returns.
    pub(crate) fn create(path: &Path, page_bytes: u32, rows: &[&Row]) -> Result<(), Error> {
        refuse_old_sqlite()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut store = Self::connect(path, flags)?;
        let made = (|| {
            store.db.pragma_update(None, "page_size", page_bytes)?;
            store.db.pragma_update(None, "journal_mode", "WAL")?;
            store.db.pragma_update(None, "synchronous", "FULL")?;
            let transaction = store.db.transaction()?;
            transaction.execute(SCHEMA, [])?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            for row in rows {
                insert(&transaction, row)?;
            }
            transaction.commit()
        })();
        made.map_err(Error::sqlite(path))?;
        store.db.close().map_err(|(_, e)| Error::sqlite(path)(e))
    }

    /// Opens an existing database without changing a byte of it.
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, Error> {
        refuse_old_sqlite()?;
        // SQLite takes a file of no or one byte for a new database, and deletes the WAL beside it.
        if std::fs::metadata(path).map_err(Error::io(path))?.len() < PAGE_BYTES_MIN {
            let what = Damage::Database("file is too short".to_owned());
            return Err(damaged(path, Seq::ZERO, what));
        }
        let flags = match access {
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Access::Write | Access::WriteAlone => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let store = Self::connect(path, flags | OpenFlags::SQLITE_OPEN_NOFOLLOW)?;
        let opened = (|| {
            // Whoever finds damage must leave the evidence as it is.
            store.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            if access == Access::WriteAlone {
                store.db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
            }
            let version: i64 = store.db.pragma_query_value(None, "user_version", |r| r.get(0))?;
            let mode: String = store.db.pragma_query_value(None, "journal_mode", |r| r.get(0))?;
            Ok((version, mode))
        })();
        let (version, mode) = opened.map_err(|e| store.misread(Seq::ZERO, e))?;
        if version != FORMAT {
            return Err(Error::Version { path: store.path, found: version, known: FORMAT });
        }
        if mode != "wal" {
            let what = Damage::Database(format!("journal mode is {mode}"));
            return Err(damaged(path, Seq::ZERO, what));
        }
        Ok(store)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, Error> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connect = || {
            let db = Connection::open_with_flags(path, flags)?;
            db.busy_timeout(BUSY)?;
            db.set_limit(Limit::SQLITE_LIMIT_LENGTH, i32::try_from(ROW_BYTES_MAX).unwrap_or(0))?;
            db.pragma_update(None, "trusted_schema", false)?;
            db.pragma_update(None, "cell_size_check", true)?;
            Ok(db)
        };
        Ok(Self { path: path.to_owned(), db: connect().map_err(Error::sqlite(path))? })
    }

    /// Prepares for writing: commits reach the page cache, checkpoints reach the disk.
    pub(crate) fn prepare(&self, bytes_max: Option<u64>) -> Result<(), Error> {
        let prepare = || {
            self.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
            self.db.pragma_update(None, "synchronous", "NORMAL")?;
            self.db.pragma_update(None, "wal_autocheckpoint", 0)?;
            if let Some(bytes) = bytes_max {
                let page: i64 = self.db.pragma_query_value(None, "page_size", |row| row.get(0))?;
                let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page;
                self.db.query_row(&format!("PRAGMA max_page_count={pages}"), [], |_| Ok(()))?;
            }
            // A transaction without effect: it makes SQLite open the WAL now.
            self.db.execute_batch("BEGIN IMMEDIATE; COMMIT")
        };
        prepare().map_err(Error::sqlite(&self.path))
    }

    /// Leaves the files as they are when the store is dropped: after a failed write nothing may
    /// be written again.
    pub(crate) fn freeze(&self) {
        // Worst case, closing fails as the write did.
        let _ = self.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    /// Commits one row.
    pub(crate) fn insert(&self, row: &Row) -> rusqlite::Result<()> {
        insert(&self.db, row)
    }

    /// Moves what the WAL holds into the database, as far as readers allow; synced.
    pub(crate) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }

    /// The length of the part of the WAL that is in use, in bytes.
    #[cfg(feature = "fault-injection")]
    pub(crate) fn wal_bytes(&self) -> rusqlite::Result<u64> {
        let page: u32 = self.db.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let frames: i64 = self.db.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| row.get(1))?;
        Ok(32 + u64::try_from(frames).unwrap_or(0) * (24 + u64::from(page)))
    }

    /// Asks SQLite whether the pages hang together.
    pub(crate) fn check_pages(&self) -> Result<(), Error> {
        let verdict: rusqlite::Result<String> =
            self.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
        match verdict {
            Ok(verdict) if verdict == "ok" => Ok(()),
            Ok(verdict) => Err(damaged(&self.path, Seq::ZERO, Damage::Database(verdict))),
            Err(e) => Err(self.misread(Seq::ZERO, e)),
        }
    }

    /// Visits every row from the one that holds `from` on, as far as `visit` agrees. Only the
    /// types of columns are checked here.
    pub(crate) fn scan(
        &self,
        from: Seq,
        mut visit: impl FnMut(Row) -> Result<(), (Seq, Damage)>,
    ) -> Result<(), Error> {
        let mut expected = from;
        // From the start, all of them: even those with an impossible number.
        let (sql, parameter) = match from {
            Seq::ZERO => (SELECT_ALL, None),
            Seq(from) => (SELECT_FROM, Some(as_sql(from))),
        };
        let mut statement = self.db.prepare_cached(sql).map_err(|e| self.misread(expected, e))?;
        let rows = statement.query(rusqlite::params_from_iter(parameter));
        let mut rows = rows.map_err(|e| self.misread(expected, e))?;
        while let Some(row) = rows.next().map_err(|e| self.misread(expected, e))? {
            let row = read_row(row).map_err(|what| damaged(&self.path, expected, what))?;
            expected = row.last.next();
            visit(row).map_err(|(at, what)| damaged(&self.path, at, what))?;
        }
        Ok(())
    }

    /// Runs `work` on one unchanging view of the database.
    pub(crate) fn at_one_time<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let view = self.db.unchecked_transaction().map_err(|e| self.misread(Seq::ZERO, e))?;
        let result = work(self);
        drop(view);
        result
    }

    /// An error while reading: damage, unless the cause is outside of the file.
    fn misread(&self, at: Seq, error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode as E;
        match error.sqlite_error_code() {
            Some(
                E::DatabaseBusy
                | E::DatabaseLocked
                | E::PermissionDenied
                | E::OutOfMemory
                | E::ReadOnly
                | E::CannotOpen,
            ) => Error::Sqlite { path: self.path.clone(), source: error },
            _ => damaged(&self.path, at, Damage::Database(error.to_string())),
        }
    }
}

/// Damage that starts at one record; how far it reaches is for the caller to say.
pub(crate) fn damaged(path: &Path, at: Seq, what: Damage) -> Error {
    Error::Damaged { path: path.to_owned(), first: at, last: at, what }
}

fn refuse_old_sqlite() -> Result<(), Error> {
    if rusqlite::version_number() < SQLITE_SOUND {
        return Err(Error::OldSqlite { found: rusqlite::version() });
    }
    Ok(())
}

fn as_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn insert(db: &Connection, row: &Row) -> rusqlite::Result<()> {
    db.prepare_cached(INSERT)?
        .execute(params![
            as_sql(row.first.0),
            as_sql(row.last.0),
            as_sql(row.epoch.0),
            row.crc,
            &row.chain[..],
            &row.records[..]
        ])
        .map(drop)
}

fn read_row(row: &rusqlite::Row<'_>) -> Result<Row, Damage> {
    let number = |column| {
        let value: i64 = row.get(column).map_err(|_| Damage::Row)?;
        u64::try_from(value).map_err(|_| Damage::Row)
    };
    let first: i64 = row.get(0).map_err(|_| Damage::Row)?;
    let first = u64::try_from(first).map_err(|_| Damage::Order { found: first })?;
    let blob = |column| row.get_ref(column).ok().and_then(|v| v.as_blob().ok()).ok_or(Damage::Row);
    let chain: Chain = blob(4)?.try_into().map_err(|_| Damage::Row)?;
    Ok(Row {
        first: Seq(first),
        last: Seq(number(1)?),
        epoch: Epoch(number(2)?),
        crc: u32::try_from(number(3)?).map_err(|_| Damage::Row)?,
        chain,
        records: blob(5)?.to_vec(),
    })
}
