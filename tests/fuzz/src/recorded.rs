//! Recorded traffic as `gatehouse replay` reads it: any bytes are refused whole, or read to their end and every line of them
//! accounted for, the same in whatever pieces they come and through gzip; what is read is a request that the engine judges.

use std::io::{self, Read, Write};
use std::ops::ControlFlow;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::logs::{Entry, Found, TOLD, read_from};
use crate::request::Request;
use crate::written;

const GZIP: &[u8] = &[0x1f, 0x8b];

/// The log.
pub fn check(bytes: &[u8]) {
    let whole = read(Box::new(io::Cursor::new(bytes.to_vec())));
    let pieces = read(Box::new(Pieces { bytes: bytes.to_vec(), at: 0 }));
    assert_eq!(pieces.as_ref().ok(), whole.as_ref().ok(), "in pieces");
    let Ok((entries, found)) = whole else {
        return assert!(bytes.starts_with(GZIP), "only what is packed can be broken");
    };
    accounted(&entries, &found, bytes);
    for (_, request) in &entries {
        written::judged(request);
    }
    // What is packed twice is unpacked once.
    if !bytes.starts_with(GZIP) {
        let mut packed = GzEncoder::new(Vec::new(), Compression::none());
        packed.write_all(bytes).and_then(|()| packed.try_finish()).expect("memory does not fail");
        let packed = packed.finish().expect("memory does not fail");
        assert_eq!(read(Box::new(io::Cursor::new(packed))).expect("it is whole"), (entries, found), "packed");
    }
}

/// The requests with their numbers, and what else was found.
type All = (Vec<(u64, Request)>, Found);

fn read(log: Box<dyn Read + Send>) -> io::Result<All> {
    let mut entries = Vec::new();
    let mut take = |entry: Entry| {
        entries.push((entry.number, entry.request));
        ControlFlow::Continue(())
    };
    let found = read_from("log", log, &mut take)?;
    Ok((entries, found))
}

/// Every line is one thing at most, and each is counted once.
fn accounted(entries: &[(u64, Request)], found: &Found, bytes: &[u8]) {
    assert_eq!(found.requests, entries.len() as u64);
    assert_eq!(found.formats.values().sum::<u64>(), found.requests);
    assert_eq!(found.problems.len() as u64, found.malformed.min(TOLD as u64));
    let numbers = entries.iter().map(|(number, _)| *number);
    assert!(numbers.is_sorted_by(|one, next| one < next), "each has a number of its own, in order");
    // An archive has many entries on a line. It may give none, so what it gave does not tell.
    let archived = bytes.windows(9).any(|part| part == b"\"entries\"")
        || found.problems.first().is_some_and(|one| one.number == 1);
    if !archived && !bytes.starts_with(GZIP) {
        let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
        assert!(found.requests + found.without_request + found.malformed <= lines, "{found:?}");
    }
}

/// Gives one to seven bytes at a time.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let part = &rest[..rest.len().min(into.len()).min(self.at % 7 + 1)];
        into[..part.len()].copy_from_slice(part);
        self.at += part.len();
        Ok(part.len())
    }
}
