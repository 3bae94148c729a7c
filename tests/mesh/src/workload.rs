//! A workload of the mesh that calls others, by the proxy beside it. Nothing is intercepted here: the proxy takes in what leaves at ports of an
//! address of its own.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use crate::agent::Pod;

/// A caller from the edge: a gateway of its own account.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// Its service account, its pod's name, and the value of its label `istio`.
    pub account: &'static str,
    /// Its port on loopback.
    pub port: u16,
    /// The pod's address.
    pub address: &'static str,
    /// The first port of its agent.
    pub ports: u16,
    /// Its labels, as JSON.
    pub labels: &'static str,
}

impl Caller {
    /// Its pod.
    pub fn pod(self) -> Pod {
        let Self { account, address, ports, labels, .. } = self;
        Pod { name: account, account, address, ports, labels, ..Pod::gateway() }
    }
}

/// Where workloads stand.
pub const SHOP: &str = "shop";

/// A workload in [`SHOP`].
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// Its service account, and the value of its label `app`.
    pub account: &'static str,
    /// The address at which its proxy takes in what leaves.
    pub proxy: [u8; 4],
    /// The pod's.
    pub address: &'static str,
    /// Its labels, as JSON.
    pub labels: &'static str,
    /// The first port of its agent.
    pub ports: u16,
}

impl Workload {
    /// One that is let through.
    pub const fn frontend(account: &'static str, labels: &'static str) -> Self {
        Self { account, proxy: [127, 0, 0, 2], address: "10.255.0.12", labels, ports: 15940 }
    }

    /// One that is not.
    pub const fn batch() -> Self {
        Self {
            account: "batch",
            proxy: [127, 0, 0, 3],
            address: "10.255.0.13",
            labels: r#"{"app":"batch"}"#,
            ports: 15960,
        }
    }

    /// Its pod.
    pub fn pod(self) -> Pod {
        let Self { account, address, labels, ports, .. } = self;
        let (more, config) = (Vec::new(), None);
        Pod { kind: "sidecar", name: account, namespace: SHOP, account, address, labels, ports, more, config }
    }

    /// Where its proxy takes in what leaves for this port.
    pub fn at(self, port: u16) -> SocketAddr {
        SocketAddr::from((self.proxy, port))
    }

    /// The `Sidecar` by which it does, for these ports and protocols, to these hosts of the mesh and nowhere else.
    pub fn sidecar(self, ports: &[(u16, &str)], hosts: &Value) -> String {
        let bind = Ipv4Addr::from(self.proxy).to_string();
        let listener = |(port, protocol): &(u16, &str)| {
            json!({
                "port": { "number": port, "protocol": protocol, "name": format!("{}-{port}", protocol.to_ascii_lowercase()) },
                "bind": bind, "captureMode": "NONE", "hosts": hosts,
            })
        };
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": { "name": self.account, "namespace": SHOP },
            "spec": {
                "workloadSelector": { "labels": { "app": self.account } },
                "outboundTrafficPolicy": { "mode": "REGISTRY_ONLY" },
                "egress": ports.iter().map(listener).collect::<Vec<_>>(),
            },
        })
        .to_string()
    }
}
