//! Judging costs no memory where nothing is done to a request: counted by an allocator of the test's own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use gatehouse_engine::{Connection, Head, References, Settings, Step, judge};
use gatehouse_policy::{document, inline};

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

/// Two hundred rules of every kind of test, none of which holds for the request below.
fn rules() -> String {
    let rule = |i: usize| {
        format!(
            r#"{{"name":"a{i}","match":{{"path":["/x{i}/*","/y{i}/**",{{"suffix":".p{i}"}},{{"prefix":"/z{i}"}}],"method":"GET"}},"then":"block"}},
               {{"name":"b{i}","match":{{"headers":{{"user-agent":{{"contains":"bot{i}"}}}},"not":{{"address":"10.{i}.0.0/16"}}}},"then":"block"}}"#
        )
    };
    (0..100).map(rule).collect::<Vec<_>>().join(",")
}

#[test]
fn a_request_that_goes_on_untouched_allocates_nothing() {
    let text = format!(
        r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"p"}},
            "spec":{{"hosts":"shop.example.com","client":{{"address":{{"from":"x-forwarded-for","trust":["10.0.0.0/8"]}}}},"rules":[{}]}}}}"#,
        rules()
    );
    let policy =
        inline(&document::json("policy", &text).expect("json")).unwrap_or_else(|problems| panic!("{problems}"));
    let connection = Connection { peer: "10.0.0.1".parse().ok(), ..Connection::default() };
    let headers: [(&[u8], &[u8]); 6] = [
        (b":method", b"GET"),
        (b":path", b"/catalog/shoes?page=2"),
        (b":authority", b"shop.example.com"),
        (b"user-agent", b"Mozilla/5.0"),
        (b"x-forwarded-for", b"203.0.113.9, 10.0.0.2"),
        (b"accept", b"*/*"),
    ];
    let head = Head { headers: &headers, connection: &connection };
    let (settings, mut references) = (Settings::default(), References::new(&[1; 16]));
    let before = COUNT.with(Cell::get);
    let judged = judge(Some(&policy), &settings, head, &mut references);
    let after = COUNT.with(Cell::get);
    assert_eq!(judged.step, Step::Forward(None));
    assert!(judged.client.forwarded && judged.verdict.rule.is_none(), "{judged:?}");
    assert_eq!(after - before, 0);
}
