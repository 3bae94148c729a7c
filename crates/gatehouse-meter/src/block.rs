//! A block that ends by itself: what `blockFor` leaves in a cell.

/// Until when a key is refused whatever it does; 8 bytes, no error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Nanoseconds of the caller's clock; in the past when nothing is blocked.
    until: u64,
}

impl Block {
    /// Refuses from `now` for `nanos`; a block that lasts longer already stays as it is.
    pub fn begin(&mut self, now: u64, nanos: u64) {
        self.until = self.until.max(now.saturating_add(nanos));
    }

    /// Nanoseconds that remain, `None` when nothing is blocked.
    pub const fn left(self, now: u64) -> Option<u64> {
        match self.until.saturating_sub(now) {
            0 => None,
            left => Some(left),
        }
    }
}
