//! What `gatehouse guard` costs beside HAProxy, both before the same service with the same certificates: CPU for bytes and for
//! handshakes; and what it holds for connections on which nothing moves. `make bench-guard` runs it with a release build.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use gatehouse_e2e::attackers::many_files;
use gatehouse_e2e::callers::{SLEEP, policy, workload};
use gatehouse_support::process::{Process, Signal, cpu, resident};
use gatehouse_support::tls::{Authority, Caller, Hello, Stream};
use gatehouse_support::{Guard, parts, ports, wait};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const START: Duration = Duration::from_secs(30);
const ROUNDS: usize = 5;
const CONNECTIONS: usize = 8;
/// What each of them carries in a round.
const BYTES: u64 = 96 << 20;
/// Short connections in a round, each with a handshake of its own.
const SHORT: usize = 2000;
/// HAProxy's buffers: what it has where nobody says anything, and as much as the guard reads at once.
const USUAL_BUFFER: usize = 16 << 10;
const LARGE_BUFFER: usize = 64 << 10;
/// The most CPU for bytes, in HAProxy's.
const AS_MUCH: f64 = 1.3;
const IDLE: usize = 10_000;
const IDLE_MEMORY: u64 = 200 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes long, with a release build: `make bench-guard`"]
async fn bytes_cost_about_what_they_cost_haproxy() {
    let (service, authority) = (Service::start().await, Authority::new());
    let guard = Guard::start(service.address, &authority, Some(&policy()), json!({})).await;
    let usual = Haproxy::start(service.address, &authority, USUAL_BUFFER).await;
    let large = Haproxy::start(service.address, &authority, LARGE_BUFFER).await;
    let caller = authority.caller(&workload(&authority, "sleep", SLEEP));
    let of = |haproxy: &Haproxy| (haproxy.process.id(), haproxy.address);
    let fronts = [(guard.id(), guard.address()), of(&usual), of(&large)];
    let suites =
        [suite(&caller, fronts[0].1).await, suite(&caller, fronts[1].1).await, suite(&caller, fronts[2].1).await];
    assert!(suites.iter().all(|suite| *suite == suites[0]), "the same cipher for all: {suites:?}");
    println!("{}; medians of {ROUNDS} rounds, CPU of the process", suites[0]);
    let mut bytes = [Duration::ZERO; 3];
    for work in [Work::Up, Work::Down, Work::Echo, Work::Short] {
        let used = medians(work, &caller, &fronts).await;
        let [own, usual, large] = used;
        println!("{work:?}: guard {own:?}, HAProxy {usual:?}, HAProxy with large buffers {large:?}");
        if !matches!(work, Work::Short) {
            bytes = [bytes[0] + own, bytes[1] + usual, bytes[2] + large];
        }
    }
    let [usual, large] = [bytes[1], bytes[2]].map(|other| bytes[0].as_secs_f64() / other.as_secs_f64());
    println!("all bytes: {usual:.2} times HAProxy's CPU, {large:.2} times with large buffers");
    assert!(usual.max(large) <= AS_MUCH, "{usual:.2} times, {large:.2} times");
}

/// CPU that each front needs for a round of this work.
async fn medians(work: Work, caller: &Caller, fronts: &[(u32, SocketAddr); 3]) -> [Duration; 3] {
    let mut used = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        // Who begins has another machine before it than who follows.
        for step in 0..fronts.len() {
            let which = (round + step) % fronts.len();
            let (id, address) = fronts[which];
            let before = cpu(id).expect("it runs");
            done(work, caller, address).await;
            used[which].push(cpu(id).expect("it runs").saturating_sub(before));
        }
    }
    used.map(|mut used| {
        used.sort();
        used[ROUNDS / 2]
    })
}

/// What a front encrypts with.
async fn suite(caller: &Caller, address: SocketAddr) -> String {
    let stream = open(caller, address).await;
    format!("{:?}", stream.get_ref().1.negotiated_cipher_suite().expect("a cipher").suite())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a release build: `make bench-guard`"]
async fn ten_thousand_idle_connections_are_small() {
    let most = many_files();
    // The guard has two descriptors for each; where a machine lets it have fewer, it is counted as if it had them.
    let connections = IDLE.min((most - 300) / 2);
    let (holder, authority) = (Holder::start().await, Authority::new());
    let guard = Guard::start(holder.address, &authority, Some(&policy()), json!({})).await;
    let caller = authority.caller(&workload(&authority, "sleep", SLEEP));
    let before = resident(guard.id()).expect("it runs");
    let mut opening = JoinSet::new();
    for part in 0..16 {
        let (caller, address) = (caller.clone(), guard.address());
        let count = connections / 16 + usize::from(part < connections % 16);
        opening.spawn(async move {
            let mut held = Vec::new();
            for _ in 0..count {
                held.push(used(&caller, address).await);
            }
            held
        });
    }
    let held: Vec<Stream> = opening.join_all().await.into_iter().flatten().collect();
    assert_eq!(held.len(), connections);
    assert_eq!(guard.metric("gatehouse_guard_carried").await, connections as u64);
    let after = resident(guard.id()).expect("it runs");
    let each = after.saturating_sub(before) / connections as u64;
    println!(
        "{connections} idle connections: {} KiB resident, {} KiB before them; {each} bytes each",
        after >> 10,
        before >> 10
    );
    assert!(before + each * (IDLE as u64) < IDLE_MEMORY, "{each} bytes each");
}

/// One on which a little was carried both ways.
async fn used(caller: &Caller, address: SocketAddr) -> Stream {
    let mut stream = open(caller, address).await;
    stream.write_all(&[b'a'; 1024]).await.expect("sent");
    stream.read_exact(&mut [0; 1024]).await.expect("an answer");
    stream
}

/// What a client does, and its first byte to the service.
#[derive(Debug, Clone, Copy)]
enum Work {
    Up,
    Down,
    Echo,
    Short,
}

async fn done(work: Work, caller: &Caller, address: SocketAddr) {
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let caller = caller.clone();
        clients.spawn(async move {
            match work {
                Work::Up => up(open(&caller, address).await).await,
                Work::Down => down(open(&caller, address).await).await,
                Work::Echo => echo(open(&caller, address).await).await,
                Work::Short => {
                    for _ in 0..SHORT / CONNECTIONS {
                        short(open(&caller, address).await).await;
                    }
                }
            }
        });
    }
    clients.join_all().await;
}

async fn open(caller: &Caller, address: SocketAddr) -> Stream {
    caller.open(TcpStream::connect(address).await.expect("it listens")).await.expect("it lets us in")
}

/// Sends all, and hears how much arrived.
async fn up(mut stream: Stream) {
    stream.write_all(b"u").await.expect("sent");
    let bytes = vec![b'a'; 64 << 10];
    for _ in 0..BYTES / bytes.len() as u64 {
        stream.write_all(&bytes).await.expect("sent");
    }
    stream.shutdown().await.expect("the end");
    assert_eq!(stream.read_u64().await.expect("an answer"), BYTES);
}

async fn down(mut stream: Stream) {
    stream.write_all(b"d").await.expect("sent");
    let mut bytes = vec![0; 64 << 10];
    let mut got = 0;
    while got < BYTES {
        let length = stream.read(&mut bytes).await.expect("bytes");
        assert!(length > 0, "it ended after {got}");
        got += length as u64;
    }
}

/// Questions and answers of 16 KiB, one after the other.
async fn echo(mut stream: Stream) {
    stream.write_all(b"e").await.expect("sent");
    let mut bytes = vec![b'a'; 16 << 10];
    for _ in 0..BYTES / 4 / bytes.len() as u64 {
        stream.write_all(&bytes).await.expect("sent");
        stream.read_exact(&mut bytes).await.expect("an answer");
    }
}

async fn short(mut stream: Stream) {
    stream.write_all(b"e!").await.expect("sent");
    assert_eq!(stream.read_u8().await.expect("an answer"), b'!');
    stream.shutdown().await.expect("the end");
}

/// The service: it counts, pours or gives back, as the first byte of a connection asks.
struct Service {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        Self { address, task }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut bytes = vec![0; 64 << 10];
    match stream.read_u8().await? {
        b'u' => {
            let mut got = 0;
            while let length @ 1.. = stream.read(&mut bytes).await? {
                got += length as u64;
            }
            stream.write_u64(got).await
        }
        b'd' => {
            for _ in 0..BYTES / bytes.len() as u64 {
                stream.write_all(&bytes).await?;
            }
            // Its end is the client's to say.
            stream.read(&mut bytes).await.map(drop)
        }
        _ => {
            while let length @ 1.. = stream.read(&mut bytes).await? {
                stream.write_all(&bytes[..length]).await?;
            }
            Ok(())
        }
    }
}

/// A running HAProxy that does what the guard does; it ends with this value.
struct Haproxy {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Haproxy {
    async fn start(upstream: SocketAddr, authority: &Authority, buffer: usize) -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-haproxy-").tempdir().expect("a folder");
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let own = authority.server();
        let read = |file: &PathBuf| std::fs::read_to_string(file).expect("a file");
        let pem = folder.path().join("own.pem");
        std::fs::write(&pem, read(&own.certificate) + &read(&own.key)).expect("a file");
        // As many threads as the guard has. It tells nobody of its connections; the guard has its log.
        let threads = std::thread::available_parallelism().expect("a number of processors");
        let config = format!(
            "global\n  nbthread {threads}\n  tune.bufsize {buffer}\n\
             defaults\n  mode tcp\n\
             \x20 timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
             frontend front\n  bind {address} ssl crt {} ca-file {} verify required ssl-min-ver TLSv1.3 no-tls-tickets\n\
             \x20 default_backend service\nbackend service\n  server service {upstream}\n",
            pem.display(),
            authority.root().display(),
        );
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, config).expect("a file");
        let mut command = Command::new(parts::haproxy());
        command.arg("-db").arg("-f").arg(&file);
        let mut process = Process::start("haproxy", command, &folder.path().join("log"), Signal::KILL);
        let sleep = Hello::default();
        wait::until_true(START, "HAProxy", || {
            process.assert_running();
            // It lets nobody in without a certificate, but it shows its own.
            let shown = authority.shown(address, &sleep);
            async move { shown.await.is_ok() }
        })
        .await;
        Self { process, address, _folder: folder }
    }
}

/// A service in a process of its own, for its own descriptors: it answers each connection once and keeps it.
struct Holder {
    address: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

const HOLDER: &str = "
import resource, socket, sys
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
server = socket.create_server(('127.0.0.1', int(sys.argv[1])), backlog=4096)
held = []
while True:
    one, _ = server.accept()
    one.sendall(one.recv(65536))
    held.append(one)
";

impl Holder {
    async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-holder-").tempdir().expect("a folder");
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let mut command = Command::new("python3");
        command.args(["-c", HOLDER, &address.port().to_string()]);
        let mut process = Process::start("the holder", command, &folder.path().join("log"), Signal::KILL);
        wait::until_true(START, "the holder", || {
            process.assert_running();
            async move { TcpStream::connect(address).await.is_ok() }
        })
        .await;
        Self { address, _process: process, _folder: folder }
    }
}
