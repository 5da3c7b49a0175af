//! Opens what lies beneath a root, whatever a command has put there.
//!
//! Where the kernel has `openat2` it resolves the path in one step that cannot leave the root;
//! elsewhere (before Linux 5.6, or under a strict seccomp filter) the path is walked component by
//! component, never following a link unseen. Both refuse and allow the same.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};
use std::sync::OnceLock;

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::unfit::Unfit;

/// As many as the kernel follows.
const LINKS_MAX: u32 = 40;

/// A folder, held open; paths are resolved beneath it and cannot leave it.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Kernel,
    Stepwise,
}

/// Whether symbolic links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    /// A link anywhere in the path is an error.
    Never,
    /// Relative links that stay beneath the root are followed, others are an error.
    Beneath,
}

impl Root {
    /// Opens the folder; its own path may lead through links, as the user's own path may.
    ///
    /// # Errors
    /// It is not a folder, or cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let way = if has_openat2() { Way::Kernel } else { Way::Stepwise };
        Ok(Self { fd: open_plain(path)?, way })
    }

    /// The same without `openat2`, as on a kernel that has none; for tests.
    ///
    /// # Errors
    /// It is not a folder, or cannot be read.
    pub fn open_stepwise(path: &Path) -> io::Result<Self> {
        Ok(Self { fd: open_plain(path)?, way: Way::Stepwise })
    }

    /// A folder beneath, opened for reading; the empty path is the root itself.
    pub(super) fn folder(&self, path: &Path, follow: Follow) -> Result<OwnedFd, Errno> {
        self.entry(path, OFlags::RDONLY | OFlags::DIRECTORY, follow)
    }

    /// Whatever lies at the path, opened with these flags.
    pub(super) fn entry(
        &self,
        path: &Path,
        flags: OFlags,
        follow: Follow,
    ) -> Result<OwnedFd, Errno> {
        match self.way {
            Way::Kernel => open_by_kernel(self.fd.as_fd(), path, flags, follow),
            Way::Stepwise => open_stepwise(self.fd.as_fd(), path, flags, follow),
        }
    }

    /// The folder that holds the entry at `path`, and the entry's name in it.
    pub(super) fn parent<'p>(&self, path: &'p str) -> Result<(OwnedFd, &'p str), Unfit> {
        let (parent, name) = split(path);
        match self.folder(Path::new(parent), Follow::Never) {
            Ok(folder) => Ok((folder, name)),
            Err(Errno::NOENT) => Err(Unfit::Missing),
            Err(Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => Err(Unfit::Unreachable),
            Err(errno) => Err(Unfit::read(errno)),
        }
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The bytes of a file beneath `root`, which must be a plain file of at most `max` bytes.
///
/// # Errors
/// Why not, for people: a fragment such as `there is no such file`.
pub fn read_beneath(root: &Path, path: &str, max: usize) -> Result<Vec<u8>, String> {
    let said = |error: io::Error| error.to_string();
    let root = Root::open(root).map_err(said)?;
    // Opening a pipe would wait for somebody to write into it.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let file =
        root.entry(Path::new(path), flags, Follow::Beneath).map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR => "there is no such file".to_owned(),
            Errno::XDEV | Errno::LOOP => "it leads out of the project".to_owned(),
            errno => said(errno.into()),
        })?;
    let mut file = std::fs::File::from(file);
    let found = file.metadata().map_err(said)?;
    if !found.is_file() {
        return Err("it is no plain file".to_owned());
    }
    let mut bytes = Vec::new();
    (&mut file).take(max as u64 + 1).read_to_end(&mut bytes).map_err(said)?;
    if bytes.len() > max {
        return Err(format!("it has more than {max} bytes"));
    }
    Ok(bytes)
}

/// `a/b/c` is `c` in `a/b`; a trailing slash does not count.
pub(super) fn split(path: &str) -> (&str, &str) {
    let path = path.trim_end_matches('/');
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Whether the path goes down only: not absolute, no `.`, no `..`, not empty.
pub(super) fn goes_down(path: &str) -> bool {
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    !path.is_empty() && !path.contains('\0') && Path::new(path).components().all(plain)
}

/// What an entry of a folder is, without opening or following it.
pub(super) fn look(folder: BorrowedFd<'_>, name: &OsStr) -> Result<Option<Stat>, Errno> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// A folder in a folder, for reading.
pub(super) fn subfolder(folder: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

fn open_plain(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

fn has_openat2() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH;
        rustix::fs::openat2(rustix::fs::CWD, ".", flags, Mode::empty(), resolve).is_ok()
    })
}

fn open_by_kernel(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    follow: Follow,
) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let mut flags = flags | OFlags::CLOEXEC;
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    if follow == Follow::Never {
        flags |= OFlags::NOFOLLOW;
        resolve |= ResolveFlags::NO_SYMLINKS;
    }
    // A rename elsewhere while `..` in a link is resolved is answered by "try again".
    for _ in 0..64 {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            answer => return answer,
        }
    }
    Err(Errno::AGAIN)
}

fn open_stepwise(
    root: BorrowedFd<'_>,
    path: &Path,
    flags: OFlags,
    follow: Follow,
) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut ahead = Vec::new();
    push_parts(&mut ahead, path)?;
    let mut trail: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        if name == ".." {
            // Above the root there is nothing.
            trail.pop().ok_or(Errno::XDEV)?;
            continue;
        }
        let here = trail.last().map_or(root, AsFd::as_fd);
        if follow == Follow::Beneath
            && let Ok(target) = rustix::fs::readlinkat(here, &name, Vec::new())
        {
            links += 1;
            if links > LINKS_MAX {
                return Err(Errno::LOOP);
            }
            let target = OsStr::from_bytes(target.as_bytes());
            push_parts(&mut ahead, Path::new(target))?;
            continue;
        }
        if ahead.is_empty() {
            return rustix::fs::openat(here, &name, flags, Mode::empty());
        }
        trail.push(subfolder(here, &name)?);
    }
    let here = trail.last().map_or(root, AsFd::as_fd);
    rustix::fs::openat(here, ".", flags, Mode::empty())
}

/// Puts the parts of a path on the stack, the first on top.
fn push_parts(ahead: &mut Vec<OsString>, path: &Path) -> Result<(), Errno> {
    for part in path.components().rev() {
        match part {
            Component::Normal(name) => ahead.push(name.to_owned()),
            Component::ParentDir => ahead.push("..".into()),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return Err(Errno::XDEV),
        }
    }
    Ok(())
}
