//! Verdict lists as the house sends them: answered in order, told in the next greeting, bounded.

use std::time::Duration;

use gatehouse_proto::v1::{self, gate_message, hello::Feature, house_message};
use gatehouse_scripted_host::{Gate, House};

const CONFIGURATION: &str = r#"{"house": {"cluster": "users", "timeout": "1s"}}"#;

fn delta(list: &str, base: u64, version: u64, keys: std::ops::Range<u32>) -> v1::ListDelta {
    let entry = |number: u32| v1::ListEntry { key: [&[1][..], &number.to_be_bytes()].concat(), ttl_ms: 3_600_000 };
    v1::ListDelta {
        list: list.into(),
        base,
        version,
        reset: base == 0,
        add: keys.map(entry).collect(),
        ..v1::ListDelta::default()
    }
}

fn answers(house: &mut House, gate: &mut Gate) -> Vec<(String, u64, u64)> {
    let heard = house.heard(gate).into_iter();
    heard
        .filter_map(|message| match message {
            gate_message::Message::ListAck(ack) => Some((ack.list, ack.version, ack.refused)),
            _ => None,
        })
        .collect()
}

fn say(house: &House, gate: &mut Gate, delta: v1::ListDelta) {
    house.say(gate, house_message::Message::List(delta));
}

#[test]
fn a_change_is_answered_in_the_callback_that_brings_it_and_the_next_greeting_names_the_list() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (mut house, hello) = House::attach(&mut gate, 1 << 20);
    assert!(hello.features.contains(&Feature::Lists.into()) && hello.lists.is_empty());
    say(&house, &mut gate, delta("banned", 0, 7, 0..3));
    assert_eq!(answers(&mut house, &mut gate), [("banned".into(), 7, 0)]);
    gate.tick_after(Duration::from_millis(100));
    say(&house, &mut gate, delta("banned", 7, 8, 3..4));
    assert_eq!(answers(&mut house, &mut gate), [("banned".into(), 8, 0)]);
    gate.grpc_close(house.token, 14);

    let (mut house, hello) = House::attach(&mut gate, 1 << 20);
    assert_eq!(hello.lists, ["banned"], "it outlives the stream");
    gate.tick_after(Duration::from_millis(100));
    say(&house, &mut gate, delta("banned", 8, 9, 4..5));
    assert_eq!(answers(&mut house, &mut gate), [("banned".into(), 0, 1)], "a new stream begins anew");
    gate.tick_after(Duration::from_millis(100));
    say(&house, &mut gate, delta("banned", 0, 9, 0..0));
    assert_eq!(answers(&mut house, &mut gate), [("banned".into(), 9, 0)]);
    gate.grpc_close(house.token, 14);
    assert!(House::attach(&mut gate, 1 << 20).1.lists.is_empty());
}

#[test]
fn a_long_list_comes_in_parts_and_what_finds_no_room_is_told() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (mut house, _) = House::attach(&mut gate, 1 << 20);
    let mut refused = 0;
    for part in 0..17u32 {
        let mut delta = delta("banned", 0, 3, part * 4096..(part + 1) * 4096);
        (delta.reset, delta.partial) = (part == 0, part < 16);
        say(&house, &mut gate, delta);
        gate.tick_after(Duration::from_millis(100));
        let all = answers(&mut house, &mut gate);
        assert_eq!((all.len(), all[0].1), (1, 3));
        refused += all[0].2;
    }
    assert_eq!(refused, 17 * 4096 - 65_536);
}

#[test]
fn what_is_beyond_all_bounds_closes_the_stream() {
    let mut gate = Gate::with_config(CONFIGURATION);
    for bad in [delta("banned", 0, 1, 0..4097), delta("", 0, 1, 0..1), delta(&"x".repeat(65), 0, 1, 0..1)] {
        let before = gate.world().metric("gatehouse_house_garbage_total");
        let (house, _) = House::attach(&mut gate, 1 << 20);
        say(&house, &mut gate, bad);
        assert_eq!(gate.world().metric("gatehouse_house_garbage_total"), before + 1);
    }
    // More than may be unanswered, while there is no time to work on them.
    let (house, _) = House::attach(&mut gate, 1 << 20);
    for version in 1..=10 {
        say(&house, &mut gate, delta("banned", 0, version, 0..1));
    }
    assert!(gate.world().streams[&house.token].freed);
}
