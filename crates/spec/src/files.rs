//! Declared files: interned paths, relative to the project directory.

use std::collections::HashMap;

use crate::digest::Digest;
use crate::id::FileId;

/// What a declared path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// One regular file.
    File,
    /// A directory and everything below it, written with a trailing `/`.
    Directory,
    /// Every file that a pattern with `*`, `?`, `[…]` or `**` matches when the task has ended.
    Glob,
}

impl FileKind {
    /// Read off the text of a declared path.
    #[must_use]
    pub fn of(path: &str) -> Self {
        if path.contains(['*', '?', '[']) {
            Self::Glob
        } else if path.ends_with('/') {
            Self::Directory
        } else {
            Self::File
        }
    }
}

/// Every path that a workflow declares, each once. Text lies end to end in one string.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileTable {
    text: String,
    ends: Vec<u32>,
    // Keyed by a digest of the path, so that a million paths are not held twice.
    index: HashMap<u128, FileId>,
}

impl FileTable {
    /// The id of `path`, made if it is new. The path is normalised by the caller.
    pub fn intern(&mut self, path: &str) -> FileId {
        let key = key_of(path);
        if let Some(&id) = self.index.get(&key) {
            return id;
        }
        let id = FileId::from_index(self.ends.len());
        self.text.push_str(path);
        self.ends.push(u32::try_from(self.text.len()).expect("paths of less than 4 GiB in all"));
        self.index.insert(key, id);
        id
    }

    /// The id of `path`, if it is declared.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<FileId> {
        self.index.get(&key_of(path)).copied()
    }

    /// The path as declared.
    #[must_use]
    pub fn path(&self, id: FileId) -> &str {
        let start = id.index().checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[id.index()] as usize]
    }

    /// What the path stands for.
    #[must_use]
    pub fn kind(&self, id: FileId) -> FileKind {
        FileKind::of(self.path(id))
    }

    /// How many paths.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no path is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All ids in order of declaration.
    pub fn ids(&self) -> impl Iterator<Item = FileId> + use<> {
        (0..self.ends.len()).map(FileId::from_index)
    }
}

fn key_of(path: &str) -> u128 {
    let digest = Digest::of(path.as_bytes());
    u128::from_le_bytes(digest.0[..16].try_into().expect("16 of 32 bytes"))
}
