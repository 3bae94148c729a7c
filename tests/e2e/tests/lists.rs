//! A list from outside, through a real Envoy: who is listed is blocked, who is taken off passes, and what goes wrong at the source
//! changes nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatehouse_e2e::{HOST, house_bootstrap};
use gatehouse_support::client::{exchange, request};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::house::Setup;
use gatehouse_support::{Envoy, Gate, Gateway, House, Upstream, wait};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const SOON: Duration = Duration::from_secs(20);

/// Serves one text over HTTP on loopback, until it is stopped.
struct Source {
    port: u16,
    says: Arc<Mutex<(u16, String)>>,
    task: JoinHandle<()>,
}

impl Source {
    async fn start(text: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let says = Arc::new(Mutex::new((200, text.to_owned())));
        let shared = Arc::clone(&says);
        let task = tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let _ = peer.read(&mut head).await;
                let (status, text) = shared.lock().expect("sound").clone();
                let length = text.len();
                let answer =
                    format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}");
                let _ = peer.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, says, task }
    }

    fn say(&self, status: u16, text: &str) {
        *self.says.lock().expect("sound") = (status, text.to_owned());
    }
}

async fn status_of(envoy: &Envoy) -> u16 {
    let bytes = request("GET", "/", &[("host", HOST)], b"");
    exchange(envoy.address(), &bytes).await.map_or(0, |reply| reply.status)
}

/// Waits until every worker answers so: a connection goes to any of them.
async fn everywhere(envoy: &Envoy, status: u16, what: &str) {
    wait::until_true(SOON, what, || async {
        for _ in 0..12 {
            if status_of(envoy).await != status {
                return false;
            }
        }
        true
    })
    .await;
}

async fn problem(house: &House, words: &str) {
    wait::until_true(SOON, words, || async {
        let status = house.status().await;
        status["lists"][0]["fetched"]["problem"].as_str().is_some_and(|told| told.contains(words))
    })
    .await;
}

#[tokio::test]
async fn who_is_listed_is_blocked_until_the_list_says_otherwise_whatever_goes_wrong_between() {
    let (upstream, source) = (Upstream::start().await, Source::start("127.0.0.0/8\n").await);
    let url = format!("http://127.0.0.1:{}/bad.txt", source.port);
    let policy = json!({
        "apiVersion": "gatehouse.dev/v1", "kind": "Policy", "metadata": { "name": "shop" },
        "spec": {
            "mode": "enforce",
            "lists": { "feed": { "from": { "url": url }, "every": "1s", "expires": "1h" } },
            "rules": [{ "name": "listed", "match": { "verdict": { "list": "feed" } }, "then": "block" }]
        }
    });
    let extra =
        format!("lists: {{ size: 4KiB, sources: {{ feed: {{ url: \"http://127.0.0.1:{}/\" }} }} }}", source.port);
    let setup = Setup { policies: vec![("policy.yaml".into(), policy.to_string())], extra };
    let mut house = House::start_with(&setup).await;
    let mut gateway = Gateway::new(upstream.address()).with_gate(Gate::new(house_bootstrap()));
    gateway.house = HouseAt::Socket(house.socket());
    gateway.concurrency = 2;
    let envoy = Envoy::start(&gateway).await;
    everywhere(&envoy, 403, "the listed client to be blocked").await;
    source.say(200, "192.0.2.7\n");
    everywhere(&envoy, 200, "the client that was taken off to pass").await;
    source.say(200, "127.0.0.1\n");
    everywhere(&envoy, 403, "the client to be blocked again").await;

    source.say(500, "");
    problem(&house, "status 500").await;
    source.say(200, "<html>closed</html>");
    problem(&house, "are no addresses").await;
    source.say(200, &"192.0.2.7\n".repeat(1000));
    problem(&house, "length limit exceeded").await;
    everywhere(&envoy, 403, "the last good list to stay").await;

    // Neither the house nor the source is needed for it.
    source.task.abort();
    house.kill().await;
    everywhere(&envoy, 403, "the list to hold without the house").await;
    house.run().await;
    let fresh = Envoy::start(&gateway).await;
    everywhere(&fresh, 403, "the kept list to reach a new gateway").await;
    envoy.assert_filter_sound().await;
    fresh.assert_filter_sound().await;
}
