//! `gatehouse replay`.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Args;
use gatehouse::loaded::{self, Supplied};
use gatehouse::logs::{Found, Meter};
use gatehouse::policies::Problem;
use gatehouse::replay::{Around, Failure, Line, Replay, Report, feed};
use gatehouse::terminal::{Paint, Progress};
use gatehouse_engine::Policy;
use signal_hook::consts::SIGINT;

use super::exit::{self, fail};
use super::supplied::Supplies;

#[derive(Args)]
pub(super) struct Arguments {
    /// Policy document or folder that is tried; may be given several times
    #[arg(long, value_name = "POLICY", required = true)]
    policy: Vec<PathBuf>,
    /// Policy document or folder that it is compared with; may be given several times
    #[arg(long, value_name = "OLD")]
    against: Vec<PathBuf>,
    /// Logs, read by content, plain or gzip; `-` is standard input
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<String>,
    /// Authority of the requests whose log has none
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    #[command(flatten)]
    supplies: Supplies,
    /// Print one JSON line a request; the report goes to standard error
    #[arg(long)]
    records: bool,
    /// Exit with 1 if the two policies differ on some request
    #[arg(long, requires = "against")]
    fail_on_change: bool,
}

pub(super) fn replay(arguments: &Arguments, json: bool) -> ExitCode {
    let supplied = match arguments.supplies.read() {
        Ok(supplied) => supplied,
        Err(problems) => return exit::wrong(&problems, json),
    };
    let (policy, against) = match policies(arguments, &supplied) {
        Ok(policies) => policies,
        Err(problems) => return exit::wrong(&problems, json),
    };
    let stop = match stop_at_interrupt() {
        Ok(stop) => stop,
        Err(error) => return fail(exit::refused(), &error),
    };
    let around = Around { host: arguments.host.clone(), geo: supplied.geo };
    let mut replay = Replay::new(policy, against, around);
    let started = Instant::now();
    let found = match run(arguments, &mut replay, &stop) {
        Ok(found) => found,
        Err(Failure::Output(error)) => return exit::written(Err(error), ExitCode::SUCCESS),
        Err(error) => return fail(exit::usage(), &error),
    };
    let interrupted = stop.load(Ordering::Relaxed);
    let report = replay.report(found, interrupted, started.elapsed().as_secs_f64());
    let output = print(&report, arguments.records, json);
    if interrupted {
        return exit::written(output, fail(exit::interrupted(), &"interrupted; this is what was judged so far"));
    }
    if report.is_unreadable() {
        return exit::written(output, fail(exit::usage(), &"no request could be read"));
    }
    let changed = arguments.fail_on_change && report.has_changes();
    exit::written(output, if changed { exit::refused() } else { ExitCode::SUCCESS })
}

/// The policy that is tried, and the one that it is compared with.
type Policies = (Arc<Policy>, Option<Arc<Policy>>);

/// Compiles both; what is left out of either is told.
fn policies(arguments: &Arguments, supplied: &Supplied) -> Result<Policies, Vec<Problem>> {
    let load = |paths: &[PathBuf]| loaded::load(paths, supplied.ranges.as_deref()).map_err(|error| error.problems());
    let against = (!arguments.against.is_empty()).then(|| load(&arguments.against)).transpose();
    let (policy, against) = match (load(&arguments.policy), against) {
        (Ok(policy), Ok(against)) => (policy, against),
        (policy, against) => return Err([policy.err(), against.err()].into_iter().flatten().flatten().collect()),
    };
    let mut unproved = policy.unproved;
    unproved.extend(against.iter().flat_map(|against| against.unproved.iter().cloned()));
    exit::warn(&unproved);
    Ok((policy.policy, against.map(|against| against.policy)))
}

/// Feeds the logs; prints a line a request, if asked for.
fn run(arguments: &Arguments, replay: &mut Replay, stop: &Arc<AtomicBool>) -> Result<Vec<Found>, Failure> {
    let meter = Arc::new(Meter::default());
    let size = |name: &String| fs::metadata(name).ok().filter(fs::Metadata::is_file).map(|file| file.len());
    let mut progress = Progress::new(arguments.logs.iter().map(size).sum(), Arc::clone(&meter));
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let mut count = 0u64;
    let found = feed(&arguments.logs, &meter, stop, &mut |mut entry| {
        let outcome = replay.take(&mut entry);
        count += 1;
        if count.is_multiple_of(256) {
            progress.tick(count);
        }
        if arguments.records {
            serde_json::to_writer(&mut out, &Line::of(&entry, &outcome))?;
            out.write_all(b"\n")?;
        }
        Ok(())
    });
    progress.clear();
    let flushed = out.flush();
    let found = found?;
    flushed.map_err(Failure::Output)?;
    Ok(found)
}

/// On standard output; beside the lines of requests on standard error.
fn print(report: &Report, beside: bool, json: bool) -> io::Result<()> {
    match (json, beside) {
        (true, false) => exit::print_json(report),
        (true, true) => {
            let mut err = io::stderr().lock();
            serde_json::to_writer(&mut err, report)?;
            writeln!(err)
        }
        (false, true) => report.write(&mut io::stderr().lock(), Paint::none()),
        (false, false) => report.write(&mut BufWriter::new(io::stdout().lock()), Paint::stdout()),
    }
}

/// The first interrupt asks for an end in good order, the second one ends it.
fn stop_at_interrupt() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register_conditional_default(SIGINT, Arc::clone(&stop))?;
    signal_hook::flag::register(SIGINT, Arc::clone(&stop))?;
    Ok(stop)
}
