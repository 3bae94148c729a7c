//! What is a detour.

use gatehouse_policy::document::Node;

use super::tree::{Tree, named};
use super::{Asked, Detour, Kind, envoy, rules};

/// Every detour of these documents, in their order.
pub(super) fn all(documents: &[Node], asked: &Asked) -> Vec<Detour> {
    let known = Known { asked, loopback: documents.iter().flat_map(loopback_hosts).collect() };
    let mut found: Vec<Detour> = Vec::new();
    for (at, document) in documents.iter().enumerate() {
        match document.text("kind") {
            Some("EnvoyFilter") | None => found.extend(of_envoy(document, at)),
            Some(_) => found.extend(of_rules(document, at, &known)),
        }
    }
    // An entry for this machine is a part of a detour only where a rule leads there: applications may live here too.
    for (at, document) in documents.iter().enumerate() {
        let hosts = loopback_hosts(document);
        let leads_here = |detour: &Detour| hosts.iter().any(|host| detour.proxy.starts_with(*host));
        if let (Some(host), true) = (hosts.first(), found.iter().any(|detour| !detour.possible && leads_here(detour))) {
            found.push(detour(Kind::LoopbackServiceEntry, (at, document), document, host, None));
        }
    }
    found.sort_by_key(|detour| detour.document);
    found
}

/// What is known to be the other product.
struct Known<'d> {
    asked: &'d Asked,
    /// Hosts that are this machine.
    loopback: Vec<&'d str>,
}

impl Known<'_> {
    fn named(&self, host: &str) -> bool {
        self.asked.proxies.iter().any(|proxy| proxy == host)
    }

    fn here(&self, host: &str) -> bool {
        self.loopback.contains(&host)
    }
}

fn detour(kind: Kind, (at, document): (usize, &Node), node: &Node, proxy: &str, header: Option<&str>) -> Detour {
    Detour {
        kind,
        place: node.place.to_string(),
        object: named(document),
        proxy: proxy.to_owned(),
        header: header.map(str::to_owned),
        possible: false,
        document: at,
    }
}

fn of_envoy(document: &Node, at: usize) -> Vec<Detour> {
    let aggregates = envoy::aggregates(document).into_iter().map(|aggregate| {
        let header = envoy::header_before(document, &aggregate.name);
        detour(Kind::AggregateCluster, (at, document), aggregate.node, &aggregate.first, header)
    });
    let inverted = envoy::inverted(document)
        .into_iter()
        .map(|route| detour(Kind::InvertedHeader, (at, document), route.node, route.cluster, Some(route.header)));
    aggregates.chain(inverted).collect()
}

fn of_rules(document: &Node, at: usize, known: &Known<'_>) -> Vec<Detour> {
    let one = |(kind, list): (Kind, &Node)| {
        let rules = rules::find(list.items(), &|host| known.named(host) || known.here(host))?;
        // Where the application is this machine too, that says nothing of the other product.
        let apart = rules::hosts(list.items()).iter().any(|host| !known.here(host));
        let possible = !(known.named(&rules.host) || known.here(&rules.host) && apart);
        Some(Detour { possible, ..detour(kind, (at, document), list, &rules.proxy, Some(&rules.header)) })
    };
    lists(document).into_iter().filter_map(one).collect()
}

/// Lists of rules that a document has.
pub(super) fn lists(document: &Node) -> Vec<(Kind, &Node)> {
    let istio = document.at(&["spec", "http"]);
    if document.text("kind") == Some("VirtualService") {
        return istio.map(|list| (Kind::DefaultDestination, list)).into_iter().collect();
    }
    if !document.text("apiVersion").is_some_and(|version| version.contains("tsb.tetrate.io")) {
        return Vec::new();
    }
    let servers = istio.map(Tree::items).unwrap_or_default();
    servers.iter().filter_map(|server| Some((Kind::SelectHeader, server.at(&["routing", "rules"])?))).collect()
}

/// Takes the detours out of the lists of rules of a document.
pub(super) fn straighten(document: &mut Node, known: &dyn Fn(&str) -> bool) {
    let is_istio = document.text("kind") == Some("VirtualService");
    let Some(http) = document.at_mut(&["spec", "http"]) else { return };
    let change = |list: &mut Node| {
        if let Some(found) = rules::find(list.items(), known).filter(|found| known(&found.host))
            && let Some(rules) = list.items_mut()
        {
            rules::without(rules, &found);
        }
    };
    if is_istio {
        return change(http);
    }
    for server in http.items_mut().into_iter().flatten() {
        if let Some(rules) = server.at_mut(&["routing", "rules"]) {
            change(rules);
        }
    }
}

/// Hosts of a ServiceEntry all of whose endpoints are this machine.
pub(super) fn loopback_hosts(document: &Node) -> Vec<&str> {
    if document.text("kind") != Some("ServiceEntry") {
        return Vec::new();
    }
    let endpoints = document.at(&["spec", "endpoints"]).map(Tree::items).unwrap_or_default();
    let here = |address: &str| {
        let loopback = |address: std::net::IpAddr| address.is_loopback();
        address == "localhost" || address.parse().is_ok_and(loopback)
    };
    if endpoints.is_empty() || !endpoints.iter().all(|one| one.text("address").is_some_and(here)) {
        return Vec::new();
    }
    let hosts = document.at(&["spec", "hosts"]).map(Tree::items).unwrap_or_default();
    hosts.iter().filter_map(text_of).collect()
}

pub(super) fn text_of(node: &Node) -> Option<&str> {
    if let gatehouse_policy::document::Value::String(text) = &node.value { Some(text) } else { None }
}
