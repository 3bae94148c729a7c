//! The binary as a process: its output, and a house that runs.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn gatehouse(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
    command.args(arguments).stdin(Stdio::null());
    command
}

pub(crate) fn output(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = gatehouse(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The same with something on standard input.
pub(crate) fn output_of(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child =
        gatehouse(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A verb that refuses its arguments does not read its input.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

pub(crate) fn json(said: &str) -> serde_json::Value {
    serde_json::from_str(said).unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A house in a process of its own; killed when dropped.
pub(crate) struct House(pub(crate) Child);

impl House {
    pub(crate) fn start(data: &Path, more: &[&str]) -> Self {
        let config = data.join("house.yaml");
        fs::write(&config, format!("data: {}\nadmin: 127.0.0.1:0\n", data.display())).unwrap();
        let mut command = gatehouse(&["run", "--config", text(&config)]);
        let house = Self(command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        until("the house is ready", || get(data, "/readyz").is_some_and(|page| page.ends_with("\r\n\r\nready\n")));
        house
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Exit code and standard error.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        while self.0.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < PATIENCE, "the house does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.0.wait().unwrap().code(), said)
    }

    pub(crate) fn resident_kib(&self) -> u64 {
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

pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn get(data: &Path, path: &str) -> Option<String> {
    ask(data, &format!("GET {path}"))
}

pub(crate) fn ask(data: &Path, line: &str) -> Option<String> {
    let address = fs::read_to_string(data.join("admin.address")).ok()?;
    let mut peer = std::net::TcpStream::connect(address.trim()).ok()?;
    write!(peer, "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    peer.read_to_string(&mut answer).ok()?;
    Some(answer)
}
