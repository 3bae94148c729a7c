//! A block that ends by itself: what `blockFor` leaves in a cell.

/// Until when a key is refused whatever it does, and which step of the limit refuses it; 16 bytes, no error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Nanoseconds of the caller's clock; in the past when nothing is blocked.
    pub(crate) until: u64,
    pub(crate) step: u8,
}

impl Block {
    /// Refuses from `now` for `nanos`. A block of the same or a higher step that stands stays as it is; one of a lower
    /// step becomes this one and never ends earlier for it.
    pub fn begin(&mut self, step: u8, now: u64, nanos: u64) {
        if self.standing(now).is_none_or(|standing| standing < step) {
            self.until = self.until.max(now.saturating_add(nanos));
            self.step = step;
        }
    }

    /// The step that blocks, `None` when nothing is blocked.
    pub const fn standing(self, now: u64) -> Option<u8> {
        if self.until > now { Some(self.step) } else { None }
    }

    /// Nanoseconds that remain, 0 when nothing is blocked.
    pub const fn left(self, now: u64) -> u64 {
        self.until.saturating_sub(now)
    }
}
