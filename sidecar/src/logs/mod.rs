//! Recorded traffic: every kind of log that we read, told apart by content, line by line, in bounded memory.
//!
//! | name | what it is |
//! |---|---|
//! | `envoy-json` | Envoy's JSON access log under the names of Envoy's, Istio's, Envoy Gateway's and our own formats |
//! | `envoy-text` | Envoy's and Istio's default text format |
//! | `common`, `combined` | common and combined log lines, with a virtual host before them or more columns after them |
//! | `har` | an HTTP archive, read as it streams by |
//! | `record` | our records as the sinks write them (OCSF) |
//! | `json` | one flat object a line: our access log, REQUEST.json on one line, `ts ip method authority path status ua` |
//!
//! Gzip is undone. What a log has no column for is not known, never absent. A line that cannot be read is counted and the
//! first few are told; reading goes on.

mod columns;
mod common;
mod envoy_text;
mod har;
mod json;
mod lines;
mod record;
mod seen;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::request::Request;
use lines::{Line, Lines};
use source::Source;

/// Longest line, bytes; a longer one is malformed.
pub const MAX_LINE: usize = 1 << 20;

/// Largest entry of an HTTP archive, bytes, its bodies included.
pub const MAX_ARCHIVE_ENTRY: u64 = 64 << 20;

/// Malformed lines of one log that are told.
pub const TOLD: usize = 5;

/// One recorded request.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The request and what was answered.
    pub request: Request,
    /// Name of the log.
    pub log: Arc<str>,
    /// Line from 1, or number of the archive's entry.
    pub number: u64,
}

/// What was found in one log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Found {
    /// Name of the log; `-`: standard input.
    pub name: String,
    /// Requests by format.
    pub formats: BTreeMap<&'static str, u64>,
    /// Requests in it.
    pub requests: u64,
    /// Lines that tell of no HTTP request: connections that never sent one, losses, interim records.
    pub without_request: u64,
    /// Lines that cannot be read.
    pub malformed: u64,
    /// The first of them.
    pub problems: Vec<Malformed>,
    /// Why reading ended before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut_short: Option<String>,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Malformed {
    /// Line from 1, or number of the archive's entry.
    pub number: u64,
    /// What is wrong with it.
    pub problem: String,
}

/// How many bytes of the logs (compressed, where they are) have been read; shared with whoever shows progress.
#[derive(Debug, Default)]
pub struct Meter(AtomicU64);

/// What one line was.
enum Told {
    /// A request in this format.
    Request(Box<Request>, &'static str),
    /// No request, and nothing is wrong.
    Nothing,
    /// It cannot be read.
    Malformed(String),
}

impl Meter {
    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.log, self.number)
    }
}

/// Reads one log (`-`: standard input) and gives each request to `take`, until the end or until it says so.
///
/// # Errors
/// The log cannot be opened, or not even its beginning can be read.
pub fn read(
    name: &str,
    meter: &Arc<Meter>,
    take: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Result<Found, io::Error> {
    read_from(name, source::open(name, meter)?, take)
}

/// Reads a log of this name from `bytes`, which may be gzip, as [`read`] does.
///
/// # Errors
/// Not even its beginning can be read.
pub fn read_from(
    name: &str,
    bytes: Box<dyn Read + Send>,
    take: &mut dyn FnMut(Entry) -> ControlFlow<()>,
) -> Result<Found, io::Error> {
    let mut reader = Reading { found: Found { name: name.to_owned(), ..Found::default() }, log: name.into(), take };
    match Source::of(bytes)? {
        Source::Archive(archive) => har::read(archive, &mut reader),
        Source::Lines(lines) => reader.lines(Lines::new(lines)),
    }
    Ok(reader.found)
}

/// A log on its way.
struct Reading<'t> {
    found: Found,
    log: Arc<str>,
    take: &'t mut dyn FnMut(Entry) -> ControlFlow<()>,
}

impl Reading<'_> {
    fn lines(&mut self, mut lines: Lines<impl io::BufRead>) {
        let mut json = json::Reader::default();
        let mut common = common::Reader::default();
        for number in 1.. {
            let told = match lines.next() {
                Ok(Line::End) => return,
                Ok(Line::TooLong) => Told::Malformed(format!("longer than {} KiB", MAX_LINE >> 10)),
                Ok(Line::Bytes(line)) => match line.trim_ascii() {
                    [] | [b'#', ..] => continue,
                    line @ [b'{', ..] => json.read(line),
                    line @ [b'[', b'0'..=b'9', ..] => envoy_text::read(line, &mut common.seen),
                    line => common.read(line),
                },
                Err(error) => {
                    self.found.cut_short = Some(format!("line {number}: {error}"));
                    return;
                }
            };
            if self.told(told, number).is_break() {
                return;
            }
        }
    }

    fn told(&mut self, told: Told, number: u64) -> ControlFlow<()> {
        let found = &mut self.found;
        match told {
            Told::Request(request, format) => {
                found.requests += 1;
                *found.formats.entry(format).or_default() += 1;
                return (self.take)(Entry { request: *request, log: Arc::clone(&self.log), number });
            }
            Told::Nothing => found.without_request += 1,
            Told::Malformed(problem) => {
                found.malformed += 1;
                if found.problems.len() < TOLD {
                    found.problems.push(Malformed { number, problem });
                }
            }
        }
        ControlFlow::Continue(())
    }
}
