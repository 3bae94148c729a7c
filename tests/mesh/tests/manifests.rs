//! What is checked in under `deploy`: the real API server takes every manifest by its strictest rules, Istio's own tools find nothing wrong,
//! and each broken one in `deploy/bad` is refused by the tool that should refuse it, for the reason that it names.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use gatehouse_mesh::{Helm, Istiod, Kube, helm, istioctl, tool};
use gatehouse_support::parts;

/// A patch for what is there, and values of istiod's chart; all else is whole objects.
const PIECES: [&str; 2] = ["house-patch.yaml", "house-injection.yaml"];

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = parts::root().join("deploy").join(folder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    // A list for `kubectl -k`, not an object.
    files.retain(|path| path.extension().is_some_and(|end| end == "yaml") && !path.ends_with("kustomization.yaml"));
    files.sort();
    files
}

fn forms() -> Vec<String> {
    let entries = std::fs::read_dir(parts::root().join("deploy/istio")).expect("a folder");
    let name =
        |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name().into_string().expect("UTF-8");
    let mut forms: Vec<String> = entries.map(|entry| format!("istio/{}", name(entry))).collect();
    forms.sort();
    forms
}

fn is_piece(path: &Path) -> bool {
    PIECES.iter().any(|piece| path.ends_with(piece))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_server_takes_every_manifest_by_its_strictest_rules() {
    let kube = Kube::start().await.with_resources().await;
    for namespace in ["ingress", "gatehouse", "shop", "istio-egress"] {
        kube.kubectl(&["create", "namespace", namespace]);
    }
    envoy_gateway(&kube);
    let mut taken = 0;
    for form in forms() {
        for file in files(&form).iter().filter(|file| !is_piece(file)) {
            kube.kubectl(&["apply", "--server-side", "--validate=strict", "--dry-run=server", "-f", &text(file)]);
            taken += 1;
        }
    }
    for file in files("envoy-gateway") {
        kube.kubectl(&["apply", "--server-side", "--validate=strict", "--dry-run=server", "-f", &text(&file)]);
        taken += 1;
    }
    for overlay in ["nlb", "local", "daemonset"] {
        let folder = parts::root().join("deploy/overlays").join(overlay).display().to_string();
        let made = kube.kubectl(&["apply", "--server-side", "--validate=strict", "--dry-run=server", "-k", &folder]);
        assert_eq!(made.contains("daemonset.apps/"), overlay == "daemonset", "{made}");
        taken += 1;
    }
    // The patch, on the Deployment of a gateway that knows nothing of a house.
    kube.deploy("istio-ingressgateway", ("istio", "ingressgateway"), "proxy");
    for form in forms() {
        for file in files(&form).iter().filter(|file| file.ends_with("house-patch.yaml")) {
            let patch =
                ["-n", "istio-system", "patch", "deployment", "istio-ingressgateway", "--patch-file", &text(file)];
            kube.kubectl(&[&patch[..], &["--dry-run=server"]].concat());
            let patched = kube.kubectl(&[&patch[..], &["-o", "json"]].concat());
            let patched: serde_json::Value = serde_json::from_str(&patched).expect("JSON");
            let spec = &patched["spec"]["template"]["spec"];
            let names = |list: &serde_json::Value| -> Vec<String> {
                let all = list.as_array().cloned().unwrap_or_default();
                all.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect()
            };
            assert_eq!(names(&spec["containers"]), ["istio-proxy", "gatehouse"], "{form}");
            assert_eq!(names(&spec["initContainers"]), ["gatehouse-module"], "{form}");
            ready_whatever_the_house_does(spec);
            taken += 1;
        }
    }
    println!("{taken} manifests taken");
    assert!(taken >= 24, "only {taken} manifests were found");
}

/// Registers Envoy Gateway's resources.
fn envoy_gateway(kube: &Kube) {
    kube.kubectl(&["apply", "--server-side", "-f", &text(&tool("GATEHOUSE_CRDS").join("envoy-gateway.yaml"))]);
    kube.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
}

/// Kubernetes' rule: a pod is ready when each of its containers is; a container without a readiness probe is ready while it runs. So the
/// house has none, and its first process is one that does not end with it.
fn ready_whatever_the_house_does(spec: &serde_json::Value) {
    let containers = spec["containers"].as_array().expect("containers");
    let house = containers.iter().find(|one| one["name"] == "gatehouse").expect("the house");
    assert!(
        house["readinessProbe"].is_null() && house["livenessProbe"].is_null() && house["startupProbe"].is_null(),
        "{house}"
    );
    assert_eq!(house["args"][0], "supervise", "{house}");
    assert!(house["resources"]["limits"]["memory"].is_string(), "{house}");
    let rights = &house["securityContext"];
    assert_eq!((&rights["runAsNonRoot"], &rights["readOnlyRootFilesystem"]), (&true.into(), &true.into()), "{house}");
    assert_eq!(rights["capabilities"]["drop"][0], "ALL", "{house}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn istios_own_tools_find_nothing_wrong() {
    for form in forms() {
        let whole: Vec<PathBuf> = files(&form).into_iter().filter(|file| !is_piece(file)).collect();
        for file in &whole {
            let output = istioctl(&["validate", "-f", &text(file)]);
            let said = said(&output);
            assert!(output.status.success() && !said.contains("can't unmarshal Any"), "{}:\n{said}", file.display());
        }
        for namespace in ["istio-system", "ingress", "gatehouse", "shop", "istio-egress"] {
            let mut arguments =
                vec!["analyze".to_owned(), "--use-kube=false".to_owned(), "-n".to_owned(), namespace.to_owned()];
            arguments.extend(whole.iter().map(|file| text(file)));
            let output = istioctl(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            let said = said(&output);
            // The services behind our routes are the reader's, not ours.
            let wrong = said.lines().filter(|line| line.starts_with("Error") && !line.contains("IST0101"));
            assert_eq!(wrong.count(), 0, "{form} in {namespace}:\n{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_broken_one_is_refused_by_whom_it_names() {
    let kube = Kube::start().await.with_resources().await;
    envoy_gateway(&kube);
    let _istiod = Istiod::start(&kube).await;
    let bad = files("bad");
    assert!(bad.len() >= 14, "{bad:?}");
    for file in bad {
        let content = std::fs::read_to_string(&file).expect("a file");
        let head = content.lines().next().unwrap_or_default();
        let (who, word) =
            head.strip_prefix("# refused by ").and_then(|rest| rest.split_once(": ")).unwrap_or_else(|| {
                panic!("{} does not say in its first line who refuses it and with which word", file.display())
            });
        let path = text(&file);
        let output = match who {
            "kubectl" => kube
                .try_kubectl(&["apply", "--server-side", "--validate=strict", "--dry-run=server", "-f", &path], None),
            "istioctl" => istioctl(&["validate", "-f", &path]),
            "analyze" => istioctl(&["analyze", "--use-kube=false", "-n", "istio-system", &path]),
            "helm" => {
                Helm::new(&kube).try_run(&["template", &helm::chart(), "--kube-version", "1.37.0", "--values", &path])
            }
            "gatehouse" => Command::new(parts::house()).args(["render", "istio", &path]).output().expect("gatehouse"),
            other => panic!("nobody is called `{other}` ({path})"),
        };
        let said = said(&output);
        // A field that Envoy does not have is a warning to istioctl: the word is what counts there.
        let refused = !output.status.success() || word.contains("unmarshal");
        assert!(refused && said.contains(word), "{who} does not refuse {path} for `{word}`:\n{said}");
    }
}

/// `gatehouse doctor --cluster` in this cluster, as whoever this configuration is.
fn doctor(kubeconfig: &Path, values: &str) -> (bool, String) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), values).expect("a file");
    let path = format!("{}:{}", tool("GATEHOUSE_KUBE").display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(parts::house());
    command.args(["doctor", "--cluster", "--values"]).arg(file.path()).env("KUBECONFIG", kubeconfig).env("PATH", path);
    let done = command.output().expect("gatehouse");
    (done.status.success(), said(&done))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_looks_at_a_cluster_before_the_installation() {
    let bare = Kube::start().await;
    let (fit, found) = doctor(&bare.kubeconfig(), "");
    assert!(!fit && found.contains("`wasmplugins.extensions.istio.io` is not there"), "{found}");
    drop(bare);

    let kube = Kube::start().await.with_resources().await;
    kube.deploy("istiod", ("app", "istiod"), "istio/pilot:1.31.0");
    let (fit, found) = doctor(&kube.kubeconfig(), "");
    assert!(!fit && found.contains("istio-system/istio-ingressgateway") && found.contains("not found"), "{found}");
    kube.deploy("istio-ingressgateway", ("istio", "ingressgateway"), "proxy");
    for values in
        ["", "istio: { kind: TrafficExtension }", "shape: independent\nmodule: { url: oci://registry.example/gate:1 }"]
    {
        let (fit, found) = doctor(&kube.kubeconfig(), values);
        assert!(fit && found.contains("Kubernetes: v1.37.2") && found.contains("Istio: 1.31.0"), "{values}\n{found}");
    }
    // Somebody who may only look.
    kube.kubectl(&["create", "namespace", "visitors"]);
    kube.kubectl(&["-n", "visitors", "create", "serviceaccount", "visitor"]);
    kube.kubectl(&[
        "create",
        "clusterrolebinding",
        "visitor",
        "--clusterrole=view",
        "--serviceaccount=visitors:visitor",
    ]);
    kube.kubectl(&["create", "clusterrole", "definitions", "--verb=get,list", "--resource=customresourcedefinitions"]);
    kube.kubectl(&[
        "create",
        "clusterrolebinding",
        "definitions",
        "--clusterrole=definitions",
        "--serviceaccount=visitors:visitor",
    ]);
    let token = kube.kubectl(&["-n", "visitors", "create", "token", "visitor"]);
    let config = std::fs::read_to_string(kube.kubeconfig()).expect("the configuration");
    let mut config: serde_json::Value = serde_json::from_str(&config).expect("JSON");
    config["users"][0]["user"]["token"] = token.trim().into();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), config.to_string()).expect("a file");
    let (fit, found) = doctor(file.path(), "");
    assert!(!fit && found.contains("you may not create wasmplugins.extensions.istio.io in istio-system"), "{found}");
}
