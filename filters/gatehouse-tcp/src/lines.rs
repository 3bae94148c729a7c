//! Lines of the log about connections: as many a second as a log takes, so that whoever connects a hundred thousand times a minute
//! does not fill a disk. What is left out is counted, and told with the next line.

use gatehouse_filter::host::{self, Level};
use gatehouse_filter::metrics::{Count, Metrics};

const SECOND_NS: u64 = 1_000_000_000;
/// Lines a second, of one worker.
const MOST: u32 = 200;

/// How many lines were written lately.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    since_ns: u64,
    written: u32,
    left_out: u64,
}

impl Lines {
    pub(crate) fn write(&mut self, level: Level, line: impl FnOnce() -> String, now_ns: u64, metrics: &Metrics) {
        match self.admit(now_ns) {
            Some(0) => host::log(level, &line()),
            Some(left_out) => host::log(level, &format!("{} ({left_out} lines like this were left out)", line())),
            None => metrics.count(Count::LinesLeftOut),
        }
    }

    /// How many were left out since the last line; `None`: this one is too.
    fn admit(&mut self, now_ns: u64) -> Option<u64> {
        if now_ns.saturating_sub(self.since_ns) >= SECOND_NS {
            (self.since_ns, self.written) = (now_ns, 0);
        }
        if self.written >= MOST {
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

    #[test]
    fn lines_are_bounded_a_second_and_what_is_left_out_is_told() {
        let mut lines = Lines::default();
        let admitted = (0..1000).filter_map(|_| lines.admit(5 * SECOND_NS)).count();
        assert_eq!(admitted, MOST as usize);
        assert_eq!(lines.admit(6 * SECOND_NS), Some(1000 - u64::from(MOST)));
        assert_eq!(lines.admit(6 * SECOND_NS), Some(0));
    }
}
