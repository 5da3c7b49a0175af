//! Walks a directory and digests its listing.
//!
//! The digest of a directory is BLAKE3 over one entry after another, each directory before what it
//! holds, names of one directory in byte order: a letter (`f` file, `x` executable file, `d`
//! directory, `l` symbolic link), the length of the path below the directory (8 bytes, little
//! endian), the path, and, but for directories, the digest of the content or of the link's target.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Dir, FileType, Stat};
use spec::Digest;

use super::beneath::{look, subfolder};
use super::content::{size_of, special, type_of};
use super::unfit::{Refusal, Unfit};

/// What a walk meets, and what it may not exceed.
pub(super) trait Visit {
    /// A regular file: its digest.
    fn file(&mut self, found: &Found<'_>) -> Result<Digest, Unfit>;
    /// A symbolic link: the digest of its target.
    fn link(&mut self, found: &Found<'_>) -> Result<Digest, Unfit>;
    /// A directory, after everything in it.
    fn leave(&mut self, folder: BorrowedFd<'_>) -> Result<(), Unfit>;
    /// Called for every entry; an error ends the walk.
    fn count(&mut self) -> Result<(), Unfit>;
    /// How many directories may lie in each other.
    fn depth_max(&self) -> usize;
}

/// An entry that a walk meets.
pub(super) struct Found<'a> {
    pub(super) folder: BorrowedFd<'a>,
    pub(super) name: &'a OsStr,
    /// Relative to the root, for the cache and for messages.
    pub(super) path: &'a [u8],
    pub(super) stat: Stat,
}

/// The digest of the listing of a directory, and the sum of the sizes of its files.
pub(super) fn digest(
    folder: OwnedFd,
    path: &str,
    visit: &mut impl Visit,
) -> Result<(Digest, u64), Refusal> {
    let path = path.trim_end_matches('/');
    let mut walk = Walk {
        visit,
        hasher: blake3::Hasher::new(),
        size: 0,
        path: path.as_bytes().to_vec(),
        below: path.len() + 1,
    };
    match walk.descend(folder, 1) {
        Ok(()) => Ok((Digest(*walk.hasher.finalize().as_bytes()), walk.size)),
        Err(why) => Err(why.of(String::from_utf8_lossy(&walk.path))),
    }
}

struct Walk<'v, V> {
    visit: &'v mut V,
    hasher: blake3::Hasher,
    size: u64,
    /// Of the entry at hand; stays where an error happened.
    path: Vec<u8>,
    /// Where the part of the path that is digested begins.
    below: usize,
}

impl<V: Visit> Walk<'_, V> {
    fn descend(&mut self, folder: OwnedFd, depth: usize) -> Result<(), Unfit> {
        if depth > self.visit.depth_max() {
            return Err(Unfit::TooDeep(self.visit.depth_max()));
        }
        let (folder, names) = read_names(folder, &mut || self.visit.count())?;
        let length = self.path.len();
        for name in names {
            let name = OsStr::from_bytes(name.as_bytes());
            self.path.push(b'/');
            self.path.extend_from_slice(name.as_bytes());
            self.enter(folder.as_fd(), name, depth)?;
            self.path.truncate(length);
        }
        self.visit.leave(folder.as_fd())
    }

    fn enter(&mut self, folder: BorrowedFd<'_>, name: &OsStr, depth: usize) -> Result<(), Unfit> {
        let stat = look(folder, name).map_err(Unfit::read)?.ok_or(Unfit::Changed)?;
        let found = Found { folder, name, path: &self.path, stat };
        match type_of(&stat) {
            FileType::RegularFile => {
                let digest = self.visit.file(&found)?;
                self.size = self.size.saturating_add(size_of(&stat));
                self.list(if stat.st_mode & 0o111 == 0 { b'f' } else { b'x' }, Some(digest));
            }
            FileType::Symlink => {
                let digest = self.visit.link(&found)?;
                self.list(b'l', Some(digest));
            }
            FileType::Directory => {
                self.list(b'd', None);
                let inner = subfolder(folder, name).map_err(Unfit::read)?;
                self.descend(inner, depth + 1)?;
            }
            other => return Err(special(other)),
        }
        Ok(())
    }

    fn list(&mut self, letter: u8, digest: Option<Digest>) {
        let path = &self.path[self.below..];
        self.hasher.update(&[letter]);
        self.hasher.update(&(path.len() as u64).to_le_bytes());
        self.hasher.update(path);
        if let Some(digest) = digest {
            self.hasher.update(&digest.0);
        }
    }
}

/// The names in a folder in byte order, without `.` and `..`; the folder stays open.
fn read_names(
    folder: OwnedFd,
    count: &mut dyn FnMut() -> Result<(), Unfit>,
) -> Result<(OwnedFd, Vec<CString>), Unfit> {
    let mut names = Vec::new();
    let mut entries = Dir::read_from(&folder).map_err(Unfit::read)?;
    while let Some(entry) = entries.read() {
        let entry = entry.map_err(Unfit::read)?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            count()?;
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort_unstable();
    Ok((folder, names))
}
