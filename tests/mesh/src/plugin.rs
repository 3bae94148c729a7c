//! What a network plugin does for a pod: what comes in is led to its proxy; a network namespace of its own, and the NetworkPolicies of its
//! Kubernetes namespace in force there, by the kernel's packet filter. It reads as much of a NetworkPolicy as our manifests have, and stops a test at anything else.

use std::net::Ipv4Addr;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::Kube;

/// Both ends of the wire to the pod.
const NODE: Ipv4Addr = Ipv4Addr::new(10, 254, 0, 1);
const POD: Ipv4Addr = Ipv4Addr::new(10, 254, 0, 2);

/// Where a proxy takes in what was led to it, and the address from which it connects on to its own pod.
const INBOUND: u16 = 15006;
const ONWARD: &str = "127.0.0.6";

/// A pod without a proxy; its network ends with this value.
#[derive(Debug)]
pub struct Bare {
    name: &'static str,
}

impl Bare {
    /// Its network, with a way to everything that this machine has.
    ///
    /// # Panics
    /// The kernel, or `ip`, will not.
    pub fn start(name: &'static str) -> Self {
        run(&["ip", "netns", "add", name]);
        run(&["ip", "link", "add", "node", "type", "veth", "peer", "name", "eth0", "netns", name]);
        run(&["ip", "address", "add", &format!("{NODE}/30"), "dev", "node"]);
        run(&["ip", "link", "set", "node", "up"]);
        let pod = Self { name };
        pod.inside(&["ip", "address", "add", &format!("{POD}/30"), "dev", "eth0"]);
        pod.inside(&["ip", "link", "set", "eth0", "up"]);
        pod.inside(&["ip", "route", "add", "default", "via", &NODE.to_string()]);
        pod
    }

    /// Whether it gets a connection to this address.
    pub fn reaches(&self, address: &str, port: u16) -> bool {
        let dial = format!("</dev/tcp/{address}/{port}");
        let mut command = self.command(&["timeout", "3", "bash", "-c", &dial]);
        command.stderr(Stdio::null()).status().expect("ip").success()
    }

    /// Puts the NetworkPolicies of this namespace in force, as they are now, with the pods that the cluster has now.
    ///
    /// # Panics
    /// One says what this plugin cannot read.
    pub fn enforce(&self, kube: &Kube, namespace: &str) {
        let said = kube.kubectl(&["-n", namespace, "get", "networkpolicies", "-o", "json"]);
        let policies: Value = serde_json::from_str(&said).expect("JSON");
        let egress: Vec<&Value> = list(&policies["items"])
            .iter()
            .filter(|policy| list(&policy["spec"]["policyTypes"]).contains(&"Egress".into()))
            .collect();
        assert!(!egress.is_empty(), "no policy speaks of what leaves: {policies}");
        let mut peers = Vec::new();
        for policy in egress {
            assert_eq!(policy["spec"]["podSelector"], serde_json::json!({}), "every pod: {policy}");
            for rule in list(&policy["spec"]["egress"]) {
                assert!(rule["ports"].is_null(), "no ports are read: {rule}");
                peers.extend(list(&rule["to"]).iter().flat_map(|peer| addresses(kube, peer)));
            }
        }
        let peers =
            if peers.is_empty() { String::new() } else { format!("ip daddr {{ {} }} accept\n", peers.join(", ")) };
        let rules = format!(
            "table inet plugin {{\nchain leaves {{\ntype filter hook output priority 0; policy drop\n\
             ct state established,related accept\n{peers}}}\n}}\n"
        );
        self.inside(&["nft", &rules]);
    }

    fn inside(&self, words: &[&str]) {
        let output = self.command(words).output().expect("ip can be started");
        assert!(output.status.success(), "{words:?}: {}", said(&output));
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.name]).args(words);
        command
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", self.name]).status();
    }
}

/// The addresses of a peer: every pod of the cluster.
fn addresses(kube: &Kube, peer: &Value) -> Vec<String> {
    assert_eq!(*peer, serde_json::json!({ "namespaceSelector": {} }), "every pod of every namespace, and nothing else");
    let said = kube.kubectl(&["get", "pods", "-A", "-o", "json"]);
    let pods: Value = serde_json::from_str(&said).expect("JSON");
    list(&pods["items"]).iter().filter_map(|pod| pod["status"]["podIP"].as_str().map(str::to_owned)).collect()
}

/// Leads what comes in to these ports of a pod to its proxy, as Istio's own rules do; the proxy itself goes on from [`ONWARD`].
///
/// # Panics
/// The kernel will not.
pub fn intercept(address: &str, ports: &[u16]) {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let rules = format!(
        "table ip istio {{\nchain comes {{\ntype nat hook output priority -100\n\
         ip saddr != {ONWARD} ip daddr {address} tcp dport {{ {} }} redirect to :{INBOUND}\n}}\n}}\n",
        ports.join(", ")
    );
    run(&["nft", &rules]);
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn run(words: &[&str]) {
    let (program, arguments) = words.split_first().expect("a program");
    let output = Command::new(program).args(arguments).output().expect("it can be started");
    assert!(output.status.success(), "{words:?}: {}", said(&output));
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
