//! A cluster before the installation: versions, resource definitions, what this user may do, and the gateway that the values name.

use serde_json::Value;

use super::checks::{numbers, ok, unknown, wrong};
use super::dump::at;
use super::{Finding, shown};
use crate::render::Values;

/// Oldest Kubernetes and Istio that the manifests are for.
const OLDEST_KUBERNETES: (u64, u64) = (1, 28);
const OLDEST_ISTIO: (u64, u64) = (1, 28);

/// What `kubectl` said; `Err`: why it did not.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// `version`.
    pub version: Answer,
    /// `get customresourcedefinitions`, as a list.
    pub definitions: Answer,
    /// `get deployments -A -l app=istiod`.
    pub istiod: Answer,
    /// `get deployment` of the gateway.
    pub gateway: Answer,
    /// What must be made, and whether this user may.
    pub rights: Vec<(Right, Result<bool, String>)>,
}

/// JSON of `kubectl`, or what it said instead.
pub type Answer = Result<Value, String>;

/// Leave to do something with a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// `create`, `patch`.
    pub verb: &'static str,
    /// Such as `envoyfilters.networking.istio.io`.
    pub resource: &'static str,
    /// Where.
    pub namespace: String,
}

/// What the manifests for these values need.
#[must_use]
pub fn rights(values: &Values) -> Vec<Right> {
    let (gateway, house) = (&values.gateway.namespace, &values.house.namespace);
    let right = |verb, resource, namespace: &String| Right { verb, resource, namespace: namespace.clone() };
    let mut needed = vec![
        right("create", definition(values).0, gateway),
        right("create", "envoyfilters.networking.istio.io", gateway),
    ];
    if values.shape == "beside" {
        needed.push(right("create", "configmaps", gateway));
        needed.push(right("patch", "deployments.apps", gateway));
    } else {
        needed.extend(
            [
                "configmaps",
                "serviceaccounts",
                "services",
                "statefulsets.apps",
                "networkpolicies.networking.k8s.io",
                "authorizationpolicies.security.istio.io",
                "peerauthentications.security.istio.io",
                "destinationrules.networking.istio.io",
                "sidecars.networking.istio.io",
            ]
            .map(|resource| right("create", resource, house)),
        );
    }
    needed
}

/// The definition of the kind that brings the gate, and what to write where it is missing.
fn definition(values: &Values) -> (&'static str, &'static str) {
    match values.istio_kind {
        "TrafficExtension" => {
            ("trafficextensions.extensions.istio.io", "`istio: { kind: WasmPlugin }`: this Istio is older than 1.30")
        }
        "EnvoyFilter" => ("envoyfilters.networking.istio.io", "install Istio first"),
        _ => (
            "wasmplugins.extensions.istio.io",
            "`istio: { kind: TrafficExtension }`, or `EnvoyFilter` where neither exists",
        ),
    }
}

/// All checks.
pub(super) fn checks(cluster: &Cluster, values: &Values) -> Vec<Finding> {
    let mut findings = vec![kubernetes(&cluster.version)];
    if cluster.version.is_err() {
        return findings;
    }
    findings.push(istio(&cluster.istiod));
    findings.extend(definitions(&cluster.definitions, values));
    findings.push(allowed(&cluster.rights));
    findings.extend(gateway(&cluster.gateway, values));
    findings
}

fn kubernetes(version: &Answer) -> Finding {
    let version = match version {
        Ok(version) => at(version, "/serverVersion/gitVersion").as_str().unwrap_or_default(),
        Err(why) => return wrong("Kubernetes", shown(why), "kubectl cluster-info"),
    };
    match numbers(version.trim_start_matches('v')) {
        Some(found) if found >= OLDEST_KUBERNETES => ok("Kubernetes", shown(version)),
        Some(_) => wrong(
            "Kubernetes",
            format!("{} is older than 1.28", shown(version)),
            "the manifests are tested from 1.28 on",
        ),
        None => unknown("Kubernetes", format!("`{}` is no version", shown(version)), "kubectl version"),
    }
}

fn istio(istiod: &Answer) -> Finding {
    let next = "istioctl version";
    let list = match istiod {
        Ok(list) => at(list, "/items").as_array().cloned().unwrap_or_default(),
        Err(why) => return unknown("Istio", shown(why), next),
    };
    let image = list.first().map(|one| at(one, "/spec/template/spec/containers/0/image").as_str().unwrap_or_default());
    let Some(image) = image else { return unknown("Istio", "no Deployment with the label app=istiod", next) };
    let tag = image.split('@').next().unwrap_or(image).rsplit(':').next().unwrap_or_default();
    match numbers(tag) {
        Some(found) if found >= OLDEST_ISTIO => ok("Istio", shown(tag)),
        Some(_) => wrong(
            "Istio",
            format!("{} is older than 1.28", shown(tag)),
            "upgrade it; the manifests are tested from 1.28 on. `istio: { kind: EnvoyFilter }` asks least of it",
        ),
        None => unknown("Istio", format!("the image `{}` names no version", shown(image)), next),
    }
}

fn definitions(known: &Answer, values: &Values) -> Vec<Finding> {
    let known: Vec<&str> = match known {
        Ok(list) => {
            let items = at(list, "/items").as_array().map(Vec::as_slice).unwrap_or_default();
            items.iter().filter_map(|item| at(item, "/metadata/name").as_str()).collect()
        }
        Err(why) => return vec![unknown("resource definitions", shown(why), "kubectl get customresourcedefinitions")],
    };
    let (kind, instead) = definition(values);
    let mut needed = vec![(kind, instead), ("envoyfilters.networking.istio.io", "install Istio first")];
    if values.gateway.target.is_some() {
        needed.push((
            "gateways.gateway.networking.k8s.io",
            "install the Gateway API, or name the pods by `gateway.labels`",
        ));
    }
    needed.dedup();
    let missing: Vec<_> = needed.iter().filter(|(name, _)| !known.contains(name)).collect();
    if missing.is_empty() {
        let names: Vec<&str> = needed.iter().map(|(name, _)| *name).collect();
        return vec![ok("resource definitions", names.join(", "))];
    }
    missing.iter().map(|(name, next)| wrong("resource definitions", format!("`{name}` is not there"), *next)).collect()
}

fn allowed(rights: &[(Right, Result<bool, String>)]) -> Finding {
    let asked = |Right { verb, resource, namespace }: &Right| format!("{verb} {resource} in {namespace}");
    let refused = rights.iter().find(|(_, answer)| *answer == Ok(false));
    if let Some((right, _)) = refused {
        let next = format!("kubectl auth can-i {} {} -n {}", right.verb, right.resource, right.namespace);
        return wrong("permissions", format!("you may not {}", asked(right)), next);
    }
    match rights.iter().find_map(|(right, answer)| Some((right, answer.as_ref().err()?))) {
        Some((right, why)) => {
            unknown("permissions", format!("{}: {}", asked(right), shown(why)), "kubectl auth can-i --list")
        }
        None => ok("permissions", format!("all {} that the manifests need", rights.len())),
    }
}

fn gateway(deployment: &Answer, values: &Values) -> Vec<Finding> {
    let gateway = &values.gateway;
    let here = format!("{}/{}", gateway.namespace, gateway.name);
    let deployment = match deployment {
        Ok(deployment) => deployment,
        Err(why) => {
            let next = format!(
                "kubectl get deployments -n {}, then write `gateway: {{ name: …, namespace: … }}`",
                gateway.namespace
            );
            return vec![wrong("gateway", format!("{here}: {}", shown(why)), next)];
        }
    };
    let labels = at(deployment, "/spec/template/metadata/labels");
    let lacking: Vec<_> = gateway
        .labels
        .iter()
        .filter(|(key, value)| labels.get(key.as_str()).and_then(Value::as_str) != Some(value))
        .collect();
    let mut findings = vec![match lacking.first() {
        None => ok("gateway", format!("{here}, its pods have the labels of the values")),
        Some((key, value)) => wrong(
            "gateway",
            format!("the pods of {here} lack the label {}={}: the gate would be nowhere", shown(key), shown(value)),
            format!(
                "kubectl get deployment {} -n {} --show-labels, then write `gateway.labels`",
                gateway.name, gateway.namespace
            ),
        ),
    }];
    findings.push(hops(deployment, values));
    findings
}

/// What Istio is told of what stands before this gateway.
fn hops(deployment: &Value, values: &Values) -> Finding {
    let annotation =
        at(deployment, "/spec/template/metadata/annotations").get("proxy.istio.io/config").and_then(Value::as_str);
    // Istio reads YAML there; ours is JSON, and another's is looked at for the number only.
    let told = annotation.and_then(|text| text.split("numTrustedProxies").nth(1)).map(|rest| {
        let digits: String =
            rest.chars().skip_while(|letter| !letter.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        digits.parse::<i64>().unwrap_or(-1)
    });
    let wanted = values.gateway.trusted_proxies;
    match told {
        Some(told) if told != wanted => wrong(
            "trusted proxies",
            format!("the gateway's own annotation says {told}, the values say {wanted}"),
            "write the same number into `gateway.trustedProxies`; whose client is whose depends on it",
        ),
        _ => ok("trusted proxies", format!("{wanted} before the gateway")),
    }
}
