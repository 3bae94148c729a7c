//! Lines as people and programs read them, and a standard output that does not keep up.

use std::sync::mpsc;

use gatehouse_proto::v1::{Downstream, Judgement, Request, Response, Upstream, judgement::Action};
use gatehouse_verdict::record::RecordId;
use proptest::prelude::*;

use super::*;

fn record() -> Record {
    Record {
        id: RecordId { epoch: 1, sequence: 2 }.to_bytes().to_vec(),
        start_unix_ns: 1_767_225_599_001_000_000,
        duration_ns: 3_271_592,
        part: Part::Final as i32,
        downstream: Some(Downstream {
            client_address: "198.51.100.9".into(),
            peer_address: "192.0.2.7".into(),
            ..Downstream::default()
        }),
        request: Some(Request {
            method: "GET".into(),
            authority: "shop.example".into(),
            path: "/a/../b".into(),
            canonical_path: "/b".into(),
            user_agent: "curl/8".into(),
            request_id: "r-1".into(),
            protocol: "HTTP/1.1".into(),
            ..Request::default()
        }),
        response: Some(Response {
            status: 200,
            code_details: "via_upstream".into(),
            body_bytes: 512,
            ..Response::default()
        }),
        upstream: Some(Upstream { address: "10.0.0.5:8080".into(), first_byte_ns: 2_500_000, ..Upstream::default() }),
        judgement: Some(Judgement { action: Action::Allow as i32, rule: "shop/b".into(), ..Judgement::default() }),
        ..Record::default()
    }
}

#[test]
fn the_text_form() {
    assert_eq!(
        Line::of(&record()).to_string(),
        "2025-12-31T23:59:59.001Z 192.0.2.7 \"GET /a/../b HTTP/1.1\" 200 512 3.271 canonical_path=\"/b\" authority=\"shop.example\" \
         client=\"198.51.100.9\" user_agent=\"curl/8\" upstream=10.0.0.5:8080 upstream_status=200 upstream_ms=2.500 \
         request_id=\"r-1\" verdict=allow rule=\"shop/b\" reference=- id=00000000000000010000000000000002"
    );
}

#[test]
fn a_blocked_request_has_no_upstream() {
    let mut blocked = record();
    blocked.upstream = None;
    blocked.response = Some(Response { status: 403, code_details: "gatehouse_block".into(), ..Response::default() });
    blocked.judgement =
        Some(Judgement { action: Action::Block as i32, reference: "7Q2K".into(), ..Judgement::default() });
    let text = Line::of(&blocked).to_string();
    assert!(text.contains(" 403 0 ") && text.contains("upstream=- upstream_status=- upstream_ms=-"), "{text}");
    assert!(text.contains("verdict=block rule=- reference=7Q2K"), "{text}");
}

#[test]
fn the_json_form() {
    let json: serde_json::Value = serde_json::from_str(&Line::of(&record()).json()).unwrap();
    assert_eq!((json["status"].as_u64(), json["total_ms"].as_f64()), (Some(200), Some(3.271)));
    assert_eq!((json["path"].as_str(), json["canonical_path"].as_str()), (Some("/a/../b"), Some("/b")));
    assert!(json.get("reference").is_none());
}

proptest! {
    #[test]
    fn no_client_forges_a_line(agent in "\\PC*[\\n\\r\\x1b\"\\\\ \u{202e}\u{85}\u{e0041}]{0,4}.*", path in ".*") {
        let mut hostile = record();
        let request = hostile.request.as_mut().unwrap();
        request.user_agent = agent;
        request.path = path;
        let (line, json) = (Line::of(&hostile).to_string(), Line::of(&hostile).json());
        for form in [&line, &json] {
            let misleading = form.chars().any(|c| c.is_control() || c == '\u{202e}' || c == '\u{e0041}');
            prop_assert!(!misleading);
        }
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(read["path"].as_str(), Some(hostile.request.as_ref().unwrap().path.as_str()));
        // Outside quotes stands what the house wrote, and nothing else: the names are there once each.
        let mut outside = String::new();
        let (mut quoted, mut escaped) = (false, false);
        for c in line.chars() {
            match (quoted, escaped, c) {
                (true, true, _) => escaped = false,
                (true, false, '\\') => escaped = true,
                (_, false, '"') => quoted = !quoted,
                (false, _, c) => outside.push(c),
                _ => {}
            }
        }
        prop_assert!(!quoted);
        prop_assert_eq!(outside.matches('=').count(), 12);
    }
}

/// An output that takes a write only when it is let.
struct Gate {
    open: mpsc::Receiver<()>,
    taken: mpsc::Sender<Vec<u8>>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        self.taken.send(bytes.to_vec()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_stuck_output_holds_nobody_and_every_line_is_accounted_for() {
    let (let_one, open) = mpsc::channel();
    let (taken, writes) = mpsc::channel();
    let running = start_to(Form::Text, 2000, Gate { open, taken });
    for _ in 0..100 {
        running.log.record(&record());
    }
    let dropped = running.log.dropped();
    assert!(dropped > 80, "{dropped}");
    for _ in 0..100 {
        let_one.send(()).unwrap();
    }
    let log = running.log.clone();
    running.stop().await;
    assert_eq!(log.dropped(), dropped);
    let written: Vec<u8> = writes.try_iter().flatten().collect();
    let lines = String::from_utf8(written).unwrap().lines().count() as u64;
    assert_eq!(lines + dropped, 100);
}

#[tokio::test]
async fn an_output_that_is_gone_is_counted() {
    let (_, open) = mpsc::channel();
    let (taken, _) = mpsc::channel();
    let running = start_to(Form::Json, BUFFER_BYTES, Gate { open, taken });
    running.log.record(&record());
    running.log.record(&Record { part: Part::Interim as i32, ..record() });
    let log = running.log.clone();
    running.stop().await;
    assert_eq!(log.dropped(), 1, "an interim record gives no line");
}

#[tokio::test]
async fn off_is_off() {
    let running = start(Form::Off);
    assert!(!running.log.is_on());
    running.log.record(&record());
    running.stop().await;
}
