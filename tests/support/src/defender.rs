//! The other product of a hairpin: a second Envoy that refuses what it is told to and sends everything else back to the gateway, marked by a
//! header.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use crate::envoy::Launcher;
use crate::{Envoy, House, parts};

/// It marks what it lets through with this.
pub const HEADER: (&str, &str) = ("x-defender", "passed");
/// And its own answers with this.
pub const VERDICT: (&str, &str) = ("x-defender-verdict", "block");

/// What `gatehouse compare` says of the events of a house that has the policy of `gatehouse render migrate`; null while there are none.
///
/// # Panics
/// It cannot be started.
pub fn compared(house: &House) -> Value {
    let mut command = Command::new(parts::house());
    command.args(["compare", "--json", "--rule", "migrate/theirs", "--without", "migrate/returned"]);
    let done = command.arg(house.data().join("events.ndjson")).output().expect("gatehouse");
    serde_json::from_slice(&done.stdout).unwrap_or_default()
}

/// A running one; it ends with this value.
#[derive(Debug)]
pub struct Defender {
    envoy: Envoy,
}

impl Defender {
    /// Starts it on this port, in front of this gateway; what begins with one of these paths is refused.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start(port: u16, gateway: SocketAddr, refused: &[&str]) -> Self {
        let answer = |prefix: &&str| {
            json!({
                "match": { "prefix": prefix },
                "direct_response": { "status": 403, "body": { "inline_string": "refused elsewhere" } },
                "response_headers_to_add": [{ "header": { "key": VERDICT.0, "value": VERDICT.1 } }],
            })
        };
        let mut routes: Vec<_> = refused.iter().map(answer).collect();
        routes.push(json!({
            "match": { "prefix": "/" }, "route": { "cluster": "gateway" },
            "request_headers_to_add": [{ "header": { "key": HEADER.0, "value": HEADER.1 } }],
        }));
        let socket =
            |at: SocketAddr| json!({ "socket_address": { "address": at.ip().to_string(), "port_value": at.port() } });
        let manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "defender",
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
            }],
            "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": routes }] },
        });
        let config = json!({
            "admin": { "address": socket(SocketAddr::from(([127, 0, 0, 1], 0))) },
            "static_resources": {
                "listeners": [{
                    "name": "defender", "address": socket(SocketAddr::from(([127, 0, 0, 1], port))),
                    "filter_chains": [{ "filters": [{ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager }] }],
                }],
                "clusters": [{
                    "name": "gateway", "type": "STATIC", "connect_timeout": "1s",
                    "load_assignment": { "cluster_name": "gateway", "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": socket(gateway) } }] }] },
                }],
            },
        });
        Self { envoy: Envoy::start_with(Launcher::Direct, &config.to_string(), port).await }
    }

    /// Requests that came to it so far.
    pub async fn seen(&self) -> u64 {
        self.envoy.stat("http.defender.downstream_rq_total").await
    }

    /// Ends it.
    pub async fn stop(self) {
        self.envoy.stop().await;
    }
}
