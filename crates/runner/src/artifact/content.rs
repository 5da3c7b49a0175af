//! Reads one regular file, once, and makes sure that it held still.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use spec::Digest;

use super::unfit::Unfit;

/// Larger reads were not faster; small files take a buffer of their own size.
const BUFFER_BYTES: u64 = 256 * 1024;

/// What changes when a file is written to: enough to know it again without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// In bytes.
    pub size: u64,
    /// Last write, in nanoseconds since 1970; anyone can set it back.
    pub mtime_ns: i64,
    /// Last change of content or metadata, in nanoseconds since 1970; set by the kernel alone.
    pub ctime_ns: i64,
    /// Number of the file in its file system.
    pub inode: u64,
}

impl Stamp {
    /// Of what lies at the path, following links: for a cache that is filled beforehand.
    ///
    /// # Errors
    /// Nothing is there, or it may not be seen.
    pub fn of_path(path: &Path) -> std::io::Result<Self> {
        Ok(Self::of(&rustix::fs::stat(path)?))
    }

    pub(super) fn of(stat: &Stat) -> Self {
        let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000) + nanos;
        Self {
            size: size_of(stat),
            mtime_ns: nanos(stat.st_mtime, stat.st_mtime_nsec as i64),
            ctime_ns: nanos(stat.st_ctime, stat.st_ctime_nsec as i64),
            inode: stat.st_ino,
        }
    }
}

pub(super) fn type_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

pub(super) fn size_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// Why something that is neither a file nor a directory is not taken.
pub(super) fn special(kind: FileType) -> Unfit {
    match kind {
        FileType::Symlink => Unfit::Link,
        FileType::Fifo => Unfit::Pipe,
        FileType::Socket => Unfit::Socket,
        FileType::Directory => Unfit::IsDirectory,
        FileType::RegularFile => Unfit::NotDirectory,
        FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown => Unfit::Device,
    }
}

/// How a regular file is opened: should it have become a pipe since it was seen, opening must not
/// wait for a writer.
pub(super) const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// Opens a file that was seen in a folder.
pub(super) fn open_file(folder: BorrowedFd<'_>, name: &OsStr) -> Result<File, Unfit> {
    match rustix::fs::openat(folder, name, READ | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(fd) => Ok(File::from(fd)),
        Err(Errno::NOENT | Errno::LOOP) => Err(Unfit::Changed),
        Err(errno) => Err(Unfit::read(errno)),
    }
}

/// The digest of the content of the file that was `seen`.
pub(super) fn hash(file: &File, seen: &Stat) -> Result<Digest, Unfit> {
    let holds_still = || -> Result<(), Unfit> {
        let now = rustix::fs::fstat(file).map_err(Unfit::read)?;
        let same = Stamp::of(&now) == Stamp::of(seen) && now.st_dev == seen.st_dev;
        if same { Ok(()) } else { Err(Unfit::Changed) }
    };
    holds_still()?;
    let digest = hash_open(file, size_of(seen))?;
    holds_still()?;
    Ok(digest)
}

/// Hashes `size` bytes and makes sure that there are no more: a file that is appended to for ever
/// ends here too.
fn hash_open(file: &File, size: u64) -> Result<Digest, Unfit> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; usize::try_from((size + 1).min(BUFFER_BYTES)).expect("256 KiB")];
    let mut source = file.take(size + 1);
    let mut total = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                total += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Unfit::read(error)),
        }
    }
    if total != size {
        return Err(Unfit::Changed);
    }
    Ok(Digest(*hasher.finalize().as_bytes()))
}
