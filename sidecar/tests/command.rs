//! The binary as an operator meets it: exit codes, messages, signals.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test ends at its first surprise"
)]

#[expect(dead_code, reason = "of the house in this process only the gate is wanted here")]
mod house;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn gatehouse(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = gatehouse(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A house in a process of its own; killed when dropped.
struct House(Child);

impl House {
    fn start(data: &Path, more: &[&str]) -> Self {
        let config = data.join("house.yaml");
        fs::write(&config, format!("data: {}\nadmin: 127.0.0.1:0\n", data.display())).unwrap();
        let mut command = gatehouse(&["run", "--config", text(&config)]);
        let house = Self(command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        until("the house is ready", || get(data, "/readyz").is_some_and(|page| page.ends_with("\r\n\r\nready\n")));
        house
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Exit code and standard error.
    fn end(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        while self.0.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < PATIENCE, "the house does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.0.wait().unwrap().code(), said)
    }

    fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn get(data: &Path, path: &str) -> Option<String> {
    ask(data, &format!("GET {path}"))
}

fn ask(data: &Path, line: &str) -> Option<String> {
    use std::io::Write;
    let address = fs::read_to_string(data.join("admin.address")).ok()?;
    let mut peer = std::net::TcpStream::connect(address.trim()).ok()?;
    write!(peer, "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    peer.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn wrong_usage_says_what_is_wrong_and_what_would_be_right() {
    for (arguments, words) in [
        (&["rnu"][..], "the commands are `run`, `check`"),
        (&["run", "--confg", "x"], "--config"),
        (&["run", "--log", "loud"], "possible values: text, json"),
        (&["check"], "<POLICY>..."),
        (&[], "Usage: gatehouse"),
    ] {
        let (code, _, said) = output(arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[test]
fn the_version_is_the_packages() {
    assert_eq!(output(&["--version"]), (0, format!("gatehouse {}\n", env!("CARGO_PKG_VERSION")), String::new()));
}

#[test]
fn a_wrong_configuration_is_refused_with_every_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("house.yaml");
    fs::write(&file, "data: /tmp\nspol: {}\npolicies: { folder: /p, every: 5 }\n").unwrap();
    let (code, _, said) = output(&["run", "--config", text(&file)]);
    assert_eq!(code, 2);
    assert!(said.contains("house.yaml:2:1: unknown field `spol`") && said.contains("did you mean `spool`?"), "{said}");
    assert!(said.contains("house.yaml:3:32: `5` has no unit"), "{said}");
    let (code, _, said) = output(&["run", "--config", "/nowhere.yaml"]);
    assert!(code == 2 && said.contains("cannot read the configuration `/nowhere.yaml`"), "{said}");
}

#[test]
fn the_printed_configuration_can_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let (code, printed, _) = output(&["run", "--print-config", "--data", text(dir.path())]);
    assert_eq!(code, 0);
    let file = dir.path().join("house.yaml");
    fs::write(&file, &printed).unwrap();
    assert_eq!(output(&["run", "--print-config", "--config", text(&file)]), (0, printed, String::new()));
}

#[test]
fn policies_are_checked_with_places_and_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good.yaml");
    let policy = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: shop }\nspec:\n  hosts: [shop.example.com]\n  rules:\n    \
                  - name: admin\n      match: { path: /admin }\n      then: block\n";
    fs::write(&good, policy).unwrap();
    let (code, said, _) = output(&["check", text(&good)]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("fine: 1 document(s), 1 rule(s)"), "{said}");

    let bad = dir.path().join("bad.yaml");
    fs::write(&bad, policy.replace("match:", "mtach:")).unwrap();
    let (code, said, _) = output(&["check", text(&bad)]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("{}:8:7: unknown field `mtach`", bad.display())), "{said}");
    let (code, said, _) = output(&["check", "--json", text(dir.path())]);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["ok"], report["files"].as_array().unwrap().len()), (1, &false.into(), 2));

    let (code, _, said) = output(&["check", "/nowhere"]);
    assert!(code == 2 && said.contains("cannot read `/nowhere`"), "{said}");
}

#[test]
fn sigterm_and_sigint_end_it_in_good_order() {
    use rustix::process::Signal;
    for signal in [Signal::TERM, Signal::INT] {
        let dir = tempfile::tempdir().unwrap();
        let house = House::start(dir.path(), &["--log", "text"]);
        house.signal(signal);
        let (code, said) = house.end();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("house stopped, everything is synced"), "{said}");
        assert!(!dir.path().join("house.sock").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_drains_and_what_was_acknowledged_is_delivered() {
    use gatehouse_proto::v1::gate_message::Message;
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), &["--access-log", "json"]);
    let mut gate = house::Gate::attach(&dir.path().join("house.sock"), house::hello(7, 1)).await;
    gate.greeted().await;
    for n in 0..20 {
        gate.send(Message::Batch(house::batch(7, n * 10..(n + 1) * 10))).await;
    }
    gate.durable(1).await;
    house.signal(rustix::process::Signal::TERM);
    let (end, credit) = gate.end().await;
    end.expect("the stream ends in good order");
    let credit = credit.expect("a last credit");
    assert_eq!(credit.window_bytes, 0);
    let (code, said) = house.end();
    assert_eq!(code, Some(0), "{said}");
    let delivered = house::events(dir.path()).len() as u64;
    assert!(delivered >= credit.durable_seq, "{delivered} delivered, {} acknowledged", credit.durable_seq);
}

#[test]
fn a_second_house_says_what_is_taken_and_exits_1() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), &[]);
    let (code, _, said) = output(&["run", "--config", text(&dir.path().join("house.yaml"))]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("another house (process `{}`) runs on the data folder", house.0.id())), "{said}");

    let address = fs::read_to_string(dir.path().join("admin.address")).unwrap();
    let (other, file) = (tempfile::tempdir().unwrap(), dir.path().join("other.yaml"));
    fs::write(&file, format!("data: {}\nadmin: {address}\n", other.path().display())).unwrap();
    let (code, _, said) = output(&["run", "--config", text(&file)]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("another program listens on `{}`", address.trim())), "{said}");

    let socket = dir.path().join("house.sock");
    fs::write(
        &file,
        format!("data: {}\nadmin: 127.0.0.1:0\nlisten: {{ unix: {} }}\n", other.path().display(), socket.display()),
    )
    .unwrap();
    let (code, _, said) = output(&["run", "--config", text(&file)]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("another program listens on `{}`", socket.display())), "{said}");
}

#[test]
fn a_killed_house_starts_again_over_what_it_left() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), &[]);
    house.signal(rustix::process::Signal::KILL);
    assert_eq!(house.end().0, None);
    assert!(dir.path().join("house.sock").exists());
    drop(House::start(dir.path(), &[]));
}

#[test]
fn the_log_is_json_off_a_terminal_and_its_level_changes_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), &[]);
    let answer = ask(dir.path(), "PUT /log?level=error").unwrap();
    assert!(answer.ends_with("level is error\n"), "{answer}");
    house.signal(rustix::process::Signal::TERM);
    let (code, said) = house.end();
    assert_eq!(code, Some(0));
    let lines: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["message"] == "house runs" && line["level"] == "INFO"), "{said}");
    assert!(!said.contains("house stopped"), "an info line after the level was raised: {said}");
}

#[test]
fn an_idle_house_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), &[]);
    get(dir.path(), "/status").unwrap();
    get(dir.path(), "/metrics").unwrap();
    let resident = house.resident_kib();
    assert!(resident < 40 * 1024, "{resident} KiB resident");
    println!("{resident} KiB resident");
}
