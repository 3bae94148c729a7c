//! An egress gateway: where it runs, what may be reached by it, and whose pods go out by it only.

use std::collections::BTreeMap;

use gatehouse_policy::document::{Fields, Node, Problems};
use serde::Serialize;

use super::super::word;
use super::{labels, words};

/// An egress gateway of ours.
#[derive(Debug, Clone, Serialize)]
pub struct EgressGateway {
    /// Of its Deployment, Service and ServiceAccount.
    pub name: String,
    /// Where it runs.
    pub namespace: String,
    /// Of the nodes that it runs on; empty: any.
    pub nodes: BTreeMap<String, String>,
    /// Namespaces whose pods go out by it only.
    pub from: Vec<String>,
    /// What lies outside.
    pub hosts: Vec<Outside>,
}

/// A host outside the mesh.
#[derive(Debug, Clone, Serialize)]
pub struct Outside {
    /// Of its objects and of the gateway's subset for it.
    pub name: String,
    /// Its name.
    pub host: String,
    /// What workloads speak: `HTTP`, `TLS` (of their own, passed on) or `TCP`.
    pub protocol: &'static str,
    /// The port that they dial.
    pub port: i64,
    /// The port that the gateway dials.
    pub target: i64,
    /// The gateway speaks TLS to it.
    pub originate: bool,
    /// Secret of the gateway's namespace with the authority that signs for it (`ca.crt`); `None`: the system's.
    pub credential: Option<String>,
    /// Where it is; empty: where DNS says.
    pub addresses: Vec<String>,
}

impl EgressGateway {
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`egress`", problems)?;
        let (nodes, from, hosts) = (fields.take("nodes"), fields.take("from"), fields.require("hosts"));
        let egress = Self {
            name: word::part(fields.take("name"), "gatehouse-egress", problems),
            namespace: word::label(fields.take("namespace"), "istio-egress", problems),
            nodes: nodes.map(|node| labels(node, problems)).unwrap_or_default(),
            from: words(from, problems, |node, problems| word::label(Some(node), "", problems)),
            hosts: hosts
                .and_then(|node| node.list(problems))
                .unwrap_or_default()
                .iter()
                .filter_map(|node| Outside::read(node, problems))
                .collect(),
        };
        fields.finish(problems);
        one_subset_each(node, &egress.hosts, problems);
        Some(egress)
    }

    /// Some host is not HTTP.
    #[must_use]
    pub fn has_connections(&self) -> bool {
        self.hosts.iter().any(|outside| outside.protocol != "HTTP")
    }
}

/// Two hosts of one name would share objects, and one host under two names would be led two ways.
fn one_subset_each(node: &Node, hosts: &[Outside], problems: &mut Problems) {
    let twice = |key: fn(&Outside) -> &str| {
        let mut all: Vec<&str> = hosts.iter().map(key).collect();
        all.sort_unstable();
        all.windows(2)
            .find(|pair| pair.first() == pair.last())
            .and_then(|pair| pair.first().map(|one| (*one).to_owned()))
    };
    for (what, found) in [("name", twice(|one| &one.name)), ("host", twice(|one| &one.host))] {
        if let Some(found) = found {
            problems.push(&node.place, format!("two hosts have the {what} `{found}`"), "give each its own");
        }
    }
}

impl Outside {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "a host of the egress gateway", problems)?;
        let (name, host, port) = (fields.require("name"), fields.require("host"), fields.require("port"));
        let protocol = word::one_of(fields.take("protocol"), &["HTTP", "TLS", "TCP"], problems);
        let (originate, credential, addresses) =
            (fields.take("originate"), fields.take("credential"), fields.take("addresses"));
        fields.finish(problems);
        if let Some(wrong) = originate.or(credential).filter(|_| protocol != "HTTP") {
            let help = "leave it out: what workloads encrypt, or speak in another protocol, is passed on as it is";
            problems.push(&wrong.place, format!("the gateway originates TLS for HTTP only, not for {protocol}"), help);
        }
        let port = word::port(port, 0, problems);
        Some(Self {
            name: word::part(name, "", problems),
            host: word::name_of_host(host, problems),
            protocol,
            port,
            target: originate.map_or(port, |node| word::port(Some(node), port, problems)),
            originate: originate.is_some(),
            credential: credential.map(|node| word::label(Some(node), "", problems)),
            addresses: words(addresses, problems, word::address),
        })
    }
}
