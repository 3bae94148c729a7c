//! `lists`: named sets that rules refer to.

use crate::document::{Entry, Fields, Node, Problems, Value, quoted};

use super::types::{Entries, List};
use super::{client, identity, library, moment, name, outside, who};

/// The kinds of entries, by their word; a list has one of them.
const KINDS: [&str; 6] = ["asns", "cidrs", "countries", "fingerprints", "from", "identities"];

pub(super) fn read(node: &Node, problems: &mut Problems) -> Vec<List> {
    let entries = node.entries(problems).unwrap_or_default();
    entries.iter().filter_map(|entry| read_list(entry, problems)).collect()
}

fn read_list(entry: &Entry, problems: &mut Problems) -> Option<List> {
    let key = Node { value: Value::String(entry.key.clone()), place: entry.key_place.clone() };
    let name = name(&key, problems);
    let what = format!("the list {}", quoted(&entry.key));
    let mut fields = Fields::of("list", &entry.value, &*what, problems)?;
    let kinds = KINDS.map(|word| (word, fields.take(word)));
    let (files, expires) = (fields.take("files"), fields.take("expires"));
    let beside = outside::Written {
        of: fields.take("of"),
        every: fields.take("every"),
        expires,
        digest: fields.take("digest"),
        signature: fields.take("signature"),
    };
    let told = problems.0.len();
    fields.finish(problems);
    let known = problems.0.len() == told;
    let mut written = kinds.iter().filter_map(|(word, node)| node.map(|node| (*word, node)));
    let Some((word, values)) = written.next() else {
        if files.is_some() && known {
            let message = format!("{what} does not say what its files hold");
            problems.push(&entry.value.place, message, "add `cidrs: []`, or another kind in its stead");
        } else if known {
            let help = "add one of `cidrs`, `fingerprints`, `identities`, `asns`, `countries`, or `from`";
            problems.push(&entry.value.place, format!("{what} holds nothing"), help);
        }
        return None;
    };
    if let Some((other, place)) = written.next().map(|(word, node)| (word, &node.place)) {
        let message = format!("{what} holds both `{word}` and `{other}`");
        problems.push(place, message, "a list has entries of one kind: make two of it");
        return None;
    }
    let origin = if word == "from" { outside::read_from(values, problems)? } else { None };
    let fetched = origin.is_some();
    let entries = match origin {
        Some(origin) => Entries::Verdicts(Some(beside.read(&entry.key, origin, problems)?)),
        None => {
            beside.refuse(&what, problems);
            read_entries(word, values, problems)?
        }
    };
    let expires = expires.filter(|_| !fetched);
    let expires = expires.and_then(|n| Some((moment::moment(n, problems)?, n.place.clone())));
    let files = files.map_or_else(Vec::new, |n| library::read_files(n, problems));
    if let (Entries::Verdicts(_), Some((_, place))) = (&entries, files.first()) {
        problems.push(place, format!("{what} is filled by the house"), "leave `files` out");
    }
    Some(List { name: name?, place: entry.key_place.clone(), entries, files, expires })
}

fn read_entries(word: &str, node: &Node, problems: &mut Problems) -> Option<Entries> {
    match word {
        "from" => Some(Entries::Verdicts(None)),
        "asns" => each(node, problems, who::asn).map(Entries::Asns),
        "cidrs" => each(node, problems, client::network).map(Entries::Networks),
        "countries" => each(node, problems, who::country).map(Entries::Countries),
        "fingerprints" => each(node, problems, who::fingerprint).map(Entries::Fingerprints),
        _ => each(node, problems, identity::pattern).map(Entries::Identities),
    }
}

/// Every entry that is one; the others are told, and the list stands without them, so that rules find it.
fn each<T>(node: &Node, problems: &mut Problems, read: fn(&Node, &mut Problems) -> Option<T>) -> Option<Vec<T>> {
    Some(node.one_or_many().iter().filter_map(|item| read(item, problems)).collect())
}
