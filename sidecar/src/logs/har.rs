//! HTTP archives (HAR 1.2), entry by entry as they stream by: bodies are passed over, and an archive of any size costs one
//! entry's memory.

use std::cell::Cell as Shared;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::Arc;

use gatehouse_policy::{Field, Fields};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::columns::Cell;
use super::json::target;
use super::{MAX_ARCHIVE_ENTRY, Reading, Told};
use crate::request::{Known, Request, Response, Tls, without};
use crate::when;

/// Reads an archive to its end, or as far as it can be read.
pub(super) fn read(archive: impl Read, reading: &mut Reading<'_>) {
    let spent = Rc::new(Shared::new(0));
    let reader = io::BufReader::with_capacity(64 << 10, Bounded { reader: archive, spent: Rc::clone(&spent) });
    // Browsers write headers in the order of their names, not as they were sent.
    let known = Known { fields: without(Fields::ALL, [Field::Fingerprint]), headers: Vec::new() };
    let mut walk = Walk { reading, spent, known: known.into(), number: 0, stopped: false };
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let result = Part { walk: &mut walk, name: "log" }.deserialize(&mut deserializer);
    if let Err(error) = result
        && !walk.stopped
    {
        let number = walk.number;
        let said = format!("after entry {number}: {error}");
        if number == 0 {
            let _ = walk.reading.told(Told::Malformed(said.clone()), 1);
        }
        walk.reading.found.cut_short = Some(said);
    }
}

struct Walk<'w, 't> {
    reading: &'w mut Reading<'t>,
    /// Bytes read since the last entry.
    spent: Rc<Shared<u64>>,
    known: Arc<Known>,
    number: u64,
    stopped: bool,
}

/// Fails when one entry is larger than the limit.
struct Bounded<R> {
    reader: R,
    spent: Rc<Shared<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        self.spent.set(self.spent.get() + read as u64);
        if self.spent.get() > MAX_ARCHIVE_ENTRY {
            let said = format!("an entry is larger than {} MiB", MAX_ARCHIVE_ENTRY >> 20);
            return Err(io::Error::new(io::ErrorKind::InvalidData, said));
        }
        Ok(read)
    }
}

/// The object in which `name` is looked for: `log`, then `entries` in it.
struct Part<'p, 'w, 't> {
    walk: &'p mut Walk<'w, 't>,
    name: &'static str,
}

impl<'de> DeserializeSeed<'de> for Part<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Part<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match (self.name, key.as_str()) {
                ("log", "log") => map.next_value_seed(Part { walk: &mut *self.walk, name: "entries" })?,
                ("entries", "entries") => map.next_value_seed(Entries { walk: &mut *self.walk })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct Entries<'p, 'w, 't> {
    walk: &'p mut Walk<'w, 't>,
}

impl<'de> DeserializeSeed<'de> for Entries<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let walk = self.walk;
        while let Some(entry) = items.next_element::<Item<'_>>()? {
            walk.number += 1;
            walk.spent.set(0);
            if walk.reading.told(request(entry, &walk.known), walk.number).is_break() {
                walk.stopped = true;
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default, rename = "startedDateTime")]
    started: Cell<'a>,
    #[serde(borrow, default)]
    request: Option<ItemRequest<'a>>,
    #[serde(borrow, default)]
    response: Option<ItemResponse<'a>>,
}

#[derive(Deserialize)]
struct ItemRequest<'a> {
    #[serde(borrow, default)]
    method: Cell<'a>,
    #[serde(borrow, default)]
    url: Cell<'a>,
    #[serde(borrow, default, rename = "httpVersion")]
    version: Cell<'a>,
    #[serde(borrow, default)]
    headers: Vec<Pair<'a>>,
}

#[derive(Deserialize)]
struct ItemResponse<'a> {
    #[serde(borrow, default)]
    status: Cell<'a>,
    #[serde(borrow, default)]
    headers: Vec<Pair<'a>>,
}

#[derive(Deserialize)]
struct Pair<'a> {
    #[serde(borrow, default)]
    name: Cell<'a>,
    #[serde(borrow, default)]
    value: Cell<'a>,
}

fn request(item: Item<'_>, known: &Arc<Known>) -> Told {
    let Some(told) = item.request else { return Told::Malformed("the entry has no `request`".to_owned()) };
    let (Some(method), Some(url)) = (told.method.bytes(), told.url.bytes()) else {
        return Told::Malformed("the entry's request has no `method` or no `url`".to_owned());
    };
    let (scheme, authority, path) = target(secured(url));
    if scheme.is_none() {
        // `data:`, `blob:` and alike never left the browser.
        return Told::Nothing;
    }
    let mut headers = pairs(&told.headers);
    let host = headers.iter().position(|(name, _)| name == b"host").map(|at| headers.remove(at).1);
    let status = match item.response.as_ref().map(|response| &response.status) {
        Some(Cell::Number(status)) if (100.0..1000.0).contains(status) => Some(*status as u16),
        _ => None,
    };
    let response_headers = item.response.map(|response| pairs(&response.headers)).unwrap_or_default();
    let mutual = scheme.as_deref().filter(|scheme| *scheme == b"http").map(|_| false);
    let request = Request {
        method,
        scheme,
        authority: host.or(authority),
        path,
        protocol: told.version.text().map(protocol),
        headers,
        tls: Tls { mutual, ..Tls::default() },
        time: item.started.text().and_then(when::rfc3339),
        response: status.map(|status| Response { status, headers: response_headers }),
        known: Some(Arc::clone(known)),
        ..Request::default()
    };
    Told::Request(Box::new(request), "har")
}

/// The URL of a websocket, as the request that opens it.
fn secured(url: Vec<u8>) -> Vec<u8> {
    match (url.strip_prefix(b"wss://"), url.strip_prefix(b"ws://")) {
        (Some(rest), _) => [b"https://", rest].concat(),
        (_, Some(rest)) => [b"http://", rest].concat(),
        (None, None) => url,
    }
}

/// Browsers write `h2`, `h3`, `http/2.0`.
fn protocol(written: &str) -> String {
    let lower = written.to_ascii_lowercase();
    match lower.strip_prefix("http/").unwrap_or(&lower) {
        "h2" | "2" | "2.0" => "HTTP/2".to_owned(),
        "h3" | "3" | "3.0" => "HTTP/3".to_owned(),
        other => format!("HTTP/{other}"),
    }
}

/// Names in lower case, without pseudo-headers, which some browsers put among them.
fn pairs(told: &[Pair<'_>]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let both = told.iter().filter_map(|pair| Some((pair.name.text()?.to_ascii_lowercase(), value(&pair.value)?)));
    both.filter(|(name, _)| !name.starts_with(':')).map(|(name, value)| (name.into_bytes(), value)).collect()
}

/// Not a column of a log: an empty value is a value here.
fn value(cell: &Cell<'_>) -> Option<Vec<u8>> {
    if *cell == Cell::Absent { Some(Vec::new()) } else { cell.bytes() }
}
