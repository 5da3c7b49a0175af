//! One flush as one row: consecutive records, sealed by a checksum and chained to the row before.
//!
//! The checksum stands alone, so that a row can be trusted when its predecessor is lost (repair);
//! the chain makes a missing, foreign or reordered row visible. Row 0 is the head: what the
//! journal is about.

use serde::{Deserialize, Serialize};

use crate::error::Damage;
use crate::number::{Epoch, Seq};

/// A BLAKE3 hash over everything up to a row.
pub(crate) type Chain = [u8; 32];

/// The chain before the head.
pub(crate) const UNCHAINED: Chain = [0; 32];

/// The version of what is in the journal's files.
pub(crate) const FORMAT: i64 = 1;

/// One flush.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) first: Seq,
    pub(crate) last: Seq,
    pub(crate) epoch: Epoch,
    pub(crate) crc: u32,
    pub(crate) chain: Chain,
    /// Separated by newlines.
    pub(crate) records: Vec<u8>,
}

impl Row {
    /// Seals records that follow the row with hash `previous`.
    pub(crate) fn seal(
        previous: &Chain,
        first: Seq,
        last: Seq,
        epoch: Epoch,
        records: Vec<u8>,
    ) -> Self {
        let mut row = Self { first, last, epoch, crc: 0, chain: UNCHAINED, records };
        row.crc = row.checksum();
        row.chain = row.chained(previous);
        row
    }

    fn preamble(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.last.0.to_le_bytes());
        bytes[16..].copy_from_slice(&self.epoch.0.to_le_bytes());
        bytes
    }

    fn checksum(&self) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(&self.preamble()), &self.records)
    }

    fn chained(&self, previous: &Chain) -> Chain {
        let mut hasher = blake3::Hasher::new();
        hasher.update(previous);
        hasher.update(&self.preamble());
        hasher.update(&self.crc.to_le_bytes());
        hasher.update(&self.records);
        *hasher.finalize().as_bytes()
    }

    /// Whether the row is what was once sealed, wherever it belongs.
    pub(crate) fn check_alone(&self) -> Result<(), Damage> {
        if self.checksum() != self.crc {
            return Err(Damage::Checksum);
        }
        let lines = self.records.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
        if self.last < self.first || self.last.0 - self.first.0 + 1 != lines {
            return Err(Damage::Row);
        }
        std::str::from_utf8(&self.records).map(drop).map_err(|_| Damage::Row)
    }

    /// Whether the row follows the row with hash `previous`.
    pub(crate) fn follows(&self, previous: &Chain) -> Result<(), Damage> {
        if self.chained(previous) == self.chain { Ok(()) } else { Err(Damage::Chain) }
    }

    /// The records with their places; the row has been checked.
    pub(crate) fn records(&self) -> impl Iterator<Item = (Seq, &str)> {
        let text = std::str::from_utf8(&self.records).expect("a checked row holds UTF-8");
        text.split('\n').enumerate().map(|(i, record)| (Seq(self.first.0 + i as u64), record))
    }
}

/// What a journal is about; its first row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The run the journal belongs to.
    pub run: String,
    /// Whatever the owner wants to know before reading any record: one line of text.
    pub about: String,
}

#[derive(Serialize, Deserialize)]
struct HeadText {
    format: i64,
    run: String,
    about: String,
}

impl Head {
    /// The head as row 0. Without an epoch, so that the text alone is enough to rebuild it.
    pub(crate) fn row(&self) -> Row {
        let text = HeadText { format: FORMAT, run: self.run.clone(), about: self.about.clone() };
        let text = serde_json::to_vec(&text).expect("numbers and strings always serialize");
        Self::row_of_text(text)
    }

    /// Row 0 from the text in it.
    pub(crate) fn row_of_text(text: Vec<u8>) -> Row {
        Row::seal(&UNCHAINED, Seq::ZERO, Seq::ZERO, Epoch(0), text)
    }

    /// Reads a checked row 0.
    pub(crate) fn of_row(row: &Row) -> Result<Self, Damage> {
        match serde_json::from_slice(&row.records) {
            Ok(HeadText { format: FORMAT, run, about }) => Ok(Self { run, about }),
            _ => Err(Damage::Head),
        }
    }
}
