//! The host calls, answered from the [`World`].

use wasmi::{Caller, Extern, Linker, Memory};

use crate::expressions::Expression;
use crate::world::{Headers, LocalReply, Stream, World, decode_pairs, encode_pairs};

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const INVALID_MEMORY: u32 = 6;
const CAS_MISMATCH: u32 = 8;
const INTERNAL: u32 = 10;

type Call<'a> = Caller<'a, World>;

fn memory(call: &Call<'_>) -> Memory {
    call.get_export("memory").and_then(Extern::into_memory).expect("the module exports its memory")
}

fn bytes(call: &Call<'_>, at: u32, size: u32) -> Vec<u8> {
    let (at, size) = (at as usize, size as usize);
    memory(call).data(call).get(at..at + size).expect("the filter's pointers lie inside its memory").to_vec()
}

fn text(call: &Call<'_>, at: u32, size: u32) -> String {
    String::from_utf8(bytes(call, at, size)).expect("the filter's texts are UTF-8")
}

fn put(call: &mut Call<'_>, at: u32, value: &[u8]) {
    memory(call).write(call, at as usize, value).expect("the filter's pointers lie inside its memory");
}

/// Hands over bytes in a block that the filter allocates.
fn give(call: &mut Call<'_>, value: &[u8], data: u32, size: u32) -> u32 {
    let mut at = 0u32;
    if !value.is_empty() {
        let allocate = call.get_export("proxy_on_memory_allocate").and_then(Extern::into_func).expect("an allocator");
        let allocate = allocate.typed::<u32, u32>(&call).expect("its type");
        at = allocate.call(&mut *call, u32::try_from(value.len()).unwrap()).expect("the allocator never traps");
        if at == 0 {
            return INVALID_MEMORY;
        }
        put(call, at, value);
    }
    put(call, data, &at.to_le_bytes());
    put(call, size, &u32::try_from(value.len()).unwrap().to_le_bytes());
    OK
}

/// Notes the call; returns its status from the function around it if the script says that it fails.
macro_rules! scripted {
    ($call:ident, $name:literal) => {
        if let Some(status) = $call.data_mut().called($name) {
            return status;
        }
    };
}

macro_rules! define {
    ($linker:ident, $module:literal, $name:literal, |$call:ident $(, $argument:ident: $type:ty)*| $body:expr) => {
        $linker
            .func_wrap($module, $name, |mut $call: Call<'_> $(, $argument: $type)*| -> u32 {
                scripted!($call, $name);
                $body
            })
            .expect($name);
    };
}

/// All calls that the filter may import.
pub(crate) fn define(linker: &mut Linker<World>) {
    surroundings(linker);
    properties(linker);
    headers(linker);
    streams(linker);
    metrics(linker);
    wasi(linker);
}

fn surroundings(linker: &mut Linker<World>) {
    define!(linker, "env", "proxy_log", |call, level: u32, at: u32, size: u32| {
        let line = text(&call, at, size);
        call.data_mut().log.push((level, line));
        OK
    });
    define!(linker, "env", "proxy_get_current_time_nanoseconds", |call, at: u32| {
        let now = call.data().now_ns;
        put(&mut call, at, &now.to_le_bytes());
        OK
    });
    define!(linker, "env", "proxy_set_tick_period_milliseconds", |call, period: u32| {
        call.data_mut().tick_ms = period;
        OK
    });
    define!(linker, "env", "proxy_set_effective_context", |call, context: u32| {
        if call.data().deleted.contains(&context) {
            return BAD_ARGUMENT;
        }
        call.data_mut().effective.push(context);
        OK
    });
    define!(linker, "env", "proxy_get_buffer_bytes", |call,
                                                      buffer: u32,
                                                      start: u32,
                                                      length: u32,
                                                      data: u32,
                                                      size: u32| {
        let whole = match buffer {
            5 => call.data().inbox.clone(),
            7 => call.data().configuration.clone(),
            _ => return BAD_ARGUMENT,
        };
        let end = (start as usize).saturating_add(length as usize).min(whole.len());
        let part = whole.get(start as usize..end).unwrap_or_default().to_vec();
        give(&mut call, &part, data, size)
    });
}

fn properties(linker: &mut Linker<World>) {
    define!(linker, "env", "proxy_get_property", |call, at: u32, length: u32, data: u32, size: u32| {
        let path = text(&call, at, length).replace('\0', ".");
        let listed = || crate::expressions::listed(call.data(), &path).map(|values| encode_pairs(&values));
        match call.data().properties.get(&path).cloned().or_else(listed) {
            Some(value) => give(&mut call, &value, data, size),
            None => NOT_FOUND,
        }
    });
    define!(linker, "env", "proxy_set_property", |call, at: u32, length: u32, data: u32, size: u32| {
        let (name, value) = (text(&call, at, length), text(&call, data, size));
        call.data_mut().filter_state.insert(name, value);
        OK
    });
    define!(linker, "env", "proxy_get_shared_data", |call, at: u32, length: u32, data: u32, size: u32, cas: u32| {
        let key = text(&call, at, length);
        let found = call.data().shared.lock().unwrap().get(&key).cloned();
        match found {
            Some(value) => {
                put(&mut call, cas, &value.version.to_le_bytes());
                give(&mut call, &value.bytes, data, size)
            }
            None => NOT_FOUND,
        }
    });
    define!(linker, "env", "proxy_set_shared_data", |call, at: u32, length: u32, data: u32, size: u32, cas: u32| {
        let (key, value) = (text(&call, at, length), bytes(&call, data, size));
        if call.data_mut().shared.lock().unwrap().set(&key, value, cas) { OK } else { CAS_MISMATCH }
    });
    define!(
        linker,
        "env",
        "proxy_call_foreign_function",
        |call, at: u32, length: u32, from: u32, given: u32, data: u32, size: u32| {
            let (name, arguments) = (text(&call, at, length), bytes(&call, from, given));
            match foreign(call.data_mut(), &name, &arguments) {
                Ok(value) => give(&mut call, &value, data, size),
                Err(status) => status,
            }
        }
    );
}

fn foreign(world: &mut World, name: &str, arguments: &[u8]) -> Result<Vec<u8>, u32> {
    if world.without_expressions {
        return Err(NOT_FOUND);
    }
    let token = || <[u8; 4]>::try_from(arguments).map(u32::from_le_bytes).map_err(|_| BAD_ARGUMENT);
    match name {
        "expr_create" => {
            let source = std::str::from_utf8(arguments).map_err(|_| BAD_ARGUMENT)?;
            let expression = Expression::parse(source).ok_or(BAD_ARGUMENT)?;
            world.next_token += 1;
            world.expressions.insert(world.next_token, expression);
            Ok(world.next_token.to_le_bytes().to_vec())
        }
        "expr_evaluate" => {
            let expression = world.expressions.get(&token()?).ok_or(BAD_ARGUMENT)?;
            expression.evaluate(world).map(|values| encode_pairs(&values)).ok_or(INTERNAL)
        }
        "expr_delete" => {
            let token = token()?;
            world.expressions.remove(&token).map(|_| Vec::new()).ok_or(INTERNAL)
        }
        _ => Err(NOT_FOUND),
    }
}

fn headers(linker: &mut Linker<World>) {
    define!(linker, "env", "proxy_get_header_map_pairs", |call, map: u32, data: u32, size: u32| {
        let raw = match (map, &call.data().headers) {
            (0, Some(Headers::Pairs(pairs))) => encode_pairs(pairs),
            (0, Some(Headers::Raw(raw))) => raw.clone(),
            (0, None) => encode_pairs(&[]),
            (2, _) => encode_pairs(&call.data().response),
            _ => return BAD_ARGUMENT,
        };
        give(&mut call, &raw, data, size)
    });
    define!(
        linker,
        "env",
        "proxy_get_header_map_value",
        |call, map: u32, at: u32, length: u32, data: u32, size: u32| {
            assert_eq!(map, 2, "single headers are asked of responses only");
            let name = bytes(&call, at, length);
            let response = &call.data().response;
            let Some(value) = response.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone()) else {
                return NOT_FOUND;
            };
            give(&mut call, &value, data, size)
        }
    );
    define!(linker, "env", "proxy_get_header_map_size", |call, map: u32, size: u32| {
        assert_eq!(map, 2, "sizes are asked of responses only");
        let bytes: usize = call.data().response.iter().map(|(name, value)| name.len() + value.len()).sum();
        put(&mut call, size, &u32::try_from(bytes).expect("a small map").to_le_bytes());
        OK
    });
    define!(linker, "env", "proxy_set_header_map_pairs", |call, map: u32, at: u32, length: u32| {
        let pairs = decode_pairs(&bytes(&call, at, length));
        match map {
            0 => call.data_mut().written = Some(pairs),
            2 => call.data_mut().response_written = Some(pairs),
            _ => panic!("header map {map} is not written"),
        }
        OK
    });
    define!(linker, "env", "proxy_continue_stream", |call, stream: u32| {
        assert!(matches!(stream, 0 | 2), "only requests and connections are held");
        let world = call.data_mut();
        world.continued.extend(world.effective.last());
        OK
    });
    define!(linker, "env", "proxy_close_stream", |call, stream: u32| {
        assert!(matches!(stream, 0 | 2), "only requests and connections are ended");
        let world = call.data_mut();
        world.closed.push(world.current);
        OK
    });
    linker.func_wrap("env", "proxy_send_local_response", local_response).expect("proxy_send_local_response");
}

#[expect(clippy::too_many_arguments, reason = "the ABI's own shape")]
fn local_response(
    mut call: Call<'_>,
    status: u32,
    details: u32,
    details_size: u32,
    body: u32,
    body_size: u32,
    headers: u32,
    headers_size: u32,
    grpc_status: i32,
) -> u32 {
    scripted!(call, "proxy_send_local_response");
    let string = |value: Vec<u8>| String::from_utf8(value).expect("the filter's headers are UTF-8");
    let pairs = decode_pairs(&bytes(&call, headers, headers_size));
    let reply = LocalReply {
        status,
        details: text(&call, details, details_size),
        body: bytes(&call, body, body_size),
        headers: pairs.into_iter().map(|(name, value)| (string(name), string(value))).collect(),
        grpc_status,
    };
    call.data_mut().reply = Some(reply);
    OK
}

fn streams(linker: &mut Linker<World>) {
    linker.func_wrap("env", "proxy_grpc_stream", grpc_stream).expect("proxy_grpc_stream");
    define!(linker, "env", "proxy_grpc_send", |call, token: u32, at: u32, length: u32, _end: u32| {
        let message = bytes(&call, at, length);
        match call.data_mut().streams.get_mut(&token).filter(|stream| !stream.freed) {
            Some(stream) => {
                stream.sent.push(message);
                OK
            }
            None => NOT_FOUND,
        }
    });
    define!(linker, "env", "proxy_grpc_close", |call, token: u32| free(call.data_mut(), token));
    define!(linker, "env", "proxy_grpc_cancel", |call, token: u32| free(call.data_mut(), token));
}

fn free(world: &mut World, token: u32) -> u32 {
    match world.streams.get_mut(&token).filter(|stream| !stream.freed) {
        Some(stream) => {
            stream.freed = true;
            OK
        }
        None => NOT_FOUND,
    }
}

#[expect(clippy::too_many_arguments, reason = "the ABI's own shape")]
fn grpc_stream(
    mut call: Call<'_>,
    upstream: u32,
    upstream_size: u32,
    service: u32,
    service_size: u32,
    method: u32,
    method_size: u32,
    metadata: u32,
    metadata_size: u32,
    token: u32,
) -> u32 {
    scripted!(call, "proxy_grpc_stream");
    let _ = decode_pairs(&bytes(&call, metadata, metadata_size));
    let stream = Stream {
        upstream: bytes(&call, upstream, upstream_size),
        method: format!("{}/{}", text(&call, service, service_size), text(&call, method, method_size)),
        ..Stream::default()
    };
    let world = call.data_mut();
    world.next_token += 4;
    let opened = world.next_token;
    world.streams.insert(opened, stream);
    put(&mut call, token, &opened.to_le_bytes());
    OK
}

fn metrics(linker: &mut Linker<World>) {
    define!(linker, "env", "proxy_define_metric", |call, kind: u32, at: u32, length: u32, id: u32| {
        let name = text(&call, at, length);
        assert!(kind <= 2 && name.starts_with("gatehouse_"), "{name}");
        let world = call.data_mut();
        world.metrics.entry(name.clone()).or_default();
        world.metric_names.push(name);
        let number = u32::try_from(world.metric_names.len() - 1).unwrap();
        put(&mut call, id, &number.to_le_bytes());
        OK
    });
    define!(linker, "env", "proxy_get_metric", |call, id: u32, at: u32| {
        match metric(call.data_mut(), id).copied() {
            Some(value) => {
                put(&mut call, at, &value.to_le_bytes());
                OK
            }
            None => NOT_FOUND,
        }
    });
    define!(linker, "env", "proxy_record_metric", |call, id: u32, value: u64| {
        metric(call.data_mut(), id).map(|slot| *slot = value).map_or(NOT_FOUND, |()| OK)
    });
    define!(linker, "env", "proxy_increment_metric", |call, id: u32, by: i64| {
        metric(call.data_mut(), id).map(|slot| *slot = slot.wrapping_add_signed(by)).map_or(NOT_FOUND, |()| OK)
    });
}

fn metric(world: &mut World, id: u32) -> Option<&mut u64> {
    let name = world.metric_names.get(id as usize)?.clone();
    world.metrics.get_mut(&name)
}

fn wasi(linker: &mut Linker<World>) {
    define!(linker, "wasi_snapshot_preview1", "clock_time_get", |call, _clock: u32, _precision: u64, at: u32| {
        let now = call.data().now_ns;
        put(&mut call, at, &now.to_le_bytes());
        OK
    });
    define!(linker, "wasi_snapshot_preview1", "random_get", |call, at: u32, length: u32| {
        for index in 0..length {
            let world = call.data_mut();
            world.entropy =
                world.entropy.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let byte = world.entropy.to_be_bytes()[0];
            put(&mut call, at + index, &[byte]);
        }
        OK
    });
    define!(linker, "wasi_snapshot_preview1", "environ_get", |call, _list: u32, _buffer: u32| OK);
    define!(linker, "wasi_snapshot_preview1", "environ_sizes_get", |call, count: u32, size: u32| {
        put(&mut call, count, &[0; 4]);
        put(&mut call, size, &[0; 4]);
        OK
    });
    define!(linker, "wasi_snapshot_preview1", "fd_write", |call, _file: u32, _list: u32, _count: u32, _written: u32| 8);
    linker
        .func_wrap("wasi_snapshot_preview1", "proc_exit", |_: Call<'_>, code: u32| -> Result<(), wasmi::Error> {
            Err(wasmi::Error::new(format!("the filter ended its process with {code}")))
        })
        .expect("proc_exit");
}
