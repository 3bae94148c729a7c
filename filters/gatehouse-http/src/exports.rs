//! The callbacks that Envoy calls (proxy-wasm ABI 0.2.1), each one line. What is not exported is not called: bodies, trailers
//! and gRPC metadata never enter the VM.
#![expect(unsafe_code, reason = "exported names are unsafe attributes; nothing here dereferences anything")]

use crate::vm::with;
use gatehouse_filter::host;

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    unsafe extern "C" {
        safe fn __wasm_call_ctors();
    }
    __wasm_call_ctors();
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    host::allocate(size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    with(|vm| vm.create(context, root));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_context: u32, _configuration_size: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(context: u32, configuration_size: usize) -> u32 {
    u32::from(with(|vm| vm.configure(context, configuration_size)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(context: u32) {
    with(|vm| vm.tick(context));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _headers: u32, end_of_stream: u32) -> u32 {
    with(|vm| vm.request_headers(context, end_of_stream != 0) as u32)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _headers: u32, _end_of_stream: u32) -> u32 {
    with(|vm| vm.response_headers(context) as u32)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(context: u32) {
    with(|vm| vm.log(context));
}

/// Nothing of ours outlives a context: it may be deleted at once.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(context: u32) -> u32 {
    with(|vm| vm.done(context));
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    with(|vm| vm.delete(context));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_receive(_context: u32, token: u32, size: usize) {
    with(|vm| vm.grpc_message(token, size));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_grpc_close(_context: u32, token: u32, status: u32) {
    with(|vm| vm.grpc_closed(token, status));
}
