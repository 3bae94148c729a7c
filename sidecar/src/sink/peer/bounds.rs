//! Bounds of what is sent to a peer, as written.

use std::time::Duration;

use gatehouse_policy::document::{Node, Problems};

/// The size of a batch, as written.
pub(in crate::sink) fn batch(node: &Node, problems: &mut Problems) -> Option<usize> {
    let size = node.size(problems)?;
    if !(4 << 10..=32 << 20).contains(&size) {
        problems.push(&node.place, "`batch` is out of range", "write a size from 4KiB to 32MiB");
    }
    usize::try_from(size).ok()
}

/// The time for a whole answer, as written.
pub(crate) fn timeout(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let timeout = node.duration(problems)?;
    if !(Duration::from_millis(100)..=Duration::from_secs(600)).contains(&timeout) {
        problems.push(&node.place, "`timeout` is out of range", "write a duration from 100ms to 10m");
    }
    Some(timeout)
}
