//! Tetrate Service Bridge, as far as it can be shown without it: what we write is held against schemas of ours from its public reference, and
//! what we expect it to make of that, in Istio's words, is run by a real istiod: the same routes, with the gate in front of them.

use std::path::Path;
use std::time::Duration;

use gatehouse_mesh::traffic::get;
use gatehouse_mesh::{Agent, Apps, Istiod, Kube, NAMESPACE, Traffic, agent, shipped::Shipped};
use gatehouse_support::house::Setup;
use gatehouse_support::{House, parts, wait};
use serde_json::{Value, json};

const HOST: &str = "shop.example.com";
const HTTP: u16 = 18080;
const SOON: Duration = Duration::from_secs(60);

async fn cluster() -> Kube {
    let kube = Kube::start().await.with_resources().await;
    let schemas = parts::root().join("tests/mesh/tsb.yaml").display().to_string();
    kube.kubectl(&["apply", "--server-side", "-f", &schemas]);
    kube.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
    kube
}

fn strictly<'a>(path: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["apply", "--server-side", "--validate=strict", "-f", path][..], more].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_checked_in_fits_the_schemas_and_what_is_wrong_does_not() {
    let kube = cluster().await;
    let folder = parts::root().join("deploy/tsb");
    let mut taken = 0;
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if !path.ends_with("house-patch.yaml") {
            kube.kubectl(&strictly(&path.display().to_string(), &["--dry-run=server"]));
            taken += 1;
        }
    }
    assert!(taken >= 9, "{taken}");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a manifest");
    let broken = [
        (text("extension.yaml").replace("phase: AUTHZ", "phase: LATE"), "spec.phase"),
        (text("extension.yaml").replace("url: file", "url: ftp"), "spec.url"),
        (text("extension.yaml").replace("allowedIn", "allowedin"), "allowedin"),
        (text("ingress-after.yaml").replace("- fqn:", "- name:"), "extension[0].name"),
        (text("ingress-after.yaml").replace("hostname:", "host:"), "http[0].host"),
        (text("egress-gateway.yaml").replace("mode: WORKSPACE", "mode: EVERYBODY"), "mode"),
    ];
    for (manifest, word) in broken {
        let output = kube.try_kubectl(&strictly("-", &["--dry-run=server"]), Some(&manifest));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(word), "{word}: {said}\n{manifest}");
    }
    // Between before and after, nothing but the extension.
    let object = |name: &str| -> Value {
        let path = folder.join(name).display().to_string();
        serde_json::from_str(&kube.kubectl(&strictly(&path, &["--dry-run=server", "-o", "json"]))).expect("JSON")
    };
    let (before, mut after) = (object("ingress-before.yaml"), object("ingress-after.yaml"));
    let extension = after["spec"].as_object_mut().and_then(|spec| spec.remove("extension")).expect("an extension");
    assert_eq!(extension, json!([{ "fqn": "organizations/acme/extensions/gatehouse" }]));
    assert_eq!(before["spec"], after["spec"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_we_expect_it_to_make_guards_the_same_routes() {
    let kube = cluster().await;
    let policy = json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "shop" },
        "spec": { "mode": "enforce", "rules": [{ "name": "admin", "match": { "path": "/admin/**" }, "then": "block" }] },
    });
    let setup = Setup { policies: vec![("shop.yaml".into(), policy.to_string())], extra: String::new() };
    let (house, istiod) = tokio::join!(House::start_with(&setup), Istiod::start(&kube));
    let shipped = Shipped::render_for(
        "tsb",
        &json!({
            "gateway": { "name": "ingress", "namespace": NAMESPACE, "serviceAccount": agent::ACCOUNT, "http": HTTP },
            "module": { "url": format!("file://{}", parts::wasm().display()) },
            "house": { "socket": house.socket() },
            "routes": [{ "name": "page", "hosts": [HOST], "service": "productpage.default.svc.cluster.local", "port": 9080 }],
        }),
    );
    kube.kubectl(&["-n", NAMESPACE, "create", "serviceaccount", agent::ACCOUNT]);
    kube.kubectl_with(&["apply", "-f", "-"], &Apps::entries());
    let expected = std::fs::read_to_string(Path::new(&shipped.path("expected.yaml"))).expect("a manifest");
    let (routes, plugin) = expected.rsplit_once("---\n").expect("several objects");
    assert!(plugin.contains("kind: WasmPlugin"), "{plugin}");
    kube.kubectl_with(&strictly("-", &[]), routes);
    let _apps = Apps::start().await;
    let agent = Agent::start(&kube, &istiod, &[]).await;
    let is = |target: &'static str, status: u16| async move {
        wait::until_true(SOON, &format!("{target} to be answered with {status}"), || async {
            get(HTTP, HOST, target).await.is_some_and(|reply| reply.status == status)
        })
        .await;
    };
    is("/productpage", 200).await;
    is("/admin/x", 404).await;
    let traffic = Traffic::start(HTTP, HOST, "/productpage");
    kube.kubectl(&strictly(&shipped.path("mesh.yaml"), &[]));
    kube.kubectl_with(&strictly("-", &[]), plugin);
    is("/admin/x", 403).await;
    is("/productpage", 200).await;
    kube.kubectl_with(&["delete", "-f", "-"], plugin);
    is("/admin/x", 404).await;
    // The same gate in direct mode, with the word that TSB lacks.
    kube.kubectl(&strictly(&shipped.path("gate.yaml"), &[]));
    is("/admin/x", 403).await;
    traffic.assert_none_failed().await;
    agent.assert_nothing_refused().await;
    assert!(agent.page("/config_dump").await.contains("FAIL_RELOAD"));
}
