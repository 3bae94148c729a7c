//! What can be rendered, and of which templates each target consists.

use super::{Values, values};

macro_rules! templates {
    ($($name:literal),+ $(,)?) => {
        /// Every template, by its path below `deploy/templates`.
        pub(super) const TEMPLATES: &[(&str, &str)] =
            &[("policies/starter.yaml", include_str!("../../../deploy/policies/starter.yaml")),
              $(($name, include_str!(concat!("../../../deploy/templates/", $name)))),+];
    };
}

templates!(
    "envoy-gateway/envoy-proxy.yaml",
    "envoy-gateway/extension-policy.yaml",
    "envoy/envoy.yaml",
    "envoy/xds/clusters.yaml",
    "envoy/xds/envoy.yaml",
    "envoy/xds/listeners.yaml",
    "istio/egress-gateway.yaml",
    "istio/egress-routes.yaml",
    "istio/egress-namespaces.yaml",
    "istio/gate.yaml",
    "istio/gateway.yaml",
    "istio/house-config.yaml",
    "istio/house-injection.yaml",
    "istio/house-patch.yaml",
    "istio/house.yaml",
    "istio/mesh.yaml",
    "istio/routes.yaml",
    "istio/workload.yaml",
    "parts/access-log.yaml",
    "parts/application-cluster.yaml",
    "parts/bootstrap.json",
    "parts/connections.yaml",
    "parts/gate-filter.yaml",
    "parts/house-cluster.yaml",
    "parts/house-container.yaml",
    "parts/house-keepalive.yaml",
    "parts/house-pod.yaml",
    "parts/house-volumes.yaml",
    "parts/init-container.yaml",
    "parts/listener.yaml",
    "parts/peer-filter.yaml",
    "parts/peer-uris.yaml",
    "parts/plugin.yaml",
    "parts/sds-role.yaml",
    "parts/tsb-place.yaml",
    "tsb/egress-gateway.yaml",
    "tsb/expected.yaml",
    "tsb/extension.yaml",
    "tsb/ingress-after.yaml",
    "tsb/ingress-before.yaml",
    "tsb/ingress.yaml",
    "tsb/places.yaml",
    "vm/gatehouse.service",
    "vm/house.yaml",
);

/// What manifests are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A plain Envoy: a static file, and the same by files over xDS.
    Envoy,
    /// Envoy Gateway.
    EnvoyGateway,
    /// Istio.
    Istio,
    /// Tetrate Service Bridge.
    Tsb,
    /// A virtual machine or a server without containers.
    Vm,
}

impl Target {
    /// Every target by its name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("envoy", Self::Envoy),
        ("envoy-gateway", Self::EnvoyGateway),
        ("istio", Self::Istio),
        ("tsb", Self::Tsb),
        ("vm", Self::Vm),
    ];

    /// As the command line calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, target)| *target == self).map_or("", |(name, _)| name)
    }

    /// What these values lack for this target, and what to write; `None`: nothing.
    #[must_use]
    pub fn lacks(self, values: &Values) -> Option<(&'static str, &'static str)> {
        let url = values.module.url.as_deref();
        let file = url.is_some_and(|url| url.starts_with("file://"));
        match self {
            Self::EnvoyGateway if url.is_none() || file => Some((
                "`module.url` is no image and no address",
                "write `module: { url: oci://… }`: Envoy Gateway fetches modules and reads no files",
            )),
            Self::EnvoyGateway if values.shape == "independent" => Some((
                "`shape` is independent",
                "write `shape: beside`: between Envoy Gateway's proxies and a house of its own nobody ends mutual TLS for both yet",
            )),
            Self::Istio | Self::Tsb if values.shape == "independent" && url.is_none() => Some((
                "`module.url` is missing and the house is independent",
                "write `module: { url: oci://… }`; only beside the gateway an init container can bring the module along",
            )),
            Self::Istio if values.istio_kind == "EnvoyFilter" && url.is_some() && !file => Some((
                "`module.url` is no file and the kind is EnvoyFilter",
                "write `module: { url: file:///… }`, or leave it out beside the gateway; only Istio's own kinds fetch modules",
            )),
            Self::Istio if values.egress.is_some() && values.shape == "beside" => Some((
                "`egress` needs a house of its own",
                "write `shape: independent`: the house beside the ingress gateway is not reached from other pods",
            )),
            Self::Istio
                if values.egress.as_ref().is_some_and(values::EgressGateway::has_connections)
                    && values.module.tcp.is_none() =>
            {
                Some((
                    "`module.tcp` is missing and `egress.hosts` has TLS or TCP",
                    "write `module: { tcp: { url: oci://… } }`: the filter of connections judges them",
                ))
            }
            Self::Istio => values.workload.as_ref().and_then(|workload| lacks_of_workload(workload, values)),
            _ => None,
        }
    }

    /// The templates that these values ask for.
    pub(super) fn templates(self, values: &Values) -> Vec<&'static str> {
        match self {
            Self::Envoy => {
                vec!["envoy/envoy.yaml", "envoy/xds/envoy.yaml", "envoy/xds/listeners.yaml", "envoy/xds/clusters.yaml"]
            }
            Self::EnvoyGateway => {
                vec!["envoy-gateway/extension-policy.yaml", "envoy-gateway/envoy-proxy.yaml", "istio/house-config.yaml"]
            }
            Self::Tsb => {
                let mut names = vec![
                    "tsb/places.yaml",
                    "tsb/extension.yaml",
                    "istio/mesh.yaml",
                    "istio/gate.yaml",
                    "istio/house-config.yaml",
                ];
                names.push(if values.shape == "beside" { "istio/house-patch.yaml" } else { "istio/house.yaml" });
                if !values.routes.is_empty() {
                    names.extend(["tsb/ingress-before.yaml", "tsb/ingress-after.yaml", "tsb/expected.yaml"]);
                }
                names.extend(values.tsb.egress.as_ref().map(|_| "tsb/egress-gateway.yaml"));
                names
            }
            Self::Vm => vec!["vm/gatehouse.service", "vm/house.yaml", "envoy/envoy.yaml"],
            Self::Istio => {
                let mut names = vec!["istio/gate.yaml", "istio/mesh.yaml", "istio/house-config.yaml"];
                match values.shape {
                    "beside" => {
                        names.extend(["istio/house-patch.yaml", "istio/house-injection.yaml", "istio/gateway.yaml"]);
                    }
                    _ => names.push("istio/house.yaml"),
                }
                if !values.routes.is_empty() {
                    names.push("istio/routes.yaml");
                }
                names.extend(values.workload.as_ref().map(|_| "istio/workload.yaml"));
                if let Some(egress) = &values.egress {
                    names.extend(["istio/egress-gateway.yaml", "istio/egress-routes.yaml"]);
                    names.extend((!egress.from.is_empty()).then_some("istio/egress-namespaces.yaml"));
                }
                names
            }
        }
    }
}

/// What the values lack for a guarded workload.
fn lacks_of_workload(workload: &values::Workload, values: &Values) -> Option<(&'static str, &'static str)> {
    if workload.tcp.is_some() && values.module.tcp.is_none() {
        return Some((
            "`module.tcp` is missing and `workload` has `tcp`",
            "write `module: { tcp: { url: oci://… } }`: the filter of connections judges them",
        ));
    }
    if workload.requests && values.module.url.is_none() {
        return Some((
            "`module.url` is missing and `workload` has requests",
            "write `module: { url: oci://… }`: the init container brings the module to the gateway's pods only",
        ));
    }
    (workload.requests && workload.tcp.is_some() && values.shape == "beside").then_some((
        "`workload` has requests and `tcp`, which need two policies, and no house to ask",
        "write `shape: independent`; or render two files, one of them with `requests: false`, each with its `--inline POLICY`",
    ))
}
