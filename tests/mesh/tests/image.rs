//! The images that `deploy/image/build` makes: the same bytes twice, sound to a registry's own tool, taken by Istio's agent by digest in both
//! layouts, and the house's runs as nobody on a root that it cannot write to.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use gatehouse_mesh::{Agent, Apps, Istiod, Kube, NAMESPACE, agent, shipped::Shipped, tool};
use gatehouse_support::process::{Process, Signal};
use gatehouse_support::{House, parts, wait};
use serde_json::{Value, json};

const REGISTRY: &str = "127.0.0.1:15555";
const SOON: Duration = Duration::from_secs(60);

/// Builds all of them into a folder.
fn built(folder: &Path) -> Value {
    let mut command = Command::new(parts::root().join("deploy/image/build"));
    let done = command.args([parts::modules(), parts::house()]).arg(folder).output().expect("python3");
    assert!(done.status.success(), "{}", said(&done));
    serde_json::from_slice(&std::fs::read(folder.join("digests.json")).expect("digests")).expect("JSON")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn blob(layout: &Path, digest: &Value) -> PathBuf {
    let digest = digest.as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest");
    layout.join("blobs/sha256").join(digest)
}

fn manifest(layout: &Path) -> Value {
    let index: Value =
        serde_json::from_slice(&std::fs::read(layout.join("index.json")).expect("an index")).expect("JSON");
    let path = blob(layout, &index["manifests"][0]["digest"]);
    serde_json::from_slice(&std::fs::read(path).expect("a manifest")).expect("JSON")
}

fn unpack(layout: &Path, into: &Path) {
    for layer in manifest(layout)["layers"].as_array().expect("layers") {
        let mut command = Command::new("tar");
        let done = command.arg("-xzpf").arg(blob(layout, &layer["digest"])).arg("-C").arg(into).output().expect("tar");
        assert!(done.status.success(), "{}", said(&done));
    }
}

#[test]
fn the_same_input_gives_the_same_digests_and_the_module_is_the_one_that_was_built() {
    let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    assert_eq!(built(one.path()), built(two.path()));
    for (name, built) in [("gate", parts::wasm()), ("gate-tcp", parts::tcp_wasm())] {
        let root = tempfile::tempdir().expect("a folder");
        unpack(&one.path().join(name), root.path());
        let module = std::fs::read(built).expect("the module");
        assert!(std::fs::read(root.path().join("plugin.wasm")).expect("plugin.wasm") == module, "{name}");
        let layout = one.path().join(format!("{name}-artifact"));
        let artifact = manifest(&layout);
        assert_eq!(artifact["layers"].as_array().map(Vec::len), Some(2), "{name}");
        let layer = blob(&layout, &artifact["layers"][0]["digest"]);
        assert!(std::fs::read(layer).expect("a layer") == module, "{name}");
    }
}

#[test]
fn the_houses_image_runs_as_nobody_and_brings_the_module_along() {
    let (images, root) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    built(images.path());
    unpack(&images.path().join("house"), root.path());
    std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("permissions");
    let inside = |arguments: &[&str]| {
        let mut command = Command::new("chroot");
        command.arg("--userspec=65532:65532").arg(root.path()).args(arguments).output().expect("chroot")
    };
    let version = inside(&["/usr/bin/gatehouse", "--version"]);
    assert!(version.status.success() && said(&version).starts_with("gatehouse "), "{}", said(&version));
    // What an init container does; only its own folders may be written to.
    for (filter, built) in [("http", parts::wasm()), ("tcp", parts::tcp_wasm())] {
        let placed = inside(&["/usr/bin/gatehouse", "module", "--filter", filter, "/run/gatehouse/gate.wasm"]);
        assert!(placed.status.success(), "{}", said(&placed));
        let module = std::fs::read(root.path().join("run/gatehouse/gate.wasm")).expect("the module");
        assert!(module == std::fs::read(built).expect("the module"), "{filter}");
    }
    assert!(
        !inside(&["/usr/bin/gatehouse", "module", "/usr/lib/gate.wasm"]).status.success(),
        "it may write where it need not"
    );
    assert!(!root.path().join("bin/sh").exists());
    let config: Value = serde_json::from_slice(
        &std::fs::read(blob(&images.path().join("house"), &manifest(&images.path().join("house"))["config"]["digest"]))
            .expect("a file"),
    )
    .expect("JSON");
    assert_eq!(config["config"]["User"], "65532:65532");
}

fn values(house: &House, url: &str, sha256: &str) -> Value {
    json!({
        "gateway": { "name": "ingress", "namespace": NAMESPACE, "serviceAccount": agent::ACCOUNT, "http": 18080 },
        "module": { "url": url, "sha256": sha256, "onFailure": "open" },
        "house": { "socket": house.socket() },
        "routes": [{ "name": "page", "hosts": ["*"], "service": "productpage.default.svc.cluster.local", "port": 9080 }],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn istios_agent_takes_both_layouts_by_digest_from_a_registry() {
    let folder = tempfile::tempdir().expect("a folder");
    let digests = built(folder.path());
    let crane = tool("GATEHOUSE_CRANE");
    std::fs::create_dir(folder.path().join("registry")).expect("a folder");
    let mut serve = Command::new(&crane);
    serve.args(["registry", "serve", "--address", REGISTRY, "--disk"]).arg(folder.path().join("registry"));
    let mut registry = Process::start("the registry", serve, &folder.path().join("registry.log"), Signal::KILL);
    wait::until_true(SOON, "the registry to serve", || {
        registry.assert_running();
        async { tokio::net::TcpStream::connect(REGISTRY).await.is_ok() }
    })
    .await;
    for name in ["gate", "gate-artifact", "gate-tcp", "gate-tcp-artifact", "house"] {
        let target = format!("{REGISTRY}/{name}:1");
        let layout = folder.path().join(name).display().to_string();
        let pushed = Command::new(&crane).args(["push", "--insecure", &layout, &target]).output().expect("crane");
        assert!(pushed.status.success(), "{name}: {}", said(&pushed));
        let told = Command::new(&crane).args(["digest", "--insecure", &target]).output().expect("crane");
        assert_eq!(said(&told).trim(), digests[name].as_str().expect("a digest"), "{name}");
    }
    for name in ["gate", "gate-tcp", "house"] {
        let sound =
            Command::new(&crane).args(["validate", "--insecure", "--remote", &format!("{REGISTRY}/{name}:1")]).output();
        let sound = sound.expect("crane");
        assert!(sound.status.success(), "{name}: {}", said(&sound));
    }

    let kube = Kube::start().await.with_resources().await;
    let (house, istiod) = tokio::join!(House::start(), Istiod::start(&kube));
    kube.kubectl(&["-n", NAMESPACE, "create", "serviceaccount", agent::ACCOUNT]);
    kube.kubectl_with(&["apply", "-f", "-"], &Apps::entries());
    let _apps = Apps::start().await;
    let agent = Agent::start(&kube, &istiod, &[("WASM_INSECURE_REGISTRIES", REGISTRY)]).await;
    for name in ["gate", "gate-artifact"] {
        let digest = digests[name].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a digest");
        let shipped = Shipped::render(&values(&house, &format!("oci://{REGISTRY}/{name}:1"), digest));
        kube.kubectl(&[
            "apply",
            "-f",
            &shipped.path("routes.yaml"),
            "-f",
            &shipped.path("mesh.yaml"),
            "-f",
            &shipped.path("gate.yaml"),
        ]);
        wait::until_true(SOON, "the gate out of the registry to speak with the house", || async {
            house.status().await["streams"].as_array().is_some_and(|streams| !streams.is_empty())
        })
        .await;
        assert!(
            !agent.page("/config_dump?resource=ecds_filters").await.contains("rbac"),
            "{name}: the agent put a stand-in there"
        );
        kube.kubectl(&["delete", "-f", &shipped.path("gate.yaml")]);
        wait::until_true(SOON, "the gate to be gone", || async {
            house.status().await["streams"].as_array().is_some_and(Vec::is_empty)
        })
        .await;
    }
    agent.assert_nothing_refused().await;
}
