//! One flat JSON object as the columns of a log, under all the names that logs have for them; nothing is kept of the rest.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Time,
    Method,
    Path,
    /// The path before somebody rewrote it.
    OriginalPath,
    Authority,
    /// A weaker word for it.
    Host,
    Scheme,
    Protocol,
    /// `GET /path HTTP/1.1`.
    RequestLine,
    Status,
    /// The connection's own peer.
    Direct,
    /// The peer, as whoever logged took it.
    Peer,
    /// The client, as somebody decided.
    Client,
    Sni,
    TlsVersion,
    PeerUri,
    ResponseType,
    /// One of [`super::seen::HEADERS`].
    Header(u8),
}

/// Columns before the headers.
const PLAIN: usize = 17;
const CELLS: usize = PLAIN + super::seen::HEADERS.len();

impl Column {
    const fn slot(self) -> usize {
        match self {
            Self::Time => 0,
            Self::Method => 1,
            Self::Path => 2,
            Self::OriginalPath => 3,
            Self::Authority => 4,
            Self::Host => 5,
            Self::Scheme => 6,
            Self::Protocol => 7,
            Self::RequestLine => 8,
            Self::Status => 9,
            Self::Direct => 10,
            Self::Peer => 11,
            Self::Client => 12,
            Self::Sni => 13,
            Self::TlsVersion => 14,
            Self::PeerUri => 15,
            Self::ResponseType => 16,
            Self::Header(bit) => PLAIN + bit as usize,
        }
    }
}

/// What stands in a column.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Cell<'a> {
    /// The log has no such column.
    #[default]
    Missing,
    /// It has it, and there was nothing: `null`, `-`, or an empty text.
    Absent,
    Text(Cow<'a, str>),
    /// From `{"base64": "…"}`.
    Bytes(Vec<u8>),
    Number(f64),
    /// A list, a map or a truth value.
    Other,
}

impl Cell<'_> {
    pub(super) fn is_there(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Bytes(_) | Self::Number(_))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// As bytes; a number as its digits.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.as_bytes().to_vec()),
            Self::Bytes(bytes) => Some(bytes.clone()),
            Self::Number(number) => Some(number.to_string().into_bytes()),
            Self::Missing | Self::Absent | Self::Other => None,
        }
    }
}

/// The columns of one line.
#[derive(Debug, Default)]
pub(super) struct Columns<'a> {
    cells: [Cell<'a>; CELLS],
    /// Every header, as REQUEST.json has them.
    pub(super) headers: Option<Value>,
    pub(super) response_headers: Option<Value>,
    pub(super) peer_uris: Option<Value>,
    pub(super) tls: Option<Value>,
    pub(super) claims: Option<Value>,
    /// Names that only Envoy's formats have.
    pub(super) is_envoy: bool,
    /// It is an OCSF event: nothing else of this counts.
    pub(super) is_event: bool,
    /// The path was logged without its query.
    pub(super) without_query: bool,
}

impl<'a> Columns<'a> {
    pub(super) fn cell(&self, column: Column) -> &Cell<'a> {
        self.cells.get(column.slot()).unwrap_or(&Cell::Missing)
    }
}

/// What a key of the object is to us.
enum Key {
    Cell(Column),
    Headers,
    ResponseHeaders,
    PeerUris,
    Tls,
    Claims,
    Envoy,
    Event,
    Canonical,
    Other,
}

fn key(name: &str) -> Key {
    use Column::{
        Authority, Client, Direct, Header, Host, Method, OriginalPath, Path, Peer, PeerUri, Protocol, RequestLine,
        ResponseType, Scheme, Sni, Status, Time, TlsVersion,
    };
    Key::Cell(match name {
        "start_time" | "time" | "ts" | "timestamp" | "@timestamp" | "time_iso8601" | "time_local" | "msec" => Time,
        "method" | ":method" | "request_method" | "http_method" => Method,
        "path" | ":path" | "request_uri" | "request_path" | "url" | "uri" => Path,
        "x-envoy-origin-path" | "x-envoy-original-path" | "x_envoy_original_path" | "original_path" => OriginalPath,
        "authority" | ":authority" | "request_authority" | "http_host" => Authority,
        "host" => Host,
        "scheme" | ":scheme" => Scheme,
        "protocol" | "server_protocol" => Protocol,
        "request" => RequestLine,
        "status" | "response_code" | "status_code" => Status,
        "address" | "downstream_direct_remote_address" | "downstream_direct_remote_address_without_port" => Direct,
        "peer" | "direct_remote_address" => Direct,
        "downstream_remote_address" | "downstream_remote_address_without_port" | "remote_addr" => Peer,
        "remote_address" | "source_address" => Peer,
        "client" | "client_ip" | "client_address" | "ip" => Client,
        "requested_server_name" | "sni" | "ssl_server_name" => Sni,
        "downstream_tls_version" | "tls_version" | "ssl_protocol" => TlsVersion,
        "downstream_peer_uri_san" | "peer_uri" => PeerUri,
        "resp_ct" | "response_content_type" | "sent_http_content_type" => ResponseType,
        "user_agent" | "user-agent" | "ua" | "http_user_agent" => Header(0),
        "referer" | "referrer" | "http_referer" => Header(1),
        "x_forwarded_for" | "x-forwarded-for" | "http_x_forwarded_for" | "xff" => Header(2),
        "request_id" | "x-request-id" | "x_request_id" => Header(3),
        "req_ct" | "request_content_type" | "http_content_type" => Header(4),
        "accept" | "http_accept" => Header(5),
        "accept_language" | "accept-language" | "http_accept_language" => Header(6),
        "accept_encoding" | "accept-encoding" | "http_accept_encoding" => Header(7),
        "origin" | "http_origin" => Header(8),
        "cookie" | "http_cookie" => Header(9),
        "traceparent" => Header(10),
        "x_real_ip" | "x-real-ip" | "http_x_real_ip" => Header(11),
        "headers" | "request_headers" => return Key::Headers,
        "response_headers" => return Key::ResponseHeaders,
        "peer_uris" => return Key::PeerUris,
        "tls" => return Key::Tls,
        "claims" => return Key::Claims,
        "response_flags" | "response_code_details" | "upstream_host" | "upstream_cluster" | "route_name" => {
            return Key::Envoy;
        }
        "flags" | "details" => return Key::Envoy,
        "class_uid" => return Key::Event,
        "canonical_path" => return Key::Canonical,
        _ => return Key::Other,
    })
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl Visitor<'_> for Names {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                Ok(key(name))
            }
        }
        deserializer.deserialize_str(Names)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Columns<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Line;
        impl<'de> Visitor<'de> for Line {
            type Value = Columns<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Columns<'de>, A::Error> {
                let mut columns = Columns::default();
                while let Some(key) = map.next_key::<Key>()? {
                    match key {
                        Key::Cell(column) => columns.set(column, map.next_value()?),
                        Key::Headers => columns.headers = Some(map.next_value()?),
                        Key::ResponseHeaders => columns.response_headers = Some(map.next_value()?),
                        Key::PeerUris => columns.peer_uris = Some(map.next_value()?),
                        Key::Tls => columns.tls = Some(map.next_value()?),
                        Key::Claims => columns.claims = Some(map.next_value()?),
                        other => {
                            columns.is_envoy |= matches!(other, Key::Envoy);
                            columns.is_event |= matches!(other, Key::Event);
                            columns.without_query |= matches!(other, Key::Canonical);
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(columns)
            }
        }
        deserializer.deserialize_map(Line)
    }
}

impl<'a> Columns<'a> {
    /// Of two names for one column the first that says something is taken.
    fn set(&mut self, column: Column, cell: Cell<'a>) {
        if let Some(slot) = self.cells.get_mut(column.slot())
            && !slot.is_there()
        {
            *slot = cell;
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Cell<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cell<'de>, E> {
        Ok(if is_nothing(text) { Cell::Absent } else { Cell::Text(Cow::Borrowed(text)) })
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell<'de>, E> {
        Ok(if is_nothing(text) { Cell::Absent } else { Cell::Text(Cow::Owned(text.to_owned())) })
    }

    fn visit_unit<E>(self) -> Result<Cell<'de>, E> {
        Ok(Cell::Absent)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Cell<'de>, E> {
        Ok(Cell::Other)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Cell<'de>, E> {
        Ok(Cell::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Cell<'de>, E> {
        Ok(Cell::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Cell<'de>, E> {
        Ok(Cell::Number(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Cell<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell<'de>, A::Error> {
        let mut cell = Cell::Other;
        while let Some(name) = map.next_key::<String>()? {
            if name == "base64" {
                cell = super::json::base64(&map.next_value::<Value>()?).map_or(Cell::Other, Cell::Bytes);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(cell)
    }
}

fn is_nothing(text: &str) -> bool {
    text.is_empty() || text == "-"
}
