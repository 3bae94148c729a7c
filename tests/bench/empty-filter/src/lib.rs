//! A filter that does nothing with requests (once a second it tells its memory); with any configuration one that makes the host calls
//! that no judging filter can do without, and no work: a clock, one reading of all headers, and at the log a second clock and one scalar.
#![expect(unsafe_code, reason = "the ABI: imported calls, exported names, and memory that the host fills")]

use core::sync::atomic::{AtomicBool, Ordering};

static CALLS: AtomicBool = AtomicBool::new(false);

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    Box::leak(vec![0u8; size].into_boxed_slice()).as_mut_ptr()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_context: u32, _size: usize) -> u32 {
    calls::at_start();
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(_context: u32) {
    calls::at_tick();
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(_context: u32, size: usize) -> u32 {
    CALLS.store(size > 0, Ordering::Relaxed);
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(_context: u32, _root: u32) {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(_context: u32, _headers: u32, _end: u32) -> u32 {
    if CALLS.load(Ordering::Relaxed) {
        calls::at_request();
    }
    0
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(_context: u32) {
    if CALLS.load(Ordering::Relaxed) {
        calls::at_log();
    }
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_done(_context: u32) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(_context: u32) {}

#[cfg(target_arch = "wasm32")]
mod calls {
    use core::ptr::null_mut;
    use core::sync::atomic::{AtomicU32, Ordering};

    const GAUGE: u32 = 1;
    const MEMORY: &[u8] = b"bench_filter_memory_bytes";
    const PAGE: u64 = 65_536;

    /// The gauge of the memory; 0: there is none.
    static METRIC: AtomicU32 = AtomicU32::new(0);

    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
        fn proxy_define_metric(kind: u32, name: *const u8, size: usize, metric: *mut u32) -> u32;
        fn proxy_record_metric(metric: u32, value: u64) -> u32;
        fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
        fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    }

    /// Gives back what the host filled.
    fn release(data: *mut u8, size: usize) {
        if !data.is_null() {
            // SAFETY: the host got this block from `proxy_on_memory_allocate`, with this size.
            drop(unsafe { Box::from_raw(core::ptr::slice_from_raw_parts_mut(data, size)) });
        }
    }

    pub(super) fn at_start() {
        let mut metric = 0;
        // SAFETY: the name is read, and the place of the number written, only while it is called.
        unsafe {
            proxy_define_metric(GAUGE, MEMORY.as_ptr(), MEMORY.len(), &raw mut metric);
            proxy_set_tick_period_milliseconds(1000);
        }
        METRIC.store(metric, Ordering::Relaxed);
    }

    pub(super) fn at_tick() {
        let bytes = core::arch::wasm32::memory_size(0) as u64 * PAGE;
        // SAFETY: two numbers.
        unsafe { proxy_record_metric(METRIC.load(Ordering::Relaxed), bytes) };
    }

    pub(super) fn at_request() {
        let (mut now, mut data, mut size) = (0u64, null_mut(), 0usize);
        // SAFETY: the host writes to these places of the stack only while it is called.
        unsafe {
            proxy_get_current_time_nanoseconds(&raw mut now);
            proxy_get_header_map_pairs(0, &raw mut data, &raw mut size);
        }
        release(data, size);
    }

    pub(super) fn at_log() {
        let (mut now, mut data, mut size) = (0u64, null_mut(), 0usize);
        let path = b"response\0code";
        // SAFETY: as above; the path is read only while it is called.
        unsafe {
            proxy_get_current_time_nanoseconds(&raw mut now);
            proxy_get_property(path.as_ptr(), path.len(), &raw mut data, &raw mut size);
        }
        release(data, size);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod calls {
    pub(super) fn at_start() {}

    pub(super) fn at_tick() {}

    pub(super) fn at_request() {}

    pub(super) fn at_log() {}
}
