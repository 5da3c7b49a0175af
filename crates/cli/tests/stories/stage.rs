//! The folder a story plays in, and the program that plays.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with the files of a story.
pub(crate) struct Stage {
    dir: TempDir,
}

/// What the program said, and how it ended.
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A run that goes on while the story does.
pub(crate) struct Going {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Stage {
    /// With these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let stage = Self { dir: TempDir::new().unwrap() };
        for (path, text) in files {
            stage.write(path, text);
        }
        stage
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn allow_to_run(&self, path: &str) {
        self.allow(path, 0o755);
    }

    pub(crate) fn allow(&self, path: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(self.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Names of what lies in a folder, in order.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The program with these words, in this folder, in an environment that says nothing.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_foreshard"));
        command.args(words).current_dir(self.dir.path()).stdin(Stdio::null());
        command
            .env_remove("NO_COLOR")
            .env_remove("FORESHARD_DATA")
            .env("TERM", "xterm")
            .env("FORESHARD_LEDGER", "none");
        command
    }

    /// Types the words and waits for the end.
    pub(crate) fn foreshard(&self, words: &[&str]) -> Told {
        Told::of(self.command(words))
    }

    /// Types the words, gives this on standard input, and waits for the end.
    pub(crate) fn fed(&self, words: &[&str], input: &str) -> Told {
        let mut command = self.command(words);
        self.write(".fed", input);
        command.stdin(std::fs::File::open(self.path(".fed")).unwrap());
        Told::of(command)
    }

    /// Types the words at a terminal of 80 columns and shows `watch` what stands on it each time
    /// something is added; in the end that is all that was printed.
    pub(crate) fn at_a_terminal(&self, mut command: Command, watch: impl Fn(&str)) -> Told {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let size = rustix::termios::Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&screen, size).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
        let open = || std::fs::OpenOptions::new().read(true).write(true).open(&name).unwrap();
        let mut child = command.stdout(open()).stderr(open()).spawn().unwrap();
        // Only the program may hold the terminal open, or its end is never seen.
        drop(command);
        let (mut shown, mut buffer) = (Vec::new(), [0; 4096]);
        // A terminal that everybody has left is an error to read from.
        while let Ok(length) = rustix::io::read(&screen, &mut buffer) {
            shown.extend(&buffer[..length]);
            watch(&String::from_utf8_lossy(&shown));
        }
        let out = String::from_utf8_lossy(&shown).into_owned();
        Told { code: child.wait().unwrap().code().unwrap(), out, err: String::new() }
    }

    /// Begins `run --json` and reads its events as they come.
    pub(crate) fn begin(&self, words: &[&str]) -> Going {
        let mut command = self.command(words);
        let mut child = command.arg("--json").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Going { child, lines }
    }
}

impl Told {
    pub(crate) fn of(mut command: Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().expect("the program ends by itself");
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// The program ended like this; if not, what it said tells why.
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\nstdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    pub(crate) fn says(self, words: &str) -> Self {
        assert!(self.err.contains(words), "no `{words}` in\n{}", self.err);
        self
    }

    pub(crate) fn prints(self, words: &str) -> Self {
        assert!(self.out.contains(words), "no `{words}` in\n{}", self.out);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in\n{}", self.out))
    }
}

impl Going {
    /// Reads on until an event of this kind comes.
    pub(crate) fn wait_for(&mut self, event: &str) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            let length = self.lines.read_line(&mut line).unwrap();
            assert!(length > 0, "the run ended before `{event}`");
            let record: Value = serde_json::from_str(&line).unwrap();
            let is_it = record["event"] == *event || record["event"].get(event).is_some();
            if is_it {
                return record;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The exit code; none if a signal ended it.
    pub(crate) fn end(mut self) -> Option<i32> {
        // A pipe that nobody empties would stop the run.
        std::io::copy(&mut self.lines, &mut std::io::sink()).unwrap();
        self.child.wait().unwrap().code()
    }
}

/// How often a task wrote its line: once for each time it was run.
pub(crate) fn times_run(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// Whether a program is there. What is missing is told, and is a failure where everything is
/// required.
pub(crate) fn can_use(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&folders).any(|folder| folder.join(program).exists()) {
        return true;
    }
    let required = std::env::var_os("FORESHARD_REQUIRE_ALL").is_some_and(|value| value == "1");
    assert!(!required, "{program} must be there");
    eprintln!("skipped: {program} is not there");
    false
}
