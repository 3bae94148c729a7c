//! `gatehouse guard` before a real database that greets first: whoever is rejected hears nothing of it, and by its own account it never
//! saw them.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gatehouse_e2e::callers::{Fate, PATIENCE, SLEEP, policy, strangers, talk, workload};
use gatehouse_support::process::{Process, Signal};
use gatehouse_support::tls::{Authority, Hello};
use gatehouse_support::{Guard, parts, ports, wait};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

const START: Duration = Duration::from_secs(30);
/// What MariaDB's package brings to make the tables of a new database.
const TABLES: &str = "/usr/share/mysql/mysql_system_tables.sql";
/// The database's account: everybody who gets as far as it may use it, and may do nothing.
const ACCOUNT: &str = "reader";

#[tokio::test]
async fn the_listed_account_hears_the_greeting_and_has_its_questions_answered() {
    let (database, authority) = (Database::start().await, Authority::new());
    let guard = Guard::start(database.address, &authority, Some(&policy()), json!({})).await;
    let sleep = workload(&authority, "sleep", SLEEP);
    let mut session = Session::open(&authority, guard.address(), &sleep).await;
    assert!(session.version.contains("MariaDB"), "{}", session.version);
    assert_eq!(session.ask("SELECT 1").await, ["1"]);
    // Larger than every buffer on the way.
    let long = session.ask("SELECT REPEAT('g', 3000000)").await;
    assert!(long == ["g".repeat(3_000_000)], "{} bytes", long[0].len());
    let sum = session.ask(&format!("SELECT LENGTH('{}')", "g".repeat(2_000_000))).await;
    assert_eq!(sum, ["2000000"]);
    session.quit().await;
    wait::until_true(PATIENCE, "the answers in the count of bytes", || async {
        guard.metric("gatehouse_guard_sent_bytes_total").await > 3_000_000
    })
    .await;
}

#[tokio::test]
async fn nobody_else_hears_a_byte_and_the_database_has_seen_none_of_them() {
    let (database, authority, other) = (Database::start().await, Authority::new(), Authority::new());
    let guard = Guard::start(database.address, &authority, Some(&policy()), json!({})).await;
    let sleep = workload(&authority, "sleep", SLEEP);
    let before = seen(&authority, guard.address(), &sleep).await;
    for (who, hello, _) in strangers(&authority, &other) {
        assert_eq!(talk(&authority, guard.address(), &hello, b"").await, Fate::Closed, "{who}");
    }
    without_tls(guard.address()).await;
    // The one more is who asks.
    assert_eq!(seen(&authority, guard.address(), &sleep).await, before + 1, "a stranger reached the database");
    // The database would have noticed: somebody who only hears its greeting counts.
    let Fate::Answered(greeting) = talk(&authority, guard.address(), &sleep, b"").await else {
        panic!("the listed account hears nothing");
    };
    assert!(greeting.windows(7).any(|part| part == b"MariaDB"), "{greeting:?}");
    assert_eq!(seen(&authority, guard.address(), &sleep).await, before + 3);
    assert_eq!(guard.metric("gatehouse_guard_rejected_total").await, 2);
    assert_eq!(guard.metric("gatehouse_guard_refused_total{reason=\"handshake\"}").await, 3);
}

/// A client of the database that knows nothing of TLS gets an alert at most.
async fn without_tls(address: SocketAddr) {
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"\x01\x00\x00\x00\x01").await.unwrap();
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, plain.read_to_end(&mut bytes)).await.expect("it is closed");
    assert!(bytes.len() <= 7, "an alert at most: {bytes:?}");
}

/// Connections that the database has ever seen, this one included, as it says itself.
async fn seen(authority: &Authority, address: SocketAddr, hello: &Hello) -> u64 {
    let mut session = Session::open(authority, address, hello).await;
    let answer = session.ask("SHOW GLOBAL STATUS LIKE 'Connections'").await;
    session.quit().await;
    assert_eq!(answer[0], "Connections");
    answer[1].parse().unwrap()
}

/// A running MariaDB with a folder of its own; it ends with this value.
struct Database {
    address: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Database {
    async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-mariadb-").tempdir().expect("a folder");
        make(folder.path());
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let mut command = mariadb(folder.path());
        command.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--max-allowed-packet=16M"]);
        command.arg(format!("--port={}", address.port()));
        command.arg(format!("--socket={}", folder.path().join("socket").display()));
        let mut process = Process::start("mariadbd", command, &folder.path().join("log"), Signal::KILL);
        wait::until_true(START, "the database", || {
            process.assert_running();
            async move { TcpStream::connect(address).await.is_ok() }
        })
        .await;
        Self { address, _process: process, _folder: folder }
    }
}

/// The tables of a new database, and one account without a password.
fn make(folder: &Path) {
    let tables = std::fs::read(TABLES).unwrap_or_else(|error| panic!("{TABLES}: {error} (run `tests/tools/setup`)"));
    let log = std::fs::File::create(folder.join("made")).expect("a file");
    let mut command = mariadb(folder);
    command.arg("--bootstrap").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
    let mut child = command.spawn().expect("mariadbd");
    let mut input = child.stdin.take().expect("its input");
    let account = format!(
        "INSERT INTO mysql.global_priv VALUES ('%', '{ACCOUNT}', \
         '{{\"access\":0,\"plugin\":\"mysql_native_password\",\"authentication_string\":\"\"}}');\n"
    );
    for part in [b"CREATE DATABASE mysql;\nUSE mysql;\n", &tables[..], account.as_bytes()] {
        input.write_all(part).expect("mariadbd reads");
    }
    drop(input);
    let status = child.wait().expect("its end");
    let log = std::fs::read_to_string(folder.join("made")).unwrap_or_default();
    assert!(status.success(), "{status}: {log}");
}

fn mariadb(folder: &Path) -> Command {
    let mut command = Command::new(parts::mariadbd());
    // Without `--user` it does not run as root; to others that says nothing.
    command.args(["--no-defaults", "--user=root"]);
    // Of its own too: one that starts clears the temporary tables of others away.
    command.arg(format!("--tmpdir={}", folder.display()));
    command.arg(format!("--datadir={}", folder.join("data").display()));
    std::fs::create_dir_all(folder.join("data")).expect("a folder");
    command.args(["--innodb-buffer-pool-size=16M", "--innodb-log-file-size=4M", "--performance-schema=off"]);
    command
}

/// A client of the database, as far as these tests need one.
struct Session<S> {
    stream: S,
    version: String,
}

impl Session<()> {
    /// Hears the greeting and logs in.
    async fn open(
        authority: &Authority,
        address: SocketAddr,
        hello: &Hello,
    ) -> Session<impl AsyncRead + AsyncWrite + Unpin> {
        let mut stream = authority.open(address, hello).await.expect("the guard lets it in");
        let greeting = packet(&mut stream).await;
        assert_eq!(greeting.first(), Some(&10), "version 10 of the protocol: {greeting:?}");
        let version = greeting[1..].split(|byte| *byte == 0).next().unwrap_or_default();
        let version = String::from_utf8(version.to_vec()).expect("a version");
        let mut session = Session { stream, version };
        session.log_in().await;
        session
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    async fn log_in(&mut self) {
        // Long passwords, the protocol of 4.1, its passwords, a named plugin.
        let abilities: u32 = 0x1 | 0x200 | 0x8000 | 0x8_0000;
        let mut answer = abilities.to_le_bytes().to_vec();
        answer.extend((16_u32 << 20).to_le_bytes());
        answer.push(33);
        answer.extend([0; 23]);
        answer.extend(ACCOUNT.bytes());
        // The end of the name, and a password of no bytes.
        answer.extend([0, 0]);
        answer.extend(b"mysql_native_password\0");
        send(&mut self.stream, 1, &answer).await;
        let said = packet(&mut self.stream).await;
        assert_eq!(said.first(), Some(&0), "{}", String::from_utf8_lossy(&said));
    }

    /// The values of the only row of an answer.
    async fn ask(&mut self, question: &str) -> Vec<String> {
        send(&mut self.stream, 0, &[b"\x03", question.as_bytes()].concat()).await;
        let columns = packet(&mut self.stream).await;
        assert!(matches!(columns[..], [1..=250]), "{}", String::from_utf8_lossy(&columns));
        for _ in 0..columns[0] {
            packet(&mut self.stream).await;
        }
        assert!(ends(&packet(&mut self.stream).await));
        let row = packet(&mut self.stream).await;
        assert!(ends(&packet(&mut self.stream).await), "one row");
        values(&row)
    }

    /// Says goodbye, and waits until the database has hung up.
    async fn quit(mut self) {
        send(&mut self.stream, 0, b"\x01").await;
        let ended = tokio::time::timeout(PATIENCE, self.stream.read(&mut [0; 1])).await.expect("it hangs up");
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
}

/// A packet that ends a list.
fn ends(packet: &[u8]) -> bool {
    packet.len() < 9 && packet.first() == Some(&0xfe)
}

/// Texts, each after its length.
fn values(mut row: &[u8]) -> Vec<String> {
    let mut values = Vec::new();
    while let [first, rest @ ..] = row {
        let more = match first {
            0xfc => 2,
            0xfd => 3,
            _ => 0,
        };
        let length = if more == 0 { usize::from(*first) } else { number(&rest[..more]) };
        let (value, after) = rest[more..].split_at(length);
        values.push(String::from_utf8(value.to_vec()).expect("text"));
        row = after;
    }
    values
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// The next packet: three bytes of length and a number before it.
async fn packet(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let read = async {
        let mut head = [0; 4];
        stream.read_exact(&mut head).await.expect("the head of a packet");
        let mut packet = vec![0; number(&head[..3])];
        stream.read_exact(&mut packet).await.expect("a packet");
        packet
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the database answers")
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), sequence: u8, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("a short one").to_le_bytes();
    stream.write_all(&[&length[..3], &[sequence], bytes].concat()).await.expect("sent");
    stream.flush().await.expect("sent");
}
