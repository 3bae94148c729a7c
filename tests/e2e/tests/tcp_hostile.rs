//! Clients that mean the filter of connections harm, in a real Envoy: what it and Envoy hold is bounded, each of them is counted, not a byte
//! of them reaches the service, and who behaves is served meanwhile. The same clients as in `guard_hostile.rs`.

use std::time::Duration;

use gatehouse_e2e::attackers::beside::{Beside, visit};
use gatehouse_e2e::attackers::halfway::{self, Beginning, client_hello};
use gatehouse_e2e::attackers::shapes::Shapes;
use gatehouse_e2e::attackers::storm::{self, Storm};
use gatehouse_e2e::attackers::turns::Turn;
use gatehouse_e2e::attackers::{garbage, many_files};
use gatehouse_e2e::callers::{DEFAULT, Fate, PATIENCE, SLEEP, peer_uris, policy, talk, tls_inspector, workload};
use gatehouse_support::envoy::HouseAt;
use gatehouse_support::tls::{Authority, Hello};
use gatehouse_support::{Echo, Envoy, House, TcpGateway, process, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

/// What Envoy may grow by for each connection whose handshake goes on.
const EACH: u64 = 48 << 10;
/// What it may grow by, whatever clients have done, once they are gone: what allocators keep is in it.
const GROWTH: u64 = 64 << 20;
/// Connections of a worker that may wait.
const WAITING: u64 = 4096;
/// How long those who hold on may do so.
const DEADLINE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_never_end_are_ended_by_the_filter_where_envoy_has_no_timeout_for_them() {
    let place = Place::new(|gateway| tcp(gateway, json!({ "deadline": "4s" }))).await;
    let held = place.hold(&Beginning::ALL, 500).await;
    let active = place.listener("downstream_cx_active").await;
    assert!((300..=502).contains(&active), "{active} connections at once");
    place.assert_small(500 * EACH);
    place.beside.is_served().await;
    place.assert_ended(held).await;
    place.counted("gatehouse_decisions_drop_total", 500).await;
    place.counted("gatehouse_connections_total", 500 + place.beside.visits()).await;
    place.assert_over().await;
    place.assert_small(GROWTH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_never_end_are_ended_where_nothing_is_held_too() {
    let place = Place::new(|gateway| {
        gateway.early = false;
        tcp(gateway, json!({ "deadline": "4s", "decides": "atFirstData" }));
    })
    .await;
    let held = place.hold(&Beginning::ALL, 500).await;
    place.beside.is_served().await;
    place.assert_ended(held).await;
    place.counted("gatehouse_decisions_drop_total", 500).await;
    assert_eq!(
        place.echo.bytes(),
        2 * place.beside.visits(),
        "connections are opened for them, and not a byte goes on"
    );
    place.assert_gone().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_too_little_for_the_inspector_is_ended_by_envoys_own_timeouts() {
    // The filter is not told of a connection before the listener's filters have read what they look for.
    let place = Place::new(|gateway| {
        gateway.listener_filters = vec![tls_inspector()];
        gateway.listener = json!({ "listener_filters_timeout": "4s" });
        gateway.chain = json!({ "transport_socket_connect_timeout": "4s" });
        tcp(gateway, json!({ "deadline": "30s" }));
    })
    .await;
    let silent = place.hold(&[Beginning::Nothing, Beginning::Half, Beginning::Slow], 300).await;
    let greeting = place.hold(&[Beginning::Whole], 100).await;
    let inspected = || async { place.listener("downstream_pre_cx_active").await == 300 };
    wait::until_true(PATIENCE, "those who greet to be past the inspector", inspected).await;
    place.assert_small(400 * EACH);
    place.beside.is_served().await;
    place.assert_ended(silent).await;
    place.assert_ended(greeting).await;
    assert_eq!(place.listener("downstream_pre_cx_timeout").await, 300);
    assert_eq!(place.listener("downstream_cx_transport_socket_connect_timeout").await, 100);
    place.counted("gatehouse_connections_total", 100 + place.beside.visits()).await;
    place.assert_over().await;
    place.assert_small(GROWTH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_handshakes_than_may_wait_push_out_their_own() {
    const MORE: u64 = 900;
    let files = many_files();
    assert!(files > 12_000, "{files} files at once are too few for this test: `ulimit -Hn`");
    // Longer than a busy machine takes to connect all.
    let place = Place::new(|gateway| tcp(gateway, json!({ "deadline": "60s" }))).await;
    let all = WAITING + MORE;
    let mut held = place.hold(&[Beginning::Half, Beginning::Nothing], all as usize).await;
    place.counted("gatehouse_connections_crowded_out_total", MORE).await;
    let waiting = || async { place.listener("downstream_cx_active").await == WAITING };
    wait::until_true(PATIENCE, "as many to be left as may wait", waiting).await;
    place.assert_small(all * EACH);
    place.beside.is_served().await;
    held.abort_all();
    while held.join_next().await.is_some() {}
    place.assert_over().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_any_shape_are_judged_or_refused() {
    let mut strict = policy();
    strict["spec"]["requireOneUri"] = json!(true);
    let place = Place::new(|gateway| {
        gateway.filters = vec![peer_uris()];
        gateway.bootstrap = Some(json!({ "policy": strict }));
        let context = &mut gateway.transport_socket.as_mut().expect("TLS")["typed_config"];
        // A ticket of a session holds all that its client has shown, and TLS cannot send one of more than 64 KiB.
        for sessions in ["disable_stateless_session_resumption", "disable_stateful_session_resumption"] {
            context[sessions] = json!(true);
        }
        context["common_tls_context"]["validation_context"]["max_verify_depth"] = json!(4);
    })
    .await;
    let (authority, address) = (&place.authority, place.envoy.address());
    let shapes = Shapes::of(authority);
    for (what, shape) in [("three authorities between", &shapes.few), ("57 KB of certificates", &shapes.padded)] {
        assert_eq!(talk(authority, address, shape, b"hi").await, Fate::Answered(b"HI".to_vec()), "{what}");
    }
    let mut crowd = JoinSet::new();
    for shape in [&shapes.many, &shapes.thousand, &shapes.long, &shapes.large].into_iter().cycle().take(200) {
        let caller = authority.caller(shape);
        crowd.spawn(async move { visit(&caller, address).await });
    }
    place.beside.is_served().await;
    assert!(crowd.join_all().await.iter().all(Option::is_none), "one of them was let in");
    place.counted("gatehouse_decisions_drop_total", 100).await;
    // Deeper than it may be; and more than TLS takes at all.
    assert_eq!(place.listener("ssl.fail_verify_error").await, 50);
    assert_eq!(place.listener("ssl.connection_error").await, 50);
    assert_eq!(place.echo.connections(), 2 + place.beside.visits(), "nobody else was connected through");
    place.assert_gone().await;
    place.assert_small(GROWTH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_for_the_service_is_passed_and_garbage_for_tls_ends_its_connection() {
    let place = Place::new(|_| ()).await;
    let (authority, address) = (&place.authority, place.envoy.address());
    let broken = garbage::breaks_in(authority, address, &place.sleep).await;
    // Some break what Envoy says for a farewell, too.
    assert!(place.listener("ssl.connection_error").await >= broken);
    // Who is not listed may send what it likes.
    let stranger = workload(authority, "default", DEFAULT);
    let mut crowd = JoinSet::new();
    for _ in 0..50 {
        let (caller, noise) = (authority.caller(&stranger), garbage::noise(1 << 20));
        crowd.spawn(async move { halfway::send(&caller, address, &noise).await });
    }
    place.beside.is_served().await;
    assert!(crowd.join_all().await.iter().all(|answer| answer.is_empty()), "one of them was answered");
    place.counted("gatehouse_decisions_drop_total", 50).await;
    let (connections, bytes) = (place.echo.connections(), place.echo.bytes());
    assert_eq!((connections, bytes), (place.beside.visits() + broken, 2 * place.beside.visits() + broken));
    let passed = garbage::noise(1 << 20);
    let back = halfway::send(&authority.caller(&place.sleep), address, &passed).await;
    assert!(back == passed.to_ascii_uppercase(), "garbage is the service's own matter: {} bytes", back.len());
    place.assert_gone().await;
    place.assert_small(GROWTH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_slow_inside_holds_what_the_buffers_are_and_no_more() {
    let place = Place::new(|gateway| gateway.buffer = Some(32 << 10)).await;
    let caller = place.authority.caller(&place.sleep);
    let inside = halfway::pour(&caller, place.envoy.address(), 39).await;
    place.beside.is_served().await;
    println!("39 that do not listen take {} KiB", place.grown() >> 10);
    place.assert_small(39 * (512 << 10));
    // One byte a second is slow, and nothing that anybody would close it for.
    let mut slow = place.authority.open(place.envoy.address(), &place.sleep).await.unwrap();
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        slow.write_all(b"b").await.unwrap();
        assert_eq!(slow.read_u8().await.unwrap(), b'B');
    }
    drop((inside, slow));
    place.assert_gone().await;
    place.assert_small(GROWTH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_connects_a_minute_are_counted_and_nobody_waits_for_them() {
    many_files();
    storm::at_most_twice(|| async {
        let house = House::with_policy(&policy()).await;
        let place = Place::in_turn(Turn::alone().await, |gateway| {
            gateway.house = HouseAt::Socket(house.socket());
            gateway.bootstrap.as_mut().expect("the filter")["house"] =
                json!({ "cluster": "gatehouse", "authority": "gatehouse" });
        })
        .await;
        let small = || assert!(place.grown() < GROWTH, "it has grown by {}", place.grown());
        let seen = async || place.envoy.stat("wasmcustom.gatehouse_connections_total").await;
        let storm = Storm::new(&place.authority, place.envoy.address()).await;
        let blown = storm.beside(&place.beside, small, seen).await?;
        // The others are gone before anything is decided; of each there is a record.
        place.counted("gatehouse_decisions_drop_total", blown.strangers + blown.silent).await;
        place.counted("gatehouse_gate_seen_total", blown.made + place.beside.visits()).await;
        assert_eq!(place.listener("ssl.connection_error").await, blown.plain);
        assert_eq!(place.listener("ssl.handshake").await, blown.strangers + place.beside.visits());
        place.assert_over().await;
        place.assert_small(GROWTH);
        Ok(())
    })
    .await;
}

fn tcp(gateway: &mut TcpGateway, settings: Value) {
    gateway.bootstrap.as_mut().expect("the filter")["tcp"] = settings;
}

/// Envoy with the filter before an echo, one like it that nobody attacks, and who may use both.
struct Place {
    envoy: Envoy,
    authority: Authority,
    sleep: Hello,
    beside: Beside,
    echo: Echo,
    before: u64,
    _quiet: (Envoy, Echo),
    _turn: Turn,
}

impl Place {
    /// `shape` changes the gateway that both have.
    async fn new(shape: impl Fn(&mut TcpGateway)) -> Self {
        Self::in_turn(Turn::together().await, shape).await
    }

    async fn in_turn(turn: Turn, shape: impl Fn(&mut TcpGateway)) -> Self {
        let (echo, other, authority) = (Echo::start().await, Echo::start().await, Authority::new());
        let socket = authority.listener(true);
        let of = |echo: &Echo| {
            let mut gateway = TcpGateway::new(echo.address(), socket.clone(), json!({ "policy": policy() }));
            shape(&mut gateway);
            gateway
        };
        let (attacked, quiet) = (of(&echo), of(&other));
        let (envoy, quiet) = tokio::join!(attacked.start(), quiet.start());
        let sleep = workload(&authority, "sleep", SLEEP);
        let beside = Beside::new(authority.caller(&sleep), envoy.address(), quiet.address()).await;
        let before = process::resident(envoy.id()).expect("it runs");
        Self { envoy, authority, sleep, beside, echo, before, _quiet: (quiet, other), _turn: turn }
    }

    async fn hold(&self, beginnings: &[Beginning], count: usize) -> JoinSet<Duration> {
        let hello = client_hello(&self.authority).await;
        halfway::hold(self.envoy.address(), &hello, beginnings, count, 4 * DEADLINE).await
    }

    /// Nobody was let hold on for much longer than the deadline: a slow one sees its end with its next byte, and machines are busy.
    async fn assert_ended(&self, held: JoinSet<Duration>) {
        let longest = held.join_all().await.into_iter().max().unwrap_or_default();
        println!("the last of them was let hold on for {longest:.1?}");
        assert!(longest < 2 * DEADLINE, "one was let hold on for {longest:?}");
    }

    /// A counter of the listener; 0 where it has counted nothing.
    async fn listener(&self, name: &str) -> u64 {
        let address = self.envoy.address().to_string().replace(':', "_");
        self.envoy.stat(&format!("listener.{address}.{name}")).await
    }

    async fn counted(&self, name: &str, value: u64) {
        let (what, name) = (format!("{name} to be {value}"), format!("wasmcustom.{name}"));
        wait::until_true(PATIENCE, &what, || async { self.envoy.stat(&name).await == value }).await;
    }

    /// All are gone, and nothing of those who attacked reached the service.
    async fn assert_over(&self) {
        self.assert_gone().await;
        let visits = self.beside.visits();
        assert_eq!(
            (self.echo.connections(), self.echo.bytes()),
            (visits, 2 * visits),
            "nobody else reached the service"
        );
    }

    async fn assert_gone(&self) {
        for name in ["downstream_cx_active", "downstream_pre_cx_active"] {
            wait::until_true(PATIENCE, name, || async { self.listener(name).await == 0 }).await;
        }
        self.envoy.assert_filter_sound().await;
    }

    fn grown(&self) -> u64 {
        process::resident(self.envoy.id()).expect("it runs").saturating_sub(self.before)
    }

    fn assert_small(&self, most: u64) {
        println!("it has grown by {} KiB", self.grown() >> 10);
        assert!(self.grown() < most, "it has grown by {} bytes", self.grown());
    }
}
