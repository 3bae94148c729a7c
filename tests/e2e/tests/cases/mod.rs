//! The odd and hostile requests, one by one, as bytes.

use gatehouse_e2e::HOST;

/// Header lines of a websocket handshake.
pub const WEBSOCKET: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/// One request.
pub struct Case {
    /// What it is.
    pub name: &'static str,
    /// Its `x-request-id`.
    pub id: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// A 4xx by the policy is as good an answer as Envoy's own.
    pub by_rule: bool,
    /// Whether the filter sees it when limits are raised.
    pub seen: Seen,
}

/// Whether the filter sees a request when limits are raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Envoy answers it before any filter.
    Never,
    /// It does.
    Yes,
    /// It does, with at least so many header fields.
    Fields(u64),
}

/// All of them.
pub fn all() -> Vec<Case> {
    let mut cases = lines();
    cases.extend(fields());
    cases.extend(bodies());
    cases.extend((0x80..=0xff).map(one_odd_byte));
    cases
}

fn lines() -> Vec<Case> {
    let long = format!("GET /{}", "a/".repeat(50 << 10));
    let deep = format!("GET {}", "/..%2f".repeat(2000));
    vec![
        case("an absolute-form target", "GET http://app.test/absolute?q=1", b"", Seen::Yes),
        case("an absolute-form target of another host", "GET http://other.test/absolute", b"", Seen::Yes),
        case("a path of 100 KiB", &long, b"", Seen::Yes),
        ruled("a path of escaped traversals", &deep, Seen::Yes),
        case("an escaped NUL in the path", "GET /a%00b", b"", Seen::Never),
        case("percent-encoding that is none", "GET /%zz%f", b"", Seen::Yes),
        case("octets that are no UTF-8, escaped", "GET /%ff%fe%80?%ff=%fe", b"", Seen::Yes),
        case("a query of nothing but separators", "GET /q?&&==&;&?&", b"", Seen::Yes),
        case("HEAD", "HEAD /head", b"", Seen::Yes),
        case("OPTIONS of the server", "OPTIONS *", b"", Seen::Never),
        case("a method of our own", "BREW /pot", b"", Seen::Never),
        bare("no Host", b"GET /nohost HTTP/1.1\r\n"),
        Case {
            by_rule: true,
            seen: Seen::Yes,
            ..bare("two Hosts", b"GET /hosts HTTP/1.1\r\nhost: app.test\r\nhost: b.test\r\n")
        },
        bare("HTTP/1.0 without Host", b"GET /old HTTP/1.0\r\n"),
        bare("raw octets in the path", b"GET /\xff\xfe\x80 HTTP/1.1\r\nhost: app.test\r\n"),
        bare("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n"),
    ]
}

fn fields() -> Vec<Case> {
    let many: Vec<u8> = (0..200).flat_map(|n| format!("x-many-{n}: {n}\r\n").into_bytes()).collect();
    let same: Vec<u8> = (0..200).flat_map(|n| format!("x-same: {n}\r\n").into_bytes()).collect();
    let large: Vec<u8> =
        (0..10).flat_map(|n| format!("x-large-{n}: {}\r\n", "v".repeat(6 << 10)).into_bytes()).collect();
    let cookies = format!("cookie: {}\r\n", "a=b; ".repeat(2000)).into_bytes();
    let mut every = b"x-odd: ".to_vec();
    every.extend(0x80..=0xff_u8);
    every.extend(b"\r\nuser-agent: \xff\xfe\r\ncookie: \xc3\x28=\xff; b=\x80\r\nreferer: http://x/\xff\r\nx-forwarded-for: \xff, \x80\r\n");
    vec![
        case("200 header fields", "GET /many", &many, Seen::Fields(200)),
        case("one header field 200 times", "GET /same", &same, Seen::Fields(200)),
        case("60 KiB of header fields", "GET /large", &large, Seen::Fields(10)),
        case("2000 cookies", "GET /cookies", &cookies, Seen::Yes),
        case("every octet from 0x80 in one field", "GET /odd", &every, Seen::Yes),
        case("an empty field", "GET /empty", b"x-empty:\r\ncookie:\r\nuser-agent:\r\n", Seen::Yes),
    ]
}

fn bodies() -> Vec<Case> {
    let chunked = b"te: trailers\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: \xff\x80\r\nx-more: 1\r\n";
    vec![
        case("request trailers", "POST /chunked", chunked, Seen::Yes),
        case("response trailers", "GET /trailers", b"te: trailers\r\n", Seen::Yes),
        case("a 103 before the answer", "GET /early", b"", Seen::Yes),
        case(
            "a 100 before the body",
            "POST /continue",
            b"expect: 100-continue\r\ncontent-length: 3\r\n\r\nabc",
            Seen::Yes,
        ),
        case("server-sent events", "GET /events/5/5", b"", Seen::Yes),
        case("an empty answer", "GET /status/204", b"", Seen::Yes),
        case("a failure of the application", "GET /status/500", b"", Seen::Yes),
        case("a large answer", "GET /size/3000000", b"", Seen::Yes),
        case(
            "both framings",
            "POST /both",
            b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
            Seen::Never,
        ),
    ]
}

fn one_odd_byte(byte: u8) -> Case {
    let mut more = b"user-agent: a".to_vec();
    more.extend([byte, b'z', b'\r', b'\n']);
    let id = format!("odd-byte-{byte:02x}");
    Case {
        id: id.clone(),
        bytes: bytes("GET /byte", &id, &more),
        ..case("one octet from 0x80", "GET /byte", b"", Seen::Yes)
    }
}

/// A request with a Host, an id, and further bytes after them; an empty line ends it unless it holds its own.
fn case(name: &'static str, line: &str, more: &[u8], seen: Seen) -> Case {
    let id = name.replace(' ', "-");
    Case { name, bytes: bytes(line, &id, more), id, by_rule: false, seen }
}

fn ruled(name: &'static str, line: &str, seen: Seen) -> Case {
    Case { by_rule: true, ..case(name, line, b"", seen) }
}

/// Bytes as they are, and an id after them; most of these Envoy refuses itself.
fn bare(name: &'static str, bytes: &[u8]) -> Case {
    let id = name.replace(' ', "-");
    let bytes = [bytes, format!("x-request-id: {id}\r\n\r\n").as_bytes()].concat();
    Case { name, id, bytes, by_rule: false, seen: Seen::Never }
}

fn bytes(line: &str, id: &str, more: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{line} HTTP/1.1\r\nhost: {HOST}\r\nx-request-id: {id}\r\n").into_bytes();
    bytes.extend(more);
    if !more.windows(4).any(|window| window == b"\r\n\r\n")
        || more.ends_with(b"x-more: 1\r\n")
        || more.ends_with(b"0\r\n")
    {
        bytes.extend(b"\r\n");
    }
    bytes
}
