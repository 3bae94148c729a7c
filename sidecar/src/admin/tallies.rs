//! What gates count beside their records: for `/status` and `/metrics`, under the same words.

use gatehouse_proto::v1::counters::Field;
use gatehouse_stream::receiver::{Tallies, UNKNOWN_FIELDS};
use serde::{Serialize, Serializer};

/// Tallies as `/status` shows them; fields that were never unknown are left out.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    evictions: u64,
    shared_fallbacks: u64,
    delayed: u64,
    not_delayed: u64,
    rollbacks: u64,
    unknown_fields: Unknown,
}

#[derive(Debug)]
struct Unknown([u64; UNKNOWN_FIELDS]);

impl From<&Tallies> for Shown {
    fn from(tallies: &Tallies) -> Self {
        let Tallies { evictions, shared_fallbacks, delayed, not_delayed, rollbacks, unknown } = *tallies;
        Self { evictions, shared_fallbacks, delayed, not_delayed, rollbacks, unknown_fields: Unknown(unknown) }
    }
}

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(by_field(&self.0).into_iter().filter(|(_, count)| *count > 0))
    }
}

/// Counts with the word of each field.
pub(super) fn by_field(counts: &[u64; UNKNOWN_FIELDS]) -> Vec<(&'static str, u64)> {
    counts.iter().enumerate().map(|(number, count)| (word(number), *count)).collect()
}

/// The field's word in the policy language.
fn word(number: usize) -> &'static str {
    match i32::try_from(number).ok().and_then(|number| Field::try_from(number).ok()).unwrap_or(Field::Unspecified) {
        Field::Unspecified => "other",
        Field::Address => "address",
        Field::Agent => "agent",
        Field::AgentVerified => "agent.verified",
        Field::Asn => "asn",
        Field::Jwt => "jwt",
        Field::Cookies => "cookies",
        Field::Country => "country",
        Field::Fingerprint => "fingerprint",
        Field::Headers => "headers",
        Field::Host => "host",
        Field::Identity => "identity",
        Field::Ja4 => "ja4",
        Field::Method => "method",
        Field::Path => "path",
        Field::Port => "port",
        Field::Query => "query",
        Field::ResponseHeaders => "response.headers",
        Field::ResponseSize => "response.size",
        Field::ResponseStatus => "response.status",
        Field::ResponseType => "response.type",
        Field::Score => "score",
        Field::Size => "size",
        Field::Sni => "sni",
        Field::Time => "time",
        Field::TlsMutual => "tls.mutual",
        Field::TlsVersion => "tls.version",
        Field::Verdict => "verdict",
        Field::Destination => "destination",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<&str> = (0..UNKNOWN_FIELDS).map(word).collect();
        assert_eq!(words.len(), UNKNOWN_FIELDS);
        assert!(Field::try_from(UNKNOWN_FIELDS as i32).is_err(), "a field was added: give it room and a word");
    }
}
