//! Files of list entries: refused with printable problems, or compiled to a list that holds exactly what its lines say.

use std::borrow::Cow;
use std::net::IpAddr;

use gatehouse_engine::{Connection, Head, Policy};
use gatehouse_policy::{Format, Library, Options, Source, compile_with};
use gatehouse_signals::{Network, Networks};
use gatehouse_verdict::Action;

use crate::asked::Worker;
use crate::documents::printable;

/// The one file that there is.
struct File<'a>(&'a str);

impl Library for File<'_> {
    fn pack(&self, _: &str) -> Option<Source<'_>> {
        None
    }

    fn packs(&self) -> Vec<&str> {
        Vec::new()
    }

    fn file(&self, name: &str) -> Option<Cow<'_, str>> {
        (name == "l.txt").then_some(Cow::Borrowed(self.0))
    }
}

/// What lists are of, and the field that looks at one.
const KINDS: [(&str, &str); 5] = [
    ("cidrs", "address"),
    ("asns", "asn"),
    ("countries", "country"),
    ("fingerprints", "fingerprint"),
    ("identities", "identity"),
];

/// One byte for the kind, then the file.
pub fn check(bytes: &[u8]) {
    let Some((kind, text)) = bytes.split_first() else { return };
    let Ok(text) = core::str::from_utf8(text) else { return };
    let (entries, field) = KINDS[usize::from(*kind) % KINDS.len()];
    let document = format!(
        r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"p"}},"spec":{{"trustDomains":["td"],
        "lists":{{"l":{{"{entries}":[],"files":["l.txt"]}}}},
        "rules":[{{"name":"r","match":{{"{field}":{{"list":"l"}}}},"then":"block"}}]}}}}"#
    );
    let source = Source { name: "lists", text: &document, format: Format::Json };
    match compile_with(&[source], &Options::new(&File(text))) {
        Err(problems) => printable(&problems),
        Ok(compiled) => {
            let policy = Policy::load(compiled.image, 1).expect("what compiles loads");
            if entries == "cidrs" {
                networks(text, &policy);
            }
        }
    }
}

/// The policy blocks the edges of every network that the file names, and nothing beside them.
fn networks(text: &str, policy: &Policy) {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let written: Vec<Network> = lines.filter_map(|line| line.parse().ok()).collect();
    let set: Networks = written.iter().copied().collect();
    let mut worker = Worker::default();
    for network in written.iter().take(16) {
        for address in [network.address(), network.last(), after(network.last())] {
            let connection = Connection { peer: Some(address), ..Connection::default() };
            let pairs: [(&[u8], &[u8]); 2] = [(b":method", b"GET"), (b":path", b"/")];
            let judged = worker.judge(policy, Head::new(&pairs, &connection));
            assert_eq!(judged.verdict.action() == Action::Block, set.contains(address), "{address}");
        }
    }
}

fn after(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::from(v4.to_bits().wrapping_add(1).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::from(v6.to_bits().wrapping_add(1).to_be_bytes()),
    }
}
