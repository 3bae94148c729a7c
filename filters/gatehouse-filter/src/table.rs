//! Tables beside the policy as they come from the house: chunk by chunk, never more than a few milliseconds of work at a time.
//!
//! A chunk is appended when it comes (a copy of 256 KiB); its hash, and then the check of the whole, are done in small steps.

use gatehouse_engine::geo::{self, Loading, Progress};
use gatehouse_proto::MAX_CHUNK_BYTES;
use gatehouse_proto::v1::table_ack::Result as Answer;
use gatehouse_proto::v1::{TableAck, TableChunk};
use sha2::{Digest as _, Sha256};

use crate::host;

/// The only table there is so far.
pub(crate) const GEO: &str = "geo";

/// After this long in one callback the rest waits for the next tick: 8 MiB take a second or three of ticks so.
const STEP_NS: u64 = 1_000_000;
/// Bytes hashed, and entries checked, between two looks at the clock: a fifth of a millisecond, also before the engine that runs
/// this has made fast code of it (a hash is ten times slower then).
const HASHED: usize = 4 * 1024;
const CHECKED: usize = 5_000;
const MAX_PROBLEM: usize = 1024;

/// The table that is arriving.
#[derive(Default)]
pub(crate) struct Tables {
    phase: Phase,
    digest: [u8; 32],
    longest_ns: u64,
    total_ns: u64,
    stepped_at_ns: u64,
}

#[derive(Default)]
enum Phase {
    /// Nothing is to be done. Chunks that come now belong to a table that was refused and answered.
    #[default]
    Idle,
    Arriving(Arriving),
    Checking(Loading),
}

struct Arriving {
    total: usize,
    bytes: Vec<u8>,
    hashed: usize,
    hash: Sha256,
}

/// The end of one table: what the house is told, and the table if it was accepted; without one, there is none any more.
pub(crate) struct Ended {
    pub(crate) ack: TableAck,
    pub(crate) table: Option<Option<geo::Table>>,
}

impl core::fmt::Debug for Tables {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Tables").field("busy", &self.busy()).finish_non_exhaustive()
    }
}

impl Tables {
    /// Takes in a chunk; `Some`: it ends the table already.
    pub(crate) fn push(&mut self, chunk: TableChunk) -> Option<Ended> {
        let began = host::now_ns();
        let ended = self.append(chunk);
        self.spent(host::now_ns().saturating_sub(began));
        ended
    }

    fn append(&mut self, chunk: TableChunk) -> Option<Ended> {
        let first = chunk.offset == 0;
        if chunk.name != GEO {
            // Told once, with its first chunk.
            return first.then(|| answer(&chunk.name, &chunk.digest, Err("no table of this name is known here")));
        }
        if first {
            (self.longest_ns, self.total_ns) = (0, 0);
            match begin(&chunk) {
                Ok(Some((digest, arriving))) => (self.digest, self.phase) = (digest, Phase::Arriving(arriving)),
                Ok(None) => {
                    self.phase = Phase::Idle;
                    return Some(Ended { table: Some(None), ..answer(GEO, &chunk.digest, Ok(())) });
                }
                Err(problem) => return Some(self.refuse(&chunk.digest, problem)),
            }
        }
        let Phase::Arriving(arriving) = &mut self.phase else { return None };
        if chunk.digest != self.digest {
            return Some(self.refuse(&chunk.digest, "chunks of two tables are mixed"));
        }
        if chunk.offset as usize != arriving.bytes.len() || chunk.data.is_empty() || chunk.data.len() > MAX_CHUNK_BYTES
        {
            return Some(self.refuse(&chunk.digest, "a chunk is missing, empty or too large"));
        }
        if chunk.data.len() > arriving.total.saturating_sub(arriving.bytes.len()) {
            return Some(self.refuse(&chunk.digest, "the table is longer than was said"));
        }
        arriving.bytes.extend_from_slice(&chunk.data);
        None
    }

    /// There is work for the next tick.
    pub(crate) fn busy(&self) -> bool {
        match &self.phase {
            Phase::Idle => false,
            Phase::Arriving(arriving) => arriving.hashed < arriving.bytes.len(),
            Phase::Checking(_) => true,
        }
    }

    /// Forgets what is unfinished: the stream that brought it is gone.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Works on what has come, for a short while. `rested`: as for policies.
    pub(crate) fn step(&mut self, rested: bool) -> Option<Ended> {
        let began = host::now_ns();
        if !self.busy() || (!rested && began.saturating_sub(self.stepped_at_ns) < STEP_NS.saturating_mul(8)) {
            return None;
        }
        let mut ended = None;
        while self.busy() && ended.is_none() {
            ended = self.work();
            if host::now_ns().saturating_sub(began) > STEP_NS {
                break;
            }
        }
        self.stepped_at_ns = host::now_ns();
        self.spent(self.stepped_at_ns.saturating_sub(began));
        ended.map(|mut ended| {
            (ended.ack.longest_step_ns, ended.ack.total_ns) = (self.longest_ns, self.total_ns);
            ended
        })
    }

    fn spent(&mut self, time_ns: u64) {
        self.longest_ns = self.longest_ns.max(time_ns);
        self.total_ns = self.total_ns.saturating_add(time_ns);
    }

    fn work(&mut self) -> Option<Ended> {
        match core::mem::take(&mut self.phase) {
            Phase::Idle => None,
            Phase::Arriving(mut arriving) => {
                let rest = arriving.bytes.get(arriving.hashed..).unwrap_or_default();
                let part = rest.get(..HASHED).unwrap_or(rest);
                arriving.hash.update(part);
                arriving.hashed = arriving.hashed.saturating_add(part.len());
                if arriving.hashed < arriving.total {
                    self.phase = Phase::Arriving(arriving);
                    return None;
                }
                if <[u8; 32]>::from(arriving.hash.finalize()) != self.digest {
                    return Some(answer(GEO, &self.digest, Err("its SHA-256 is not the one that was said")));
                }
                self.check(Loading::new(arriving.bytes))
            }
            Phase::Checking(loading) => match loading.step(CHECKED) {
                Ok(Progress::Done(table)) => {
                    Some(Ended { table: Some(Some(table)), ..answer(GEO, &self.digest, Ok(())) })
                }
                Ok(Progress::More(loading)) => self.check(Ok(loading)),
                Err(error) => self.check(Err(error)),
            },
        }
    }

    fn check(&mut self, loading: Result<Loading, geo::LoadError>) -> Option<Ended> {
        match loading {
            Ok(loading) => {
                self.phase = Phase::Checking(loading);
                None
            }
            Err(error) => Some(answer(GEO, &self.digest, Err(&error.to_string()))),
        }
    }

    fn refuse(&mut self, digest: &[u8], problem: &str) -> Ended {
        self.phase = Phase::Idle;
        answer(GEO, digest, Err(problem))
    }
}

/// The digest and the buffer of a new table; `None`: there is no table any more.
fn begin(chunk: &TableChunk) -> Result<Option<([u8; 32], Arriving)>, &'static str> {
    let total = chunk.total_bytes as usize;
    if total == 0 {
        return Ok(None);
    }
    let digest = <[u8; 32]>::try_from(chunk.digest.as_slice()).map_err(|_| "its digest is no SHA-256")?;
    if total > geo::MAX_BYTES {
        return Err("it is larger than 8 MiB");
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(total).map_err(|_| "there is no memory for it")?;
    Ok(Some((digest, Arriving { total, bytes, hashed: 0, hash: Sha256::new() })))
}

fn answer(name: &str, digest: &[u8], outcome: Result<(), &str>) -> Ended {
    let (result, problem) = match outcome {
        Ok(()) => (Answer::Accepted, ""),
        Err(problem) => (Answer::Refused, problem),
    };
    let ack = TableAck {
        name: name.chars().take(64).collect(),
        digest: digest.iter().copied().take(32).collect(),
        result: result.into(),
        problem: problem.chars().take(MAX_PROBLEM).collect(),
        ..TableAck::default()
    };
    Ended { ack, table: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Vec<u8> {
        geo::build([("192.0.2.0/24".parse().expect("a network"), Some(*b"DE"), Some(64500))]).expect("a table")
    }

    fn chunks(bytes: &[u8], size: usize) -> Vec<TableChunk> {
        let digest = Sha256::digest(bytes).to_vec();
        let at = |(index, data): (usize, &[u8])| TableChunk {
            name: GEO.into(),
            digest: digest.clone(),
            total_bytes: bytes.len() as u32,
            offset: (index * size) as u32,
            data: data.to_vec(),
        };
        bytes.chunks(size).enumerate().map(at).collect()
    }

    /// Gives it everything, one step after each chunk; the last answer.
    fn take(tables: &mut Tables, chunks: Vec<TableChunk>) -> Option<Ended> {
        let mut last = None;
        for chunk in chunks {
            last = tables.push(chunk).or(last);
            while tables.busy() {
                last = tables.step(true).or(last);
            }
        }
        last
    }

    #[test]
    fn a_table_comes_in_chunks_of_any_size_and_is_answered_once_whole() {
        let bytes = table();
        for size in [1000, HASHED + 1, MAX_CHUNK_BYTES] {
            let mut tables = Tables::default();
            let ended = take(&mut tables, chunks(&bytes, size)).expect("an answer");
            assert_eq!((ended.ack.result(), ended.ack.digest), (Answer::Accepted, Sha256::digest(&bytes).to_vec()));
            let place = ended.table.flatten().expect("a table").lookup("192.0.2.1".parse().expect("an address"));
            assert_eq!((place.country, place.asn), (Some(*b"DE"), Some(64500)));
            assert!(!tables.busy());
        }
    }

    #[test]
    fn what_is_wrong_is_refused_once_and_its_rest_is_passed_over() {
        let bytes = table();
        let whole = || chunks(&bytes, 1000);
        let spoil = |change: fn(&mut Vec<TableChunk>)| {
            let mut chunks = whole();
            change(&mut chunks);
            let mut tables = Tables::default();
            let mut answers = 0;
            let mut problem = String::new();
            for chunk in chunks {
                let mut ended = tables.push(chunk);
                while tables.busy() && ended.is_none() {
                    ended = tables.step(true);
                }
                if let Some(ended) = ended {
                    answers += 1;
                    assert!(ended.table.is_none());
                    problem = ended.ack.problem;
                }
            }
            assert_eq!(answers, 1, "{problem}");
            problem
        };
        assert!(spoil(|chunks| chunks[5].data[3] ^= 1).contains("SHA-256"));
        assert!(spoil(|chunks| drop(chunks.remove(7))).contains("missing"));
        assert!(spoil(|chunks| chunks[4].digest[0] ^= 1).contains("mixed"));
        assert!(spoil(|chunks| chunks[0].total_bytes = 9 << 20).contains("8 MiB"));
        assert!(spoil(|chunks| chunks.iter_mut().for_each(|c| c.total_bytes = 1500)).contains("longer"));
        assert!(
            spoil(|chunks| chunks.iter_mut().for_each(|c| c.name = "cities".into())).contains("no table of this name")
        );
    }

    #[test]
    fn bytes_with_the_right_digest_that_are_no_table_are_refused() {
        let mut bytes = table();
        let last = bytes.len() - 1;
        bytes[last] = 0xff;
        let ended = take(&mut Tables::default(), chunks(&bytes, MAX_CHUNK_BYTES)).expect("an answer");
        assert_eq!(ended.ack.result(), Answer::Refused);
        assert!(ended.table.is_none() && !ended.ack.problem.is_empty());
    }

    #[test]
    fn a_newer_table_takes_the_place_of_one_half_come_and_none_takes_it_away() {
        let bytes = table();
        let mut tables = Tables::default();
        let mut both = chunks(&bytes, 1000);
        both.truncate(3);
        both.extend(chunks(&bytes, 5000));
        let ended = take(&mut tables, both).expect("an answer");
        assert!(matches!(ended.table, Some(Some(_))));
        let none = TableChunk { name: GEO.into(), ..TableChunk::default() };
        let ended = take(&mut tables, vec![none]).expect("an answer");
        assert!(matches!(ended.table, Some(None)) && ended.ack.result() == Answer::Accepted);
    }
}
