//! What orchestrator and keeper write to each other: two append-only files of checked lines.
//!
//! A line is `crc32c json\n`, the checksum in 8 hexadecimal digits. The orchestrator appends
//! [`Order`]s to `orders`, the keeper appends [`Progress`] to `progress`; each follows the other's
//! file from its own position. Files work over shared file systems and survive either process; a line
//! without an end is still being written.

use engine::input::Report;
use engine::{AttemptId, Epoch};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use spec::template::Secret;
use spec::{Duration, Resources, Timestamp};

/// What the orchestrator of `epoch` wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Orders of an older epoch are refused.
    pub epoch: Epoch,
    /// What.
    pub what: Errand,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errand {
    /// Run these as they fit.
    Lease(Vec<Work>),
    /// Give back what has not started.
    Revoke(Vec<AttemptId>),
    /// Kill, whether started or not.
    Kill(Vec<AttemptId>),
    /// Finish what is there, then end.
    Close,
}

/// Everything a keeper needs to run one attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// Which try.
    pub attempt: AttemptId,
    /// Attempts of the same shard that must be committed before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<AttemptId>,
    /// Lower starts first.
    pub position: u32,
    /// What is set aside; the limit that is enforced where there is one.
    pub granted: Resources,
    /// What people call the task.
    pub task: String,
    /// What to run.
    pub command: WorkCommand,
    /// Words of the site around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrap: Option<Wrap>,
    /// Taken out of the environment: variables that hold secrets of other tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unset: Vec<String>,
    /// Where secrets are kept that the task is given; never what they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    /// Set beyond what every task gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<(String, String)>,
    /// Where to run it.
    pub place: WorkPlace,
    /// Whether an empty output is a failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refuses_empty: bool,
    /// How long it may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Whether running it twice is harmless; if not, its start is announced before it happens.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub is_idempotent: bool,
    /// Declared outputs that may be no file at all: patterns, written as in `place`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub may_be_empty: Vec<String>,
}

fn yes() -> bool {
    true
}

/// What to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkCommand {
    /// By `/bin/sh -e -c`.
    Shell(String),
    /// Directly.
    Argv(Vec<String>),
}

/// Words around a command. The first one is a program of the site, and is found along the `PATH`
/// of the keeper whatever the task sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrap {
    /// Before the command.
    pub before: Vec<String>,
    /// Behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

/// Where to run it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkPlace {
    /// In the project itself, in this folder relative to it (`.` for the project).
    Project(String),
    /// In a private folder.
    Private {
        /// Where to start, relative to the private folder.
        workdir: String,
        /// Links to make: where (relative to the private folder), and the absolute path they lead to.
        links: Vec<(String, String)>,
        /// Declared outputs, relative to the private folder; each folder they lie in is made.
        outputs: Vec<String>,
    },
}

/// A line of the progress file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Always the first line: who keeps the allocation.
    Hello(Keeper),
    /// An attempt that is not idempotent is about to be started.
    Starting(AttemptId),
    /// Something happened to an attempt, the capacity or the machine.
    Report(Report),
    /// Orders up to this byte of the order file have been taken in; written now and then.
    Heartbeat {
        /// When.
        at: Timestamp,
    },
    /// The last line: nothing is left, the keeper ends.
    Bye,
}

/// Who keeps an allocation: enough to tell it from any other process, ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeper {
    /// Process id.
    pub pid: u32,
    /// Start time of the process, in clock ticks since boot (`/proc/<pid>/stat`, field 22).
    pub start_ticks: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// Name of the machine.
    pub host: String,
    /// What may be used at first.
    pub capacity: Resources,
}

/// A line that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged line at byte {offset}: {why}")]
pub struct Damaged {
    /// Where the line starts.
    pub offset: u64,
    /// What is wrong.
    pub why: String,
}

/// Appends the line of a value.
pub fn write_line<T: Serialize>(buffer: &mut Vec<u8>, value: &T) {
    let start = buffer.len();
    buffer.extend_from_slice(b"00000000 ");
    serde_json::to_writer(&mut *buffer, value).expect("plain values serialize");
    let crc = checksum(&buffer[start + 9..]);
    buffer[start..start + 8].copy_from_slice(&crc);
    buffer.push(b'\n');
}

fn checksum(json: &[u8]) -> [u8; 8] {
    let crc = crc32c::crc32c(json);
    std::array::from_fn(|i| b"0123456789abcdef"[(crc >> (28 - 4 * i) & 0xf) as usize])
}

/// Reads a line without its end.
///
/// # Errors
/// Why the line is not what was written.
pub fn read_line<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    let (crc, json) = line.split_at_checked(9).ok_or("too short")?;
    if crc[..8] != checksum(json) {
        return Err("its checksum is wrong".to_owned());
    }
    serde_json::from_slice(json).map_err(|error| error.to_string())
}

/// How many bytes are read at once: whoever takes over a long run meets its whole file.
const READ_MAX: u64 = 1 << 20;

/// Follows an append-only file of lines.
#[derive(Debug)]
pub struct LineReader {
    file: std::fs::File,
    pending: Vec<u8>,
    offset: u64,
}

impl LineReader {
    /// From the start of a file.
    #[must_use]
    pub fn new(file: std::fs::File) -> Self {
        Self { file, pending: Vec::new(), offset: 0 }
    }

    /// The next whole lines; none when all that are there have been read.
    ///
    /// # Errors
    /// Reading failed, or a line is damaged; lines before it are lost with the call.
    pub fn read<T: DeserializeOwned>(&mut self) -> std::io::Result<Vec<T>> {
        use std::io::Read;
        loop {
            let n = (&self.file).take(READ_MAX).read_to_end(&mut self.pending)?;
            let values = self.take_lines()?;
            if !values.is_empty() || (n as u64) < READ_MAX {
                return Ok(values);
            }
        }
    }

    fn take_lines<T: DeserializeOwned>(&mut self) -> std::io::Result<Vec<T>> {
        let mut values = Vec::new();
        let mut start = 0;
        while let Some(length) = self.pending[start..].iter().position(|&b| b == b'\n') {
            let value = read_line(&self.pending[start..start + length]).map_err(|why| {
                let damaged = Damaged { offset: self.offset + start as u64, why };
                std::io::Error::new(std::io::ErrorKind::InvalidData, damaged)
            })?;
            values.push(value);
            start += length + 1;
        }
        self.pending.drain(..start);
        self.offset += start as u64;
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_reads_as_it_was_written_and_no_flipped_bit_passes() {
        let mut line = Vec::new();
        write_line(&mut line, &Progress::Heartbeat { at: Timestamp(7) });
        line.pop();
        assert_eq!(read_line(&line), Ok(Progress::Heartbeat { at: Timestamp(7) }));
        for bit in 0..line.len() * 8 {
            line[bit / 8] ^= 1 << (bit % 8);
            let read = read_line::<Progress>(&line);
            // The separating space is not covered, and says nothing.
            assert!(read.is_err() || bit / 8 == 8, "bit {bit} passed");
            line[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_line_without_an_end_waits_for_the_rest() {
        let mut writer = tempfile::NamedTempFile::new().unwrap();
        let mut reader = LineReader::new(writer.reopen().unwrap());
        let mut line = Vec::new();
        write_line(&mut line, &Progress::Bye);
        writer.write_all(&line[..5]).unwrap();
        assert!(reader.read::<Progress>().unwrap().is_empty());
        writer.write_all(&line[5..]).unwrap();
        assert_eq!(reader.read::<Progress>().unwrap(), [Progress::Bye]);
    }

    #[test]
    fn a_long_file_comes_in_parts_and_whole_also_where_a_line_is_longer_than_a_part() {
        let mut long = Vec::new();
        let names: Vec<String> = [10, READ_MAX as usize * 2, 10].map(|n| "x".repeat(n)).into();
        names.iter().for_each(|name| write_line(&mut long, name));
        let mut writer = tempfile::NamedTempFile::new().unwrap();
        writer.write_all(&long).unwrap();
        let mut reader = LineReader::new(writer.reopen().unwrap());
        let first: Vec<String> = reader.read().unwrap();
        let rest: Vec<String> = reader.read().unwrap();
        assert_eq!(first, names[..1]);
        assert_eq!(rest, names[1..]);
        assert!(reader.read::<String>().unwrap().is_empty());
    }
}
