//! A workload that is guarded at its own proxies, or at the waypoint of its service: requests, connections, or both.

use std::collections::{BTreeMap, BTreeSet};

use gatehouse_policy::document::{Fields, Node, Problems};
use serde::Serialize;

use super::super::word;
use super::labels;

/// As many as the filter takes.
const MAX_PORTS: usize = 1024;

/// A workload whose own proxies have a gate.
#[derive(Debug, Clone, Serialize)]
pub struct Workload {
    /// Where it runs.
    pub namespace: String,
    /// Of its pods.
    pub labels: BTreeMap<String, String>,
    /// Its service, at whose waypoint the gate stands.
    pub service: Option<String>,
    /// Who those proxies are.
    pub service_account: String,
    /// The gate for requests is there.
    pub requests: bool,
    /// The gate for connections is there.
    pub tcp: Option<Tcp>,
}

/// Where connections to a workload are judged, and as what.
#[derive(Debug, Clone, Serialize)]
pub struct Tcp {
    /// Whom clients reach, for the policy: what a client names in TLS would be for the client to choose.
    pub destination: String,
    /// The ports at which the pods listen.
    pub ports: Vec<i64>,
}

impl Workload {
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`workload`", problems)?;
        let namespace = fields.require("namespace").map(|node| word::label(Some(node), "", problems));
        let labels = fields.take("labels").map(|node| labels(node, problems)).unwrap_or_default();
        let service = fields.take("service").map(|node| word::label(Some(node), "", problems));
        let usual = if service.is_some() { "waypoint" } else { "default" };
        let service_account = word::label(fields.take("serviceAccount"), usual, problems);
        let requests = fields.take("requests").map_or(Some(true), |node| node.boolean(problems));
        let tcp = fields.take("tcp");
        fields.finish(problems);
        if labels.is_empty() == service.is_none() {
            problems.push(&node.place, "whose proxies is not clear", "write `labels`, or `service` for its waypoint");
            return None;
        }
        if let Some(wrong) = tcp.filter(|_| service.is_some()) {
            let help = "write `labels` instead of `service`: the proxies beside the pods prove who opens a connection";
            problems.push(&wrong.place, "connections are not judged at a waypoint, where TLS has ended before", help);
        }
        if requests == Some(false) && tcp.is_none() {
            let help = "leave `requests: false` out, or write `tcp: { ports: [5432], destination: … }`";
            problems.push(&node.place, "`workload` guards neither requests nor connections", help);
        }
        let tcp = tcp.and_then(|node| Tcp::read(node, problems));
        Some(Self { namespace: namespace?, labels, service, service_account, requests: requests?, tcp })
    }
}

impl Tcp {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`tcp`", problems)?;
        let (destination, ports) = (fields.require("destination"), fields.require("ports"));
        fields.finish(problems);
        let destination = word::name_of_service(destination?, problems);
        Some(Self { destination, ports: read_ports(ports?, problems) })
    }
}

/// In order, each once.
fn read_ports(node: &Node, problems: &mut Problems) -> Vec<i64> {
    let list = node.one_or_many();
    if list.is_empty() || list.len() > MAX_PORTS {
        let help = "write the ports at which the pods listen, such as `[5432]`";
        problems.push(&node.place, format!("`ports` has {} ports, not 1 to {MAX_PORTS}", list.len()), help);
    }
    let ports = list.iter().filter_map(|port| port.integer(1..=65535, problems));
    ports.collect::<BTreeSet<i64>>().into_iter().collect()
}
