//! The workload as the client: an egress gateway that ends the mesh's TLS, real certificates, a house that is told what changes.

use std::time::Duration;

use gatehouse_e2e::callers::{peer_uris_state, tls_inspector};
use gatehouse_e2e::house_bootstrap;
use gatehouse_support::client::{Reply, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::tls::{Authority, Hello};
use gatehouse_support::{Envoy, Gate, Gateway, House, Upstream, wait};
use serde_json::{Value, json};

const FRONTEND: &str = "spiffe://cluster.local/ns/shop/sa/secure-frontend";
const BATCH: &str = "spiffe://cluster.local/ns/shop/sa/batch";
const HTTPBIN: &str = "api.httpbin.test";
const RBAC: &str = "RBAC: access denied";
const SOON: Duration = Duration::from_secs(20);

fn policy(rules: Value) -> Value {
    json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "egress" },
        "spec": { "direction": "egress", "rules": rules, "otherwise": "block" },
    })
}

struct Egress {
    authority: Authority,
    envoy: Envoy,
    house: House,
    upstream: Upstream,
}

impl Egress {
    async fn start(policy: &Value) -> Self {
        let (upstream, authority) = (Upstream::start().await, Authority::new());
        let house = House::with_policy(policy).await;
        let mut bootstrap = house_bootstrap();
        bootstrap["whenNoPolicy"] = json!("block");
        let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(bootstrap));
        gateway.house = HouseAt::Socket(house.socket());
        gateway.transport_socket = Some(authority.listener(true));
        gateway.listener_filters = vec![tls_inspector()];
        let envoy = Envoy::start(&gateway).await;
        Self { authority, envoy, house, upstream }
    }

    fn caller(&self, identity: &str) -> Hello {
        let file = identity.rsplit('/').next().unwrap();
        Hello { certificate: Some(self.authority.workload(file, identity)), name: Some(HTTPBIN), ..Hello::default() }
    }

    async fn ask(&self, hello: &Hello, host: &str, id: &str) -> Reply {
        let mut client = self.authority.connect(self.envoy.address(), hello).await.expect("a handshake");
        client.ask(&request("GET", "/get", &[("host", host), ("x-request-id", id)], b"")).await.expect("an answer")
    }

    /// Asks until the policy is the one that answers so.
    async fn settles(&self, hello: &Hello, host: &str, status: u16) {
        wait::until_true(SOON, &format!("{status} from {host}"), || async {
            let reply = self.ask(hello, host, "settling").await;
            // Without a policy the answer is another one.
            reply.status == status && (status == 200 || reply.text() == RBAC)
        })
        .await;
    }

    /// A refusal as Istio's users know it, told in the access log and in an event, by this rule.
    async fn is_denied(&self, hello: &Hello, host: &str, id: &str, rule: &str, named: &str) {
        let reply = self.ask(hello, host, id).await;
        assert_eq!((reply.status, reply.text().as_str()), (403, RBAC), "{id}");
        assert_eq!(reply.field("content-type").as_deref(), Some("text/plain"));
        let line = self.envoy.logged(id).await;
        assert_eq!(line["details"], format!("rbac_access_denied_matched_policy[{rule}]"), "{line}");
        let event = self.house.event(id).await;
        assert_eq!(event["unmapped"]["gatehouse"]["rule"], named, "{event}");
        assert_eq!(event["http_request"]["url"]["hostname"], host);
    }
}

#[tokio::test]
async fn workloads_reach_what_they_are_allowed_and_nothing_else() {
    let egress = Egress::start(&policy(json!([]))).await;
    let (frontend, batch) = (egress.caller(FRONTEND), egress.caller(BATCH));
    egress.settles(&frontend, HTTPBIN, 403).await;
    egress.is_denied(&frontend, HTTPBIN, "unknown-host", "none", "egress/otherwise").await;
    assert_eq!(egress.upstream.count(), 0, "nothing went out before there was a policy that lets it");

    let allow = |condition: Value| policy(json!([{ "name": "httpbin", "match": condition, "then": "allow" }]));
    egress.house.put_policy("policy.yaml", &allow(json!({ "host": "*.httpbin.test" })).to_string());
    egress.settles(&frontend, HTTPBIN, 200).await;
    assert_eq!(egress.ask(&batch, HTTPBIN, "anybody").await.status, 200);

    let only = json!({ "host": "*.httpbin.test", "serviceAccounts": ["shop/secure-frontend"] });
    egress.house.put_policy("policy.yaml", &allow(only).to_string());
    egress.settles(&batch, HTTPBIN, 403).await;
    egress.is_denied(&batch, HTTPBIN, "other-account", "none", "egress/otherwise").await;
    let allowed = egress.ask(&frontend, HTTPBIN, "the-frontend").await;
    assert_eq!(allowed.status, 200);
    let event = egress.house.event("the-frontend").await;
    assert_eq!(event["actor"]["user"]["uid"], FRONTEND);
    assert_eq!(event["unmapped"]["gatehouse"]["rule"], "egress/httpbin");
    egress.envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn a_host_that_the_connection_does_not_name_is_refused_and_a_rule_that_denies_is_named() {
    let rules = json!([
        { "name": "never", "match": { "host": "evil.httpbin.test" }, "then": "block" },
        { "name": "httpbin", "match": { "host": ["*.httpbin.test", "front.test"] }, "then": "allow" },
    ]);
    let egress = Egress::start(&policy(rules)).await;
    let frontend = egress.caller(FRONTEND);
    egress.settles(&frontend, HTTPBIN, 200).await;
    // Fronting: both names are allowed, and the connection names one of them only.
    egress.is_denied(&frontend, "front.test", "fronting", "egress/server-name", "egress/server-name").await;
    let named = |name: &'static str| Hello { name: Some(name), ..frontend.clone() };
    egress.is_denied(&named("evil.httpbin.test"), "evil.httpbin.test", "denied", "egress/never", "egress/never").await;
    assert_eq!(egress.ask(&named("front.test"), "front.test", "its-own").await.status, 200);
    // As one proxy of the mesh names to another where to go on to.
    let meshed = named("outbound_.443_._.api.httpbin.test");
    assert_eq!(egress.ask(&meshed, HTTPBIN, "meshed").await.status, 200);
    egress.is_denied(&meshed, "front.test", "meshed-fronting", "egress/server-name", "egress/server-name").await;
    egress.envoy.assert_filter_sound().await;
}

/// Tells how many URIs the peer's certificate has; any Envoy that we say we run on has it.
fn peer_uris() -> Value {
    json!({ "name": "gatehouse.peer_uris", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
        "on_request_headers": [peer_uris_state()],
    } })
}

#[tokio::test]
async fn a_certificate_of_several_identities_is_refused_where_a_policy_asks_for_one() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let policy = json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "egress" },
        "spec": { "direction": "egress", "serverName": "any", "requireOneUri": true, "rules": [] },
    });
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(json!({ "policy": policy })));
    gateway.transport_socket = Some(authority.listener(true));
    gateway.filters = vec![peer_uris()];
    let envoy = Envoy::start(&gateway).await;
    for (count, status) in [(2, 403), (1, 200)] {
        let certificate = Some(authority.uris("caller", FRONTEND, count));
        let hello = Hello { certificate, ..Hello::default() };
        let mut client = authority.connect(envoy.address(), &hello).await.unwrap();
        let reply = client.ask(&request("GET", "/", &[("host", HTTPBIN)], b"")).await.unwrap();
        assert_eq!(reply.status, status, "{count} URIs: {}", reply.text());
    }
    assert_eq!(upstream.count(), 1);
    envoy.assert_filter_sound().await;
}

#[tokio::test]
async fn at_ingress_a_request_for_another_host_is_misdirected() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let policy = json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "shop" }, "spec": { "rules": [] },
    });
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(json!({ "policy": policy })));
    gateway.transport_socket = Some(authority.listener(false));
    gateway.listener_filters = vec![tls_inspector()];
    let envoy = Envoy::start(&gateway).await;
    for (host, status) in [("app.test", 200), ("APP.test:443", 200), ("other.test", 421)] {
        let mut client = authority.connect(envoy.address(), &Hello::default()).await.unwrap();
        let reply = client.ask(&request("GET", "/", &[("host", host)], b"")).await.unwrap();
        assert_eq!(reply.status, status, "{host}");
    }
    assert_eq!(upstream.count(), 2);
    envoy.assert_filter_sound().await;
}
