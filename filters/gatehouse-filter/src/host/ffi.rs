//! The proxy-wasm ABI (0.2.1) and the two WASI calls that the gate uses, as they are declared: numbers in, numbers out.
//!
//! Every call returns a status as a plain integer, so that a status nobody has heard of is a number and not undefined
//! behaviour. Nothing but the parent module uses what is here.
#![expect(unsafe_code, reason = "declarations of the host's calls")]

#[cfg(target_arch = "wasm32")]
pub(super) use wasm::*;

#[cfg(target_arch = "wasm32")]
mod wasm {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(crate) fn proxy_log(level: u32, message: *const u8, message_size: usize) -> u32;
        pub(crate) fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        pub(crate) fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        pub(crate) fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            length: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(crate) fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
        pub(crate) fn proxy_set_header_map_pairs(map: u32, data: *const u8, size: usize) -> u32;
        pub(crate) fn proxy_get_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(crate) fn proxy_get_header_map_size(map: u32, size: *mut u32) -> u32;
        pub(crate) fn proxy_get_property(
            path: *const u8,
            path_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
        pub(crate) fn proxy_set_property(path: *const u8, path_size: usize, data: *const u8, size: usize) -> u32;
        pub(crate) fn proxy_get_shared_data(
            key: *const u8,
            key_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
            cas: *mut u32,
        ) -> u32;
        pub(crate) fn proxy_set_shared_data(
            key: *const u8,
            key_size: usize,
            data: *const u8,
            size: usize,
            cas: u32,
        ) -> u32;
        pub(crate) fn proxy_send_local_response(
            status: u32,
            details: *const u8,
            details_size: usize,
            body: *const u8,
            body_size: usize,
            headers: *const u8,
            headers_size: usize,
            grpc_status: i32,
        ) -> u32;
        pub(crate) fn proxy_grpc_stream(
            upstream: *const u8,
            upstream_size: usize,
            service: *const u8,
            service_size: usize,
            method: *const u8,
            method_size: usize,
            metadata: *const u8,
            metadata_size: usize,
            token: *mut u32,
        ) -> u32;
        pub(crate) fn proxy_grpc_send(token: u32, message: *const u8, message_size: usize, end_stream: u32) -> u32;
        pub(crate) fn proxy_grpc_close(token: u32) -> u32;
        pub(crate) fn proxy_grpc_cancel(token: u32) -> u32;
        pub(crate) fn proxy_set_effective_context(context: u32) -> u32;
        pub(crate) fn proxy_continue_stream(stream: u32) -> u32;
        pub(crate) fn proxy_close_stream(stream: u32) -> u32;
        pub(crate) fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
        pub(crate) fn proxy_get_metric(id: u32, value: *mut u64) -> u32;
        pub(crate) fn proxy_record_metric(id: u32, value: u64) -> u32;
        pub(crate) fn proxy_increment_metric(id: u32, offset: i64) -> u32;
        pub(crate) fn proxy_call_foreign_function(
            name: *const u8,
            name_size: usize,
            arguments: *const u8,
            arguments_size: usize,
            data: *mut *mut u8,
            size: *mut usize,
        ) -> u32;
    }

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        pub(crate) fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
        pub(crate) fn random_get(buffer: *mut u8, size: usize) -> u32;
    }
}

/// Outside Envoy there is no host: every call answers "unimplemented", so that the pure parts link and run in unit tests.
#[cfg(not(target_arch = "wasm32"))]
macro_rules! absent {
    ($($name:ident($($argument:ty),*);)*) => {
        $(#[allow(clippy::too_many_arguments, reason = "the ABI's own shape")]
        pub(super) unsafe fn $name($(_: $argument),*) -> u32 { 12 })*
    };
}

#[cfg(not(target_arch = "wasm32"))]
absent! {
    proxy_log(u32, *const u8, usize);
    proxy_get_current_time_nanoseconds(*mut u64);
    proxy_set_tick_period_milliseconds(u32);
    proxy_get_buffer_bytes(u32, usize, usize, *mut *mut u8, *mut usize);
    proxy_get_header_map_pairs(u32, *mut *mut u8, *mut usize);
    proxy_set_header_map_pairs(u32, *const u8, usize);
    proxy_get_header_map_value(u32, *const u8, usize, *mut *mut u8, *mut usize);
    proxy_get_header_map_size(u32, *mut u32);
    proxy_get_property(*const u8, usize, *mut *mut u8, *mut usize);
    proxy_set_property(*const u8, usize, *const u8, usize);
    proxy_get_shared_data(*const u8, usize, *mut *mut u8, *mut usize, *mut u32);
    proxy_set_shared_data(*const u8, usize, *const u8, usize, u32);
    proxy_send_local_response(u32, *const u8, usize, *const u8, usize, *const u8, usize, i32);
    proxy_grpc_stream(*const u8, usize, *const u8, usize, *const u8, usize, *const u8, usize, *mut u32);
    proxy_grpc_send(u32, *const u8, usize, u32);
    proxy_grpc_close(u32);
    proxy_grpc_cancel(u32);
    proxy_set_effective_context(u32);
    proxy_continue_stream(u32);
    proxy_close_stream(u32);
    proxy_define_metric(u32, *const u8, usize, *mut u32);
    proxy_get_metric(u32, *mut u64);
    proxy_record_metric(u32, u64);
    proxy_increment_metric(u32, i64);
    proxy_call_foreign_function(*const u8, usize, *const u8, usize, *mut *mut u8, *mut usize);
    clock_time_get(u32, u64, *mut u64);
    random_get(*mut u8, usize);
}
