//! The whole demo, read top to bottom.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::actors::HOST;
use crate::arguments::Arguments;
use crate::books::Books;
use crate::cast::{self, Cast};
use crate::events::Account;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::report::Report;
use crate::terminal::{Progress, say};
use crate::traffic::{Tally, Targets, drive};

/// Where the state of a run lies, from the root of the checkout.
const HOME: &str = "demo";

/// How long the last events may take to be written after the last answer.
const SETTLE: Duration = Duration::from_secs(20);

const PAUSE: Duration = Duration::from_millis(200);

/// How the demo ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything was shown, and the books balance.
    Done,
    /// Ctrl-C or SIGTERM before that; everything was stopped.
    Interrupted,
    /// Everything was shown, and the books do not balance.
    Unbalanced,
}

/// Runs the demo from start to stop.
///
/// # Errors
/// What failed and what to do.
pub async fn run(arguments: &Arguments, report: Report) -> Result<Ending, Failure> {
    let mut stop = Stop::listen()?;
    let folder = Folder::take(Path::new(HOME))?;
    let mut told = |name: &str, place: &str| say(&format!("  up       {name:<42}  {place}\n"));
    // Dropping a cast that is not yet complete ends its processes.
    let mut cast = tokio::select! {
        cast = Cast::start(arguments, &folder, &mut told) => cast?,
        () = stop.asked() => return Ok(Ending::Interrupted),
    };
    let events = cast::events(&folder);
    say("\n");
    let targets = cast.targets;
    let counted = tokio::select! {
        counted = traffic(targets, arguments.traffic, &events, report) => Some(counted?),
        stopped = stay(&mut cast, &mut stop) => stopped.map(|()| None)?,
    };
    let ending = match counted {
        Some(counted) => {
            let ending = print(&counted, &cast, &events, report).await;
            look(&mut cast, arguments.hold, &mut stop, report).await?;
            ending
        }
        None => {
            say("\n\n  stopping before the end of the traffic\n");
            Ending::Interrupted
        }
    };
    cast.stop().await?;
    say("\n  stopped  Envoy, the house and the shop; nothing is left running\n");
    Ok(ending)
}

/// What was counted on all sides.
#[derive(Debug)]
struct Counted {
    tally: Tally,
    account: Account,
}

/// Drives the traffic, then reads the events until they are as many as the answers, or stay fewer.
async fn traffic(targets: Targets, length: Duration, events: &Path, report: Report) -> Result<Counted, Failure> {
    let mut progress = Progress::new(report.0, length);
    let tally = drive(targets, length, |elapsed, row| progress.show(elapsed, &report.progress(row))).await;
    progress.clear();
    let begin = Instant::now();
    loop {
        let late = begin.elapsed() > SETTLE;
        match Account::read(events) {
            Ok(account) if late || account.total >= tally.sum().sent => {
                return Ok(Counted { tally, account });
            }
            Err(error) if late => {
                let what = format!("cannot read the events in `{}`: {error}", events.display());
                return Err(Failure::new(what, "look into `demo/house.log`"));
            }
            // Still being written, or a file was put aside in this very moment.
            Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn print(counted: &Counted, cast: &Cast, events: &Path, report: Report) -> Ending {
    let Counted { tally, account } = counted;
    let reached = cast.shop.reached();
    let books = Books::compare(tally, account, reached);
    say(&report.clients(tally));
    say(&report.decisions(account));
    say(&report.beside(account, reached));
    say(&report.books(&books, account, cast.own_account().await));
    say(&report.event(account.example.as_deref()));
    say(&report.latency(&tally.pairs));
    say(&report.files(events));
    if books.balance() { Ending::Done } else { Ending::Unbalanced }
}

/// Shows where to look, and stays up if asked to.
async fn look(cast: &mut Cast, hold: bool, stop: &mut Stop, report: Report) -> Result<(), Failure> {
    let (gate, plain) = (cast.targets.gate, cast.targets.plain);
    let links = [
        ("the shop, through the gate", format!("http://{gate}/")),
        ("the shop, without the gate", format!("http://{plain}/")),
        ("the house: streams, versions, books", format!("http://{}/status", cast.house_admin)),
        ("the house: metrics", format!("http://{}/metrics", cast.house_admin)),
        ("Envoy: admin", format!("http://{}/", cast.envoy_admin)),
        ("Envoy: the gate's metrics", format!("http://{}/stats?filter=gatehouse", cast.envoy_admin)),
    ];
    say(&report.places(&links, hold));
    if hold {
        say(&format!("\n  try      curl -i -H 'Host: {HOST}' http://{gate}/.env\n"));
        say("\n  Everything stays up until Ctrl-C.\n");
        stay(cast, stop).await?;
        say("\n");
    }
    Ok(())
}

/// Until Ctrl-C, or until a part ends by itself.
async fn stay(cast: &mut Cast, stop: &mut Stop) -> Result<(), Failure> {
    let mut look = tokio::time::interval(PAUSE);
    loop {
        tokio::select! {
            () = stop.asked() => return Ok(()),
            _ = look.tick() => cast.check()?,
        }
    }
}

/// Ctrl-C and SIGTERM.
#[derive(Debug)]
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::new(format!("cannot listen for signals: {error}"), "run it again"))
        };
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
