//! What is asked for: subjects, a list, how long, why. Read from what the command line sends.

use std::net::IpAddr;
use std::time::Duration;

use gatehouse_policy::document::{Fields, Node, Problems, Value, quoted};
use gatehouse_proto::subject::Subject;
use gatehouse_signals::address::Network;

/// Longest time that a verdict may hold: a year. What is to last longer is a list in the policy.
pub const MAX_HOLD: Duration = Duration::from_secs(366 * 86_400);

/// Subjects in one order, at most.
pub const MAX_SUBJECTS: usize = 4096;

/// Shorter prefixes hold too many to be meant: /8 of IPv4, /16 of IPv6.
const SHORTEST: [u8; 2] = [8, 16];
const MAX_REASON: usize = 500;
const KINDS: [&str; 6] = ["address", "asn", "client", "fingerprint", "identity", "prefix"];

/// Verdicts to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub(super) list: String,
    pub(super) subjects: Vec<Subject>,
    pub(super) hold: Duration,
    pub(super) reason: String,
}

/// Verdicts to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    pub(super) list: String,
    /// `None`: all that are on the list.
    pub(super) subjects: Option<Vec<Subject>>,
}

impl Order {
    /// The list.
    #[must_use]
    pub fn list(&self) -> &str {
        &self.list
    }

    /// Reads `{ list, subjects, for, reason }`.
    pub fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "a verdict", problems)?;
        let (list, subjects) = (fields.require("list"), fields.require("subjects"));
        let (hold, why) = (fields.require("for"), fields.require("reason"));
        fields.finish(problems);
        let list = list.and_then(|node| read_list(node, problems));
        let subjects = subjects.and_then(|node| read_subjects(node, problems));
        let hold = hold.and_then(|node| read_hold(node, problems));
        let reason = why.and_then(|node| read_reason(node, problems));
        Some(Self { list: list?, subjects: subjects?, hold: hold?, reason: reason? })
    }
}

impl Removal {
    /// The list.
    #[must_use]
    pub fn list(&self) -> &str {
        &self.list
    }

    /// Reads `{ list, subjects }` or `{ list, all: true }`.
    pub fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "a removal", problems)?;
        let (list, subjects, all) = (fields.require("list"), fields.take("subjects"), fields.take("all"));
        let place = fields.place().clone();
        fields.finish(problems);
        let list = list.and_then(|node| read_list(node, problems));
        let all = all.is_some_and(|node| node.boolean(problems).unwrap_or(false));
        let subjects = match (subjects, all) {
            (Some(_), true) => {
                problems.push(&place, "`subjects` and `all` are both written", "write one of them");
                None
            }
            (Some(node), false) => Some(read_subjects(node, problems)?),
            (None, true) => None,
            (None, false) => {
                problems.push(
                    &place,
                    "it says nothing to remove",
                    "write `subjects`, or `all: true` for all on the list",
                );
                None
            }
        };
        Some(Self { list: list?, subjects })
    }
}

/// Whether a text may name a list, as policies name them.
pub(crate) fn is_list(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn read_list(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?;
    if is_list(text) {
        return Some(text.to_owned());
    }
    let help = "write the name of a list that a policy fills `from: verdicts`";
    problems.push(&node.place, format!("{} is no name of a list", quoted(text)), help);
    None
}

fn read_subjects(node: &Node, problems: &mut Problems) -> Option<Vec<Subject>> {
    let items = node.list(problems)?;
    if items.is_empty() || items.len() > MAX_SUBJECTS {
        let message = format!("{} subjects are written", items.len());
        problems.push(&node.place, message, format!("write 1 to {MAX_SUBJECTS}"));
        return None;
    }
    let subjects: Vec<Subject> = items.iter().filter_map(|item| read_subject(item, problems)).collect();
    (subjects.len() == items.len()).then_some(subjects)
}

fn read_subject(node: &Node, problems: &mut Problems) -> Option<Subject> {
    let mut fields = Fields::new(node, "a subject", problems)?;
    let written = KINDS.map(|kind| fields.take(kind).map(|value| (kind, value)));
    let place = fields.place().clone();
    fields.finish(problems);
    let mut written = written.into_iter().flatten();
    let (Some((kind, value)), None) = (written.next(), written.next()) else {
        problems.push(&place, "a subject is of one kind", format!("write one of {}", KINDS.join(", ")));
        return None;
    };
    let subject = match kind {
        "asn" => read_asn(value),
        _ => value.string(problems).and_then(|text| of_text(kind, text)),
    };
    if subject.is_none() {
        let shown = match &value.value {
            Value::String(text) => quoted(text),
            _ => value.kind(),
        };
        problems.push(&value.place, format!("{shown} is no {kind} that a verdict can be about"), help(kind));
    }
    subject
}

fn read_asn(value: &Node) -> Option<Subject> {
    let number = match &value.value {
        Value::Integer(number) => u32::try_from(*number).ok()?,
        Value::String(text) => text.strip_prefix("AS").unwrap_or(text).parse().ok()?,
        _ => return None,
    };
    (number != 0).then_some(Subject::Asn(number))
}

/// A subject of this kind from its text; `None`: it is none that a verdict can be about.
pub(crate) fn of_text(kind: &str, text: &str) -> Option<Subject> {
    let plain = |most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    match kind {
        "address" => {
            let address = text.parse::<IpAddr>().ok()?.to_canonical();
            (!address.is_unspecified()).then_some(Subject::Address(address))
        }
        "prefix" => {
            let network = text.parse::<Network>().ok()?;
            let [v4, v6] = SHORTEST;
            let shortest = if network.address().is_ipv4() { v4 } else { v6 };
            (network.prefix() >= shortest).then(|| Subject::Network(network.address(), network.prefix()))
        }
        "identity" => (text.starts_with("spiffe://") && plain(2048)).then(|| Subject::Identity(text.to_owned())),
        "fingerprint" => plain(256).then(|| Subject::Fingerprint(text.to_owned())),
        _ => {
            let hex = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
            (hex && plain(64)).then(|| Subject::Client(text.to_owned()))
        }
    }
}

fn help(kind: &str) -> &'static str {
    match kind {
        "address" => "write one address, such as `192.0.2.7`",
        "prefix" => "write a network of at least /8 (IPv6: /16), such as `192.0.2.0/24`",
        "asn" => "write a number, such as `64500`",
        "identity" => "write a SPIFFE id, such as `spiffe://cluster.local/ns/shop/sa/web`",
        "fingerprint" => "write a fingerprint as records show it",
        _ => "write a client's key as records show it",
    }
}

fn read_hold(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let hold = node.duration(problems)?;
    if (Duration::from_secs(1)..=MAX_HOLD).contains(&hold) {
        return Some(hold);
    }
    let help = "write a duration from 1s to 366d; what is to last longer is a list in the policy";
    problems.push(&node.place, "`for` is out of range", help);
    None
}

fn read_reason(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?.trim();
    if text.is_empty() {
        problems.push(&node.place, "the `reason` is empty", "say why, for those who find the verdict");
        return None;
    }
    Some(text.chars().take(MAX_REASON).map(|c| if c.is_control() { ' ' } else { c }).collect())
}
