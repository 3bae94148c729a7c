//! The stream to the house: greeting, credit, batches, what happens when it ends, and what the house may not do.

use std::time::Duration;

use gatehouse_proto::v1::{self, gate_message, house_message};
use gatehouse_scripted_host::gate::ROOT;
use gatehouse_scripted_host::house::records;
use gatehouse_scripted_host::{Gate, House};

const CONFIGURATION: &str = r#"{"house": {"cluster": "users", "timeout": "1s"}}"#;

fn sequences(batches: &[v1::Batch]) -> Vec<u64> {
    batches.iter().flat_map(|batch| (0..batch.records.len() as u64).map(|index| batch.first_seq + index)).collect()
}

#[test]
fn the_greeting_says_who_and_what_and_goes_to_a_message_not_a_name() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (house, hello) = House::accept(&mut gate);
    assert_eq!(
        (hello.protocol, hello.stream_no, hello.node.as_str(), hello.node_cluster.as_str()),
        (1, 1, "edge-1", "edges")
    );
    assert_ne!(hello.epoch, 0);
    assert_eq!((hello.policy_revision, hello.image_version), (0, gatehouse_policy::IMAGE_VERSION));
    let stream = gate.world().streams[&house.token].clone();
    assert_eq!(stream.method, "gatehouse.v1.House/Attach");
    assert_eq!(stream.upstream.first(), Some(&0x0a), "a serialised GrpcService, never a bare cluster name");
}

#[test]
fn nothing_is_sent_before_credit_and_then_everything() {
    let mut gate = Gate::with_config(CONFIGURATION);
    for _ in 0..5 {
        gate.get("/", &[("user-agent", "curl")]);
    }
    let (mut house, hello) = House::accept(&mut gate);
    assert!(house.batches(&mut gate).is_empty());
    house.welcome(&mut gate);
    assert!(house.batches(&mut gate).is_empty(), "a welcome is no credit");
    house.credit(&mut gate, hello.epoch, hello.oldest_seq, 64 * 1024);
    let batches = house.batches(&mut gate);
    let got = records(&batches);
    assert_eq!(got.len(), 5);
    assert_eq!(batches[0].counters.as_ref().expect("counters").envoy_seen, 5);
    let first = &got[0];
    let (request, response, upstream) =
        (first.request.as_ref().unwrap(), first.response.as_ref().unwrap(), first.upstream.as_ref().unwrap());
    assert_eq!((request.method.as_str(), request.path.as_str(), request.protocol.as_str()), ("GET", "/", "HTTP/2"));
    assert_eq!((response.status, response.body_bytes, response.header_bytes, response.grpc_status), (200, 5, 31, None));
    assert_eq!((upstream.host.as_str(), upstream.port, upstream.address.as_str()), ("shop.svc", 8080, "10.0.0.5:8080"));
    assert_eq!(first.duration_ns, 3_000_000);
}

#[test]
fn a_forwarded_request_is_asked_for_once_and_one_that_nobody_answered_with_guards() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let asked = |gate: &mut Gate| {
        gate.world().calls.clear();
        gate.get("/", &[]);
        gate.world().calls.iter().filter(|call| **call == "proxy_call_foreign_function").count()
    };
    let _compiled = asked(&mut gate);
    assert_eq!(asked(&mut gate), 1);
    for absent in ["upstream.address", "response.backend_latency"] {
        gate.world().properties.remove(absent);
    }
    let _compiled = asked(&mut gate);
    assert_eq!(asked(&mut gate), 2);
    let tries: usize = (0..64).map(|_| asked(&mut gate)).sum();
    assert!(tries < 64 + 16, "{tries} calls: the list that always fails is tried only now and then");
    let (mut house, _) = House::attach(&mut gate, 1 << 20);
    let got = records(&house.batches(&mut gate));
    assert!(got.iter().all(|record| record.response.as_ref().is_some_and(|response| response.status == 200)));
}

#[test]
fn until_the_house_says_how_addresses_appear_none_leaves_in_the_clear() {
    let mut gate = Gate::with_config(CONFIGURATION);
    gate.get("/", &[]);
    let (mut house, _) = House::attach(&mut gate, 1 << 20);
    gate.get("/", &[]);
    let got = records(&house.batches(&mut gate));
    let address = |record: &v1::Record| record.downstream.as_ref().expect("downstream").peer_address.clone();
    assert!(!address(&got[0]).contains("192.0.2.7"), "{}", address(&got[0]));
    assert_eq!((address(&got[1]).as_str(), got[0].hash_key_id, got[1].hash_key_id), ("192.0.2.7", 0, 1));
}

#[test]
fn what_was_not_acknowledged_is_sent_again_on_the_next_stream() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (mut first, hello) = House::attach(&mut gate, 1 << 20);
    for _ in 0..4 {
        gate.get("/", &[]);
    }
    let sent = sequences(&first.batches(&mut gate));
    assert_eq!(sent.len(), 4);
    first.credit(&mut gate, hello.epoch, sent[1], 1 << 20);
    gate.grpc_close(first.token, 14);
    assert!(gate.world().streams[&first.token].freed, "Envoy holds a closed stream until it is given back");
    let (mut second, again) = House::attach(&mut gate, 1 << 20);
    assert_eq!((again.epoch, again.stream_no, again.oldest_seq), (hello.epoch, 2, sent[1]));
    assert_eq!(sequences(&second.batches(&mut gate)), sent[1..]);
}

#[test]
fn a_full_batch_does_not_wait_for_the_tick_and_the_window_holds() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (mut house, hello) = House::attach(&mut gate, 64 * 1024);
    for number in 0..2000 {
        gate.get(&format!("/a/{number}"), &[("user-agent", "a browser of some length, as they all are")]);
    }
    let sent: usize = gate.world().streams[&house.token].sent.iter().map(Vec::len).sum();
    assert!(sent > 16 * 1024, "nothing was sent between ticks");
    assert!(sent < 2 * 64 * 1024, "{sent} bytes are beyond the window");
    let mut seen = 0;
    for _ in 0..100 {
        let batches = house.batches(&mut gate);
        let Some(last) = sequences(&batches).last().copied() else { break };
        seen += records(&batches).len();
        house.credit(&mut gate, hello.epoch, last + 1, 64 * 1024);
    }
    assert_eq!(seen, 2000);
}

#[test]
fn without_a_house_the_ring_is_bounded_and_every_loss_is_told() {
    let mut gate = Gate::with_config(r#"{"house": {"cluster": "users"}, "limits": {"ringBytes": "128KiB"}}"#);
    for number in 0..3000 {
        gate.get(&format!("/a/{number}"), &[]);
    }
    let (mut house, hello) = House::attach(&mut gate, 1 << 20);
    let batches = house.batches(&mut gate);
    let lost: u64 = batches.iter().flat_map(|batch| &batch.losses).map(|loss| loss.count).sum();
    assert_eq!(records(&batches).len() as u64 + lost, 3000);
    assert!(lost > 0);
    assert_eq!(hello.counters.as_ref().expect("counters").dropped_no_stream, lost);
    assert_eq!(gate.world().metric("gatehouse_records_dropped_no_stream_total"), lost);
}

#[test]
fn an_unanswered_greeting_is_given_up_and_tried_again_ever_more_slowly() {
    let mut gate = Gate::with_config(CONFIGURATION);
    for _ in 0..600 {
        gate.tick_after(Duration::from_millis(100));
        assert!(gate.get("/", &[]).forwarded);
    }
    let opened = gate.world().streams.len();
    assert!((5..=25).contains(&opened), "{opened} streams in a minute");
    let open = gate.world().streams.values().filter(|stream| !stream.freed).count();
    assert!(open <= 1, "{open} streams were left behind");
    assert_eq!(gate.world().complaints().matches("no house at cluster").count(), 1, "the log says it once");
}

#[test]
fn a_house_that_speaks_out_of_turn_or_nonsense_is_left_and_traffic_goes_on() {
    let welcome = v1::Welcome { protocol: 1, hash_key_id: 1, hash_key: vec![1; 16], ..Default::default() };
    let garbage: Vec<house_message::Message> = vec![
        house_message::Message::Credit(v1::Credit { epoch: 1, durable_seq: 0, window_bytes: 65536 }),
        house_message::Message::Welcome(v1::Welcome { protocol: 9, ..welcome.clone() }),
        house_message::Message::Welcome(v1::Welcome { hash_key: vec![1; 3], ..welcome.clone() }),
        house_message::Message::Welcome(v1::Welcome { hash_key_id: 0, ..welcome }),
        house_message::Message::Policy(v1::PolicyChunk::default()),
    ];
    let mut gate = Gate::with_config(CONFIGURATION);
    for message in garbage {
        let (house, _) = House::accept(&mut gate);
        house.say(&mut gate, message);
        assert!(gate.world().streams[&house.token].freed);
        assert!(gate.get("/", &[]).forwarded);
    }
    assert_eq!(gate.world().metric("gatehouse_house_garbage_total"), 5);
}

#[test]
fn credit_for_what_was_never_sent_and_bytes_that_are_no_message_end_the_stream() {
    let mut gate = Gate::with_config(CONFIGURATION);
    for round in 0..3 {
        let (house, hello) = House::attach(&mut gate, 1 << 20);
        match round {
            0 => house.credit(&mut gate, hello.epoch, u64::MAX, 1 << 20),
            1 => house.credit(&mut gate, hello.epoch ^ 1, 0, 1 << 20),
            _ => gate.grpc_message(house.token, &[0xff; 300]),
        }
        assert!(gate.world().streams[&house.token].freed, "round {round}");
        assert!(gate.get("/", &[]).forwarded);
    }
}

#[test]
fn a_new_configuration_in_the_same_vm_keeps_the_epoch_and_the_books() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (mut old, hello) = House::attach(&mut gate, 1 << 20);
    gate.get("/", &[]);
    assert!(gate.configure_context(500, CONFIGURATION));
    gate.end(ROOT);
    let last = old.heard(&mut gate);
    assert!(
        matches!(last.last(), Some(gate_message::Message::Batch(_))),
        "what waited was sent; no Bye while a root lives"
    );
    gate.tick_context_after(500, Duration::from_millis(100));
    let token = *gate.world().streams.keys().last().expect("a stream");
    let Some(gate_message::Message::Hello(again)) = House::of(token).heard(&mut gate).pop() else {
        panic!("a greeting")
    };
    assert_eq!((again.epoch, again.stream_no, again.next_seq), (hello.epoch, 2, 1));
}

#[test]
fn the_last_root_says_goodbye() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (mut house, hello) = House::attach(&mut gate, 1 << 20);
    gate.get("/", &[]);
    gate.end(ROOT);
    let heard = house.heard(&mut gate);
    let Some(gate_message::Message::Bye(bye)) = heard.last() else { panic!("Bye comes last: {heard:?}") };
    assert_eq!((bye.epoch, bye.next_seq), (hello.epoch, 1));
    // It was sent with the last batch, and nobody was left to hear that it is durable.
    assert_eq!((bye.held_records, bye.unsent_records), (Some(1), Some(0)));
}

#[test]
fn a_long_stream_is_told_every_minute_and_once_at_its_end() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (mut house, _) = House::attach(&mut gate, 1 << 20);
    let open = gate.request(&[
        (":method", "GET"),
        (":path", "/chat"),
        (":authority", "shop.example"),
        ("upgrade", "websocket"),
    ]);
    for _ in 0..13 {
        gate.tick_after(Duration::from_secs(10));
    }
    gate.finish(open.context);
    let got = records(&house.batches(&mut gate));
    let parts: Vec<i32> = got.iter().map(|record| record.part).collect();
    let (interim, last) = (v1::record::Part::Interim as i32, v1::record::Part::Final as i32);
    assert_eq!(parts, [interim, interim, last]);
    assert!(got.iter().all(|record| record.transaction == got[0].transaction));
    assert_eq!(gate.world().effective.last(), Some(&ROOT), "the tick ends in its own context");
}
