//! A JSON line as a request: flat columns, or one of our own records.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::columns::{Cell, Column, Columns};
use super::seen::{Answered, HEADERS, Headers, Seen, Sets};
use super::{Told, common, record};
use crate::request::{Request, Response, Tls, parse_address};
use crate::when;

/// Reads JSON lines of one log.
#[derive(Debug, Default)]
pub(super) struct Reader {
    seen: Sets,
    records: record::Reader,
    /// The last line was a record: the next one probably is too.
    in_records: bool,
}

impl Reader {
    pub(super) fn read(&mut self, line: &[u8]) -> Told {
        if self.in_records
            && let Some(told) = self.records.read(line)
        {
            return told;
        }
        let columns: Columns<'_> = match serde_json::from_slice(line) {
            Ok(columns) => columns,
            Err(error) => return Told::Malformed(format!("not JSON: {}", without_line(&error))),
        };
        self.in_records = columns.is_event;
        if columns.is_event {
            let foreign = || Told::Malformed("an event, but not one of ours".to_owned());
            return self.records.read(line).unwrap_or_else(foreign);
        }
        self.request(&columns)
    }

    fn request(&mut self, columns: &Columns<'_>) -> Told {
        let line = columns.cell(Column::RequestLine).text().and_then(|line| common::request_line(line.as_bytes()));
        let line = line.unwrap_or_default();
        let original = columns.cell(Column::OriginalPath);
        let path = if original.is_there() { original } else { columns.cell(Column::Path) };
        let method = columns.cell(Column::Method);
        let has_line = matches!(columns.cell(Column::RequestLine), Cell::Absent | Cell::Text(_));
        if *method == Cell::Missing && *path == Cell::Missing && !has_line {
            return Told::Malformed("it has neither a method nor a path".to_owned());
        }
        let (scheme, authority, target) = target(path.bytes().unwrap_or(line.target));
        let method_bytes = method.bytes().unwrap_or(line.method);
        let path_missing = *path == Cell::Missing && target.is_empty();
        if method_bytes.is_empty() && target.is_empty() {
            // Envoy logs connections too that never brought a request.
            return Told::Nothing;
        }
        let all_headers = columns.headers.as_ref().map(headers);
        let mut request = Request {
            method: method_bytes,
            scheme: columns.cell(Column::Scheme).bytes().or(scheme),
            authority: columns.cell(Column::Authority).bytes().or(authority),
            path: if path_missing { b"/".to_vec() } else { target },
            protocol: columns.cell(Column::Protocol).text().map(str::to_owned).or(line.protocol),
            peer_uris: uris(columns),
            tls: tls(columns),
            time: time(columns.cell(Column::Time)),
            claims: columns.claims.as_ref().and_then(Value::as_object).cloned(),
            response: response(columns),
            ..Request::default()
        };
        if request.authority.is_none() {
            request.authority = columns.cell(Column::Host).bytes();
        }
        let forwarded = address(columns, &mut request);
        let mut seen = Seen {
            method: !request.method.is_empty(),
            authority: request.authority.is_some() || *columns.cell(Column::Authority) == Cell::Absent,
            path: !path_missing,
            query: !path_missing && !columns.without_query,
            headers: Headers::All,
            response: answered(columns),
        };
        match (all_headers, &columns.headers) {
            (Some(all), written) => {
                whole(&mut request, all, &mut seen);
                if !matches!(written, Some(Value::Array(_))) {
                    seen.headers = Headers::Unordered;
                }
            }
            (None, _) => seen.headers = Headers::Only(named(columns, forwarded, &mut request)),
        }
        request.known = seen.hides_something().then(|| self.seen.known(seen));
        let format = if columns.is_envoy { "envoy-json" } else { "json" };
        Told::Request(Box::new(request), format)
    }
}

/// The line has every header, the host's among them.
fn whole(request: &mut Request, headers: Vec<(Vec<u8>, Vec<u8>)>, seen: &mut Seen) {
    seen.authority = true;
    request.headers = headers;
    if request.authority.is_none()
        && let Some(host) = request.headers.iter().position(|(name, _)| name == b"host")
    {
        request.authority = Some(request.headers.remove(host).1);
    }
}

/// The headers that have columns of their own; which of [`HEADERS`] these are.
fn named(columns: &Columns<'_>, forwarded: bool, request: &mut Request) -> u32 {
    let mut told = 0;
    for (bit, name) in (0u8..).zip(HEADERS) {
        let cell = columns.cell(Column::Header(bit));
        if *cell == Cell::Missing || (name.starts_with("x-forwarded") && !forwarded) {
            continue;
        }
        told |= 1 << bit;
        request.headers.extend(cell.bytes().map(|value| (name.as_bytes().to_vec(), value)));
    }
    told
}

/// What the line tells of the response beside its status. Without an answer there is nothing to hide.
fn answered(columns: &Columns<'_>) -> Answered {
    match (&columns.response_headers, columns.cell(Column::ResponseType), columns.cell(Column::Status)) {
        (Some(_), ..) | (None, Cell::Missing, Cell::Missing) => Answered::All,
        (None, Cell::Missing, _) => Answered::Nothing,
        (None, ..) => Answered::Type,
    }
}

/// The peer, and whether the forwarded header leads on from it. Where that header is not logged and somebody who had it said
/// who the client is, he is believed.
fn address(columns: &Columns<'_>, request: &mut Request) -> bool {
    let found = |column: Column| columns.cell(column).text().and_then(parse_address);
    let peer = found(Column::Direct).or_else(|| found(Column::Peer));
    let has_forwarded = columns.headers.is_some() || *columns.cell(Column::Header(2)) != Cell::Missing;
    let client = found(Column::Client).filter(|_| peer.is_none() || !has_forwarded);
    request.is_client = client.is_some();
    (request.peer, request.peer_port) = client.or(peer).map_or((None, None), |(peer, port)| (Some(peer), port));
    !request.is_client
}

fn uris(columns: &Columns<'_>) -> Option<Vec<String>> {
    if let Some(Value::Array(uris)) = &columns.peer_uris {
        return Some(uris.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    }
    match columns.cell(Column::PeerUri) {
        Cell::Text(uri) => Some(vec![uri.clone().into_owned()]),
        Cell::Absent => Some(Vec::new()),
        _ => None,
    }
}

fn tls(columns: &Columns<'_>) -> Tls {
    let column = |column| columns.cell(column).text().map(str::to_owned);
    let (version, sni) = (column(Column::TlsVersion), column(Column::Sni));
    match &columns.tls {
        Some(Value::Object(tls)) => {
            let text = |key: &str| tls.get(key).and_then(Value::as_str).map(str::to_owned);
            let mutual = tls.get("mutual").and_then(Value::as_bool);
            Tls { mutual, version: text("version").or(version), sni: text("sni").or(sni), ja4: text("ja4") }
        }
        Some(Value::Null) => Tls { mutual: Some(false), ..Tls::default() },
        _ => Tls { version, sni, ..Tls::default() },
    }
}

fn response(columns: &Columns<'_>) -> Option<Response> {
    let status = match columns.cell(Column::Status) {
        Cell::Number(number) => *number,
        Cell::Text(text) => text.parse().ok()?,
        _ => return None,
    };
    let status = Some(status as u16).filter(|status| (100..=999).contains(status))?;
    let mut all = columns.response_headers.as_ref().map(headers).unwrap_or_default();
    all.extend(columns.cell(Column::ResponseType).bytes().map(|value| (b"content-type".to_vec(), value)));
    Some(Response { status, headers: all })
}

fn time(cell: &Cell<'_>) -> Option<u64> {
    match cell {
        Cell::Number(number) => when::unix(*number),
        Cell::Text(text) => when::rfc3339(text)
            .or_else(|| when::common(text.as_bytes()))
            .or_else(|| text.parse().ok().and_then(when::unix)),
        _ => None,
    }
}

/// A target as received; an absolute one is parted, as Envoy does.
pub(super) fn target(target: Vec<u8>) -> (Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>) {
    let parted = ["http", "https"].into_iter().find_map(|scheme| {
        let rest = target.strip_prefix(scheme.as_bytes())?.strip_prefix(b"://")?;
        let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let path = path.split(|byte| *byte == b'#').next().unwrap_or_default();
        let path = if path.starts_with(b"/") { path.to_vec() } else { [b"/", path].concat() };
        Some((Some(scheme.as_bytes().to_vec()), Some(authority.to_vec()), path))
    });
    parted.unwrap_or((None, None, target))
}

/// Headers as a list of pairs, or as a map of name to value or values.
fn headers(value: &Value) -> Vec<(Vec<u8>, Vec<u8>)> {
    let name = |name: &str| name.to_ascii_lowercase().into_bytes();
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    match value {
        Value::Array(items) => {
            let both = items.iter().filter_map(|item| Some((item.get(0)?.as_str()?, item.get(1)?)));
            pairs.extend(both.filter_map(|(key, value)| Some((name(key), bytes(value)?))));
        }
        Value::Object(map) => {
            for (key, value) in map {
                let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                pairs.extend(values.iter().filter_map(|value| Some((name(key), bytes(value)?))));
            }
        }
        _ => {}
    }
    pairs.retain(|(name, _)| !name.is_empty() && !name.starts_with(b":"));
    pairs
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Object(map) => base64(map.get("base64")?),
        _ => None,
    }
}

pub(super) fn base64(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(value.as_str()?).ok()
}

/// serde_json's words without its line, which is always 1 here.
pub(super) fn without_line(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.split_once(" at line ") {
        Some((what, _)) => format!("{what}, column {}", error.column()),
        None => said,
    }
}
