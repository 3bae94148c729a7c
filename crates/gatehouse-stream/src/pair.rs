//! Sender and receiver against each other over a transport that cuts streams, delivers late and twice, stalls, and with a house
//! that crashes or cannot store: every sequence ends up stored once or booked as lost, in order, and the books close. A gate
//! that crashes goes on as another epoch; of the old one a beginning is stored, in order and once, and what is missing is its tail.

use std::collections::{BTreeMap, VecDeque};

use crate::receiver::{HighWater, Parcel, Receiver, Taken, Ticket};
use crate::sender::{Class, Limits, Sender};
use gatehouse_proto::v1;
use gatehouse_proto::v1::loss::Reason;
use proptest::prelude::*;

const FIRST_EPOCH: u64 = 0xfeed;
/// More than a run has gates, so that none is forgotten.
const EPOCHS: usize = 8;
const LIMITS: Limits = Limits { ring_bytes: 6 * 1024, max_batch_bytes: 1024 };

#[derive(Clone, Debug)]
enum Action {
    CrashGate,
    CrashHouse {
        stored: usize,
    },
    Credit {
        window: u32,
    },
    CutStream,
    Deliver {
        stream: usize,
        twice: bool,
    },
    HearCredit,
    LoseOne(Reason),
    OpenStream,
    Push {
        class: Class,
        bytes: usize,
        times: usize,
    },
    Send {
        batches: usize,
    },
    Settle {
        stored: bool,
    },
    /// A stream that works: opened if need be, heard, sent on, delivered; nothing is settled.
    Work,
}

fn action() -> impl Strategy<Value = Action> {
    let class = prop_oneof![Just(Class::Kept), Just(Class::Plain)];
    prop_oneof![
        1 => Just(Action::CrashGate),
        1 => (0usize..4).prop_map(|stored| Action::CrashHouse { stored }),
        4 => prop_oneof![Just(0u32), Just(100), Just(1024), Just(3000), Just(100_000)]
            .prop_map(|window| Action::Credit { window }),
        1 => Just(Action::CutStream),
        8 => (0usize..3, prop::bool::weighted(0.1)).prop_map(|(stream, twice)| Action::Deliver { stream, twice }),
        6 => Just(Action::HearCredit),
        1 => prop_oneof![Just(Reason::Unreadable), Just(Reason::Oversize)].prop_map(Action::LoseOne),
        3 => Just(Action::OpenStream),
        8 => (class, 0usize..1200, 1usize..8).prop_map(|(class, bytes, times)| Action::Push { class, bytes, times }),
        6 => (1usize..4).prop_map(|batches| Action::Send { batches }),
        6 => prop::bool::weighted(0.8).prop_map(|stored| Action::Settle { stored }),
        4 => Just(Action::Work),
    ]
}

/// One stream: what is on its way to the house, and back.
#[derive(Default)]
struct Stream {
    to_house: VecDeque<v1::gate_message::Message>,
    to_gate: VecDeque<v1::Credit>,
    ticket: Option<Ticket>,
    /// Of the gate that opened it.
    epoch: u64,
    dead: bool,
}

/// Bytes of each record that a gate had, by sequence, and what it had counted.
#[derive(Default)]
struct Truth {
    pushed: BTreeMap<u64, Vec<u8>>,
    counters: v1::Counters,
}

struct World {
    epoch: u64,
    /// Gates that crashed.
    gone: BTreeMap<u64, Truth>,
    sender: Sender,
    receiver: Receiver,
    /// The last one is the gate's own, unless it has none open; older ones still deliver.
    streams: Vec<Stream>,
    open: bool,
    /// Handed to the store, not settled.
    storing: VecDeque<Parcel>,
    /// First sequence refused, by epoch.
    refused: BTreeMap<u64, u64>,
    stored: Vec<Parcel>,
    pushed: BTreeMap<u64, Vec<u8>>,
    window: u32,
    largest_window: u32,
}

impl World {
    fn new() -> Self {
        Self {
            epoch: FIRST_EPOCH,
            gone: BTreeMap::new(),
            sender: Sender::new(FIRST_EPOCH, LIMITS),
            receiver: Receiver::new(EPOCHS),
            streams: Vec::new(),
            open: false,
            storing: VecDeque::new(),
            refused: BTreeMap::new(),
            stored: Vec::new(),
            pushed: BTreeMap::new(),
            window: 0,
            largest_window: 0,
        }
    }

    fn apply(&mut self, action: &Action) {
        match *action {
            Action::CrashGate => self.crash_gate(),
            Action::CrashHouse { stored } => self.crash_house(stored),
            Action::Credit { window } => self.credit(window),
            Action::CutStream => self.cut(),
            Action::Deliver { stream, twice } => self.deliver(stream, twice),
            Action::HearCredit => self.hear(),
            Action::LoseOne(reason) => {
                self.sender.push_lost(reason);
            }
            Action::OpenStream => self.open_stream(),
            Action::Push { class, bytes, times } => (0..times).for_each(|_| self.push(class, bytes)),
            Action::Send { batches } => self.send(batches),
            Action::Settle { stored } => self.settle(stored),
            Action::Work => self.work(),
        }
        self.check();
    }

    fn push(&mut self, class: Class, bytes: usize) {
        let seq = self.sender.next_seq();
        let mut record = seq.to_be_bytes().to_vec();
        record.resize(bytes.max(8), b'r');
        assert_eq!(self.sender.push(class, record.clone()), seq);
        self.pushed.insert(seq, record);
    }

    fn open_stream(&mut self) {
        if self.open {
            return;
        }
        let hello = self.sender.opened().hello();
        let mut stream = Stream { epoch: self.epoch, ..Stream::default() };
        stream.to_house.push_back(v1::gate_message::Message::Hello(hello));
        self.streams.push(stream);
        (self.open, self.largest_window) = (true, 0);
        assert_eq!(self.sender.next_batch(), None, "nothing goes out before the first credit");
    }

    /// The gate loses its stream. What it sent may still arrive; credits to it are gone.
    fn cut(&mut self) {
        if std::mem::take(&mut self.open) {
            self.sender.closed();
            self.streams.last_mut().unwrap().to_gate.clear();
        }
        // Connections do not linger for ever.
        if self.streams.len() > 3 {
            let old = self.streams.remove(0);
            old.ticket.iter().for_each(|ticket| self.receiver.ended(ticket, 1));
        }
    }

    fn send(&mut self, batches: usize) {
        for _ in 0..batches {
            let before = self.sender.stats().outstanding_bytes;
            let Some(batch) = self.sender.next_batch() else { return };
            let bytes = prost::Message::encoded_len(&batch);
            assert!(bytes <= LIMITS.max_batch_bytes);
            let outstanding = self.sender.stats().outstanding_bytes;
            assert_eq!(outstanding, before + bytes);
            assert!(before == 0 || outstanding <= usize::try_from(self.largest_window).unwrap());
            self.streams.last_mut().unwrap().to_house.push_back(v1::gate_message::Message::Batch(batch));
        }
    }

    fn deliver(&mut self, from_newest: usize, twice: bool) {
        let Some(index) = self.streams.len().checked_sub(1 + from_newest) else { return };
        let stream = &mut self.streams[index];
        let Some(message) = stream.to_house.pop_front().filter(|_| !stream.dead) else { return };
        match message {
            v1::gate_message::Message::Hello(hello) => match self.receiver.hello(&hello, 1) {
                Ok(opened) => {
                    stream.ticket = Some(opened.ticket);
                    let (durable_seq, window_bytes) = (opened.durable_seq, self.window);
                    stream.to_gate.push_back(v1::Credit { epoch: stream.epoch, durable_seq, window_bytes });
                }
                Err(_) => self.kill(index),
            },
            v1::gate_message::Message::Batch(batch) => {
                self.take(index, batch.clone());
                if twice {
                    self.take(index, batch);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn take(&mut self, index: usize, batch: v1::Batch) {
        let ticket = self.streams[index].ticket.unwrap();
        match self.receiver.batch(&ticket, batch, 1) {
            Ok(Taken::Store(parcel)) => self.storing.push_back(*parcel),
            Ok(Taken::Duplicate) => {}
            Ok(Taken::Fenced) | Err(_) => self.kill(index),
        }
    }

    /// The house closes a stream.
    fn kill(&mut self, index: usize) {
        self.streams[index].dead = true;
        if let Some(ticket) = self.streams[index].ticket {
            self.receiver.ended(&ticket, 1);
        }
        if index + 1 == self.streams.len() && self.streams[index].epoch == self.epoch {
            self.cut();
        }
    }

    fn is_behind_refused(&self, parcel: &Parcel) -> bool {
        self.refused.get(&parcel.batch.epoch).is_some_and(|refused| parcel.batch.first_seq > *refused)
    }

    fn settle(&mut self, stored: bool) {
        let Some(parcel) = self.storing.pop_front() else { return };
        let (epoch, first) = (parcel.batch.epoch, parcel.batch.first_seq);
        if stored && !self.is_behind_refused(&parcel) {
            self.refused.remove(&epoch);
            self.receiver.durable(&parcel.high_water);
            self.stored.push(parcel);
            return;
        }
        self.refused.entry(epoch).and_modify(|refused| *refused = first.min(*refused)).or_insert(first);
        if let Some(ticket) = self.receiver.failed(epoch)
            && let Some(index) = self.streams.iter().position(|stream| stream.ticket == Some(ticket))
        {
            self.kill(index);
        }
    }

    /// The gate dies with all that it holds. What it sent may still arrive; the next gate is another epoch.
    fn crash_gate(&mut self) {
        if self.gone.len() + 2 > EPOCHS {
            return;
        }
        self.cut();
        let truth = Truth { pushed: std::mem::take(&mut self.pushed), counters: self.sender.counters().clone() };
        self.gone.insert(self.epoch, truth);
        self.epoch += 1;
        self.sender = Sender::new(self.epoch, LIMITS);
    }

    /// The house dies. Of what was being stored some is on disk, though nobody was told.
    fn crash_house(&mut self, stored: usize) {
        for parcel in std::mem::take(&mut self.storing).into_iter().take(stored) {
            if self.is_behind_refused(&parcel) {
                break;
            }
            self.refused.remove(&parcel.batch.epoch);
            self.stored.push(parcel);
        }
        self.refused.clear();
        let last: BTreeMap<u64, HighWater> =
            self.stored.iter().map(|parcel| (parcel.batch.epoch, parcel.high_water)).collect();
        self.receiver = Receiver::new(EPOCHS);
        self.receiver.restore(&last.into_values().collect::<Vec<_>>());
        self.cut();
        self.streams.clear();
    }

    fn credit(&mut self, window_bytes: u32) {
        self.window = window_bytes;
        let own = self.epoch;
        if let Some(stream) = self.streams.last_mut().filter(|stream| !stream.dead && stream.epoch == own)
            && let Some(ticket) = stream.ticket
            && let Some(durable_seq) = self.receiver.durable_seq(&ticket)
        {
            stream.to_gate.push_back(v1::Credit { epoch: own, durable_seq, window_bytes });
        }
    }

    fn hear(&mut self) {
        if !self.open {
            return;
        }
        if let Some(credit) = self.streams.last_mut().and_then(|stream| stream.to_gate.pop_front()) {
            self.largest_window = self.largest_window.max(credit.window_bytes);
            self.sender.credit(&credit).unwrap();
        }
    }

    fn check(&self) {
        let stats = self.sender.stats();
        assert!(stats.ring_bytes <= LIMITS.ring_bytes + 64 * 1024 + 64, "{stats:?}");
        for books in self.receiver.books() {
            assert_eq!(books.booked(), books.seen, "{books:?}");
        }
        let mut next: BTreeMap<u64, u64> = BTreeMap::new();
        for parcel in &self.stored {
            let next = next.entry(parcel.batch.epoch).or_default();
            assert_eq!(parcel.batch.first_seq, *next, "stored twice, out of order, or with a hole");
            *next = parcel.end_seq;
        }
    }

    fn work(&mut self) {
        self.open_stream();
        self.deliver(0, false);
        self.credit(4096);
        self.hear();
        self.hear();
        self.send(3);
        (0..2).for_each(|_| self.deliver(0, false));
    }

    /// Brings all home: whatever is open is cut, then a stream works as it should.
    fn drain(&mut self) {
        while !self.storing.is_empty() {
            self.settle(true);
        }
        self.cut();
        // The connections of gates that are gone end too.
        for stream in self.streams.iter_mut().filter(|stream| stream.epoch != self.epoch) {
            stream.dead = true;
            stream.ticket.iter().for_each(|ticket| self.receiver.ended(ticket, 1));
        }
        for _ in 0..10_000 {
            if self.sender.stats().durable_seq == self.sender.next_seq() {
                return;
            }
            self.work();
            self.settle(true);
            self.check();
        }
        panic!("never drained: {:?}", self.sender.stats());
    }

    /// Records that are stored of an epoch, by sequence, and how many are booked there as lost.
    fn on_disk(&self, epoch: u64) -> (BTreeMap<u64, Vec<u8>>, u64) {
        let (mut kept, mut lost) = (BTreeMap::new(), 0);
        for parcel in self.stored.iter().filter(|parcel| parcel.batch.epoch == epoch) {
            let mut records = parcel.batch.records.iter();
            for seq in parcel.batch.first_seq..parcel.end_seq {
                let covers = |loss: &v1::Loss| (loss.first_seq..loss.first_seq + loss.count).contains(&seq);
                if parcel.batch.losses.iter().any(covers) {
                    lost += 1;
                } else {
                    kept.insert(seq, records.next().unwrap().clone());
                }
            }
            assert_eq!(records.next(), None);
        }
        (kept, lost)
    }

    fn check_account(&self) {
        let (kept, lost) = self.on_disk(self.epoch);
        for (seq, record) in &kept {
            assert_eq!(Some(record), self.pushed.get(seq), "sequence {seq} is another record");
        }
        let counters = self.sender.counters();
        assert_eq!(lost, dropped(counters));
        assert_eq!(u64::try_from(kept.len()).unwrap() + lost, counters.seen);
        if let Some(books) = self.receiver.books().iter().find(|books| books.epoch == self.epoch) {
            assert_eq!((books.seen, books.stored, books.dropped.total()), (counters.seen, counters.seen - lost, lost));
            assert_eq!((books.elsewhere, books.in_flight, books.unknown_tail), (0, 0, 0), "{books:?}");
            assert_eq!(books.dropped.oversize, counters.dropped_oversize);
        }
        self.gone.iter().for_each(|(epoch, truth)| self.check_gone(*epoch, truth));
    }

    /// A gate that crashed: nothing stored that it never had, and the house tells of no more than there was.
    fn check_gone(&self, epoch: u64, truth: &Truth) {
        let (kept, lost) = self.on_disk(epoch);
        for (seq, record) in &kept {
            assert_eq!(Some(record), truth.pushed.get(seq), "sequence {seq} is another record");
        }
        let stored = u64::try_from(kept.len()).unwrap();
        assert!(lost <= dropped(&truth.counters) && stored + lost <= truth.counters.seen);
        if let Some(books) = self.receiver.books().iter().find(|books| books.epoch == epoch) {
            assert_eq!((books.stored, books.in_flight), (stored, 0), "{books:?}");
            assert!(books.seen <= truth.counters.seen, "{books:?}");
            assert_eq!(books.unknown_tail, books.seen - books.stored - books.dropped.total(), "{books:?}");
        }
    }
}

/// What a gate has counted as given up.
fn dropped(counters: &v1::Counters) -> u64 {
    counters.dropped_no_stream + counters.dropped_oversize + counters.dropped_ring_full + counters.dropped_unreadable
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn every_sequence_is_stored_once_or_booked_as_lost(actions in proptest::collection::vec(action(), 1..200)) {
        let mut world = World::new();
        for action in &actions {
            world.apply(action);
        }
        world.drain();
        world.check_account();
    }
}
