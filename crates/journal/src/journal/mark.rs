//! The high-water mark beside a journal: a lower bound of what was synced.
//!
//! SQLite drops WAL frames whose checksum fails without a word; an older file put back looks
//! perfect. The mark turns both into an error. Written after each sync by one small `pwrite` (one
//! sector, so never torn) and not synced itself: after a power loss it is older, never newer, than
//! the records. A copy of the head follows it, so that either can be rebuilt from the other.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::Error;
use crate::journal::place::create_file;
use crate::journal::row::Chain;
use crate::number::Seq;

const MAGIC: &[u8; 8] = b"FSMARK1\n";
const RECORD: usize = 64;

/// A place in the journal and the hash chain there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) seq: Seq,
    pub(crate) chain: Chain,
}

/// What a mark file holds.
pub(crate) struct Marked {
    pub(crate) mark: Mark,
    /// The chain after the head.
    pub(crate) genesis: Chain,
    /// The records of the head's row.
    pub(crate) head: Vec<u8>,
}

impl Mark {
    fn record(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.seq.0.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.chain);
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn of_record(bytes: &[u8; RECORD]) -> Option<Self> {
        let (body, crc) = bytes.split_at(60);
        let whole = body.starts_with(MAGIC) && crc32c::crc32c(body).to_le_bytes() == *crc;
        whole.then(|| Self {
            seq: Seq(u64::from_le_bytes(body[8..16].try_into().expect("8 bytes"))),
            chain: body[16..48].try_into().expect("32 bytes"),
        })
    }

    /// Writes the mark over the one in the file.
    pub(crate) fn write(&self, file: &File) -> std::io::Result<()> {
        file.write_all_at(&self.record(), 0)
    }
}

impl Marked {
    /// Writes a whole mark file and syncs it.
    pub(crate) fn create(&self, path: &Path) -> Result<(), Error> {
        let mut bytes = self.mark.record().to_vec();
        bytes.extend_from_slice(&self.genesis);
        bytes.extend_from_slice(&self.head);
        let crc = crc32c::crc32c(&bytes[RECORD..]);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let mut file = create_file(path).map_err(Error::io(path))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(Error::io(path))
    }

    /// Reads a mark file; `None` if anything in it is not as written, or it is not there.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Error> {
        // The writer may be half way through a mark; twice in a row is damage.
        for _ in 0..3 {
            let bytes = match std::fs::read(path) {
                Ok(bytes) => bytes,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(Error::io(path)(e)),
            };
            if let Some(marked) = Self::parse(&bytes) {
                return Ok(Some(marked));
            }
        }
        Ok(None)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (record, rest) = bytes.split_first_chunk::<RECORD>()?;
        let (copy, crc) = rest.split_last_chunk::<4>()?;
        if crc32c::crc32c(copy).to_le_bytes() != *crc {
            return None;
        }
        let (genesis, head) = copy.split_first_chunk::<32>()?;
        Some(Self { mark: Mark::of_record(record)?, genesis: *genesis, head: head.to_vec() })
    }
}

/// Opens the mark file to write, and holds it against a second writer for as long as it is open.
pub(crate) fn lock(path: &Path, journal: &Path) -> Result<File, Error> {
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(Error::io(path))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::InUse { path: journal.to_owned() }),
        Err(e) => Err(Error::io(path)(e.into())),
    }
}
