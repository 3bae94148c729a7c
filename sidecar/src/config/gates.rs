//! `listen.tls`: where gates attach from other machines, by mutual TLS.
//!
//! ```yaml
//! listen:
//!   tls:
//!     address: 0.0.0.0:7443
//!     certificate: /etc/gatehouse/tls/tls.crt
//!     key: /etc/gatehouse/tls/tls.key
//!     authorities: /etc/gatehouse/tls/ca.crt    # who signs the gates' certificates
//!     gates:                                    # nobody else is served
//!       - identity: spiffe://cluster.local/ns/istio-system/sa/ingress   # its last segment may be `*`
//!         node: ingress           # default: the identity
//!         group: acme/shop        # in the place of Envoy's node cluster
//!         streams: 64             # at once
//!         epochs: 1024            # workers that begin within an hour
//!         rate: 32MiB             # of batches a second
//! ```

use std::net::SocketAddr;

use gatehouse_policy::document::{Fields, Node, Problems, quoted};

use crate::intake::peer::{Caps, Served};
use crate::intake::streams::MAX_STREAMS;
use crate::sink::tls::{MUTUAL, Tls, mutual};

/// Entries of the list, at most.
const MAX_GATES: usize = 1024;

/// Where gates attach by mutual TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    /// Where; port 0: any, written to `gates.address` in the data folder.
    pub address: SocketAddr,
    /// The house's certificate, and who signs the gates'.
    pub tls: Tls,
    /// Who is served.
    pub gates: Vec<Served>,
}

impl Guarded {
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`tls`", problems)?;
        let (address, gates) = (fields.require("address"), fields.require("gates"));
        let files = MUTUAL.map(|name| fields.require(name));
        fields.finish(problems);
        let address = address.and_then(|node| socket(node, "0.0.0.0:7443", problems));
        let tls = mutual(files, problems);
        let gates = gates.map(|node| list(node, problems)).unwrap_or_default();
        Some(Self { address: address?, tls: tls?, gates })
    }
}

/// An address and a port, such as `example`.
pub(crate) fn socket(node: &Node, example: &str, problems: &mut Problems) -> Option<SocketAddr> {
    let text = node.string(problems)?;
    let address = text.parse().ok();
    if address.is_none() {
        let message = format!("{} is no address and port", quoted(text));
        problems.push(&node.place, message, format!("write one such as `{example}`"));
    }
    address
}

fn list(node: &Node, problems: &mut Problems) -> Vec<Served> {
    let entries = node.list(problems).unwrap_or_default();
    if entries.is_empty() || entries.len() > MAX_GATES {
        let message = format!("`gates` names {} identities, 1 to {MAX_GATES} can be served", entries.len());
        problems.push(&node.place, message, "write the SPIFFE id of each gateway");
    }
    entries.iter().filter_map(|entry| served(entry, problems)).collect()
}

fn served(node: &Node, problems: &mut Problems) -> Option<Served> {
    let mut fields = Fields::new(node, "a gate", problems)?;
    let identity = fields.require("identity");
    let (called, group) = (fields.take("node"), fields.take("group"));
    let (streams, epochs, rate) = (fields.take("streams"), fields.take("epochs"), fields.take("rate"));
    fields.finish(problems);
    let usual = Caps::default();
    let mut count = |node: Option<&Node>, usual: usize, most: i64| {
        let read = node.and_then(|node| node.integer(1..=most, problems));
        read.and_then(|count| usize::try_from(count).ok()).unwrap_or(usual)
    };
    let most = i64::try_from(MAX_STREAMS).unwrap_or(i64::MAX);
    let (streams, epochs) = (count(streams, usual.streams, most), count(epochs, usual.epochs, 100_000));
    let rate = rate.and_then(|node| bytes(node, problems)).unwrap_or(usual.rate);
    let mut text = |node: Option<&Node>| node.and_then(|node| name(node, problems));
    let (called, group) = (text(called), text(group).unwrap_or_default());
    let identity = identity.and_then(|node| spiffe(node, problems))?;
    Some(Served { identity, node: called, group, caps: Caps { streams, epochs, rate } })
}

fn spiffe(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?;
    if Served::is_sound(text) {
        return Some(text.to_owned());
    }
    let help =
        "write one such as `spiffe://cluster.local/ns/istio-system/sa/ingress`; only its last segment may be `*`";
    problems.push(&node.place, format!("{} is no SPIFFE id", quoted(text)), help);
    None
}

fn name(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?;
    if (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(text.to_owned());
    }
    problems.push(
        &node.place,
        format!("{} is no name", quoted(text)),
        "write 1 to 256 printable characters of ASCII, without spaces",
    );
    None
}

fn bytes(node: &Node, problems: &mut Problems) -> Option<u64> {
    let bytes = node.size(problems)?;
    if (64 << 10..=1 << 32).contains(&bytes) {
        return Some(bytes);
    }
    problems.push(&node.place, "`rate` is out of range", "write a size from 64KiB to 4GiB, of one second");
    None
}
