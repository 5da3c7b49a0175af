//! Removes an attempt's private folder, whatever a command has made of it.
//!
//! Links are removed, never followed; folders without permissions are opened up; any depth takes a
//! bounded number of open files.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Folders nested deeper are first moved up to the top.
const DEPTH_MAX: usize = 64;

/// Removes the folder and everything in it; a folder that is not there is fine.
///
/// # Errors
/// Something cannot be removed, or something still writes into it.
pub fn discard(attempt_root: &Path) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let top = match rustix::fs::open(attempt_root, flags, Mode::empty()) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    let mut sweep = Sweep { top: &top, moved: 0 };
    // What was moved up has come after the names at the top were read.
    while sweep.clear(top.as_fd(), 0)? {}
    gone(rustix::fs::rmdir(attempt_root)).map_err(Into::into)
}

struct Sweep<'a> {
    top: &'a OwnedFd,
    moved: u64,
}

impl Sweep<'_> {
    /// Removes what is in a folder; true if some of it was moved to the top instead.
    fn clear(&mut self, folder: BorrowedFd<'_>, depth: usize) -> Result<bool, Errno> {
        let mut has_moved = false;
        for (name, kind) in read(folder)? {
            if kind != FileType::Directory {
                let remove = || rustix::fs::unlinkat(folder, &name, AtFlags::empty());
                match gone(permitted(folder, remove)) {
                    Ok(()) => continue,
                    // The kind was not known, and it is a folder.
                    Err(Errno::ISDIR | Errno::PERM) if kind == FileType::Unknown => {}
                    Err(errno) => return Err(errno),
                }
            }
            if depth >= DEPTH_MAX {
                self.move_up(folder, &name)?;
                has_moved = true;
                continue;
            }
            let inner = match open_up(folder, &name) {
                Ok(inner) => inner,
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno),
            };
            has_moved |= self.clear(inner.as_fd(), depth + 1)?;
            let remove = || rustix::fs::unlinkat(folder, &name, AtFlags::REMOVEDIR);
            gone(permitted(folder, remove))?;
        }
        Ok(has_moved)
    }

    fn move_up(&mut self, folder: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        loop {
            self.moved += 1;
            let up = format!(".foreshard-deep-{}", self.moved);
            match permitted(folder, || rustix::fs::renameat(folder, name, self.top, &up)) {
                // The command has left something of that name.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                answer => return answer,
            }
        }
    }
}

/// What someone else has removed meanwhile is removed.
fn gone(removed: Result<(), Errno>) -> Result<(), Errno> {
    if removed == Err(Errno::NOENT) { Ok(()) } else { removed }
}

fn read(folder: BorrowedFd<'_>) -> Result<Vec<(CString, FileType)>, Errno> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            entries.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok(entries)
}

/// Tries again with the right to write in the folder if that was missing.
fn permitted(folder: BorrowedFd<'_>, change: impl Fn() -> Result<(), Errno>) -> Result<(), Errno> {
    match change() {
        Err(Errno::ACCESS) => {
            rustix::fs::fchmod(folder, Mode::RWXU)?;
            change()
        }
        answer => answer,
    }
}

fn open_up(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(folder, name, flags | OFlags::RDONLY, Mode::empty());
    match open() {
        Err(Errno::ACCESS) => {
            // A path that is not followed cannot be changed by name; by descriptor it can.
            let path = rustix::fs::openat(folder, name, flags | OFlags::PATH, Mode::empty())?;
            rustix::fs::chmod(format!("/proc/self/fd/{}", path.as_raw_fd()), Mode::RWXU)?;
            open()
        }
        answer => answer,
    }
}
