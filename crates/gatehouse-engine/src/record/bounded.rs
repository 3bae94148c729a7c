//! The form of a record that always fits.

use gatehouse_verdict::Record;
use gatehouse_verdict::redact::cut;

/// Longest path in a bounded record, bytes.
const PATH_BYTES: usize = 512;

/// Longest other text in a bounded record, bytes.
const TEXT_BYTES: usize = 128;

/// Most entries of a list in a bounded record.
const ENTRIES: usize = 8;

/// The same transaction in less than 10 KiB, whatever it held: headers, query and cookies are left out, paths cut to 512
/// bytes and other text to 128, tags and would-have entries to the first eight, grounds to the first one.
#[must_use]
pub fn bounded(mut record: Record) -> Record {
    record.request.headers = Vec::new();
    record.request.query = Vec::new();
    record.request.cookies = Vec::new();
    cut(&mut record.request.path, PATH_BYTES);
    cut(&mut record.request.canonical_path, PATH_BYTES);
    record.verdict.would_have.truncate(ENTRIES);
    record.verdict.tags.truncate(ENTRIES);
    record.grounds.truncate(1);
    texts(&mut record).into_iter().for_each(|text| cut(text, TEXT_BYTES));
    for ground in &mut record.grounds {
        cut(&mut ground.rule, TEXT_BYTES);
        ground.inputs.truncate(ENTRIES);
        ground
            .inputs
            .iter_mut()
            .flat_map(|input| [&mut input.field, &mut input.value])
            .for_each(|text| cut(text, TEXT_BYTES));
    }
    let verdict = &mut record.verdict;
    verdict.would_have.iter_mut().for_each(|would| cut(&mut would.rule, TEXT_BYTES));
    verdict.tags.iter_mut().for_each(|tag| cut(tag, TEXT_BYTES));
    verdict.rule.iter_mut().chain(&mut verdict.reference).for_each(|text| cut(text, TEXT_BYTES));
    record
}

/// Every single text besides paths and the verdict's.
fn texts(record: &mut Record) -> [&mut String; 25] {
    let Record { origin, downstream, request, response, upstream, .. } = record;
    [
        &mut origin.gateway,
        &mut origin.gateway_cluster,
        &mut origin.gate_version,
        &mut downstream.client_address,
        &mut downstream.peer_address,
        &mut downstream.client_key,
        &mut downstream.peer_uri,
        &mut downstream.sni,
        &mut downstream.tls_version,
        &mut request.method,
        &mut request.scheme,
        &mut request.authority,
        &mut request.user_agent,
        &mut request.request_id,
        &mut request.traceparent,
        &mut request.protocol,
        &mut response.code_details,
        &mut response.content_type,
        &mut upstream.route,
        &mut upstream.virtual_host,
        &mut upstream.cluster,
        &mut upstream.host,
        &mut upstream.subset,
        &mut upstream.address,
        &mut upstream.transport_failure,
    ]
}
