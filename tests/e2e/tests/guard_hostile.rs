//! Clients that mean `gatehouse guard` harm: it stays up, counts each of them, keeps within its limits and its memory, and serves who
//! behaves meanwhile.

use std::time::Duration;

use gatehouse_e2e::attackers::beside::{Beside, visit};
use gatehouse_e2e::attackers::halfway::{self, Beginning, client_hello};
use gatehouse_e2e::attackers::shapes::Shapes;
use gatehouse_e2e::attackers::storm::{self, Storm};
use gatehouse_e2e::attackers::turns::Turn;
use gatehouse_e2e::attackers::{garbage, many_files};
use gatehouse_e2e::callers::{Fate, PATIENCE, SLEEP, policy, talk, workload};
use gatehouse_support::process::Signal;
use gatehouse_support::tls::{Authority, Hello};
use gatehouse_support::{Echo, Guard, process, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

/// What a guard may grow by, whatever clients do: what allocators keep is in it.
const GROWTH: u64 = 32 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_never_end_hold_nobody_up() {
    // Longer than a busy machine takes to connect all.
    let place = Place::new(json!({ "limits": { "handshake": "6s", "handshakes": 200 } })).await;
    let hello = client_hello(&place.authority).await;
    let held = halfway::hold(place.guard.address(), &hello, &Beginning::ALL, 300, PATIENCE).await;
    let shaking = place.guard.metric("gatehouse_guard_handshakes").await;
    // Who has to go takes a moment to do so.
    assert!((1..=220).contains(&shaking), "{shaking} shake hands at once");
    place.beside.is_served().await;
    place.assert_small();
    for longest in held.join_all().await {
        assert!(longest < Duration::from_secs(10), "one was let hold on for {longest:?}");
    }
    place.refused_in_all(&["deadline", "crowded_out", "handshake"], 300).await;
    let (late, out) = (place.refused("deadline").await, place.refused("crowded_out").await);
    assert!(late >= 100 && out >= 50, "{late} late, {out} crowded out");
    place.counted("gatehouse_guard_handshakes", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_connects_a_minute_are_counted_and_leave_nothing_behind() {
    many_files();
    storm::at_most_twice(|| async {
        let place = Place::in_turn(json!({}), Turn::alone().await).await;
        let files = place.files();
        let small = || assert!(place.grown() < GROWTH, "it has grown by {}", place.grown());
        let seen = async || place.guard.metric("gatehouse_guard_connections_total").await;
        let storm = Storm::new(&place.authority, place.guard.address()).await;
        let blown = storm.beside(&place.beside, small, seen).await?;
        // A stranger is rejected when its handshake is over, unless a machine that is too busy had too many of them at once.
        let rejected = async || place.guard.metric("gatehouse_guard_rejected_total").await;
        let refused = ["handshake", "deadline", "crowded_out"];
        wait::until_true(PATIENCE, "each of them to be counted", || async {
            place.refused_in_sum(&refused).await + rejected().await == blown.made
        })
        .await;
        let (rejected, out) = (rejected().await, place.refused("crowded_out").await);
        assert!(rejected <= blown.strangers && rejected + out >= blown.strangers, "{rejected} rejected, {out} out");
        place.counted("gatehouse_guard_handshakes", 0).await;
        let visits = place.beside.visits();
        assert_eq!((place.echo.connections(), place.echo.bytes()), (visits, 2 * visits), "nobody else got to it");
        wait::until_true(PATIENCE, "its descriptors to be given back", || async { place.files() <= files + 4 }).await;
        place.assert_small();
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_that_is_held_up_by_its_machine_loses_nobody_who_connects_meanwhile() {
    many_files();
    let place = Place::new(json!({})).await;
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let burst = 3000.min(most.trim().parse().unwrap());
    process::send(place.guard.id(), Signal::STOP);
    let connecting = halfway::hold(place.guard.address(), &[], &[Beginning::Nothing], burst, 2 * PATIENCE);
    let held = tokio::time::timeout(PATIENCE, connecting).await;
    process::send(place.guard.id(), Signal::CONT);
    held.expect("the kernel has room for all of them").join_all().await;
    place.counted("gatehouse_guard_connections_total", burst as u64 + place.beside.visits()).await;
    place.refused_in_all(&["deadline", "crowded_out"], burst as u64).await;
    place.beside.is_served().await;
    place.assert_small();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_any_shape_are_judged_or_refused() {
    let place = Place::new(json!({})).await;
    let (authority, guard) = (&place.authority, &place.guard);
    let Shapes { few, many, thousand, padded, long, large } = Shapes::of(authority);
    let answered = Fate::Answered(b"HI".to_vec());
    assert_eq!(talk(authority, guard.address(), &few, b"hi").await, answered, "three authorities between");
    // The identity first, then 99 that are as good: the first is whom the mesh says it is.
    assert_eq!(talk(authority, guard.address(), &many, b"hi").await, answered);
    let mut strict = policy();
    strict["spec"]["requireOneUri"] = json!(true);
    std::fs::write(guard.policy(), strict.to_string()).unwrap();
    wait::until_true(PATIENCE, "the stricter policy", || async {
        talk(authority, guard.address(), &many, b"hi").await == Fate::Closed
    })
    .await;
    let (rejected, failed) = (guard.metric("gatehouse_guard_rejected_total").await, place.refused("handshake").await);
    // After the first: proven, and more than a guard keeps for as long as a connection lasts (two); more than TLS verifies, and than it takes.
    let shapes = [many, thousand, padded, long, large];
    let mut crowd = JoinSet::new();
    for shape in shapes.iter().cycle().take(100) {
        let (caller, address) = (authority.caller(shape), guard.address());
        crowd.spawn(async move { visit(&caller, address).await });
    }
    place.beside.is_served().await;
    assert!(crowd.join_all().await.iter().all(Option::is_none), "one of them was let in");
    place.counted("gatehouse_guard_rejected_total", rejected + 20).await;
    place.counted("gatehouse_guard_refused_total{reason=\"large_certificates\"}", 40).await;
    place.counted("gatehouse_guard_refused_total{reason=\"handshake\"}", failed + 40).await;
    place.assert_small();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_for_the_service_is_passed_and_garbage_for_tls_ends_its_connection() {
    let place = Place::new(json!({})).await;
    let passed = garbage::noise(1 << 20);
    let back = halfway::send(&place.authority.caller(&place.sleep), place.guard.address(), &passed).await;
    assert!(back == passed.to_ascii_uppercase(), "garbage is the service's own matter: {} bytes", back.len());
    place.counted("gatehouse_guard_carried", 0).await;
    let broken = garbage::breaks_in(&place.authority, place.guard.address(), &place.sleep).await;
    place.counted("gatehouse_guard_carried", 0).await;
    assert_eq!(place.refused("broken_tls").await, broken);
    place.beside.is_served().await;
    place.assert_small();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_slow_inside_takes_a_place_and_no_more() {
    let place = Place::new(json!({ "limits": { "connections": 60 } })).await;
    let before = process::resident(place.guard.id()).unwrap();
    let inside = halfway::pour(&place.authority.caller(&place.sleep), place.guard.address(), 39).await;
    place.beside.is_served().await;
    let grown = process::resident(place.guard.id()).unwrap().saturating_sub(before);
    println!("39 that do not listen take {} KiB", grown >> 10);
    assert!(grown < 39 * (512 << 10), "{grown} bytes for 39 that do not listen");
    place.counted("gatehouse_guard_carried", 39).await;
    let mut rest = Vec::new();
    for _ in 39..60 {
        let mut stream = place.authority.open(place.guard.address(), &place.sleep).await.unwrap();
        stream.write_all(b"a").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'A');
        rest.push(stream);
    }
    assert_eq!(place.guard.metric("gatehouse_guard_carried").await, 60);
    assert_eq!(talk(&place.authority, place.guard.address(), &place.sleep, b"hi").await, Fate::Closed);
    assert_eq!(place.refused("connections").await, 1);
    // One byte a second is slow, and nothing that anybody would close it for.
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        for stream in &mut rest {
            stream.write_all(b"b").await.unwrap();
            assert_eq!(stream.read_u8().await.unwrap(), b'B');
        }
    }
    drop((inside, rest));
    place.counted("gatehouse_guard_carried", 0).await;
    place.beside.is_served().await;
    place.assert_small();
}

/// A guard before an echo, one like it that nobody attacks, and who may use both.
struct Place {
    guard: Guard,
    authority: Authority,
    sleep: Hello,
    beside: Beside,
    echo: Echo,
    before: u64,
    _quiet: (Guard, Echo),
    _turn: Turn,
}

impl Place {
    async fn new(more: Value) -> Self {
        Self::in_turn(more, Turn::together().await).await
    }

    async fn in_turn(more: Value, turn: Turn) -> Self {
        let (echo, other, authority) = (Echo::start().await, Echo::start().await, Authority::new());
        let guard = Guard::start(echo.address(), &authority, Some(&policy()), more.clone()).await;
        let quiet = Guard::start(other.address(), &authority, Some(&policy()), more).await;
        let sleep = workload(&authority, "sleep", SLEEP);
        let beside = Beside::new(authority.caller(&sleep), guard.address(), quiet.address()).await;
        let before = process::resident(guard.id()).expect("it runs");
        Self { guard, authority, sleep, beside, echo, before, _quiet: (quiet, other), _turn: turn }
    }

    async fn refused(&self, reason: &str) -> u64 {
        self.guard.metric(&format!("gatehouse_guard_refused_total{{reason=\"{reason}\"}}")).await
    }

    async fn refused_in_sum(&self, reasons: &[&str]) -> u64 {
        let mut sum = 0;
        for reason in reasons {
            sum += self.refused(reason).await;
        }
        sum
    }

    /// Waits: whoever is accepted is counted at once, why it is refused only when it has been.
    async fn refused_in_all(&self, reasons: &[&str], count: u64) {
        let what = format!("{reasons:?} to be {count}");
        wait::until_true(PATIENCE, &what, || async { self.refused_in_sum(reasons).await == count }).await;
    }

    async fn counted(&self, name: &str, value: u64) {
        let what = format!("{name} to be {value}");
        wait::until_true(PATIENCE, &what, || async { self.guard.metric(name).await == value }).await;
    }

    /// Descriptors that the guard has open.
    fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.guard.id())).expect("it runs").count()
    }

    fn grown(&self) -> u64 {
        process::resident(self.guard.id()).expect("it runs").saturating_sub(self.before)
    }

    fn assert_small(&self) {
        println!("it has grown by {} KiB", self.grown() >> 10);
        assert!(self.grown() < GROWTH, "it has grown by {} bytes", self.grown());
    }
}
