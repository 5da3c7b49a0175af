//! What a keeper costs: `true`, many times, through a keeper in a process of its own, against the
//! same by posix_spawn and nothing else. Both in turn, several times; the median of the ratios counts.
//!
//! `keeper_rate [N] [P]`: N tasks, P at a time; 10,000 and 2 if not said otherwise.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use engine::input::Report;
use engine::{AllocationId, AttemptId, Epoch};
use runner::keeper::KeeperOptions;
use runner::protocol::{
    Errand, LineReader, Order, Progress, Work, WorkCommand, WorkPlace, write_line,
};
use runner::run_dir::Project;
use spec::resources::MilliCpus;
use spec::{Resources, TaskId};

const ROUNDS: usize = 5;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, keeper, project, cpus] = &arguments[..]
        && keeper == "keeper"
    {
        return Ok(runner::keeper::run(options(Path::new(project), cpus.parse()?))?);
    }
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse().ok());
    let (n, parallel) = (number(1).unwrap_or(10_000), number(2).unwrap_or(2));
    let each = |span: Duration| span.as_secs_f64() * 1e6 / f64::from(n);
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (bare, kept) = (spawn(n, parallel)?, keep(n, parallel)?);
        ratios.push(bare.elapsed.as_secs_f64() / kept.elapsed.as_secs_f64());
        println!(
            "{round}: bare {:.0} us/task, kept {:.0} us/task; cpu {:.0} and {:.0} us/task",
            each(bare.elapsed),
            each(kept.elapsed),
            each(bare.cpu),
            each(kept.cpu),
        );
    }
    ratios.sort_by(f64::total_cmp);
    println!("rate of the keeper / bare rate, median of {ROUNDS}: {:.3}", ratios[ROUNDS / 2]);
    Ok(())
}

fn options(project: &Path, cpus: u32) -> KeeperOptions {
    KeeperOptions {
        run_dir: Project::new(project.to_owned()).run("rate").path().to_owned(),
        project: project.to_owned(),
        allocation: AllocationId(1),
        epoch: Epoch(1),
        capacity: Resources { cpus: MilliCpus::whole(cpus), ..Resources::default() },
        ledger: None,
    }
}

/// What a batch took: time on the clock, and cpu time of the process that starts the tasks, without
/// theirs.
#[derive(Clone, Copy)]
struct Took {
    elapsed: Duration,
    cpu: Duration,
}

/// Keeps `parallel` children going, each from a thread of its own: from one thread alone it would
/// be slower.
fn spawn(n: u32, parallel: u32) -> Fallible<Took> {
    let cpu_before = cpu_time(std::process::id())?;
    let started = Instant::now();
    let left = AtomicU32::new(n);
    let run = || -> std::io::Result<()> {
        let take = |left: u32| left.checked_sub(1);
        while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
            let mut command = Command::new("/bin/true");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status()?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..parallel).map(|_| scope.spawn(run)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("spawning does not panic"))
    })?;
    let (elapsed, cpu_after) = (started.elapsed(), cpu_time(std::process::id())?);
    Ok(Took { elapsed, cpu: cpu_after - cpu_before })
}

/// Cpu time of a process, without its children.
fn cpu_time(pid: u32) -> Fallible<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
    let ticks = fields.split_ascii_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks = ticks.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
}

/// The same through a keeper; its own start and end are not counted.
fn keep(n: u32, parallel: u32) -> Fallible<Took> {
    let project = tempfile::tempdir()?;
    let allocation =
        Project::new(project.path().to_owned()).run("rate").allocation(AllocationId(1));
    std::fs::create_dir_all(allocation.path())?;
    let mut orders = OpenOptions::new().create(true).append(true).open(allocation.orders())?;
    let mut keeper = Command::new(std::env::current_exe()?)
        .arg("keeper")
        .arg(project.path())
        .arg(parallel.to_string())
        .stdin(Stdio::null())
        .spawn()?;
    let progress = loop {
        if let Ok(file) = File::open(allocation.progress()) {
            break file;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let mut line = Vec::new();
    let works = (0..n).map(work).collect();
    write_line(&mut line, &Order { epoch: Epoch(1), what: Errand::Lease(works) });
    let started = Instant::now();
    orders.write_all(&line)?;
    let mut reader = LineReader::new(progress);
    let mut ended = 0;
    while ended < n {
        for line in reader.read::<Progress>()? {
            if let Progress::Report(Report::Committed { .. }) = line {
                ended += 1;
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let took = Took { elapsed: started.elapsed(), cpu: cpu_time(keeper.id())? };
    line.clear();
    write_line(&mut line, &Order { epoch: Epoch(1), what: Errand::Close });
    orders.write_all(&line)?;
    if !keeper.wait()?.success() {
        return Err("the keeper failed".into());
    }
    Ok(took)
}

fn work(task: u32) -> Work {
    Work {
        attempt: AttemptId(TaskId(task), 1),
        after: Vec::new(),
        position: task,
        granted: Resources { cpus: MilliCpus::ONE, ..Resources::default() },
        task: format!("true_{task}"),
        command: WorkCommand::Argv(vec!["/bin/true".into()]),
        wrap: None,
        unset: Vec::new(),
        secrets: Vec::new(),
        env: Vec::new(),
        place: WorkPlace::Project(".".into()),
        refuses_empty: false,
        timeout: None,
        is_idempotent: true,
        may_be_empty: Vec::new(),
    }
}
