//! Moves committed outputs to their final names, each in one step, forwards only.
//!
//! Publishing may stop at any point and be called again: what has arrived counts as done. Knows
//! the private folder, the project and the manifest. Does not know who decided to publish.
//! Invariant: a final name has the whole old content or the whole new one, and no link in the
//! project leads a write outside of it.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use engine::outcome::PublishedFile;
use journal::fault;
use rustix::fs::{FileType, Mode, RenameFlags, Stat};
use rustix::io::Errno;

use super::beneath::{Follow, Root, goes_down, look, split, subfolder};
use super::content::{Stamp, size_of, type_of};
use super::digests::{NoCache, Verdict, digest, verify};
use super::sweeper::Sweeper;
use super::unfit::{Refusal, Unfit};

/// Folders held open until they are synced.
const FOLDERS_MAX: usize = 256;

/// More syncs at once gained nothing: the disk merges them.
const SYNC_THREADS: usize = 8;

/// What is to be published of one attempt.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// The attempt's private folder; removed afterwards.
    pub attempt_root: &'a Path,
    /// What its commit said.
    pub manifest: &'a [PublishedFile],
    /// Read everything again before it is moved: after a crash, or if publishing was begun before.
    pub verify: bool,
}

/// Outputs did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct PublishError {
    /// The committed files are gone or no longer the same: the task must run again. If not, the
    /// files are safe, but cannot be moved.
    pub is_lost: bool,
    /// For people: the path, and what is wrong.
    pub why: String,
}

impl PublishError {
    fn lost(path: &str, why: impl std::fmt::Display) -> Self {
        Self { is_lost: true, why: format!("{path} {why}") }
    }

    fn stuck(path: &str, why: impl std::fmt::Display) -> Self {
        Self { is_lost: false, why: format!("{path} {why}") }
    }
}

impl From<Refusal> for PublishError {
    fn from(refusal: Refusal) -> Self {
        Self::stuck(&refusal.path, refusal.why)
    }
}

/// Publishes into one project. Dropping it waits until the private folders are removed.
#[derive(Debug)]
pub struct Publisher {
    project: Root,
    sweeper: Sweeper,
}

impl Publisher {
    /// Into the project in this folder.
    ///
    /// # Errors
    /// The folder cannot be opened.
    pub fn new(project_root: &Path) -> io::Result<Self> {
        Ok(Self { project: Root::open(project_root)?, sweeper: Sweeper::new() })
    }

    /// Publishes the outputs of one attempt; see [`Self::publish_many`].
    ///
    /// # Errors
    /// They are lost, or cannot be moved.
    pub fn publish(&self, publication: Publication<'_>) -> Result<(), PublishError> {
        self.publish_many(&[publication]).pop().expect("one result for one publication")
    }

    /// Moves the outputs of every publication, syncs each folder that they went to once, and answers
    /// in their order; the private folders of those that are done are then removed in the
    /// background. What one of them suffers does not concern the others.
    pub fn publish_many(&self, publications: &[Publication<'_>]) -> Vec<Result<(), PublishError>> {
        let mut round = Round::new(&self.project, publications.len());
        round.publish(publications);
        for (result, publication) in round.results.iter().zip(publications) {
            if result.is_ok() {
                self.sweeper.sweep(publication.attempt_root);
            }
        }
        round.results
    }
}

struct Round<'a> {
    project: &'a Root,
    results: Vec<Result<(), PublishError>>,
    /// Folders of the project with changes that are not synced.
    folders: BTreeMap<String, Touched>,
}

struct Touched {
    fd: Arc<OwnedFd>,
    /// Publications that wait for it, ascending.
    by: Vec<usize>,
}

/// The private folder, and when it was sealed by its commit.
struct Attempt {
    root: Root,
    sealed_ns: i64,
}

/// Where an output was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Private,
    Final,
}

impl<'a> Round<'a> {
    fn new(project: &'a Root, count: usize) -> Self {
        Self { project, results: vec![Ok(()); count], folders: BTreeMap::new() }
    }

    fn publish(&mut self, publications: &[Publication<'_>]) {
        for (index, publication) in publications.iter().enumerate() {
            let moved = self.move_all(index, publication);
            if self.results[index].is_ok() {
                self.results[index] = moved;
            }
        }
        self.sync();
    }

    /// Looks at everything first, so that a loss is found before anything has moved.
    fn move_all(&mut self, index: usize, work: &Publication<'_>) -> Result<(), PublishError> {
        let attempt = Attempt::open(work.attempt_root)?;
        let mut places = Vec::with_capacity(work.manifest.len());
        for file in work.manifest {
            let place = self.find(attempt.as_ref(), file, work.verify)?;
            self.check_target(index, file)?;
            places.push(place);
        }
        for (number, (file, place)) in work.manifest.iter().zip(places).enumerate() {
            if let (Place::Private, Some(attempt)) = (place, &attempt) {
                self.move_one(index, attempt, file, number)?;
            } else if work.verify {
                // Before the crash, folders may have been made and not synced.
                for folder in Path::new(&file.path).ancestors().skip(1) {
                    self.folder(&folder.to_string_lossy(), index)?;
                }
            }
        }
        Ok(())
    }

    fn find(
        &self,
        attempt: Option<&Attempt>,
        file: &PublishedFile,
        reads: bool,
    ) -> Result<Place, PublishError> {
        if !goes_down(&file.path) {
            return Err(PublishError::stuck(&file.path, Unfit::Outside));
        }
        let fault = match attempt {
            Some(attempt) => attempt.fault_of(file, reads)?,
            None => Some("is no longer in the private folder".to_owned()),
        };
        match fault {
            None => Ok(Place::Private),
            Some(_) if verify(self.project, &NoCache, file)? == Verdict::Fresh => Ok(Place::Final),
            Some(fault) => Err(PublishError::lost(&file.path, fault)),
        }
    }

    /// Whether the final name is free, or taken by something of the same kind.
    fn check_target(&mut self, index: usize, file: &PublishedFile) -> Result<bool, PublishError> {
        let (parent, name) = split(&file.path);
        let folder = self.folder(parent, index)?;
        let stat = look(folder.as_fd(), name.as_ref());
        let stat = stat.map_err(|errno| PublishError::stuck(&file.path, Unfit::read(errno)))?;
        let why = match (stat.map(|stat| type_of(&stat)), file.is_directory) {
            (None, _) => return Ok(false),
            (Some(FileType::RegularFile), false) => return Ok(true),
            (Some(FileType::Directory), true) => return Ok(true),
            (Some(FileType::Directory), false) => {
                "is a directory in the project; the task made a file"
            }
            (Some(_), false) => "is no plain file in the project, and is not replaced",
            (Some(_), true) => "is a file in the project; the task made a directory",
        };
        Err(PublishError::stuck(&file.path, why))
    }

    fn move_one(
        &mut self,
        index: usize,
        attempt: &Attempt,
        file: &PublishedFile,
        number: usize,
    ) -> Result<(), PublishError> {
        let is_taken = self.check_target(index, file)?;
        let (parent, name) = split(&file.path);
        let target = self.folder(parent, index)?;
        let source = attempt.root.parent(&file.path);
        let (source, _) = source.map_err(|why| PublishError::lost(&file.path, why))?;
        fault::point("publish-before");
        let moved = if is_taken && file.is_directory {
            let aside = format!(".foreshard-replaced-{number}");
            replace_folder(&source, &target, name, &attempt.root, &aside)
        } else {
            rustix::fs::renameat(&source, name, &target, name)
        };
        fault::point("publish-after");
        match moved {
            Ok(()) => Ok(()),
            // Over NFS a rename that was sent twice finds nothing the second time.
            Err(Errno::NOENT) if verify(self.project, &NoCache, file)? == Verdict::Fresh => Ok(()),
            Err(Errno::NOENT) => Err(PublishError::lost(&file.path, "vanished while it was moved")),
            Err(Errno::XDEV) => Err(PublishError::stuck(
                &file.path,
                "must go to another file system, where no rename leads",
            )),
            Err(errno) => {
                let error = io::Error::from(errno);
                Err(PublishError::stuck(&file.path, format!("cannot be moved: {error}")))
            }
        }
    }

    /// A folder of the project, made if need be; it will be synced, and `index` waits for that.
    fn folder(&mut self, path: &str, index: usize) -> Result<Arc<OwnedFd>, PublishError> {
        if let Some(touched) = self.folders.get_mut(path) {
            if touched.by.last() != Some(&index) {
                touched.by.push(index);
            }
            return Ok(touched.fd.clone());
        }
        let fd = match self.project.folder(Path::new(path), Follow::Never) {
            Ok(fd) => fd,
            Err(Errno::NOENT) if !path.is_empty() => {
                let (parent, name) = split(path);
                let above = self.folder(parent, index)?;
                let made = match rustix::fs::mkdirat(&above, name, Mode::from_raw_mode(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => subfolder(above.as_fd(), name.as_ref()),
                    Err(errno) => Err(errno),
                };
                made.map_err(|errno| no_folder(path, errno))?
            }
            Err(errno) => return Err(no_folder(path, errno)),
        };
        if self.folders.len() >= FOLDERS_MAX {
            self.sync();
        }
        let fd = Arc::new(fd);
        self.folders.insert(path.to_owned(), Touched { fd: fd.clone(), by: vec![index] });
        Ok(fd)
    }

    /// Makes every move so far outlast a power loss.
    fn sync(&mut self) {
        let folders: Vec<_> = std::mem::take(&mut self.folders).into_iter().collect();
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(Vec::new());
        let work = || {
            while let number = next.fetch_add(1, Ordering::Relaxed)
                && let Some((_, touched)) = folders.get(number)
            {
                if let Err(errno) = rustix::fs::fsync(&touched.fd) {
                    failed.lock().unwrap_or_else(PoisonError::into_inner).push((number, errno));
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..SYNC_THREADS.min(folders.len()) {
                scope.spawn(work);
            }
            work();
        });
        for (number, errno) in failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            let (path, touched) = &folders[number];
            for &index in &touched.by {
                self.results[index] = Err(PublishError::stuck(path, Unfit::synced(errno)));
            }
        }
    }
}

impl Attempt {
    /// Nothing if the folder is gone: then it was published to the end before.
    fn open(path: &Path) -> Result<Option<Self>, PublishError> {
        let stuck = |error: io::Error| PublishError::stuck(&path.to_string_lossy(), error);
        let root = match Root::open(path) {
            Ok(root) => root,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(stuck(error)),
        };
        let stat = rustix::fs::fstat(&root).map_err(|errno| stuck(errno.into()))?;
        Ok(Some(Self { root, sealed_ns: Stamp::of(&stat).ctime_ns }))
    }

    /// In what way a file is not what was committed; nothing if it is.
    fn fault_of(&self, file: &PublishedFile, reads: bool) -> Result<Option<String>, PublishError> {
        let stat = match self.look(&file.path) {
            Ok(Some(stat)) => stat,
            Ok(None) | Err(Unfit::Missing) => {
                return Ok(Some("is no longer in the private folder".to_owned()));
            }
            Err(Unfit::Io { doing, error }) => {
                return Err(PublishError::stuck(&file.path, Unfit::Io { doing, error }));
            }
            Err(why) => return Ok(Some(why.to_string())),
        };
        let changed = Ok(Some("changed after it was committed".to_owned()));
        let is_suspect = match (type_of(&stat), file.is_directory) {
            (FileType::Directory, true) => false,
            (FileType::RegularFile, false) => {
                if size_of(&stat) != file.size.0 || stat.st_nlink > 1 {
                    return changed;
                }
                // As young as the seal is suspect: some file systems stamp in steps of 10 ms.
                Stamp::of(&stat).ctime_ns >= self.sealed_ns
            }
            _ => return changed,
        };
        if reads || is_suspect {
            match digest(&self.root, &NoCache, &file.path, Follow::Never) {
                Ok(now) if now.digest == file.digest && now.size == file.size => {}
                Err(Refusal { path, why: Unfit::Io { doing, error } }) => {
                    return Err(PublishError::stuck(&path, Unfit::Io { doing, error }));
                }
                _ => return changed,
            }
        }
        Ok(None)
    }

    fn look(&self, path: &str) -> Result<Option<Stat>, Unfit> {
        let (folder, name) = self.root.parent(path)?;
        look(folder.as_fd(), name.as_ref()).map_err(Unfit::read)
    }
}

/// Puts a folder where another is. The old one ends up aside in the private folder: left under the
/// name of the new one, it would be taken for it when publishing is called again.
fn replace_folder(
    source: &OwnedFd,
    target: &OwnedFd,
    name: &str,
    private: &Root,
    aside: &str,
) -> Result<(), Errno> {
    match rustix::fs::renameat_with(source, name, target, name, RenameFlags::EXCHANGE) {
        Ok(()) => {
            fault::point("publish-exchanged");
            rustix::fs::renameat(source, name, private, aside)
        }
        // This file system cannot (NFS): for a moment there is nothing under the final name.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::renameat(target, name, private, aside)?;
            fault::point("publish-exchanged");
            rustix::fs::renameat(source, name, target, name)
        }
        Err(errno) => Err(errno),
    }
}

fn no_folder(path: &str, errno: Errno) -> PublishError {
    match errno {
        Errno::LOOP | Errno::NOTDIR | Errno::XDEV => PublishError::stuck(path, Unfit::Unreachable),
        errno => {
            let error = io::Error::from(errno);
            PublishError::stuck(path, format!("cannot be opened or made: {error}"))
        }
    }
}
