//! Four small services that call each other: a page that asks for details and reviews, and reviews that ask for ratings.

use std::net::{Ipv4Addr, SocketAddr};

use gatehouse_support::client::{exchange, request};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Name and port of each.
pub const SERVICES: [(&str, u16); 4] = [("productpage", 9080), ("details", 9081), ("reviews", 9082), ("ratings", 9083)];

/// They serve until the process ends.
#[derive(Debug)]
pub struct Apps;

impl Apps {
    /// Starts all four.
    ///
    /// # Panics
    /// When a port is taken.
    pub async fn start() -> Self {
        for (name, port) in SERVICES {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("a free port");
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(name, stream));
                }
            });
        }
        Self
    }

    /// What tells the mesh where they are.
    pub fn entries() -> String {
        let entry = |(name, port): (&str, u16)| {
            json!({
                "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
                "metadata": { "name": name, "namespace": "default" },
                "spec": {
                    "hosts": [format!("{name}.default.svc.cluster.local")], "location": "MESH_EXTERNAL", "resolution": "STATIC",
                    "ports": [{ "number": port, "name": "http", "protocol": "HTTP" }],
                    "endpoints": [{ "address": "127.0.0.1" }],
                },
            })
        };
        json!({ "apiVersion": "v1", "kind": "List", "items": SERVICES.map(entry) }).to_string()
    }
}

/// One request a turn, until the peer goes.
async fn serve(name: &'static str, mut stream: TcpStream) {
    let mut held = Vec::new();
    loop {
        let Some(head) = head(&mut stream, &mut held).await else { return };
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let (status, body) = answer(name, &path).await;
        let text = body.to_string();
        let reply = format!(
            "HTTP/1.1 {status} Any\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        );
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn head(stream: &mut TcpStream, held: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = held.windows(4).position(|four| four == b"\r\n\r\n") {
            let head: Vec<u8> = held.drain(..end + 4).collect();
            return String::from_utf8(head).ok();
        }
        let mut some = [0; 4096];
        match stream.read(&mut some).await {
            Ok(count) if count > 0 && held.len() < 65_536 => held.extend(some.iter().take(count)),
            _ => return None,
        }
    }
}

async fn answer(name: &str, path: &str) -> (u16, Value) {
    match (name, path) {
        ("productpage", "/productpage") => {
            let (details, reviews) = tokio::join!(ask(9081, "/details/0"), ask(9082, "/reviews/0"));
            let status = if details.is_null() || reviews.is_null() { 502 } else { 200 };
            (status, json!({ "page": "The Comedy of Errors", "details": details, "reviews": reviews }))
        }
        ("details", "/details/0") => (200, json!({ "pages": 200, "type": "paperback" })),
        ("reviews", "/reviews/0") => match ask(9083, "/ratings/0").await {
            Value::Null => (502, Value::Null),
            ratings => (200, json!([{ "text": "an extremely entertaining play", "ratings": ratings }])),
        },
        ("ratings", "/ratings/0") => (200, json!({ "stars": 5 })),
        _ => (404, Value::Null),
    }
}

async fn ask(port: u16, path: &str) -> Value {
    let asked = request("GET", path, &[("host", "app"), ("connection", "close")], b"");
    let reply = exchange(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), &asked).await;
    let body = reply.ok().filter(|reply| reply.status == 200).map(|reply| reply.body);
    body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default()
}
