//! Random lives of a spool against a simple model: what was acknowledged is there, in order, for every reader, through
//! crashes, failing disks and full ones; nothing is there that was not put in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::sim::SimDisk;
use super::{SEGMENT_BYTES, entry, id, settings};
use crate::spool::disk::Disk;
use crate::spool::log::Log;
use crate::spool::reader::Reader;
use crate::spool::{Frame, Recovered, StoreError, Tally};

const READERS: [&str; 2] = ["file", "kafka"];

#[derive(Clone, Debug)]
enum Action {
    Append(Vec<usize>),
    /// Calls that only look fail for a while.
    Blind {
        after: u32,
        faults: u32,
    },
    /// A start on a disk that cannot be read in places.
    BlindStart {
        after: u32,
        faults: u32,
    },
    Capacity(u64),
    Fail {
        after: u32,
        faults: u32,
    },
    Kill,
    LosePower,
    Read {
        reader: usize,
        bytes: usize,
        commit: usize,
    },
    Rewind(usize),
    Save,
    Shutdown,
    Skip(usize),
    /// A start on a disk that fails, killed when it has come as far as it can.
    TroubledStart {
        after: u32,
        faults: u32,
    },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => proptest::collection::vec(8usize..3000, 1..5).prop_map(Action::Append),
        6 => (0..READERS.len(), 1usize..20_000, 0usize..8)
            .prop_map(|(reader, bytes, commit)| Action::Read { reader, bytes, commit }),
        3 => Just(Action::Save),
        1 => (0..READERS.len()).prop_map(Action::Rewind),
        2 => (0u32..12, 1u32..5).prop_map(|(after, faults)| Action::Fail { after, faults }),
        2 => (0u32..12, 1u32..5).prop_map(|(after, faults)| Action::Blind { after, faults }),
        1 => (0u32..40, 1u32..5).prop_map(|(after, faults)| Action::BlindStart { after, faults }),
        1 => Just(Action::Kill),
        2 => Just(Action::LosePower),
        1 => Just(Action::Shutdown),
        2 => (0..READERS.len()).prop_map(Action::Skip),
        1 => (0u32..8, 1u32..5).prop_map(|(after, faults)| Action::TroubledStart { after, faults }),
        1 => (0u64..10).prop_map(|segments| Action::Capacity(segments * SEGMENT_BYTES)),
    ]
}

struct Life {
    sim: SimDisk,
    disk: Arc<dyn Disk>,
    log: Option<Log>,
    readers: Vec<Sink>,
    next_id: u64,
    /// Ids put in and refused or cut short: they may turn up, or not.
    doubtful: BTreeSet<u64>,
    /// What is owed: frame sequence to id and records.
    owed: BTreeMap<u64, (u64, u32)>,
}

struct Sink {
    reader: Option<Reader>,
    /// Read and not committed.
    read: Vec<Frame>,
    last_read: u64,
    committed: u64,
}

impl Life {
    fn new(seed: u64) -> Self {
        let sim = SimDisk::new(seed, 10 * SEGMENT_BYTES);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let sink = || Sink { reader: None, read: Vec::new(), last_read: 0, committed: 0 };
        let readers = vec![sink(), sink()];
        let mut life =
            Self { sim, disk, log: None, readers, next_id: 1, doubtful: BTreeSet::new(), owed: BTreeMap::new() };
        life.open();
        life
    }

    fn open(&mut self) {
        self.sim.no_fault();
        let (log, recovered) = Log::open(Arc::clone(&self.disk), &settings(&READERS)).unwrap();
        self.check_high_water(&recovered);
        assert_eq!(recovered.set_aside, Default::default(), "nothing acknowledged was lost");
        for (name, sink) in READERS.iter().zip(&mut self.readers) {
            let at = log.shared.lock().reader(name).unwrap().committed.seq;
            assert!(at <= sink.committed, "{name} at {at} though it committed {} only", sink.committed);
            *sink = Sink {
                reader: Some(Reader::open(&log.shared, name, None).unwrap()),
                read: Vec::new(),
                last_read: at,
                committed: at,
            };
        }
        self.log = Some(log);
    }

    /// The mark is that of the newest frame, and never behind what was acknowledged.
    fn check_high_water(&self, recovered: &Recovered) {
        let acknowledged = self.owed.values().map(|(id, _)| *id).max().unwrap_or_default();
        let mark = recovered.high_waters.first().map_or(0, |high| high.durable_seq);
        assert!(mark >= acknowledged, "mark {mark} is behind {acknowledged}");
        assert!(mark == acknowledged || self.doubtful.contains(&mark), "mark {mark} of a batch never put in");
    }

    fn close(&mut self, orderly: bool) {
        if let Some(mut log) = self.log.take().filter(|_| orderly) {
            log.close();
        }
        self.readers.iter_mut().for_each(|sink| sink.reader = None);
        self.sim.no_fault();
        self.sim.set_capacity(10 * SEGMENT_BYTES);
    }

    fn append(&mut self, sizes: &[usize]) {
        let group: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(index, &bytes)| entry(self.next_id + u64::try_from(index).unwrap(), bytes, 3))
            .collect();
        self.next_id += u64::try_from(sizes.len()).unwrap();
        let log = self.log.as_mut().unwrap();
        if group.iter().map(|entry| entry.frame_bytes()).sum::<usize>() > log.max_group() {
            return;
        }
        let ids = group.iter().map(|entry| id(&entry.payload));
        match log.append(&group) {
            Ok(first) => self.owed.extend((first..).zip(ids.map(|id| (id, 3)))),
            Err(error) => {
                assert!(matches!(error, StoreError::Full | StoreError::Io(_)), "{error}");
                self.doubtful.extend(ids);
            }
        }
    }

    fn read(&mut self, index: usize, bytes: usize, commit: usize) {
        let sink = &mut self.readers[index];
        let reader = sink.reader.as_mut().unwrap();
        let unseen = self.sim.unseen();
        let frames = reader.read(bytes).unwrap_or_else(|error| {
            assert!(self.sim.unseen() > unseen, "nothing failed: {error}");
            Vec::new()
        });
        for frame in frames {
            let found = id(&frame.payload);
            assert!(frame.seq > sink.last_read, "order");
            assert_eq!(
                self.owed.range(sink.last_read + 1..frame.seq).next(),
                None,
                "passed over what was acknowledged"
            );
            assert_eq!(frame.payload, entry(found, frame.payload.len(), 3).payload, "content");
            let owed = self.owed.entry(frame.seq).or_insert_with(|| {
                assert!(self.doubtful.contains(&found), "{found} was never put in");
                (found, 3)
            });
            assert_eq!(owed.0, found, "another frame than the one acknowledged");
            sink.last_read = frame.seq;
            sink.read.push(frame);
        }
        let done: Vec<_> = sink.read.drain(..commit.min(sink.read.len())).collect();
        if let Some(last) = done.last() {
            let delivered = done.iter().map(|frame| u64::from(frame.records)).sum();
            reader.commit(last.seq, Tally { delivered, ..Tally::default() });
            sink.committed = last.seq;
        }
    }

    /// The sink passes over its oldest segment, unless that is the newest; the records count, and the gap is kept for telling.
    fn skip(&mut self, index: usize) {
        let sink = &mut self.readers[index];
        let reader = sink.reader.as_mut().unwrap();
        let Some(last) = reader.skippable() else { return };
        let before = reader.gap().unwrap_or_default().records;
        let skipped = reader.skip(last, Tally::default(), 9);
        let gap = reader.gap().unwrap();
        assert_eq!((gap.records, gap.last_seq), (before + skipped, last));
        let owed: u64 = self.owed.range(sink.committed + 1..=last).map(|(_, (_, records))| u64::from(*records)).sum();
        assert!(skipped >= owed, "{skipped} skipped, {owed} were owed");
        sink.read.clear();
        (sink.last_read, sink.committed) = (last, last);
    }

    fn rewind(&mut self, index: usize) {
        let sink = &mut self.readers[index];
        sink.reader.as_mut().unwrap().rewind();
        sink.read.clear();
        sink.last_read = sink.committed;
    }

    fn apply(&mut self, action: &Action) {
        match action {
            Action::Append(sizes) => self.append(sizes),
            Action::Blind { after, faults } => self.sim.blind_run(*after, *faults),
            Action::BlindStart { after, faults } => {
                self.close(false);
                self.sim.blind_run(*after, *faults);
                drop(Log::open(Arc::clone(&self.disk), &settings(&READERS)));
                self.open();
            }
            Action::Capacity(bytes) => self.sim.set_capacity(*bytes),
            Action::Fail { after, faults } => self.sim.fail_run(*after, *faults),
            Action::Kill => {
                self.close(false);
                self.open();
            }
            Action::LosePower => {
                self.close(false);
                self.sim.lose_power();
                self.open();
            }
            Action::Read { reader, bytes, commit } => self.read(*reader, *bytes, *commit),
            Action::Rewind(reader) => self.rewind(*reader),
            Action::Save => self.log.as_mut().unwrap().save_cursors(),
            Action::Skip(reader) => self.skip(*reader),
            Action::TroubledStart { after, faults } => {
                self.close(false);
                self.sim.fail_run(*after, *faults);
                drop(Log::open(Arc::clone(&self.disk), &settings(&READERS)));
                self.open();
            }
            Action::Shutdown => {
                self.close(true);
                self.open();
            }
        }
        self.check_books();
    }

    fn check_books(&self) {
        let stat = self.log.as_ref().unwrap().shared.lock().stat();
        for reader in &stat.readers {
            let tally = reader.tally.delivered + reader.tally.dead_lettered + reader.tally.skipped;
            let booked = reader.before + tally + reader.set_aside + reader.pending.records;
            assert_eq!(booked, stat.records, "{reader:?}");
            assert_eq!(reader.before + reader.set_aside, 0, "{reader:?}");
        }
        assert!(stat.bytes <= 8 * SEGMENT_BYTES, "{} bytes", stat.bytes);
    }

    /// Everything owed reaches every reader in the end, and the spool takes frames again.
    fn finish(&mut self) {
        self.close(false);
        self.sim.lose_power();
        self.open();
        for index in 0..self.readers.len() {
            while self.readers[index].last_read < self.log.as_ref().unwrap().shared.lock().stat().last_seq {
                self.read(index, 10_000, usize::MAX);
            }
            assert_eq!(self.owed.range(self.readers[index].last_read + 1..).next(), None, "owed and not delivered");
        }
        self.log.as_mut().unwrap().save_cursors();
        let next = self.next_id;
        self.append(&[100]);
        assert!(self.owed.values().any(|(id, _)| *id == next), "the spool did not recover");
        let records: u64 = self.owed.values().map(|(_, records)| u64::from(*records)).sum();
        assert_eq!(self.log.as_ref().unwrap().shared.lock().stat().records, records);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn acknowledged_frames_survive_every_life(seed: u64, actions in proptest::collection::vec(action(), 1..80)) {
        let mut life = Life::new(seed);
        for action in &actions {
            life.apply(action);
        }
        life.finish();
    }
}
