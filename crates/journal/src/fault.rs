//! Named points at which a test harness lets the process die.
//!
//! Without the feature `fault-injection` a point is nothing. With it, the environment decides:
//! - `FORESHARD_CRASH_AT=<point>:<n>`: kill this process (SIGKILL) at the n-th hit of the point;
//! - `FORESHARD_CRASH_POWER=1`: before that, cut every open journal's WAL to what was synced;
//! - `FORESHARD_CRASH_COUNT=<file>`: append one line, the name, to the file at every hit, so that
//!   a harness can list the points of a run (and of all its processes) and their numbers.

#[cfg(not(feature = "fault-injection"))]
mod inert {
    /// A place where a test may let the process die; nothing in this build.
    #[inline(always)]
    pub fn point(_name: &str) {}

    /// Nothing in this build.
    pub(crate) struct Whole;

    impl Drop for Whole {
        #[inline(always)]
        fn drop(&mut self) {}
    }

    /// Nothing in this build.
    #[inline(always)]
    pub(crate) fn whole() -> Whole {
        Whole
    }
}

#[cfg(not(feature = "fault-injection"))]
pub use inert::point;

#[cfg(not(feature = "fault-injection"))]
pub(crate) use inert::whole;

#[cfg(feature = "fault-injection")]
pub use armed::{hits, point};

#[cfg(feature = "fault-injection")]
pub(crate) use armed::{Wal, register, whole};

#[cfg(feature = "fault-injection")]
mod armed {
    use std::collections::BTreeMap;
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, Weak};

    /// A WAL and how much of it is safe.
    #[derive(Debug)]
    pub(crate) struct Wal {
        pub(crate) path: PathBuf,
        pub(crate) synced_bytes: AtomicU64,
    }

    struct Faults {
        crash_at: Option<(String, u64)>,
        power: bool,
        count: Option<File>,
        hits: Mutex<BTreeMap<String, u64>>,
        wals: Mutex<Vec<Weak<Wal>>>,
        /// Held for writing by the thread that dies.
        gate: RwLock<()>,
    }

    fn faults() -> &'static Faults {
        static FAULTS: OnceLock<Faults> = OnceLock::new();
        FAULTS.get_or_init(|| {
            let text = |name| std::env::var(name).ok();
            let open = |path: String| {
                OpenOptions::new().create(true).append(true).open(path).expect("a countable file")
            };
            Faults {
                crash_at: text("FORESHARD_CRASH_AT").map(|text| {
                    let (point, n) = text.rsplit_once(':').expect("<point>:<n>");
                    (point.to_owned(), n.parse().expect("<point>:<n>"))
                }),
                power: text("FORESHARD_CRASH_POWER").is_some_and(|text| text == "1"),
                count: text("FORESHARD_CRASH_COUNT").map(open),
                hits: Mutex::default(),
                wals: Mutex::default(),
                gate: RwLock::default(),
            }
        })
    }

    /// A place where a test may let the process die.
    pub fn point(name: &str) {
        let faults = faults();
        let mut hits = faults.hits.lock().unwrap_or_else(PoisonError::into_inner);
        let hit = hits.entry(name.to_owned()).or_default();
        *hit += 1;
        if let Some(mut file) = faults.count.as_ref() {
            writeln!(file, "{name}").expect("a count can be written");
        }
        if faults.crash_at.as_ref().is_some_and(|(point, n)| point == name && n == hit) {
            die(faults);
        }
    }

    /// The number of hits of each point in a file written through `FORESHARD_CRASH_COUNT`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn hits(file: &Path) -> std::io::Result<BTreeMap<String, u64>> {
        let mut hits = BTreeMap::new();
        for point in std::fs::read_to_string(file)?.lines() {
            *hits.entry(point.to_owned()).or_default() += 1;
        }
        Ok(hits)
    }

    /// Makes a WAL known to a crash by power loss, for as long as it is held.
    pub(crate) fn register(path: PathBuf, synced_bytes: u64) -> Arc<Wal> {
        let wal = Arc::new(Wal { path, synced_bytes: AtomicU64::new(synced_bytes) });
        let mut wals = faults().wals.lock().unwrap_or_else(PoisonError::into_inner);
        wals.retain(|wal| wal.strong_count() > 0);
        wals.push(Arc::downgrade(&wal));
        wal
    }

    /// While this is held no other thread lets the process die: between cutting a WAL and the end
    /// of the process, nobody may read or sync it.
    pub(crate) fn whole() -> RwLockReadGuard<'static, ()> {
        faults().gate.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn die(faults: &Faults) -> ! {
        let _gate = faults.gate.write().unwrap_or_else(PoisonError::into_inner);
        if faults.power {
            let wals = faults.wals.lock().unwrap_or_else(PoisonError::into_inner);
            for wal in wals.iter().filter_map(Weak::upgrade) {
                if let Ok(file) = OpenOptions::new().write(true).open(&wal.path) {
                    let now = file.metadata().map_or(0, |meta| meta.len());
                    let synced = wal.synced_bytes.load(Ordering::SeqCst);
                    file.set_len(now.min(synced)).expect("a WAL can be cut");
                }
            }
        }
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::KILL).expect("own process");
        loop {
            std::thread::park();
        }
    }
}
