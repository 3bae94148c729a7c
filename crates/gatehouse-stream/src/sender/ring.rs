//! Records and loss ranges in sequence order, without holes: what was sent in front, what was not behind.
//!
//! Loss ranges that follow each other merge when their reason is the same. Where more than [`RANGES`] stand in the ring,
//! neighbours merge whatever their reason, and the larger one's reason stays; so ranges never outnumber [`RANGES`] and
//! twice the records between them.

use std::collections::VecDeque;

use gatehouse_proto::v1;
use gatehouse_proto::v1::loss::Reason;
use prost::Message as _;

use super::Class;

/// Charged for each item beside its bytes: its place in the deque and in the list of plain ones, and the allocator's own.
const ITEM_BYTES: usize = 64;

/// Loss ranges that are kept apart by reason.
const RANGES: usize = 1024;

/// See the module. `cursor` ≤ `sent` ≤ `items.len()`: before `cursor` this stream has sent; before `sent` any stream has.
#[derive(Debug)]
pub(super) struct Ring {
    limit: usize,
    items: VecDeque<Item>,
    cursor: usize,
    sent: usize,
    /// Sequences of the plain records that were never sent, ascending.
    plain: VecDeque<u64>,
    /// Bytes that shedding all of `plain` would free.
    plain_bytes: usize,
    bytes: usize,
    unsent_bytes: usize,
    ranges: usize,
    /// Number of ranges at which neighbours are merged; doubles with what remains, so that the work is paid for.
    merge_at: usize,
}

#[derive(Debug)]
struct Item {
    first_seq: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    Lost { count: u64, reason: Reason },
    Record { class: Class, bytes: Vec<u8> },
}

/// How many items the next batch takes, and their encoded bytes.
pub(super) struct Plan {
    pub(super) items: usize,
    pub(super) bytes: usize,
}

impl Item {
    fn end_seq(&self) -> u64 {
        match self.what {
            What::Lost { count, .. } => self.first_seq.saturating_add(count),
            What::Record { .. } => self.first_seq.saturating_add(1),
        }
    }

    /// Bytes charged to the ring.
    fn charge(&self) -> usize {
        match &self.what {
            What::Lost { .. } => ITEM_BYTES,
            What::Record { bytes, .. } => ITEM_BYTES.saturating_add(bytes.capacity()),
        }
    }

    /// Bytes in an encoded batch: tag, length, content.
    fn encoded(&self) -> usize {
        let len = match &self.what {
            What::Lost { count, reason } => self.loss(*count, *reason).encoded_len(),
            What::Record { bytes, .. } => bytes.len(),
        };
        len.saturating_add(prost::length_delimiter_len(len)).saturating_add(1)
    }

    fn loss(&self, count: u64, reason: Reason) -> v1::Loss {
        v1::Loss { first_seq: self.first_seq, count, reason: i32::from(reason) }
    }
}

impl Ring {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            items: VecDeque::new(),
            cursor: 0,
            sent: 0,
            plain: VecDeque::new(),
            plain_bytes: 0,
            bytes: 0,
            unsent_bytes: 0,
            ranges: 0,
            merge_at: RANGES,
        }
    }

    /// Adds a record, or gives it up; returns how many records were given up for `reason`.
    pub(super) fn push(&mut self, seq: u64, class: Class, bytes: Vec<u8>, reason: Reason) -> u64 {
        let item = Item { first_seq: seq, what: What::Record { class, bytes } };
        let need = self.bytes.saturating_add(item.charge());
        let free = if class == Class::Kept { self.plain_bytes } else { 0 };
        if need.saturating_sub(free) > self.limit {
            self.lose(seq, reason);
            return 1;
        }
        let mut shed = 0;
        while self.bytes.saturating_add(item.charge()) > self.limit && self.shed_newest(reason) {
            shed += 1;
        }
        if class == Class::Plain {
            self.plain.push_back(seq);
            self.plain_bytes = self.plain_bytes.saturating_add(item.charge().saturating_sub(ITEM_BYTES));
        }
        self.append(item);
        shed
    }

    /// Puts a lost sequence at the end.
    pub(super) fn lose(&mut self, seq: u64, reason: Reason) {
        let crowded = self.ranges >= RANGES;
        if self.items.len() > self.sent
            && let Some(Item { what: What::Lost { count, reason: last }, .. }) = self.items.back_mut()
            && (*last == reason || crowded)
        {
            *count = count.saturating_add(1);
            return;
        }
        self.append(Item { first_seq: seq, what: What::Lost { count: 1, reason } });
        self.ranges += 1;
        self.merge_if_many();
    }

    /// The stream is new or gone: everything is to be sent again.
    pub(super) fn rewind(&mut self) {
        self.cursor = 0;
        self.unsent_bytes = self.bytes;
    }

    /// Forgets all that lies below `durable_seq`, which is at most [`sent_seq`](Self::sent_seq).
    pub(super) fn release(&mut self, durable_seq: u64) {
        while self.sent > 0
            && let Some(item) = self.items.pop_front_if(|item| item.end_seq() <= durable_seq)
        {
            self.bytes = self.bytes.saturating_sub(item.charge());
            self.ranges -= usize::from(matches!(item.what, What::Lost { .. }));
            if self.cursor == 0 {
                self.unsent_bytes = self.unsent_bytes.saturating_sub(item.charge());
            }
            self.cursor = self.cursor.saturating_sub(1);
            self.sent -= 1;
        }
        // A house that names a number inside a range has the front of it.
        if let Some(Item { first_seq, what: What::Lost { count, .. } }) = self.items.front_mut()
            && *first_seq < durable_seq
        {
            *count = count.saturating_sub(durable_seq - *first_seq);
            *first_seq = durable_seq;
        }
    }

    /// As many items as fit into `room` encoded bytes.
    pub(super) fn plan(&self, room: usize) -> Plan {
        let mut plan = Plan { items: 0, bytes: 0 };
        for item in self.items.range(self.cursor..) {
            let bytes = plan.bytes.saturating_add(item.encoded());
            if bytes > room {
                break;
            }
            plan = Plan { items: plan.items + 1, bytes };
        }
        plan
    }

    /// Copies the next `items` into `batch`, pins them, and returns the sequence after the last.
    pub(super) fn take(&mut self, items: usize, batch: &mut v1::Batch) -> u64 {
        let end = self.cursor.saturating_add(items).min(self.items.len());
        let mut end_seq = batch.first_seq;
        for (index, item) in self.items.range(self.cursor..end).enumerate() {
            end_seq = item.end_seq();
            self.unsent_bytes = self.unsent_bytes.saturating_sub(item.charge());
            match &item.what {
                What::Lost { count, reason } => batch.losses.push(item.loss(*count, *reason)),
                What::Record { class, bytes } => {
                    batch.records.push(bytes.clone());
                    if *class == Class::Plain && self.cursor + index >= self.sent {
                        self.plain.pop_front();
                        self.plain_bytes = self.plain_bytes.saturating_sub(bytes.capacity());
                    }
                }
            }
        }
        self.cursor = end;
        self.sent = self.sent.max(end);
        end_seq
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn unsent(&self) -> usize {
        self.items.len().saturating_sub(self.cursor)
    }

    /// Records that are held, and those of them that no stream has sent. Walks over all of them.
    pub(super) fn records(&self) -> (u64, u64) {
        let count = |from: usize| {
            let items = self.items.range(from.min(self.items.len())..);
            items.filter(|item| matches!(item.what, What::Record { .. })).count() as u64
        };
        (count(0), count(self.sent))
    }

    pub(super) fn unsent_bytes(&self) -> usize {
        self.unsent_bytes
    }

    /// First sequence that this stream has still to send.
    pub(super) fn cursor_seq(&self) -> Option<u64> {
        self.items.get(self.cursor).map(|item| item.first_seq)
    }

    /// End of what was ever sent and is still held; 0 when nothing is.
    pub(super) fn sent_seq(&self) -> u64 {
        self.sent.checked_sub(1).and_then(|last| self.items.get(last)).map_or(0, Item::end_seq)
    }

    fn append(&mut self, item: Item) {
        self.bytes = self.bytes.saturating_add(item.charge());
        self.unsent_bytes = self.unsent_bytes.saturating_add(item.charge());
        self.items.push_back(item);
    }

    /// Turns the newest plain record that was never sent into a loss; false when there is none.
    fn shed_newest(&mut self, reason: Reason) -> bool {
        let Some(seq) = self.plain.pop_back() else {
            return false;
        };
        let index = self.items.partition_point(|item| item.first_seq < seq);
        let Some(item) = self.items.get_mut(index) else {
            return false;
        };
        let freed = item.charge().saturating_sub(ITEM_BYTES);
        item.what = What::Lost { count: 1, reason };
        self.bytes = self.bytes.saturating_sub(freed);
        self.unsent_bytes = self.unsent_bytes.saturating_sub(freed);
        self.plain_bytes = self.plain_bytes.saturating_sub(freed);
        self.ranges += 1;
        self.merge_if_many();
        true
    }

    fn merge_if_many(&mut self) {
        if self.ranges <= self.merge_at {
            return;
        }
        let fresh = self.items.split_off(self.sent);
        for item in fresh {
            if !self.merge_with_last(&item) {
                self.items.push_back(item);
            }
        }
        self.merge_at = self.ranges.saturating_mul(2).max(RANGES);
    }

    /// Joins `item` to the last item when both are losses never sent. The larger one's reason stays.
    fn merge_with_last(&mut self, item: &Item) -> bool {
        if self.items.len() <= self.sent {
            return false;
        }
        let Some(Item { what: What::Lost { count, reason }, .. }) = self.items.back_mut() else {
            return false;
        };
        let What::Lost { count: more, reason: other } = item.what else {
            return false;
        };
        if more > *count {
            *reason = other;
        }
        *count = count.saturating_add(more);
        self.ranges -= 1;
        self.bytes = self.bytes.saturating_sub(ITEM_BYTES);
        self.unsent_bytes = self.unsent_bytes.saturating_sub(ITEM_BYTES);
        true
    }
}
