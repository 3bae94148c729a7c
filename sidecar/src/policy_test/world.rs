//! What stands around the requests of a test: where addresses are, and who is on the lists that the house fills.
//!
//! ```yaml
//! places: { 192.0.2.0/24: { country: DE, asn: 64500 } }
//! lists: { banned: [203.0.113.9, 2001:db8::/32, { asn: 64501 }, { identity: spiffe://a/b }, { fingerprint: h1_ua_- }] }
//! ```

use std::net::IpAddr;
use std::rc::Rc;

use gatehouse_policy::document::{Entry, Fields, Node, Place, Problems, Value, quoted};
use gatehouse_signals::Network;
use gatehouse_signals::geo::{self, Table};

use crate::judge::Judge;
use crate::request::parse_address;

/// Kinds of subjects, as they stand in a key's first byte (`gatehouse_engine::verdicts`).
const ADDRESS: u8 = 1;
const NETWORK: u8 = 2;
const IDENTITY: u8 = 3;
const FINGERPRINT: u8 = 4;
const ASN: u8 = 5;

/// Who is on which list.
#[derive(Debug, Clone, Default)]
pub(super) struct Lists(Vec<List>);

#[derive(Debug, Clone)]
struct List {
    name: String,
    place: Place,
    keys: Vec<Vec<u8>>,
}

impl Lists {
    /// A map of list to subjects.
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Self {
        let list = |entry: &Entry, problems: &mut Problems| List {
            name: entry.key.clone(),
            place: entry.key_place.clone(),
            keys: entry.value.one_or_many().iter().filter_map(|node| subject(node, problems)).collect(),
        };
        let entries = node.entries(problems).unwrap_or_default();
        Self(entries.iter().map(|entry| list(entry, problems)).collect())
    }

    /// These and those of `more`.
    #[must_use]
    pub(super) fn with(&self, more: Self) -> Self {
        Self(self.0.iter().cloned().chain(more.0).collect())
    }

    /// Tells of lists that no document of the policy leaves to the house.
    pub(super) fn check(&self, filled: &[&str], problems: &mut Problems) {
        for list in self.0.iter().filter(|list| !filled.contains(&list.name.as_str())) {
            let help = match filled {
                [] => "no list of the policy says `from: verdicts`".to_owned(),
                some => format!("those with `from: verdicts` are {}", some.join(", ")),
            };
            problems.push(&list.place, format!("the house fills no list {}", quoted(&list.name)), help);
        }
    }

    /// Puts them where the judge looks.
    pub(super) fn put(&self, judge: &mut Judge) {
        for list in &self.0 {
            for key in &list.keys {
                judge.put_on_list(&list.name, key);
            }
        }
    }
}

/// An address or a network, or a map that says what it is.
fn subject(node: &Node, problems: &mut Problems) -> Option<Vec<u8>> {
    if let Value::String(text) = &node.value {
        return address_or_network(text, &node.place, problems);
    }
    let mut fields = Fields::new(node, "the subject", problems)?;
    let mut text = |key: &'static str, problems: &mut Problems| fields.take(key).and_then(|node| node.string(problems));
    let (identity, fingerprint) = (text("identity", problems), text("fingerprint", problems));
    let address = fields.take("address").and_then(|node| Some((node.string(problems)?, node.place.clone())));
    let asn = fields.take("asn").and_then(|node| node.integer(1..=i64::from(u32::MAX), problems));
    fields.finish(problems);
    let tagged = |kind: u8, bytes: &[u8]| [&[kind], bytes].concat();
    let address = address.and_then(|(text, place)| address_or_network(text, &place, problems));
    let asn = asn.and_then(|asn| u32::try_from(asn).ok());
    let found: Vec<Vec<u8>> = [
        address,
        identity.map(|text| tagged(IDENTITY, text.as_bytes())),
        fingerprint.map(|text| tagged(FINGERPRINT, text.as_bytes())),
        asn.map(|asn| tagged(ASN, &asn.to_le_bytes())),
    ]
    .into_iter()
    .flatten()
    .collect();
    if found.len() > 1 {
        problems.push(&node.place, "a subject is one thing", "write a second one for the other");
    }
    found.into_iter().next()
}

fn address_or_network(text: &str, place: &Place, problems: &mut Problems) -> Option<Vec<u8>> {
    let bytes = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    if let Some((address, None)) = parse_address(text) {
        return Some([vec![ADDRESS], bytes(address)].concat());
    }
    match text.parse::<Network>() {
        Ok(network) => Some([vec![NETWORK], bytes(network.address()), vec![network.prefix()]].concat()),
        Err(_) => {
            let help = "write an address, a network, or a map with `identity`, `fingerprint` or `asn`";
            problems.push(place, format!("{} is no address and no network", quoted(text)), help);
            None
        }
    }
}

/// A map of network to what is known of it.
pub(super) fn places(node: &Node, problems: &mut Problems) -> Option<Rc<Table>> {
    let mut said = Vec::new();
    for entry in node.entries(problems)? {
        let Ok(network) = entry.key.parse::<Network>() else {
            problems.push(
                &entry.key_place,
                format!("{} is no network", quoted(&entry.key)),
                "write one such as `192.0.2.0/24`",
            );
            continue;
        };
        let Some(mut fields) = Fields::new(&entry.value, "the place", problems) else { continue };
        let country = fields.take("country").and_then(|node| country(node, problems));
        let asn = fields.take("asn").and_then(|node| node.integer(1..=i64::from(u32::MAX), problems));
        fields.finish(problems);
        said.push((network, country, asn.and_then(|asn| u32::try_from(asn).ok())));
    }
    let table = geo::build(said).ok().and_then(|bytes| Table::load(bytes).ok());
    if table.is_none() {
        problems.push(&node.place, "these are too many places", "keep those that the cases need");
    }
    table.map(Rc::new)
}

fn country(node: &Node, problems: &mut Problems) -> Option<[u8; 2]> {
    let text = node.string(problems)?;
    let letters: Option<[u8; 2]> = text.as_bytes().try_into().ok();
    let found = letters.filter(|letters| letters.iter().all(u8::is_ascii_uppercase));
    if found.is_none() {
        problems.push(
            &node.place,
            format!("{} is no country", quoted(text)),
            "write two capital letters, such as `DE`",
        );
    }
    found
}
