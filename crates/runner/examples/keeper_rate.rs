//! What a keeper costs: `true`, many times, through a keeper in a process of its own, against the
//! same by posix_spawn and nothing else. Both in turn, several times; the ratio of the medians
//! counts.
//!
//! `keeper_rate [N] [P]`: N tasks, P at a time; 10,000 and 2 if not said otherwise.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use engine::input::Report;
use engine::{AllocationId, AttemptId, Epoch};
use runner::keeper::KeeperOptions;
use runner::protocol::{
    Errand, LineReader, Order, Progress, Work, WorkCommand, WorkPlace, write_line,
};
use runner::run_dir::Project;
use rustix::process::WaitOptions;
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
    let (mut bare, mut kept) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        bare.push(spawn(n, parallel)?);
        kept.push(keep(n, parallel)?);
        let of = |times: &[Duration]| times[round - 1].as_secs_f64() * 1e6 / f64::from(n);
        println!("{round}: bare {:.0} us/task, kept {:.0} us/task", of(&bare), of(&kept));
    }
    bare.sort();
    kept.sort();
    let (bare, kept) = (bare[ROUNDS / 2].as_secs_f64(), kept[ROUNDS / 2].as_secs_f64());
    println!("rate of the keeper / bare rate: {:.3}", bare / kept);
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

/// Keeps `parallel` children going from one thread.
fn spawn(n: u32, parallel: u32) -> Fallible<Duration> {
    let started = Instant::now();
    for i in 0..n {
        if i >= parallel {
            rustix::process::wait(WaitOptions::empty())?;
        }
        let mut command = Command::new("/bin/true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn()?;
    }
    for _ in 0..parallel.min(n) {
        rustix::process::wait(WaitOptions::empty())?;
    }
    Ok(started.elapsed())
}

/// The same through a keeper; its own start and end are not counted.
fn keep(n: u32, parallel: u32) -> Fallible<Duration> {
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
    let took = started.elapsed();
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
        env: Vec::new(),
        place: WorkPlace::Project(".".into()),
        timeout: None,
        is_idempotent: true,
    }
}
