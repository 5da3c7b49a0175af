//! A plain copy of the rows for readers that cannot open the database.
//!
//! On file systems without shared memory maps the writer holds the database alone. It appends
//! every synced row to this file instead, as a line of numbers and the records below it, and
//! syncs the file now and then so that other hosts see it. Readers check the rows exactly as if
//! they came from the database. Never the truth: made anew from the database when the journal is
//! opened.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Damage, Error};
use crate::journal::place::{Place, create_file};
use crate::journal::row::{Chain, Row};
use crate::journal::store::{ROW_BYTES_MAX, Store, damaged};
use crate::number::{Epoch, Seq};

/// The writer's side.
pub(crate) struct Snapshot {
    file: File,
    unsynced: bool,
    published: Instant,
    every: Duration,
}

impl Snapshot {
    /// Copies what the database holds to a new file and puts it in place of the old one.
    pub(crate) fn create(place: &Place, store: &Store, every: Duration) -> Result<Self, Error> {
        let path = place.snapshot();
        let new = path.with_extension("snapshot.new");
        let mut file = create_file(&new).map_err(Error::io(&new))?;
        let mut bytes = Vec::new();
        let mut failed = Ok(());
        store.scan(Seq::ZERO, |row| {
            encode(&row, &mut bytes);
            if failed.is_ok() {
                failed = file.write_all(&bytes);
            }
            bytes.clear();
            Ok(())
        })?;
        failed
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&new, &path))
            .map_err(Error::io(&path))?;
        Ok(Self { file, unsynced: false, published: Instant::now(), every })
    }

    /// How long the syncer may wait before it publishes.
    pub(crate) fn patience(&self) -> Duration {
        self.every
    }

    /// Appends encoded rows.
    pub(crate) fn add(&mut self, rows: &[u8]) -> std::io::Result<()> {
        self.file.write_all(rows)?;
        self.unsynced = true;
        if self.published.elapsed() >= self.every { self.publish() } else { Ok(()) }
    }

    /// Shows other hosts what was added.
    pub(crate) fn publish(&mut self) -> std::io::Result<()> {
        if std::mem::take(&mut self.unsynced) {
            self.file.sync_data()?;
        }
        self.published = Instant::now();
        Ok(())
    }
}

/// Removes a snapshot that nobody keeps up to date.
pub(crate) fn remove(place: &Place) -> Result<(), Error> {
    let path = place.snapshot();
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&path)(e)),
        _ => Ok(()),
    }
}

/// Appends a row to `out`.
pub(crate) fn encode(row: &Row, out: &mut Vec<u8>) {
    let chain = blake3::Hash::from(row.chain).to_hex();
    let Row { first, last, epoch, crc, chain: _, records } = row;
    out.extend_from_slice(
        format!("{first} {last} {epoch} {crc} {chain} {}\n", records.len()).as_bytes(),
    );
    out.extend_from_slice(records);
    out.push(b'\n');
}

/// Takes a row from the front of `bytes`; `Ok(None)` if it is not all there yet.
fn decode(bytes: &mut &[u8]) -> Result<Option<Row>, Damage> {
    let Some(line) = bytes.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..line]).map_err(|_| Damage::Row)?;
    let parts: Vec<&str> = text.split(' ').collect();
    let [first, last, epoch, crc, chain, length] = parts[..] else { return Err(Damage::Row) };
    let number = |text: &str| text.parse::<u64>().map_err(|_| Damage::Row);
    let chain: Chain = blake3::Hash::from_hex(chain).map_err(|_| Damage::Row)?.into();
    let length = usize::try_from(number(length)?).map_err(|_| Damage::Row)?;
    if length > ROW_BYTES_MAX {
        return Err(Damage::Row);
    }
    let records = line + 1..line + 1 + length;
    let Some(&end) = bytes.get(records.end) else { return Ok(None) };
    if end != b'\n' {
        return Err(Damage::Row);
    }
    let row = Row {
        first: Seq(number(first)?),
        last: Seq(number(last)?),
        epoch: Epoch(number(epoch)?),
        crc: u32::try_from(number(crc)?).map_err(|_| Damage::Row)?,
        chain,
        records: bytes[records.clone()].to_vec(),
    };
    *bytes = &bytes[records.end + 1..];
    Ok(Some(row))
}

/// Visits all complete rows of the file from byte `offset` on; returns where to go on next time.
pub(crate) fn read(
    path: &Path,
    offset: u64,
    mut visit: impl FnMut(Row) -> Result<(), (Seq, Damage)>,
) -> Result<u64, Error> {
    use std::os::unix::fs::FileExt;
    let file = OpenOptions::new().read(true).open(path).map_err(Error::io(path))?;
    let length = file.metadata().map_err(Error::io(path))?.len().saturating_sub(offset);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, offset).map_err(Error::io(path))?;
    let mut rest = &bytes[..];
    let mut at = Seq::ZERO;
    while let Some(row) = decode(&mut rest).map_err(|what| damaged(path, at, what))? {
        at = row.last.next();
        visit(row).map_err(|(at, what)| damaged(path, at, what))?;
    }
    Ok(offset + (bytes.len() - rest.len()) as u64)
}
