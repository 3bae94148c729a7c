//! What an operator says about the place: one file for every target.
//!
//! ```yaml
//! name: gatehouse                 # of every object that is made
//! shape: beside                   # beside: in the gateway's pod, over a Unix socket; independent: a Deployment of its own
//! trustDomain: cluster.local
//! gateway:
//!   name: istio-ingressgateway    # its Deployment and ServiceAccount
//!   namespace: istio-system
//!   serviceAccount: …             # default: its name
//!   labels: { istio: ingressgateway }   # its pods
//!   target: public                # a Gateway of the Gateway API, instead of labels
//!   trustedProxies: 0             # proxies before it that append to X-Forwarded-For
//!   proxyProtocol: false          # a load balancer before it speaks the PROXY protocol
//!   http: 8080                    # where it listens
//!   https: 8443
//! module:
//!   url: oci://REGISTRY/gate:1    # default: an init container copies it out of the house's image (beside), else required
//!   sha256: …                     # of the file (http), of the manifest (oci)
//!   tcp: { url: oci://REGISTRY/gate-tcp:1, sha256: … }   # the filter of connections
//!   pullSecret: registry
//!   onFailure: reload             # reload, open or close; what a module that cannot be had or that failed does to requests
//! house:
//!   image: gatehouse:0.1.0
//!   pullSecret: registry
//!   namespace: gatehouse          # where the independent one lives
//!   socket: /run/gatehouse/house.sock
//!   address: 10.0.0.7             # plain Envoy, independent: where it is
//!   port: 7443
//!   storage: 2Gi
//!   memory: 256Mi
//!   cpu: 100m
//!   whenNoPolicy: allow           # or block
//! istio: { kind: WasmPlugin }     # or TrafficExtension (1.30 and newer), EnvoyFilter
//! tsb:                            # Tetrate Service Bridge: where this gateway stands
//!   organization: tetrate
//!   tenant: retail
//!   workspace: shop
//!   group: shop-gateways          # of the gateway
//!   internalGroup: shop-internal  # of what is Istio's own (EnvoyFilter)
//!   egress: { namespace: …, labels: { … }, hosts: [api.example.com] }   # an egress gateway that is guarded too
//! workload:                       # Istio: a workload whose own proxies have the gate too
//!   namespace: shop
//!   labels: { app: checkout }     # its pods; `service: checkout` instead: at its waypoint
//!   serviceAccount: checkout      # of those proxies, who ask the house; default: `default`, of a waypoint `waypoint`
//!                                 # With a house beside the gateway it needs `--inline POLICY`
//!   tcp:                          # connections are judged too; needs `labels` and `module.tcp`
//!     ports: [5432]               # at which the pods listen
//!     destination: checkout.shop.svc.cluster.local   # whom clients reach there, for policies
//!   requests: true                # false: no gate for requests, only that for connections
//! egress:                         # Istio, independent house: a gateway for what leaves the mesh
//!   name: gatehouse-egress        # its Deployment, Service and ServiceAccount
//!   namespace: istio-egress
//!   nodes: { egress: "true" }     # labels of the nodes it runs on; default: any
//!   from: [shop]                  # namespaces whose pods go out by it only
//!   hosts:                        # each by one name; policies say who may reach it
//!     - { name: httpbin, host: api.httpbin.example, protocol: HTTP, port: 80, originate: 443, credential: authority }
//!     - { name: vault, host: vault.example.com, protocol: TLS, port: 443 }
//!     - { name: orders, host: db.example.com, protocol: TCP, port: 5432, addresses: [192.0.2.10] }
//! envoy: { node: gateway-1, listen: 0.0.0.0, admin: 9901, application: { address: 127.0.0.1, port: 8000 } }
//! routes:
//!   - { name: shop, hosts: [shop.example.com], service: shop.default.svc.cluster.local, port: 8080, credential: shop-tls }
//! ```

use std::collections::BTreeMap;

use gatehouse_policy::document::{Entry, Fields, Node, Place, Problems, Value};
use serde::Serialize;

use super::word;
use crate::config::only_document;

mod egress;
mod workload;

pub(super) use egress::EgressGateway;
pub(super) use workload::Workload;

/// What was said, and what holds where nothing was.
#[derive(Debug, Clone, Serialize)]
pub struct Values {
    /// Of every object.
    pub name: String,
    /// Where the house stands: `beside` or `independent`.
    pub shape: &'static str,
    /// Of the mesh's identities.
    pub trust_domain: String,
    /// The gateway.
    pub gateway: Gateway,
    /// The gate's module.
    pub module: Module,
    /// The house.
    pub house: House,
    /// `WasmPlugin`, `TrafficExtension` or `EnvoyFilter`.
    pub istio_kind: &'static str,
    /// Tetrate Service Bridge.
    pub tsb: Tsb,
    /// Plain Envoy.
    pub envoy: Envoy,
    /// A workload that has the gate too.
    pub workload: Option<Workload>,
    /// An egress gateway.
    pub egress: Option<EgressGateway>,
    /// What the gateway serves.
    pub routes: Vec<Route>,
}

/// The gateway that is guarded.
#[derive(Debug, Clone, Serialize)]
pub struct Gateway {
    /// Of its Deployment.
    pub name: String,
    /// Where it runs.
    pub namespace: String,
    /// Who it is.
    pub service_account: String,
    /// Of its pods.
    pub labels: BTreeMap<String, String>,
    /// A Gateway of the Gateway API.
    pub target: Option<String>,
    /// Proxies before it.
    pub trusted_proxies: i64,
    /// The PROXY protocol is spoken to it.
    pub proxy_protocol: bool,
    /// Port of plain HTTP.
    pub http: i64,
    /// Port of TLS.
    pub https: i64,
}

/// The gate's module.
#[derive(Debug, Clone, Serialize)]
pub struct Module {
    /// Where it comes from; `None`: out of the house's image.
    pub url: Option<String>,
    /// Its digest.
    pub sha256: Option<String>,
    /// The filter of connections: where it comes from, and its digest.
    pub tcp: Option<TcpModule>,
    /// Secret that the registry asks for.
    pub pull_secret: Option<String>,
    /// `FAIL_RELOAD`, `FAIL_OPEN` or `FAIL_CLOSE`.
    pub on_failure: &'static str,
}

/// The module of the filter of connections.
#[derive(Debug, Clone, Serialize)]
pub struct TcpModule {
    /// Where it comes from.
    pub url: String,
    /// Its digest.
    pub sha256: Option<String>,
}

/// The house.
#[derive(Debug, Clone, Serialize)]
pub struct House {
    /// Its image.
    pub image: String,
    /// Secret that the registry asks for.
    pub pull_secret: Option<String>,
    /// Where the independent one lives.
    pub namespace: String,
    /// The Unix socket.
    pub socket: String,
    /// Address of the independent one, for a plain Envoy.
    pub address: String,
    /// Port of the independent one.
    pub port: i64,
    /// Of its spool.
    pub storage: String,
    /// Its limit.
    pub memory: String,
    /// What it asks for.
    pub cpu: String,
    /// `allow` or `block`.
    pub when_no_policy: &'static str,
}

/// Where a gateway stands in Tetrate Service Bridge.
#[derive(Debug, Clone, Serialize)]
pub struct Tsb {
    /// The organization.
    pub organization: String,
    /// The tenant.
    pub tenant: String,
    /// The workspace.
    pub workspace: String,
    /// The gateway group.
    pub group: String,
    /// The group of Istio's own objects.
    pub internal_group: String,
    /// An egress gateway.
    pub egress: Option<Egress>,
}

/// An egress gateway.
#[derive(Debug, Clone, Serialize)]
pub struct Egress {
    /// Where it runs.
    pub namespace: String,
    /// Of its pods.
    pub labels: BTreeMap<String, String>,
    /// What may be reached by it.
    pub hosts: Vec<String>,
}

/// A plain Envoy.
#[derive(Debug, Clone, Serialize)]
pub struct Envoy {
    /// Its node id.
    pub node: String,
    /// Address that it listens on.
    pub listen: String,
    /// Port of its admin interface, on loopback.
    pub admin: i64,
    /// Address of the application.
    pub address: String,
    /// Port of the application.
    pub port: i64,
}

/// What a gateway serves.
#[derive(Debug, Clone, Serialize)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// Its hosts.
    pub hosts: Vec<String>,
    /// The service behind it.
    pub service: String,
    /// Port of the service.
    pub port: i64,
    /// Secret with the certificate; `None`: plain HTTP only.
    pub credential: Option<String>,
}

impl Values {
    /// Reads values from their text; an empty one gives the defaults.
    ///
    /// # Errors
    /// Every problem, each with its place in `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let document = only_document(name, text, &mut problems)?.unwrap_or_else(nothing);
        let values = Self::whole(&document, &mut problems);
        match values {
            Some(values) if problems.is_empty() => Ok(values),
            _ => Err(problems),
        }
    }

    fn whole(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "the values", problems)?;
        let values = Self {
            name: word::label(fields.take("name"), "gatehouse", problems),
            shape: word::one_of(fields.take("shape"), &["beside", "independent"], problems),
            trust_domain: word::label(fields.take("trustDomain"), "cluster.local", problems),
            gateway: Gateway::read(fields.take("gateway"), problems)?,
            module: Module::read(fields.take("module"), problems)?,
            house: House::read(fields.take("house"), problems)?,
            istio_kind: istio(fields.take("istio"), problems)?,
            tsb: Tsb::read(fields.take("tsb"), problems)?,
            envoy: Envoy::read(fields.take("envoy"), problems)?,
            workload: fields.take("workload").and_then(|node| Workload::read(node, problems)),
            egress: fields.take("egress").and_then(|node| EgressGateway::read(node, problems)),
            routes: routes(fields.take("routes"), problems),
        };
        fields.finish(problems);
        Some(values)
    }
}

/// A section that was not written has nothing in it.
fn section<'n>(node: Option<&'n Node>, empty: &'n Node) -> &'n Node {
    node.unwrap_or(empty)
}

fn nothing() -> Node {
    Node { value: Value::Map(Vec::new()), place: Place::pointer("values") }
}

impl Gateway {
    fn read(node: Option<&Node>, problems: &mut Problems) -> Option<Self> {
        let empty = nothing();
        let mut fields = Fields::new(section(node, &empty), "`gateway`", problems)?;
        let name = word::label(fields.take("name"), "istio-ingressgateway", problems);
        let labels = fields.take("labels").map(|node| labels(node, problems));
        let gateway = Self {
            namespace: word::label(fields.take("namespace"), "istio-system", problems),
            service_account: word::label(fields.take("serviceAccount"), &name, problems),
            labels: labels.unwrap_or_else(|| BTreeMap::from([("istio".to_owned(), "ingressgateway".to_owned())])),
            target: fields.take("target").map(|node| word::label(Some(node), "", problems)),
            trusted_proxies: word::number(fields.take("trustedProxies"), 0, 0..=16, problems),
            proxy_protocol: fields.take("proxyProtocol").and_then(|node| node.boolean(problems)).unwrap_or(false),
            http: word::port(fields.take("http"), 8080, problems),
            https: word::port(fields.take("https"), 8443, problems),
            name,
        };
        fields.finish(problems);
        Some(gateway)
    }
}

impl Module {
    fn read(node: Option<&Node>, problems: &mut Problems) -> Option<Self> {
        let empty = nothing();
        let mut fields = Fields::new(section(node, &empty), "`module`", problems)?;
        let module = Self {
            url: fields.take("url").and_then(|node| word::module_url(node, problems)),
            sha256: fields.take("sha256").and_then(|node| word::sha256(node, problems)),
            tcp: fields.take("tcp").and_then(|node| TcpModule::read(node, problems)),
            pull_secret: fields.take("pullSecret").map(|node| word::label(Some(node), "", problems)),
            on_failure: match word::one_of(fields.take("onFailure"), &["reload", "open", "close"], problems) {
                "open" => "FAIL_OPEN",
                "close" => "FAIL_CLOSE",
                _ => "FAIL_RELOAD",
            },
        };
        fields.finish(problems);
        Some(module)
    }
}

impl TcpModule {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`tcp`", problems)?;
        let (url, sha256) = (fields.require("url"), fields.take("sha256"));
        fields.finish(problems);
        Some(Self {
            url: url.and_then(|node| word::module_url(node, problems))?,
            sha256: sha256.and_then(|node| word::sha256(node, problems)),
        })
    }
}

impl House {
    fn read(node: Option<&Node>, problems: &mut Problems) -> Option<Self> {
        let empty = nothing();
        let mut fields = Fields::new(section(node, &empty), "`house`", problems)?;
        let image = concat!("gatehouse:", env!("CARGO_PKG_VERSION"));
        let house = Self {
            image: word::image(fields.take("image"), image, problems),
            pull_secret: fields.take("pullSecret").map(|node| word::label(Some(node), "", problems)),
            namespace: word::label(fields.take("namespace"), "gatehouse", problems),
            socket: word::path(fields.take("socket"), "/run/gatehouse/house.sock", problems),
            address: word::host(fields.take("address"), "127.0.0.1", problems),
            port: word::port(fields.take("port"), 7443, problems),
            storage: word::quantity(fields.take("storage"), "2Gi", problems),
            memory: word::quantity(fields.take("memory"), "256Mi", problems),
            cpu: word::quantity(fields.take("cpu"), "100m", problems),
            when_no_policy: word::one_of(fields.take("whenNoPolicy"), &["allow", "block"], problems),
        };
        fields.finish(problems);
        Some(house)
    }
}

fn istio(node: Option<&Node>, problems: &mut Problems) -> Option<&'static str> {
    let empty = nothing();
    let mut fields = Fields::new(section(node, &empty), "`istio`", problems)?;
    let kind = word::one_of(fields.take("kind"), &["WasmPlugin", "TrafficExtension", "EnvoyFilter"], problems);
    fields.finish(problems);
    Some(kind)
}

impl Tsb {
    fn read(node: Option<&Node>, problems: &mut Problems) -> Option<Self> {
        let empty = nothing();
        let mut fields = Fields::new(section(node, &empty), "`tsb`", problems)?;
        let tsb = Self {
            organization: word::label(fields.take("organization"), "tetrate", problems),
            tenant: word::label(fields.take("tenant"), "retail", problems),
            workspace: word::label(fields.take("workspace"), "shop", problems),
            group: word::label(fields.take("group"), "shop-gateways", problems),
            internal_group: word::label(fields.take("internalGroup"), "shop-internal", problems),
            egress: fields.take("egress").and_then(|node| Egress::read(node, problems)),
        };
        fields.finish(problems);
        Some(tsb)
    }
}

impl Egress {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`egress`", problems)?;
        let (all, hosts) = (fields.require("labels"), fields.require("hosts"));
        let egress = Self {
            namespace: word::label(fields.take("namespace"), "istio-system", problems),
            labels: all.map(|node| labels(node, problems)).unwrap_or_default(),
            hosts: words(hosts, problems, |node, problems| word::host(Some(node), "", problems)),
        };
        fields.finish(problems);
        Some(egress)
    }
}

impl Envoy {
    fn read(node: Option<&Node>, problems: &mut Problems) -> Option<Self> {
        let empty = nothing();
        let mut fields = Fields::new(section(node, &empty), "`envoy`", problems)?;
        let mut application = Fields::new(section(fields.take("application"), &empty), "`application`", problems)?;
        let envoy = Self {
            node: word::label(fields.take("node"), "gateway-1", problems),
            listen: word::host(fields.take("listen"), "0.0.0.0", problems),
            admin: word::port(fields.take("admin"), 9901, problems),
            address: word::host(application.take("address"), "127.0.0.1", problems),
            port: word::port(application.take("port"), 8000, problems),
        };
        application.finish(problems);
        fields.finish(problems);
        Some(envoy)
    }
}

fn labels(node: &Node, problems: &mut Problems) -> BTreeMap<String, String> {
    let entries = node.entries(problems).unwrap_or_default();
    let mut pair = |Entry { key, value, .. }: &Entry| Some((key.clone(), value.string(problems)?.to_owned()));
    entries.iter().filter_map(&mut pair).collect()
}

/// A list of words, or one.
fn words(node: Option<&Node>, problems: &mut Problems, read: fn(&Node, &mut Problems) -> String) -> Vec<String> {
    node.map(Node::one_or_many).unwrap_or_default().iter().map(|node| read(node, problems)).collect()
}

fn routes(node: Option<&Node>, problems: &mut Problems) -> Vec<Route> {
    let list = node.and_then(|node| node.list(problems)).unwrap_or_default();
    list.iter().filter_map(|node| route(node, problems)).collect()
}

fn route(node: &Node, problems: &mut Problems) -> Option<Route> {
    let mut fields = Fields::new(node, "a route", problems)?;
    let (name, hosts) = (fields.require("name"), fields.require("hosts"));
    let (service, port) = (fields.require("service"), fields.require("port"));
    let credential = fields.take("credential");
    fields.finish(problems);
    Some(Route {
        name: word::label(name, "", problems),
        hosts: words(hosts, problems, |node, problems| word::host(Some(node), "", problems)),
        service: word::host(service, "", problems),
        port: word::port(port, 0, problems),
        credential: credential.map(|node| word::label(Some(node), "", problems)),
    })
}
