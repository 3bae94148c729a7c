//! The callbacks that Envoy calls (proxy-wasm ABI 0.2.1), each one line: those of every filter, and those of requests. What is not
//! exported is not called: bodies, trailers and gRPC metadata never enter the VM.
#![expect(unsafe_code, reason = "exported names are unsafe attributes; nothing here dereferences anything")]

use crate::vm::with;

gatehouse_filter::export_callbacks!(with);

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _headers: u32, end_of_stream: u32) -> u32 {
    with(|vm| vm.request_headers(context, end_of_stream != 0) as u32)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _headers: u32, _end_of_stream: u32) -> u32 {
    with(|vm| vm.response_headers(context) as u32)
}
