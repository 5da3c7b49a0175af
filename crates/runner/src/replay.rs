//! What a replayed task does: it takes the time, cpu and memory that another one once took, and
//! writes files of the same sizes.
//!
//! Runs in a process of its own, as `foreshard replay-task`, so that everything that watches,
//! limits or kills tasks meets a real one. Knows nothing of recordings:
//! [`spec::wfformat`] wrote the arguments.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use spec::Bytes;

/// How much is written at a time.
const BLOCK: usize = 256 << 10;

/// What to replay.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayTask {
    /// From start to end.
    pub wall: Duration,
    /// Cpus kept busy on average over that time; may exceed 1.
    pub cpu: f64,
    /// Bytes held until the end.
    pub memory: usize,
    /// Files and their sizes, in bytes.
    pub outputs: Vec<(PathBuf, u64)>,
}

/// Why a task cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Arguments that no recording wrote.
    #[error("`replay-task` cannot read its arguments: {0}")]
    Arguments(String),
    /// The recorded task had more memory than there is here.
    #[error("{bytes} bytes of memory are not to be had; a smaller `--scale-memory` asks for less")]
    Memory {
        /// How much was asked.
        bytes: usize,
    },
    /// An output cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Output {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Replays a task from the arguments that follow `replay-task`.
///
/// # Errors
/// What keeps it from taking what it should, or from writing what it should.
pub fn replay_task(arguments: &[String]) -> Result<(), ReplayError> {
    ReplayTask::from_arguments(arguments)?.run()
}

impl ReplayTask {
    /// `--seconds 1.5 --cpu 0.9 --memory 1000 --sizes 10,20 -- FILE FILE`
    ///
    /// # Errors
    /// [`ReplayError::Arguments`].
    pub fn from_arguments(arguments: &[String]) -> Result<Self, ReplayError> {
        let wrong = |what: &str| ReplayError::Arguments(what.to_owned());
        let dashes = arguments.iter().position(|word| word == "--");
        let (options, files) = match dashes {
            Some(at) => (&arguments[..at], &arguments[at + 1..]),
            None => (arguments, &[][..]),
        };
        let (mut wall, mut cpu, mut memory, mut sizes) = (Duration::ZERO, 0.0, 0, Vec::new());
        for pair in options.chunks(2) {
            let [name, value] = pair else { return Err(wrong("an option lacks its value")) };
            let number = |value: &str| {
                let number = value.parse::<f64>().ok().filter(|n| (0.0..=1e12).contains(n));
                number.ok_or_else(|| wrong(&format!("`{value}` is not a number from 0 on")))
            };
            let whole = |value: &str| {
                value.parse::<u64>().map_err(|_| wrong(&format!("`{value}` is not a size")))
            };
            match name.as_str() {
                "--seconds" => wall = Duration::from_secs_f64(number(value)?),
                "--cpu" => cpu = number(value)?,
                "--memory" => memory = usize::try_from(whole(value)?).unwrap_or(usize::MAX),
                "--sizes" if value.is_empty() => {}
                "--sizes" => sizes = value.split(',').map(whole).collect::<Result<_, _>>()?,
                _ => return Err(wrong(&format!("`{name}` is not an option"))),
            }
        }
        if sizes.len() != files.len() {
            return Err(wrong(&format!("{} sizes of {} files", sizes.len(), files.len())));
        }
        let outputs = files.iter().map(PathBuf::from).zip(sizes).collect();
        Ok(Self { wall, cpu, memory, outputs })
    }

    /// Takes what the task took. What writing takes counts towards time and cpu.
    ///
    /// # Errors
    /// There is not enough memory, or an output cannot be written.
    pub fn run(&self) -> Result<(), ReplayError> {
        let start = Instant::now();
        let memory = self.hold()?;
        for (path, size) in &self.outputs {
            let failed = |source| ReplayError::Output { path: path.clone(), source };
            write_file(path, *size).map_err(failed)?;
        }
        std::thread::scope(|scope| {
            for share in shares(self.cpu) {
                scope.spawn(move || burn(self.wall.mul_f64(share)));
            }
        });
        std::thread::sleep(self.wall.saturating_sub(start.elapsed()));
        drop(black_box(memory));
        Ok(())
    }

    /// Memory that was written to, so that it is resident.
    fn hold(&self) -> Result<Vec<u8>, ReplayError> {
        let mut memory = Vec::new();
        let refused = |_| ReplayError::Memory { bytes: self.memory };
        memory.try_reserve_exact(self.memory).map_err(refused)?;
        memory.resize(self.memory, 1);
        Ok(memory)
    }
}

/// One thread for each cpu, the last one for what is left: 2.5 is 1, 1 and 0.5.
fn shares(cpu: f64) -> Vec<f64> {
    // More threads than a machine has cpus would only take turns.
    const MAX_THREADS: f64 = 256.0;
    let cpu = cpu.min(MAX_THREADS);
    let mut shares = vec![1.0; cpu.floor() as usize];
    if cpu.fract() > 0.0 {
        shares.push(cpu.fract());
    }
    shares
}

/// Keeps this thread busy until it has had so much cpu, however long it must wait for it.
fn burn(cpu: Duration) {
    let used = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
        Duration::from_secs(seconds) + Duration::from_nanos(nanos)
    };
    let end = used() + cpu;
    let mut state = 1_u64;
    while used() < end {
        // Some ten microseconds between two looks at the clock.
        for _ in 0..10_000 {
            state = black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}

/// Every byte is written; the same path always gets the same bytes, and another one others.
fn write_file(path: &Path, size: u64) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = File::create(path)?;
    let mut block = vec![0; usize::try_from(size).unwrap_or(BLOCK).min(BLOCK)];
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    blake3::Hasher::new().update(name).finalize_xof().fill(&mut block);
    let mut left = size;
    while left > 0 {
        let now = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        file.write_all(&block[..now])?;
        left -= now as u64;
    }
    Ok(())
}

/// Makes the initial inputs of a replay: as long as recorded, with nothing in them.
///
/// A file that is there in the right length stays as it is.
///
/// # Errors
/// A file cannot be made, with its path in the message.
pub fn create_initial_inputs(root: &Path, inputs: &[(&str, Bytes)]) -> io::Result<()> {
    for (path, size) in inputs {
        let whole = root.join(path);
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("cannot make {}: {error}", whole.display()))
        };
        let there = std::fs::symlink_metadata(&whole);
        if there.is_ok_and(|found| found.is_file() && found.len() == size.0) {
            continue;
        }
        if let Some(folder) = whole.parent() {
            std::fs::create_dir_all(folder).map_err(named)?;
        }
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(flags)
            .open(&whole);
        file.and_then(|file| file.set_len(size.0)).map_err(named)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use spec::command::Bindings;
    use spec::wfformat::{PROGRAM, ReplayOptions, parse};

    use super::*;

    fn read(line: &str) -> Result<ReplayTask, ReplayError> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        ReplayTask::from_arguments(&words)
    }

    #[test]
    fn arguments_that_no_recording_wrote_are_refused() {
        for line in [
            "--seconds -1",
            "--seconds NaN",
            "--cpu",
            "--memory 1.5",
            "--sizes 1,,2 -- a b",
            "--sizes 1 -- a b",
            "--size 1 -- a",
        ] {
            assert!(matches!(read(line), Err(ReplayError::Arguments(_))), "{line}");
        }
    }

    #[test]
    fn the_arguments_of_a_recorded_task_are_understood() {
        let text = r#"{"name": "w", "schemaVersion": "1.5", "workflow": {
            "specification": {
                "tasks": [{"name": "t", "id": "t", "parents": [], "children": [],
                           "outputFiles": ["a", "b"]},
                          {"name": "u", "id": "u", "parents": [], "children": []}],
                "files": [{"id": "a", "sizeInBytes": 10}, {"id": "b", "sizeInBytes": 0}]},
            "execution": {"makespanInSeconds": 1, "executedAt": "", "tasks": [
                {"id": "t", "runtimeInSeconds": 2.5, "avgCPU": 150, "memoryInBytes": 4096}]}}}"#;
        let (workflow, diagnostics) = parse(text, &ReplayOptions::default());
        let workflow = workflow.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let arguments = |id: &str| {
            let task = workflow.find_task(id).unwrap();
            let files = workflow.outputs(task).iter();
            let outputs: Vec<_> =
                files.map(|&file| workflow.files().path(file).to_owned()).collect();
            let granted = workflow.resources(task).clone();
            let bindings = Bindings {
                inputs: &[Vec::new()],
                outputs: &outputs,
                granted: &granted,
                attempt: 1,
                project: "/project",
                run: "run",
            };
            let argv = workflow.command(task, &bindings).unwrap().into_argv();
            assert_eq!(argv[..2], [PROGRAM, "replay-task"]);
            ReplayTask::from_arguments(&argv[2..]).unwrap()
        };
        let expected = ReplayTask {
            wall: Duration::from_millis(2_500),
            cpu: 1.5,
            memory: 4_096,
            outputs: vec![("replay/w/a".into(), 10), ("replay/w/b".into(), 0)],
        };
        assert_eq!(arguments("t"), expected);
        assert_eq!(arguments("u").outputs, []);
    }

    #[test]
    fn outputs_have_their_sizes_on_the_disk_and_bytes_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join("deep").join(name);
        let sizes = [("none", 0), ("one", 1), ("many", 3 * BLOCK as u64 + 7)];
        let outputs = sizes.map(|(name, size)| (path(name), size)).into();
        let task = ReplayTask { wall: Duration::ZERO, cpu: 1.5, memory: 10_001, outputs };
        task.run().unwrap();
        for (name, size) in sizes {
            let found = std::fs::metadata(path(name)).unwrap();
            assert_eq!(found.len(), size);
            assert!(found.blocks() * 512 >= size, "{name} has holes");
        }
        let many = std::fs::read(path("many")).unwrap();
        task.run().unwrap();
        assert!(std::fs::read(path("many")).unwrap() == many, "the same again");
        assert_ne!(many[..1], std::fs::read(path("one")).unwrap()[..]);
    }

    #[test]
    fn memory_that_is_not_to_be_had_is_named() {
        let task =
            ReplayTask { wall: Duration::ZERO, cpu: 0.0, memory: usize::MAX, outputs: Vec::new() };
        assert!(matches!(task.run(), Err(ReplayError::Memory { bytes: usize::MAX })));
    }

    #[test]
    fn cpu_is_shared_among_threads() {
        assert_eq!(shares(2.5), [1.0, 1.0, 0.5]);
        assert_eq!(shares(0.25), [0.25]);
        assert!(shares(0.0).is_empty());
        assert_eq!(shares(1e9).len(), 256);
    }

    #[test]
    fn initial_inputs_are_long_but_take_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = [("replay/w/+big", Bytes(1 << 30)), ("replay/w/kept", Bytes(3))];
        std::fs::create_dir_all(folder.path().join("replay/w")).unwrap();
        std::fs::write(folder.path().join("replay/w/kept"), "abc").unwrap();
        create_initial_inputs(folder.path(), &inputs).unwrap();
        let big = std::fs::metadata(folder.path().join("replay/w/+big")).unwrap();
        assert_eq!(big.len(), 1 << 30);
        assert!(big.blocks() < 1_000);
        assert_eq!(std::fs::read(folder.path().join("replay/w/kept")).unwrap(), b"abc");
    }

    #[test]
    fn an_initial_input_is_not_made_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("outside"), "precious").unwrap();
        std::os::unix::fs::symlink("outside", folder.path().join("link")).unwrap();
        assert!(create_initial_inputs(folder.path(), &[("link", Bytes(1))]).is_err());
        assert_eq!(std::fs::read(folder.path().join("outside")).unwrap(), b"precious");
    }
}
