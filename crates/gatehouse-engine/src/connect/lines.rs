//! Lines of the log about connections: as many a second as a log takes, so that whoever connects a hundred thousand times a minute
//! does not fill a disk.

const SECOND_NS: u64 = 1_000_000_000;

/// How many lines were written lately.
#[derive(Debug, Clone)]
pub struct Lines {
    most: u32,
    since_ns: u64,
    written: u32,
    left_out: u64,
}

impl Lines {
    /// At most so many a second.
    #[must_use]
    pub const fn new(most: u32) -> Self {
        Self { most, since_ns: 0, written: 0, left_out: 0 }
    }

    /// Whether another line may be written at this moment (monotonic nanoseconds), and how many were left out since the last one.
    /// `None`: this one is left out too.
    pub fn admit(&mut self, now_ns: u64) -> Option<u64> {
        if now_ns.saturating_sub(self.since_ns) >= SECOND_NS {
            (self.since_ns, self.written) = (now_ns, 0);
        }
        if self.written >= self.most {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.written = self.written.saturating_add(1);
        Some(core::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u32 = 200;

    #[test]
    fn lines_are_bounded_a_second_and_what_is_left_out_is_told() {
        let mut lines = Lines::new(MOST);
        let admitted = (0..1000).filter_map(|_| lines.admit(5 * SECOND_NS)).count();
        assert_eq!(admitted, MOST as usize);
        assert_eq!(lines.admit(6 * SECOND_NS), Some(1000 - u64::from(MOST)));
        assert_eq!(lines.admit(6 * SECOND_NS), Some(0));
    }
}
