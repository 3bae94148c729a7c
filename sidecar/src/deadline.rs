//! Ends that survive a restart and never move away, whatever is done to the clocks.
//!
//! While the machine runs, ends are milliseconds of the clock since boot, which nobody sets and which goes on between two
//! processes. In a file an end stands three times: by that clock (good for as long as the boot id is the same), by the wall
//! clock (for after a reboot), and as what remained when the file was written. After a restart there remains the least of what
//! the clock that is good says and what remained when it was written. A wall clock that was set back can therefore not make an
//! end later; one that was set forward makes it earlier, which errs on the side of the policy.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// What the clocks of this machine say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since boot, time asleep included.
    pub boot_ms: u64,
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
}

/// An end as it stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// By the clock since boot, milliseconds.
    boot_ms: u64,
    /// By the wall clock, milliseconds since the Unix epoch.
    wall_ms: u64,
    /// What remained when this was written, milliseconds.
    left_ms: u64,
}

impl Now {
    /// Reads both clocks.
    #[must_use]
    pub fn read() -> Self {
        let boot = clock_gettime(ClockId::Boottime);
        let boot = Duration::new(u64::try_from(boot.tv_sec).unwrap_or(0), u32::try_from(boot.tv_nsec).unwrap_or(0));
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self { boot_ms: ms(boot), wall_ms: ms(wall) }
    }

    /// When something that lasts `duration` from now ends, by the clock since boot.
    #[must_use]
    pub fn end_of(self, duration: Duration) -> u64 {
        self.boot_ms.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    /// What remains until `end_ms` of the clock since boot, milliseconds; 0: it is over.
    #[must_use]
    pub fn left_ms(self, end_ms: u64) -> u64 {
        end_ms.saturating_sub(self.boot_ms)
    }

    /// `end_ms` of the clock since boot, by the wall clock as it stands now.
    #[must_use]
    pub fn wall_of(self, end_ms: u64) -> u64 {
        self.wall_ms.saturating_add(self.left_ms(end_ms))
    }
}

impl Kept {
    /// An end, to be written at this moment.
    #[must_use]
    pub fn of(end_ms: u64, now: Now) -> Self {
        Self { boot_ms: end_ms, wall_ms: now.wall_of(end_ms), left_ms: now.left_ms(end_ms) }
    }

    /// The end by the clock since boot; `None`: it is over. `same_boot`: the machine was not started since it was written.
    #[must_use]
    pub fn resume(self, same_boot: bool, now: Now) -> Option<u64> {
        let by_clock =
            if same_boot { self.boot_ms.saturating_sub(now.boot_ms) } else { self.wall_ms.saturating_sub(now.wall_ms) };
        let left = by_clock.min(self.left_ms);
        (left > 0).then(|| now.boot_ms.saturating_add(left))
    }
}

/// Names the time since the machine was started; empty where the system does not say, which equals no other.
#[must_use]
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Whether `kept` names this very boot.
#[must_use]
pub fn is_this_boot(kept: &str) -> bool {
    !kept.is_empty() && kept == boot_id()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Now = Now { boot_ms: 1_000_000, wall_ms: 1_700_000_000_000 };
    const END: u64 = 1_060_000;

    #[test]
    fn within_one_boot_steps_of_the_wall_clock_change_nothing() {
        let kept = Kept::of(END, NOW);
        for wall_ms in [0, NOW.wall_ms - 86_400_000, NOW.wall_ms + 86_400_000] {
            let later = Now { boot_ms: NOW.boot_ms + 10_000, wall_ms };
            assert_eq!(kept.resume(true, later), Some(END));
        }
        assert_eq!(kept.resume(true, Now { boot_ms: END, ..NOW }), None);
    }

    #[test]
    fn after_a_reboot_the_wall_clock_counts_and_can_only_shorten() {
        let kept = Kept::of(END, NOW);
        let after = |wall_ms| kept.resume(false, Now { boot_ms: 5_000, wall_ms });
        assert_eq!(after(NOW.wall_ms + 20_000), Some(5_000 + 40_000));
        assert_eq!(after(0), Some(5_000 + 60_000), "a clock without a battery");
        assert_eq!(after(NOW.wall_ms + 60_000), None);
    }

    #[test]
    fn the_clock_since_boot_goes_on() {
        let first = Now::read();
        assert!(Now::read().boot_ms >= first.boot_ms && first.boot_ms > 0);
        assert!(is_this_boot(&boot_id()) && !is_this_boot("") && !is_this_boot("other"));
    }

    proptest! {
        #[test]
        fn no_restart_at_whatever_clocks_makes_more_remain(
            end: u64, boot: u64, wall in 0u64..1 << 50, restarts in proptest::collection::vec((any::<u64>(), 0u64..1 << 50, any::<bool>()), 0..6)
        ) {
            let now = Now { boot_ms: boot, wall_ms: wall };
            let mut left = now.left_ms(end);
            let mut kept = Kept::of(end, now);
            for (boot_ms, wall_ms, same_boot) in restarts {
                let now = Now { boot_ms, wall_ms };
                let Some(end) = kept.resume(same_boot, now) else { break };
                prop_assert!(now.left_ms(end) <= left);
                left = now.left_ms(end);
                kept = Kept::of(end, now);
            }
        }
    }
}
