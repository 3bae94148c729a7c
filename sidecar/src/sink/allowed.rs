//! `fields`: an allow-list of OCSF fields, each with all that lies below it.

use std::collections::BTreeSet;

use gatehouse_policy::document::{Node, Problems, nearest, quoted};
use gatehouse_proto::v1::Record;
use serde_json::Value;

use crate::ocsf;

/// Sent whether asked for or not: what an event is, which one, and when.
const ALWAYS: [&str; 5] = ["class_uid", "metadata.event_code", "metadata.uid", "metadata.version", "time"];

/// Fields that a record's event may have, and those above them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowed(BTreeSet<String>);

impl Allowed {
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut allowed: BTreeSet<String> = ALWAYS.map(str::to_owned).into();
        if node.one_or_many().is_empty() {
            problems.push(&node.place, "`fields` names none", "write the fields to send, or leave it out");
        }
        for node in node.one_or_many() {
            let name = node.string(problems)?;
            if ocsf::RECORD_FIELDS.contains(&name) {
                allowed.insert(name.to_owned());
                continue;
            }
            let help = nearest(name, ocsf::RECORD_FIELDS.iter().copied())
                .map_or_else(|| "docs/operations.md has them all".to_owned(), |near| format!("did you mean `{near}`?"));
            problems.push(&node.place, format!("events have no field {}", quoted(name)), help);
        }
        Some(Self(allowed))
    }

    /// Appends what is allowed of the event of `record`, without a line end.
    pub(super) fn write(&self, record: &Record, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let mut whole = Vec::new();
        ocsf::write_record(record, &mut whole)?;
        let mut event: Value = serde_json::from_slice(&whole)?;
        self.prune(&mut event, "");
        serde_json::to_writer(out, &event)
    }

    fn prune(&self, value: &mut Value, path: &str) {
        let Value::Object(fields) = value else { return };
        fields.retain(|name, value| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if self.0.contains(&path) {
                return true;
            }
            self.prune(value, &path);
            // What has nothing left below it goes; so does every value that was not asked for.
            value.as_object().is_some_and(|fields| !fields.is_empty())
        });
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_policy::document::yaml;
    use gatehouse_proto::v1::{Downstream, Request};
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Allowed, String> {
        let documents = yaml("house.yaml", text).unwrap();
        let mut problems = Problems::default();
        let allowed = Allowed::read(&documents[0], &mut problems);
        if problems.is_empty() { Ok(allowed.unwrap()) } else { Err(problems.to_string()) }
    }

    #[test]
    fn only_what_is_allowed_is_sent_and_what_tells_events_apart() {
        let record = Record {
            id: vec![1; 16],
            downstream: Some(Downstream { client_address: "192.0.2.7".into(), peer_port: 7, ..Downstream::default() }),
            request: Some(Request { method: "GET".into(), path: "/a".into(), ..Request::default() }),
            ..Record::default()
        };
        let mut out = Vec::new();
        read("[src_endpoint.ip, http_request.url]").unwrap().write(&record, &mut out).unwrap();
        let event: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            event,
            json!({
                "class_uid": 4002, "time": 0, "src_endpoint": { "ip": "192.0.2.7" }, "http_request": { "url": { "path": "/a" } },
                "metadata": { "version": "1.7.0", "uid": "01010101010101010101010101010101", "event_code": "gatehouse.record" },
            })
        );
    }

    #[test]
    fn a_field_that_no_event_has_is_refused_by_name() {
        let problems = read("[time, http_request.url.pth]").unwrap_err();
        assert!(problems.contains("house.yaml:1:8: events have no field `http_request.url.pth`"), "{problems}");
        assert!(problems.contains("did you mean `http_request.url.path`?"), "{problems}");
        assert!(read("[]").unwrap_err().contains("`fields` names none"));
    }
}
