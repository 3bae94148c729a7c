//! What Envoy knows of a transaction when it ends (or, for a long one, so far): one CEL list, read into an [`Outcome`].
//!
//! Each attribute is paid for by every request, and a guard doubles its price; so three lists begin alike and go on as far as needed:
//!
//! ```text
//!  code details flags size content-type route virtual-host │ attempts address cluster │ times, protocol, sizes, failure
//!  ───── answered by the gate ───────────────────────────►
//!  ───── answered by an upstream, as it should be ───────────────────────────────────►
//!  ───── anything else, each guarded ─────────────────────────────────────────────────────────────────────────────────►
//! ```
//! "As it should be" is: no flag, no status from 500, not longer than [`SLOW_NS`]. Whoever looks at the others wants all that Envoy knows.
//! What a list leaves out is told by the gate's own clocks and by the connection, or is absent from the record.

use gatehouse_engine::Outcome;
use gatehouse_verdict::record::{Part, Response, Upstream};

use gatehouse_filter::cel::{Answers, Attribute, Table};
use gatehouse_filter::host::{self, Map};

/// In order; the constants below are the places.
const ATTRIBUTES: [&str; 18] = [
    "response.code",
    "response.code_details",
    "response.flags",
    "response.size",
    CONTENT_TYPE_OF,
    "xds.route_name",
    "xds.virtual_host_name",
    "upstream.request_attempt_count",
    "upstream.address",
    "xds.cluster_name",
    "request.size",
    "request.duration",
    "request.time",
    "request.protocol",
    "upstream.cx_pool_ready_duration",
    "response.backend_latency",
    "response.grpc_status",
    "upstream.transport_failure_reason",
];
/// Not every answer has one: guarded always.
const CONTENT_TYPE_OF: &str = "response.headers";
const CODE: usize = 0;
const DETAILS: usize = 1;
const FLAGS: usize = 2;
const RESPONSE_SIZE: usize = 3;
const CONTENT_TYPE: usize = 4;
const ROUTE: usize = 5;
const VIRTUAL_HOST: usize = 6;
const ATTEMPTS: usize = 7;
const ADDRESS: usize = 8;
const CLUSTER: usize = 9;
const REQUEST_SIZE: usize = 10;
const DURATION: usize = 11;
const START: usize = 12;
const PROTOCOL: usize = 13;
const POOL_READY: usize = 14;
const BACKEND: usize = 15;
const GRPC_STATUS: usize = 16;
const TRANSPORT_FAILURE: usize = 17;

/// What Envoy calls an answer of the upstream.
const VIA_UPSTREAM: &[u8] = b"via_upstream";
/// A transaction that lasts longer is told with all of its times.
const SLOW_NS: u64 = 1_000_000_000;

/// After this many failures of a short list in a row it is tried only now and then, …
const MISSES: u32 = 8;
/// … once in so many requests: this traffic, or this Envoy, is not made for it.
const RETRY: u32 = 16;

/// Who probably answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answerer {
    /// The gate.
    Gate,
    /// The upstream.
    Upstream,
    /// Envoy, another filter, nobody; or the transaction still runs.
    Unknown,
}

/// The lists to ask.
#[derive(Debug)]
pub(crate) struct Outcomes {
    of_gate: Short,
    of_upstream: Short,
    whole: Table,
}

impl Outcomes {
    pub(crate) fn new() -> Self {
        Self {
            of_gate: Short::new(VIRTUAL_HOST + 1),
            of_upstream: Short::new(CLUSTER + 1),
            whole: Table::new(ATTRIBUTES.into_iter().map(|name| attribute(name, Attribute::guarded)).collect()),
        }
    }

    /// Asks about the current context.
    pub(crate) fn ask(&mut self, answerer: Answerer, duration_ns: u64) -> Answers {
        let short = match answerer {
            Answerer::Gate => self.of_gate.ask(),
            Answerer::Upstream if duration_ns <= SLOW_NS => self.of_upstream.ask().filter(as_it_should_be),
            Answerer::Upstream | Answerer::Unknown => None,
        };
        short.unwrap_or_else(|| self.whole.ask())
    }
}

fn attribute(name: &str, kind: impl Fn(&str) -> Attribute) -> Attribute {
    if name == CONTENT_TYPE_OF { Attribute::keyed(name, "content-type") } else { kind(name) }
}

fn as_it_should_be(answers: &Answers) -> bool {
    answers.bytes(DETAILS) == Some(VIA_UPSTREAM)
        && answers.number(FLAGS) == Some(0)
        && answers.number(CODE).is_some_and(|code| code < 500)
}

/// The beginning of the attributes, without guards: one that is absent fails the list.
#[derive(Debug)]
struct Short {
    table: Table,
    misses: u32,
}

impl Short {
    fn new(length: usize) -> Self {
        let attributes = ATTRIBUTES.into_iter().take(length);
        Self { table: Table::new(attributes.map(|name| attribute(name, Attribute::bare)).collect()), misses: 0 }
    }

    fn ask(&mut self) -> Option<Answers> {
        if self.misses < MISSES || self.misses.is_multiple_of(RETRY) {
            let answers = self.table.ask_list();
            if answers.is_some() {
                self.misses = 0;
                return answers;
            }
        }
        self.misses = self.misses.wrapping_add(1).max(1);
        None
    }
}

/// What the gate knows itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Measured<'a> {
    /// Wall clock at arrival; 0: unknown.
    pub(crate) start_unix_ns: u64,
    /// From arrival to now; 0: unknown.
    pub(crate) duration_ns: u64,
    /// From arrival to the response headers; 0: there were none.
    pub(crate) first_byte_ns: u64,
    /// The request did not end with its headers.
    pub(crate) has_body: bool,
    /// Protocol of the connection.
    pub(crate) protocol: &'a str,
}

/// The status of the response alone, of the current context; `None`: there was none.
pub(crate) fn status() -> Option<u16> {
    let code = u16::try_from(host::number("response\0code")?).ok()?;
    (code != 0).then_some(code)
}

/// Reads the answers, about the current context; what Envoy was not asked or does not tell is taken from `measured`.
pub(crate) fn read(answers: &Answers, part: Part, measured: Measured<'_>) -> Outcome {
    let duration_ns = answers.number(DURATION).unwrap_or(measured.duration_ns);
    let response = response(answers);
    let asked = |at: usize, path: &str| {
        answers.number(at).or_else(|| (!answers.asked(at)).then(|| host::number(path)).flatten())
    };
    // Envoy maps the status of plain HTTP to a gRPC one as well: it means nothing there.
    let grpc_status = if response.content_type.starts_with("application/grpc") {
        narrow(asked(GRPC_STATUS, "response\0grpc_status"))
    } else {
        None
    };
    let request_body_bytes =
        if measured.has_body { asked(REQUEST_SIZE, "request\0size") } else { answers.number(REQUEST_SIZE) };
    Outcome {
        part,
        start_unix_ns: answers.number(START).unwrap_or(measured.start_unix_ns),
        duration_ns,
        protocol: answers.text(PROTOCOL).unwrap_or_else(|| measured.protocol.to_owned()),
        request_body_bytes: request_body_bytes.unwrap_or(0),
        response: Response { grpc_status, ..response },
        upstream: upstream(answers, duration_ns, measured.first_byte_ns),
    }
}

fn response(answers: &Answers) -> Response {
    let content_type = answers.text(CONTENT_TYPE).unwrap_or_default();
    Response {
        status: narrow(answers.number(CODE)).unwrap_or(0),
        code_details: answers.text(DETAILS).unwrap_or_default(),
        flags: answers.number(FLAGS).unwrap_or(0),
        header_bytes: host::header_bytes(Map::Response).unwrap_or(0),
        body_bytes: answers.number(RESPONSE_SIZE).unwrap_or(0),
        content_type: content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase(),
        grpc_status: None,
    }
}

fn upstream(answers: &Answers, duration_ns: u64, first_byte_ns: u64) -> Upstream {
    let address = answers.text(ADDRESS).unwrap_or_default();
    // Any other answer is Envoy's own or another filter's.
    let answered = answers.bytes(DETAILS) == Some(VIA_UPSTREAM);
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

    #[expect(clippy::unnecessary_wraps, reason = "an answer as it is kept")]
    fn number(value: i64) -> Option<Vec<u8>> {
        Some(value.to_le_bytes().to_vec())
    }

    fn answers(change: impl FnOnce(&mut Vec<Option<Vec<u8>>>)) -> Answers {
        let mut values = vec![None; ATTRIBUTES.len()];
        change(&mut values);
        Answers::Single(values)
    }

    #[test]
    fn the_places_are_those_of_the_attributes() {
        assert_eq!(ATTRIBUTES[CONTENT_TYPE], CONTENT_TYPE_OF);
        assert_eq!(ATTRIBUTES[CLUSTER], "xds.cluster_name");
        assert_eq!(ATTRIBUTES[TRANSPORT_FAILURE], "upstream.transport_failure_reason");
    }

    #[test]
    fn an_answer_that_is_not_as_it_should_be_is_asked_for_whole() {
        let told = |details: &str, flags, code| {
            as_it_should_be(&answers(|v| {
                (v[DETAILS], v[FLAGS], v[CODE]) = (Some(details.as_bytes().to_vec()), number(flags), number(code));
            }))
        };
        assert!(told("via_upstream", 0, 404));
        assert!(!told("via_upstream", 0, 502));
        assert!(!told("via_upstream", 64, 200));
        assert!(!told("upstream_reset", 0, 200));
        assert!(!as_it_should_be(&answers(|_| ())), "nothing is known");
    }

    #[test]
    fn what_envoy_does_not_tell_is_taken_from_our_own_clock() {
        let measured =
            Measured { start_unix_ns: 5, duration_ns: 7, first_byte_ns: 3, has_body: true, protocol: "HTTP/2" };
        let outcome = read(&answers(|_| ()), Part::Interim, measured);
        assert_eq!((outcome.start_unix_ns, outcome.duration_ns, outcome.part), (5, 7, Part::Interim));
        assert_eq!((outcome.protocol.as_str(), outcome.request_body_bytes), ("HTTP/2", 0));
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
