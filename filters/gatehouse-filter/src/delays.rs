//! Requests that wait: held at their headers, let go from a tick. Bounded, so that nobody can make the gate hold what it cannot.

/// Most requests of one worker that wait at once.
const MOST: usize = 256;

/// The requests of one worker that wait.
#[derive(Debug, Default)]
pub struct Delays {
    /// Context and monotonic nanoseconds at which it goes on.
    waiting: Vec<(u32, u64)>,
}

impl Delays {
    /// Holds a request; false: too many wait already, and this one goes on at once.
    pub fn hold(&mut self, context: u32, until_ns: u64) -> bool {
        let room = self.waiting.len() < MOST;
        if room {
            self.waiting.push((context, until_ns));
        }
        room
    }

    /// Somebody waits.
    pub fn is_busy(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A request whose time has come; it waits no longer.
    pub fn due(&mut self, now_ns: u64) -> Option<u32> {
        let at = self.waiting.iter().position(|(_, until_ns)| *until_ns <= now_ns)?;
        Some(self.waiting.swap_remove(at).0)
    }

    /// A request is gone.
    pub fn forget(&mut self, context: u32) {
        self.waiting.retain(|(waiting, _)| *waiting != context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_go_on_when_their_time_has_come_and_gone_ones_never() {
        let mut delays = Delays::default();
        assert!(delays.hold(1, 30) && delays.hold(2, 10) && delays.hold(3, 20));
        assert_eq!((delays.due(9), delays.due(15), delays.due(15)), (None, Some(2), None));
        delays.forget(3);
        assert_eq!((delays.due(99), delays.due(99)), (Some(1), None));
        assert!(!delays.is_busy());
    }

    #[test]
    fn more_than_can_wait_do_not() {
        let mut delays = Delays::default();
        let held = (0..1000).filter(|context| delays.hold(*context, 1)).count();
        assert_eq!(held, MOST);
    }
}
