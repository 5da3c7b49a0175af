//! The shape of SQLite's WAL file: how much of it is whole transactions, and what follows them.
//!
//! SQLite itself ignores what follows, silently. This module only measures, so that the cut can
//! be reported. The format is documented at <https://sqlite.org/fileformat2.html#walformat>.

/// The bytes before the first frame.
pub(crate) const HEADER: usize = 32;
/// The bytes before the page of a frame.
pub(crate) const FRAME_HEADER: usize = 24;

/// What SQLite leaves out when it recovers a WAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Bytes after the last whole transaction.
    pub bytes: u64,
    /// Whole frames among them.
    pub frames: u64,
}

/// The tail of a WAL's content, `None` if it ends with a whole transaction (stale frames of an
/// earlier generation do not count), or holds nothing.
pub(crate) fn tail(wal: &[u8]) -> Option<Tail> {
    let Some(header) = Header::parse(wal) else {
        let bytes = wal.len() as u64;
        return (bytes > 0).then_some(Tail { bytes, frames: 0 });
    };
    let size = FRAME_HEADER + header.page_bytes;
    let mut sum = header.checksum;
    let mut frames = wal[HEADER..].chunks(size).enumerate();
    let mut committed = 0;
    for (i, frame) in frames.by_ref() {
        if !header.owns(frame) || frame.len() < size || !header.continues(frame, &mut sum) {
            break;
        }
        if word(frame, 4) != 0 {
            committed = i + 1;
        }
    }
    let left = wal[HEADER..].chunks(size).skip(committed).filter(|frame| header.owns(frame));
    let (mut bytes, mut whole) = (0, 0);
    for frame in left {
        bytes += frame.len() as u64;
        whole += u64::from(frame.len() == size);
    }
    (bytes > 0).then_some(Tail { bytes, frames: whole })
}

/// The header of a WAL whose checksum holds.
pub(crate) struct Header {
    pub(crate) page_bytes: usize,
    big_endian: bool,
    salt: [u8; 8],
    checksum: (u32, u32),
}

impl Header {
    pub(crate) fn parse(wal: &[u8]) -> Option<Self> {
        let bytes = wal.get(..HEADER)?;
        let big_endian = match word(bytes, 0) {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return None,
        };
        let mut checksum = (0, 0);
        add(&mut checksum, &bytes[..24], big_endian);
        let page_bytes = word(bytes, 8) as usize;
        let whole = checksum == (word(bytes, 24), word(bytes, 28));
        (whole && page_bytes.is_power_of_two() && page_bytes >= 512).then(|| Self {
            page_bytes,
            big_endian,
            salt: bytes[16..24].try_into().expect("8 bytes"),
            checksum,
        })
    }

    fn owns(&self, frame: &[u8]) -> bool {
        frame.get(8..16).is_some_and(|salt| salt == self.salt)
    }

    fn continues(&self, frame: &[u8], sum: &mut (u32, u32)) -> bool {
        add(sum, &frame[..8], self.big_endian);
        add(sum, &frame[FRAME_HEADER..], self.big_endian);
        *sum == (word(frame, 16), word(frame, 20))
    }
}

/// A big-endian number.
pub(crate) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn add(sum: &mut (u32, u32), bytes: &[u8], big_endian: bool) {
    let read = |part: &[u8]| {
        let part = part.try_into().expect("4 bytes");
        if big_endian { u32::from_be_bytes(part) } else { u32::from_le_bytes(part) }
    };
    for pair in bytes.chunks_exact(8) {
        sum.0 = sum.0.wrapping_add(read(&pair[..4])).wrapping_add(sum.1);
        sum.1 = sum.1.wrapping_add(read(&pair[4..])).wrapping_add(sum.0);
    }
}
