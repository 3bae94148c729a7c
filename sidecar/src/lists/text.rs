//! What is fetched, as text: one entry a line, `#` or `;` begins a comment; or an array of texts (and numbers) in JSON.
//!
//! A line that is no entry is left out and counted; with more than one in a hundred the whole is refused: it is probably not the
//! list at all but a page that says so. One wrong line of somebody else's list must not keep the rest from being taken. A network
//! shorter than /8 (IPv6: /16) is such a line: no source can ban everybody.

use std::collections::BTreeMap;
use std::net::IpAddr;

use gatehouse_policy::Holds;
use gatehouse_policy::document::quoted;
use gatehouse_proto::MAX_LIST_ENTRIES;
use gatehouse_proto::subject::Subject;
use gatehouse_signals::address::Network;
use serde::Deserialize;

use crate::verdicts::of_text;

/// Entries by key, each with its own end by the clock since boot, where its source says one.
pub(super) type Entries = BTreeMap<Vec<u8>, Option<u64>>;

/// What was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) entries: Entries,
    /// Lines that are no entry.
    pub(super) refused: u64,
}

/// Lines as they are counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    seen: u64,
    refused: u64,
    first: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Text(String),
    Number(u64),
}

/// Reads a whole list.
///
/// # Errors
/// It is none, in words.
pub(super) fn read(bytes: &[u8], of: Holds) -> Result<Read, String> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| format!("it is not UTF-8 at byte {}", error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut subjects, mut tally) = (Vec::new(), Tally::default());
    if text.trim_start().starts_with('[') {
        let items: Vec<Item> =
            serde_json::from_str(text).map_err(|error| format!("it is no array of texts: {error}"))?;
        for (index, item) in items.iter().enumerate() {
            let found = match item {
                Item::Text(text) => subject(text, of),
                Item::Number(number) => subject(&number.to_string(), of),
            };
            let shown = || match item {
                Item::Text(text) => quoted(text),
                Item::Number(number) => format!("`{number}`"),
            };
            subjects.extend(tally.count(found, || format!("item {} {}", index + 1, shown())));
        }
    } else {
        for (index, line) in text.lines().enumerate() {
            let written = line.split(['#', ';']).next().unwrap_or_default().trim();
            if !written.is_empty() {
                let found = subject(written, of);
                subjects.extend(tally.count(found, || format!("line {} {}", index + 1, quoted(written))));
            }
        }
    }
    let refused = tally.settle(of.word())?;
    let entries: BTreeMap<_, _> = outermost(subjects).iter().map(|subject| (subject.key(), None)).collect();
    few(entries.len())?;
    Ok(Read { entries, refused })
}

/// A list has a bound.
pub(super) fn few(count: usize) -> Result<(), String> {
    if count <= MAX_LIST_ENTRIES {
        return Ok(());
    }
    Err(format!(
        "it has {count} entries, a list holds {MAX_LIST_ENTRIES}; a larger one is for `cidrs` with `files` of a policy"
    ))
}

/// One entry; `None`: it is none.
pub(super) fn subject(text: &str, of: Holds) -> Option<Subject> {
    match of {
        Holds::Addresses if text.contains('/') => match of_text("prefix", text)? {
            Subject::Network(address, bits) if bits == if address.is_ipv4() { 32 } else { 128 } => {
                of_text("address", &address.to_string())
            }
            network => Some(network),
        },
        Holds::Addresses => of_text("address", text),
        Holds::Asns => {
            let number = text.strip_prefix("AS").or_else(|| text.strip_prefix("as")).unwrap_or(text).parse().ok()?;
            (number != 0).then_some(Subject::Asn(number))
        }
        Holds::Fingerprints => of_text("fingerprint", text),
        Holds::Identities => of_text("identity", text),
    }
}

impl Tally {
    /// One more.
    pub(super) fn count(&mut self, found: Option<Subject>, shown: impl FnOnce() -> String) -> Option<Subject> {
        self.seen += 1;
        if found.is_none() {
            self.refused += 1;
            self.first.get_or_insert_with(shown);
        }
        found
    }

    /// How many were refused; too many are an error.
    pub(super) fn settle(&self, what: &str) -> Result<u64, String> {
        let Self { seen, refused, first } = self;
        if refused * 100 <= *seen {
            return Ok(*refused);
        }
        let first = first.as_deref().unwrap_or_default();
        Err(format!("{refused} of its {seen} entries are no {what}, the first is {first}"))
    }
}

/// Without addresses and networks that lie within another.
fn outermost(mut subjects: Vec<Subject>) -> Vec<Subject> {
    let range = |subject: &Subject| -> Option<(bool, u128, u128)> {
        let number = |address: IpAddr| match address {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => u128::from(v6),
        };
        let (address, bits) = match subject {
            Subject::Address(address) => (*address, if address.is_ipv4() { 32 } else { 128 }),
            Subject::Network(address, bits) => (*address, *bits),
            _ => return None,
        };
        Some((address.is_ipv6(), number(address), number(Network::new(address, bits).last())))
    };
    // A wider network comes before what begins where it does.
    subjects.sort_by_cached_key(|subject| range(subject).map(|(six, first, last)| (six, first, u128::MAX - last)));
    let mut widest: Option<(bool, u128)> = None;
    subjects.retain(|subject| {
        let Some((six, _, last)) = range(subject) else { return true };
        let within = widest.is_some_and(|(other, end)| other == six && last <= end);
        if !within {
            widest = Some((six, last));
        }
        !within
    });
    subjects
}
