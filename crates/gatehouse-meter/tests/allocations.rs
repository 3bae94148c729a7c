//! Counting costs no memory once a table, a list or a top-k is made: counted by an allocator of the test's own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use gatehouse_meter::{
    Attempt, Distinct, DistinctLimit, FailureLimit, Failures, Gcra, GcraCell, Table, TopK, TtlList, WindowCell,
    WindowLimit,
};

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting what each thread asks of it.
struct Counting;

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait; this one only counts and passes on")]
// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SECOND: u64 = 1_000_000_000;

/// What `act` allocates in ten thousand calls, each with a tag of its own and a later moment.
fn allocations(mut act: impl FnMut(u64, u64)) -> usize {
    let before = COUNT.with(Cell::get);
    for i in 0..10_000_u64 {
        act(i.wrapping_mul(0x9e37_79b9_7f4a_7c15), i * SECOND / 100);
    }
    COUNT.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|tag, _| drop(Box::new(tag))), 10_000);
}

#[test]
fn limits_in_full_tables_allocate_nothing() {
    let (window, mut windows) = (WindowLimit::new(3, SECOND).unwrap(), Table::<WindowCell>::new(64).unwrap());
    let (gcra, mut rates) = (Gcra::new(3, SECOND, 2).unwrap(), Table::<GcraCell>::new(64).unwrap());
    let (failure, mut failures) = (FailureLimit::new(3, SECOND).unwrap(), Table::<Failures>::new(64).unwrap());
    let (distinct, mut sketches) = (DistinctLimit::new(20, SECOND).unwrap(), Table::<Distinct>::new(16).unwrap());
    let allocated = allocations(|tag, now| {
        let _ = window.admit(windows.entry(tag, now), now);
        let _ = gcra.admit(rates.entry(tag, now), now);
        if let Attempt::Admitted(ticket) = failure.attempt(failures.entry(tag, now), now) {
            failure.answered(failures.entry(tag, now), ticket, true, now);
        }
        distinct.observe(sketches.entry(tag % 16, now), tag, now);
    });
    assert_eq!(allocated, 0);
    assert_eq!((windows.len(), rates.len(), failures.len()), (64, 64, 64));
}

#[test]
fn full_lists_and_top_k_allocate_nothing() {
    let (mut list, mut top) = (TtlList::<u128>::new(100, &[3; 16]).unwrap(), TopK::<u64>::new(32).unwrap());
    let allocated = allocations(|tag, now| {
        list.put(u128::from(tag), 2 * SECOND, now);
        list.remaining(u128::from(tag / 2), now);
        top.add(tag, 1, || tag);
    });
    assert_eq!(allocated, 0);
    assert_eq!(list.len(10_000 / 100 * SECOND - SECOND / 100), 100);
    assert_eq!(top.ranked().len(), 32);
}
