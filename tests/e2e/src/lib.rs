//! What the end-to-end tests share: gateways in pairs (with and without the filter), policies, and comparing.

pub mod arrivals;
pub mod attackers;
pub mod books;
pub mod callers;
pub mod liar;
pub mod raw;
pub mod secrets;
pub mod shipped;

use std::net::SocketAddr;

use gatehouse_support::client::{Http1, PATIENCE, exchange, request};
use gatehouse_support::upstream::Received;
use gatehouse_support::{Envoy, Gate, Gateway, House, Reply, Upstream};
use serde_json::{Value, json};

/// The host that test policies speak for.
pub const HOST: &str = "app.test";

/// Response fields that differ from run to run.
const VOLATILE: [&str; 2] = ["date", "x-envoy-upstream-service-time"];

/// The same gateway twice, each before an application of its own: once without the filter, once with it.
pub struct Pair {
    /// Without the filter.
    pub bare: Envoy,
    /// The application behind it.
    pub bare_upstream: Upstream,
    /// With the filter.
    pub gated: Envoy,
    /// The application behind that one.
    pub upstream: Upstream,
}

impl Pair {
    /// Starts both; `shape` changes the gateway that both have.
    pub async fn start(gate: Gate, shape: impl Fn(&mut Gateway)) -> Self {
        let (bare_upstream, upstream) = (Upstream::start().await, Upstream::start().await);
        let mut bare = Gateway::new(bare_upstream.address());
        shape(&mut bare);
        let mut gated = Gateway::new(upstream.address()).with_gate(gate);
        shape(&mut gated);
        let (bare, gated) = tokio::join!(Envoy::start(&bare), Envoy::start(&gated));
        Self { bare, bare_upstream, gated, upstream }
    }

    /// Sends the same bytes to both and gives both results: without the filter first.
    pub async fn both(&self, bytes: &[u8]) -> (Fate, Fate) {
        tokio::join!(fate(self.bare.address(), bytes), fate(self.gated.address(), bytes))
    }
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was answered; fields that differ from run to run are gone.
    Answered(Reply),
    /// The connection ended without a whole answer.
    Closed,
    /// Nothing came within the client's patience.
    Hung,
}

impl Fate {
    /// The status, if it was answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(reply) => Some(reply.status),
            Self::Closed | Self::Hung => None,
        }
    }
}

/// Sends bytes on a connection of their own.
pub async fn fate(address: SocketAddr, bytes: &[u8]) -> Fate {
    let once = async {
        let mut client = Http1::connect(address).await?;
        client.send(bytes).await?;
        let method = bytes.split(|byte| *byte == b' ').next().unwrap_or_default();
        client.reply(&String::from_utf8_lossy(method)).await
    };
    match tokio::time::timeout(PATIENCE, once).await {
        Ok(Ok(reply)) => Fate::Answered(steady(reply)),
        Ok(Err(_)) => Fate::Closed,
        Err(_) => Fate::Hung,
    }
}

/// A reply without the fields that differ from run to run.
pub fn steady(mut reply: Reply) -> Reply {
    reply.fields.retain(|(name, _)| !VOLATILE.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())));
    reply
}

/// The requests at both applications that carry this path, for comparing: they must be the same in everything.
///
/// # Panics
/// When an application did not get exactly one such request.
pub fn one(upstream: &Upstream, part: &str) -> Received {
    let found = upstream.with(part);
    assert_eq!(found.len(), 1, "requests with `{part}` at the application: {found:?}");
    found[0].clone()
}

/// A policy for [`HOST`] with these rules.
pub fn policy(mode: &str, rules: Value) -> Value {
    json!({
        "apiVersion": "gatehouse.dev/v1",
        "kind": "Policy",
        "metadata": { "name": "shop", "scope": "acme/retail/shop" },
        "spec": { "hosts": [HOST], "mode": mode, "rules": rules, "otherwise": "allow" },
    })
}

/// The same for clients behind a proxy on loopback: each is who its `x-forwarded-for` says.
pub fn behind_a_proxy(mut policy: Value) -> Value {
    policy["spec"]["client"] = json!({ "address": { "from": "x-forwarded-for", "trust": ["127.0.0.0/8"] } });
    policy
}

/// A gateway with the filter and this policy in its configuration; `shape` changes it before it starts.
pub async fn inline(policy: Value, upstream: &Upstream, shape: impl FnOnce(&mut Gateway)) -> Envoy {
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(json!({ "policy": policy })));
    shape(&mut gateway);
    Envoy::start(&gateway).await
}

/// A request for [`HOST`] on a connection of its own.
///
/// # Panics
/// When it is not answered.
pub async fn ask(envoy: &Envoy, method: &str, target: &str, fields: &[(&str, &str)]) -> Reply {
    let fields = [&[("host", HOST)], fields].concat();
    let reply = exchange(envoy.address(), &request(method, target, &fields, b"")).await;
    reply.unwrap_or_else(|error| panic!("{method} {target}: {error}"))
}

/// The plugin configuration of a gate whose house stands behind the cluster `gatehouse`.
pub fn house_bootstrap() -> Value {
    json!({ "house": { "cluster": "gatehouse", "authority": "gatehouse" } })
}

/// Waits until the gate's worker has been greeted by the house: from then on its records have the installation's form of
/// addresses and its hash key. Before that a gate tells addresses as hashes of a key of its own.
///
/// # Panics
/// When it is not greeted in time.
pub async fn greeted(envoy: &Envoy, house: &House) {
    for number in 0.. {
        let id = format!("greeting-{number}");
        let fields = [("host", "greeting.test"), ("x-request-id", id.as_str())];
        assert!(
            exchange(envoy.address(), &request("GET", "/", &fields, b"")).await.is_ok(),
            "the gateway does not answer"
        );
        if house.event(&id).await["unmapped"]["gatehouse"]["hash_key_id"] != 0 {
            return;
        }
        assert!(number < 100, "the gate was not greeted by the house");
    }
}
