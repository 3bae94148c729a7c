//! A gateway for TCP: TLS ends at it, the filter of connections stands before `tcp_proxy`.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::config::{self, HouseAt, TYPES};
use crate::{parts, ports};

use super::{Envoy, Launcher};

/// What one is made of.
#[derive(Debug, Clone)]
pub struct TcpGateway {
    /// The service behind it.
    pub upstream: SocketAddr,
    /// TLS of the listener; `None`: plain TCP.
    pub transport_socket: Option<Value>,
    /// The configuration of the filter; `None`: it is not there.
    pub bootstrap: Option<Value>,
    /// Filters before it.
    pub filters: Vec<Value>,
    /// Filters of the listener.
    pub listener_filters: Vec<Value>,
    /// Where the house is.
    pub house: HouseAt,
    /// `max_early_data_bytes` of `tcp_proxy` (Envoy 1.37).
    pub early: bool,
    /// Further settings of the listener, as they are written.
    pub listener: Value,
    /// And of its filter chain.
    pub chain: Value,
    /// Most bytes that wait on either side of a connection; `None`: Envoy's 1 MiB.
    pub buffer: Option<u32>,
    /// Workers.
    pub concurrency: u32,
}

impl TcpGateway {
    /// One with the filter, configured so.
    pub fn new(upstream: SocketAddr, transport_socket: Value, bootstrap: Value) -> Self {
        Self {
            upstream,
            transport_socket: Some(transport_socket),
            bootstrap: Some(bootstrap),
            filters: Vec::new(),
            listener_filters: Vec::new(),
            house: HouseAt::Absent,
            early: true,
            listener: Value::Null,
            chain: Value::Null,
            buffer: None,
            concurrency: 1,
        }
    }

    /// Starts Envoy with it. Panics like [`Envoy::start`].
    pub async fn start(&self) -> Envoy {
        let port = ports::free();
        Envoy::run_with(Launcher::FuncE, &self.render(port).to_string(), port, self.concurrency).await
    }

    fn render(&self, port: u16) -> Value {
        let mut service = config::cluster("service", &config::tcp(self.upstream), false);
        let mut listener = self.listener.clone();
        if let Some(most) = self.buffer {
            service["per_connection_buffer_limit_bytes"] = json!(most);
            listener["per_connection_buffer_limit_bytes"] = json!(most);
        }
        let mut clusters = vec![service];
        clusters.extend(self.house.cluster());
        let mut filters = self.filters.clone();
        filters.extend(self.bootstrap.as_ref().map(gate));
        let mut proxy = json!({
            "@type": format!("{TYPES}/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"),
            "stat_prefix": "service",
            "cluster": "service",
        });
        if self.early {
            proxy["max_early_data_bytes"] = json!(4096);
        }
        filters.push(json!({ "name": "envoy.filters.network.tcp_proxy", "typed_config": proxy }));
        config::whole(
            &config::Listener {
                name: "tcp",
                port,
                listener_filters: &self.listener_filters,
                filters: &filters,
                transport_socket: self.transport_socket.as_ref(),
                more: [&listener, &self.chain],
            },
            &clusters,
        )
    }
}

fn gate(bootstrap: &Value) -> Value {
    json!({ "name": "gatehouse", "typed_config": {
        "@type": format!("{TYPES}/envoy.extensions.filters.network.wasm.v3.Wasm"),
        "config": config::plugin(&parts::tcp_wasm(), Some(bootstrap)),
    } })
}
