//! Cells as bytes, little-endian, of one length for each kind.

use crate::block::Block;
use crate::failures::Failures;
use crate::gcra::GcraCell;
use crate::span::SLOTS;
use crate::table::Cell;
use crate::window::{Window, WindowCell};

/// A block: until when (8 bytes), at which step (1).
const BLOCK: usize = 9;
/// A window: newest sub-window (8), when it is spent (8), and 17 counters (4 each).
const WINDOW: usize = 16 + 4 * SLOTS;

/// A cell that can be kept in a host's shared data.
pub(crate) trait SharedCell: Cell + Clone + PartialEq {
    /// Its number in the format.
    const KIND: u8;

    /// The moment from which a fresh cell would behave the same, if nothing more happens.
    fn spent_at(&self) -> u64;

    /// Appends exactly [`length`] of its kind.
    fn write(&self, out: &mut Vec<u8>);

    /// Reads what `write` wrote; `None` for too few bytes. Any content is a cell.
    fn read(bytes: &[u8]) -> Option<Self>;
}

/// How many bytes a kind's cells have; `None` for a kind that there is not.
pub(super) const fn length(kind: u8) -> Option<usize> {
    match kind {
        Failures::KIND => Some(WINDOW + BLOCK + 20),
        GcraCell::KIND => Some(8 + BLOCK),
        WindowCell::KIND => Some(WINDOW + BLOCK),
        _ => None,
    }
}

/// The longest of them.
pub(super) const LONGEST: usize = WINDOW + BLOCK + 20;

impl SharedCell for Failures {
    const KIND: u8 = 1;

    fn spent_at(&self) -> u64 {
        let waits = if self.in_flight > 0 { self.lapses_at } else { 0 };
        self.window.spent_at.max(self.block.until).max(waits)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_window(&self.window, out);
        write_block(self.block, out);
        out.extend_from_slice(&self.born.to_le_bytes());
        out.extend_from_slice(&self.lapses_at.to_le_bytes());
        out.extend_from_slice(&self.in_flight.to_le_bytes());
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        Some(Self {
            window: read_window(bytes)?,
            block: read_block(bytes)?,
            born: read_u64(bytes)?,
            lapses_at: read_u64(bytes)?,
            in_flight: u32::from_le_bytes(take(bytes)?),
        })
    }
}

impl SharedCell for GcraCell {
    const KIND: u8 = 2;

    fn spent_at(&self) -> u64 {
        self.arrival.max(self.block.until)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.arrival.to_le_bytes());
        write_block(self.block, out);
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        Some(Self { arrival: read_u64(bytes)?, block: read_block(bytes)? })
    }
}

impl SharedCell for WindowCell {
    const KIND: u8 = 3;

    fn spent_at(&self) -> u64 {
        self.window.spent_at.max(self.block.until)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_window(&self.window, out);
        write_block(self.block, out);
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        Some(Self { window: read_window(bytes)?, block: read_block(bytes)? })
    }
}

fn write_window(window: &Window, out: &mut Vec<u8>) {
    out.extend_from_slice(&window.newest.to_le_bytes());
    out.extend_from_slice(&window.spent_at.to_le_bytes());
    window.counts.iter().for_each(|count| out.extend_from_slice(&count.to_le_bytes()));
}

fn read_window(bytes: &mut &[u8]) -> Option<Window> {
    let (newest, spent_at, mut counts) = (read_u64(bytes)?, read_u64(bytes)?, [0; SLOTS]);
    for count in &mut counts {
        *count = u32::from_le_bytes(take(bytes)?);
    }
    Some(Window { newest, spent_at, counts })
}

fn write_block(block: Block, out: &mut Vec<u8>) {
    out.extend_from_slice(&block.until.to_le_bytes());
    out.push(block.step);
}

fn read_block(bytes: &mut &[u8]) -> Option<Block> {
    let (until, [step]) = (read_u64(bytes)?, take(bytes)?);
    Some(Block { until, step })
}

fn read_u64(bytes: &mut &[u8]) -> Option<u64> {
    take(bytes).map(u64::from_le_bytes)
}

/// The next bytes, which leave the rest.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}
