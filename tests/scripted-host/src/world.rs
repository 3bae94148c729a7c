//! What the host knows, what it was told, and which of its calls are to fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use crate::expressions::Expression;

/// Data that outlives a VM and that VMs share, as Envoy's shared data: clone it into the next world.
pub type Shared = Arc<Mutex<SharedData>>;

/// Values by key, each with the number that compare-and-swap goes by.
#[derive(Debug, Clone, Default)]
pub struct SharedData {
    values: BTreeMap<String, SharedValue>,
    stores: u32,
}

/// A shared value.
#[derive(Debug, Clone)]
pub struct SharedValue {
    /// What was stored.
    pub bytes: Vec<u8>,
    /// One number for all keys, counted up with every store.
    pub version: u32,
}

impl SharedData {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&SharedValue> {
        self.values.get(key)
    }

    /// The bytes of a key, to damage them.
    pub fn bytes_mut(&mut self, key: &str) -> Option<&mut Vec<u8>> {
        self.values.get_mut(key).map(|value| &mut value.bytes)
    }

    /// Every key.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.values.keys()
    }

    /// Stores as Envoy does: at 0 in any case, at another number only over nothing or over a value of that number.
    pub fn set(&mut self, key: &str, bytes: Vec<u8>, version: u32) -> bool {
        if version != 0 && self.values.get(key).is_some_and(|value| value.version != version) {
            return false;
        }
        self.stores += 1;
        self.values.insert(key.to_owned(), SharedValue { bytes, version: self.stores });
        true
    }
}

/// A header map as the host hands it out.
#[derive(Debug, Clone)]
pub enum Headers {
    /// Well-formed.
    Pairs(Vec<(Vec<u8>, Vec<u8>)>),
    /// These bytes, whatever they are.
    Raw(Vec<u8>),
}

/// An answer that the filter gave itself.
#[derive(Debug, Clone)]
pub struct LocalReply {
    /// HTTP status.
    pub status: u32,
    /// Response code details.
    pub details: String,
    /// Body.
    pub body: Vec<u8>,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// gRPC status; -1: none.
    pub grpc_status: i32,
}

/// A claim.
#[derive(Debug, Clone)]
pub enum Claim {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// A list of texts.
    List(Vec<String>),
}

/// One gRPC stream that the filter opened.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// The upstream argument, as it came.
    pub upstream: Vec<u8>,
    /// `service/method`.
    pub method: String,
    /// Messages that the filter sent, in order.
    pub sent: Vec<Vec<u8>>,
    /// The filter gave it back or reset it.
    pub freed: bool,
}

/// Which call fails, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Number of the call, from 0, counted over all calls of this VM.
    pub at: u64,
    /// The status that it answers with.
    pub status: u32,
    /// Every call from there on fails, not only that one.
    pub lasting: bool,
}

/// The host's state.
#[derive(Debug, Default)]
pub struct World {
    /// Plugin configuration.
    pub configuration: Vec<u8>,
    /// Wall and monotonic clock, nanoseconds.
    pub now_ns: u64,
    /// Properties by dotted path (a key with dots stands behind its map: `filter_state.gatehouse.peer`).
    pub properties: BTreeMap<String, Vec<u8>>,
    /// Envoy was built without expressions.
    pub without_expressions: bool,
    /// Request headers handed out.
    pub headers: Option<Headers>,
    /// Request headers as the filter wrote them back.
    pub written: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    /// Response headers handed out.
    pub response: Vec<(Vec<u8>, Vec<u8>)>,
    /// Response headers as the filter wrote them back.
    pub response_written: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    /// The contexts of requests that were held and let go on.
    pub continued: Vec<u32>,
    /// The contexts of requests that were closed without an answer.
    pub closed: Vec<u32>,
    /// Claims of the token that another filter verified, as a path of names with dots, each with its values; `None`: none did.
    pub claims: Option<BTreeMap<String, Claim>>,
    /// The filter's own answer.
    pub reply: Option<LocalReply>,
    /// Filter state that the filter set (without `wasm.`).
    pub filter_state: BTreeMap<String, String>,
    /// Log lines: level and text.
    pub log: Vec<(u32, String)>,
    /// Metrics by name.
    pub metrics: BTreeMap<String, u64>,
    /// Shared data.
    pub shared: Shared,
    /// Streams by token.
    pub streams: BTreeMap<u32, Stream>,
    /// The message being delivered.
    pub inbox: Vec<u8>,
    /// Last tick period asked for, milliseconds.
    pub tick_ms: u32,
    /// Effective contexts set, in order.
    pub effective: Vec<u32>,
    /// Contexts that were deleted: none of them can be made the effective one.
    pub deleted: BTreeSet<u32>,
    /// The context of the last request whose headers were delivered.
    pub current: u32,
    /// Names of all calls, in order.
    pub calls: Vec<&'static str>,
    /// What is to fail.
    pub fault: Option<Fault>,
    pub(crate) metric_names: Vec<String>,
    pub(crate) expressions: BTreeMap<u32, Expression>,
    pub(crate) next_token: u32,
    pub(crate) entropy: u64,
}

impl World {
    /// Notes a call; `Some`: the status it fails with.
    pub(crate) fn called(&mut self, name: &'static str) -> Option<u32> {
        let number = self.calls.len() as u64;
        self.calls.push(name);
        let fault = self.fault?;
        (number == fault.at || (fault.lasting && number > fault.at)).then_some(fault.status)
    }

    /// The value of a metric; one that was never defined is 0.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        self.metrics.get(name).copied().unwrap_or(0)
    }

    /// Log lines of errors and warnings, joined.
    #[must_use]
    pub fn complaints(&self) -> String {
        self.log.iter().filter(|(level, _)| *level >= 3).map(|(_, line)| line.as_str()).collect::<Vec<_>>().join("\n")
    }
}

/// Writes pairs in the form of the ABI.
#[must_use]
pub fn encode_pairs(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = u32::try_from(pairs.len()).unwrap().to_le_bytes().to_vec();
    for (name, value) in pairs {
        out.extend_from_slice(&u32::try_from(name.len()).unwrap().to_le_bytes());
        out.extend_from_slice(&u32::try_from(value.len()).unwrap().to_le_bytes());
    }
    for (name, value) in pairs {
        out.extend_from_slice(name);
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
    out
}

/// Reads pairs in the form of the ABI.
///
/// # Panics
/// When they are not in that form: the filter wrote them.
#[must_use]
pub fn decode_pairs(raw: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let word = |at: usize| u32::from_le_bytes(raw[at..at + 4].try_into().unwrap()) as usize;
    let count = word(0);
    let mut at = 4 + count * 8;
    let mut take = |length: usize| {
        let text = raw[at..at + length].to_vec();
        assert_eq!(raw[at + length], 0, "texts end with a zero");
        at += length + 1;
        text
    };
    (0..count).map(|index| (take(word(4 + index * 8)), take(word(8 + index * 8)))).collect()
}
