//! Checks, hashes and syncs what an attempt has left: from here on it is safe, not yet visible.
//!
//! Knows the private folder and the declared paths. Does not know where they will be published.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use engine::cause::FailureCause;
use engine::outcome::{Manifest, PublishedFile};
use rustix::fs::{FileType, Stat, Timespec, Timestamps, UTIME_NOW};
use spec::files::FileKind;
use spec::{Bytes, Digest};

use super::beneath::{Follow, Root, goes_down, look, subfolder};
use super::content::{hash, open_file, size_of, special, type_of};
use super::expand::matches;
use super::tree::{self, Found, Visit};
use super::unfit::{Refusal, Unfit};

/// Files of one commit that are synced one by one. Beyond, one `syncfs` costs less, though it may
/// write what others left.
const SYNCED_EACH: u32 = 64;

/// A sparse file up to this size is hashed in about a second, whatever is on disk.
const SPARSE_FREE: u64 = 1 << 30;

/// How many times larger than on disk a larger file may be; compression rarely gains as much.
const SPARSE_RATIO: u64 = 64;

/// What one output may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Files and directories together.
    pub files: u64,
    /// Directories in each other.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { files: 1_000_000, depth: 100 }
    }
}

/// Checks, hashes and syncs the declared `outputs` in the private folder `root`.
///
/// An output is a file, a directory (`dir/`, one entry of the manifest) or a pattern (one entry per
/// file that it matches). The manifest is sorted by path; a directory keeps its trailing slash.
///
/// # Errors
/// [`FailureCause::MissingOutput`] with every output that is not there (a pattern that matches
/// nothing is not there), or [`FailureCause::UnfitOutput`] with the first that cannot be taken:
/// links, pipes, sockets, devices, further hard links, setuid, sparse beyond measure, too many, too
/// deep, or still being written.
pub fn commit(root: &Path, outputs: &[String]) -> Result<Manifest, FailureCause> {
    commit_some(root, outputs, &[])
}

/// The same, where the patterns of `may_be_empty` may match nothing.
///
/// # Errors
/// As [`commit`].
pub fn commit_some(
    root: &Path,
    outputs: &[String],
    may_be_empty: &[String],
) -> Result<Manifest, FailureCause> {
    let root = Root::open(root).map_err(|error| refuse(Unfit::read(error).of(".")))?;
    commit_beneath(&root, outputs, may_be_empty, Limits::default())
}

/// The same in a folder that is already open, and within other limits.
///
/// # Errors
/// As [`commit`].
pub fn commit_beneath(
    root: &Root,
    outputs: &[String],
    may_be_empty: &[String],
    limits: Limits,
) -> Result<Manifest, FailureCause> {
    let paths = locate(root, outputs, may_be_empty, limits)?;
    let mut taking = Taking { limits, files: 0, syncs: 0, is_sync_due: false };
    let mut manifest = Vec::with_capacity(paths.len());
    for path in paths {
        manifest.push(taking.take(root, path).map_err(refuse)?);
    }
    taking.finish(root, &manifest).map_err(refuse)?;
    Ok(manifest)
}

/// Every path to take, sorted; patterns are replaced by what they match.
fn locate(
    root: &Root,
    outputs: &[String],
    may_be_empty: &[String],
    limits: Limits,
) -> Result<BTreeSet<String>, FailureCause> {
    let mut paths = BTreeSet::new();
    let mut missing = Vec::new();
    for output in outputs {
        let before = paths.len();
        match FileKind::of(output) {
            FileKind::Glob => {
                paths.extend(matches(root, output, Follow::Never, limits.files).map_err(refuse)?);
            }
            FileKind::File | FileKind::Directory => {
                if is_there(root, output).map_err(|why| refuse(why.of(output)))? {
                    paths.insert(output.clone());
                    continue;
                }
            }
        }
        if paths.len() == before && !may_be_empty.contains(output) {
            missing.push(output.clone());
        }
    }
    if missing.is_empty() { Ok(paths) } else { Err(FailureCause::MissingOutput(missing)) }
}

fn is_there(root: &Root, path: &str) -> Result<bool, Unfit> {
    if !goes_down(path) {
        return Err(Unfit::Outside);
    }
    match root.parent(path) {
        Ok((folder, name)) => {
            Ok(look(folder.as_fd(), name.as_ref()).map_err(Unfit::read)?.is_some())
        }
        Err(Unfit::Missing) => Ok(false),
        Err(why) => Err(why),
    }
}

fn refuse(refusal: Refusal) -> FailureCause {
    FailureCause::UnfitOutput { path: refusal.path, why: refusal.why.to_string() }
}

struct Taking {
    limits: Limits,
    /// Of the output at hand.
    files: u64,
    syncs: u32,
    is_sync_due: bool,
}

impl Taking {
    fn take(&mut self, root: &Root, path: String) -> Result<PublishedFile, Refusal> {
        let is_directory = path.ends_with('/');
        let (folder, name) = root.parent(&path).map_err(|why| why.of(&path))?;
        let stat = look(folder.as_fd(), name.as_ref())
            .map_err(Unfit::read)
            .and_then(|stat| stat.ok_or(Unfit::Changed))
            .map_err(|why| why.of(&path))?;
        let (digest, size) = match (type_of(&stat), is_directory) {
            (FileType::RegularFile, false) => {
                let found = Found { folder: folder.as_fd(), name: name.as_ref(), path: &[], stat };
                let digest = self.file(&found).map_err(|why| why.of(&path))?;
                (digest, size_of(&stat))
            }
            (FileType::Directory, true) => {
                self.files = 0;
                let inner = subfolder(folder.as_fd(), name.as_ref());
                let inner = inner.map_err(|errno| Unfit::read(errno).of(&path))?;
                tree::digest(inner, &path, self)?
            }
            (other, _) => return Err(special(other).of(path)),
        };
        Ok(PublishedFile { path, size: Bytes(size), digest, is_directory })
    }

    fn sync(&mut self, fd: BorrowedFd<'_>) -> Result<(), Unfit> {
        self.syncs += 1;
        if self.syncs > SYNCED_EACH {
            self.is_sync_due = true;
            return Ok(());
        }
        rustix::fs::fsync(fd).map_err(Unfit::synced)
    }

    /// Syncs the folders from the outputs up to the root, and seals the root.
    fn finish(&mut self, root: &Root, manifest: &[PublishedFile]) -> Result<(), Refusal> {
        let parents = manifest.iter().flat_map(|file| Path::new(&file.path).ancestors().skip(1));
        let folders: BTreeSet<_> = parents.filter(|path| !path.as_os_str().is_empty()).collect();
        // Deepest first, so that an entry never is on disk before what it names.
        for folder in folders.into_iter().rev() {
            let fd = root.folder(folder, Follow::Never).map_err(Unfit::read);
            fd.and_then(|fd| self.sync(fd.as_fd()))
                .map_err(|why| why.of(folder.to_string_lossy()))?;
        }
        seal(root).and_then(|()| self.sync(root.as_fd())).map_err(|why| why.of("."))?;
        if self.is_sync_due {
            rustix::fs::syncfs(root).map_err(|errno| Unfit::synced(errno).of("."))?;
        }
        Ok(())
    }
}

/// Stamps the root with now: a file that changes later carries a younger stamp, by which the
/// publisher knows to read it again.
fn seal(root: &Root) -> Result<(), Unfit> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let both = Timestamps { last_access: now, last_modification: now };
    rustix::fs::futimens(root, &both).map_err(Unfit::synced)
}

impl Visit for Taking {
    fn file(&mut self, found: &Found<'_>) -> Result<Digest, Unfit> {
        check(&found.stat)?;
        let file = open_file(found.folder, found.name)?;
        let digest = hash(&file, &found.stat)?;
        self.sync(file.as_fd())?;
        Ok(digest)
    }

    fn link(&mut self, _: &Found<'_>) -> Result<Digest, Unfit> {
        Err(Unfit::Link)
    }

    fn leave(&mut self, folder: BorrowedFd<'_>) -> Result<(), Unfit> {
        self.sync(folder)
    }

    fn count(&mut self) -> Result<(), Unfit> {
        self.files += 1;
        if self.files > self.limits.files {
            return Err(Unfit::TooMany(self.limits.files));
        }
        Ok(())
    }

    fn depth_max(&self) -> usize {
        self.limits.depth
    }
}

/// Whether a regular file may become an output.
fn check(stat: &Stat) -> Result<(), Unfit> {
    if stat.st_nlink > 1 {
        return Err(Unfit::HardLink);
    }
    // Only of files: folders inherit setgid from a project that a group shares.
    if stat.st_mode & 0o6000 != 0 {
        return Err(Unfit::SetId);
    }
    let size = size_of(stat);
    let allocated = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512);
    if size > SPARSE_FREE && size > allocated.saturating_mul(SPARSE_RATIO) {
        return Err(Unfit::Sparse { size, allocated });
    }
    Ok(())
}
