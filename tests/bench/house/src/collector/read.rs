//! The ids of the events in a body.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message as _;

use super::{Form, Taken};
use crate::shapes::uid;

/// Of every event; one that cannot be read ends the run, for the house sent it.
pub(super) fn ids(taken: &Taken) -> Vec<String> {
    let encoding = taken.encoding.as_ref().map(|value| value.as_bytes());
    match taken.form {
        Form::Lines => {
            let text = plain(&taken.bytes, encoding);
            text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(uid).collect()
        }
        Form::Protobuf => exported(&plain(&taken.bytes, encoding)),
        Form::Grpc => messages(&taken.bytes, encoding).iter().flat_map(|message| exported(message)).collect(),
    }
}

fn plain(bytes: &[u8], encoding: Option<&[u8]>) -> Vec<u8> {
    match encoding {
        Some(b"gzip") => {
            let mut plain = Vec::new();
            MultiGzDecoder::new(bytes).read_to_end(&mut plain).expect("gzip");
            plain
        }
        Some(b"zstd") => zstd::stream::decode_all(bytes).expect("zstd"),
        _ => bytes.to_vec(),
    }
}

/// Messages of gRPC: a byte that says whether it is compressed, its length in four (big-endian), the message.
fn messages(mut bytes: &[u8], encoding: Option<&[u8]>) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let (message, rest) = rest.split_at_checked(length).expect("a whole message");
        messages.push(plain(message, encoding.filter(|_| head[0] == 1)));
        bytes = rest;
    }
    messages
}

fn exported(bytes: &[u8]) -> Vec<String> {
    let export = ExportLogsServiceRequest::decode(bytes).expect("an export of logs");
    let scopes = export.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
    scopes.flat_map(|scope| scope.log_records).map(|record| log_uid(&record)).collect()
}

fn log_uid(record: &LogRecord) -> String {
    let uid = record.attributes.iter().find(|attribute| attribute.key == "log.record.uid");
    match uid.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Any::StringValue(uid)) => uid.clone(),
        other => panic!("a log record without its id: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use bytes::Bytes;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::HeaderValue;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    }

    fn export(ids: &[&str]) -> Vec<u8> {
        let record = |id: &&str| {
            let value = Some(AnyValue { value: Some(Any::StringValue((*id).to_owned())) });
            let uid = KeyValue { key: "log.record.uid".into(), value, ..KeyValue::default() };
            LogRecord { attributes: vec![uid], ..LogRecord::default() }
        };
        let scope = ScopeLogs { log_records: ids.iter().map(record).collect(), ..ScopeLogs::default() };
        let resource = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
        ExportLogsServiceRequest { resource_logs: vec![resource] }.encode_to_vec()
    }

    fn taken(form: Form, encoding: Option<&'static str>, bytes: Vec<u8>) -> Taken {
        Taken { form, encoding: encoding.map(HeaderValue::from_static), bytes: Bytes::from(bytes) }
    }

    #[test]
    fn every_event_of_a_body_is_told_in_every_form() {
        let lines = b"{\"metadata\":{\"uid\":\"a\"}}\n{\"metadata\":{\"uid\":\"b\"}}\n";
        assert_eq!(ids(&taken(Form::Lines, Some("gzip"), gzip(lines))), ["a", "b"]);
        let packed = zstd::bulk::compress(lines, 1).expect("memory takes it");
        assert_eq!(ids(&taken(Form::Lines, Some("zstd"), packed)), ["a", "b"]);
        assert_eq!(ids(&taken(Form::Protobuf, Some("gzip"), gzip(&export(&["a", "b"])))), ["a", "b"]);
        // Two messages, of which the second is not compressed though the stream may be.
        let mut messages = Vec::new();
        for (flag, message) in [(1, gzip(&export(&["a"]))), (0, export(&["b", "c"]))] {
            messages.push(flag);
            messages.extend((message.len() as u32).to_be_bytes());
            messages.extend(message);
        }
        assert_eq!(ids(&taken(Form::Grpc, Some("gzip"), messages)), ["a", "b", "c"]);
    }
}
