//! The callbacks that every filter has alike.

/// Exports the callbacks of proxy-wasm (ABI 0.2.1) that are the same in every filter. `$with` runs a closure on the filter's VM, which has its
/// [`Contexts`](crate::contexts::Contexts) as `contexts`, and `tick`, `log` and `delete` of its own.
#[macro_export]
macro_rules! export_callbacks {
    ($with:path) => {
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
            $crate::host::allocate(size)
        }

        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_context_create(context: u32, root: u32) {
            $with(|vm| vm.contexts.create(context, root));
        }

        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_vm_start(_context: u32, _configuration_size: usize) -> u32 {
            1
        }

        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_configure(context: u32, configuration_size: usize) -> u32 {
            u32::from($with(|vm| vm.contexts.configure(context, configuration_size)))
        }

        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_tick(context: u32) {
            $with(|vm| vm.tick(context));
        }

        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_log(context: u32) {
            $with(|vm| vm.log(context));
        }

        /// Nothing of ours outlives a context: it may be deleted at once.
        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_done(context: u32) -> u32 {
            $with(|vm| vm.contexts.done(context));
            1
        }

        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_delete(context: u32) {
            $with(|vm| vm.delete(context));
        }

        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_grpc_receive(_context: u32, token: u32, size: usize) {
            $with(|vm| vm.contexts.worker.grpc_message(token, size));
        }

        #[unsafe(no_mangle)]
        extern "C" fn proxy_on_grpc_close(_context: u32, token: u32, status: u32) {
            $with(|vm| vm.contexts.worker.grpc_closed(token, status));
        }
    };
}
