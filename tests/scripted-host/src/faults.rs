//! Lives of a filter in which calls fail. A life is a function that drives a gate from its configuration to its end and gives the calls that
//! it made; with a [`Fault`] in it, it must come to its end as well.

use crate::world::Fault;

/// Every call fails once with an ordinary status; every ninth with each of `statuses`.
///
/// # Panics
/// One of `relied_on` is never made: the life proves nothing about it.
pub fn each_call_once(life: fn(Option<Fault>) -> Vec<&'static str>, relied_on: &[&str], statuses: &[u32]) {
    let calls = life(None);
    for call in relied_on {
        assert!(calls.contains(call), "`{call}` is never made");
    }
    let calls = calls.len() as u64;
    for at in 0..calls {
        life(Some(Fault { at, status: 1, lasting: false }));
    }
    for (status, first) in statuses.iter().zip(0..) {
        for at in (first..calls).step_by(9) {
            life(Some(Fault { at, status: *status, lasting: false }));
        }
    }
}

/// From every seventh call on none succeeds any more.
pub fn all_from_a_moment_on(life: fn(Option<Fault>) -> Vec<&'static str>) {
    let calls = life(None).len() as u64;
    for at in (0..calls).step_by(7) {
        life(Some(Fault { at, status: 12, lasting: true }));
    }
}
