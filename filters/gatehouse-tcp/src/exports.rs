//! The callbacks that Envoy calls (proxy-wasm ABI 0.2.1), each one line: those of every filter, and those of connections.
#![expect(unsafe_code, reason = "exported names are unsafe attributes; nothing here dereferences anything")]

use crate::vm::with;

gatehouse_filter::export_callbacks!(with);

#[unsafe(no_mangle)]
extern "C" fn proxy_on_new_connection(context: u32) -> u32 {
    with(|vm| vm.opened(context)) as u32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_downstream_data(context: u32, size: usize, end_of_stream: u32) -> u32 {
    with(|vm| vm.received(context, size, end_of_stream != 0)) as u32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_upstream_data(context: u32, size: usize, end_of_stream: u32) -> u32 {
    with(|vm| vm.sent(context, size, end_of_stream != 0)) as u32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_downstream_connection_close(context: u32, by: u32) {
    with(|vm| vm.client_closed(context, by));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_upstream_connection_close(context: u32, _by: u32) {
    with(|vm| vm.server_closed(context));
}
