//! The bytes on disk, as drawn in the module above: encoding, and total parsing of whatever is found.

use gatehouse_stream::receiver::{Dropped, HighWater};

use super::types::Gap;

pub(super) const HEAD_BYTES: usize = 20;
pub(super) const ACCOUNT_BYTES: usize = 8 + HIGH_WATER_BYTES;
pub(super) const CURSOR_FILE_BYTES: u64 = 8192;
pub(super) const SLOT_STRIDE: u64 = 4096;
pub(super) const SLOT_BYTES: usize = 120;
/// Where in a frame the byte stands that says its kind.
pub(super) const KIND_AT: u64 = 16;
/// Records that one frame may count.
pub(super) const MAX_RECORDS: u32 = (1 << 24) - 1;

const HIGH_WATER_BYTES: usize = 88;
const SEGMENT_MAGIC: [u8; 8] = *b"GHSPOOL\n";
const CURSOR_MAGIC: [u8; 8] = *b"GHCURSR\n";
const VERSION: u32 = 1;
/// Of cursors; 2: records left out, and a gap that is not told yet.
const CURSOR_VERSION: u32 = 2;
const SEGMENT_FIXED_BYTES: usize = 40;

/// What opens a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) first_seq: u64,
    pub(super) records_before: u64,
    pub(super) high_waters: Vec<HighWater>,
}

impl Header {
    pub(super) fn encoded_len(high_waters: usize) -> usize {
        SEGMENT_FIXED_BYTES + high_waters * HIGH_WATER_BYTES + 4
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let len = Self::encoded_len(self.high_waters.len());
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(&SEGMENT_MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&self.first_seq.to_le_bytes());
        out.extend_from_slice(&self.records_before.to_le_bytes());
        out.extend_from_slice(&u32::try_from(self.high_waters.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&0u32.to_le_bytes());
        for high in &self.high_waters {
            put_high_water(&mut out, high);
        }
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Length of the whole header, from its fixed part; `None` when this is not a header of ours.
    pub(super) fn length(fixed: &[u8]) -> Option<usize> {
        let known = fixed.get(..8)? == SEGMENT_MAGIC && u32_at(fixed, 8)? == VERSION;
        let len = usize::try_from(u32_at(fixed, 12)?).ok()?;
        let count = usize::try_from(u32_at(fixed, 32)?).ok()?;
        (known && count.checked_mul(HIGH_WATER_BYTES)?.checked_add(SEGMENT_FIXED_BYTES + 4)? == len).then_some(len)
    }

    /// The header in `bytes`, which are exactly as long as it says.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if Self::length(bytes)? != bytes.len() {
            return None;
        }
        let (body, crc) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
        if crc32c::crc32c(body) != u32_at(crc, 0)? {
            return None;
        }
        let high_waters =
            body.get(SEGMENT_FIXED_BYTES..)?.chunks_exact(HIGH_WATER_BYTES).filter_map(high_water).collect();
        Some(Self { first_seq: u64_at(bytes, 16)?, records_before: u64_at(bytes, 24)?, high_waters })
    }

    /// Bytes to read to learn the length.
    pub(super) fn fixed_len() -> usize {
        SEGMENT_FIXED_BYTES
    }
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Batch,
    /// All frames before it were written and synced together with it.
    Commit,
}

/// Whether the byte at [`KIND_AT`] can be one of a frame.
pub(super) fn is_kind(byte: u8) -> bool {
    matches!(byte, 1 | 2)
}

/// The fixed part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) len: usize,
    crc: u32,
    pub(super) seq: u64,
    pub(super) kind: Kind,
    pub(super) records: u32,
}

impl Head {
    /// A head that can be one of ours; whether it is, the checksum tells.
    pub(super) fn parse(bytes: &[u8], max_len: usize) -> Option<Self> {
        let len = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let flags = u32_at(bytes, 16)?;
        let kind = match flags & 0xff {
            1 if len >= ACCOUNT_BYTES => Kind::Batch,
            2 if len == 0 => Kind::Commit,
            _ => return None,
        };
        (len <= max_len).then_some(Self {
            len,
            crc: u32_at(bytes, 4)?,
            seq: u64_at(bytes, 8)?,
            kind,
            records: flags >> 8,
        })
    }

    /// Whether `frame`, head and payload, is whole.
    pub(super) fn holds(&self, frame: &[u8]) -> bool {
        checksum(frame) == Some(self.crc)
    }

    pub(super) fn frame_len(&self) -> usize {
        HEAD_BYTES.saturating_add(self.len)
    }
}

/// Stands before the stored bytes in a batch frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Records stored since the spool began, this frame's included.
    pub(super) total: u64,
    pub(super) high_water: HighWater,
}

impl Account {
    /// Splits a batch frame's payload.
    pub(super) fn parse(payload: &[u8]) -> Option<(Self, &[u8])> {
        let (account, rest) = payload.split_at_checked(ACCOUNT_BYTES)?;
        Some((Self { total: u64_at(account, 0)?, high_water: high_water(account.get(8..)?)? }, rest))
    }
}

/// Appends a batch frame.
pub(super) fn put_batch(out: &mut Vec<u8>, seq: u64, records: u32, account: &Account, payload: &[u8]) {
    let start = out.len();
    let len = ACCOUNT_BYTES.saturating_add(payload.len());
    put_head(out, len, seq, 1 | (records.min(MAX_RECORDS) << 8));
    out.extend_from_slice(&account.total.to_le_bytes());
    put_high_water(out, &account.high_water);
    out.extend_from_slice(payload);
    seal(out, start);
}

/// Appends a commit marker for the frames up to `seq`.
pub(super) fn put_commit(out: &mut Vec<u8>, seq: u64) {
    let start = out.len();
    put_head(out, 0, seq, 2);
    seal(out, start);
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Last frame committed; 0: none.
    pub(super) seq: u64,
    /// Records stored up to and including that frame.
    pub(super) total: u64,
    pub(super) before: u64,
    pub(super) delivered: u64,
    pub(super) dead_lettered: u64,
    pub(super) skipped: u64,
    pub(super) set_aside: u64,
    pub(super) left_out: u64,
    /// What was skipped and is not told yet; with `last_seq` 0: nothing.
    pub(super) gap: Gap,
}

impl Cursor {
    pub(super) fn encode(&self, generation: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(SLOT_BYTES);
        out.extend_from_slice(&CURSOR_MAGIC);
        out.extend_from_slice(&CURSOR_VERSION.to_le_bytes());
        let Gap { first_seq, last_seq, records, at_ms } = self.gap;
        let account = [
            self.seq,
            self.total,
            self.before,
            self.delivered,
            self.dead_lettered,
            self.skipped,
            self.set_aside,
            self.left_out,
        ];
        let fields = account.into_iter().chain([first_seq, last_seq, records, at_ms]);
        for field in [generation].into_iter().chain(fields) {
            out.extend_from_slice(&field.to_le_bytes());
        }
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// The cursor in a slot, with its generation.
    pub(super) fn parse(slot: &[u8]) -> Option<(u64, Self)> {
        let (body, crc) = slot.get(..SLOT_BYTES)?.split_at_checked(SLOT_BYTES - 4)?;
        let known = body.get(..8)? == CURSOR_MAGIC && u32_at(body, 8)? == CURSOR_VERSION;
        let whole = known && crc32c::crc32c(body) == u32_at(crc, 0)?;
        let field = |index: usize| u64_at(body, 12 + index * 8);
        let cursor = Self {
            seq: field(1)?,
            total: field(2)?,
            before: field(3)?,
            delivered: field(4)?,
            dead_lettered: field(5)?,
            skipped: field(6)?,
            set_aside: field(7)?,
            left_out: field(8)?,
            gap: Gap { first_seq: field(9)?, last_seq: field(10)?, records: field(11)?, at_ms: field(12)? },
        };
        whole.then_some((field(0)?, cursor))
    }
}

fn put_head(out: &mut Vec<u8>, len: usize, seq: u64, flags: u32) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&flags.to_le_bytes());
}

/// Writes the checksum into the frame that begins at `start`.
fn seal(out: &mut [u8], start: usize) {
    let crc = out.get(start..).and_then(checksum);
    if let (Some(crc), Some(place)) = (crc, out.get_mut(start + 4..start + 8)) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
}

/// CRC-32C (RFC 3720, appendix B.4) over length, sequence, flags and payload: all but the checksum itself.
fn checksum(frame: &[u8]) -> Option<u32> {
    let (len, rest) = frame.split_at_checked(4)?;
    Some(crc32c::crc32c_append(crc32c::crc32c(len), rest.get(4..)?))
}

fn put_high_water(out: &mut Vec<u8>, high: &HighWater) {
    let fields = [
        high.epoch,
        high.durable_seq,
        high.stored,
        high.dropped.ring_full,
        high.dropped.no_stream,
        high.dropped.oversize,
        high.dropped.unreadable,
        high.elsewhere,
        high.seen,
        high.last_ms,
        u64::from(high.bye),
    ];
    for field in fields {
        out.extend_from_slice(&field.to_le_bytes());
    }
}

fn high_water(bytes: &[u8]) -> Option<HighWater> {
    let field = |index: usize| u64_at(bytes, index * 8);
    Some(HighWater {
        epoch: field(0)?,
        durable_seq: field(1)?,
        stored: field(2)?,
        dropped: Dropped { ring_full: field(3)?, no_stream: field(4)?, oversize: field(5)?, unreadable: field(6)? },
        elsewhere: field(7)?,
        seen: field(8)?,
        last_ms: field(9)?,
        bye: field(10)? != 0,
    })
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
