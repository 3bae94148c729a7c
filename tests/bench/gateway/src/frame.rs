//! What all gateways have in common: the same hosts, one route each, nothing that costs and is not asked for.

use std::net::SocketAddr;

use gatehouse_support::Gateway;
use serde_json::{Value, json};

/// Who answers what goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    /// The application behind the gateway.
    Application(SocketAddr),
    /// Envoy itself, in the application's words.
    Envoy,
}

impl Answers {
    fn action(self) -> (&'static str, Value) {
        match self {
            Self::Application(_) => ("route", json!({ "cluster": "app", "timeout": "0s" })),
            Self::Envoy => ("direct_response", json!({ "status": 200, "body": { "inline_string": "ok\n" } })),
        }
    }
}

/// A gateway that is not finished.
pub(crate) struct Frame {
    pub(crate) gateway: Gateway,
    pub(crate) virtual_hosts: Vec<Value>,
}

impl Frame {
    /// Every host has the same route.
    pub(crate) fn new<'a>(answers: Answers, hosts: impl Iterator<Item = &'a String>) -> Self {
        let unused = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut gateway = Gateway::new(match answers {
            Answers::Application(address) => address,
            Answers::Envoy => unused,
        });
        let spare: [(&str, Value); 4] = [
            ("access_log", json!([])),
            ("generate_request_id", json!(false)),
            ("normalize_path", json!(false)),
            ("merge_slashes", json!(false)),
        ];
        gateway.manager.extend(spare);
        let (kind, action) = answers.action();
        let virtual_host = |name: &str| json!({ "name": name, "domains": [name], "routes": [{ "match": { "prefix": "/" }, kind: action }] });
        let virtual_hosts = hosts.map(|host| virtual_host(host)).chain([virtual_host("*")]).collect();
        Self { gateway, virtual_hosts }
    }

    /// Puts a route before the others of every host.
    pub(crate) fn route_first(&mut self, route: &Value) {
        for host in &mut self.virtual_hosts {
            if let Some(routes) = host["routes"].as_array_mut() {
                routes.insert(0, route.clone());
            }
        }
    }

    /// Has every host send what no route before takes to this cluster instead.
    pub(crate) fn send_to(&mut self, cluster: &str) {
        for host in &mut self.virtual_hosts {
            host["routes"] = json!([{ "match": { "prefix": "/" }, "route": { "cluster": cluster, "timeout": "0s" } }]);
        }
    }

    /// The gateway.
    pub(crate) fn finish(self) -> Gateway {
        let mut gateway = self.gateway;
        gateway.manager.push(("route_config", json!({ "name": "local", "virtual_hosts": self.virtual_hosts })));
        gateway
    }
}
