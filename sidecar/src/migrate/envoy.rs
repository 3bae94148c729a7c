//! Envoy's own words, in a configuration of Envoy and in the patches of an EnvoyFilter.

use gatehouse_policy::document::{Node, Value};

use super::find::text_of;
use super::tree::{Tree, leaf, ours};
use crate::render::{self, Target, Values};

const HCM: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "envoy.extensions.filters.http.router.v3.Router";

/// An aggregate cluster.
#[derive(Debug)]
pub(super) struct Aggregate<'n> {
    pub(super) node: &'n Node,
    pub(super) name: String,
    /// The other product.
    pub(super) first: String,
    /// What takes its place when it is away.
    pub(super) last: String,
}

/// A route for who lacks a header.
#[derive(Debug)]
pub(super) struct Route<'n> {
    pub(super) node: &'n Node,
    pub(super) cluster: &'n str,
    pub(super) header: &'n str,
}

/// The aggregate clusters of a document.
pub(super) fn aggregates(document: &Node) -> Vec<Aggregate<'_>> {
    let mut found = Vec::new();
    document.maps(&mut |map| {
        let clusters = field(map, "cluster_type").and_then(|kind| field(kind, "typed_config")?.at(&["clusters"]));
        let names: Vec<&str> = clusters.map(Tree::items).unwrap_or_default().iter().filter_map(text_of).collect();
        if let ([first, .., last], Some(name)) = (names.as_slice(), map.text("name")) {
            let (name, first, last) = (name.to_owned(), (*first).to_owned(), (*last).to_owned());
            found.push(Aggregate { node: map, name, first, last });
        }
    });
    found
}

/// The header of a route that stands beside one to this cluster and leads elsewhere.
pub(super) fn header_before<'n>(document: &'n Node, cluster: &str) -> Option<&'n str> {
    let mut found = None;
    document.maps(&mut |map| {
        let routes = map.at(&["routes"]).map(Tree::items).unwrap_or_default();
        if found.is_none() && routes.iter().any(|route| leads_to(route) == Some(cluster)) {
            let others = routes.iter().filter(|route| leads_to(route).is_some_and(|other| other != cluster));
            found = others.flat_map(headers).find_map(|header| header.text("name"));
        }
    });
    found
}

/// The routes of a document that are for who lacks a header.
pub(super) fn inverted(document: &Node) -> Vec<Route<'_>> {
    let mut found = Vec::new();
    document.maps(&mut |map| {
        if let (Some(cluster), Some(header)) = (leads_to(map), inverted_header(map)) {
            found.push(Route { node: map, cluster, header });
        }
    });
    found
}

/// Takes the detours out; `false`: nothing of an EnvoyFilter is left.
pub(super) fn straighten(document: &mut Node) -> bool {
    let renamed: Vec<(String, String)> =
        aggregates(document).into_iter().map(|aggregate| (aggregate.name, aggregate.last)).collect();
    if let Some(patches) = document.at_mut(&["spec", "configPatches"]).and_then(Tree::items_mut) {
        let is_detour =
            |patch: &Node| patch.at(&["patch", "value"]).is_some_and(|value| inverted_header(value).is_some());
        patches.retain(|patch| !is_detour(patch));
    }
    document.maps_mut(&mut |map| {
        if let Some(routes) = map.at_mut(&["routes"]).and_then(Tree::items_mut) {
            routes.retain(|route| inverted_header(route).is_none() || leads_to(route).is_none());
        }
        if let Some(cluster) = map.at_mut(&["route", "cluster"])
            && let Some((_, last)) = renamed.iter().find(|(name, _)| text_of(cluster) == Some(name))
        {
            *cluster = leaf(last);
        }
    });
    document.at(&["spec", "configPatches"]).is_none_or(|patches| !patches.items().is_empty())
}

/// A configuration of Envoy with the gate in every chain, and the way to the house. `None`: it has no place for them.
pub(super) fn with_gate(document: &Node, values: &Values) -> Option<Node> {
    let part = |name: &str| ours(&render::part(Target::Envoy, values, name).ok()?);
    let (gate, peer) = (part("parts/gate-filter.yaml")?, part("parts/peer-filter.yaml")?);
    let mut document = document.clone();
    let mut placed = false;
    document.maps_mut(&mut |map| {
        if let Some(filters) = map.at_mut(&["filters"]).and_then(Tree::items_mut)
            && let Some(manager) = filters.iter().position(|filter| is(filter, HCM))
        {
            filters.insert(manager, peer.clone());
        }
        if let Some(filters) = map.at_mut(&["http_filters"]).and_then(Tree::items_mut)
            && let Some(router) = filters.iter().position(|filter| is(filter, ROUTER))
        {
            filters.insert(router, gate.clone());
            placed = true;
        }
    });
    let clusters = document.at_mut(&["static_resources", "clusters"]).and_then(Tree::items_mut)?;
    clusters.push(part("parts/house-cluster.yaml")?);
    placed.then_some(document)
}

fn is(filter: &Node, kind: &str) -> bool {
    filter.at(&["typed_config"]).and_then(|config| config.text("@type")).is_some_and(|said| said.ends_with(kind))
}

/// A field in Envoy's spelling, or in that of protobuf's JSON.
fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    node.at(&[name]).or_else(|| {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        let camel = words.fold(first, |mut all, word| {
            let mut letters = word.chars();
            all.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
            all.push_str(letters.as_str());
            all
        });
        node.at(&[&camel])
    })
}

fn leads_to(route: &Node) -> Option<&str> {
    route.at(&["match"])?;
    route.at(&["route"])?.text("cluster")
}

fn headers(route: &Node) -> &[Node] {
    route.at(&["match", "headers"]).map(Tree::items).unwrap_or_default()
}

fn inverted_header(route: &Node) -> Option<&str> {
    let bool = |header: &Node, name: &str| field(header, name).map(|node| node.value == Value::Bool(true));
    let lacks = |header: &&Node| {
        // Inverted twice is there.
        bool(header, "invert_match").unwrap_or(false) != bool(header, "present_match").is_some_and(|present| !present)
    };
    headers(route).iter().find(lacks)?.text("name")
}
