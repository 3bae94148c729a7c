//! `client`, `lists`, and networks wherever they stand.

use gatehouse_signals::address::{Network, NetworkError};

use crate::document::{Fields, Node, Place, Problems, Value, quoted};

use super::read_name;

/// Most proxies that `hops` may count.
const MAX_HOPS: i64 = 16;

/// Whose word is taken for who the client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Proxies in these networks; none: nobody.
    Networks(Vec<Network>),
    /// So many proxies.
    Hops(u8),
}

/// A named list.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) networks: Vec<Network>,
}

/// Addresses as a match names them.
#[derive(Debug)]
pub(crate) enum Addresses {
    /// Written out.
    Networks(Vec<Network>),
    /// By the name of a list, which may not exist.
    List(String, Place),
}

pub(super) fn read_client(node: &Node, problems: &mut Problems) -> Option<Trust> {
    let mut fields = Fields::new(node, "`client`", problems)?;
    let address = fields.require("address");
    fields.not_built(&["key"]);
    fields.finish(problems);
    let mut fields = Fields::new(address?, "`address`", problems)?;
    if let Some(from) = fields.require("from") {
        from.one_of(&["x-forwarded-for"], problems);
    }
    let place = fields.place();
    let trust = fields.take("trust");
    let hops = fields.take("hops");
    fields.finish(problems);
    match (trust, hops) {
        (Some(_), Some(hops)) => {
            let help = "keep `trust` if the proxies' addresses are known, `hops` if only their number is";
            problems.push(&hops.place, "`trust` and `hops` exclude each other", help);
            None
        }
        (Some(trust), None) => Some(Trust::Networks(networks(trust, problems))),
        (None, Some(hops)) => {
            let hops = hops.integer(0..=MAX_HOPS, problems)?;
            u8::try_from(hops).ok().map(Trust::Hops)
        }
        (None, None) => {
            let help =
                "add `trust: [the proxies' networks]` or `hops: the number of proxies`; `trust: []` trusts nobody";
            problems.push(place, "`address` says neither `trust` nor `hops`", help);
            None
        }
    }
}

pub(super) fn read_lists(node: &Node, problems: &mut Problems) -> Vec<List> {
    let entries = node.entries(problems).unwrap_or_default();
    let mut lists = Vec::new();
    for entry in entries {
        let key = Node { value: Value::String(entry.key.clone()), place: entry.key_place.clone() };
        let name = read_name(&key, problems);
        let Some(mut fields) = Fields::new(&entry.value, format!("the list `{}`", entry.key), problems) else {
            continue;
        };
        let cidrs = fields.take("cidrs");
        fields.not_built(&["asns", "clients", "countries", "expires", "fingerprints", "from", "identities"]);
        let place = fields.place();
        fields.finish(problems);
        match cidrs {
            None if matches!(&entry.value.value, Value::Map(fields) if fields.is_empty()) => {
                problems.push(place, format!("the list `{}` is empty", entry.key), "add `cidrs: [networks]`");
            }
            None => {}
            Some(cidrs) => {
                let networks = networks(cidrs, problems);
                lists.extend(name.map(|name| List { name, place: entry.key_place.clone(), networks }));
            }
        }
    }
    lists
}

impl Addresses {
    /// One network, a list of networks, or `{ list: NAME }`.
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        if matches!(node.value, Value::Map(_)) {
            let mut fields = Fields::new(node, "`address`", problems)?;
            let list = fields.require("list");
            fields.finish(problems);
            let list = list?;
            return Some(Self::List(list.string(problems)?.to_owned(), list.place.clone()));
        }
        if node.one_or_many().is_empty() {
            problems.push(&node.place, "an empty list matches nothing", "write networks, or leave the field out");
            return None;
        }
        Some(Self::Networks(networks(node, problems)))
    }
}

fn networks(node: &Node, problems: &mut Problems) -> Vec<Network> {
    let mut read = Vec::new();
    for item in node.one_or_many() {
        let Some(text) = item.string(problems) else {
            continue;
        };
        match text.parse::<Network>() {
            Ok(network) => read.push(network),
            Err(error) => refuse_network(item, &error, problems),
        }
    }
    read
}

fn refuse_network(node: &Node, error: &NetworkError, problems: &mut Problems) {
    let (message, help) = match error {
        NetworkError::Address(text) => {
            let help = "write an address, or a network such as `192.0.2.0/24` or `2001:db8::/32`".to_owned();
            (format!("{} is not a network", quoted(text)), help)
        }
        NetworkError::HostBits { text, network } => {
            let help = format!("write `{network}` for the network, or the address alone");
            (format!("{} has bits set after its prefix", quoted(text)), help)
        }
        NetworkError::Prefix { text, bits } => {
            let help = format!("write a whole number from 0 to {bits} after the slash");
            (format!("{} has no such prefix length", quoted(text)), help)
        }
    };
    problems.push(&node.place, message, help);
}
