//! `make faults`: one fault after the other on real processes, under load, and after each the account of every record.
//!
//! ```text
//!  client ─► Envoy with the gate ─► application
//!                 └─► (wire) ─► house ─► file · Kafka · collector over HTTPS
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`faults`] | the faults, one function each, by what they strike |
//! | [`stage`] | the cast of one run, started for real |
//! | [`oracle`] | what the client counted, against the books and the ids in every sink |
//! | [`table`] | the result, as it stands in docs/reliability.md |
//! | [`collector`], [`kafka`] | peers that fail as told |
//! | [`wire`], [`volume`], [`clock`] | a network, a disk and a clock that fail as told |
//!
//! Exit: 0 every account is right, 1 one is not, 2 wrong usage.

mod clock;
mod collector;
mod faults;
mod kafka;
mod oracle;
mod stage;
mod table;
mod volume;
mod wire;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::faults::{ALL, Fault};
use crate::kafka::Kafka;
use crate::table::Line;

const USAGE: &str = "usage: gatehouse-faults [--full] [--accept] [--list] [FAULT…]";
/// Set in the process that has mounts of its own.
const INSIDE: &str = "GATEHOUSE_FAULTS_INSIDE";

/// What is asked for.
#[derive(Debug, Default)]
struct Arguments {
    full: bool,
    accept: bool,
    list: bool,
    names: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("gatehouse-faults: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if arguments.list {
        ALL.iter().for_each(|fault| println!("{:<24} {}", fault.name, fault.what));
        return ExitCode::SUCCESS;
    }
    if std::env::var_os(INSIDE).is_none() {
        return own_mounts();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("threads").block_on(run(&arguments))
}

fn arguments(words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    for word in words {
        match word.as_str() {
            "--full" => arguments.full = true,
            "--accept" => arguments.accept = true,
            "--list" => arguments.list = true,
            name if ALL.iter().any(|fault| fault.name == name) => arguments.names.push(word),
            _ => return Err(format!("no fault is called `{word}`: see --list")),
        }
    }
    match (arguments.accept, arguments.names.is_empty()) {
        (true, false) => Err("--accept writes the whole table: name no fault".to_owned()),
        _ => Ok(arguments),
    }
}

/// Runs this program again where its mounts are its own: they end with it, however it ends. Where that is not allowed, its
/// mounts are everybody's for as long as the fault takes.
fn own_mounts() -> ExitCode {
    let own = std::env::current_exe().expect("a program has a path");
    let mut unshare = vec!["--mount", "--propagation", "private"];
    if !rustix::process::geteuid().is_root() {
        unshare.extend(["--user", "--map-root-user"]);
    }
    let allowed = Command::new("unshare").args(&unshare).arg("true").status().is_ok_and(|status| status.success());
    let mut command = if allowed { Command::new("unshare") } else { Command::new(&own) };
    if allowed {
        command.args(&unshare).arg(&own);
    }
    let error = command.args(std::env::args_os().skip(1)).env(INSIDE, "1").exec();
    eprintln!("gatehouse-faults: cannot start itself again: {error}");
    ExitCode::FAILURE
}

async fn run(arguments: &Arguments) -> ExitCode {
    let chosen: Vec<&Fault> = ALL
        .into_iter()
        .filter(|fault| arguments.names.is_empty() || arguments.names.iter().any(|name| name == fault.name))
        .collect();
    let begin = Instant::now();
    let mut lines = Vec::new();
    let mut kafka = None;
    for (at, fault) in chosen.iter().enumerate() {
        println!("[{}/{}] {}: {}", at + 1, chosen.len(), fault.name, fault.what);
        let own = match kafka.take() {
            Some(kafka) => kafka,
            None => Kafka::start().await,
        };
        let started = Instant::now();
        // A fault that panics takes its whole cast with it; the next one gets a new broker.
        let line = match tokio::spawn((fault.run)(own, arguments.full)).await {
            Ok((account, own)) => {
                kafka = Some(own);
                Line::new(fault, account)
            }
            Err(_) => Line::broken(fault),
        };
        println!("        {} ({:.0} s)", line.told(), started.elapsed().as_secs_f64());
        lines.push(line);
    }
    let failed = lines.iter().filter(|line| !line.is_right()).count();
    println!("\n{}", table::markdown(&lines));
    println!("faults: {} right, {failed} wrong, {:.0} s", lines.len() - failed, begin.elapsed().as_secs_f64());
    if failed == 0 && arguments.accept {
        table::accept(&lines, arguments.full);
    }
    ExitCode::from(u8::from(failed > 0))
}
