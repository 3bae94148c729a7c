//! What every sink can be told, whatever its kind: which records it is sent, and how much of each.
//!
//! ```yaml
//! siem:
//!   https: { … }
//!   where: { action: [block, limit], host: "*.shop.example" }   # only what this holds for, or may hold for
//!   sample: 10%                                                 # of records that were let through
//!   fields: [src_endpoint.ip, http_request, disposition]        # of OCSF; identity and time always
//! ```
//! Losses and notices are always sent, whole: they say what is missing.

use gatehouse_policy::document::{Node, Problems, Value};
use gatehouse_proto::v1::Record;
use gatehouse_proto::v1::judgement::Action;

use super::allowed::Allowed;
use super::filter::Filter;
use super::sample::Sample;
use crate::ocsf;

/// Which records a sink is sent, and how much of each. The default: all, whole.
#[derive(Debug, Default)]
pub struct Common {
    filter: Option<Filter>,
    sample: Option<Sample>,
    allowed: Option<Allowed>,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// It is sent.
    Send,
    /// `where` keeps it back.
    Filtered,
    /// `sample` keeps it back.
    Sampled,
}

impl Common {
    /// The words read here.
    pub(super) const WORDS: [&'static str; 3] = ["where", "sample", "fields"];

    /// Reads its words from the entry of a sink; the others are not looked at.
    pub fn read(node: &Node, problems: &mut Problems) -> Self {
        let Value::Map(entries) = &node.value else { return Self::default() };
        let find = |word: &str| entries.iter().find(|entry| entry.key == word).map(|entry| &entry.value);
        Self {
            filter: find("where").and_then(|node| Filter::read(node, problems)),
            sample: find("sample").and_then(|node| Sample::read(node, problems)),
            allowed: find("fields").and_then(|node| Allowed::read(node, problems)),
        }
    }

    pub(super) fn choose(&self, record: &Record, id: [u8; 16]) -> Choice {
        if self.filter.as_ref().is_some_and(|filter| !filter.lets_through(record)) {
            return Choice::Filtered;
        }
        match self.sample {
            Some(sample) if !is_mitigated(record) && !sample.has(id) => Choice::Sampled,
            _ => Choice::Send,
        }
    }

    /// Appends the event of `record`, without a line end.
    pub(super) fn write(&self, record: &Record, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        match &self.allowed {
            Some(allowed) => allowed.write(record, out),
            None => ocsf::write_record(record, out),
        }
    }
}

/// The client did not get what it asked for.
fn is_mitigated(record: &Record) -> bool {
    let action = record.judgement.as_ref().map_or(Action::Unspecified, gatehouse_proto::v1::Judgement::action);
    !matches!(action, Action::Unspecified | Action::Allow)
}

#[cfg(test)]
mod tests {
    use gatehouse_policy::document::yaml;
    use gatehouse_proto::v1::Judgement;

    use super::*;

    fn read(text: &str) -> Common {
        let documents = yaml("house.yaml", text).unwrap();
        let mut problems = Problems::default();
        let common = Common::read(&documents[0], &mut problems);
        assert_eq!(problems.to_string(), "");
        common
    }

    fn id(sequence: u64) -> [u8; 16] {
        gatehouse_verdict::record::RecordId { epoch: 1, sequence }.to_bytes()
    }

    #[test]
    fn what_was_mitigated_is_never_sampled_out() {
        let common = read("sample: 0.0001%\n");
        let of = |action: Action| Record {
            judgement: Some(Judgement { action: action.into(), ..Judgement::default() }),
            ..Record::default()
        };
        let sent = |action| (0..1_000).filter(|n| common.choose(&of(action), id(*n)) == Choice::Send).count();
        assert!(sent(Action::Allow) < 10 && sent(Action::Unspecified) < 10);
        for action in [Action::Block, Action::Redirect, Action::Limit, Action::Deceive, Action::Drop] {
            assert_eq!(sent(action), 1_000, "{action:?}");
        }
    }

    #[test]
    fn the_filter_comes_before_the_sample_and_without_words_all_is_sent() {
        let common = read("where: { action: block }\nsample: 0.0001%\n");
        assert_eq!(common.choose(&Record::default(), id(1)), Choice::Filtered);
        assert_eq!(Common::default().choose(&Record::default(), id(1)), Choice::Send);
    }
}
