//! Digests of files of the project: inputs, and outputs of earlier runs.
//!
//! Knows a cache, through which a file whose stamp has not changed need not be read again. Does
//! not know where the cache is kept.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use engine::outcome::PublishedFile;
use rustix::fs::{FileType, OFlags, Stat};
use rustix::io::Errno;
use spec::{Bytes, Digest};

use super::beneath::{Follow, Root, goes_down};
use super::content::{READ, Stamp, hash, open_file, size_of, special, type_of};
use super::tree::{self, Found, Visit};
use super::unfit::{Refusal, Unfit};

/// A file whose last change is younger may change again without a new stamp: file systems stamp
/// with steps of up to two seconds (FAT), others of some milliseconds.
const SETTLED_NS: i64 = 2_000_000_000;

/// Remembers digests of files between runs.
pub trait DigestCache: Sync {
    /// The digest stored for the path (relative to the project) with this very stamp.
    fn lookup(&self, path: &str, stamp: &Stamp) -> Option<Digest>;
    /// Remembers a digest; only called for files that have not changed for two seconds.
    fn store(&self, path: &str, stamp: &Stamp, digest: &Digest);
}

/// Remembers nothing: every file is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCache;

impl DigestCache for NoCache {
    fn lookup(&self, _: &str, _: &Stamp) -> Option<Digest> {
        None
    }
    fn store(&self, _: &str, _: &Stamp, _: &Digest) {}
}

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digested {
    /// Of the content; of a directory, of its listing.
    pub digest: Digest,
    /// In bytes; of a directory, the sum of its files.
    pub size: Bytes,
    /// Whether it is a directory.
    pub is_directory: bool,
}

/// Whether a published file is still what was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The same bytes.
    Fresh,
    /// Something else lies there.
    Modified,
    /// Nothing lies there.
    Missing,
}

/// Digests files of one project.
pub struct Digests<'c> {
    root: Root,
    cache: &'c dyn DigestCache,
    threads: usize,
}

impl<'c> Digests<'c> {
    /// Of this project, with a cache, on at most `threads` threads at once.
    ///
    /// # Errors
    /// The folder cannot be opened.
    pub fn new(
        project_root: &Path,
        cache: &'c dyn DigestCache,
        threads: usize,
    ) -> io::Result<Self> {
        Ok(Self { root: Root::open(project_root)?, cache, threads })
    }

    /// The digest of a file or a directory; links are followed while they stay in the project.
    ///
    /// # Errors
    /// It is missing, cannot be read, changes meanwhile, or is neither file nor directory.
    pub fn digest(&self, path: &str) -> Result<Digested, Refusal> {
        digest(&self.root, self.cache, path, Follow::Beneath)
    }

    /// The same for many paths, in their order.
    pub fn digest_many(&self, paths: &[&str]) -> Vec<Result<Digested, Refusal>> {
        side_by_side(self.threads, paths, |path| self.digest(path))
    }

    /// Whether a published file is still what was published. A file of another size is not read.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn verify(&self, file: &PublishedFile) -> Result<Verdict, Refusal> {
        verify(&self.root, self.cache, file)
    }

    /// The same for many files, in their order.
    pub fn verify_many(&self, files: &[&PublishedFile]) -> Vec<Result<Verdict, Refusal>> {
        side_by_side(self.threads, files, |file| self.verify(file))
    }
}

impl std::fmt::Debug for Digests<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Digests").field("root", &self.root).finish_non_exhaustive()
    }
}

/// Whether the file beneath `root` is what the manifest says.
pub(super) fn verify(
    root: &Root,
    cache: &dyn DigestCache,
    file: &PublishedFile,
) -> Result<Verdict, Refusal> {
    let path = file.path.as_str();
    let verdict = see(root, path, Follow::Never).and_then(|stat| {
        let is_directory = type_of(&stat) == FileType::Directory;
        let other_size = !is_directory && size_of(&stat) != file.size.0;
        if is_directory != file.is_directory || other_size {
            return Ok(Verdict::Modified);
        }
        let now = digest_seen(root, cache, path, Follow::Never, &stat)?;
        let same = now.digest == file.digest && now.size == file.size;
        Ok(if same { Verdict::Fresh } else { Verdict::Modified })
    });
    match verdict {
        Err(Refusal { why: Unfit::Missing, .. }) => Ok(Verdict::Missing),
        Err(Refusal { why: Unfit::Io { doing, error }, path }) => {
            Err(Refusal { path, why: Unfit::Io { doing, error } })
        }
        Err(_) => Ok(Verdict::Modified),
        Ok(verdict) => Ok(verdict),
    }
}

pub(super) fn digest(
    root: &Root,
    cache: &dyn DigestCache,
    path: &str,
    follow: Follow,
) -> Result<Digested, Refusal> {
    let stat = see(root, path, follow)?;
    digest_seen(root, cache, path, follow, &stat)
}

fn see(root: &Root, path: &str, follow: Follow) -> Result<Stat, Refusal> {
    if !goes_down(path) {
        return Err(Unfit::Outside.of(path));
    }
    let fd = open(root, path, OFlags::PATH, follow)?;
    rustix::fs::fstat(fd).map_err(|errno| Unfit::read(errno).of(path))
}

fn open(root: &Root, path: &str, flags: OFlags, follow: Follow) -> Result<File, Refusal> {
    let opened = root.entry(Path::new(path.trim_end_matches('/')), flags, follow);
    let why = match opened {
        Ok(fd) => return Ok(File::from(fd)),
        Err(Errno::NOENT) => Unfit::Missing,
        Err(Errno::LOOP | Errno::NOTDIR | Errno::XDEV) => Unfit::Unreachable,
        Err(errno) => Unfit::read(errno),
    };
    Err(why.of(path))
}

fn digest_seen(
    root: &Root,
    cache: &dyn DigestCache,
    path: &str,
    follow: Follow,
    stat: &Stat,
) -> Result<Digested, Refusal> {
    let (digest, size, is_directory) = match type_of(stat) {
        FileType::RegularFile => {
            let digest = cached(cache, path.as_bytes(), stat, || {
                let file = open(root, path, READ, follow).map_err(|refusal| refusal.why)?;
                hash(&file, stat)
            });
            (digest.map_err(|why| why.of(path))?, size_of(stat), false)
        }
        FileType::Directory => {
            let folder = open(root, path, OFlags::RDONLY | OFlags::DIRECTORY, follow)?;
            let (digest, size) = tree::digest(folder.into(), path, &mut Reading { cache })?;
            (digest, size, true)
        }
        other => return Err(special(other).of(path)),
    };
    Ok(Digested { digest, size: Bytes(size), is_directory })
}

struct Reading<'c> {
    cache: &'c dyn DigestCache,
}

impl Visit for Reading<'_> {
    fn file(&mut self, found: &Found<'_>) -> Result<Digest, Unfit> {
        cached(self.cache, found.path, &found.stat, || {
            hash(&open_file(found.folder, found.name)?, &found.stat)
        })
    }

    fn link(&mut self, found: &Found<'_>) -> Result<Digest, Unfit> {
        let target = rustix::fs::readlinkat(found.folder, found.name, Vec::new());
        Ok(Digest::of(target.map_err(Unfit::read)?.as_bytes()))
    }

    fn leave(&mut self, _: BorrowedFd<'_>) -> Result<(), Unfit> {
        Ok(())
    }

    fn count(&mut self) -> Result<(), Unfit> {
        Ok(())
    }

    /// One file descriptor each; half of what a process may have by default.
    fn depth_max(&self) -> usize {
        512
    }
}

fn cached(
    cache: &dyn DigestCache,
    path: &[u8],
    stat: &Stat,
    compute: impl FnOnce() -> Result<Digest, Unfit>,
) -> Result<Digest, Unfit> {
    let Ok(path) = std::str::from_utf8(path) else { return compute() };
    let stamp = Stamp::of(stat);
    if let Some(digest) = cache.lookup(path, &stamp) {
        return Ok(digest);
    }
    let digest = compute()?;
    if is_settled(&stamp) {
        cache.store(path, &stamp, &digest);
    }
    Ok(digest)
}

fn is_settled(stamp: &Stamp) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    stamp.ctime_ns.max(stamp.mtime_ns) < now - SETTLED_NS
}

/// Applies `work` to every item on a few threads; answers come in the order of the items.
fn side_by_side<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let threads = threads.min(items.len());
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let index = next.fetch_add(1, Ordering::Relaxed)
                    && let Some(item) = items.get(index)
                {
                    let answer = work(item);
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push((index, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_unstable_by_key(|&(index, _)| index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
