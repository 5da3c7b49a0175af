//! Random cases by the thousand: every fault, every invariant, every run to its end.
//!
//! A seed is a case: a workflow, a plan, places, what each task does, and a swarm of faults that
//! strike until a time. From then on the world behaves and the run must end. A seed that fails is
//! shrunk to fewer tasks and fewer kinds of faults, and says how to play it again.

mod case;
mod chaos;
#[cfg(feature = "planted-bugs")]
pub mod planted;
mod shrink;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::faults::{Class, Fault, Hits};
use crate::outcome::{Ending, Outcome};
use crate::watch::{Taken, Violation};
use crate::world::World;

/// Which part of a seed's case is played: all of it, or what shrinking has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// At most so many tasks.
    pub tasks_max: usize,
    /// Classes of faults that are switched off.
    pub without: Vec<Class>,
}

impl Limits {
    /// Nothing is left out.
    pub const NONE: Self = Self { tasks_max: usize::MAX, without: Vec::new() };
}

/// A seed that violated something.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Which.
    pub seed: u64,
    /// What shrinking has left of it.
    pub limits: Limits,
    /// What does not hold.
    pub violation: Violation,
}

impl Failure {
    /// What to type to see it again.
    #[must_use]
    pub fn command(&self) -> String {
        let mut text = format!("foreshard sim faults --seed {} --seeds 1", self.seed);
        if self.limits.tasks_max < usize::MAX {
            let _ = write!(text, " --tasks {}", self.limits.tasks_max);
        }
        for class in &self.limits.without {
            let _ = write!(text, " --without {class}");
        }
        text
    }
}

/// What many seeds came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many seeds were played.
    pub n_seeds: u64,
    /// By kind, how often faults struck.
    pub hits: Hits,
    /// Tasks in all.
    pub n_tasks: u64,
    /// Processes in all.
    pub n_attempts: u64,
    /// Records in all, those lost in crashes too.
    pub n_records: u64,
    /// What happened in all.
    pub n_happenings: u64,
    /// Hours of virtual time.
    pub hours: f64,
    /// Runs that succeeded, failed, and were cancelled.
    pub endings: [u64; 3],
    /// Changes of state that were seen.
    pub taken: Taken,
    /// Seeds that violated something, shrunk.
    pub failures: Vec<Failure>,
}

impl Summary {
    /// Plays seeds; those that fail are shrunk, the first few of them.
    #[must_use]
    pub fn of(seeds: impl IntoIterator<Item = u64>, limits: &Limits) -> Self {
        const SHRUNK_MAX: usize = 3;
        let mut summary = Self::default();
        for seed in seeds {
            let played = play(seed, limits);
            if let Err(violation) = summary.count(played) {
                let failure = Failure { seed, limits: limits.clone(), violation };
                let is_few = summary.failures.len() < SHRUNK_MAX;
                summary.failures.push(if is_few { shrink::shrink(failure) } else { failure });
            }
        }
        summary
    }

    fn count(&mut self, played: Result<Played, Violation>) -> Result<(), Violation> {
        self.n_seeds += 1;
        let Played { outcome, n_tasks } = played?;
        self.hits.add(&outcome.hits);
        self.n_tasks += n_tasks as u64;
        self.n_attempts += outcome.attempts;
        self.n_records += outcome.n_records;
        self.n_happenings += outcome.n_happenings;
        self.hours += outcome.makespan.as_secs_f64() / 3_600.0;
        self.taken.extend(outcome.taken);
        match outcome.ending {
            Ending::Finished(engine::Outcome::Succeeded) => self.endings[0] += 1,
            Ending::Finished(engine::Outcome::Failed) => self.endings[1] += 1,
            Ending::Finished(engine::Outcome::Cancelled) => self.endings[2] += 1,
            Ending::Finished(engine::Outcome::Stalled) => {
                return Err(Violation::of("L1", "the run has stalled"));
            }
            Ending::GaveUp => return Err(Violation::of("L1", "the run does not end in time")),
            Ending::Violated(violation) => return Err(violation),
        }
        Ok(())
    }

    /// Adds what other seeds came to.
    pub fn add(&mut self, other: Self) {
        self.n_seeds += other.n_seeds;
        self.hits.add(&other.hits);
        self.n_tasks += other.n_tasks;
        self.n_attempts += other.n_attempts;
        self.n_records += other.n_records;
        self.n_happenings += other.n_happenings;
        self.hours += other.hours;
        for (mine, theirs) in self.endings.iter_mut().zip(other.endings) {
            *mine += theirs;
        }
        self.taken.extend(other.taken);
        self.failures.extend(other.failures);
        self.failures.sort_by_key(|failure| failure.seed);
    }

    /// Kinds of faults that never struck.
    #[must_use]
    pub fn missing(&self) -> Vec<Fault> {
        Fault::ALL.into_iter().filter(|&fault| self.hits.of(fault) == 0).collect()
    }
}

/// One seed, played to its end.
#[derive(Clone, Debug)]
pub struct Played {
    /// What came of it.
    pub outcome: Outcome,
    /// How many tasks the case has.
    pub n_tasks: usize,
}

/// Plays the case of a seed.
///
/// # Errors
/// The engine gave up: it met something that it takes to be impossible.
pub fn play(seed: u64, limits: &Limits) -> Result<Played, Violation> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let setup = case::setup(seed, limits);
        let n_tasks = setup.workflow.n_tasks();
        Played { outcome: World::new(setup).run(), n_tasks }
    }));
    played.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Violation::of("P", format!("panicked: {}", text.unwrap_or("no text")))
    })
}
