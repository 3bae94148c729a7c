//! What is a detour.

use gatehouse_policy::document::Node;

use super::tree::{Tree, named};
use super::{Asked, Detour, Kind, envoy, rules};

/// Every detour of these documents.
pub(super) fn all(documents: &[Node], asked: &Asked) -> Vec<Detour> {
    let loopback: Vec<&str> = documents.iter().flat_map(loopback_hosts).collect();
    let known = |host: &str| asked.proxies.iter().any(|proxy| proxy == host) || loopback.contains(&host);
    let mut found = Vec::new();
    for (at, document) in documents.iter().enumerate() {
        let detour = |kind: Kind, node: &Node, proxy: &str, header: Option<&str>, possible: bool| Detour {
            kind,
            place: node.place.to_string(),
            object: named(document),
            proxy: proxy.to_owned(),
            header: header.map(str::to_owned),
            possible,
            document: at,
        };
        match document.text("kind") {
            Some("ServiceEntry") => {
                let hosts = loopback_hosts(document);
                found.extend(hosts.first().map(|host| detour(Kind::LoopbackServiceEntry, document, host, None, false)));
            }
            Some("EnvoyFilter") | None => {
                found.extend(envoy::aggregates(document).iter().map(|aggregate| {
                    let header = envoy::header_before(document, &aggregate.name);
                    detour(Kind::AggregateCluster, aggregate.node, &aggregate.first, header, false)
                }));
                found.extend(
                    envoy::inverted(document).iter().map(|route| {
                        detour(Kind::InvertedHeader, route.node, route.cluster, Some(route.header), false)
                    }),
                );
            }
            Some(_) => {
                for (kind, list) in lists(document) {
                    if let Some(rules) = rules::find(list.items(), &known) {
                        let possible = !known(&rules.host);
                        found.push(detour(kind, list, &rules.proxy, Some(&rules.header), possible));
                    }
                }
            }
        }
    }
    found
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
