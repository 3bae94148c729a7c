//! Limits, written.

use crate::compile::condition::write_statuses;
use crate::image::{Builder, Section, limit as l, narrow, part as p};
use crate::spec::types::{Count, KeyPart, Limit};

use super::{Vocabulary, thens};

/// Writes the limit of the rule of that rank, but for its identity; gives its index.
pub(super) fn write(rank: u32, limit: &Limit, vocabulary: &Vocabulary, builder: &mut Builder) -> u32 {
    let first_part = builder.count(Section::Parts);
    for part in &limit.by {
        write_part(part, vocabulary, builder);
    }
    let parts = builder.count(Section::Parts) - first_part;
    let (count, [first, number]) = match &limit.count {
        Count::Requests => (l::REQUESTS, [0, 0]),
        Count::Failures(statuses) => (l::FAILURES, write_statuses(statuses, builder)),
        Count::Distinct(part) => (l::DISTINCT, [write_part(part, vocabulary, builder), 1]),
    };
    let own: Vec<u32> = limit
        .steps
        .iter()
        .map(|step| step.then.as_ref().map_or(0, |then| thens::write(then, vocabulary, builder) + 1))
        .collect();
    let first_step = builder.count(Section::Steps);
    for (step, then) in limit.steps.iter().zip(own) {
        let (per, block) = (step.per_ns, step.block_for_ns);
        let burst = step.burst.map_or(0, |burst| burst.saturating_add(1));
        let words = [step.rate, per as u32, (per >> 32) as u32, burst, block as u32, (block >> 32) as u32, then];
        builder.push(Section::Steps, &words);
    }
    let steps = narrow(limit.steps.len());
    let in_flight = limit.in_flight.map_or(0, |number| number.saturating_add(1));
    let shared = u32::from(limit.shared);
    let words = [rank, first_part, parts, count, first, number, first_step, steps, in_flight, shared, 0, 0];
    builder.push(Section::Limits, &words)
}

fn write_part(part: &KeyPart, vocabulary: &Vocabulary, builder: &mut Builder) -> u32 {
    let (kind, [a, b]) = match part {
        KeyPart::Address => (p::ADDRESS, [0; 2]),
        KeyPart::AddressPrefix => (p::ADDRESS_PREFIX, [0; 2]),
        KeyPart::Asn => (p::ASN, [0; 2]),
        KeyPart::Claim(name) => (p::CLAIM, [vocabulary.claim(name), 0]),
        KeyPart::Client => (p::CLIENT, [0; 2]),
        KeyPart::Cookie(name) => (p::COOKIE, builder.text(name)),
        KeyPart::Country => (p::COUNTRY, [0; 2]),
        KeyPart::Fingerprint => (p::FINGERPRINT, [0; 2]),
        KeyPart::Header(name) => (p::HEADER, builder.text(name)),
        KeyPart::Host => (p::HOST, [0; 2]),
        KeyPart::Identity => (p::IDENTITY, [0; 2]),
        KeyPart::Method => (p::METHOD, [0; 2]),
        KeyPart::Path => (p::PATH, [0; 2]),
        KeyPart::PathClass => (p::PATH_CLASS, [0; 2]),
        KeyPart::Query(name) => (p::QUERY, builder.text(name)),
        KeyPart::TlsMutual => (p::TLS_MUTUAL, [0; 2]),
        KeyPart::TlsVersion => (p::TLS_VERSION, [0; 2]),
    };
    builder.push(Section::Parts, &[kind, a, b])
}
