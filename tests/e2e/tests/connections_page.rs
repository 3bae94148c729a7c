//! What `docs/connections.md` shows is taken by whom it is for: policies by the compiler, values by `render`, a guard's configuration by the
//! guard, the listener by Envoy.

use std::path::Path;
use std::process::{Command, Output};

use gatehouse_support::parts;
use gatehouse_support::tls::Authority;
use tempfile::TempDir;

/// The blocks of YAML on the page, as they stand.
fn blocks() -> Vec<String> {
    let page = std::fs::read_to_string(parts::root().join("docs/connections.md")).expect("the page");
    let block = |rest: &str| rest.split("\n```").next().unwrap_or_default().to_owned() + "\n";
    page.split("```yaml\n").skip(1).map(block).collect()
}

/// Runs `gatehouse` with a block in a file of its own behind its arguments.
fn taken(arguments: &[&str], block: &str, more: &[&str]) {
    let folder = TempDir::new().expect("a folder");
    let file = write(folder.path(), "block.yaml", block);
    let mut command = Command::new(parts::house());
    succeeds(&command.args(arguments).arg(&file).args(more).output().expect("gatehouse"), block);
}

fn succeeds(output: &Output, block: &str) {
    let said = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy).concat();
    assert!(output.status.success(), "{said}\n{block}");
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a file");
    path.display().to_string()
}

/// A guard reads its policies too: there are none in the folder that the page names, so one of the page's own stands in.
fn guarded(block: &str, policy: &str) {
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), "policy.yaml", policy);
    let own = block.replace("/etc/gatehouse/policies", &folder.path().display().to_string());
    taken(&["guard", "--check", "--config"], &own, &[]);
}

/// The tests of the page's first policy hold, and reach all of it.
fn tested(block: &str, policy: &str) {
    let folder = TempDir::new().expect("a folder");
    write(folder.path(), "orders.yaml", policy);
    let file = write(folder.path(), "orders.test.yaml", block);
    let output = Command::new(parts::house()).args(["test", &file]).output().expect("gatehouse");
    succeeds(&output, block);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("no case reaches"), "{block}");
}

/// Envoy takes the listener with the clusters that the page leaves to the reader, and with files that are there.
fn listened(block: &str) {
    let authority = Authority::new();
    let own = authority.server();
    let clusters =
        ["orders", "gatehouse"].map(|name| format!("    - {{ name: {name}, connect_timeout: 1s }}\n")).concat();
    let mut text = format!("{block}  clusters:\n{clusters}");
    for (shipped, ours) in [
        ("/etc/gatehouse/tls/tls.crt", own.certificate.clone()),
        ("/etc/gatehouse/tls/tls.key", own.key.clone()),
        ("/etc/gatehouse/tls/ca.crt", authority.root()),
        ("/etc/gatehouse/gatehouse_tcp.wasm", parts::tcp_wasm()),
    ] {
        assert!(text.contains(shipped), "{shipped}");
        text = text.replace(shipped, &ours.display().to_string());
    }
    bootstrapped(&text);
}

/// Envoy takes this as its configuration.
fn bootstrapped(text: &str) {
    let folder = TempDir::new().expect("a folder");
    let file = write(folder.path(), "envoy.yaml", text);
    let mut command = Command::new(parts::envoy());
    let validate = ["--mode", "validate", "--log-level", "warning", "-c"];
    succeeds(&command.args(validate).arg(file).output().expect("Envoy"), text);
}

#[test]
fn every_block_is_taken_by_whom_it_is_for() {
    let blocks = blocks();
    let policy = blocks.iter().find(|block| block.contains("kind: TcpPolicy")).expect("a policy");
    let mut kinds = std::collections::BTreeMap::<&str, usize>::new();
    for block in &blocks {
        let kind = if block.starts_with("apiVersion: gatehouse.dev") {
            taken(&["check"], block, &[]);
            "policy"
        } else if block.starts_with("policy:") {
            tested(block, policy);
            "tests"
        } else if block.starts_with("static_resources") {
            listened(block);
            "listener"
        } else if block.starts_with("overload_manager") {
            bootstrapped(block);
            "bootstrap"
        } else if block.starts_with("apiVersion: networking.istio.io") {
            // `make mesh` applies it to a cluster: tests/mesh/tests/registered.rs.
            "registration"
        } else if block.starts_with("node:") {
            guarded(block, policy);
            "guard"
        } else if block.starts_with("house:") {
            // The other form of one section of the guard's.
            let whole = blocks.iter().find(|block| block.starts_with("node:")).expect("a guard's");
            let without = whole.lines().filter(|line| !line.starts_with("house:")).collect::<Vec<_>>().join("\n");
            guarded(&format!("{without}\n{block}"), policy);
            "house"
        } else {
            let folder = TempDir::new().expect("a folder");
            taken(&["render", "istio"], block, &["-o", &folder.path().display().to_string()]);
            "values"
        };
        *kinds.entry(kind).or_default() += 1;
    }
    let expected = [
        ("bootstrap", 1),
        ("guard", 2),
        ("house", 1),
        ("listener", 1),
        ("policy", 3),
        ("registration", 1),
        ("tests", 1),
        ("values", 3),
    ];
    assert_eq!(kinds, expected.into_iter().collect(), "the page has changed: does this test know of it?");
}
