//! What Envoy knows of a transaction when it ends (or, for a long one, so far): one CEL list, read into an [`Outcome`].
//!
//! A guard doubles the price of an attribute, and all but one are there whenever an upstream answered. So a forwarded request
//! is asked for without guards first; where that list fails (Envoy answered itself, the upstream did not), with them.

use gatehouse_engine::Outcome;
use gatehouse_verdict::record::{Part, Response, Upstream};

use crate::cel::{Answers, Attribute, Table};

/// What is there whenever an upstream answered, in order; the constants below are the places.
const COMMON: [&str; 17] = [
    "response.code",
    "response.code_details",
    "response.flags",
    "response.size",
    "response.total_size",
    "request.size",
    "request.duration",
    "request.time",
    "request.protocol",
    "upstream.address",
    "upstream.request_attempt_count",
    "upstream.cx_pool_ready_duration",
    "response.backend_latency",
    "xds.cluster_name",
    "xds.route_name",
    "xds.virtual_host_name",
    "response.grpc_status",
];
const CODE: usize = 0;
const DETAILS: usize = 1;
const FLAGS: usize = 2;
const RESPONSE_SIZE: usize = 3;
const RESPONSE_TOTAL: usize = 4;
const REQUEST_SIZE: usize = 5;
const DURATION: usize = 6;
const START: usize = 7;
const PROTOCOL: usize = 8;
const ADDRESS: usize = 9;
const ATTEMPTS: usize = 10;
const POOL_READY: usize = 11;
const BACKEND: usize = 12;
const CLUSTER: usize = 13;
const ROUTE: usize = 14;
const VIRTUAL_HOST: usize = 15;
const GRPC_STATUS: usize = 16;
/// Not every answer has one: guarded always.
const CONTENT_TYPE: usize = 17;
/// Only in the whole list.
const TRANSPORT_FAILURE: usize = 18;

/// After this many failures of the common list in a row it is tried only now and then, …
const MISSES: u32 = 8;
/// … once in so many requests: this traffic, or this Envoy, is not made for it.
const RETRY: u32 = 16;

/// The lists to ask.
#[derive(Debug)]
pub(crate) struct Outcomes {
    common: Table,
    whole: Table,
    misses: u32,
}

impl Outcomes {
    pub(crate) fn new() -> Self {
        let content_type = || Attribute::keyed("response.headers", "content-type");
        let common = COMMON.into_iter().map(Attribute::bare).chain([content_type()]).collect();
        let last = [content_type(), Attribute::guarded("upstream.transport_failure_reason")];
        let whole = COMMON.into_iter().map(Attribute::guarded).chain(last).collect();
        Self { common: Table::new(common), whole: Table::new(whole), misses: 0 }
    }

    /// Asks about the current context; `answered`: an upstream has probably answered it.
    pub(crate) fn ask(&mut self, answered: bool) -> Answers {
        if answered {
            if (self.misses < MISSES || self.misses.is_multiple_of(RETRY))
                && let Some(answers) = self.common.ask_list()
            {
                self.misses = 0;
                return answers;
            }
            self.misses = self.misses.wrapping_add(1).max(1);
        }
        self.whole.ask()
    }
}

/// What the gate measured itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Wall clock at arrival; 0: unknown.
    pub(crate) start_unix_ns: u64,
    /// From arrival to now; 0: unknown.
    pub(crate) duration_ns: u64,
    /// From arrival to the response headers; 0: there were none.
    pub(crate) first_byte_ns: u64,
}

/// The status of the response alone, of the current context; `None`: there was none.
pub(crate) fn status() -> Option<u16> {
    let bytes = crate::host::property(&["response", "code"]).ok()??;
    let code = u16::try_from(i64::from_le_bytes(bytes.as_slice().try_into().ok()?)).ok()?;
    (code != 0).then_some(code)
}

/// Reads the answers; what Envoy does not tell is taken from `measured`.
pub(crate) fn read(answers: &Answers, part: Part, measured: Measured) -> Outcome {
    let duration_ns = answers.number(DURATION).unwrap_or(measured.duration_ns);
    let response = response(answers);
    let grpc = response.content_type.starts_with("application/grpc");
    Outcome {
        part,
        start_unix_ns: answers.number(START).unwrap_or(measured.start_unix_ns),
        duration_ns,
        protocol: answers.text(PROTOCOL).unwrap_or_default(),
        request_body_bytes: answers.number(REQUEST_SIZE).unwrap_or(0),
        // Envoy maps the status of plain HTTP to a gRPC one as well: it means nothing there.
        response: Response { grpc_status: grpc.then(|| narrow(answers.number(GRPC_STATUS))).flatten(), ..response },
        upstream: upstream(answers, duration_ns, measured.first_byte_ns),
    }
}

fn response(answers: &Answers) -> Response {
    let body = answers.number(RESPONSE_SIZE).unwrap_or(0);
    let content_type = answers.text(CONTENT_TYPE).unwrap_or_default();
    Response {
        status: narrow(answers.number(CODE)).unwrap_or(0),
        code_details: answers.text(DETAILS).unwrap_or_default(),
        flags: answers.number(FLAGS).unwrap_or(0),
        header_bytes: answers.number(RESPONSE_TOTAL).unwrap_or(0).saturating_sub(body),
        body_bytes: body,
        content_type: content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase(),
        grpc_status: None,
    }
}

fn upstream(answers: &Answers, duration_ns: u64, first_byte_ns: u64) -> Upstream {
    let address = answers.text(ADDRESS).unwrap_or_default();
    // Any other answer is Envoy's own or another filter's.
    let answered = answers.bytes(DETAILS) == Some(b"via_upstream");
    let connected_ns = answers.number(POOL_READY).unwrap_or(0).min(duration_ns);
    // Envoy tells the time from the first byte sent to the last byte received; the first is sent when the connection is ready.
    let last = answers
        .number(BACKEND)
        .map_or(0, |latency| connected_ns.saturating_add(latency).max(first_byte_ns).min(duration_ns));
    Upstream {
        route: answers.text(ROUTE).unwrap_or_default(),
        virtual_host: answers.text(VIRTUAL_HOST).unwrap_or_default(),
        cluster: answers.text(CLUSTER).unwrap_or_default(),
        address,
        connected_ns,
        first_byte_ns: if answered { first_byte_ns } else { 0 },
        last_byte_ns: last,
        transport_failure: answers.text(TRANSPORT_FAILURE).unwrap_or_default(),
        attempts: narrow(answers.number(ATTEMPTS)).unwrap_or(0),
        ..Upstream::default()
    }
}

fn narrow(value: Option<u64>) -> Option<u32> {
    value.and_then(|value| u32::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: i64) -> Option<Vec<u8>> {
        Some(value.to_le_bytes().to_vec())
    }

    fn answers(change: impl FnOnce(&mut Vec<Option<Vec<u8>>>)) -> Answers {
        let mut values = vec![None; TRANSPORT_FAILURE + 1];
        change(&mut values);
        Answers::Single(values)
    }

    #[test]
    fn what_envoy_does_not_tell_is_taken_from_our_own_clock() {
        let measured = Measured { start_unix_ns: 5, duration_ns: 7, first_byte_ns: 3 };
        let outcome = read(&answers(|_| ()), Part::Interim, measured);
        assert_eq!((outcome.start_unix_ns, outcome.duration_ns, outcome.part), (5, 7, Part::Interim));
        assert_eq!(outcome.upstream.first_byte_ns, 0, "no upstream answered");
    }

    #[test]
    fn a_grpc_status_counts_only_for_grpc() {
        let plain =
            answers(|v| (v[GRPC_STATUS], v[CONTENT_TYPE]) = (number(2), Some(b"text/html; charset=x".to_vec())));
        let plain = read(&plain, Part::Final, Measured::default());
        assert_eq!((plain.response.grpc_status, plain.response.content_type.as_str()), (None, "text/html"));
        let grpc =
            answers(|v| (v[GRPC_STATUS], v[CONTENT_TYPE]) = (number(7), Some(b"application/grpc+proto".to_vec())));
        assert_eq!(read(&grpc, Part::Final, Measured::default()).response.grpc_status, Some(7));
    }

    #[test]
    fn times_never_exceed_the_whole_transaction() {
        let answers = answers(|v| {
            v[DURATION] = number(100);
            v[POOL_READY] = number(90);
            v[BACKEND] = number(90);
            v[DETAILS] = Some(b"via_upstream".to_vec());
        });
        let upstream = read(&answers, Part::Final, Measured { first_byte_ns: 95, ..Measured::default() }).upstream;
        assert_eq!((upstream.connected_ns, upstream.first_byte_ns, upstream.last_byte_ns), (90, 95, 100));
    }
}
