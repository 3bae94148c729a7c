//! A window of time cut in sub-windows: the one place that says which moment falls where.

use crate::impossible::Impossible;

/// How many sub-windows a window is cut in.
pub const SUB_WINDOWS: u64 = 16;

/// Sub-windows that any window can touch: its sixteen, and one more because it seldom starts on a border.
pub(crate) const SLOTS: usize = 17;

/// The length of a sliding window, cut in [`SUB_WINDOWS`].
///
/// What was counted is held for no less than the window and no more than the window and one sub-window (and 15 ns where
/// the window is no multiple of 16 ns; every whole number of microseconds is one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    sub: u64,
}

impl Span {
    /// A window of `nanos`, at least 16.
    ///
    /// # Errors
    /// [`Impossible::Window`] for less than 16 ns.
    pub const fn new(nanos: u64) -> Result<Self, Impossible> {
        if nanos < SUB_WINDOWS {
            return Err(Impossible::Window);
        }
        Ok(Self { sub: nanos.div_ceil(SUB_WINDOWS) })
    }

    /// The length of one sub-window in nanoseconds.
    pub const fn sub_window(self) -> u64 {
        self.sub
    }

    /// Which sub-window a moment falls in, counted from the clock's zero.
    pub(crate) const fn index(self, now: u64) -> u64 {
        now / self.sub
    }

    /// The moment from which nothing of sub-window `index` counts any more.
    pub(crate) const fn leaves_at(self, index: u64) -> u64 {
        index.saturating_add(SLOTS as u64).saturating_mul(self.sub)
    }
}

/// The slot in a ring of [`SLOTS`] that a sub-window uses.
pub(crate) const fn slot(index: u64) -> usize {
    (index % SLOTS as u64) as usize
}

/// The slot of the sub-window that lies `age` (at most 16) before `index`.
pub(crate) const fn slot_before(index: u64, age: u64) -> usize {
    (slot(index).saturating_add(SLOTS).saturating_sub(age as usize)) % SLOTS
}
