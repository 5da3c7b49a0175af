//! The ledger of a machine: how runs that go on at the same time share it.
//!
//! Each run claims what it wants; what it holds is its max-min fair share of the machine, as far
//! as others have already let go of theirs. Tasks that run are never taken into account twice and
//! never taken away: a share shrinks as tasks end. The claims of dead processes count for nothing.
//! Invariant: what is held never adds up to more than the machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

use crate::journal::place::check_file;
use crate::process::ProcessStamp;

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A link, or a file that anybody may write.
    #[error(transparent)]
    Unsafe(crate::Error),
    /// SQLite refused; a damaged ledger may be deleted when no run goes on.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The ledger.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
}

/// Amounts of what a machine has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Cpus, in thousandths.
    pub cpus_milli: u64,
    /// Memory, in bytes.
    pub memory: u64,
    /// Network bandwidth, in bytes per second.
    pub network: u64,
    /// Whatever else can be counted, by name.
    pub countables: BTreeMap<String, u64>,
}

impl Amounts {
    /// Makes amounts one kind at a time, for every kind that `self` has.
    fn map(&self, mut amount: impl FnMut(Kind<'_>) -> u64) -> Self {
        Self {
            cpus_milli: amount(Kind::Cpus),
            memory: amount(Kind::Memory),
            network: amount(Kind::Network),
            countables: self
                .countables
                .keys()
                .map(|name| (name.clone(), amount(Kind::Countable(name))))
                .collect(),
        }
    }

    fn get(&self, kind: Kind<'_>) -> u64 {
        match kind {
            Kind::Cpus => self.cpus_milli,
            Kind::Memory => self.memory,
            Kind::Network => self.network,
            Kind::Countable(name) => self.countables.get(name).copied().unwrap_or(0),
        }
    }
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Cpus,
    Memory,
    Network,
    Countable(&'a str),
}

impl Kind<'_> {
    /// Shares are multiples of this: half a cpu for each of two runs would be a cpu for nobody.
    fn unit(self) -> u64 {
        match self {
            Kind::Cpus => 1_000,
            Kind::Memory | Kind::Network | Kind::Countable(_) => 1,
        }
    }
}

/// Who claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The run.
    pub run: String,
    /// The run's name for this hold on the machine.
    pub allocation: String,
    /// The process whose end ends the claim: the one that the tasks die with.
    pub process: ProcessStamp,
}

/// A claim as it stands in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who claims.
    pub claimant: Claimant,
    /// What it may use.
    pub held: Amounts,
    /// What it would use.
    pub wanted: Amounts,
    /// When it last said so, in milliseconds since 1970.
    pub seen_unix_ms: i64,
}

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS claims(\
    run TEXT NOT NULL, allocation TEXT NOT NULL, \
    pid INTEGER NOT NULL, started INTEGER NOT NULL, boot TEXT NOT NULL, \
    held TEXT NOT NULL, wanted TEXT NOT NULL, seen_unix_ms INTEGER NOT NULL, \
    PRIMARY KEY(run, allocation, pid, started, boot))";
const SELECT: &str = "SELECT rowid, run, allocation, pid, started, boot, held, wanted, \
    seen_unix_ms FROM claims ORDER BY rowid";

/// How long a process waits for others that are at the ledger.
const BUSY: Duration = Duration::from_secs(30);

/// The open ledger; clones share one connection.
#[derive(Clone)]
pub struct Ledger {
    path: PathBuf,
    capacity: Amounts,
    db: Arc<Mutex<Connection>>,
}

impl Ledger {
    /// Opens the ledger of a machine of the given capacity, or begins one.
    ///
    /// # Errors
    /// The file is unsafe, damaged or cannot be written.
    pub fn open(path: &Path, capacity: Amounts) -> Result<Self, Error> {
        check_file(path).map_err(Error::Unsafe)?;
        let open = || {
            let db = Connection::open(path)?;
            db.busy_timeout(BUSY)?;
            db.pragma_update(None, "journal_mode", "WAL")?;
            db.pragma_update(None, "synchronous", "NORMAL")?;
            db.execute(SCHEMA, [])?;
            Ok(db)
        };
        let db = open().map_err(|source| Error::Sqlite { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), capacity, db: Arc::new(Mutex::new(db)) })
    }

    /// Enters a claim that holds nothing yet; or takes up the one that this claimant left, with
    /// what it holds.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn claim(&self, claimant: Claimant) -> Result<Claim, Error> {
        let none = encode(&Amounts::default());
        let Claimant { run, allocation, process } = &claimant;
        self.connection()
            .execute(
                "INSERT INTO claims VALUES(?1,?2,?3,?4,?5,?6,?6,?7) ON CONFLICT DO NOTHING",
                params![
                    run,
                    allocation,
                    process.pid,
                    process.started.cast_signed(),
                    process.boot,
                    none,
                    now_unix_ms()
                ],
            )
            .map_err(|e| self.error(e))?;
        Ok(Claim { ledger: self.clone(), claimant, keep: false })
    }

    /// All claims of living processes.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn standings(&self) -> Result<Vec<Standing>, Error> {
        let all = rows(&self.connection()).map_err(|e| self.error(e))?;
        let mut standings: Vec<Standing> = all.into_iter().map(|(_, standing)| standing).collect();
        standings.retain(|standing| standing.claimant.process.lives());
        Ok(standings)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, source: rusqlite::Error) -> Error {
        Error::Sqlite { path: self.path.clone(), source }
    }
}

/// A claim on a part of the machine; released when dropped.
pub struct Claim {
    ledger: Ledger,
    claimant: Claimant,
    keep: bool,
}

impl Claim {
    /// Says what the run would use and what its running tasks use now; tells what it may use. To
    /// be called whenever either changes, and now and then, for others come and go.
    ///
    /// The answer is less than `in_use` when others have come: what runs may go on and stays held,
    /// but nothing is to be started until enough of it has ended. A claimant that always has
    /// something running would otherwise never make room.
    ///
    /// # Errors
    /// SQLite refused.
    pub fn update(&mut self, wanted: &Amounts, in_use: &Amounts) -> Result<Amounts, Error> {
        let capacity = &self.ledger.capacity;
        let mut db = self.ledger.connection();
        let mut update = || {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let (mut mine, mut others) = (None, Vec::new());
            for (id, standing) in rows(&transaction)? {
                if standing.claimant == self.claimant {
                    mine = Some(id);
                } else if standing.claimant.process.lives() {
                    others.push((id, standing));
                } else {
                    transaction.execute("DELETE FROM claims WHERE rowid=?1", [id])?;
                }
            }
            let (held, may_use) =
                share(capacity, mine.unwrap_or(i64::MAX), wanted, in_use, &others);
            let Claimant { run, allocation, process } = &self.claimant;
            transaction.execute(
                "INSERT INTO claims VALUES(?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT DO UPDATE \
                 SET held=excluded.held, wanted=excluded.wanted, \
                 seen_unix_ms=excluded.seen_unix_ms",
                params![
                    run,
                    allocation,
                    process.pid,
                    process.started.cast_signed(),
                    process.boot,
                    encode(&held),
                    encode(wanted),
                    now_unix_ms()
                ],
            )?;
            transaction.commit()?;
            Ok(may_use)
        };
        update().map_err(|source| Error::Sqlite { path: self.ledger.path.clone(), source })
    }

    /// Leaves the claim in the ledger until its process ends: tasks go on without this caller.
    pub fn leave(mut self) {
        self.keep = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let Claimant { run, allocation, process } = &self.claimant;
        // Worst case, the claim ends with its process.
        let _ = self.ledger.connection().execute(
            "DELETE FROM claims WHERE run=?1 AND allocation=?2 AND pid=?3 AND started=?4 AND boot=?5",
            params![run, allocation, process.pid, process.started.cast_signed(), process.boot],
        );
    }
}

/// What a claimant holds beside the others, and how much of it is its to use from now on. Of
/// equals, the earlier claim comes first.
fn share(
    capacity: &Amounts,
    mine: i64,
    wanted: &Amounts,
    in_use: &Amounts,
    others: &[(i64, Standing)],
) -> (Amounts, Amounts) {
    let free = capacity.map(|kind| {
        let taken = others.iter().map(|(_, other)| other.held.get(kind));
        taken.fold(capacity.get(kind), u64::saturating_sub)
    });
    let may_use = capacity.map(|kind| {
        let all = capacity.get(kind);
        let mut wants = vec![(wanted.get(kind).min(all), mine)];
        wants.extend(others.iter().map(|(id, other)| (other.wanted.get(kind), *id)));
        fair_shares(all, kind.unit(), &wants)[0].min(free.get(kind))
    });
    let held = capacity.map(|kind| may_use.get(kind).max(in_use.get(kind).min(free.get(kind))));
    (held, may_use)
}

/// Max-min fair shares: nobody gets more than it wants, and nobody could get more except from one
/// that has no more than it. Shares are whole units as far as wishes are; what does not divide goes
/// to those with the lowest ids.
fn fair_shares(capacity: u64, unit: u64, wants: &[(u64, i64)]) -> Vec<u64> {
    let units = |i: usize| wants[i].0.div_ceil(unit);
    let mut hungry: Vec<usize> = (0..wants.len()).collect();
    hungry.sort_by_key(|&i| std::cmp::Reverse(units(i)));
    let mut shares = vec![0; wants.len()];
    let mut left = capacity / unit;
    // Who wants no more than an equal part of what is left gets all it wants.
    while let Some(&i) = hungry.last()
        && units(i) <= left / hungry.len() as u64
    {
        hungry.pop();
        left -= units(i);
        shares[i] = wants[i].0;
    }
    hungry.sort_by_key(|&i| wants[i].1);
    let claimants = hungry.len().max(1) as u64;
    let mut over = left % claimants;
    let mut fraction = capacity % unit;
    for i in hungry {
        let extra = over.min(1);
        over -= extra;
        shares[i] = wants[i].0.min((left / claimants + extra) * unit);
        let rest = fraction.min(wants[i].0 - shares[i]);
        fraction -= rest;
        shares[i] += rest;
    }
    shares
}

fn rows(db: &Connection) -> rusqlite::Result<Vec<(i64, Standing)>> {
    let mut statement = db.prepare_cached(SELECT)?;
    let rows = statement.query_map([], |row| {
        let amounts = |column| {
            let text: String = row.get(column)?;
            serde_json::from_str(&text).map_err(|e| {
                let text = rusqlite::types::Type::Text;
                rusqlite::Error::FromSqlConversionFailure(column, text, Box::new(e))
            })
        };
        let started: i64 = row.get(4)?;
        let process =
            ProcessStamp { pid: row.get(3)?, started: started.cast_unsigned(), boot: row.get(5)? };
        let claimant = Claimant { run: row.get(1)?, allocation: row.get(2)?, process };
        let (held, wanted) = (amounts(6)?, amounts(7)?);
        Ok((row.get(0)?, Standing { claimant, held, wanted, seen_unix_ms: row.get(8)? }))
    })?;
    rows.collect()
}

fn encode(amounts: &Amounts) -> String {
    serde_json::to_string(amounts).expect("names and numbers always serialize")
}

fn now_unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn cpus(cpus: u64) -> Amounts {
        Amounts { cpus_milli: cpus * 1_000, ..Amounts::default() }
    }

    fn gpus(gpus: u64) -> Amounts {
        let countables = BTreeMap::from([("gpu".to_owned(), gpus)]);
        Amounts { countables, ..Amounts::default() }
    }

    fn claimant(run: &str) -> Claimant {
        Claimant { run: run.into(), allocation: "a".into(), process: ProcessStamp::own() }
    }

    fn ledger(dir: &tempfile::TempDir, capacity: &Amounts) -> Ledger {
        Ledger::open(&dir.path().join("ledger.db"), capacity.clone()).unwrap()
    }

    #[test]
    fn one_run_has_the_machine_and_two_have_half_of_it_each() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = ledger(&dir, &cpus(4));
        let mut first = ledger.claim(claimant("first")).unwrap();
        let mut second = ledger.claim(claimant("second")).unwrap();
        assert_eq!(first.update(&cpus(9), &cpus(0)).unwrap(), cpus(4));
        // Four tasks run: nothing is free before they end.
        assert_eq!(second.update(&cpus(9), &cpus(0)).unwrap(), cpus(0));
        // One has ended; what runs stays held, but no more than the half is to be started again.
        assert_eq!(first.update(&cpus(9), &cpus(3)).unwrap(), cpus(2));
        assert_eq!(second.update(&cpus(9), &cpus(0)).unwrap(), cpus(1));
        assert_eq!(first.update(&cpus(9), &cpus(0)).unwrap(), cpus(2));
        assert_eq!(second.update(&cpus(9), &cpus(1)).unwrap(), cpus(2));
        drop(first);
        assert_eq!(second.update(&cpus(9), &cpus(2)).unwrap(), cpus(4));
    }

    #[test]
    fn what_cannot_be_divided_goes_to_the_earlier_claim() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = ledger(&dir, &gpus(1));
        let mut first = ledger.claim(claimant("first")).unwrap();
        let mut second = ledger.claim(claimant("second")).unwrap();
        assert_eq!(second.update(&gpus(1), &gpus(0)).unwrap(), gpus(1));
        assert_eq!(first.update(&gpus(1), &gpus(0)).unwrap(), gpus(0));
        assert_eq!(second.update(&gpus(1), &gpus(0)).unwrap(), gpus(0));
        assert_eq!(first.update(&gpus(1), &gpus(0)).unwrap(), gpus(1));
    }

    #[test]
    fn the_claim_of_a_dead_process_counts_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = ledger(&dir, &cpus(4));
        let mut dead = claimant("dead");
        dead.process.started += 1;
        let mut claim = ledger.claim(dead).unwrap();
        assert_eq!(claim.update(&cpus(4), &cpus(4)).unwrap(), cpus(4));
        claim.leave();
        let mut living = ledger.claim(claimant("living")).unwrap();
        assert_eq!(living.update(&cpus(4), &cpus(0)).unwrap(), cpus(4));
        assert_eq!(ledger.standings().unwrap().len(), 1);
    }

    #[test]
    fn a_claim_that_was_left_is_taken_up_with_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = ledger(&dir, &cpus(4));
        let mut claim = ledger.claim(claimant("run")).unwrap();
        claim.update(&cpus(3), &cpus(3)).unwrap();
        claim.leave();
        let mut other = ledger.claim(claimant("other")).unwrap();
        let _again = ledger.claim(claimant("run")).unwrap();
        assert_eq!(other.update(&cpus(4), &cpus(0)).unwrap(), cpus(1));
    }

    /// Gives one unit at a time to the claimant that has least and wants more.
    fn unit_by_unit(capacity: u64, wants: &[u64]) -> Vec<u64> {
        let mut shares = vec![0; wants.len()];
        for _ in 0..capacity {
            let hungry = (0..wants.len()).filter(|&i| shares[i] < wants[i]);
            let Some(next) = hungry.min_by_key(|&i| (shares[i], i)) else { break };
            shares[next] += 1;
        }
        shares
    }

    proptest! {
        #[test]
        fn fair_shares_are_those_of_giving_unit_by_unit(
            capacity in 0_u64..60, wants in prop::collection::vec(0_u64..30, 1..7),
        ) {
            let numbered: Vec<(u64, i64)> = wants.iter().copied().zip(0..).collect();
            let shares = fair_shares(capacity, 1, &numbered);
            prop_assert_eq!(shares, unit_by_unit(capacity, &wants));
        }
    }

    proptest! {
        // Each case is a database.
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Random claimants come, change their minds, end tasks, go and die.
        #[test]
        fn what_is_held_never_exceeds_the_machine_and_settles_at_the_fair_shares(
            steps in prop::collection::vec((0_usize..5, 0_u64..9, 0_u64..9, 0_u8..8), 1..40),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let capacity = 7;
            let ledger = ledger(&dir, &cpus(capacity));
            let mut model: BTreeMap<usize, (Claim, u64, u64)> = BTreeMap::new();
            for (who, wanted, in_use, event) in steps {
                if event == 0 {
                    model.remove(&who);
                    continue;
                }
                let entry = model.entry(who).or_insert_with(|| {
                    (ledger.claim(claimant(&who.to_string())).unwrap(), 0, 0)
                });
                let in_use = in_use.min(entry.2);
                let may_use = entry.0.update(&cpus(wanted), &cpus(in_use)).unwrap();
                let may_use = may_use.cpus_milli / 1_000;
                prop_assert!(may_use <= wanted);
                // What runs stays held, whatever may be started.
                (entry.1, entry.2) = (wanted, may_use.max(in_use));
                let sum: u64 = model.values().map(|(_, _, held)| held).sum();
                prop_assert!(sum <= capacity);
            }
            // All tasks end; everybody asks twice: once to let go, once to take.
            for _ in 0..2 {
                for (claim, wanted, held) in model.values_mut() {
                    let now = claim.update(&cpus(*wanted), &cpus(0)).unwrap();
                    *held = now.cpus_milli / 1_000;
                }
            }
            let wants: Vec<u64> = model.values().map(|(_, wanted, _)| *wanted).collect();
            let mut held: Vec<u64> = model.values().map(|(_, _, held)| *held).collect();
            let mut fair = unit_by_unit(capacity, &wants);
            // Who came first depends on the steps; the shares as such do not.
            held.sort_unstable();
            fair.sort_unstable();
            prop_assert_eq!(held, fair);
        }
    }

    const CHILD_LEDGER: &str = "JOURNAL_TEST_LEDGER";

    /// The child of the next test, in a process of its own.
    #[test]
    #[ignore = "runs as a child of another test"]
    fn hammer_a_ledger() {
        let Ok(path) = std::env::var(CHILD_LEDGER) else { return };
        let ledger = Ledger::open(Path::new(&path), cpus(7)).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let ledger = &ledger;
                scope.spawn(move || {
                    let run = format!("{}-{thread}", std::process::id());
                    let mut claim = ledger.claim(claimant(&run)).unwrap();
                    let mut held = 0;
                    for i in 0..20 {
                        let wanted = cpus(i * 7 % 5);
                        let in_use = cpus(held * (i % 2));
                        held = claim.update(&wanted, &in_use).unwrap().cpus_milli / 1_000;
                        let all = ledger.standings().unwrap();
                        let sum: u64 = all.iter().map(|s| s.held.cpus_milli).sum();
                        assert!(sum <= 7_000, "{sum}");
                    }
                });
            }
        });
    }

    #[test]
    fn many_processes_at_once_never_hold_more_than_the_machine() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        drop(ledger(&dir, &cpus(7)));
        let child = || {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "ledger::tests::hammer_a_ledger", "--ignored", "-q"])
                .env(CHILD_LEDGER, &path)
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        };
        let children = [child(), child(), child()];
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
    }
}
