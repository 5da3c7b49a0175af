//! Where a journal's files are, and whether they may be trusted as files.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The names of a journal's files in its directory.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
}

impl Place {
    /// Resolves links in the directory's own path, so that only the files themselves can be links.
    pub(crate) fn new(dir: &Path) -> Result<Self, Error> {
        let dir = fs::canonicalize(dir).map_err(Error::io(dir))?;
        Ok(Self { dir })
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join("journal.db")
    }

    pub(crate) fn wal(&self) -> PathBuf {
        self.dir.join("journal.db-wal")
    }

    pub(crate) fn shared_memory(&self) -> PathBuf {
        self.dir.join("journal.db-shm")
    }

    pub(crate) fn mark(&self) -> PathBuf {
        self.dir.join("journal.mark")
    }

    pub(crate) fn snapshot(&self) -> PathBuf {
        self.dir.join("journal.snapshot")
    }

    /// Present while a repair puts its result in place.
    pub(crate) fn repairing(&self) -> PathBuf {
        self.dir.join("journal.repairing")
    }

    /// Refuses what is not there, is half repaired, is no plain file, or may be written by anybody.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.repairing().exists() {
            return Err(Error::RepairUnfinished { path: self.database() });
        }
        let rollback = self.dir.join("journal.db-journal");
        if fs::symlink_metadata(&rollback).is_ok() {
            // SQLite would roll this file's pages into the journal.
            return Err(Error::Unsafe { path: rollback, what: "does not belong to a journal" });
        }
        if !check_file(&self.database())? {
            return Err(Error::Missing { path: self.database() });
        }
        for path in [self.wal(), self.shared_memory(), self.mark(), self.snapshot()] {
            check_file(&path)?;
        }
        Ok(())
    }
}

/// Whether the file is there; an error if it cannot be trusted as a file.
///
/// Looks without opening: closing a second descriptor of a database would drop the locks that
/// this process holds on it (POSIX).
pub(crate) fn check_file(path: &Path) -> Result<bool, Error> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(Error::io(path)(e)),
    };
    let what = if meta.is_symlink() {
        "is a symbolic link"
    } else if !meta.is_file() {
        "is not a plain file"
    } else if meta.permissions().mode() & 0o002 != 0 {
        "can be written by everybody"
    } else {
        return Ok(true);
    };
    Err(Error::Unsafe { path: path.to_owned(), what })
}

/// Makes or empties a file that, whatever the umask, not everybody may write.
pub(crate) fn create_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)
}

/// Whether `path` still names the file that is open.
pub(crate) fn names(path: &Path, open: &File) -> std::io::Result<bool> {
    let (named, open) = (fs::symlink_metadata(path)?, open.metadata()?);
    Ok(named.dev() == open.dev() && named.ino() == open.ino())
}

/// Makes names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Error> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io(dir))
}

/// Whether the directory's file system shares memory maps between the hosts that mount it, which
/// SQLite's readers need. Numbers are those of `statfs(2)` and the file systems' sources.
pub(crate) fn is_network(dir: &Path) -> Result<bool, Error> {
    const NETWORK: [u32; 10] = [
        0x6969,      // NFS
        0x0BD0_0BD0, // Lustre
        0x517B,      // SMB
        0xFF53_4D42, // CIFS
        0xFE53_4D42, // SMB2
        0x4750_4653, // GPFS
        0x1983_0326, // BeeGFS
        0x00C3_6400, // Ceph
        0x5346_414F, // AFS
        0x0102_1997, // 9p
    ];
    let stat = rustix::fs::statfs(dir).map_err(|e| Error::io(dir)(e.into()))?;
    // The field's width and sign differ between platforms; the magic numbers are 32 bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as above")]
    let magic = stat.f_type as u32;
    Ok(NETWORK.contains(&magic))
}
