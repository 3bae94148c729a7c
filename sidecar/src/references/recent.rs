//! The last records that carry a reference, in memory: at most [`MAX_RECORDS`] and at most [`MAX_BYTES`] together; the oldest
//! go first.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gatehouse_proto::v1::Record;
use prost::Message;

/// Records that are kept, at most.
pub const MAX_RECORDS: usize = 4096;

/// Their bytes together, at most.
pub const MAX_BYTES: usize = 16 << 20;

/// The last records that carry a reference.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<(String, Vec<u8>)>,
    bytes: usize,
}

/// As much of a [`Record`] as says whether it carries a reference; the rest is passed over unread.
#[derive(Clone, PartialEq, Message)]
struct Peek {
    #[prost(message, optional, tag = "11")]
    judgement: Option<PeekJudgement>,
}

#[derive(Clone, PartialEq, Message)]
struct PeekJudgement {
    #[prost(string, tag = "4")]
    reference: String,
}

/// The reference that a record carries, if it carries one.
pub(super) fn reference_of(record: &[u8]) -> Option<String> {
    let judgement = Peek::decode(record).ok()?.judgement?;
    Some(judgement.reference).filter(|reference| !reference.is_empty())
}

impl Recent {
    /// Keeps a record.
    pub(super) fn keep(&self, reference: String, record: &[u8]) {
        let mut kept = self.lock();
        kept.bytes += record.len();
        kept.records.push_back((reference, record.to_vec()));
        while kept.records.len() > MAX_RECORDS || kept.bytes > MAX_BYTES {
            let Some((_, oldest)) = kept.records.pop_front() else { break };
            kept.bytes -= oldest.len();
        }
    }

    /// The last record with this reference: the final one, where interim ones came before it.
    #[must_use]
    pub fn find(&self, reference: &str) -> Option<Record> {
        let kept = self.lock();
        let found = kept.records.iter().rev().find(|(own, _)| own == reference);
        found.and_then(|(_, record)| Record::decode(record.as_slice()).ok())
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A panic in between leaves at worst the count of bytes too high.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehouse_proto::v1::{Judgement, Request};

    fn record(reference: &str, path: &str) -> Vec<u8> {
        let judgement = Judgement { reference: reference.into(), rule: "p/r".into(), ..Judgement::default() };
        let request = Request { path: path.into(), ..Request::default() };
        Record { judgement: Some(judgement), request: Some(request), ..Record::default() }.encode_to_vec()
    }

    fn keep(recent: &Recent, record: &[u8]) {
        if let Some(reference) = reference_of(record) {
            recent.keep(reference, record);
        }
    }

    fn path(recent: &Recent, reference: &str) -> Option<String> {
        recent.find(reference).and_then(|record| record.request).map(|request| request.path)
    }

    #[test]
    fn a_record_is_found_by_its_reference_and_the_last_one_wins() {
        let recent = Recent::default();
        keep(&recent, &record("A", "/interim"));
        keep(&recent, &record("B", "/b"));
        keep(&recent, &record("A", "/final"));
        keep(&recent, &record("", "/plain"));
        keep(&recent, b"\xff\xff garbage");
        assert_eq!((path(&recent, "A"), path(&recent, "B")), (Some("/final".into()), Some("/b".into())));
        assert_eq!((path(&recent, ""), path(&recent, "C"), recent.lock().records.len()), (None, None, 3));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_or_they_are_too_large() {
        let recent = Recent::default();
        for n in 0..MAX_RECORDS + 10 {
            keep(&recent, &record(&format!("R{n}"), "/"));
        }
        assert_eq!(recent.lock().records.len(), MAX_RECORDS);
        assert_eq!((path(&recent, "R9"), path(&recent, "R10")), (None, Some("/".into())));
        let large = "x".repeat(60_000);
        for n in 0..1_000 {
            keep(&recent, &record(&format!("L{n}"), &large));
        }
        let kept = recent.lock();
        assert!(kept.bytes <= MAX_BYTES && kept.records.len() < 300, "{}", kept.bytes);
        assert_eq!(kept.bytes, kept.records.iter().map(|(_, record)| record.len()).sum::<usize>());
    }
}
