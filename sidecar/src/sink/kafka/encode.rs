//! One event as a Kafka message: key, value, CloudEvents headers.

use core::fmt::Write as _;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;

use crate::ocsf::hex::Hex;
use crate::ocsf::time::Rfc3339;
use crate::sink::parcel::{Event, EventKind, Parcel};

/// `ce_type` of a record.
pub const RECORD_TYPE: &str = "dev.gatehouse.http.v1";
/// `ce_type` of a loss.
pub const LOSS_TYPE: &str = "dev.gatehouse.loss.v1";
/// `ce_type` of what the house itself has to tell.
pub const NOTICE_TYPE: &str = "dev.gatehouse.notice.v1";

/// The message of `event`; `opaque` comes back with its receipt.
pub(super) fn message<'a>(
    parcel: &'a Parcel,
    event: &'a Event,
    topic: &'a str,
    opaque: usize,
) -> BaseRecord<'a, str, [u8], usize> {
    let message = BaseRecord::with_opaque_to(topic, opaque).payload(parcel.value(event)).headers(headers(event));
    if event.key.is_empty() { message } else { message.key(event.key.as_str()) }
}

fn headers(event: &Event) -> OwnedHeaders {
    let kind = match event.kind {
        EventKind::Record => RECORD_TYPE,
        EventKind::Loss => LOSS_TYPE,
        EventKind::Notice => NOTICE_TYPE,
    };
    let id = Hex(event.id).to_string();
    let time = Rfc3339(event.time_ms).to_string();
    OwnedHeaders::new_with_capacity(6)
        .insert(Header { key: "ce_specversion", value: Some("1.0") })
        .insert(Header { key: "ce_id", value: Some(&id) })
        .insert(Header { key: "ce_source", value: Some(&source(&event.gateway)) })
        .insert(Header { key: "ce_type", value: Some(kind) })
        .insert(Header { key: "ce_time", value: Some(&time) })
        .insert(Header { key: "content-type", value: Some("application/json") })
}

/// A URI reference that names the gateway: `/gatehouse/GATEWAY`, what is not unreserved percent-encoded (RFC 3986, 2.3).
fn source(gateway: &str) -> String {
    let mut source = String::from("/gatehouse");
    if !gateway.is_empty() {
        source.push('/');
    }
    for byte in gateway.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            source.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(source, "%{byte:02X}");
        }
    }
    source
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_uri_reference() {
        assert_eq!(source(""), "/gatehouse");
        assert_eq!(source("router~10.0.0.1~edge ä/1"), "/gatehouse/router~10.0.0.1~edge%20%C3%A4%2F1");
    }
}
