//! The spool on a simulated disk (`model`, `damage`, `space`), and on a real one (`real`).

mod damage;
mod inspect;
mod model;
mod real;
mod sim;
mod space;

use std::sync::Arc;
use std::time::Duration;

use gatehouse_stream::receiver::HighWater;

use super::Settings;
use super::disk::Disk;
use super::log::{Entry, Log};
use super::reader::Reader;

/// Small segments, so that a few frames fill one.
pub(super) const SEGMENT_BYTES: u64 = 16 * 1024;

pub(super) fn settings(readers: &[&str]) -> Settings {
    Settings {
        segment_bytes: SEGMENT_BYTES,
        total_bytes: 8 * SEGMENT_BYTES,
        sync_every: Duration::from_millis(5),
        readers: readers.iter().map(|&name| name.to_owned()).collect(),
    }
}

/// A frame of `bytes` that bears `id`, with the mark that its epoch's account would have.
pub(super) fn entry(id: u64, bytes: usize, records: u32) -> Entry {
    let mut payload = id.to_be_bytes().to_vec();
    payload.resize(bytes.max(8), u8::try_from(id % 251).unwrap());
    let high_water = HighWater { epoch: 1, durable_seq: id, stored: id, last_ms: id, ..HighWater::default() };
    Entry { payload, records, high_water }
}

pub(super) fn id(payload: &[u8]) -> u64 {
    u64::from_be_bytes(payload[..8].try_into().unwrap())
}

pub(super) fn open(disk: &Arc<dyn Disk>, readers: &[&str]) -> Log {
    Log::open(Arc::clone(disk), &settings(readers)).unwrap().0
}

pub(super) fn reader(log: &Log, name: &str) -> Reader {
    Reader::open(&log.shared, name, None).unwrap()
}

/// Reads to the end; the ids in order.
pub(super) fn drain(reader: &mut Reader) -> Vec<u64> {
    let mut ids = Vec::new();
    loop {
        let frames = reader.read(4096).unwrap();
        if frames.is_empty() && reader.read(1).unwrap().is_empty() {
            return ids;
        }
        ids.extend(frames.iter().map(|frame| id(&frame.payload)));
    }
}
