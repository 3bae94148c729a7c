//! Manifests from one file of values: `gatehouse render TARGET VALUES`.
//!
//! Templates stand in `deploy/templates`, one folder a target, and are part of the program; parts that several targets share (the
//! gate's configuration, the house's cluster) stand once, in `parts`. What is checked in under `deploy/` is the output for the
//! values in `deploy/values`; a test says when it is stale.

pub mod inline;
pub mod names;
mod target;
mod values;
mod word;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value};

pub use target::Target;
pub use values::Values;

/// One manifest.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Manifest {
    /// Its path below the target's folder.
    pub name: &'static str,
    /// Its text.
    pub text: String,
}

/// The manifests of a target; `inline` is a policy as JSON that the gate has from its start.
///
/// # Errors
/// A template is broken, which only a fault of ours can bring about.
pub fn render(target: Target, values: &Values, inline: Option<&str>) -> Result<Vec<Manifest>, Error> {
    let environment = environment()?;
    let known = known(target, values, inline);
    let texts = target.templates(values).into_iter().map(|name| {
        let text = environment.get_template(name)?.render(&known)?;
        Ok(Manifest { name: name.split_once('/').map_or(name, |(_, rest)| rest), text })
    });
    texts.collect()
}

/// One of the parts that several templates share, such as `parts/house-cluster.yaml`.
///
/// # Errors
/// As [`render`].
pub fn part(target: Target, values: &Values, name: &str) -> Result<String, Error> {
    environment()?.get_template(name)?.render(known(target, values, None))
}

fn known(target: Target, values: &Values, inline: Option<&str>) -> Value {
    let inline_of_connections = inline.is_some_and(inline::speaks_of_connections);
    Value::from_serialize(Known { values, place: Place::of(target, values), inline, inline_of_connections })
}

/// What a template knows.
#[derive(Debug, serde::Serialize)]
struct Known<'v> {
    #[serde(flatten)]
    values: &'v Values,
    #[serde(flatten)]
    place: Place,
    inline: Option<&'v str>,
    /// It speaks of connections: it is for the filter of connections only.
    inline_of_connections: bool,
}

/// What follows from the values for one target.
#[derive(Debug, serde::Serialize)]
struct Place {
    /// What is rendered, as the command line calls it.
    target: &'static str,
    /// Envoy's name of the house's cluster.
    house_cluster: String,
    /// `:authority` of the stream; a cluster's name in Istio holds `|`, which HTTP/2 libraries refuse there.
    house_authority: String,
    house_namespace: String,
    module_file: String,
    module_url: String,
    /// Envoy's word for `module.onFailure`.
    failure_policy: &'static str,
    /// The proxy's container in the gateway's pod.
    proxy_container: &'static str,
    /// The proxy's group: what is shared with it is that group's to read.
    proxy_group: u32,
    /// How the gate learns the direct peer, where it is not by filter state.
    peer: Option<&'static str>,
    /// Objects of Istio's own carry their place in Tetrate Service Bridge.
    bridge: bool,
    /// The house stands on its own, so that any proxy of the mesh reaches it.
    apart: bool,
    /// Whom the house answers.
    gates: Vec<Gate>,
    /// Istio's `gatewayTopology` as JSON; `None`: nothing stands before the gateway.
    topology: Option<String>,
}

impl Place {
    fn of(target: Target, values: &Values) -> Self {
        let Values { name, house, gateway, module, .. } = values;
        let is_istio = matches!(target, Target::Istio | Target::Tsb);
        let apart = is_istio && values.shape == "independent";
        let host = format!("{name}.{}.svc.cluster.local", house.namespace);
        let usual = match target {
            Target::Istio | Target::Tsb => "/etc/gatehouse/module/gatehouse_http.wasm",
            Target::Vm => "/usr/lib/gatehouse/gatehouse_http.wasm",
            _ => "/etc/gatehouse/gatehouse_http.wasm",
        };
        let of_gateway = target == Target::EnvoyGateway;
        let file = module.url.as_deref().and_then(|url| url.strip_prefix("file://"));
        let module_file = file.unwrap_or(usual).to_owned();
        Self {
            target: target.name(),
            house_cluster: if apart { format!("outbound|{}||{host}", house.port) } else { "gatehouse".to_owned() },
            house_authority: if apart { host } else { "gatehouse".to_owned() },
            house_namespace: if apart { &house.namespace } else { &gateway.namespace }.clone(),
            module_url: module.url.clone().unwrap_or_else(|| format!("file://{module_file}")),
            module_file,
            proxy_container: if of_gateway { "envoy" } else { "istio-proxy" },
            proxy_group: if of_gateway { 65532 } else { 1337 },
            peer: of_gateway.then_some("use_remote_address"),
            bridge: target == Target::Tsb,
            apart,
            gates: gates(values),
            topology: topology(gateway),
            failure_policy: if module.on_failure == "FAIL_CLOSE" { "FAIL_CLOSED" } else { module.on_failure },
        }
    }
}

/// Proxies with the gate in them: who they are and where.
#[derive(Debug, serde::Serialize)]
struct Gate {
    namespace: String,
    account: String,
    labels: BTreeMap<String, String>,
}

fn gates(values: &Values) -> Vec<Gate> {
    let Values { gateway, workload, egress, .. } = values;
    let gate = |namespace: &str, account: &str, labels: BTreeMap<String, String>| Gate {
        namespace: namespace.to_owned(),
        account: account.to_owned(),
        labels,
    };
    let one = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let mut gates = vec![gate(&gateway.namespace, &gateway.service_account, gateway.labels.clone())];
    gates.extend(workload.as_ref().map(|at| {
        let waypoint = || one("gateway.networking.k8s.io/gateway-name", &at.service_account);
        let labels = if at.service.is_some() { waypoint() } else { at.labels.clone() };
        gate(&at.namespace, &at.service_account, labels)
    }));
    gates.extend(egress.as_ref().map(|at| gate(&at.namespace, &at.name, one("istio", &at.name))));
    gates
}

/// What Istio is told of what stands before the gateway.
fn topology(gateway: &values::Gateway) -> Option<String> {
    let mut topology = serde_json::Map::new();
    if gateway.trusted_proxies > 0 {
        topology.insert("numTrustedProxies".into(), gateway.trusted_proxies.into());
    }
    if gateway.proxy_protocol {
        topology.insert("proxyProtocol".into(), serde_json::json!({}));
    }
    (!topology.is_empty()).then(|| serde_json::json!({ "gatewayTopology": topology }).to_string())
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_keep_trailing_newline(true);
    environment.set_formatter(scalar);
    environment.add_filter("indent", indent);
    environment.add_filter("dirname", dirname);
    environment.add_filter("flow", flow);
    environment.add_filter("namespace", namespace);
    for (name, text) in target::TEMPLATES {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}

/// Moves lines to the right, the first one too where `first` says so.
#[expect(clippy::needless_pass_by_value, reason = "the signature that filters have")]
fn indent(text: String, width: usize, first: Option<bool>) -> Value {
    let margin = " ".repeat(width);
    let lines = text.split_inclusive('\n').enumerate().map(|(at, line)| {
        let moved = !line.trim().is_empty() && (at > 0 || first == Some(true));
        [if moved { margin.as_str() } else { "" }, line].concat()
    });
    Value::from_safe_string(lines.collect())
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that filters have")]
fn dirname(path: String) -> String {
    path.rsplit_once('/').map_or(path.as_str(), |(folder, _)| folder).to_owned()
}

/// Of a service by its whole name.
#[expect(clippy::needless_pass_by_value, reason = "the signature that filters have")]
fn namespace(service: String) -> String {
    service.split('.').nth(1).unwrap_or("default").to_owned()
}

/// Labels on one line.
#[expect(clippy::needless_pass_by_value, reason = "the signature that filters have")]
fn flow(labels: Value) -> Result<Value, Error> {
    let word = |value: &Value| scalar_text(value.as_str().unwrap_or_default());
    let mut pairs = Vec::new();
    for key in labels.try_iter()? {
        pairs.push(format!("{}: {}", word(&key), word(&labels.get_item(&key)?)));
    }
    Ok(Value::from_safe_string(format!("{{ {} }}", pairs.join(", "))))
}

/// A text as YAML reads it back.
pub(crate) fn scalar_text(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes a value so that YAML reads the very same: texts that YAML would take for something else are quoted. What a filter made is
/// a piece of a manifest and stands as it is.
fn scalar(out: &mut Output<'_>, state: &State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) if !value.is_safe() && !is_plain(text) => out.write_str(&quoted(text)).map_err(Error::from),
        _ => minijinja::escape_formatter(out, state, value),
    }
}

fn is_plain(text: &str) -> bool {
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let word = words.iter().any(|word| text.eq_ignore_ascii_case(word));
    let begins = |first: char| first.is_ascii_alphabetic() || first == '/';
    // YAML takes these for text, though they begin like numbers.
    let address = text.parse::<std::net::Ipv4Addr>().is_ok();
    let quantity = text.ends_with(['i', 'm']) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let safe = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/@:".contains(&byte));
    safe && !word && !text.ends_with(':') && (text.starts_with(begins) || address || quantity)
}
