//! `client`: where the client's address is read and whose word is taken, and what proves who the client is.

use gatehouse_signals::address::{Network, NetworkError, Source};

use crate::document::{Fields, Node, Problems, nearest, quoted};
use crate::text;

use super::bounds;
use super::types::{AddressFrom, ClientAddress, ClientKey, Settings, Trust};

/// Headers that hold one address, by the names that proxies give them.
const SINGLE: [&str; 5] = ["cf-connecting-ip", "fastly-client-ip", "fly-client-ip", "true-client-ip", "x-real-ip"];

/// Reads `client` into its two settings.
pub(super) fn read(node: &Node, settings: &mut Settings, problems: &mut Problems) {
    let Some(mut fields) = Fields::of("client", node, "`client`", problems) else {
        return;
    };
    let (address, key) = (fields.take("address"), fields.take("key"));
    fields.finish(problems);
    if address.is_none() && key.is_none() {
        problems.push(&node.place, "`client` says neither `address` nor `key`", "write one of them, or leave it out");
    }
    settings.client_address = address.and_then(|n| Some((read_address(n, problems)?, n.place.clone())));
    settings.client_key = key.and_then(|n| Some((read_keys(n, problems)?, n.place.clone())));
}

fn read_address(node: &Node, problems: &mut Problems) -> Option<ClientAddress> {
    let told = problems.0.len();
    let mut fields = Fields::of("client.address", node, "`address`", problems)?;
    let from = fields.require("from").and_then(|n| read_from(n, problems));
    let (trust, hops) = (fields.take("trust"), fields.take("hops"));
    fields.finish(problems);
    if from == Some(AddressFrom::Peer) {
        if let Some(useless) = trust.or(hops) {
            let help = "leave it out: the peer is who opened the connection";
            problems.push(&useless.place, "`from: peer` believes nobody", help);
            return None;
        }
        return Some(ClientAddress { from: AddressFrom::Peer, trust: Trust::Networks(Vec::new()) });
    }
    let trust = match (trust, hops) {
        (Some(_), Some(hops)) => {
            let help = "keep `trust` if the proxies' addresses are known, `hops` if only their number is";
            problems.push(&hops.place, "`trust` and `hops` exclude each other", help);
            return None;
        }
        (Some(trust), None) => Trust::Networks(networks(trust, problems)),
        (None, Some(hops)) => {
            Trust::Hops(hops.integer(0..=bounds::HOPS, problems).and_then(|hops| u8::try_from(hops).ok())?)
        }
        (None, None) => {
            let help =
                "add `trust: [the proxies' networks]` or `hops: the number of proxies`; `trust: []` trusts nobody";
            problems.push(&node.place, "`address` says neither `trust` nor `hops`", help);
            return None;
        }
    };
    let from = from.filter(|_| problems.0.len() == told)?;
    Some(ClientAddress { from, trust })
}

fn read_from(node: &Node, problems: &mut Problems) -> Option<AddressFrom> {
    let written = node.string(problems)?.to_ascii_lowercase();
    match written.as_str() {
        "peer" => return Some(AddressFrom::Peer),
        "x-forwarded-for" => return Some(AddressFrom::XForwardedFor),
        "forwarded" => return Some(AddressFrom::Forwarded),
        name if SINGLE.contains(&name) => return Some(AddressFrom::Header(written)),
        _ => {}
    }
    let known = SINGLE.iter().copied().chain(["forwarded", "peer", "x-forwarded-for"]);
    if let Some(near) = nearest(&written, known) {
        problems.push(&node.place, format!("unknown word {}", quoted(&written)), format!("did you mean `{near}`?"));
        return None;
    }
    if !written.contains('-') || Source::header(&written).is_err() {
        let help = "write `x-forwarded-for`, `forwarded`, `peer`, or the name of a header that holds one address, such as `x-real-ip`";
        problems.push(&node.place, format!("{} is no place to read an address", quoted(&written)), help);
        return None;
    }
    Some(AddressFrom::Header(written))
}

fn read_keys(node: &Node, problems: &mut Problems) -> Option<Vec<ClientKey>> {
    let items = node.one_or_many();
    if items.is_empty() {
        problems.push(&node.place, "`key` is empty", "write what proves who the client is, or leave it out");
        return None;
    }
    let mut keys = Vec::new();
    let mut sound = true;
    for item in items {
        match read_key(item, problems) {
            Some(key) if keys.contains(&key) => {
                problems.push(&item.place, format!("{} is written twice", quoted(&shown(item))), "keep one of them");
                sound = false;
            }
            Some(key) => keys.push(key),
            None => sound = false,
        }
    }
    sound.then_some(keys)
}

fn shown(node: &Node) -> String {
    node.kind().trim_start_matches('`').split('`').next().unwrap_or_default().to_owned()
}

fn read_key(node: &Node, problems: &mut Problems) -> Option<ClientKey> {
    let written = node.string(problems)?;
    match written {
        "address" => return Some(ClientKey::Address),
        "identity" => return Some(ClientKey::Identity),
        _ => {}
    }
    let (family, name) = written.split_once('.').map_or((written, None), |(family, name)| (family, Some(name)));
    let (message, help) = match (family, name) {
        ("jwt", Some(name)) if text::is_parameter(name) => return Some(ClientKey::Claim(name.to_owned())),
        ("headers" | "query" | "cookies" | "header" | "cookie", _) => (
            format!("{} is not proven: a client chooses it", quoted(written)),
            "write `identity`, `jwt.CLAIM` or `address`; a limit may count by it, in `by`".to_owned(),
        ),
        ("fingerprint" | "agent" | "host" | "method" | "path" | "country" | "asn", _) => (
            format!("{} does not tell one client from another", quoted(written)),
            "write `identity`, `jwt.CLAIM` or `address`".to_owned(),
        ),
        _ => {
            let help = match nearest(written, ["address", "identity", "jwt.sub"]) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write `identity`, `jwt.CLAIM` or `address`".to_owned(),
            };
            (format!("{} is no key of a client", quoted(written)), help)
        }
    };
    problems.push(&node.place, message, help);
    None
}

/// One network or a list of them.
pub(super) fn networks(node: &Node, problems: &mut Problems) -> Vec<Network> {
    node.one_or_many().iter().filter_map(|item| network(item, problems)).collect()
}

/// An address or a network.
pub(super) fn network(node: &Node, problems: &mut Problems) -> Option<Network> {
    let text = node.string(problems)?;
    let error = match text.parse::<Network>() {
        Ok(network) => return Some(network),
        Err(error) => error,
    };
    let (message, help) = match &error {
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
    None
}
