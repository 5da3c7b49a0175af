//! Starts a keeper, gives it orders, and waits for what it says.

#![expect(clippy::unwrap_used, reason = "a scene that cannot be set up is a failed test")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use engine::cause::FailureCause;
use engine::input::Report;
use engine::{AllocationId, AttemptId, Epoch};
use runner::keeper::KeeperOptions;
use runner::process;
use runner::protocol::{
    Errand, LineReader, Order, Progress, Work, WorkCommand, WorkPlace, write_line,
};
use runner::run_dir::{AllocationDir, Project, RunDir};
use rustix::process::{Pid, Signal};
use spec::resources::MilliCpus;
use spec::{Resources, TaskId};

/// Long enough for the slowest machine; nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(120);

const ASKED: &str = "FORESHARD_TEST_KEEPER";

/// Becomes a keeper, if this process was started as one.
pub(crate) fn keep_if_asked() {
    let Ok(asked) = std::env::var(ASKED) else { return };
    let [project, cpus, ledger] = asked.split('@').collect::<Vec<_>>().try_into().unwrap();
    let project = PathBuf::from(project);
    let run_dir = run_dir(&project);
    runner::keeper::run(KeeperOptions {
        run_dir: run_dir.path().to_owned(),
        project,
        allocation: AllocationId(1),
        epoch: Epoch(1),
        capacity: Resources {
            cpus: MilliCpus::whole(cpus.parse().unwrap()),
            memory: spec::Bytes(1 << 40),
            ..Resources::default()
        },
        ledger: (!ledger.is_empty()).then(|| PathBuf::from(ledger)),
    })
    .unwrap();
}

/// The run of a project. Its name must be its own on this machine: all that is known of a dead
/// keeper's processes is the name of their run.
fn run_dir(project: &Path) -> RunDir {
    let name = project.file_name().unwrap().to_string_lossy();
    Project::new(project.to_owned()).run(&format!("r{}", name.trim_start_matches('.')))
}

/// Sends a signal to a process that this test has started.
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Names the first try at a task.
pub(crate) fn attempt(task: u32) -> AttemptId {
    AttemptId(TaskId(task), 1)
}

/// How the keeper holds tasks to their memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limits {
    /// By control groups, where it can make some.
    ByKernel,
    /// By looking.
    BySampling,
}

fn spawn(
    project: &Path,
    allocation: &AllocationDir,
    (cpus, ledger, limits): (u32, &str, Limits),
) -> Child {
    let log = OpenOptions::new().create(true).append(true).open(allocation.keeper_log()).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "keeper_process", "--nocapture"])
        .env("FORESHARD_CGROUPS", if limits == Limits::ByKernel { "yes" } else { "no" })
        .env(ASKED, format!("{}@{cpus}@{ledger}", project.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0)
        .spawn()
        .unwrap()
}

/// A private place with these outputs.
pub(crate) fn private(outputs: &[&str]) -> WorkPlace {
    let outputs = outputs.iter().map(|&output| output.to_owned()).collect();
    WorkPlace::Private { workdir: ".".into(), links: Vec::new(), outputs }
}

/// A keeper and its files.
pub(crate) struct Kept {
    _dir: tempfile::TempDir,
    project: PathBuf,
    run: RunDir,
    allocation: AllocationDir,
    orders: File,
    reader: LineReader,
    seen: Vec<Progress>,
    child: Child,
    epoch: Epoch,
}

impl Kept {
    /// A keeper of allocation `a1` of a run of its own, with so many cpus.
    pub(crate) fn start(cpus: u32) -> Self {
        Self::start_with(cpus, "", Limits::ByKernel)
    }

    /// The same on a machine with a ledger.
    pub(crate) fn start_sharing(cpus: u32, ledger: &str) -> Self {
        Self::start_with(cpus, ledger, Limits::ByKernel)
    }

    /// The same with memory limited in one of two ways.
    pub(crate) fn start_limiting(cpus: u32, limits: Limits) -> Self {
        Self::start_with(cpus, "", limits)
    }

    fn start_with(cpus: u32, ledger: &str, limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().canonicalize().unwrap();
        let run = run_dir(&project);
        let allocation = run.allocation(AllocationId(1));
        std::fs::create_dir_all(allocation.path()).unwrap();
        let orders =
            OpenOptions::new().create(true).append(true).open(allocation.orders()).unwrap();
        let mut child = spawn(&project, &allocation, (cpus, ledger, limits));
        let started = Instant::now();
        let progress = loop {
            if let Ok(file) = File::open(allocation.progress()) {
                break file;
            }
            assert!(child.try_wait().unwrap().is_none() && started.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(2));
        };
        let (reader, seen, epoch) = (LineReader::new(progress), Vec::new(), Epoch(1));
        Self { _dir: dir, project, run, allocation, orders, reader, seen, child, epoch }
    }

    pub(crate) fn project(&self) -> &Path {
        &self.project
    }

    /// The epoch of orders from here on.
    pub(crate) fn epoch(&mut self, epoch: u64) {
        self.epoch = Epoch(epoch);
    }

    pub(crate) fn work(&self, task: u32, command: WorkCommand) -> Work {
        Work {
            attempt: attempt(task),
            after: Vec::new(),
            position: task,
            granted: Resources { cpus: MilliCpus::ONE, ..Resources::default() },
            task: format!("task{task}"),
            command,
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

    pub(crate) fn shell(&self, task: u32, script: &str) -> Work {
        self.work(task, WorkCommand::Shell(script.into()))
    }

    pub(crate) fn order(&mut self, what: Errand) {
        let mut line = Vec::new();
        write_line(&mut line, &Order { epoch: self.epoch, what });
        self.orders.write_all(&line).unwrap();
    }

    pub(crate) fn lease(&mut self, works: impl IntoIterator<Item = Work>) {
        self.order(Errand::Lease(works.into_iter().collect()));
    }

    pub(crate) fn kill(&mut self, task: u32) {
        self.order(Errand::Kill(vec![attempt(task)]));
    }

    /// Waits for the attempt's process and returns its number.
    pub(crate) fn started(&mut self, task: u32) -> u32 {
        self.find(|line| match line {
            Progress::Report(Report::Started { attempt: at, pid, .. }) if *at == attempt(task) => {
                Some(*pid)
            }
            _ => None,
        })
    }

    /// Waits for the report with which an attempt is over.
    pub(crate) fn end_of(&mut self, task: u32) -> Report {
        self.find(|line| match line {
            Progress::Report(
                report @ (Report::Committed { attempt: at, .. }
                | Report::Failed { attempt: at, .. }
                | Report::Returned { attempt: at }
                | Report::Killed { attempt: at, .. }),
            ) if *at == attempt(task) => Some(report.clone()),
            _ => None,
        })
    }

    /// Waits until the keeper reports that it may use so many cpus.
    pub(crate) fn may_use(&mut self, cpus: u32) {
        let expected = MilliCpus::whole(cpus);
        self.find(|line| match line {
            Progress::Report(Report::Capacity { capacity }) => {
                (capacity.cpus == expected).then_some(())
            }
            _ => None,
        });
    }

    /// Waits for an attempt to fail, and says why.
    pub(crate) fn cause_of(&mut self, task: u32) -> FailureCause {
        match self.end_of(task) {
            Report::Failed { cause, .. } => cause,
            other => panic!("did not fail: {other:?}"),
        }
    }

    /// Ends the keeper in order and returns all it ever said.
    pub(crate) fn close(&mut self) -> Vec<Progress> {
        self.order(Errand::Close);
        self.find(|line| (*line == Progress::Bye).then_some(()));
        assert!(self.child.wait().unwrap().success());
        self.seen.clone()
    }

    /// Waits until the keeper has ended in any way and returns all it ever said.
    pub(crate) fn wait(&mut self) -> Vec<Progress> {
        self.child.wait().unwrap();
        self.seen.extend(self.reader.read().unwrap());
        self.seen.clone()
    }

    /// A second keeper for the same allocation.
    pub(crate) fn start_again(&self) -> Child {
        spawn(&self.project, &self.allocation, (1, "", Limits::ByKernel))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The name of the run.
    pub(crate) fn run(&self) -> String {
        self.run.id()
    }

    /// What an orchestrator does when a keeper is dead.
    pub(crate) fn kill_allocation(&self) {
        assert!(process::kill_allocation(&self.run(), AllocationId(1)).is_empty());
    }

    /// Whether the process is alive that wrote its number to a file of the project.
    pub(crate) fn is_alive(&self, file: &str) -> bool {
        let text = std::fs::read_to_string(self.project.join(file)).unwrap();
        process::Stat::of(text.trim().parse().unwrap()).is_some_and(|stat| !stat.is_dead())
    }

    /// Kills the keeper with nothing but its own process.
    pub(crate) fn kill_keeper(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until something is so.
    pub(crate) fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is_so(self) {
            assert!(started.elapsed() < PATIENCE, "{}", self.complaint());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn stdout(&self, task: u32) -> Option<String> {
        std::fs::read_to_string(self.run.stdout(attempt(task))).ok()
    }

    pub(crate) fn stderr(&self, task: u32) -> Option<String> {
        std::fs::read_to_string(self.run.stderr(attempt(task))).ok()
    }

    pub(crate) fn slot_stdout(&self, slot: u32) -> String {
        std::fs::read_to_string(self.allocation.slot_log(slot, "out")).unwrap_or_default()
    }

    pub(crate) fn attempt_dir(&self, task: u32) -> PathBuf {
        self.run.attempt(attempt(task))
    }

    /// Processes of this keeper's tasks that are not dead.
    pub(crate) fn left(&self) -> Vec<u32> {
        let project = self.project.display().to_string();
        let variable = format!("FORESHARD_PROJECT={project}");
        let is_ours = |pid: u32| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|found| found == variable.as_bytes())
        };
        let stats = process::all().into_iter().filter(|stat| !stat.is_dead());
        stats.map(|stat| stat.pid).filter(|&pid| is_ours(pid)).collect()
    }

    pub(crate) fn assert_nothing_is_left(&self) {
        assert_eq!(self.left(), [] as [u32; 0]);
    }

    fn find<T>(&mut self, look: impl Fn(&Progress) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = self.seen.iter().find_map(&look) {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "{}", self.complaint());
            let new = self.reader.read().unwrap();
            if new.is_empty() {
                std::thread::sleep(Duration::from_millis(2));
            }
            self.seen.extend(new);
        }
    }

    fn complaint(&self) -> String {
        let log = std::fs::read_to_string(self.allocation.keeper_log()).unwrap_or_default();
        format!("waited in vain; the keeper said {log:?} and {:?}", self.seen)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Only what this test started; a run's name is the same in all tests, the project is not.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in self.left() {
            if let Some(start) = process::start_ticks(pid) {
                process::kill(pid, start);
            }
        }
    }
}
