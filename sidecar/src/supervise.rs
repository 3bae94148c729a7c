//! A program that is started again whenever it ends: `gatehouse supervise`.
//!
//! Beside a gateway the house must not be seen to end: Kubernetes takes a pod out of its Service while one of its containers is being
//! started again. So the container's first process is this one, which does nothing that could fail, and the house is its child.
//!
//! | what happens | what it does |
//! |---|---|
//! | the child ends, by itself or killed | waits (1 s, doubled up to 30 s; anew from 1 s after a minute of life) and starts it again |
//! | SIGTERM | waits `linger`, so that the gateway drains first, then asks the child to end and ends when it has, or after 20 s |
//! | SIGINT | the same without lingering |
//! | the child says that its usage is wrong (exit code 2) | starts it again too: the configuration may be mended in place; says so |

use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A child that lived so long is not one that fails at its start.
const SOUND: Duration = Duration::from_secs(60);
/// What a child has for its orderly end.
const GRACE: Duration = Duration::from_secs(20);

/// How it is watched.
#[derive(Debug)]
pub struct Supervised {
    /// What is started.
    pub program: std::ffi::OsString,
    /// With which arguments.
    pub arguments: Vec<std::ffi::OsString>,
    /// How long it goes on after SIGTERM.
    pub linger: Duration,
}

struct Signals {
    term: Signal,
    interrupt: Signal,
}

/// Runs until a signal ends it.
///
/// # Errors
/// Signals cannot be listened for.
pub async fn supervise(supervised: &Supervised) -> std::io::Result<()> {
    let mut signals = Signals { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        match start(supervised) {
            Err(problem) => error!(%problem, program = %supervised.program.display(), "cannot start the child"),
            Ok(mut child) => {
                tokio::select! {
                    ended = child.wait() => tell(&ended),
                    wait = signals.next(supervised.linger) => return end(child, wait, &mut signals).await,
                }
            }
        }
        if began.elapsed() >= SOUND {
            pause = FIRST_PAUSE;
        }
        warn!(seconds = pause.as_secs(), "the child is started again");
        tokio::select! {
            () = sleep(pause) => pause = LONGEST_PAUSE.min(pause * 2),
            _ = signals.next(Duration::ZERO) => return Ok(()),
        }
    }
}

fn start(supervised: &Supervised) -> std::io::Result<Child> {
    // A supervisor that is killed takes the child along: two houses on one folder would refuse each other.
    Command::new(&supervised.program).args(&supervised.arguments).kill_on_drop(true).spawn()
}

fn tell(ended: &std::io::Result<ExitStatus>) {
    match ended {
        Ok(status) if status.code() == Some(2) => {
            error!(%status, "the child finds its configuration wrong; it is started again, so mend it in place");
        }
        Ok(status) => error!(%status, "the child ended"),
        Err(problem) => error!(%problem, "the child cannot be waited for"),
    }
}

/// Waits out the time in which the gateway drains, then ends the child in good order.
async fn end(mut child: Child, linger: Duration, signals: &mut Signals) -> std::io::Result<()> {
    if !linger.is_zero() {
        info!(seconds = linger.as_secs(), "asked to end: the child goes on while the gateway drains");
        tokio::select! {
            () = sleep(linger) => {}
            _ = signals.interrupt.recv() => {}
            _ = child.wait() => return Ok(()),
        }
    }
    if let Some(id) = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).unwrap_or(0))) {
        // It may have ended in between.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }
    if timeout(GRACE, child.wait()).await.is_err() {
        error!(seconds = GRACE.as_secs(), "the child does not end and is killed");
        child.kill().await?;
    }
    Ok(())
}

impl Signals {
    /// The next signal, as the time that the child may still go on.
    async fn next(&mut self, linger: Duration) -> Duration {
        tokio::select! {
            _ = self.term.recv() => linger,
            _ = self.interrupt.recv() => Duration::ZERO,
        }
    }
}
