//! What a replayed workflow keeps of the recording: ids, sizes, and the paths files go by.
//!
//! A recorded file id may be anything (`/ab/cd/reads.fq`); the path it is replayed under is one
//! safe component below `replay/NAME/`, and the id can be read back from it.

use super::names::Texts;
use crate::id::{FileId, TaskId};
use crate::units::Bytes;
use crate::workflow::Workflow;

/// The longest component: file systems end at 255 bytes, and a temporary name wants some.
const MAX_COMPONENT: usize = 200;

/// What a [`Workflow`] has no place for.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// By task.
    pub(super) ids: Texts,
    /// Tasks in the order of their ids.
    pub(super) by_id: Vec<TaskId>,
    /// By file, scaled.
    pub(super) sizes: Vec<u64>,
    /// `replay/NAME/`.
    pub(super) folder: String,
}

impl Replay {
    pub(super) fn new(ids: Texts, sizes: Vec<u64>, folder: String) -> Self {
        let mut by_id: Vec<TaskId> = (0..ids.len()).map(TaskId::from_index).collect();
        by_id.sort_unstable_by_key(|task| ids.get(task.index()));
        Self { ids, by_id, sizes, folder }
    }

    /// The id in the recording.
    #[must_use]
    pub fn task_id(&self, task: TaskId) -> &str {
        self.ids.get(task.index())
    }

    /// The task with this id in the recording.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<TaskId> {
        let found = self.by_id.binary_search_by_key(&id, |task| self.ids.get(task.index()));
        found.ok().map(|position| self.by_id[position])
    }

    /// How large the file is to be, scaled.
    #[must_use]
    pub fn size(&self, file: FileId) -> Bytes {
        Bytes(self.sizes.get(file.index()).copied().unwrap_or(0))
    }

    /// The id in the recording of the file with this declared path.
    #[must_use]
    pub fn file_id(&self, path: &str) -> String {
        decode(path.strip_prefix(&self.folder).unwrap_or(path))
    }
}

impl Workflow {
    /// What is kept of a recording, if the workflow replays one.
    #[must_use]
    pub fn replay(&self) -> Option<&Replay> {
        self.replay.as_deref()
    }

    /// Whether the workflow replays a recording: `argv[0]` of its tasks stands for the program
    /// that runs them, and its initial inputs are made before the run.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        self.replay.is_some()
    }

    /// The initial inputs of a replay and how large they are; none for other workflows.
    pub fn replay_inputs(&self) -> impl Iterator<Item = (&str, Bytes)> {
        self.replay.iter().flat_map(|replay| {
            self.initial_inputs().map(|file| (self.files.path(file), replay.size(file)))
        })
    }
}

/// A path below the replay's folder for any id, another one for each: `/` becomes `+`, what is
/// neither letter, digit, `-`, `_` nor a `.` inside becomes `%XX`, and `%/` breaks long ones.
pub(super) fn encode_into(id: &str, path: &mut String) {
    let mut component = 0;
    for (i, &byte) in id.as_bytes().iter().enumerate() {
        if component >= MAX_COMPONENT {
            path.push_str("%/");
            component = 0;
        }
        match byte {
            b'/' => path.push('+'),
            b'.' if component > 0 && i + 1 < id.len() => path.push('.'),
            b'-' if component > 0 => path.push('-'),
            b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => path.push(char::from(byte)),
            _ => {
                path.push_str(&format!("%{byte:02X}"));
                component += 2;
            }
        }
        component += 1;
    }
}

fn decode(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [b'/', after @ ..]) => rest = after,
            (b'%', [high, low, after @ ..]) => {
                let digit = |d: u8| char::from(d).to_digit(16).unwrap_or(0) as u8;
                bytes.push(digit(*high) * 16 + digit(*low));
                rest = after;
            }
            (b'+', _) => bytes.push(b'/'),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::files::FileKind;

    fn encode(id: &str) -> String {
        let mut path = String::new();
        encode_into(id, &mut path);
        path
    }

    #[test]
    fn common_ids_stay_readable() {
        assert_eq!(encode("reads_1.fq.gz"), "reads_1.fq.gz");
        assert_eq!(encode("/ab/c1/versions.yml"), "+ab+c1+versions.yml");
    }

    #[test]
    fn ids_that_mean_something_to_a_file_system_do_not_as_paths() {
        assert_eq!(encode("."), "%2E");
        assert_eq!(encode("a."), "a%2E");
        assert_eq!(encode("-rf"), "%2Drf");
        assert_eq!(encode("*"), "%2A");
        assert!(encode(&"x".repeat(1_000)).split('/').all(|part| part.len() < 210));
    }

    proptest! {
        #[test]
        fn every_id_comes_back_from_a_safe_path(id in "\\PC{1,40}|[a+/.%-]{1,600}") {
            let path = encode(&id);
            prop_assert_eq!(decode(&path), id);
            prop_assert_eq!(FileKind::of(&path), FileKind::File);
            prop_assert!(path.split('/').all(|part| !part.is_empty() && !part.starts_with('.')));
        }
    }
}
