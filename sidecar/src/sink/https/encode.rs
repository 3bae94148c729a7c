//! Events as one body, by format and compression.

use std::io::{self, Write as _};

use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use serde::Serialize;

use super::{Compression, Format};
use crate::ocsf::hex::Hex;
use crate::sink::parcel::{Event, Parcel};

/// Level 1 is the one that pays: higher ones cost more and give next to nothing on such bodies.
const ZSTD_LEVEL: i32 = 1;

/// The headers that say what the body is.
pub(super) fn headers(format: Format, compression: Compression) -> Vec<(HeaderName, HeaderValue)> {
    let kind = match format {
        Format::Json | Format::Splunk => "application/json",
        Format::Ndjson | Format::Elasticsearch => "application/x-ndjson",
    };
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static(kind))];
    let encoding = match compression {
        Compression::Gzip => Some("gzip"),
        Compression::Zstd => Some("zstd"),
        Compression::None => None,
    };
    headers.extend(encoding.map(|encoding| (CONTENT_ENCODING, HeaderValue::from_static(encoding))));
    headers
}

/// The events at `indices` as one body, compressed.
pub(super) fn body(
    format: Format,
    compression: Compression,
    parcel: &Parcel,
    indices: &[usize],
) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    for (place, event) in indices.iter().filter_map(|index| parcel.events().get(*index)).enumerate() {
        write(format, parcel, event, place == 0, &mut plain)?;
    }
    if format == Format::Json {
        plain.push(b']');
    }
    match compression {
        Compression::None => Ok(plain),
        Compression::Zstd => zstd::bulk::compress(&plain, ZSTD_LEVEL),
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&plain)?;
            encoder.finish()
        }
    }
}

fn write(format: Format, parcel: &Parcel, event: &Event, first: bool, out: &mut Vec<u8>) -> io::Result<()> {
    match format {
        Format::Json => {
            out.push(if first { b'[' } else { b',' });
            out.extend_from_slice(parcel.value(event));
        }
        Format::Ndjson => out.extend_from_slice(parcel.line(event)),
        Format::Elasticsearch => {
            writeln!(out, "{{\"create\":{{\"_id\":\"{}\"}}}}", Hex(event.id))?;
            out.extend_from_slice(parcel.line(event));
        }
        Format::Splunk => {
            let head = Envelope {
                time: event.time_ms as f64 / 1000.0,
                host: &event.gateway,
                source: "gatehouse",
                sourcetype: "gatehouse:ocsf",
            };
            serde_json::to_writer(&mut *out, &head)?;
            // The event is JSON already: it goes into the envelope as it is.
            out.pop();
            out.extend_from_slice(b",\"event\":");
            out.extend_from_slice(parcel.value(event));
            out.extend_from_slice(b"}\n");
        }
    }
    Ok(())
}

/// What the collector is told of an event. `time` is seconds since the Unix epoch.
#[derive(Serialize)]
struct Envelope<'a> {
    time: f64,
    #[serde(skip_serializing_if = "str::is_empty")]
    host: &'a str,
    source: &'static str,
    sourcetype: &'static str,
}
