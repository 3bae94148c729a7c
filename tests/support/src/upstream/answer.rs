//! What the upstream answers, decided by path alone; how it is written is the protocol's business.
//!
//! | request | answer |
//! |---|---|
//! | `Upgrade: websocket`, `CONNECT` | 101 or 200, then every octet comes back |
//! | `content-type: application/grpc…` | the message comes back, trailers `grpc-status: 0` |
//! | `POST /login`, `POST /login/MS` | 200 when the body holds `password=right`, else 401; after so many milliseconds |
//! | `/status/CODE` | that status |
//! | `/slow/MS` | 200 after so many milliseconds |
//! | `/events/N/MS` | N server-sent events, MS milliseconds apart |
//! | `/size/N` | N octets |
//! | `/trailers` | a chunked body and two trailers |
//! | `/early` | 103, then 200 |
//! | anything else | 200; the body comes back |

use std::time::Duration;

use super::Received;
use crate::http1::{self, Body};

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Content type.
    pub content_type: String,
    /// A 103 goes first.
    pub early: bool,
    /// The body in pieces, each after a pause.
    pub pieces: Vec<(Duration, Vec<u8>)>,
    /// The length is told first; otherwise the body is streamed.
    pub sized: bool,
    /// Trailers.
    pub trailers: Vec<(&'static str, &'static str)>,
    /// From here on every octet comes back.
    pub echo: bool,
}

impl Answer {
    fn plain(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type: "text/plain".to_owned(),
            early: false,
            pieces: vec![(Duration::ZERO, body)],
            sized: true,
            trailers: Vec::new(),
            echo: false,
        }
    }
}

/// The answer to one request.
pub fn answer(request: &Received, body: &Body) -> Answer {
    if http1::field(&request.fields, "upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket")) {
        return Answer { echo: true, ..Answer::plain(101, Vec::new()) };
    }
    if request.method == "CONNECT" {
        return Answer { echo: true, ..Answer::plain(200, Vec::new()) };
    }
    if let Some(kind) = request.field("content-type").filter(|kind| kind.starts_with("application/grpc")) {
        let plain = Answer::plain(200, body.bytes.clone());
        return Answer {
            content_type: kind,
            sized: false,
            trailers: vec![("grpc-status", "0"), ("grpc-message", "ok")],
            ..plain
        };
    }
    let target = request.target();
    let path = target.split('?').next().unwrap_or_default();
    by_path(request, path, body)
}

fn by_path(request: &Received, path: &str, body: &Body) -> Answer {
    let mut segments = path.split('/').skip(1);
    let word = segments.next().unwrap_or_default();
    let mut number = |otherwise: u64| segments.next().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    match word {
        "login" if request.method == "POST" => {
            let right = String::from_utf8_lossy(&body.bytes).contains("password=right");
            let status = if right { 200 } else { 401 };
            Answer { pieces: vec![(Duration::from_millis(number(0)), Vec::new())], ..Answer::plain(status, Vec::new()) }
        }
        "status" => Answer::plain(u16::try_from(number(200)).unwrap_or(200), Vec::new()),
        "slow" => Answer {
            pieces: vec![(Duration::from_millis(number(0)), b"slow".to_vec())],
            ..Answer::plain(200, Vec::new())
        },
        "size" => Answer::plain(200, vec![b'x'; usize::try_from(number(0)).unwrap_or(0)]),
        "events" => {
            let (count, pause) = (number(1), Duration::from_millis(number(0)));
            let pieces = (0..count).map(|event| (pause, format!("data: {event}\n\n").into_bytes())).collect();
            let plain = Answer::plain(200, Vec::new());
            Answer { content_type: "text/event-stream".to_owned(), pieces, sized: false, ..plain }
        }
        "trailers" => {
            let plain = Answer::plain(200, b"and then".to_vec());
            Answer { sized: false, trailers: vec![("x-first", "1"), ("x-second", "2")], ..plain }
        }
        "early" => Answer { early: true, ..Answer::plain(200, b"late".to_vec()) },
        _ => Answer::plain(200, body.bytes.clone()),
    }
}
