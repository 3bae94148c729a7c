//! The filter of connections: who is held, let go, closed; and whatever the host answers, it does not trap.

use std::time::Duration;

use gatehouse_scripted_host::gate::{ROOT, ordinary};
use gatehouse_scripted_host::{Fault, Filter, Gate, House, faults};

const SLEEP: &[u8] = b"spiffe://cluster.local/ns/trusted/sa/sleep";

const POLICY: &str = r#""policy": {"apiVersion": "gatehouse.dev/v1", "kind": "TcpPolicy", "metadata": {"name": "echo"}, "spec": {
    "rules": [{"name": "sleep", "match": {"serviceAccounts": "trusted/sleep"}, "then": "allow"}], "otherwise": "reject"}}"#;

fn configuration(more: &str) -> String {
    format!("{{{more}{POLICY}}}")
}

fn gate(more: &str) -> Gate {
    let mut gate = Gate::begin_with(Filter::Tcp, ordinary(Default::default()));
    assert!(gate.configure(&configuration(more)), "refused: {}", gate.world().complaints());
    gate
}

/// What Envoy knows of the peer once the handshake is over; `None`: it is not.
fn handshake(gate: &mut Gate, uri: Option<&[u8]>) {
    let properties = &mut gate.world().properties;
    properties.insert("source.address".into(), b"192.0.2.9:40000".to_vec());
    properties.insert("connection.mtls".into(), vec![u8::from(uri.is_some())]);
    match uri {
        Some(uri) => properties.insert("connection.uri_san_peer_certificate".into(), uri.to_vec()),
        None => properties.remove("connection.uri_san_peer_certificate"),
    };
}

fn tick(gate: &mut Gate, milliseconds: u64) {
    gate.tick_after(Duration::from_millis(milliseconds));
}

#[test]
fn a_connection_is_held_until_its_client_has_proven_who_it_is() {
    let mut gate = gate("");
    handshake(&mut gate, None);
    let (context, went_on) = gate.open();
    assert!(!went_on);
    tick(&mut gate, 10);
    assert!(gate.world().continued.is_empty() && gate.world().closed.is_empty());
    handshake(&mut gate, Some(SLEEP));
    tick(&mut gate, 20);
    assert_eq!(gate.world().continued, [context]);
    assert!(gate.received(context, 2, false) && gate.sent(context, 2, true));
    gate.close_connection(context);
    assert!(gate.world().closed.is_empty());
}

#[test]
fn a_stranger_is_closed_from_the_tick_and_at_its_first_data() {
    for by_data in [false, true] {
        let mut gate = gate("");
        handshake(&mut gate, None);
        let (context, _) = gate.open();
        handshake(&mut gate, Some(b"spiffe://cluster.local/ns/default/sa/default"));
        if by_data {
            assert!(!gate.received(context, 2, false));
        } else {
            tick(&mut gate, 10);
        }
        assert_eq!(gate.world().closed.len(), 1);
        assert!(!gate.received(context, 2, false), "nothing of it goes on");
        assert!(gate.world().continued.is_empty());
    }
}

#[test]
fn whoever_proves_nothing_is_closed_at_the_deadline() {
    let mut gate = gate(r#""tcp": {"deadline": "1s"}, "#);
    handshake(&mut gate, None);
    gate.open();
    for _ in 0..99 {
        tick(&mut gate, 10);
    }
    assert!(gate.world().closed.is_empty());
    tick(&mut gate, 20);
    assert_eq!(gate.world().closed.len(), 1);
}

#[test]
fn nothing_is_held_where_it_is_decided_at_the_first_data() {
    let mut gate = gate(r#""tcp": {"decides": "atFirstData"}, "#);
    handshake(&mut gate, Some(SLEEP));
    let (context, went_on) = gate.open();
    assert!(went_on && gate.received(context, 1, false));
    handshake(&mut gate, None);
    let (context, went_on) = gate.open();
    assert!(went_on && !gate.sent(context, 20, false), "the server spoke before the client had proven anything");
}

#[test]
fn whoever_proves_nothing_is_closed_at_the_deadline_where_nothing_is_held_too() {
    let mut gate = gate(r#""tcp": {"decides": "atFirstData", "deadline": "1s"}, "#);
    handshake(&mut gate, None);
    let (_, went_on) = gate.open();
    assert!(went_on);
    tick(&mut gate, 980);
    assert!(gate.world().closed.is_empty());
    tick(&mut gate, 40);
    assert_eq!(gate.world().closed.len(), 1, "half a handshake would hold its place for ever");
    // Who has proven who it is, is judged without a word of its own; nothing waits for leave to go on.
    for (identity, closed) in [(SLEEP, 1), (&b"spiffe://cluster.local/ns/default/sa/default"[..], 2)] {
        gate.open();
        handshake(&mut gate, Some(identity));
        tick(&mut gate, 20);
        assert_eq!((gate.world().closed.len(), gate.world().continued.len()), (closed, 0));
        tick(&mut gate, 2000);
        assert_eq!(gate.world().closed.len(), closed, "one that was let in stays");
    }
}

#[test]
fn what_goes_to_a_port_that_is_not_listed_goes_on_unjudged() {
    let mut gate = gate(r#""tcp": {"ports": [5432]}, "#);
    handshake(&mut gate, Some(b"spiffe://cluster.local/ns/default/sa/default"));
    let port = |gate: &mut Gate, port: i64| {
        gate.world().properties.insert("destination.port".into(), port.to_le_bytes().to_vec());
    };
    port(&mut gate, 8080);
    let (context, went_on) = gate.open();
    assert!(went_on && gate.received(context, 2, false) && gate.sent(context, 2, true));
    tick(&mut gate, 6_000);
    gate.close_connection(context);
    assert!(gate.world().closed.is_empty());
    port(&mut gate, 5432);
    let (_, went_on) = gate.open();
    tick(&mut gate, 10);
    assert!(!went_on && gate.world().closed.len() == 1);
    // One whose port is not known is judged.
    gate.world().properties.remove("destination.port");
    assert!(!gate.open().1);
}

/// Every call that the filter relies on: a life that does not make one of them proves nothing about it.
const CALLS: [&str; 19] = [
    "clock_time_get",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_metric",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_grpc_close",
    "proxy_grpc_send",
    "proxy_grpc_stream",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_set_effective_context",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
    "random_get",
];

/// A life from configuration to the end, with connections and a house; the calls that it made.
fn life(fault: Option<Fault>) -> Vec<&'static str> {
    let mut world = ordinary(Default::default());
    world.fault = fault;
    let mut gate = Gate::begin_with(Filter::Tcp, world);
    if gate.configure(&configuration(r#""house": {"cluster": "users", "timeout": "1s"}, "tcp": {"deadline": "1s"}, "#))
    {
        connections(&mut gate);
        if let Some(house) = House::try_attach(&mut gate) {
            connections(&mut gate);
            house.policy(&mut gate, 3, b"no image at all", &[1; 32], 5);
            tick(&mut gate, 100);
            gate.grpc_message(house.token, &[0xff; 40]);
            gate.grpc_close(house.token, 14);
        }
        handshake(&mut gate, Some(SLEEP));
        let (long, _) = gate.open();
        gate.received(long, 3, false);
        tick(&mut gate, 61_000);
        gate.close_connection(long);
    }
    gate.end(ROOT);
    gate.world().calls.clone()
}

fn connections(gate: &mut Gate) {
    for uri in [Some(SLEEP), Some(b"spiffe://x/y".as_slice()), None] {
        for speaks in [true, false] {
            handshake(gate, None);
            let (context, _) = gate.open();
            handshake(gate, uri);
            if speaks {
                gate.received(context, 5, false);
            }
            tick(gate, 10);
            gate.sent(context, 5, false);
            tick(gate, 2000);
            gate.close_connection(context);
        }
    }
    let never_opened = gate.context();
    gate.close_connection(never_opened);
    gate.received(4_000_000, 1, true);
}

#[test]
fn every_call_may_fail_with_any_status_at_any_moment() {
    faults::each_call_once(life, &CALLS, &[2, 10, 12, u32::MAX]);
    faults::all_from_a_moment_on(life);
}

#[test]
fn no_stranger_goes_on_whatever_call_fails() {
    let stranger = |fault: Option<u64>| {
        let mut gate = gate("");
        handshake(&mut gate, None);
        let (context, went_on) = gate.open();
        assert!(!went_on);
        handshake(&mut gate, Some(b"spiffe://x/y"));
        let before = gate.world().calls.len() as u64;
        gate.world().fault = fault.map(|at| Fault { at: before + at, status: 10, lasting: false });
        tick(&mut gate, 10);
        assert!(!gate.received(context, 1, false) && !gate.sent(context, 1, false), "{fault:?}");
        assert!(gate.world().continued.is_empty());
        gate.world().calls.len() as u64 - before
    };
    let calls = stranger(None);
    assert!(calls > 3);
    for at in 0..calls {
        stranger(Some(at));
    }
}
