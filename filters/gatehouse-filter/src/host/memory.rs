//! Memory that the host writes into: it asks for a block, fills it, and hands it over with the answer of a call.

use core::alloc::Layout;

/// Gives the host a block of `size` bytes; null: there is none to give (the host then answers with an error).
pub fn allocate(size: usize) -> *mut u8 {
    let Ok(layout) = Layout::from_size_align(size, 1) else { return core::ptr::null_mut() };
    if size == 0 {
        // Never read and never freed, so it costs nothing: see `take`.
        return core::ptr::dangling_mut();
    }
    #[expect(unsafe_code, reason = "the layout has a size above zero")]
    unsafe {
        std::alloc::alloc_zeroed(layout)
    }
}

/// Takes over a block that [`allocate`] made and the host filled.
pub(super) fn take(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() || size == 0 {
        return Vec::new();
    }
    #[expect(
        unsafe_code,
        reason = "the ABI: the host returns a block that it got from `allocate`, with the size that it asked for"
    )]
    unsafe {
        Vec::from_raw_parts(data, size, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_comes_back_whole() {
        let data = allocate(5);
        assert!(!data.is_null());
        assert_eq!(take(data, 5), vec![0; 5]);
    }

    #[test]
    fn nothing_and_too_much_are_answered_without_a_panic() {
        assert!(!allocate(0).is_null());
        assert_eq!(take(allocate(0), 0), Vec::<u8>::new());
        assert_eq!(take(core::ptr::null_mut(), 9), Vec::<u8>::new());
        assert!(allocate(usize::MAX).is_null());
    }
}
