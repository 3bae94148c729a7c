//! The injection template, by Istio's own injector: istiod's chart takes it as values, and a gateway's pod that asks for it has proxy and house
//! together as Kubernetes takes them.

use std::path::Path;

use gatehouse_mesh::{Helm, Kube, NAMESPACE, istioctl_at, tool};
use gatehouse_support::parts;
use serde_json::Value;

/// The injector's configuration with our template in it, as three files that istioctl reads.
fn injector(kube: &Kube, helm: &Helm, into: &Path) {
    let chart = tool("GATEHOUSE_ISTIO").join("istiod").display().to_string();
    let ours = parts::root().join("deploy/istio/beside/house-injection.yaml").display().to_string();
    let arguments =
        ["template", "istiod", &chart, "--namespace", NAMESPACE, "--kube-version", "1.37.0", "--values", &ours];
    // Only this of the whole control plane.
    let shown = ["--show-only", "templates/istiod-injector-configmap.yaml", "--show-only", "templates/configmap.yaml"];
    kube.kubectl_with(&["apply", "-f", "-"], &helm.run(&[&arguments[..], &shown].concat()));
    for (map, key) in [("istio-sidecar-injector", "config"), ("istio-sidecar-injector", "values"), ("istio", "mesh")] {
        let data =
            kube.kubectl(&["-n", NAMESPACE, "get", "configmap", map, "-o", &format!("jsonpath={{.data.{key}}}")]);
        std::fs::write(into.join(key), data).expect("a file");
    }
}

fn inject(kube: &Kube, folder: &Path, manifest: &Path) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    let manifest = manifest.display().to_string();
    let output = istioctl_at(
        kube,
        &[
            "kube-inject",
            "--injectConfigFile",
            &file("config"),
            "--meshConfigFile",
            &file("mesh"),
            "--valuesFile",
            &file("values"),
            "-f",
            &manifest,
        ],
    );
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The pod of the only Deployment among these, as the API server takes it by its strictest rules.
fn pod(kube: &Kube, manifests: &str) -> Value {
    let dry = ["apply", "--server-side", "--validate=strict", "--dry-run=server", "-o", "json", "-f", "-"];
    let said: Value = serde_json::from_str(&kube.kubectl_with(&dry, manifests)).expect("JSON");
    let items = said["items"].as_array().cloned().unwrap_or_else(|| vec![said]);
    let deployment = items.into_iter().find(|item| item["kind"] == "Deployment").expect("a Deployment");
    deployment["spec"]["template"]["spec"].clone()
}

fn named<'p>(pod: &'p Value, list: &str, name: &str) -> &'p Value {
    let all = pod[list].as_array().unwrap_or_else(|| panic!("no {list}: {pod}"));
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no `{name}` in {list}: {pod}"))
}

/// A proxy of Istio's and a house that share the socket's folder; and the module, which an init container brought.
fn complete(pod: &Value) {
    let (proxy, house) = (named(pod, "containers", "istio-proxy"), named(pod, "containers", "gatehouse"));
    assert!(proxy["image"].as_str().is_some_and(|image| image.contains("proxyv2")), "{proxy}");
    assert!(!proxy["args"].is_null() && proxy["readinessProbe"].is_object(), "the injector's own: {proxy}");
    let mounted = |container: &Value, volume: &str| {
        container["volumeMounts"].as_array().is_some_and(|mounts| mounts.iter().any(|mount| mount["name"] == volume))
    };
    for container in [proxy, house] {
        assert!(mounted(container, "gatehouse-run"), "{container}");
    }
    assert!(
        mounted(proxy, "gatehouse-module")
            && mounted(named(pod, "initContainers", "gatehouse-module"), "gatehouse-module")
    );
    assert!(house["readinessProbe"].is_null() && house["livenessProbe"].is_null(), "{house}");
    for volume in
        ["gatehouse-run", "gatehouse-data", "gatehouse-house", "gatehouse-policies", "gatehouse-module", "istio-token"]
    {
        named(pod, "volumes", volume);
    }
    assert_eq!(pod["securityContext"]["fsGroup"], 1337, "{pod}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_asks_for_the_template_has_the_house_in_its_pod() {
    let kube = Kube::start().await.with_resources().await;
    let (helm, folder) = (Helm::new(&kube), tempfile::tempdir().expect("a folder"));
    injector(&kube, &helm, folder.path());

    // A gateway as Istio's own documentation writes one, and the second template.
    let bare = folder.path().join("bare.yaml");
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: bare, namespace: istio-system }\nspec:\n  \
                selector: { matchLabels: { istio: bare } }\n  template:\n    metadata:\n      labels: { istio: bare, sidecar.istio.io/inject: \"true\" }\n      \
                annotations: { inject.istio.io/templates: \"gateway,gatehouse\" }\n    spec:\n      containers: [{ name: istio-proxy, image: auto }]\n";
    std::fs::write(&bare, text).expect("a file");
    complete(&pod(&kube, &inject(&kube, folder.path(), &bare)));

    // The shipped whole gateway asks for the proxy only: its house is written out.
    let whole = parts::root().join("deploy/istio/beside/gateway.yaml");
    complete(&pod(&kube, &inject(&kube, folder.path(), &whole)));
}
