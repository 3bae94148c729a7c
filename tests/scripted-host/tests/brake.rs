//! The brake as the house sends it: in force and answered at once, kept for the next VM, over by itself.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_proto::v1::{self, gate_message, hello::Feature, house_message};
use gatehouse_scripted_host::{Gate, House};

const CONFIGURATION: &str = r#"{"house": {"cluster": "users", "timeout": "1s"}}"#;

fn brake(version: u64, entries: &[(&str, u64)]) -> house_message::Message {
    let entries =
        entries.iter().map(|(scope, ttl_ms)| v1::BrakeEntry { scope: (*scope).into(), ttl_ms: *ttl_ms }).collect();
    house_message::Message::Brake(v1::Brake { version, entries })
}

fn acknowledged(house: &mut House, gate: &mut Gate) -> Vec<u64> {
    let heard = house.heard(gate).into_iter();
    heard
        .filter_map(|message| if let gate_message::Message::BrakeAck(ack) = message { Some(ack.version) } else { None })
        .collect()
}

/// Whether the gate says that a brake holds, `time` later.
fn holds(gate: &mut Gate, time: Duration) -> bool {
    gate.tick_after(time.max(Duration::from_secs(1)));
    gate.world().metric("gatehouse_gate_brake_active") == 1
}

#[test]
fn it_is_answered_in_the_callback_that_brings_it_and_ends_by_itself_without_the_house() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (mut house, hello) = House::attach(&mut gate, 1 << 20);
    assert!(hello.features.contains(&Feature::Brake.into()), "{:?}", hello.features);
    assert!(!holds(&mut gate, Duration::ZERO));
    house.say(&mut gate, brake(7, &[("", 60_000)]));
    assert_eq!(acknowledged(&mut house, &mut gate), [7]);
    gate.grpc_close(house.token, 14);
    assert!(holds(&mut gate, Duration::ZERO));
    assert!(holds(&mut gate, Duration::from_secs(57)));
    assert!(!holds(&mut gate, Duration::from_secs(3)));
}

#[test]
fn a_newer_one_replaces_it_and_none_releases_it() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (mut house, _) = House::attach(&mut gate, 1 << 20);
    house.say(&mut gate, brake(1, &[("acme", 3_600_000), ("acme/retail", 60_000)]));
    assert!(holds(&mut gate, Duration::from_secs(61)));
    house.say(&mut gate, brake(2, &[("acme/retail", 60_000)]));
    assert!(holds(&mut gate, Duration::ZERO));
    house.say(&mut gate, brake(3, &[("acme", 0)]));
    assert!(!holds(&mut gate, Duration::ZERO), "nothing remains of it");
    assert_eq!(acknowledged(&mut house, &mut gate), [1, 2, 3]);
}

#[test]
fn a_new_vm_brakes_before_it_has_heard_of_a_house_and_no_longer_than_the_old_one() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (house, _) = House::attach(&mut gate, 1 << 20);
    house.say(&mut gate, brake(1, &[("", 100_000)]));
    let (shared, now_ns) = (Arc::clone(&gate.world().shared), gate.world().now_ns);
    drop(gate);

    let later = |seconds: u64| {
        let mut world = gatehouse_scripted_host::gate::ordinary(Arc::clone(&shared));
        world.now_ns = now_ns + seconds * 1_000_000_000;
        let mut gate = Gate::begin(world);
        assert!(gate.configure(CONFIGURATION));
        gate
    };
    let mut young = later(90);
    assert!(young.world().complaints().contains("the brake holds"), "{}", young.world().complaints());
    assert!(holds(&mut young, Duration::ZERO));
    assert!(!holds(&mut young, Duration::from_secs(10)));
    assert!(!holds(&mut later(101), Duration::ZERO));

    // What was released is released for the next VM too.
    let mut young = later(10);
    let (house, _) = House::attach(&mut young, 1 << 20);
    house.say(&mut young, brake(2, &[]));
    assert!(!holds(&mut later(20), Duration::ZERO));
}

#[test]
fn it_never_holds_longer_than_a_week_and_what_is_beyond_all_bounds_closes_the_stream() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (house, _) = House::attach(&mut gate, 1 << 20);
    house.say(&mut gate, brake(1, &[("", u64::MAX)]));
    assert!(holds(&mut gate, Duration::from_secs(7 * 86_400 - 10)));
    assert!(!holds(&mut gate, Duration::from_secs(10)));

    for bad in [brake(2, &[("a", 1); 65]), brake(3, &[(&"x".repeat(256), 1)])] {
        let mut gate = Gate::with_config(CONFIGURATION);
        let (house, _) = House::attach(&mut gate, 1 << 20);
        house.say(&mut gate, bad);
        assert_eq!(gate.world().metric("gatehouse_house_garbage_total"), 1);
        assert!(!holds(&mut gate, Duration::ZERO));
    }
}

#[test]
fn a_message_of_a_kind_that_this_gate_does_not_know_is_passed_over() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (mut house, _) = House::attach(&mut gate, 1 << 20);
    // Field 1000, a text.
    gate.grpc_message(house.token, b"\xc2\x3e\x03new");
    house.say(&mut gate, brake(4, &[]));
    assert_eq!(acknowledged(&mut house, &mut gate), [4]);
    assert_eq!(gate.world().metric("gatehouse_house_garbage_total"), 0);
}
