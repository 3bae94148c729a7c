//! What travels to a sink at once: the events of a few spool frames, encoded once, and what could not be read of them.

use core::ops::Range;

use gatehouse_proto::v1::{Batch, Loss, Notice, Record};
use prost::Message as _;

use super::common::{Choice, Common};
use super::dead::{Content, Letter};
use crate::ocsf;
use crate::spool::{Frame, Gap};

/// What an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// One record.
    Record,
    /// A range of records that the gate gave up.
    Loss,
    /// Something that the house itself has to tell.
    Notice,
}

/// One event of a [`Parcel`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Record id, the id of the first lost record, or the notice's own.
    pub id: [u8; 16],
    /// What it tells.
    pub kind: EventKind,
    /// When it happened, milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Keyed hash of the client; empty: none (a loss).
    pub key: String,
    /// Node id of the gateway that saw it; empty: not known.
    pub gateway: String,
    /// Sequence of the spool frame that holds it.
    pub frame: u64,
    value: Range<usize>,
}

/// Encoded events in spool order. Holds at most what its maker pushes: the pump stops at
/// [`PARCEL_BYTES`](super::PARCEL_BYTES) of frames.
#[derive(Debug, Default)]
pub struct Parcel {
    events: Vec<Event>,
    lines: Vec<u8>,
    poison: Vec<Letter>,
    left_out: LeftOut,
}

/// Records of the frames that are not meant for the sink.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// By `where`.
    pub filtered: u64,
    /// By `sample`.
    pub sampled: u64,
}

impl Parcel {
    /// Decodes one spool frame and encodes those of its events that are meant for the sink. What cannot be read becomes a dead
    /// letter; what is left out is counted.
    pub fn push(&mut self, frame: &Frame, common: &Common) {
        let batch = match Batch::decode(frame.payload.as_slice()) {
            Ok(batch) => batch,
            Err(error) => {
                let reason = format!("not a batch: {error}");
                let content = Content::Raw(frame.payload.clone());
                return self.poison.push(Letter {
                    frame: frame.seq,
                    index: None,
                    records: frame.records.into(),
                    reason,
                    content,
                });
            }
        };
        let first = self.events.len();
        for (index, bytes) in batch.records.iter().enumerate() {
            if let Err(reason) = self.push_record(frame.seq, bytes, common) {
                self.poison.push(Letter::record(frame.seq, index, bytes, &reason));
            }
        }
        for notice in &batch.notices {
            if let Err(error) = self.push_notice(frame.seq, notice) {
                tracing::error!(%error, "notice cannot be encoded");
            }
        }
        let gateway = self.events.get(first..).and_then(<[Event]>::last).map(|event| event.gateway.clone());
        let gateway = gateway.unwrap_or_default();
        for loss in &batch.losses {
            let origin = ocsf::LossOrigin { epoch: batch.epoch, gateway: &gateway, time_ms: frame.taken_ms };
            if let Err(error) = self.push_loss(frame.seq, loss, origin) {
                tracing::error!(%error, "loss event cannot be encoded");
            }
        }
    }

    /// The event of what `sink` passed over, before what follows it.
    pub(super) fn push_gap(&mut self, gap: &Gap, sink: &str) {
        let start = self.lines.len();
        if let Err(error) = ocsf::write_gap(gap, sink, &mut self.lines) {
            tracing::error!(%error, "gap event cannot be encoded");
            return self.lines.truncate(start);
        }
        let value = self.end_line(start);
        let (id, key, gateway) = (ocsf::gap_id(gap, sink), String::new(), String::new());
        let (frame, time_ms) = (gap.last_seq, gap.at_ms);
        self.events.push(Event { id, kind: EventKind::Notice, time_ms, key, gateway, frame, value });
    }

    /// Events in spool order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The event's JSON.
    #[must_use]
    pub fn value(&self, event: &Event) -> &[u8] {
        self.lines.get(event.value.clone()).unwrap_or_default()
    }

    /// The event's JSON and a line end.
    #[must_use]
    pub fn line(&self, event: &Event) -> &[u8] {
        self.lines.get(event.value.start..event.value.end + 1).unwrap_or_default()
    }

    /// What could not be read: sequence of its frame, why, and its bytes.
    pub fn unreadable(&self) -> impl Iterator<Item = (u64, &str, &[u8])> {
        self.poison.iter().filter_map(|letter| match &letter.content {
            Content::Raw(bytes) => Some((letter.frame, letter.reason.as_str(), bytes.as_slice())),
            Content::Event(_) => None,
        })
    }

    /// Records that are not meant for the sink.
    #[must_use]
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// Takes out what could not be read.
    pub(super) fn take_poison(&mut self) -> Vec<Letter> {
        core::mem::take(&mut self.poison)
    }

    /// The dead letter of an event that the peer will never take.
    pub(super) fn letter(&self, event: &Event, reason: &str) -> Letter {
        let content = Content::Event(self.value(event).to_vec());
        let records = u64::from(event.kind == EventKind::Record);
        Letter { frame: event.frame, index: None, records, reason: reason.into(), content }
    }

    fn push_notice(&mut self, frame: u64, notice: &Notice) -> Result<(), serde_json::Error> {
        // Made by this house, or a later version of it.
        let Ok(id) = <[u8; 16]>::try_from(notice.id.as_slice()) else { return Ok(()) };
        let start = self.lines.len();
        if ocsf::write_notice(notice, &mut self.lines)? {
            let value = self.end_line(start);
            let (time_ms, gateway) = (notice.time_unix_ns / 1_000_000, notice.gateway.clone());
            self.events.push(Event { id, kind: EventKind::Notice, time_ms, key: String::new(), gateway, frame, value });
        }
        Ok(())
    }

    fn push_record(&mut self, frame: u64, bytes: &[u8], common: &Common) -> Result<(), String> {
        let mut record = Record::decode(bytes).map_err(|error| error.to_string())?;
        let id = <[u8; 16]>::try_from(record.id.as_slice()).map_err(|_| "its id is not 16 bytes".to_owned())?;
        match common.choose(&record, id) {
            Choice::Send => {}
            Choice::Filtered => {
                self.left_out.filtered += 1;
                return Ok(());
            }
            Choice::Sampled => {
                self.left_out.sampled += 1;
                return Ok(());
            }
        }
        let start = self.lines.len();
        common.write(&record, &mut self.lines).map_err(|error| error.to_string())?;
        let value = self.end_line(start);
        self.events.push(Event {
            id,
            kind: EventKind::Record,
            time_ms: record.start_unix_ns / 1_000_000,
            key: record.downstream.take().unwrap_or_default().client_key,
            gateway: record.origin.take().unwrap_or_default().gateway,
            frame,
            value,
        });
        Ok(())
    }

    fn push_loss(&mut self, frame: u64, loss: &Loss, origin: ocsf::LossOrigin<'_>) -> Result<(), serde_json::Error> {
        let start = self.lines.len();
        ocsf::write_loss(loss, origin, &mut self.lines)?;
        let value = self.end_line(start);
        let (id, time_ms, gateway) = (ocsf::loss_id(origin.epoch, loss), origin.time_ms, origin.gateway.to_owned());
        self.events.push(Event { id, kind: EventKind::Loss, time_ms, key: String::new(), gateway, frame, value });
        Ok(())
    }

    fn end_line(&mut self, start: usize) -> Range<usize> {
        let end = self.lines.len();
        self.lines.push(b'\n');
        start..end
    }
}

/// How far the delivery of one parcel has come; outlives failed attempts, so that only what is missing is sent again.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Indices of the events that the peer has not acknowledged, ascending.
    pub pending: Vec<usize>,
    /// Indices of the events that the peer will never take, and why; not pending any more.
    pub refused: Vec<(usize, String)>,
    /// Events handed over again after an attempt whose end is unknown: the peer may have them twice.
    pub again: u64,
}

impl Progress {
    /// Nothing of the parcel is delivered yet.
    #[must_use]
    pub fn of(parcel: &Parcel) -> Self {
        Self { pending: (0..parcel.events.len()).collect(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: u64) -> Vec<u8> {
        let id = gatehouse_verdict::record::RecordId { epoch: 1, sequence }.to_bytes().to_vec();
        Record { id, start_unix_ns: sequence * 1_000_000, ..Record::default() }.encode_to_vec()
    }

    fn frame(seq: u64, records: u32, payload: Vec<u8>) -> Frame {
        Frame { seq, records, taken_ms: 77, payload }
    }

    #[test]
    fn records_and_losses_become_events_and_what_cannot_be_read_a_letter() {
        let losses = vec![Loss { first_seq: 3, count: 2, reason: 1 }];
        let records = vec![record(1), b"\xff\xff\xff".to_vec(), Record::default().encode_to_vec(), record(2)];
        let batch = Batch { epoch: 1, first_seq: 1, records, losses, ..Batch::default() };
        let mut parcel = Parcel::default();
        let all = Common::default();
        parcel.push(&frame(9, 4, batch.encode_to_vec()), &all);
        parcel.push(&frame(10, 5, b"\x0a".to_vec()), &all);
        let kinds: Vec<EventKind> = parcel.events().iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [EventKind::Record, EventKind::Record, EventKind::Loss]);
        assert_eq!(parcel.events()[2].time_ms, 77, "a loss is dated when it was taken in");
        for event in parcel.events() {
            let value: serde_json::Value = serde_json::from_slice(parcel.value(event)).unwrap();
            assert_eq!(value["metadata"]["uid"], ocsf::hex::Hex(event.id).to_string());
            assert_eq!(parcel.line(event), [parcel.value(event), b"\n"].concat());
        }
        let poison = parcel.take_poison();
        let places: Vec<_> = poison.iter().map(|letter| (letter.frame, letter.index, letter.records)).collect();
        assert_eq!(
            places,
            [(9, Some(1), 1), (9, Some(2), 1), (10, None, 5)],
            "every record of the frame is accounted for"
        );
    }
}
