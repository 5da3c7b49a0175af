//! What can be wrong with a file that is to be taken.

/// A file that is not taken, and why.
#[derive(Debug, thiserror::Error)]
#[error("{path} {why}")]
pub struct Refusal {
    /// Relative to the root; bytes that are not UTF-8 are replaced.
    pub path: String,
    /// What is wrong with it.
    pub why: Unfit,
}

/// Why a file is not taken: a fragment that follows its path.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// There is nothing.
    #[error("is missing")]
    Missing,
    /// Even one that stays inside is refused: after publication it would lead somewhere else.
    #[error("is a symbolic link, which would lead elsewhere under its final name; write a file")]
    Link,
    /// It can name any file of the machine, now or later.
    #[error("lies behind a symbolic link or a file; its folders must be plain folders")]
    Unreachable,
    /// Reading it could wait for ever.
    #[error("is a named pipe")]
    Pipe,
    /// It cannot be read as a file.
    #[error("is a socket")]
    Socket,
    /// Opening it could do anything.
    #[error("is a device")]
    Device,
    /// A file was declared.
    #[error("is a directory; declare it with a trailing `/`")]
    IsDirectory,
    /// A directory was declared.
    #[error("is not a directory, but declared with a trailing `/`")]
    NotDirectory,
    /// Through another name it could change after publication, or be a file of someone else.
    #[error("is a hard link: it can change under another name; write a copy")]
    HardLink,
    /// Published, it would lend the rights of its owner.
    #[error("is setuid or setgid")]
    SetId,
    /// Hashing it would take far longer than writing it did.
    #[error(
        "is sparse: {size} bytes of which {allocated} are on disk \
         (above 1 GiB at most 64 times as many)"
    )]
    Sparse {
        /// What it claims.
        size: u64,
        /// What it occupies.
        allocated: u64,
    },
    /// Directories in directories.
    #[error("is nested deeper than {0} directories")]
    TooDeep(usize),
    /// Files and directories of one output.
    #[error("has more than {0} files")]
    TooMany(u64),
    /// It was written to while it was read.
    #[error("changed while it was read: something still writes to it")]
    Changed,
    /// Manifests are text.
    #[error("has a name that is not UTF-8")]
    NotUtf8,
    /// Absolute, or with `..`.
    #[error("is not a path inside the folder")]
    Outside,
    /// The pattern cannot be compiled.
    #[error("is not a pattern: {0}")]
    BadPattern(String),
    /// The file system says no.
    #[error("cannot be {doing}: {error}")]
    Io {
        /// What was tried: `read`, `synced`.
        doing: &'static str,
        /// Its answer.
        error: std::io::Error,
    },
}

impl Unfit {
    /// For use in `map_err` of a call that reads.
    pub(super) fn read(error: impl Into<std::io::Error>) -> Self {
        Self::Io { doing: "read", error: error.into() }
    }

    /// For use in `map_err` of a call that syncs.
    pub(super) fn synced(error: impl Into<std::io::Error>) -> Self {
        Self::Io { doing: "synced", error: error.into() }
    }

    /// Says of which file.
    pub(super) fn of(self, path: impl Into<String>) -> Refusal {
        Refusal { path: path.into(), why: self }
    }
}
