//! Envoy's `/config_dump`, read for what concerns the gate. The same filter stands there in three ways: in the chain itself (static and file
//! configuration), by name with its configuration elsewhere (ECDS, Istio's way), or not at all.

use std::collections::BTreeMap;

use serde_json::Value;

const HCM: &str = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const WASM: [&str; 2] = ["envoy.extensions.filters.http.wasm.v3.Wasm", "envoy.extensions.filters.network.wasm.v3.Wasm"];
const TCP_PROXY: &str = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
/// Of requests, and of connections.
const RBAC: [&str; 2] = ["envoy.extensions.filters.http.rbac.v3.RBAC", "envoy.extensions.filters.network.rbac.v3.RBAC"];
/// How Istio names a filter that stands for a module.
const MODULE: &str = "extensions.istio.io/";
/// Of a connection, and of a request.
const FILTER_STATE: [(&str, &str); 2] = [
    ("envoy.extensions.filters.network.set_filter_state.v3.Config", "on_new_connection"),
    ("envoy.extensions.filters.http.set_filter_state.v3.Config", "on_request_headers"),
];
const CLUSTER: &str = "envoy.config.cluster.v3.Cluster";
const OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
/// The gate's root, by which it is known under any name.
const ROOT: &str = "gatehouse";

/// What a dump says.
#[derive(Debug, Default)]
pub struct Dump {
    /// The filter chains of HTTP.
    pub chains: Vec<Chain>,
    /// The filter chains of TCP services that have the gate.
    pub fronts: Vec<Front>,
    /// The clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
}

/// The filters of one HTTP connection manager, in their order.
#[derive(Debug)]
pub struct Chain {
    /// Envoy's name for it.
    pub name: String,
    /// A filter of the connection tells the gate who opened it.
    pub peer_told: bool,
    /// Proxies before Envoy that it believes (`xff_num_trusted_hops`).
    pub trusted_hops: u64,
    /// Its filters.
    pub filters: Vec<Filter>,
}

/// The gate before a TCP service.
#[derive(Debug)]
pub struct Front {
    /// Envoy's name for the service.
    pub name: String,
    /// `tcp_proxy` reads what clients send before it is connected on.
    pub reads_early: bool,
    /// The filter's name in the chain.
    pub filter: String,
    /// The gate; or what stands in its place.
    pub gate: Result<Gate, StandIn>,
}

/// What stands in the place of a module: where Istio's agent could not fetch it, an RBAC filter that knows no identity. The worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StandIn {
    /// Nobody passes: requests get 403 with `RBAC: access denied`.
    Denies,
    /// Everybody does.
    Allows,
    /// Nothing yet: the listener waits for it.
    Awaited,
}

/// One filter.
#[derive(Debug)]
pub struct Filter {
    /// Its name in the chain.
    pub name: String,
    /// It is the gate.
    pub gate: Option<Gate>,
    /// It should be a module.
    pub stand_in: Option<StandIn>,
    /// It tells the gate who opened the connection.
    pub tells_peer: bool,
}

/// The gate's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// `FAIL_RELOAD` and its like; empty: Envoy's default.
    pub on_failure: String,
    /// The file of its module, where it is one.
    pub file: Option<String>,
    /// The bootstrap; `None`: there is none, or it is no JSON.
    pub bootstrap: Option<Value>,
}

/// A cluster as far as it concerns the way to the house.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// As Envoy writes it, such as `1s`.
    pub connect_timeout: String,
    /// It speaks HTTP/2.
    pub http2: bool,
    /// Pings are sent.
    pub keepalive: bool,
    /// Errors take it out for a while.
    pub outliers: bool,
}

impl Dump {
    /// Reads a dump.
    #[must_use]
    pub fn read(dump: &Value) -> Self {
        let mut elsewhere = BTreeMap::new();
        walk(dump, &mut |object| {
            if let Some(filter) = object.get("ecds_filter")
                && let Some(name) = at(filter, "/name").as_str()
            {
                elsewhere.insert(name.to_owned(), at(filter, "/typed_config"));
            }
        });
        let mut read = Self::default();
        walk(dump, &mut |object| {
            let kind = object.get("@type").and_then(Value::as_str).unwrap_or_default();
            if let Some(filters) = object.get("filters").and_then(Value::as_array) {
                read.chains.extend(chains(filters, &elsewhere));
                read.fronts.extend(front(filters, &elsewhere));
            } else if kind.ends_with(CLUSTER)
                && let Some(name) = object.get("name").and_then(Value::as_str)
            {
                read.clusters.insert(name.to_owned(), cluster(object));
            }
        });
        read
    }
}

/// What stands there; `null` where nothing does.
pub(super) fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    value.pointer(path).unwrap_or(&Value::Null)
}

type Object = serde_json::Map<String, Value>;

/// Every object, the outer first; the depth is bounded by the reader of JSON.
fn walk<'v>(value: &'v Value, each: &mut dyn FnMut(&'v Object)) {
    match value {
        Value::Object(object) => {
            each(object);
            object.values().for_each(|inner| walk(inner, each));
        }
        Value::Array(list) => list.iter().for_each(|inner| walk(inner, each)),
        _ => {}
    }
}

/// The HTTP connection managers among the filters of one chain of connections.
fn chains(filters: &[Value], elsewhere: &BTreeMap<String, &Value>) -> Vec<Chain> {
    let (mut found, mut peer_told) = (Vec::new(), false);
    for config in filters.iter().map(|filter| at(filter, "/typed_config")) {
        peer_told |= tells_peer(config);
        if is_one_of(&[HCM], config) {
            found.push(chain(config, peer_told, elsewhere));
        }
    }
    found
}

/// The gate before the TCP proxy of one chain of connections.
fn front(filters: &[Value], elsewhere: &BTreeMap<String, &Value>) -> Option<Front> {
    let configs = filters.iter().map(|filter| configured(filter, elsewhere));
    let gate = |(name, config)| {
        let found = gate(config).map(Ok).or_else(|| stand_in(name, config).map(Err))?;
        Some((name.to_owned(), found))
    };
    let (filter, gate) = configs.clone().find_map(gate)?;
    let proxy = configs.map(|(_, config)| config).find(|config| is_one_of(&[TCP_PROXY], config))?;
    Some(Front {
        name: at(proxy, "/stat_prefix").as_str().unwrap_or_default().to_owned(),
        reads_early: !at(proxy, "/max_early_data_bytes").is_null(),
        filter,
        gate,
    })
}

/// A filter's name, and its configuration, wherever it stands.
fn configured<'v>(filter: &'v Value, elsewhere: &BTreeMap<String, &'v Value>) -> (&'v str, &'v Value) {
    let name = at(filter, "/name").as_str().unwrap_or_default();
    let here = at(filter, "/typed_config");
    (name, if here.is_null() { elsewhere.get(name).copied().unwrap_or(here) } else { here })
}

fn chain(manager: &Value, peer_told: bool, elsewhere: &BTreeMap<String, &Value>) -> Chain {
    let name = at(manager, "/stat_prefix").as_str().unwrap_or_default().to_owned();
    let filters = at(manager, "/http_filters").as_array().into_iter().flatten();
    let filter = |filter: &Value| {
        let (name, config) = configured(filter, elsewhere);
        Filter {
            name: name.to_owned(),
            gate: gate(config),
            stand_in: stand_in(name, config),
            tells_peer: tells_peer(config),
        }
    };
    let trusted_hops = at(manager, "/xff_num_trusted_hops").as_u64().unwrap_or(0);
    Chain { name, peer_told, trusted_hops, filters: filters.map(filter).collect() }
}

fn tells_peer(config: &Value) -> bool {
    let set = FILTER_STATE
        .iter()
        .find(|(known, _)| is_one_of(&[known], config))
        .and_then(|(_, when)| config.get(*when)?.as_array());
    set.is_some_and(|set| set.iter().any(|one| at(one, "/object_key") == "gatehouse.peer"))
}

fn is_one_of(kinds: &[&str], config: &Value) -> bool {
    at(config, "/@type").as_str().is_some_and(|found| kinds.iter().any(|kind| found.ends_with(kind)))
}

fn stand_in(name: &str, config: &Value) -> Option<StandIn> {
    if !name.starts_with(MODULE) {
        return None;
    }
    match (config.is_null(), is_one_of(&RBAC, config), at(config, "/rules").is_null()) {
        (true, ..) => Some(StandIn::Awaited),
        // No rules let everybody pass, empty ones nobody.
        (_, true, true) => Some(StandIn::Allows),
        (_, true, false) => Some(StandIn::Denies),
        (_, false, _) => None,
    }
}

fn gate(config: &Value) -> Option<Gate> {
    let (is_wasm, config) = (is_one_of(&WASM, config), at(config, "/config"));
    // Istio gives its own name to the plugin and the root as it was written.
    (is_wasm && at(config, "/root_id") == ROOT).then(|| {
        let text = at(config, "/configuration/value").as_str();
        Gate {
            on_failure: at(config, "/failure_policy").as_str().unwrap_or_default().to_owned(),
            file: at(config, "/vm_config/code/local/filename").as_str().map(str::to_owned),
            bootstrap: text.and_then(|text| serde_json::from_str(text).ok()),
        }
    })
}

fn cluster(object: &Object) -> Cluster {
    let options = object
        .get("typed_extension_protocol_options")
        .map(|options| at(options, &format!("/{OPTIONS}/explicit_http_config")));
    let http2 = options.map(|options| at(options, "/http2_protocol_options")).filter(|http2| !http2.is_null());
    Cluster {
        connect_timeout: object.get("connect_timeout").and_then(Value::as_str).unwrap_or("5s").to_owned(),
        http2: http2.is_some(),
        keepalive: http2.is_some_and(|http2| !at(http2, "/connection_keepalive").is_null()),
        outliers: object.contains_key("outlier_detection"),
    }
}
