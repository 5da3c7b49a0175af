//! What a project remembers between runs: digests of files, last results of tasks, observations.
//!
//! Never the truth: whoever uses it must be right, only slower, without it. So a damaged history
//! is moved aside and begun anew, and losing the last commits with the power is no loss. Several
//! processes may use it at once. What was measured in zones is in [`series`].

pub mod series;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, ErrorCode, Row, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use crate::journal::place::check_file;

/// 32 bytes of BLAKE3.
pub type Digest = [u8; 32];

/// Why the history cannot be used; damage is not among the reasons.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A link, or a file that anybody may write.
    #[error(transparent)]
    Unsafe(crate::Error),
    /// SQLite refused.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The history.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
    /// A damaged history could not be moved aside.
    #[error("{}: {source}", path.display())]
    Io {
        /// The history.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
}

/// A file as it was when it was last hashed. If size, time and inode are the same, so is the
/// digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// Relative to the project.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// Last change of content or metadata, in nanoseconds since 1970: unlike the time of the last
    /// write, nobody can set it back.
    pub ctime_ns: i64,
    /// Inode number.
    pub ino: u64,
    /// Of the content.
    #[serde(with = "hex")]
    pub digest: Digest,
}

/// An input that a task had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Relative to the project.
    pub path: String,
    /// Of the content.
    #[serde(with = "hex")]
    pub digest: Digest,
}

/// What kind of thing an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// A plain file.
    File,
    /// A directory; the digest covers names and contents.
    Directory,
    /// A symbolic link; the digest is that of its target's name.
    Link,
}

/// An output that a task made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Relative to the project.
    pub path: String,
    /// What it is.
    pub kind: OutputKind,
    /// In bytes.
    pub size: u64,
    /// Of the content.
    #[serde(with = "hex")]
    pub digest: Digest,
    /// Permission bits.
    pub mode: u32,
}

/// The last successful result of a task: what it depended on and what it made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The task's name.
    pub task: String,
    /// Of the command.
    #[serde(with = "hex")]
    pub command: Digest,
    /// Of the environment that the task names.
    #[serde(with = "hex")]
    pub environment: Digest,
    /// What it read.
    pub inputs: Vec<Input>,
    /// What it made.
    pub outputs: Vec<Output>,
    /// The run that did it.
    pub run: String,
    /// When, in milliseconds since 1970.
    pub at_unix_ms: i64,
}

/// What one attempt of a task of some template took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The template of the task.
    pub template: String,
    /// Size of all its inputs, in bytes.
    pub input_bytes: u64,
    /// From start to exit, in milliseconds.
    pub duration_ms: u64,
    /// Peak resident memory, in bytes; `None` if it was not measured.
    pub peak_memory: Option<u64>,
    /// Size of all its declared outputs, in bytes; `None` if there are none to be measured.
    pub output_bytes: Option<u64>,
    /// How it ended, in the caller's words.
    pub outcome: String,
}

/// Older observations of a template are forgotten beyond this number.
pub const OBSERVATIONS_PER_TEMPLATE: u32 = 10_000;

/// What each format adds to the one before; a history is brought up to the last when it is opened.
const FORMATS: [&str; 4] = [
    FIRST_FORMAT,
    "ALTER TABLE observations ADD COLUMN output_bytes INTEGER;",
    series::TABLES,
    series::ASKED_TABLES,
];
const FIRST_FORMAT: &str = "\
    CREATE TABLE IF NOT EXISTS files(path TEXT PRIMARY KEY, size INTEGER NOT NULL, \
        ctime_ns INTEGER NOT NULL, ino INTEGER NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID;\
    CREATE TABLE IF NOT EXISTS results(task TEXT PRIMARY KEY, command BLOB NOT NULL, \
        environment BLOB NOT NULL, inputs TEXT NOT NULL, outputs TEXT NOT NULL, \
        run TEXT NOT NULL, at_unix_ms INTEGER NOT NULL);\
    CREATE TABLE IF NOT EXISTS observations(id INTEGER PRIMARY KEY, template TEXT NOT NULL, \
        input_bytes INTEGER NOT NULL, duration_ms INTEGER NOT NULL, peak_memory INTEGER, \
        outcome TEXT NOT NULL);\
    CREATE INDEX IF NOT EXISTS observations_by_template ON observations(template, id);";

/// How long a process waits for others that write.
const BUSY: Duration = Duration::from_secs(30);

/// An open history.
pub struct History {
    path: PathBuf,
    db: Connection,
    /// The inode that is open; somebody else may have moved it aside.
    ino: u64,
    moved_aside: Option<PathBuf>,
}

impl History {
    /// Opens the history of a project, or begins one. A damaged one, or one of another format, is
    /// moved aside, see [`History::moved_aside`].
    ///
    /// # Errors
    /// The file is unsafe or cannot be written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        check_file(path).map_err(Error::Unsafe)?;
        match connect(path) {
            Ok(db) => Self::with(path, db, None),
            Err(e) if is_damage(&e) => {
                let aside = move_aside(path)?;
                let db = connect(path).map_err(sqlite(path))?;
                Self::with(path, db, Some(aside))
            }
            Err(e) => Err(sqlite(path)(e)),
        }
    }

    fn with(path: &Path, db: Connection, moved_aside: Option<PathBuf>) -> Result<Self, Error> {
        let ino = fs::metadata(path).map_err(io(path))?.ino();
        Ok(Self { path: path.to_owned(), db, ino, moved_aside })
    }

    /// Where a damaged history was moved, if one was found since this one was opened: worth a
    /// warning, for everything will be hashed, and perhaps run, once more.
    #[must_use]
    pub fn moved_aside(&self) -> Option<&Path> {
        self.moved_aside.as_deref()
    }

    /// Remembers files, in one transaction.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn put_files(&mut self, files: &[FileState]) -> Result<(), Error> {
        self.write(|transaction| {
            let mut put = transaction
                .prepare_cached("INSERT OR REPLACE INTO files VALUES(?1,?2,?3,?4,?5)")?;
            for FileState { path, size, ctime_ns, ino, digest } in files {
                let (size, ino) = (size.cast_signed(), ino.cast_signed());
                put.execute(params![path, size, ctime_ns, ino, &digest[..]])?;
            }
            Ok(())
        })
    }

    /// Hands every remembered file to `visit`, ordered by path.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn files(&mut self, visit: impl FnMut(FileState)) -> Result<(), Error> {
        self.read("SELECT path, size, ctime_ns, ino, digest FROM files", [], file_of, visit)
    }

    /// A remembered file.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn file(&mut self, path: &str) -> Result<Option<FileState>, Error> {
        let sql = "SELECT path, size, ctime_ns, ino, digest FROM files WHERE path=?1";
        let mut found = None;
        self.read(sql, [path], file_of, |file| found = Some(file))?;
        Ok(found)
    }

    /// Remembers results, in one transaction; each replaces the last one of its task.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn put_results(&mut self, results: &[TaskResult]) -> Result<(), Error> {
        self.write(|transaction| {
            let mut put = transaction
                .prepare_cached("INSERT OR REPLACE INTO results VALUES(?1,?2,?3,?4,?5,?6,?7)")?;
            for result in results {
                let inputs = serde_json::to_string(&result.inputs);
                let outputs = serde_json::to_string(&result.outputs);
                put.execute(params![
                    result.task,
                    &result.command[..],
                    &result.environment[..],
                    inputs.expect("texts and numbers always serialize"),
                    outputs.expect("texts and numbers always serialize"),
                    result.run,
                    result.at_unix_ms
                ])?;
            }
            Ok(())
        })
    }

    /// Hands the last result of every task to `visit`, in no order that means anything.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn results(&mut self, visit: impl FnMut(TaskResult)) -> Result<(), Error> {
        let sql = "SELECT task, command, environment, inputs, outputs, run, at_unix_ms \
                   FROM results";
        self.read(sql, [], result_of, visit)
    }

    /// The last result of a task.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn result(&mut self, task: &str) -> Result<Option<TaskResult>, Error> {
        let sql = "SELECT task, command, environment, inputs, outputs, run, at_unix_ms \
                   FROM results WHERE task=?1";
        let mut found = None;
        self.read(sql, [task], result_of, |result| found = Some(result))?;
        Ok(found)
    }

    /// Adds observations, in one transaction, and forgets the oldest of templates that have more
    /// than [`OBSERVATIONS_PER_TEMPLATE`].
    ///
    /// # Errors
    /// SQLite refused.
    pub fn observe(&mut self, observations: &[Observation]) -> Result<(), Error> {
        self.write(|transaction| {
            let mut put = transaction.prepare_cached(
                "INSERT INTO observations(template, input_bytes, duration_ms, peak_memory, \
                 output_bytes, outcome) VALUES(?1,?2,?3,?4,?5,?6)",
            )?;
            for seen in observations {
                put.execute(params![
                    seen.template,
                    seen.input_bytes.cast_signed(),
                    seen.duration_ms.cast_signed(),
                    seen.peak_memory.map(u64::cast_signed),
                    seen.output_bytes.map(u64::cast_signed),
                    seen.outcome
                ])?;
            }
            let mut forget = transaction.prepare_cached(
                "DELETE FROM observations WHERE template=?1 AND id <= (SELECT id \
                 FROM observations WHERE template=?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            )?;
            let mut templates: Vec<&str> =
                observations.iter().map(|seen| seen.template.as_str()).collect();
            templates.sort_unstable();
            templates.dedup();
            for template in templates {
                forget.execute(params![template, OBSERVATIONS_PER_TEMPLATE])?;
            }
            Ok(())
        })
    }

    /// Forgets the observations that ended in exactly this way.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn forget_observations(&mut self, outcome: &str) -> Result<(), Error> {
        self.write(|transaction| {
            transaction.execute("DELETE FROM observations WHERE outcome=?1", [outcome])?;
            Ok(())
        })
    }

    /// Hands every observation to `visit`: by template, the oldest first.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn observations(&mut self, visit: impl FnMut(Observation)) -> Result<(), Error> {
        let sql = "SELECT template, input_bytes, duration_ms, peak_memory, output_bytes, outcome \
                   FROM observations ORDER BY template, id";
        self.read(sql, [], observation_of, visit)
    }

    /// The latest observations of a template, at most `n`, the newest first.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn latest(&mut self, template: &str, n: u32) -> Result<Vec<Observation>, Error> {
        let sql = "SELECT template, input_bytes, duration_ms, peak_memory, output_bytes, outcome \
                   FROM observations WHERE template=?1 ORDER BY id DESC LIMIT ?2";
        let mut latest = Vec::new();
        self.read(sql, params![template, n], observation_of, |seen| latest.push(seen))?;
        Ok(latest)
    }

    /// Runs a transaction; on a damaged history once more, on a new one.
    fn write<T>(
        &mut self,
        work: impl Fn(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let attempt = |db: &mut Connection| {
            // Immediate: a transaction that reads first could not be made to wait for others.
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        match attempt(&mut self.db) {
            Err(e) if is_damage(&e) => {
                self.begin_anew()?;
                attempt(&mut self.db).map_err(sqlite(&self.path))
            }
            other => other.map_err(sqlite(&self.path)),
        }
    }

    /// Runs a query. Of a damaged history, what can be read is handed on, and the rest forgotten.
    fn read<T>(
        &mut self,
        sql: &str,
        parameters: impl rusqlite::Params,
        item: fn(&Row<'_>) -> rusqlite::Result<T>,
        mut visit: impl FnMut(T),
    ) -> Result<(), Error> {
        let read = || {
            let mut statement = self.db.prepare_cached(sql)?;
            let mut rows = statement.query(parameters)?;
            while let Some(row) = rows.next()? {
                visit(item(row)?);
            }
            Ok(())
        };
        match read() {
            Err(e) if is_damage(&e) => self.begin_anew(),
            other => other.map_err(sqlite(&self.path)),
        }
    }

    fn begin_anew(&mut self) -> Result<(), Error> {
        let now = fs::metadata(&self.path).map(|meta| meta.ino()).ok();
        if now == Some(self.ino) {
            self.moved_aside = Some(move_aside(&self.path)?);
        }
        self.db = connect(&self.path).map_err(sqlite(&self.path))?;
        self.ino = fs::metadata(&self.path).map_err(io(&self.path))?.ino();
        Ok(())
    }
}

fn sqlite(path: &Path) -> impl FnOnce(rusqlite::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Sqlite { path, source }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut db = Connection::open(path)?;
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    if version_of(&db)? != FORMATS.len() {
        bring_up_to_date(&mut db)?;
    }
    Ok(db)
}

fn version_of(db: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Adds what formats since its own have added. One of a later program is nobody's here.
fn bring_up_to_date(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Somebody else may just have done so.
    let version = version_of(&transaction)?;
    let Some(missing) = FORMATS.get(version..) else {
        let other = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
        return Err(rusqlite::Error::SqliteFailure(other, Some(format!("format {version}"))));
    };
    for format in missing {
        transaction.execute_batch(format)?;
    }
    transaction.pragma_update(None, "user_version", FORMATS.len() as i64)?;
    transaction.commit()
}

/// Whether an error says that the file does not hold what was written.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::SqlInputError { .. }
        | rusqlite::Error::Utf8Error(..) => true,
        other => matches!(
            other.sqlite_error_code(),
            // "Unknown": a damaged schema makes SQL fail.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
        ),
    }
}

/// Renames a database and what belongs to it; gives the new name.
fn move_aside(path: &Path) -> Result<PathBuf, Error> {
    let named = |n: u32| PathBuf::from(format!("{}.damaged-{n}", path.display()));
    let aside = (1..).map(named).find(|name| !name.exists()).expect("numbers do not run out");
    fs::rename(path, &aside).map_err(io(path))?;
    for suffix in ["-wal", "-shm"] {
        let of = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        match fs::rename(of(path), of(&aside)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io(&of(path))(e)),
            _ => {}
        }
    }
    Ok(aside)
}

fn digest_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    let value = row.get_ref(column)?;
    value.as_blob()?.try_into().map_err(|e: std::array::TryFromSliceError| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(e))
    })
}

fn json_of<T: for<'a> Deserialize<'a>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let value = row.get_ref(column)?;
    serde_json::from_str(value.as_str()?)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(e)))
}

fn file_of(row: &Row<'_>) -> rusqlite::Result<FileState> {
    Ok(FileState {
        path: row.get(0)?,
        size: row.get::<_, i64>(1)?.cast_unsigned(),
        ctime_ns: row.get(2)?,
        ino: row.get::<_, i64>(3)?.cast_unsigned(),
        digest: digest_of(row, 4)?,
    })
}

fn result_of(row: &Row<'_>) -> rusqlite::Result<TaskResult> {
    Ok(TaskResult {
        task: row.get(0)?,
        command: digest_of(row, 1)?,
        environment: digest_of(row, 2)?,
        inputs: json_of(row, 3)?,
        outputs: json_of(row, 4)?,
        run: row.get(5)?,
        at_unix_ms: row.get(6)?,
    })
}

fn observation_of(row: &Row<'_>) -> rusqlite::Result<Observation> {
    Ok(Observation {
        template: row.get(0)?,
        input_bytes: row.get::<_, i64>(1)?.cast_unsigned(),
        duration_ms: row.get::<_, i64>(2)?.cast_unsigned(),
        peak_memory: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
        output_bytes: row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned),
        outcome: row.get(5)?,
    })
}

/// Digests as 64 hexadecimal digits.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Digest;

    pub(super) fn serialize<S: Serializer>(digest: &Digest, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&blake3::Hash::from(*digest).to_hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        let hash = blake3::Hash::from_hex(text.as_bytes()).map_err(serde::de::Error::custom)?;
        Ok(hash.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(seed: u64) -> Digest {
        *blake3::hash(&seed.to_le_bytes()).as_bytes()
    }

    fn file(i: u64) -> FileState {
        let path = format!("in/{i:04}");
        FileState { path, size: i, ctime_ns: -5, ino: u64::MAX - i, digest: digest(i) }
    }

    fn result(task: &str, seed: u64) -> TaskResult {
        let inputs = vec![Input { path: "in/ü \"1\"".into(), digest: digest(seed) }];
        let kind = OutputKind::Directory;
        let output =
            Output { path: "out".into(), kind, size: 7, digest: digest(seed), mode: 0o755 };
        TaskResult {
            task: task.into(),
            command: digest(seed + 1),
            environment: digest(seed + 2),
            inputs,
            outputs: vec![output],
            run: "r1".into(),
            at_unix_ms: 1_700_000_000_000,
        }
    }

    fn observation(template: &str, duration_ms: u64) -> Observation {
        Observation {
            template: template.into(),
            input_bytes: 9,
            duration_ms,
            peak_memory: duration_ms.is_multiple_of(2).then_some(u64::MAX),
            output_bytes: duration_ms.is_multiple_of(3).then_some(duration_ms),
            outcome: "ok".into(),
        }
    }

    fn history(dir: &tempfile::TempDir) -> History {
        History::open(&dir.path().join("history.db")).unwrap()
    }

    fn all_results(history: &mut History) -> Vec<TaskResult> {
        let mut results = Vec::new();
        history.results(|result| results.push(result)).unwrap();
        results
    }

    #[test]
    fn what_is_put_is_there_for_the_next_run() {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<FileState> = (0..50).map(file).collect();
        let observations = [observation("a", 1), observation("a", 2), observation("b", 3)];
        let mut one = history(&dir);
        one.put_files(&files).unwrap();
        one.put_results(&[result("t", 1), result("u", 2)]).unwrap();
        one.observe(&observations).unwrap();
        drop(one);
        let mut two = history(&dir);
        let (mut seen_files, mut seen) = (Vec::new(), Vec::new());
        two.files(|file| seen_files.push(file)).unwrap();
        two.observations(|observation| seen.push(observation)).unwrap();
        assert_eq!(seen_files, files);
        assert_eq!(seen, observations);
        assert_eq!(all_results(&mut two), [result("t", 1), result("u", 2)]);
        assert_eq!(two.file("in/0007").unwrap(), Some(file(7)));
        assert_eq!(two.result("u").unwrap(), Some(result("u", 2)));
        assert_eq!(two.result("v").unwrap(), None);
    }

    #[test]
    fn the_last_result_of_a_task_replaces_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = history(&dir);
        history.put_results(&[result("t", 1)]).unwrap();
        history.put_results(&[result("t", 2)]).unwrap();
        assert_eq!(all_results(&mut history), [result("t", 2)]);
    }

    #[test]
    fn the_oldest_observations_of_a_template_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let mut history = history(&dir);
        let more = u64::from(OBSERVATIONS_PER_TEMPLATE) + 3;
        let many: Vec<Observation> = (0..more).map(|i| observation("many", i)).collect();
        history.observe(&many).unwrap();
        history.observe(&[observation("few", 1)]).unwrap();
        let mut seen = Vec::new();
        history.observations(|observation| seen.push(observation)).unwrap();
        assert_eq!(seen[0], observation("few", 1));
        let newest_first: Vec<Observation> = many.iter().rev().take(5).cloned().collect();
        assert_eq!(history.latest("many", 5).unwrap(), newest_first);
        assert_eq!(seen[1..], many[3..]);
    }

    #[test]
    fn several_processes_write_at_once() {
        let dir = tempfile::tempdir().unwrap();
        drop(history(&dir));
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let dir = &dir;
                scope.spawn(move || {
                    let mut history = history(dir);
                    for i in 0..10 {
                        let task = format!("{thread}-{i}");
                        history.put_results(&[result(&task, i)]).unwrap();
                    }
                });
            }
        });
        assert_eq!(all_results(&mut history(&dir)).len(), 40);
    }

    #[test]
    fn a_history_that_is_none_is_moved_aside_and_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        fs::write(&path, "not a database, but long enough to look like one".repeat(50)).unwrap();
        let mut history = History::open(&path).unwrap();
        let aside = history.moved_aside().unwrap().to_owned();
        assert!(fs::read_to_string(aside).unwrap().starts_with("not a database"));
        history.put_results(&[result("t", 1)]).unwrap();
        assert_eq!(all_results(&mut history).len(), 1);
    }

    #[test]
    fn a_history_of_an_earlier_format_keeps_what_it_knows() {
        let dir = tempfile::tempdir().unwrap();
        let earlier = Connection::open(dir.path().join("history.db")).unwrap();
        earlier.execute_batch(FIRST_FORMAT).unwrap();
        earlier
            .execute_batch(
                "INSERT INTO observations VALUES(1,'a',9,1,NULL,'ok'); PRAGMA user_version=1",
            )
            .unwrap();
        drop(earlier);
        let mut now = history(&dir);
        assert_eq!(now.latest("a", 9).unwrap(), [observation("a", 1)]);
        now.observe(&[observation("a", 3)]).unwrap();
        assert_eq!(
            history(&dir).latest("a", 9).unwrap(),
            [observation("a", 3), observation("a", 1)]
        );
        assert!(now.moved_aside().is_none());
    }

    #[test]
    fn a_history_of_another_format_is_moved_aside() {
        let dir = tempfile::tempdir().unwrap();
        let one = history(&dir);
        one.db.pragma_update(None, "user_version", 9).unwrap();
        drop(one);
        assert!(history(&dir).moved_aside().is_some());
    }

    /// Overwrites the file in all places in turn: nothing may panic or be refused for ever.
    #[test]
    fn wherever_a_history_is_damaged_it_can_be_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.db");
        let mut whole = History::open(&path).unwrap();
        let tasks: Vec<TaskResult> = (0..60).map(|i| result(&format!("t{i}"), i)).collect();
        whole.put_results(&tasks).unwrap();
        whole.put_files(&(0..200).map(file).collect::<Vec<_>>()).unwrap();
        drop(whole);
        let bytes = fs::read(&path).unwrap();
        let mut noticed = 0;
        for at in (0..bytes.len()).step_by(1_501) {
            let other = tempfile::tempdir().unwrap();
            let path = other.path().join("history.db");
            let mut damaged = bytes.clone();
            let end = damaged.len().min(at + 700);
            damaged[at..end].fill(0xff);
            fs::write(&path, damaged).unwrap();
            let mut history = History::open(&path).unwrap();
            history.files(|_| {}).unwrap();
            history.results(|_| {}).unwrap();
            history.put_results(&[result("new", 1)]).unwrap();
            assert_eq!(history.result("new").unwrap(), Some(result("new", 1)), "byte {at}");
            noticed += usize::from(history.moved_aside().is_some());
        }
        assert!(noticed > 3);
    }
}
