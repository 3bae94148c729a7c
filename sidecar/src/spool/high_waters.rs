//! The high-water marks of all epochs in the spool; a copy opens each segment.

use std::collections::BTreeMap;

use gatehouse_stream::receiver::{EPOCH_LIFE_MS, HighWater, MAX_EPOCHS};

/// At most [`MAX_EPOCHS`] marks; beyond that the epoch that was quiet longest goes.
#[derive(Debug, Default)]
pub(super) struct HighWaters {
    marks: BTreeMap<u64, HighWater>,
}

impl HighWaters {
    /// Raises the mark of an epoch.
    pub(super) fn raise(&mut self, high: &HighWater) {
        let mark = self.marks.entry(high.epoch).or_insert(*high);
        if high.durable_seq >= mark.durable_seq {
            *mark = *high;
        }
        if self.marks.len() > MAX_EPOCHS
            && let Some((&quietest, _)) = self.marks.iter().min_by_key(|(_, mark)| mark.last_ms)
        {
            self.marks.remove(&quietest);
        }
    }

    /// Forgets the epochs that were quiet for a day, as told by the liveliest; there is no clock on a disk.
    pub(super) fn age(&mut self) {
        let newest = self.marks.values().map(|mark| mark.last_ms).max().unwrap_or_default();
        self.marks.retain(|_, mark| newest.saturating_sub(mark.last_ms) <= EPOCH_LIFE_MS);
    }

    /// The `limit` liveliest.
    pub(super) fn liveliest(&self, limit: usize) -> Vec<HighWater> {
        let mut marks: Vec<HighWater> = self.marks.values().copied().collect();
        marks.sort_by_key(|mark| std::cmp::Reverse(mark.last_ms));
        marks.truncate(limit);
        marks
    }
}
