//! Finds rows in the bytes of a damaged database, without believing anything but the rows' own
//! checksums.
//!
//! SQLite gives up a page when its header is damaged, and all later WAL frames when one is. Here
//! every byte of every page is tried as the start of a cell of the `flush` table; a row's overflow
//! pages are looked up by number among all versions of a page. What passes the row's checksum was
//! written by a journal. The formats: <https://sqlite.org/fileformat2.html>.

use std::collections::BTreeMap;

use crate::journal::row::Row;
use crate::journal::store::ROW_BYTES_MAX;
use crate::journal::wal::{FRAME_HEADER, HEADER, word};
use crate::number::{Epoch, Seq};

/// Every row that is whole, by its first record; the latest epoch first where several are.
pub(crate) fn rows(database: &[u8], wal: &[u8]) -> BTreeMap<Seq, Vec<Row>> {
    let mut found: BTreeMap<Seq, Vec<Row>> = BTreeMap::new();
    for page_bytes in page_sizes(database, wal) {
        let pages = Pages::new(database, wal, page_bytes);
        for page in &pages.all {
            for at in 0..page.len().saturating_sub(CELL_BYTES_MIN) {
                let Some(row) = Cell::parse(page, at).and_then(|cell| pages.assemble(&cell)) else {
                    continue;
                };
                let rows = found.entry(row.first).or_default();
                if !rows.contains(&row) {
                    rows.push(row);
                    rows.sort_by_key(|row| std::cmp::Reverse(row.epoch));
                }
            }
        }
    }
    found
}

/// Two lengths, a record header and a chain hash.
const CELL_BYTES_MIN: usize = 40;

/// Both files say what the page size is, and either may be wrong.
fn page_sizes(database: &[u8], wal: &[u8]) -> Vec<usize> {
    let of_database = database.get(16..18).map(|b| match u16::from_be_bytes([b[0], b[1]]) {
        1 => 65_536,
        bytes => usize::from(bytes),
    });
    let of_wal = wal.get(..HEADER).map(|header| word(header, 8) as usize);
    let mut sizes: Vec<usize> = of_database.into_iter().chain(of_wal).chain([4_096]).collect();
    sizes.retain(|bytes| bytes.is_power_of_two() && (512..=65_536).contains(bytes));
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

struct Pages<'a> {
    all: Vec<&'a [u8]>,
    /// The different contents that a page has had.
    versions: BTreeMap<u32, Vec<&'a [u8]>>,
    page_bytes: usize,
}

impl<'a> Pages<'a> {
    fn new(database: &'a [u8], wal: &'a [u8], page_bytes: usize) -> Self {
        let frames = wal.get(HEADER..).unwrap_or_default().chunks(FRAME_HEADER + page_bytes);
        let in_wal = frames
            .filter(|frame| frame.len() > FRAME_HEADER)
            .map(|frame| (word(frame, 0), &frame[FRAME_HEADER..]));
        let in_database = (1..).zip(database.chunks(page_bytes));
        let mut pages = Self { all: Vec::new(), versions: BTreeMap::new(), page_bytes };
        for (number, page) in in_wal.chain(in_database) {
            let versions = pages.versions.entry(number).or_default();
            if !versions.contains(&page) {
                versions.push(page);
                pages.all.push(page);
            }
        }
        pages
    }

    /// The row of a cell, if its parts can be found and the whole is what was written.
    fn assemble(&self, cell: &Cell<'_>) -> Option<Row> {
        if cell.overflow.is_none() {
            return cell.row(&cell.local[..cell.length]);
        }
        // Overflow pages of rows never change, so mostly there is one version of each. Where there
        // are more, one is damaged or left over from a write that was cut off.
        for base in [Prefer::First, Prefer::Last] {
            let (payload, choices) = self.walk(cell, base, None);
            if let Some(row) = payload.and_then(|payload| cell.row(&payload)) {
                return Some(row);
            }
            for (step, versions) in choices {
                for version in 0..versions {
                    let (payload, _) = self.walk(cell, base, Some((step, version)));
                    if let Some(row) = payload.and_then(|payload| cell.row(&payload)) {
                        return Some(row);
                    }
                }
            }
        }
        None
    }

    /// Collects a payload along its overflow pages. Also tells at which steps there was a choice,
    /// and between how many versions.
    fn walk(
        &self,
        cell: &Cell<'_>,
        prefer: Prefer,
        except: Option<(usize, usize)>,
    ) -> (Option<Vec<u8>>, Vec<(usize, usize)>) {
        let mut choices = Vec::new();
        let mut payload = cell.local.to_vec();
        let mut next = cell.overflow.unwrap_or(0);
        for step in 0.. {
            if payload.len() >= cell.length {
                break;
            }
            let Some(versions) = self.versions.get(&next) else { return (None, choices) };
            if versions.len() > 1 {
                choices.push((step, versions.len()));
            }
            let version = match (except, prefer) {
                (Some((at, version)), _) if at == step => version.min(versions.len() - 1),
                (_, Prefer::First) => 0,
                (_, Prefer::Last) => versions.len() - 1,
            };
            let page = versions[version];
            if page.len() < self.page_bytes {
                return (None, choices);
            }
            let wanted = (cell.length - payload.len()).min(self.page_bytes - 4);
            payload.extend_from_slice(&page[4..4 + wanted]);
            next = word(page, 0);
        }
        (Some(payload), choices)
    }
}

#[derive(Clone, Copy)]
enum Prefer {
    First,
    Last,
}

/// What could be a cell of the `flush` table.
struct Cell<'a> {
    row_id: u64,
    /// Of the whole payload.
    length: usize,
    local: &'a [u8],
    overflow: Option<u32>,
    /// Sizes of the columns after the first, which is the row id.
    columns: [usize; 5],
    header: usize,
}

impl<'a> Cell<'a> {
    fn parse(page: &'a [u8], at: usize) -> Option<Self> {
        let mut rest = page.get(at..)?;
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        let row_id = varint(&mut rest)?;
        if !(CELL_BYTES_MIN..ROW_BYTES_MAX).contains(&length) {
            return None;
        }
        let local = local_bytes(length, page.len());
        let (local, rest) = rest.split_at_checked(local)?;
        let overflow = if local.len() < length { Some(word(rest.get(..4)?, 0)) } else { None };
        let mut fields = local;
        let header = usize::try_from(varint(&mut fields)?).ok()?;
        if varint(&mut fields)? != 0 {
            return None; // the row id's column is always empty
        }
        let mut columns = [0; 5];
        for (i, column) in columns.iter_mut().enumerate() {
            let serial = usize::try_from(varint(&mut fields)?).ok()?;
            *column = match (i, serial) {
                (0..=2, 1..=4) => serial,
                (0..=2, 5) => 6,
                (0..=2, 6) => 8,
                (0..=2, 8 | 9) => 0,
                (3, 76) => 32,
                (4, 12..) if serial % 2 == 0 => (serial - 12) / 2,
                _ => return None,
            };
        }
        let whole = local.len() - fields.len() == header
            && header + columns.iter().sum::<usize>() == length;
        whole.then_some(Self { row_id, length, local, overflow, columns, header })
    }

    fn row(&self, payload: &[u8]) -> Option<Row> {
        let serials: Vec<u64> = {
            let mut fields = &payload[..self.header];
            std::iter::from_fn(|| varint(&mut fields)).skip(2).collect()
        };
        let mut rest = &payload[self.header..];
        let mut take = |column: usize| {
            let (bytes, after) = rest.split_at(self.columns[column]);
            rest = after;
            bytes
        };
        let mut number = |column: usize| match serials.get(column) {
            Some(9) => 1,
            _ => take(column).iter().fold(0, |value: u64, &b| value << 8 | u64::from(b)),
        };
        let (last, epoch, crc) = (number(0), number(1), number(2));
        let row = Row {
            first: Seq(self.row_id),
            last: Seq(last),
            epoch: Epoch(epoch),
            crc: u32::try_from(crc).ok()?,
            chain: take(3).try_into().ok()?,
            records: take(4).to_vec(),
        };
        row.check_alone().ok().map(|()| row)
    }
}

/// How much of a payload is in the leaf itself.
fn local_bytes(length: usize, usable: usize) -> usize {
    let most = usable.saturating_sub(35);
    if length <= most {
        return length;
    }
    let least = (usable.saturating_sub(12) * 32 / 255).saturating_sub(23);
    let spill = usable.saturating_sub(4).max(1);
    let fitting = least + length.saturating_sub(least) % spill;
    if fitting <= most { fitting } else { least }
}

/// SQLite's number of 1 to 9 bytes.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for i in 0..9 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        if i == 8 {
            return Some(value << 8 | u64::from(byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
