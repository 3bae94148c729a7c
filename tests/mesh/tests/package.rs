//! The packages for a virtual machine, installed, used, upgraded and removed on a system with its own systemd: the service runs with every door
//! that its unit shuts, Envoy with the shipped configuration asks it for policy, what kills it is undone by systemd, and a purge leaves nothing.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use gatehouse_mesh::machine::Machine;
use gatehouse_mesh::traffic::get;
use gatehouse_support::{parts, wait};

const SOON: Duration = Duration::from_secs(60);

fn packages(into: &Path) -> (PathBuf, PathBuf) {
    let mut command = Command::new(parts::root().join("deploy/vm/package"));
    let done = command.args([parts::modules(), parts::house()]).arg(into).output().expect("python3");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    let mut paths = said.lines().map(PathBuf::from);
    (paths.next().expect("the Debian package"), paths.next().expect("the tarball"))
}

async fn ready(machine: &Machine) {
    wait::until_true(SOON, "the house to be ready", || {
        let probed = machine.run(&["gatehouse", "probe", "ready"]);
        async move { probed.status.success() }
    })
    .await;
    assert_eq!(machine.says(&["systemctl", "is-active", "gatehouse"]).trim(), "active");
}

/// It runs as nobody special, and its socket is for its group.
fn is_held_down(machine: &Machine) {
    let who = machine.says(&["ps", "-o", "user=", "-C", "gatehouse"]);
    assert_eq!(who.trim(), "gatehouse");
    assert_eq!(
        machine.says(&["stat", "-c", "%U %G %a", "/run/gatehouse/house.sock"]).trim(),
        "gatehouse gatehouse 660"
    );
    assert_eq!(machine.says(&["stat", "-c", "%U %a", "/var/lib/gatehouse"]).trim(), "gatehouse 700");
    let judged = machine.says(&["systemd-analyze", "security", "--no-pager", "gatehouse"]);
    let score = judged.lines().find_map(|line| line.split("Overall exposure level for gatehouse.service:").nth(1));
    let score: f32 = score.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).expect("a level");
    println!("exposure level {score}");
    assert!(score < 2.0, "{judged}");
}

/// A process of the machine; it ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Envoy with the configuration that the package brings, as a user whose group is the house's.
async fn guarded(machine: &Machine, envoy: &str) {
    machine.says(&["useradd", "--system", "--groups", "gatehouse", "envoy"]);
    let config = machine.says(&["cat", "/usr/share/doc/gatehouse/envoy.yaml"]);
    std::fs::write(machine.shared().join("envoy.yaml"), config.replace("port_value: 9901", "port_value: 0"))
        .expect("a file");
    // What runs in a machine is ended by a signal to it, not to who started it.
    let line = format!("exec {envoy} -c /mnt/envoy.yaml --use-dynamic-base-id --concurrency 2 --log-level warning");
    let mut command =
        machine.command(&["setpriv", "--reuid=envoy", "--regid=envoy", "--init-groups", "bash", "-c", &line]);
    let _envoy = Running(command.spawn().expect("Envoy"));
    // No application stands behind it: what is let through is answered with 503.
    wait::until_true(SOON, "the gateway to answer", || async { status("/").await == Some(503) }).await;
    machine.says(&["sed", "-i", "s/mode: monitor/mode: enforce/", "/etc/gatehouse/policies/starter.yaml"]);
    // A connection goes to any worker, and each takes the policy for itself.
    wait::until_true(SOON, "the starter policy to be enforced by every worker", || async {
        for _ in 0..12 {
            if status("/.env").await != Some(403) {
                return false;
            }
        }
        true
    })
    .await;
    machine.says(&["systemctl", "kill", "--signal=KILL", "gatehouse"]);
    wait::until_true(SOON, "systemd to start the house again", || {
        let probed = machine.run(&["gatehouse", "probe", "ready"]);
        async move { probed.status.success() }
    })
    .await;
    assert_eq!(status("/.env").await, Some(403));
    let doctor = wait::until(SOON, "records at the house", || {
        let said = machine.run(&["gatehouse", "books"]);
        async move { said.status.success().then_some(said) }
    })
    .await;
    println!("{}", String::from_utf8_lossy(&doctor.stdout));
    machine.says(&["pkill", "-KILL", "-u", "envoy"]);
    wait::until_true(SOON, "the user of an ended Envoy to go", || {
        let gone = machine.run(&["userdel", "envoy"]);
        async move { gone.status.success() }
    })
    .await;
}

async fn status(target: &str) -> Option<u16> {
    get(8080, "shop.example.com", target).await.map(|reply| reply.status)
}

fn is_gone(machine: &Machine) {
    for path in [
        "/usr/bin/gatehouse",
        "/usr/lib/gatehouse",
        "/usr/lib/systemd/system/gatehouse.service",
        "/etc/gatehouse",
        "/var/lib/gatehouse",
        "/run/gatehouse",
    ] {
        assert!(!machine.has(path), "{path} is left");
    }
    let left = machine.run(&["systemctl", "is-active", "gatehouse"]);
    assert_eq!(String::from_utf8_lossy(&left.stdout).trim(), "inactive");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_packages_are_installed_used_and_removed() {
    let built = tempfile::tempdir().expect("a folder");
    let (deb, tarball) = packages(built.path());
    let machine = Machine::boot().await;
    let deb = machine.bring(&deb, "gatehouse.deb").display().to_string();
    let tarball = machine.bring(&tarball, "gatehouse.tar.gz").display().to_string();
    machine.bring(&parts::envoy(), "envoy");

    machine.says(&["dpkg", "--install", &deb]);
    ready(&machine).await;
    is_held_down(&machine);
    guarded(&machine, "/mnt/envoy").await;
    // An upgrade keeps what operators wrote.
    machine.says(&["dpkg", "--install", &deb]);
    ready(&machine).await;
    assert!(machine.says(&["cat", "/etc/gatehouse/policies/starter.yaml"]).contains("mode: enforce"));
    machine.says(&["dpkg", "--remove", "gatehouse"]);
    assert!(machine.has("/etc/gatehouse/house.yaml") && machine.has("/var/lib/gatehouse/spool"), "what is whose stays");
    assert!(!machine.has("/usr/bin/gatehouse"));
    machine.says(&["dpkg", "--purge", "gatehouse"]);
    is_gone(&machine);

    machine.says(&["tar", "-xzf", &tarball, "-C", "/root"]);
    let unpacked = machine.says(&["bash", "-c", "echo /root/gatehouse-*"]).trim().to_owned();
    machine.says(&[&format!("{unpacked}/install.sh")]);
    ready(&machine).await;
    is_held_down(&machine);
    machine.says(&["sed", "-i", "s/mode: monitor/mode: canary 10%/", "/etc/gatehouse/policies/starter.yaml"]);
    machine.says(&[&format!("{unpacked}/install.sh")]);
    ready(&machine).await;
    assert!(machine.says(&["cat", "/etc/gatehouse/policies/starter.yaml"]).contains("canary"));
    machine.says(&[&format!("{unpacked}/uninstall.sh")]);
    assert!(machine.has("/etc/gatehouse/house.yaml"));
    machine.says(&[&format!("{unpacked}/uninstall.sh"), "--purge"]);
    is_gone(&machine);
}
