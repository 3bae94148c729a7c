//! Whatever the host answers, the filter does not trap, and a request goes on.

use std::time::Duration;

use gatehouse_proto::v1::house_message;
use gatehouse_scripted_host::world::encode_pairs;
use gatehouse_scripted_host::{Fault, Gate, Headers, House, faults};

const CONFIGURATION: &str = r#"{"house": {"cluster": "users", "timeout": "1s"}, "policy": {"apiVersion": "gatehouse.dev/v1", "kind": "Policy",
    "metadata": {"name": "shop"}, "spec": {"hosts": ["shop.example"], "mode": "enforce", "otherwise": "allow", "rules": [
        {"name": "no-admin", "match": {"path": "/admin/**"}, "then": "block"},
        {"name": "slow", "match": {"path": "/slow"}, "then": {"delay": "50ms"}},
        {"name": "gone", "match": {"path": "/gone"}, "then": "drop"},
        {"name": "guess", "match": {"path": "/login"}, "limit": {"by": ["client"], "shared": true,
            "count": {"status": [401]}, "rate": "2 per 1m"}, "then": "limit"},
        {"name": "staff", "match": {"path": "/staff", "jwt": {"sub": "ann"}}, "then": {"tag": {"header": "x-staff", "value": "1"}}},
        {"name": "leak", "match": {"response": {"status": 500}}, "then": "block"},
        {"name": "quiet", "match": {"response": {"headers": {"server": {"present": true}}}}, "then": {"removeResponseHeaders": ["server"]}}
        ]}}}"#;

/// Every call that the filter relies on: a life that does not make one of them proves nothing about it.
const CALLS: [&str; 23] = [
    "clock_time_get",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_call_foreign_function",
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_header_map_pairs",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_send_local_response",
    "proxy_set_effective_context",
    "proxy_set_header_map_pairs",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
    "random_get",
];

/// A life from configuration to the end, with traffic and a house; the calls that it made.
fn life(fault: Option<Fault>) -> Vec<&'static str> {
    let mut world = gatehouse_scripted_host::gate::ordinary(Default::default());
    world.fault = fault;
    let mut gate = Gate::begin(world);
    if gate.configure(CONFIGURATION) {
        traffic(&mut gate);
        if let Some(house) = House::try_attach(&mut gate) {
            traffic(&mut gate);
            house.policy(&mut gate, 3, b"no image at all", &[1; 32], 5);
            gate.tick_after(Duration::from_millis(100));
            house.say(&mut gate, house_message::Message::List(Default::default()));
            gate.grpc_message(house.token, &[0xff; 40]);
            gate.grpc_close(house.token, 14);
        }
        let long = gate.request(&[(":method", "GET"), (":path", "/chat"), (":authority", "shop.example")]);
        gate.tick_after(Duration::from_secs(61));
        gate.finish(long.context);
    }
    gate.end(gatehouse_scripted_host::gate::ROOT);
    gate.world().calls.clone()
}

fn traffic(gate: &mut Gate) {
    let fine = gate.get("/", &[("x-gatehouse-a", "1"), ("cookie", "a=b")]);
    assert!(fine.forwarded, "a plain request is never stopped");
    gate.get("/admin/x", &[]);
    gate.get("/gone", &[]);
    gate.get("/staff", &[]);
    for status in ["200", "401", "500"] {
        let login = gate.request(&[(":method", "POST"), (":path", "/login"), (":authority", "shop.example")]);
        gate.respond(login.context, &[(":status", status), ("server", "x")]);
        gate.log(login.context);
    }
    let slow = gate.request(&[(":method", "GET"), (":path", "/slow"), (":authority", "shop.example")]);
    gate.tick_after(Duration::from_millis(100));
    gate.finish(slow.context);
    let never_seen = gate.context();
    gate.log(never_seen);
}

#[test]
fn every_call_may_fail_with_any_status_at_any_moment() {
    faults::each_call_once(life, &CALLS, &[2, 3, 7, 10, 12, 99, u32::MAX]);
}

#[test]
fn a_host_that_answers_nothing_any_more_is_survived_from_any_moment_on() {
    faults::all_from_a_moment_on(life);
}

#[test]
fn header_buffers_that_lie_about_themselves_are_survived_and_the_request_goes_on() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let good = encode_pairs(&[(b":path".to_vec(), b"/".to_vec()), (b"a".to_vec(), vec![0xff; 9])]);
    let mut lies: Vec<Vec<u8>> = vec![vec![], vec![1], vec![0xff; 4], vec![0xff; 64], u32::MAX.to_le_bytes().to_vec()];
    for at in 0..good.len() {
        lies.push(good[..at].to_vec());
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = good.clone();
            damaged[at] = byte;
            lies.push(damaged);
        }
    }
    for lie in lies {
        let answer = gate.request_with(Headers::Raw(lie));
        assert!(answer.forwarded);
        gate.finish(answer.context);
    }
    assert!(gate.world().metric("gatehouse_requests_unreadable_total") > 0);
}

#[test]
fn callbacks_out_of_order_and_for_unknown_contexts_do_nothing() {
    let mut gate = Gate::with_config(CONFIGURATION);
    for context in [0u32, 77, u32::MAX] {
        assert_eq!(gate.call::<_, u32>("proxy_on_request_headers", (context, 0u32, 0u32)), 0);
        gate.finish(context);
        gate.call::<_, ()>("proxy_on_tick", context);
    }
    gate.call::<_, ()>("proxy_on_context_create", (5u32, 99u32));
    gate.call::<_, ()>("proxy_on_context_create", (5u32, 99u32));
    assert_eq!(gate.call::<_, u32>("proxy_on_request_headers", (5u32, 0u32, 0u32)), 0);
    gate.log(5);
    gate.grpc_message(1234, b"nobody asked");
    gate.grpc_close(1234, 0);
    assert!(gate.get("/", &[]).forwarded);
}

#[test]
fn strange_requests_are_survived() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let long = "/".repeat(100_000);
    let many: Vec<(String, String)> = (0..2000).map(|n| (format!("x-{n}"), "v".repeat(30))).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let strange: [&[(&str, &str)]; 7] = [
        &[],
        &[(":method", "CONNECT"), (":authority", "shop.example:443")],
        &[(":method", "GET"), (":path", ""), (":authority", "")],
        &[(":method", "GET"), (":path", "http://shop.example/a/../admin"), (":authority", "shop.example")],
        &[(":method", "GET"), (":path", &long), (":authority", "shop.example")],
        &[
            (":path", "/%2e%2e/%00/\u{7f}?%ff=%zz&&&="),
            (":authority", "[::1"),
            ("cookie", ";;=;a"),
            ("content-type", "application/grpc"),
        ],
        &many,
    ];
    for headers in strange {
        let answer = gate.request(headers);
        let status = answer.reply.as_ref().map(|reply| reply.status);
        assert!(answer.forwarded || status.is_some_and(|status| (400..500).contains(&status)), "{status:?}");
        gate.finish(answer.context);
    }
    let (mut house, _) = House::attach(&mut gate, 1 << 20);
    let sent = gatehouse_scripted_host::house::records(&house.batches(&mut gate)).len();
    assert_eq!(sent, strange.len(), "each of them has its record");
}
