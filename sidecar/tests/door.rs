//! The door for gates of other machines, by real TLS: who is listed is served under its proven name, everybody else gets no policy and
//! writes no record, and trust that comes late or is renewed is taken up.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test ends at its first surprise"
)]

#[expect(dead_code, reason = "not every helper is wanted here")]
mod house;
#[expect(dead_code, reason = "the server here is the house")]
#[path = "../src/sink/tests/pki.rs"]
mod pki;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message as FromGate;
use house::{Gate, House, batch, hello, until};
use hyper_util::rt::TokioIo;
use pki::{FAR, Pki, swap_files};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tonic::transport::{Channel, Endpoint};

const INGRESS: &str = "spiffe://cluster.local/ns/istio-system/sa/ingress";
const EGRESS: &str = "spiffe://cluster.local/ns/gateways/sa/egress";
const STRANGER: &str = "spiffe://cluster.local/ns/default/sa/default";

fn configuration(folder: &Path) -> String {
    let file = |name: &str| folder.join("..data").join(name).display().to_string();
    let (certificate, key, authorities) = (file("tls.crt"), file("tls.key"), file("ca.pem"));
    format!(
        "policies: {{ folder: {}, every: 100ms }}\nlisten:\n  tls:\n    address: 127.0.0.1:0\n    certificate: {certificate}\n    \
         key: {key}\n    authorities: {authorities}\n    gates:\n      - {{ identity: \"{INGRESS}\", node: ingress, group: acme/shop, \
         streams: 2 }}\n      - {{ identity: \"spiffe://cluster.local/ns/gateways/sa/*\" }}\n",
        folder.join("policies").display()
    )
}

/// A house with a policy, behind its door, and the authority of both sides.
async fn guarded(folder: &Path) -> (House, Pki) {
    let pki = Pki::new("the mesh");
    pki.mount(folder, "one", FAR);
    let policies = folder.join("policies");
    std::fs::create_dir(&policies).unwrap();
    let policy = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: p }\nspec: { rules: [{ name: a, match: { path: /a }, then: block }] }\n";
    std::fs::write(policies.join("p.yaml"), policy).unwrap();
    let house = House::start(&folder.join("data"), &configuration(folder)).await;
    (house, pki)
}

fn address(house: &House) -> String {
    std::fs::read_to_string(house.data.join("gates.address")).unwrap().trim().to_owned()
}

/// A client that trusts `server` and shows what `own` issued to these URIs.
fn client(server: &Pki, own: Option<(&Pki, &[&str], i32)>, protocol: &[u8]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(server.ca.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut client = match own {
        None => builder.with_no_client_auth(),
        Some((pki, uris, year)) => {
            let (certificate, key) = pki.issue_to(uris, year);
            let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
        }
    };
    client.alpn_protocols = vec![protocol.to_vec()];
    client
}

async fn channel(house: &House, client: ClientConfig) -> Option<Channel> {
    let stream = TcpStream::connect(address(house)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.ok()?;
    let mut once = Some(TokioIo::new(stream));
    let connector = tower::service_fn(move |_| {
        let stream = once.take();
        async move { stream.ok_or_else(|| std::io::Error::other("one connection only")) }
    });
    Endpoint::from_static("http://gatehouse").connect_with_connector(connector).await.ok()
}

async fn attach(house: &House, client: ClientConfig, hello: v1::Hello) -> Option<Gate> {
    Gate::attach_over(channel(house, client).await?, hello).await.ok()
}

async fn refused(house: &House, reason: &str) -> u64 {
    let page = house.admin("/metrics").await.unwrap();
    let name = format!("gatehouse_intake_refused_streams_total{{reason=\"{reason}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_gate_is_served_under_its_proven_name() {
    let dir = tempfile::tempdir().unwrap();
    let (house, pki) = guarded(dir.path()).await;
    let mut gate = attach(&house, client(&pki, Some((&pki, &[INGRESS], FAR)), b"h2"), hello(7, 1)).await.unwrap();
    gate.greeted().await;
    gate.policy().await;
    gate.send(FromGate::Batch(batch(7, 0..3))).await;
    gate.durable(3).await;
    let status = house.status().await;
    let stream = &status["streams"][0];
    assert_eq!(
        (&stream["node"], &stream["node_cluster"]),
        (&"ingress".into(), &"acme/shop".into()),
        "not what Hello said"
    );
    assert_eq!(
        (&status["gates"]["address"], &status["gates"]["waiting"]),
        (&address(&house).into(), &serde_json::Value::Null)
    );
    assert_eq!(status["gates"]["trust"].as_array().unwrap().len(), 2);
    until("the events are there", async || house.events().len() == 3).await;

    // By a pattern, and then called by its identity.
    let mut other = attach(&house, client(&pki, Some((&pki, &[EGRESS], FAR)), b"h2"), hello(8, 1)).await.unwrap();
    other.greeted().await;
    let status = house.status().await;
    assert!(status["streams"].as_array().unwrap().iter().any(|stream| stream["node"] == EGRESS), "{status}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_gets_a_policy_or_writes_a_record() {
    let dir = tempfile::tempdir().unwrap();
    let (house, pki) = guarded(dir.path()).await;
    let elsewhere = Pki::new("another mesh");
    let cases: [(&str, ClientConfig, &str); 7] = [
        ("without a certificate", client(&pki, None, b"h2"), "handshake"),
        ("of another authority", client(&pki, Some((&elsewhere, &[INGRESS], FAR)), b"h2"), "handshake"),
        ("expired", client(&pki, Some((&pki, &[INGRESS], 2001)), b"h2"), "handshake"),
        ("by HTTP/1.1", client(&pki, Some((&pki, &[INGRESS], FAR)), b"http/1.1"), "handshake"),
        ("without an identity", client(&pki, Some((&pki, &[], FAR)), b"h2"), "no_identity"),
        ("with two identities", client(&pki, Some((&pki, &[INGRESS, EGRESS], FAR)), b"h2"), "no_identity"),
        ("not listed", client(&pki, Some((&pki, &[STRANGER], FAR)), b"h2"), "unlisted"),
    ];
    for (who, client, reason) in cases {
        let before = refused(&house, reason).await;
        // The handshake of TLS 1.3 ends for the client before the house has judged it: what counts is that nothing is served.
        if let Some(mut gate) = attach(&house, client, hello(7, 1)).await {
            assert!(gate.answer().await.is_err(), "{who}: it was answered");
        }
        until("it is counted", async || refused(&house, reason).await == before + 1).await;
    }
    let before = refused(&house, "handshake").await;
    let mut plain = TcpStream::connect(address(&house)).await.unwrap();
    plain.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut answer = Vec::new();
    // An alert, or a reset.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(answer.len() < 16, "plain text is answered by an alert at most: {answer:?}");
    until("it is counted", async || refused(&house, "handshake").await == before + 1).await;
    let status = house.status().await;
    assert_eq!((status["streams"].as_array().unwrap().len(), house.events().len()), (0, 0));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_goes_on_with_another_ones_worker_and_streams_are_capped() {
    let dir = tempfile::tempdir().unwrap();
    let (house, pki) = guarded(dir.path()).await;
    let ingress = || client(&pki, Some((&pki, &[INGRESS], FAR)), b"h2");
    let mut first = attach(&house, ingress(), hello(7, 1)).await.unwrap();
    first.greeted().await;
    first.policy().await;
    let mut thief = attach(&house, client(&pki, Some((&pki, &[EGRESS], FAR)), b"h2"), hello(7, 2)).await.unwrap();
    assert_eq!(thief.answer().await.unwrap_err().code(), tonic::Code::PermissionDenied);
    assert_eq!(refused(&house, "foreign_epoch").await, 1);
    first.send(FromGate::Batch(batch(7, 0..1))).await;
    first.durable(1).await;

    let mut second = attach(&house, ingress(), hello(8, 1)).await.unwrap();
    second.greeted().await;
    let mut third = attach(&house, ingress(), hello(9, 1)).await.unwrap();
    assert_eq!(third.answer().await.unwrap_err().code(), tonic::Code::ResourceExhausted);
    drop(second);
    until("a place is free again", async || {
        let mut again = attach(&house, ingress(), hello(9, 1)).await.unwrap();
        again.answer().await.is_ok()
    })
    .await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trust_that_comes_late_or_is_renewed_is_taken_up_while_streams_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(&dir.path().join("data"), &configuration(dir.path())).await;
    let waiting = house.status().await["gates"]["waiting"].as_str().unwrap().to_owned();
    assert!(waiting.starts_with("trust material ("), "{waiting}");
    let pki = Pki::new("the mesh");
    let ingress = |pki: &Pki| client(pki, Some((pki, &[INGRESS], FAR)), b"h2");
    assert!(attach(&house, ingress(&pki), hello(7, 1)).await.is_none());

    pki.mount(dir.path(), "one", FAR);
    until("the door is open", async || house.status().await["gates"]["waiting"].is_null()).await;
    let mut gate = attach(&house, ingress(&pki), hello(7, 1)).await.unwrap();
    gate.greeted().await;

    let renewed = Pki::new("the mesh, renewed");
    renewed.mount(dir.path(), "two", FAR);
    let mut other = None;
    until("the renewed authority is taken up", async || {
        other = attach(&house, ingress(&renewed), hello(8, 1)).await;
        other.is_some()
    })
    .await;
    other.unwrap().greeted().await;
    gate.send(FromGate::Batch(batch(7, 0..2))).await;
    gate.durable(2).await;

    // What cannot be used is told, and what was read before holds.
    swap_files(dir.path(), "three", &[("ca.pem", "nonsense"), ("tls.crt", "nonsense"), ("tls.key", "nonsense")]);
    until("it is told", async || house.status().await["gates"]["waiting"].is_string()).await;
    drop(gate);
    let mut still = attach(&house, ingress(&renewed), hello(9, 1)).await.unwrap();
    still.greeted().await;
    house.stop().await;
}

/// What a peer of this user reads after the preface of HTTP/2: frames, or nothing.
fn as_user(uid: u32, socket: &Path) -> String {
    // Turned away, it may find the other end closed before it has spoken.
    let script = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.settimeout(10)\ns.connect(sys.argv[1])\ntry:\n \
                  s.sendall(b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n' + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))\n \
                  print(len(s.recv(64)))\nexcept ConnectionError:\n print(0)\n";
    let mut command = Command::new("setpriv");
    command.args([
        &format!("--reuid={uid}"),
        &format!("--regid={uid}"),
        "--clear-groups",
        "/usr/bin/python3",
        "-c",
        script,
    ]);
    let done = command.arg(socket).output().expect("setpriv and python3 (Debian: util-linux, python3)");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unix_socket_serves_the_users_that_are_named() {
    if !rustix::process::geteuid().is_root() {
        println!("NOT RUN: only root can be another user");
        return;
    }
    let dir =
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let socket = dir.path().join("house.sock");
    let more = format!("listen: {{ unix: {}, mode: \"0666\", uids: [65533] }}\n", socket.display());
    let house = House::start(&dir.path().join("data"), &more).await;
    let asked = |uid: u32| {
        let socket = socket.clone();
        tokio::task::spawn_blocking(move || as_user(uid, &socket))
    };
    assert_eq!(asked(65534).await.unwrap(), "0");
    assert_eq!(refused(&house, "uid").await, 1);
    assert_ne!(asked(65533).await.unwrap(), "0");
    house.stop().await;
}
