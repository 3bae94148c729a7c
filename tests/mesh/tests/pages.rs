//! Every command that the pages print is typed, in order, as a reader would: blocks marked `sh` of these pages, each section in a cluster of its
//! own. And the pod that is made on the way stays ready whatever becomes of the house in it.

use std::path::Path;
use std::time::Duration;

use gatehouse_mesh::agent::Pod;
use gatehouse_mesh::node::Node;
use gatehouse_mesh::{Agent, Apps, Helm, Istiod, Kube, NAMESPACE};
use gatehouse_support::process::{Signal, children, send};
use gatehouse_support::{parts, wait};

const SOON: Duration = Duration::from_secs(60);
const PAGES: [&str; 4] = ["first-day.md", "debugging.md", "install.md", "migrating-from-a-hairpin.md"];
const DEPLOYMENT: &str = "istio-ingressgateway";

/// A section that prints commands.
struct Section {
    title: String,
    values: Option<String>,
    commands: Vec<String>,
}

/// The sections of a page that have something to type.
fn sections(page: &str) -> Vec<Section> {
    let text = std::fs::read_to_string(parts::root().join("docs").join(page)).expect("a page");
    let (mut all, mut block) = (Vec::<Section>::new(), None::<(String, String)>);
    for line in text.lines() {
        match &mut block {
            None if line.starts_with("## ") => {
                all.push(Section {
                    title: format!("{page}: {}", line.trim_start_matches('#').trim()),
                    values: None,
                    commands: Vec::new(),
                });
            }
            None => block = line.strip_prefix("```").map(|kind| (kind.to_owned(), String::new())),
            Some((kind, body)) if line == "```" => {
                if let Some(section) = all.last_mut() {
                    match kind.as_str() {
                        "sh" => section.commands.push(body.clone()),
                        "yaml" if body.starts_with("# values.yaml") => section.values = Some(body.clone()),
                        _ => {}
                    }
                }
                block = None;
            }
            Some((_, body)) => {
                body.push_str(line);
                body.push('\n');
            }
        }
    }
    all.retain(|section| !section.commands.is_empty());
    all
}

struct Stage {
    node: Node,
    _agent: Agent,
    _istiod: Istiod,
    kube: Kube,
}

impl Stage {
    /// A mesh as its operators have it: a gateway whose Deployment knows nothing of us, and an application.
    async fn set() -> Self {
        let kube = Kube::start().await.with_resources().await;
        let istiod = Istiod::start(&kube).await;
        kube.deploy("istiod", ("app", "istiod"), "istio/pilot:1.31.0");
        kube.deploy(DEPLOYMENT, ("istio", "ingressgateway"), "proxy");
        kube.kubectl(&["-n", NAMESPACE, "create", "serviceaccount", DEPLOYMENT]);
        // As Istio's own gateway has it: certificates of `credentialName` reach it.
        let role = ["create", "role", "sds", "--verb=get,list,watch", "--resource=secrets"];
        kube.kubectl(&[&["-n", NAMESPACE][..], &role].concat());
        let account = format!("--serviceaccount={NAMESPACE}:{DEPLOYMENT}");
        kube.kubectl(&["-n", NAMESPACE, "create", "rolebinding", "sds", "--role=sds", &account]);
        kube.kubectl_with(&["apply", "-f", "-"], &Apps::entries());
        // What TSB would bring, as far as we know it.
        kube.kubectl(&[
            "apply",
            "--server-side",
            "-f",
            &parts::root().join("tests/mesh/tsb.yaml").display().to_string(),
        ]);
        let pod = Pod { account: DEPLOYMENT, ports: 15000, ..Pod::gateway() };
        let agent = Agent::start_pod(&kube, &istiod, &pod).await;
        Self { node: Node::new(), _agent: agent, _istiod: istiod, kube }
    }

    /// Types the commands, while the node does its part.
    async fn types(&mut self, section: &Section, folder: &Path, charts: &str) {
        if let Some(values) = &section.values {
            std::fs::write(folder.join("values.yaml"), values).expect("a file");
        }
        // A reader reads on before the next block.
        let script = section.commands.join("sleep 2\n");
        let log = folder.join("typed.log");
        let mut command = self.node.shell(&self.kube);
        let out = std::fs::File::create(&log).expect("a file");
        command
            .args(["-x", "-c", &script])
            .current_dir(folder)
            .env("GATEWAY", "http://127.0.0.1:8080")
            .env("GATEWAY_ADDRESS", "127.0.0.1")
            .env("CHARTS", charts);
        command.stdout(out.try_clone().expect("a file")).stderr(out);
        let mut typed = command.spawn().expect("a shell");
        let status = loop {
            if let Some(status) = typed.try_wait().expect("the shell") {
                break status;
            }
            self.node.turn(&self.kube, DEPLOYMENT);
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        assert!(
            status.success(),
            "{}:\n{said}\n{}",
            section.title,
            std::fs::read_to_string(self.node.log()).unwrap_or_default()
        );
        println!("== {}\n{said}", section.title);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_that_the_pages_print_does_what_it_says() {
    let _apps = Apps::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (charts, _server) = Helm::repository(folder.path(), &["0.1.0"]);
    let (mut typed, mut ready) = (0, 0);
    for section in PAGES.iter().flat_map(|page| sections(page)) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut stage = Stage::set().await;
        if section.title.starts_with("migrating") {
            let detour = parts::root().join("deploy/migrate/envoy-filter.yaml").display().to_string();
            stage.kube.kubectl(&["apply", "-f", &detour]);
        }
        stage.types(&section, folder.path(), &charts).await;
        if section.title.starts_with("first-day.md") {
            stays_ready_while_the_house_crashes(&mut stage).await;
            ready += 1;
        }
        typed += section.commands.iter().map(|block| block.lines().count()).sum::<usize>();
    }
    println!("{typed} lines typed");
    assert!(typed >= 60 && ready == 1, "only {typed} lines");
}

/// Kubernetes' readiness rule, on the pod that the first day made.
async fn stays_ready_while_the_house_crashes(stage: &mut Stage) {
    for _ in 0..3 {
        let house = children(stage.node.first());
        assert!(!house.is_empty(), "the supervisor has a child");
        house.iter().for_each(|&id| send(id, Signal::KILL));
        for _ in 0..20 {
            assert!(stage.node.is_ready(), "Kubernetes would take the gateway out of its Service");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        wait::until_true(SOON, "the house to be there again", || {
            let there = children(stage.node.first()).iter().any(|id| !house.contains(id));
            async move { there }
        })
        .await;
    }
}
