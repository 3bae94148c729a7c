//! Everything that the gate asks of Envoy: bytes in, [`Result`] out, no call that can panic.
//!
//! The only place that names host calls. Statuses are kept as numbers: a host may answer what it likes.

use std::borrow::Cow;

mod ffi;
mod memory;
mod pairs;

use gatehouse_engine::Pair;
pub use memory::allocate;
pub use pairs::Pairs;
use pairs::encode;

/// A host call that was not answered with OK (or answered with bytes that make no sense).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The call, without its `proxy_`.
    pub call: &'static str,
    /// The host's status; see the ABI (1 not found, 2 bad argument, 10 internal failure, 12 unimplemented …).
    pub status: u32,
}

impl core::fmt::Display for Refused {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "Envoy answered `{}` with status {}", self.call, self.status)
    }
}

/// What a host call gives.
pub type Result<T> = core::result::Result<T, Refused>;

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const CAS_MISMATCH: u32 = 8;
/// Number of the connection to the client, among streams.
const DOWNSTREAM: u32 = 2;
/// Not a status of the ABI: what the host gave back could not be read.
pub const MALFORMED: u32 = u32::MAX;

/// Severity of a log line, as Envoy numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For operators in normal times.
    Info = 2,
    /// Something is not as it should be; traffic goes on.
    Warn = 3,
    /// The operator must act.
    Error = 4,
}

/// Which header map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// Request headers.
    Request = 0,
    /// Response headers.
    Response = 2,
}

/// Which buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buffer {
    /// The message that a gRPC stream received.
    GrpcMessage = 5,
    /// The plugin's configuration.
    PluginConfiguration = 7,
}

/// Kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter = 0,
    /// Is set.
    Gauge = 1,
    /// Gets values, of which Envoy tells quantiles.
    Histogram = 2,
}

fn check(call: &'static str, status: u32) -> Result<()> {
    if status == OK { Ok(()) } else { Err(Refused { call, status }) }
}

fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Refused { status: NOT_FOUND, .. }) => Ok(None),
        Err(refused) => Err(refused),
    }
}

/// Runs a call that hands over a buffer, and takes the buffer.
fn taken(call: &'static str, ask: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>> {
    let (mut data, mut size) = (core::ptr::null_mut(), 0usize);
    check(call, ask(&raw mut data, &raw mut size))?;
    Ok(memory::take(data, size))
}

macro_rules! call {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        #[expect(unsafe_code, reason = "a host call: pointers and lengths are those of live slices or locals of the caller")]
        unsafe { ffi::$name($($argument),*) }
    }};
}

/// Writes a line into Envoy's log. A host that takes no logs is no reason to stop.
pub fn log(level: Level, message: &str) {
    let _ = call!(proxy_log(level as u32, message.as_ptr(), message.len()));
}

/// Wall clock, nanoseconds since the Unix epoch.
pub fn wall_ns() -> Result<u64> {
    let mut time = 0;
    check("get_current_time_nanoseconds", call!(proxy_get_current_time_nanoseconds(&raw mut time)))?;
    Ok(time)
}

/// Monotonic clock, nanoseconds since some moment.
pub fn monotonic_ns() -> Result<u64> {
    let mut time = 0;
    check("clock_time_get", call!(clock_time_get(1, 1, &raw mut time)))?;
    Ok(time)
}

/// Fills `bytes` with random bytes.
pub fn random(bytes: &mut [u8]) -> Result<()> {
    check("random_get", call!(random_get(bytes.as_mut_ptr(), bytes.len())))
}

/// Asks for a tick every `period_ms` milliseconds.
pub fn set_tick(period_ms: u32) -> Result<()> {
    check("set_tick_period_milliseconds", call!(proxy_set_tick_period_milliseconds(period_ms)))
}

/// The first `length` bytes of a buffer; `None`: it is empty or not there.
pub fn buffer(buffer: Buffer, length: usize) -> Result<Option<Vec<u8>>> {
    found(taken("get_buffer_bytes", |data, size| call!(proxy_get_buffer_bytes(buffer as u32, 0, length, data, size))))
}

/// A whole header map, one call.
pub fn headers(map: Map) -> Result<Pairs> {
    let raw = taken("get_header_map_pairs", |data, size| call!(proxy_get_header_map_pairs(map as u32, data, size)))?;
    Pairs::parse(raw).ok_or(Refused { call: "get_header_map_pairs", status: MALFORMED })
}

/// Replaces a whole header map, one call.
pub fn set_headers<'a>(map: Map, pairs: impl Iterator<Item = Pair<'a>> + Clone) -> Result<()> {
    let raw = encode(pairs);
    check("set_header_map_pairs", call!(proxy_set_header_map_pairs(map as u32, raw.as_ptr(), raw.len())))
}

/// The first value of one header; `None`: there is none.
pub fn header(map: Map, name: &str) -> Result<Option<Vec<u8>>> {
    found(taken("get_header_map_value", |data, size| {
        call!(proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size))
    }))
}

/// Octets of all names and values of a header map. No buffer changes hands, so it costs a tenth of any call that gives one.
pub fn header_bytes(map: Map) -> Result<u64> {
    let mut bytes = 0u32;
    check("get_header_map_size", call!(proxy_get_header_map_size(map as u32, &raw mut bytes)))?;
    Ok(u64::from(bytes))
}

/// A property; `path` is its segments with NUL between them. `None`: there is none.
pub fn property(path: &str) -> Result<Option<Vec<u8>>> {
    found(taken("get_property", |data, size| call!(proxy_get_property(path.as_ptr(), path.len(), data, size))))
}

/// A property that is a number; `None`: there is none, or a negative one.
pub fn number(path: &str) -> Option<u64> {
    as_number(&property(path).ok()??)
}

/// A number as Envoy gives it: eight bytes, little-endian. A negative one is none.
pub fn as_number(bytes: &[u8]) -> Option<u64> {
    u64::try_from(i64::from_le_bytes(bytes.try_into().ok()?)).ok()
}

/// Sets the filter state `wasm.NAME` of the current request.
pub fn set_property(name: &str, value: &[u8]) -> Result<()> {
    check("set_property", call!(proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len())))
}

/// A value that all VMs of this Envoy share; `None`: there is none.
pub fn shared(key: &str) -> Result<Option<Vec<u8>>> {
    let mut cas = 0;
    found(taken("get_shared_data", |data, size| {
        call!(proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas))
    }))
}

/// The same with its version, for [`set_shared_if`].
pub fn shared_with_version(key: &str) -> Result<Option<(Vec<u8>, u32)>> {
    let mut cas = 0;
    let value = found(taken("get_shared_data", |data, size| {
        call!(proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas))
    }))?;
    Ok(value.map(|value| (value, cas)))
}

/// Sets a shared value if it is still of this version (never 0; one that no value has: if it is still absent). False: it is not.
pub fn set_shared_if(key: &str, value: &[u8], version: u32) -> Result<bool> {
    match call!(proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version)) {
        CAS_MISMATCH => Ok(false),
        status => check("set_shared_data", status).map(|()| true),
    }
}

/// Sets a shared value unconditionally.
pub fn set_shared(key: &str, value: &[u8]) -> Result<()> {
    check("set_shared_data", call!(proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), 0)))
}

/// An answer of the gate's own, sent when the callback returns.
pub fn reply(
    status: u16,
    details: &str,
    headers: &[(Cow<'static, str>, Cow<'static, str>)],
    body: &[u8],
    grpc: Option<u32>,
) -> Result<()> {
    let raw = encode(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let grpc = grpc.and_then(|status| i32::try_from(status).ok()).unwrap_or(-1);
    check(
        "send_local_response",
        call!(proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            raw.as_ptr(),
            raw.len(),
            grpc,
        )),
    )
}

/// Opens a bidirectional gRPC stream of the current root context; `upstream` is a serialised `GrpcService`. Its token.
pub fn grpc_open(upstream: &[u8], service: &str, method: &str) -> Result<u32> {
    let mut token = 0;
    let metadata = encode(core::iter::empty());
    let status = call!(proxy_grpc_stream(
        upstream.as_ptr(),
        upstream.len(),
        service.as_ptr(),
        service.len(),
        method.as_ptr(),
        method.len(),
        metadata.as_ptr(),
        metadata.len(),
        &raw mut token,
    ));
    check("grpc_stream", status)?;
    Ok(token)
}

/// Sends one message. OK says only that Envoy took it.
pub fn grpc_send(token: u32, message: &[u8]) -> Result<()> {
    check("grpc_send", call!(proxy_grpc_send(token, message.as_ptr(), message.len(), 0)))
}

/// Frees a stream that the other side closed.
pub fn grpc_close(token: u32) -> Result<()> {
    check("grpc_close", call!(proxy_grpc_close(token)))
}

/// Resets a stream at once.
pub fn grpc_cancel(token: u32) -> Result<()> {
    check("grpc_cancel", call!(proxy_grpc_cancel(token)))
}

/// Lets a request go on that was stopped at its headers.
pub fn continue_request() -> Result<()> {
    check("continue_stream", call!(proxy_continue_stream(0)))
}

/// Ends the current request without an answer: HTTP/1 closes the connection, HTTP/2 and 3 reset the stream.
pub fn drop_request() -> Result<()> {
    check("close_stream", call!(proxy_close_stream(0)))
}

/// Lets a connection go on that was held.
pub fn continue_connection() -> Result<()> {
    check("continue_stream", call!(proxy_continue_stream(DOWNSTREAM)))
}

/// Closes a connection.
pub fn close_connection() -> Result<()> {
    check("close_stream", call!(proxy_close_stream(DOWNSTREAM)))
}

/// Makes another context the one that following calls speak of.
pub fn set_effective_context(context: u32) -> Result<()> {
    check("set_effective_context", call!(proxy_set_effective_context(context)))
}

/// Defines a metric (or finds it); its id.
pub fn define_metric(kind: MetricKind, name: &str) -> Result<u32> {
    let mut id = 0;
    check("define_metric", call!(proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id)))?;
    Ok(id)
}

/// The value of a metric, over all workers.
pub fn metric(id: u32) -> Result<u64> {
    let mut value = 0;
    check("get_metric", call!(proxy_get_metric(id, &raw mut value)))?;
    Ok(value)
}

/// Sets a gauge.
pub fn record_metric(id: u32, value: u64) -> Result<()> {
    check("record_metric", call!(proxy_record_metric(id, value)))
}

/// Adds to a counter.
pub fn increment_metric(id: u32, by: i64) -> Result<()> {
    check("increment_metric", call!(proxy_increment_metric(id, by)))
}

/// Calls one of Envoy's foreign functions.
pub fn foreign(name: &str, arguments: &[u8]) -> Result<Vec<u8>> {
    taken("call_foreign_function", |data, size| {
        call!(proxy_call_foreign_function(name.as_ptr(), name.len(), arguments.as_ptr(), arguments.len(), data, size))
    })
}

/// Linear memory of this VM, bytes; 0 where there is none (native tests).
pub fn memory_bytes() -> u64 {
    #[cfg(target_arch = "wasm32")]
    return core::arch::wasm32::memory_size(0) as u64 * 65536;
    #[cfg(not(target_arch = "wasm32"))]
    0
}

/// Monotonic nanoseconds; where Envoy has no such clock, those of the wall clock.
pub fn now_ns() -> u64 {
    monotonic_ns().or_else(|_| wall_ns()).unwrap_or(0)
}
