//! One process of the cast: found ready, watched, stopped; and pages of an admin interface.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use gatehouse_support::http1::{Framing, Reader};
use gatehouse_support::process::{Process, Signal};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::failure::Failure;

/// How long a part may take to be ready; a busy machine needs seconds, not minutes.
const START: Duration = Duration::from_secs(60);

/// How long a part may take to end when asked.
const STOP: Duration = Duration::from_secs(15);

const PAUSE: Duration = Duration::from_millis(20);

const REPORT: &str = "if nothing in it is yours to change, please report it";

/// Lines of a log that a failure shows.
const SHOWN: usize = 20;

/// A process of ours under the name that people read. It ends with this value.
#[derive(Debug)]
pub struct Part {
    name: &'static str,
    process: Process,
    log: String,
}

impl Part {
    /// Starts it; what it writes goes to `log`.
    pub fn start(name: &'static str, command: Command, log: &Path) -> Self {
        Self { name, process: Process::start(name, command, log, Signal::TERM), log: log.display().to_string() }
    }

    /// Polls `condition` until it gives a value, as long as the process lives.
    ///
    /// # Errors
    /// The process has ended, or a minute has passed.
    pub async fn ready<T, F>(&mut self, what: &str, mut condition: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Option<T>>,
    {
        let begin = Instant::now();
        loop {
            self.check()?;
            if let Some(value) = condition().await {
                return Ok(value);
            }
            if begin.elapsed() > START {
                let what = format!("{}: {what} did not come within {} s", self.name, START.as_secs());
                return Err(
                    Failure::new(what, self.remedy("on a very busy machine, try again later")).with_detail(self.said())
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Fails when it has ended by itself.
    ///
    /// # Errors
    /// How it ended, and the end of its log.
    pub fn check(&mut self) -> Result<(), Failure> {
        let Some(status) = self.process.ended() else {
            return Ok(());
        };
        let what = format!("{} ended by itself ({status})", self.name);
        Err(Failure::new(what, self.remedy(REPORT)).with_detail(self.said()))
    }

    /// Asks it to end, and waits.
    ///
    /// # Errors
    /// It ended with an error, or not at all and was killed.
    pub async fn stop(mut self) -> Result<(), Failure> {
        self.process.signal(Signal::TERM);
        let begin = Instant::now();
        while begin.elapsed() < STOP {
            match self.process.ended() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    let what = format!("{} did not end well ({status})", self.name);
                    return Err(Failure::new(what, self.remedy(REPORT)).with_detail(self.said()));
                }
                None => tokio::time::sleep(PAUSE).await,
            }
        }
        self.process.signal(Signal::KILL);
        let what = format!("{} did not end within {} s and was killed", self.name, STOP.as_secs());
        Err(Failure::new(what, self.remedy(REPORT)).with_detail(self.said()))
    }

    /// The last lines that it wrote.
    pub fn said(&self) -> String {
        self.process.tail(SHOWN)
    }

    fn remedy(&self, otherwise: &str) -> String {
        let log = self.said().to_lowercase();
        let known = [
            ("address already in use", "another program took the port in the same moment; run it again"),
            ("too many open files", "raise the limit of open files (`ulimit -n 4096`), then run it again"),
            ("no space left", "make room on this disk (the demo needs about 1 GiB), then run it again"),
        ];
        match known.into_iter().find(|(words, _)| log.contains(words)) {
            Some((_, remedy)) => remedy.to_owned(),
            None => format!("read its whole log, `{}`; {otherwise}", self.log),
        }
    }
}

/// The address that a part wrote into a file.
pub fn address(file: &Path) -> Option<SocketAddr> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// A page of an admin interface that answered 200; `None`: it did not.
pub async fn page(admin: SocketAddr, path: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(admin).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut reader = Reader::new(stream, Vec::new());
    let head = reader.head().await.ok()??;
    let body = reader.body(head.framing().unwrap_or(Framing::Close)).await.ok()?;
    let [_, status, _] = head.parts();
    (status == b"200").then_some(body.bytes)
}

/// The same as JSON.
pub async fn json(admin: SocketAddr, path: &str) -> Option<Value> {
    serde_json::from_slice(&page(admin, path).await?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, log: &Path) -> Part {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Part::start("the part", command, log)
    }

    #[tokio::test]
    async fn a_part_that_ends_at_its_start_is_told_with_its_last_words_and_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut part = shell("echo 'cannot bind: Address already in use' >&2; exit 3", &log);
        let failure = part.ready("its address", || async { None::<()> }).await.unwrap_err();
        assert_eq!(failure.what, "the part ended by itself (exit status: 3)");
        assert!(failure.detail.contains("cannot bind"), "{failure}");
        assert!(failure.remedy.contains("run it again"), "{failure}");
    }

    #[tokio::test]
    async fn a_part_is_waited_for_and_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let (log, ready) = (folder.path().join("log"), folder.path().join("ready"));
        let script = format!("trap 'exit 0' TERM; echo 127.0.0.1:7 >{}; while :; do sleep 0.05; done", ready.display());
        let mut part = shell(&script, &log);
        let found = part.ready("its address", || async { address(&ready) }).await.unwrap();
        assert_eq!(found.port(), 7);
        part.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_part_that_ends_badly_when_stopped_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (log, ready) = (folder.path().join("log"), folder.path().join("ready"));
        let script = format!("trap 'exit 4' TERM; echo 127.0.0.1:7 >{}; while :; do sleep 0.05; done", ready.display());
        let mut part = shell(&script, &log);
        part.ready("its address", || async { address(&ready) }).await.unwrap();
        assert_eq!(part.stop().await.unwrap_err().what, "the part did not end well (exit status: 4)");
    }
}
