//! Reads the frames of one segment in order, through a window; recovery and readers share it.

use std::io;
use std::sync::Arc;

use super::disk::DiskFile;
use super::format::{HEAD_BYTES, Head, KIND_AT, is_kind};

/// Bytes read at once; the window grows to the largest frame met.
const WINDOW_BYTES: usize = 256 * 1024;

/// A place in a segment, and the bytes around it.
pub(super) struct Scan {
    file: Arc<dyn DiskFile>,
    offset: u64,
    max_len: usize,
    window: Vec<u8>,
    window_at: u64,
    /// Bytes of the frame returned last, within the window.
    last: std::ops::Range<usize>,
}

/// What stands at the scan's place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Bytes that are no frame. The place does not move.
    Bad,
    /// Zeros, or fewer bytes than a frame has. The place does not move.
    End,
    /// A whole frame. The place moves behind it.
    Frame(Head),
}

impl Scan {
    pub(super) fn new(file: Arc<dyn DiskFile>, offset: u64, max_len: usize) -> Self {
        Self { file, offset, max_len, window: Vec::new(), window_at: 0, last: 0..0 }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn file(&self) -> &Arc<dyn DiskFile> {
        &self.file
    }

    pub(super) fn skip_to(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// Looks at what stands here, with `limit` as the end of the file.
    pub(super) fn step(&mut self, limit: u64) -> io::Result<Step> {
        let head = self.bytes(self.offset, HEAD_BYTES, limit)?;
        if head.len() < HEAD_BYTES || head.iter().all(|&byte| byte == 0) {
            return Ok(Step::End);
        }
        let Some(head) = self.valid_at(self.offset, limit)? else {
            return Ok(Step::Bad);
        };
        let from = usize::try_from(self.offset.saturating_sub(self.window_at)).unwrap_or(usize::MAX);
        self.last = from.saturating_add(HEAD_BYTES)..from.saturating_add(head.frame_len());
        self.offset = self.offset.saturating_add(wide(head.frame_len()));
        Ok(Step::Frame(head))
    }

    /// Payload of the frame that [`step`](Self::step) returned last.
    pub(super) fn payload(&self) -> &[u8] {
        self.window.get(self.last.clone()).unwrap_or_default()
    }

    /// Moves to the next whole frame behind bytes that are none: by the length that stands here if a frame follows there,
    /// else the first one found byte by byte. False, and the place does not move, when there is none before `limit`.
    /// `expected` is the sequence that would come next; a frame that cannot belong there is not taken.
    pub(super) fn resync(&mut self, expected: u64, limit: u64) -> io::Result<bool> {
        let max_len = self.max_len;
        let by_length = Head::parse(self.bytes(self.offset, HEAD_BYTES, limit)?, max_len)
            .map(|head| self.offset.saturating_add(wide(head.frame_len())));
        if let Some(next) = by_length
            && self.fits_at(next, expected, limit)?
        {
            self.offset = next;
            return Ok(true);
        }
        let mut at = self.offset.saturating_add(1);
        loop {
            // The byte that says what a frame is comes 16 bytes into it and is never 0: zeros are passed over in one go.
            let kinds = self.bytes(at.saturating_add(KIND_AT), WINDOW_BYTES / 4, limit)?;
            let Some(first) = kinds.first() else {
                return Ok(false);
            };
            if is_kind(*first) {
                if self.fits_at(at, expected, limit)? {
                    self.offset = at;
                    return Ok(true);
                }
                at = at.saturating_add(1);
            } else {
                let none = kinds.iter().position(|&byte| is_kind(byte)).unwrap_or(kinds.len());
                at = at.saturating_add(wide(none));
            }
        }
    }

    fn fits_at(&mut self, at: u64, expected: u64, limit: u64) -> io::Result<bool> {
        let max_len = self.max_len;
        // Each frame has a head at least, so no sequence can have run further ahead than this.
        let furthest = expected.saturating_add(limit.saturating_sub(self.offset) / wide(HEAD_BYTES));
        // A commit marker bears the sequence of the frame before it.
        let near = expected.saturating_sub(1)..=furthest;
        match Head::parse(self.bytes(at, HEAD_BYTES, limit)?, max_len) {
            Some(head) if near.contains(&head.seq) => Ok(self.valid_at(at, limit)?.is_some()),
            _ => Ok(false),
        }
    }

    fn valid_at(&mut self, at: u64, limit: u64) -> io::Result<Option<Head>> {
        let max_len = self.max_len;
        let Some(head) = Head::parse(self.bytes(at, HEAD_BYTES, limit)?, max_len) else {
            return Ok(None);
        };
        Ok(head.holds(self.bytes(at, head.frame_len(), limit)?).then_some(head))
    }

    /// At most `len` bytes from `at`; fewer only at `limit` or the end of the file.
    fn bytes(&mut self, at: u64, len: usize, limit: u64) -> io::Result<&[u8]> {
        let len = len.min(usize::try_from(limit.saturating_sub(at)).unwrap_or(usize::MAX));
        let inside = at >= self.window_at
            && at.saturating_add(wide(len)) <= self.window_at.saturating_add(wide(self.window.len()));
        if !inside {
            self.fill(at, len.max(WINDOW_BYTES), limit)?;
        }
        let from = usize::try_from(at.saturating_sub(self.window_at)).unwrap_or(usize::MAX);
        let to = from.saturating_add(len).min(self.window.len());
        Ok(self.window.get(from..to).unwrap_or_default())
    }

    fn fill(&mut self, at: u64, len: usize, limit: u64) -> io::Result<()> {
        let len = len.min(usize::try_from(limit.saturating_sub(at)).unwrap_or(usize::MAX));
        self.window.clear();
        self.window.resize(len, 0);
        self.window_at = at;
        let mut have = 0;
        while let Some(rest) = self.window.get_mut(have..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(at.saturating_add(wide(have)), rest) {
                Ok(0) => break,
                Ok(read) => have += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.window.clear();
                    return Err(error);
                }
            }
        }
        self.window.truncate(have);
        Ok(())
    }
}

pub(super) fn wide(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
