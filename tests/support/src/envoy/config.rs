//! Envoy's configuration as the tests need it, rendered as JSON: the shipped one of `deploy/envoy` with the settings
//! that tests vary as fields. A test loads the shipped file itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

pub(super) const TYPES: &str = "type.googleapis.com";

/// How much of a request Envoy lets through to its filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limits {
    /// Envoy's own: 100 header fields, 60 KiB of them, no CONNECT, no upgrades.
    #[default]
    Default,
    /// As far as Envoy goes: 1000 fields, 8 MiB, CONNECT and websocket upgrades.
    Raised,
}

/// Where Envoy's cluster `gatehouse` leads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HouseAt {
    /// There is no such cluster.
    #[default]
    Absent,
    /// To a Unix socket, whether or not anyone listens there.
    Socket(PathBuf),
    /// To a TCP port.
    Tcp(SocketAddr),
}

impl HouseAt {
    pub(super) fn cluster(&self) -> Option<Value> {
        match self {
            Self::Absent => None,
            Self::Socket(path) => Some(house_cluster(&json!({ "pipe": { "path": path } }))),
            Self::Tcp(address) => Some(house_cluster(&tcp(*address))),
        }
    }
}

/// The one listener of a gateway.
pub(super) struct Listener<'a> {
    pub(super) name: &'a str,
    pub(super) port: u16,
    pub(super) listener_filters: &'a [Value],
    pub(super) filters: &'a [Value],
    pub(super) transport_socket: Option<&'a Value>,
    /// Further settings of the listener, and of its filter chain.
    pub(super) more: [&'a Value; 2],
}

/// The configuration of a whole gateway.
pub(super) fn whole(listener: &Listener<'_>, clusters: &[Value]) -> Value {
    let Listener { name, port, listener_filters, filters, transport_socket, more: [more, of_chain] } = listener;
    let mut chain = json!({ "filters": filters });
    if let Some(socket) = transport_socket {
        chain["transport_socket"] = (*socket).clone();
    }
    set(&mut chain, of_chain);
    let mut listener = json!({
        "name": name,
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": port } },
        "listener_filters": listener_filters,
        "filter_chains": [chain],
    });
    set(&mut listener, more);
    json!({
        "node": { "id": "gateway-1", "cluster": "gateways" },
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "static_resources": { "listeners": [listener], "clusters": clusters },
    })
}

/// Writes settings over those that stand there.
fn set(there: &mut Value, more: &Value) {
    for (name, value) in more.as_object().into_iter().flatten() {
        there[name] = value.clone();
    }
}

/// The filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The module.
    pub wasm: PathBuf,
    /// The plugin configuration; `None`: none at all.
    pub bootstrap: Option<Value>,
    /// The filter state that tells the gate its direct peer is set.
    pub peer: bool,
}

impl Gate {
    /// The filter as shipped with this plugin configuration.
    pub fn new(bootstrap: Value) -> Self {
        Self { wasm: crate::parts::wasm(), bootstrap: Some(bootstrap), peer: true }
    }
}

/// A gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Gateway {
    /// The application, HTTP/1.1 and HTTP/2 on one port; HTTP/2 requests and gRPC go there over HTTP/2.
    pub upstream: SocketAddr,
    /// The filter; `None`: an Envoy without it, to compare with.
    pub gate: Option<Gate>,
    /// The cluster `gatehouse`.
    pub house: HouseAt,
    /// Worker threads.
    pub concurrency: u32,
    /// The listener's port; `None`: a free one.
    pub port: Option<u16>,
    /// Limits on requests.
    pub limits: Limits,
    /// HCM's `use_remote_address`; `None`: not set.
    pub use_remote_address: Option<bool>,
    /// HCM's `xff_num_trusted_hops`.
    pub trusted_hops: u32,
    /// Routes before the usual ones, as Envoy's own JSON.
    pub routes: Vec<Value>,
    /// Further clusters, as Envoy's own JSON.
    pub clusters: Vec<Value>,
    /// HTTP filters before the gate, as Envoy's own JSON.
    pub filters: Vec<Value>,
    /// Listener filters, as Envoy's own JSON.
    pub listener_filters: Vec<Value>,
    /// The transport socket of the listener, as Envoy's own JSON; `None`: plain text.
    pub transport_socket: Option<Value>,
    /// Further settings of the HTTP connection manager, as Envoy's own JSON: each replaces that of the same name.
    pub manager: Vec<(&'static str, Value)>,
}

impl Gateway {
    /// A gateway before this application, without the filter.
    pub fn new(upstream: SocketAddr) -> Self {
        Self {
            upstream,
            gate: None,
            house: HouseAt::Absent,
            concurrency: 1,
            port: None,
            limits: Limits::Default,
            use_remote_address: None,
            trusted_hops: 0,
            routes: Vec::new(),
            clusters: Vec::new(),
            filters: Vec::new(),
            listener_filters: Vec::new(),
            transport_socket: None,
            manager: Vec::new(),
        }
    }

    /// The same gateway with the filter.
    #[must_use]
    pub fn with_gate(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// The whole configuration; the listener stands on `port`, the access log goes to `access_log`.
    pub fn render(&self, port: u16, access_log: &Path) -> Value {
        let mut clusters =
            vec![cluster("app", &tcp(self.upstream), false), cluster("app_h2", &tcp(self.upstream), true)];
        clusters.extend(self.house.cluster());
        clusters.extend(self.clusters.iter().cloned());
        let mut chain = Vec::from_iter(self.gate.as_ref().filter(|gate| gate.peer).map(|_| peer_filter()));
        chain.push(json!({
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": self.manager(access_log),
        }));
        whole(
            &Listener {
                name: "http",
                port,
                listener_filters: &self.listener_filters,
                filters: &chain,
                transport_socket: self.transport_socket.as_ref(),
                more: [&Value::Null; 2],
            },
            &clusters,
        )
    }

    fn manager(&self, access_log: &Path) -> Value {
        let network = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
        let mut manager = json!({
            "@type": format!("{TYPES}/{network}"),
            "stat_prefix": "http",
            "normalize_path": true,
            "merge_slashes": true,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "common_http_protocol_options": { "headers_with_underscores_action": "DROP_HEADER" },
            "http_protocol_options": { "enable_trailers": true },
            "xff_num_trusted_hops": self.trusted_hops,
            "stream_idle_timeout": "0s",
            "proxy_100_continue": true,
            // Tests find a request's line and event by the id that they gave it.
            "preserve_external_request_id": true,
            "route_config": { "name": "local", "virtual_hosts": [
                { "name": "app", "domains": ["*"], "routes": self.route_list() },
            ] },
            "access_log": [{ "name": "envoy.access_loggers.file", "typed_config": access_log_config(access_log) }],
            "http_filters": self.filters(),
        });
        if let Some(value) = self.use_remote_address {
            manager["use_remote_address"] = json!(value);
        }
        if self.limits == Limits::Raised {
            manager["max_request_headers_kb"] = json!(8192);
            manager["common_http_protocol_options"]["max_headers_count"] = json!(1000);
            manager["upgrade_configs"] = json!([{ "upgrade_type": "websocket" }, { "upgrade_type": "CONNECT" }]);
            manager["http2_protocol_options"] = json!({ "allow_connect": true });
        }
        for (name, value) in &self.manager {
            manager[name] = value.clone();
        }
        manager
    }

    fn route_list(&self) -> Vec<Value> {
        let mut routes = self.routes.clone();
        if self.limits == Limits::Raised {
            routes
                .push(json!({ "name": "connect", "match": { "connect_matcher": {} }, "route": { "cluster": "app" } }));
        }
        let grpc = json!({ "prefix": "/", "grpc": {} });
        let two = json!({ "prefix": "/", "headers": [{ "name": "x-test-version", "string_match": { "exact": "2" } }] });
        routes.push(json!({ "name": "grpc", "match": grpc, "route": { "cluster": "app_h2", "timeout": "0s" } }));
        routes.push(json!({ "name": "two", "match": two, "route": { "cluster": "app_h2", "timeout": "0s" } }));
        routes
            .push(json!({ "name": "app", "match": { "prefix": "/" }, "route": { "cluster": "app", "timeout": "0s" } }));
        routes
    }

    fn filters(&self) -> Vec<Value> {
        let mut filters = self.filters.clone();
        if let Some(gate) = &self.gate {
            filters.push(wasm_filter(gate));
        }
        let router = json!({ "@type": format!("{TYPES}/envoy.extensions.filters.http.router.v3.Router") });
        filters.push(json!({ "name": "envoy.filters.http.router", "typed_config": router }));
        filters
    }
}

/// Once a connection, before any header is read: the peer that opened it, or whom a PROXY header names; and the client's JA4, where the TLS
/// inspector was told to make one.
fn peer_filter() -> Value {
    json!({ "name": "envoy.filters.network.set_filter_state", "typed_config": {
        "@type": format!("{TYPES}/envoy.extensions.filters.network.set_filter_state.v3.Config"),
        "on_new_connection": [{
            "object_key": "gatehouse.peer",
            "factory_key": "envoy.string",
            "format_string": { "text_format_source": { "inline_string": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" } },
        }, {
            "object_key": "gatehouse.ja4",
            "factory_key": "envoy.string",
            "format_string": { "text_format_source": { "inline_string": "%TLS_JA4_FINGERPRINT%" }, "omit_empty_values": true },
            "skip_if_empty": true,
        }],
    } })
}

fn wasm_filter(gate: &Gate) -> Value {
    let kind = format!("{TYPES}/envoy.extensions.filters.http.wasm.v3.Wasm");
    let config = plugin(&gate.wasm, gate.bootstrap.as_ref());
    json!({ "name": "gatehouse", "typed_config": { "@type": kind, "config": config } })
}

/// The plugin of a filter.
pub(super) fn plugin(wasm: &Path, bootstrap: Option<&Value>) -> Value {
    let mut config = json!({
        "name": "gatehouse",
        "root_id": "gatehouse",
        "failure_policy": "FAIL_RELOAD",
        "vm_config": {
            "vm_id": "gatehouse",
            "runtime": "envoy.wasm.runtime.v8",
            "code": { "local": { "filename": wasm } },
        },
    });
    if let Some(bootstrap) = bootstrap {
        let text = bootstrap.as_str().map_or_else(|| bootstrap.to_string(), str::to_owned);
        config["configuration"] = json!({ "@type": format!("{TYPES}/google.protobuf.StringValue"), "value": text });
    }
    config
}

fn access_log_config(path: &Path) -> Value {
    json!({
        "@type": format!("{TYPES}/envoy.extensions.access_loggers.file.v3.FileAccessLog"),
        "path": path,
        "log_format": { "json_format": {
            "time": "%START_TIME%",
            "request_id": "%REQ(X-REQUEST-ID)%",
            "method": "%REQ(:METHOD)%",
            "path": "%REQ(:PATH)%",
            "protocol": "%PROTOCOL%",
            "status": "%RESPONSE_CODE%",
            "details": "%RESPONSE_CODE_DETAILS%",
            "flags": "%RESPONSE_FLAGS%",
            "cluster": "%UPSTREAM_CLUSTER%",
            "verdict": "%FILTER_STATE(wasm.gatehouse.verdict:PLAIN)%",
            "reference": "%FILTER_STATE(wasm.gatehouse.reference:PLAIN)%",
        } },
    })
}

/// A static cluster of one endpoint, given as Envoy's `address`.
pub fn cluster(name: &str, address: &Value, http2: bool) -> Value {
    let protocol = if http2 {
        json!({ "http2_protocol_options": {} })
    } else {
        json!({ "http_protocol_options": { "enable_trailers": true } })
    };
    json!({
        "name": name,
        "connect_timeout": "1s",
        "type": "STATIC",
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }] },
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": format!("{TYPES}/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"),
            "explicit_http_config": protocol,
        } },
    })
}

fn house_cluster(address: &Value) -> Value {
    let mut cluster = cluster("gatehouse", address, true);
    let options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    // Without keepalive a house that was stopped, not ended, is never noticed.
    cluster["typed_extension_protocol_options"][options]["explicit_http_config"]["http2_protocol_options"] =
        json!({ "connection_keepalive": { "interval": "2s", "timeout": "1s" } });
    cluster
}

pub(super) fn tcp(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}
