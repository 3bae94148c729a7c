//! Requests that two parsers may read differently, as raw bytes through a real Envoy to an application that keeps raw bytes:
//! each is refused by Envoy, refused by the gate, or forwarded in a form that has one reading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatehouse_e2e::raw::{RawUpstream, second_readings};
use gatehouse_e2e::{HOST, policy};
use gatehouse_policy::document::{self, Node, Problems, Value};
use gatehouse_support::client::Http1;
use gatehouse_support::{Envoy, Gate, Gateway};
use serde_json::json;

/// Envoy's answer to a transfer coding that it does not know (RFC 9112, 6.1).
const UNKNOWN_CODING: u16 = 501;

/// One case of the data.
struct Case {
    name: String,
    bytes: Vec<u8>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    RefusedByEnvoy,
    RefusedByTheGate,
    Forwarded,
}

#[tokio::test]
async fn no_request_is_forwarded_in_a_form_that_has_two_readings() {
    let Some(cases) = cases() else {
        eprintln!("SKIPPED: the cases are not beside this checkout");
        return;
    };
    let upstream = RawUpstream::start().await;
    let rules = json!([{ "name": "smuggled", "match": { "path": "/smuggled" }, "then": "block" }]);
    let gateway = Gateway::new(upstream.address()).with_gate(Gate::new(json!({ "policy": policy("enforce", rules) })));
    let envoy = Envoy::start(&gateway).await;
    let mut fates: BTreeMap<Fate, usize> = BTreeMap::new();
    let mut doubtful = Vec::new();
    for case in &cases {
        let before = upstream.bytes();
        let (status, details) = send(&envoy, &case.bytes).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        // A connection carries one request; Envoy may have opened it for an earlier case already.
        let known = before.iter().map(Vec::len).chain(std::iter::repeat(0));
        let fresh = upstream.bytes().into_iter().zip(known).filter(|(now, before)| now.len() > *before);
        let forwarded: Vec<Vec<u8>> = fresh.map(|(bytes, _)| bytes).collect();
        let fate = match (forwarded.is_empty(), details) {
            (false, _) => Fate::Forwarded,
            (true, true) => Fate::RefusedByTheGate,
            (true, false) => Fate::RefusedByEnvoy,
        };
        println!("{:<18} {:>4} {}", format!("{fate:?}"), status.map_or("-".to_owned(), |s| s.to_string()), case.name);
        *fates.entry(fate).or_default() += 1;
        let readings: Vec<String> = forwarded.iter().flat_map(|bytes| second_readings(bytes)).collect();
        if !readings.is_empty() || status.is_some_and(|status| status >= 500 && status != UNKNOWN_CODING) {
            doubtful.push((
                case.name.clone(),
                status,
                readings,
                String::from_utf8_lossy(&forwarded.concat()).into_owned(),
            ));
        }
    }
    println!("{} cases: {fates:?}", cases.len());
    assert_eq!(cases.len(), 159);
    assert!(doubtful.is_empty(), "{doubtful:#?}");
    envoy.assert_filter_sound().await;
}

/// The status, and whether the gate answered.
async fn send(envoy: &Envoy, bytes: &[u8]) -> (Option<u16>, bool) {
    let once = async {
        let mut client = Http1::connect(envoy.address()).await?;
        client.send(bytes).await?;
        client.reply("POST").await
    };
    match tokio::time::timeout(Duration::from_secs(3), once).await {
        Ok(Ok(reply)) => (Some(reply.status), reply.field("x-gatehouse-reference").is_some()),
        Ok(Err(_)) | Err(_) => (None, false),
    }
}

/// Every case of every file; `None`: the folder is not there.
fn cases() -> Option<Vec<Case>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/bench-data/desync");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    Some(files.iter().flat_map(|file| read(file)).collect())
}

fn read(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).expect("a readable file");
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let nodes = document::yaml(&name, &text).unwrap_or_else(|problems| panic!("{name}: {problems}"));
    nodes.iter().flat_map(Node::one_or_many).map(case).collect()
}

fn case(node: &Node) -> Case {
    let mut problems = Problems::default();
    let field = |name: &str| entry(node, name).map(text).unwrap_or_default();
    let mut bytes = format!("{} {} {}\r\n", field("method"), field("uri"), field("version")).into_bytes();
    let headers = entry(node, "headers").and_then(|list| list.list(&mut problems)).unwrap_or_default();
    let mut has_host = false;
    for header in headers {
        let part = |name: &str| entry(header, name).map(text).unwrap_or_default();
        has_host |= part("name").to_ascii_lowercase().contains("host");
        bytes.extend(format!("{}: {}\r\n", part("name"), part("value")).into_bytes());
    }
    if !has_host {
        bytes.extend(format!("Host: {HOST}\r\n").into_bytes());
    }
    // Whoever takes the body to end at the last chunk, or to be none at all, takes what follows for a request.
    bytes.extend(b"\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n");
    Case { name: field("name"), bytes }
}

fn entry<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == name).map(|entry| &entry.value),
        _ => None,
    }
}

fn text(node: &Node) -> String {
    match &node.value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::List(_) | Value::Map(_) => String::new(),
    }
}
