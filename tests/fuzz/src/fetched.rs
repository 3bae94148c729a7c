//! What a source of lists may answer. A text is refused in words, or read to entries of its kind, none within another, none that
//! holds everybody, and every address that it names among them; read again from what was read it is the same. Answers of a
//! CrowdSec engine: what holds ends within a year and not before now; everything is asked for after whatever went wrong; what
//! is taken back holds no more.

use std::collections::BTreeMap;
use std::net::IpAddr;

use gatehouse_policy::Holds;
use gatehouse_proto::MAX_LIST_ENTRIES;
use gatehouse_proto::subject::Subject;
use gatehouse_signals::{Network, Networks};

use crate::deadline::Now;
use crate::verdicts::MAX_HOLD;

#[path = "../../../sidecar/src/lists/crowdsec.rs"]
mod crowdsec;
#[path = "../../../sidecar/src/lists/text.rs"]
mod text;

const KINDS: [Holds; 4] = [Holds::Addresses, Holds::Asns, Holds::Fingerprints, Holds::Identities];
/// The clock moves on so far between two answers.
const STEP_MS: u64 = 60_000;

/// One byte for the kind, then the list.
pub fn lines(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else { return };
    let of = KINDS[usize::from(*kind) % KINDS.len()];
    let read = match text::read(body, of) {
        Err(problem) => return printable(&problem),
        Ok(read) => read,
    };
    let subjects: Vec<Subject> = read.entries.keys().map(|key| subject(key)).collect();
    assert!(subjects.len() <= MAX_LIST_ENTRIES && read.entries.values().all(Option::is_none));
    assert!(subjects.iter().all(|subject| is_of(subject, of)), "{subjects:?}");
    let again = serde_json::to_vec(&subjects.iter().map(value).collect::<Vec<_>>()).expect("texts are JSON");
    let again = text::read(&again, of).expect("what was read can be read");
    assert_eq!((again.entries, again.refused), (read.entries, 0));
    if of == Holds::Addresses {
        let body = core::str::from_utf8(body).expect("it was read");
        let body = body.strip_prefix('\u{feff}').unwrap_or(body);
        apart(&subjects);
        if !body.trim_start().starts_with('[') {
            assert!(read.refused * 100 <= body.lines().count() as u64);
            all_held(&subjects, body);
        }
    }
}

/// One answer a line; an empty line is an answer that was lost.
pub fn decisions(bytes: &[u8]) {
    let mut decisions = crowdsec::Decisions::default();
    let mut whole = true;
    let mut now = Now { boot_ms: STEP_MS, wall_ms: 0 };
    for answer in bytes.split(|byte| *byte == b'\n') {
        now.boot_ms += STEP_MS;
        // Once an hour everything is asked for without anything being wrong.
        let question = decisions.question(now);
        assert!(question.ends_with("startup=true") || !whole, "{question}");
        whole = question.ends_with("startup=true");
        if answer.is_empty() {
            decisions.lost();
            whole = true;
            continue;
        }
        match decisions.take(answer, now) {
            Err(problem) => {
                printable(&problem);
                whole = true;
            }
            Ok((held, _)) => {
                holds(&held, now);
                if whole {
                    let fresh = crowdsec::Decisions::default().take(answer, now).expect("it was taken");
                    assert_eq!(fresh.0, held, "the whole of it owes nothing to what was before");
                }
                assert_eq!(decisions.take(b"{\"new\":null,\"deleted\":null}", now), Ok((held, 0)));
                whole = false;
            }
        }
    }
    taken_back(&mut decisions, now);
}

/// What is held is of its kind and over within a year.
fn holds(held: &BTreeMap<Vec<u8>, Option<u64>>, now: Now) {
    assert!(held.len() <= MAX_LIST_ENTRIES);
    for (key, end) in held {
        assert!(is_of(&subject(key), Holds::Addresses));
        let end = end.expect("a decision has an end of its own");
        assert!(end > now.boot_ms && end <= now.end_of(MAX_HOLD), "{end}");
    }
}

/// Whatever is held can be taken back.
fn taken_back(decisions: &mut crowdsec::Decisions, now: Now) {
    let nothing = b"{}";
    if decisions.question(now).ends_with("startup=true") {
        return;
    }
    let Ok((held, _)) = decisions.take(nothing, now) else { panic!("nothing changed") };
    let deleted: Vec<_> = held.keys().map(|key| subject(key)).collect();
    let deleted = deleted.iter().map(
        |subject| serde_json::json!({ "duration": "-1s", "scope": "Range", "type": "ban", "value": value(subject) }),
    );
    let answer = serde_json::json!({ "deleted": deleted.collect::<Vec<_>>() }).to_string();
    let (held, refused) = decisions.take(answer.as_bytes(), now).expect("it is an answer");
    assert_eq!((held.len(), refused), (0, 0));
}

fn subject(key: &[u8]) -> Subject {
    Subject::read(key).expect("an entry is a subject")
}

/// A subject as a list writes it.
fn value(subject: &Subject) -> String {
    let shown = subject.to_string();
    shown.split_once(' ').map(|(_, value)| value.to_owned()).expect("a word, then the value")
}

fn is_of(subject: &Subject, of: Holds) -> bool {
    match subject {
        Subject::Address(_) => of == Holds::Addresses,
        Subject::Network(address, bits) => of == Holds::Addresses && *bits >= if address.is_ipv4() { 8 } else { 16 },
        Subject::Asn(number) => of == Holds::Asns && *number != 0,
        Subject::Client(_) => false,
        Subject::Fingerprint(_) => of == Holds::Fingerprints,
        Subject::Identity(text) => of == Holds::Identities && text.starts_with("spiffe://"),
    }
}

fn network(subject: &Subject) -> Network {
    match subject {
        Subject::Address(address) => Network::new(*address, if address.is_ipv4() { 32 } else { 128 }),
        Subject::Network(address, bits) => Network::new(*address, *bits),
        other => panic!("{other} is no network"),
    }
}

/// None lies within another.
fn apart(subjects: &[Subject]) {
    let networks: Vec<Network> = subjects.iter().map(network).collect();
    for (at, one) in networks.iter().enumerate() {
        let mut others = networks.iter().enumerate().filter(|(other, _)| *other != at);
        assert!(!others.any(|(_, wide)| wide.contains(one.address()) && wide.contains(one.last())), "{one:?}");
    }
}

/// Every address that stands alone on its line is held.
fn all_held(subjects: &[Subject], body: &str) {
    let held: Networks = subjects.iter().map(network).collect();
    for line in body.lines() {
        let written = line.split(['#', ';']).next().unwrap_or_default().trim();
        let Ok(address) = written.parse::<IpAddr>() else { continue };
        let address = address.to_canonical();
        assert!(address.is_unspecified() || held.contains(address), "{address}");
    }
}

fn printable(problem: &str) {
    assert!(!problem.is_empty() && !problem.chars().any(char::is_control), "{problem:?}");
}
