//! `foreshard sim`: the proving ground. Plays random cases against the engine, and says what held.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Args, Subcommand};
use sim::faults::{Class, Fault};
use sim::suite::{Limits, Summary};

use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;

/// `sim`.
#[derive(Args, Debug)]
pub(crate) struct Sim {
    /// What to play
    #[command(subcommand)]
    what: What,
}

/// What to play.
#[derive(Debug, Subcommand)]
enum What {
    /// Random cases with every kind of fault; every invariant is checked, and every run must end
    Faults(Faults),
    /// Bugs that are put into the engine, one at a time, to see whether they are caught
    #[cfg(feature = "planted-bugs")]
    Planted(Planted),
}

/// `sim faults`.
#[derive(Args, Debug)]
struct Faults {
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    seeds: u64,
    /// At most so many tasks in a case
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    tasks: usize,
    /// Switch a class of faults off; can be given several times
    #[arg(long, value_name = "CLASS", value_parser = class)]
    without: Vec<Class>,
    /// How many threads
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: u64,
}

/// `sim planted`.
#[cfg(feature = "planted-bugs")]
#[derive(Args, Debug)]
struct Planted {
    /// How many seeds a bug may take to be caught
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    seeds: u64,
    /// Only this bug
    #[arg(long, value_name = "BUG")]
    bug: Option<String>,
}

fn class(text: &str) -> Result<Class, String> {
    let known = || Class::ALL.map(Class::name).join(", ");
    let found = Class::ALL.into_iter().find(|class| class.name() == text);
    found.ok_or_else(|| format!("one of {}", known()))
}

/// Plays.
///
/// # Errors
/// Something did not hold.
pub(crate) fn sim(args: Sim, screen: Screen) -> Result<Code, Failure> {
    // What panics is a finding like others, and is told with its seed.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let done = match args.what {
        What::Faults(args) => faults(args, screen),
        #[cfg(feature = "planted-bugs")]
        What::Planted(args) => planted(&args, screen),
    };
    std::panic::set_hook(hook);
    done
}

fn faults(args: Faults, screen: Screen) -> Result<Code, Failure> {
    let limits = Limits { tasks_max: args.tasks, without: args.without };
    let next = AtomicU64::new(args.seed);
    let end = args.seed.saturating_add(args.seeds);
    let work = || {
        let mut summary = Summary::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return summary;
            }
            summary.add(Summary::of([seed], &limits));
        }
    };
    let mut summary = Summary::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..args.threads.max(1)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            if let Ok(part) = thread.join() {
                summary.add(part);
            }
        }
    });
    screen.print(&table(&summary))?;
    if summary.failures.is_empty() {
        return Ok(Code::Succeeded);
    }
    let n = summary.failures.len();
    Err(Failure::new(Code::Internal, format!("{n} of {} seeds violate something", args.seeds)))
}

fn table(summary: &Summary) -> String {
    let mut text = String::new();
    for failure in &summary.failures {
        let _ = writeln!(text, "seed {}: {}", failure.seed, failure.violation);
        let _ = writeln!(text, "    {}", failure.command());
    }
    let Summary { n_seeds, n_tasks, n_attempts, n_records, hours, .. } = summary;
    let [succeeded, failed, cancelled] = summary.endings;
    let _ = writeln!(text, "{n_seeds} seeds, {} violations", summary.failures.len());
    let _ = writeln!(
        text,
        "{n_tasks} tasks, {n_attempts} attempts, {n_records} records, {hours:.0} virtual hours"
    );
    let _ = writeln!(text, "{succeeded} succeeded, {failed} failed, {cancelled} cancelled");
    let n_changes = summary.taken.intersection(&sim::watch::listed()).count();
    let _ = writeln!(text, "{n_changes} of {} changes of state", sim::watch::listed().len());
    let _ = writeln!(text, "{} faults:", summary.hits.total());
    for fault in Fault::ALL {
        let (name, class) = (fault.name(), fault.class().name());
        let _ = writeln!(text, "{:>10}  {name} ({class})", summary.hits.of(fault));
    }
    text
}

#[cfg(feature = "planted-bugs")]
fn planted(args: &Planted, screen: Screen) -> Result<Code, Failure> {
    use engine::planted::Bug;
    use sim::suite::planted::{catch, line};

    let is_asked = |bug: &&Bug| args.bug.as_deref().is_none_or(|name| name == bug.name());
    let mut n_missed = 0;
    screen.print("bug                      seeds  what gave it away\n")?;
    for &bug in Bug::ALL.iter().filter(is_asked) {
        let caught = catch(bug, args.seeds);
        n_missed += u32::from(caught.is_none());
        screen.print(&format!("{}\n", line(bug, caught.as_ref())))?;
    }
    if n_missed == 0 {
        return Ok(Code::Succeeded);
    }
    Err(Failure::new(Code::Internal, format!("{n_missed} planted bugs are not caught")))
}
