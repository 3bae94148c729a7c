//! Clients that mean `gatehouse guard` harm: it stays up, counts each of them, keeps within its limits and its memory, and serves who
//! behaves meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gatehouse_e2e::callers::{Fate, PATIENCE, SLEEP, policy, talk, workload};
use gatehouse_support::tls::{Authority, Caller, Hello, Stream};
use gatehouse_support::{Echo, Guard, process, wait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a guard may grow by, whatever clients do: what allocators keep is in it.
const GROWTH: u64 = 32 << 20;
/// How much longer a visit may take while others attack: this many times, and this much. Machines that test are busy.
const SLOWER: (u32, Duration) = (10, Duration::from_millis(400));
/// Visits of which the median counts.
const VISITS: usize = 15;
/// Connects of a storm, at least.
const STORM: u64 = 4000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_never_end_hold_nobody_up() {
    // Longer than a busy machine takes to connect all.
    let place = Place::new(json!({ "limits": { "handshake": "6s", "handshakes": 200 } })).await;
    let calm = place.visits().await;
    let hello = client_hello(&place.authority).await;
    let mut held = JoinSet::new();
    for number in 0..300 {
        let stream = TcpStream::connect(place.guard.address()).await.unwrap();
        let (begun, pause) = match number % 4 {
            0 => (Vec::new(), Duration::ZERO),
            1 => (hello[..hello.len() / 2].to_vec(), Duration::ZERO),
            2 => (endless_hello(), Duration::ZERO),
            // One byte a second: something always comes, and it is never enough.
            _ => (hello[..hello.len() - 1].to_vec(), Duration::from_secs(1)),
        };
        held.spawn(hold(stream, begun, pause));
    }
    let shaking = place.guard.metric("gatehouse_guard_handshakes").await;
    // Who has to go takes a moment to do so.
    assert!((1..=220).contains(&shaking), "{shaking} shake hands at once");
    let busy = place.visits().await;
    assert_served(calm, busy);
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
async fn a_storm_of_connects_leaves_nothing_behind() {
    let place = Place::new(json!({})).await;
    let calm = place.visits().await;
    let (before, files) = (place.guard.metric("gatehouse_guard_connections_total").await, place.files());
    let over = Arc::new(AtomicBool::new(false));
    let mut storm = JoinSet::new();
    for part in 0..4 {
        storm.spawn(dropped(place.guard.address(), part, Arc::clone(&over)));
    }
    let busy = place.visits().await;
    over.store(true, Ordering::Relaxed);
    let dropped: u64 = storm.join_all().await.into_iter().sum();
    assert_served(calm, busy);
    let all = before + dropped + VISITS as u64;
    place.counted("gatehouse_guard_connections_total", all).await;
    place.refused_in_all(&["handshake", "crowded_out"], dropped).await;
    place.counted("gatehouse_guard_handshakes", 0).await;
    wait::until_true(PATIENCE, "its descriptors to be given back", || async { place.files() <= files + 4 }).await;
    place.assert_small();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_any_shape_are_judged_or_refused() {
    let place = Place::new(json!({})).await;
    let calm = place.visits().await;
    let (authority, guard) = (&place.authority, &place.guard);
    let with = |certificate| Hello { certificate: Some(certificate), ..Hello::default() };
    let answered = Fate::Answered(b"HI".to_vec());
    let few = with(authority.chained("few", SLEEP, 3, 0));
    assert_eq!(talk(authority, guard.address(), &few, b"hi").await, answered, "three authorities between");
    // The identity first, then 99 that are as good: the first is whom the mesh says it is.
    let many = with(authority.uris("many", SLEEP, 100));
    assert_eq!(talk(authority, guard.address(), &many, b"hi").await, answered);
    let mut strict = policy();
    strict["spec"]["requireOneUri"] = json!(true);
    std::fs::write(guard.policy(), strict.to_string()).unwrap();
    wait::until_true(PATIENCE, "the stricter policy", || async {
        talk(authority, guard.address(), &many, b"hi").await == Fate::Closed
    })
    .await;
    let (rejected, failed) = (guard.metric("gatehouse_guard_rejected_total").await, place.refused("handshake").await);
    // Proven, and more than a guard keeps for as long as a connection lasts.
    let (thousand, padded) = (authority.uris("thousand", SLEEP, 1000), authority.chained("padded", SLEEP, 3, 19_000));
    // More than TLS verifies, and more than it takes at all.
    let (long, large) = (authority.chained("long", SLEEP, 12, 0), authority.chained("large", SLEEP, 3, 100_000));
    let shapes = [many, with(thousand), with(padded), with(long), with(large)];
    let mut crowd = JoinSet::new();
    for shape in shapes.iter().cycle().take(100) {
        let (caller, address) = (authority.caller(shape), guard.address());
        crowd.spawn(async move { visit(&caller, address).await });
    }
    let busy = place.visits().await;
    assert!(crowd.join_all().await.iter().all(Option::is_none), "one of them was let in");
    assert_served(calm, busy);
    place.counted("gatehouse_guard_rejected_total", rejected + 20).await;
    place.counted("gatehouse_guard_refused_total{reason=\"large_certificates\"}", 40).await;
    place.counted("gatehouse_guard_refused_total{reason=\"handshake\"}", failed + 40).await;
    place.assert_small();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_for_the_service_is_passed_and_garbage_for_tls_ends_its_connection() {
    let place = Place::new(json!({})).await;
    let calm = place.visits().await;
    let passed: Vec<u8> = noise(1 << 20);
    let stream = place.authority.open(place.guard.address(), &place.sleep).await.unwrap();
    let (mut reading, mut writing) = tokio::io::split(stream);
    let (written, back) = tokio::join!(writing.write_all(&passed), async {
        let mut back = vec![0; passed.len()];
        tokio::time::timeout(PATIENCE, reading.read_exact(&mut back)).await.expect("the service answers").map(|_| back)
    });
    written.unwrap();
    assert!(back.unwrap() == passed.to_ascii_uppercase(), "garbage is the service's own matter");
    drop((reading, writing));
    place.counted("gatehouse_guard_carried", 0).await;
    let records = garbage();
    for (what, bytes) in &records {
        let mut stream = place.authority.open(place.guard.address(), &place.sleep).await.unwrap();
        stream.write_all(b"a").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'A');
        let (mut raw, _) = stream.into_inner();
        raw.write_all(bytes).await.unwrap();
        let ended = tokio::time::timeout(PATIENCE, raw.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "{what}: the connection stays open");
    }
    place.counted("gatehouse_guard_carried", 0).await;
    assert_eq!(place.refused("broken_tls").await, records.len() as u64);
    assert_served(calm, place.visits().await);
    place.assert_small();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_slow_inside_takes_a_place_and_no_more() {
    let place = Place::new(json!({ "limits": { "connections": 60 } })).await;
    let calm = place.visits().await;
    let before = process::resident(place.guard.id()).unwrap();
    let caller = place.authority.caller(&place.sleep);
    let mut pouring = JoinSet::new();
    for _ in 0..39 {
        pouring.spawn(pour(caller.clone(), place.guard.address()));
    }
    let inside = pouring.join_all().await;
    let busy = place.visits().await;
    assert_served(calm, busy);
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
    place.visits().await;
    place.assert_small();
}

/// A guard before an echo, and who may use it.
struct Place {
    guard: Guard,
    authority: Authority,
    sleep: Hello,
    before: u64,
    _echo: Echo,
}

impl Place {
    async fn new(more: Value) -> Self {
        let (echo, authority) = (Echo::start().await, Authority::new());
        let guard = Guard::start(echo.address(), &authority, Some(&policy()), more).await;
        let sleep = workload(&authority, "sleep", SLEEP);
        let before = process::resident(guard.id()).expect("it runs");
        Self { guard, authority, sleep, before, _echo: echo }
    }

    /// The median time of some visits of one who behaves, one after the other.
    async fn visits(&self) -> Duration {
        let caller = self.authority.caller(&self.sleep);
        let mut times = Vec::new();
        for _ in 0..VISITS {
            times.push(visit(&caller, self.guard.address()).await.expect("it is served"));
        }
        times.sort();
        times[VISITS / 2]
    }

    async fn refused(&self, reason: &str) -> u64 {
        self.guard.metric(&format!("gatehouse_guard_refused_total{{reason=\"{reason}\"}}")).await
    }

    /// Waits: whoever is accepted is counted at once, why it is refused only when it has been.
    async fn refused_in_all(&self, reasons: &[&str], count: u64) {
        let what = format!("{reasons:?} to be {count}");
        wait::until_true(PATIENCE, &what, || async {
            let mut sum = 0;
            for reason in reasons {
                sum += self.refused(reason).await;
            }
            sum == count
        })
        .await;
    }

    async fn counted(&self, name: &str, value: u64) {
        let what = format!("{name} to be {value}");
        wait::until_true(PATIENCE, &what, || async { self.guard.metric(name).await == value }).await;
    }

    /// Descriptors that the guard has open.
    fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.guard.id())).expect("it runs").count()
    }

    fn assert_small(&self) {
        let grown = process::resident(self.guard.id()).expect("it runs").saturating_sub(self.before);
        println!("it grew by {} KiB", grown >> 10);
        assert!(grown < GROWTH, "it grew by {grown} bytes");
    }
}

/// Sends more than every buffer on the way holds, and takes nothing of the answer.
async fn pour(caller: Caller, address: SocketAddr) -> Stream {
    let mut stream = caller.open(TcpStream::connect(address).await.unwrap()).await.unwrap();
    let pour = async { while stream.write_all(&[b'a'; 64 << 10]).await.is_ok() {} };
    assert!(tokio::time::timeout(Duration::from_secs(4), pour).await.is_err(), "it was thrown out");
    stream
}

/// Connects, shakes hands and is answered: how long that takes; `None`: it is not served.
async fn visit(caller: &Caller, address: SocketAddr) -> Option<Duration> {
    let begun = Instant::now();
    let talk = async {
        let mut stream = caller.open(TcpStream::connect(address).await?).await?;
        stream.write_all(b"hi").await?;
        let mut back = [0; 2];
        stream.read_exact(&mut back).await?;
        std::io::Result::Ok(back)
    };
    let said = tokio::time::timeout(PATIENCE, talk).await.ok()?.ok()?;
    (said == *b"HI").then(|| begun.elapsed())
}

fn assert_served(calm: Duration, busy: Duration) {
    let (times, more) = SLOWER;
    println!("a visit takes {calm:?}, and {busy:?} under attack");
    assert!(busy < calm * times + more, "a visit took {calm:?} before and takes {busy:?} now");
}

/// Connects again and again and leaves at once, until it is `over` and enough have been made: how many.
async fn dropped(address: SocketAddr, part: u64, over: Arc<AtomicBool>) -> u64 {
    let mut made = 0;
    while made < STORM / 4 || !over.load(Ordering::Relaxed) {
        let stream = TcpStream::connect(address).await.expect("it listens");
        // Some say goodbye, some are gone, some leave a word of nonsense.
        match (part + made) % 3 {
            0 => drop(stream),
            1 => stream.set_zero_linger().expect("a socket"),
            _ => drop(stream.try_write(b"\x16\x03\x01\xff\xff\x01")),
        }
        made += 1;
    }
    made
}

/// Keeps a connection open until the other side ends it, writing `begun` at once or a byte each `pause`: how long it lasted.
async fn hold(mut stream: TcpStream, begun: Vec<u8>, pause: Duration) -> Duration {
    let since = Instant::now();
    if pause.is_zero() {
        let _ = stream.write_all(&begun).await;
        let ended = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 64])).await;
        assert!(ended.is_ok(), "it is still open");
    } else {
        for byte in begun {
            // Whatever comes back means that it is over.
            let over = tokio::time::timeout(pause, stream.read(&mut [0; 64])).await;
            if over.is_ok() || stream.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    }
    since.elapsed()
}

/// What a real client says first.
async fn client_hello(authority: &Authority) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hello = Hello::default();
    let listen = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 4096];
        let length = stream.read(&mut bytes).await.unwrap();
        bytes.truncate(length);
        bytes
    };
    let (_, bytes) = tokio::join!(authority.open(address, &hello), listen);
    assert!(bytes.starts_with(&[0x16, 3]) && bytes.len() > 100, "{bytes:?}");
    bytes
}

/// The beginning of the longest message that a handshake may have, as much as can be sent without ending it.
fn endless_hello() -> Vec<u8> {
    let message = [&[1, 0, 0xff, 0xf0], &[0; 3 * (16 << 10)][..]].concat();
    message.chunks(16 << 10).flat_map(|part| record(0x16, part)).collect()
}

/// A record of TLS, in the clear.
fn record(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a record").to_be_bytes();
    [&[kind, 3, 3], &length[..], bytes].concat()
}

/// Bytes that look like nothing, the same each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// What no client sends after a handshake.
fn garbage() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("noise", noise(32 << 10)),
        ("words", b"GET / HTTP/1.1\r\nhost: app.test\r\n\r\n".to_vec()),
        ("a record that nobody sealed", record(0x17, &noise(512))),
        ("a record longer than one may be", [&[0x17, 3, 3, 0xff, 0xff], &noise(0xffff)[..]].concat()),
        ("a record of nothing", record(0x17, b"")),
        ("a handshake in the clear", record(0x16, &noise(64))),
        ("a kind of record that there is not", record(0x63, &noise(64))),
    ]
}
