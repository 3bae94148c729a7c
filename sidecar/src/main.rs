//! The `gatehouse` binary: arguments, logging, signals, exit codes. What it does is in the library.
//!
//! Exit codes: 0 done, 1 the answer is no (problems found, the house could not run), 2 wrong usage or configuration.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use gatehouse::config::{AccessLog, Config, Overrides};
use gatehouse::logging::{Form, Log};
use gatehouse::{check, run};
use tokio::signal::unix::{SignalKind, signal};

const REFUSED: u8 = 1;
const USAGE: u8 = 2;
/// Streams, connections that wait, segments, sinks and the admin pages, with room to spare.
const OPEN_FILES: u64 = 4096;

/// Gatehouse: API protection at an Envoy gateway, without a detour.
#[derive(Parser)]
#[command(name = "gatehouse", version, about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the sidecar; without a configuration: a Unix socket, a spool and a file sink in the data folder
    Run(Run),
    /// Find every problem of policy documents, each with its place
    Check(Check),
}

#[derive(Args)]
struct Run {
    /// Configuration, one YAML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of policy documents; wins over the configuration
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Data folder; wins over the configuration [default: /var/lib/gatehouse]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Form of the log on standard error [default: text on a terminal, json otherwise]
    #[arg(long, value_name = "FORM")]
    log: Option<LogForm>,
    /// Access log on standard output, one line a request [default: off]
    #[arg(long, value_name = "FORM")]
    access_log: Option<AccessLogForm>,
    /// Print the configuration as it is understood, and exit
    #[arg(long)]
    print_config: bool,
}

#[derive(Args)]
struct Check {
    /// Policy documents, or folders of them; all are compiled together
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogForm {
    Text,
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum AccessLogForm {
    Text,
    Json,
    Off,
}

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(Arguments { verb: Verb::Run(arguments) }) => run_house(arguments),
        Ok(Arguments { verb: Verb::Check(arguments) }) => check_policies(&arguments),
        Err(error) => misused(&error),
    }
}

/// Help and version are errors to the parser too; they are no misuse.
fn misused(error: &clap::Error) -> ExitCode {
    // There is nobody else to tell.
    let _ = error.print();
    if error.kind() == ErrorKind::InvalidSubcommand {
        let verbs: Vec<String> =
            Arguments::command().get_subcommands().map(|verb| format!("`{}`", verb.get_name())).collect();
        let _ = writeln!(io::stderr().lock(), "the commands are {}", verbs.join(", "));
    }
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

fn run_house(arguments: Run) -> ExitCode {
    let overrides = Overrides {
        data: arguments.data,
        policies: arguments.policies,
        log_form: arguments.log.map(|form| match form {
            LogForm::Text => Form::Text,
            LogForm::Json => Form::Json,
        }),
        access_log: arguments.access_log.map(|form| match form {
            AccessLogForm::Text => AccessLog::Text,
            AccessLogForm::Json => AccessLog::Json,
            AccessLogForm::Off => AccessLog::Off,
        }),
    };
    let config = match Config::read(arguments.config.as_deref(), overrides) {
        Ok(config) => config,
        Err(error) => return fail(USAGE, &error),
    };
    if arguments.print_config {
        // A reader that left early wants no more of it.
        let _ = write!(io::stdout().lock(), "{config}");
        return ExitCode::SUCCESS;
    }
    let log = Log::install(config.log_form, config.log_level);
    raise_open_files();
    // Two workers: the house waits for disks and peers, and shares its machine with the gateway.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .thread_name("gatehouse")
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(REFUSED, &error),
    };
    match runtime.block_on(async { run::run(config, log, asked_to_stop()?).await.map_err(io::Error::other) }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(REFUSED, &error),
    }
}

/// Each gate holds a file descriptor, and customary soft limits are below the number of gates served.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        tracing::warn!(%error, "limit of open files not raised");
    }
}

/// Resolves at SIGTERM or SIGINT.
fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn check_policies(arguments: &Check) -> ExitCode {
    let report = match check::check(&arguments.policies) {
        Ok(report) => report,
        Err(error) => return fail(USAGE, &format!("cannot read {error}")),
    };
    let mut out = io::stdout().lock();
    // As above.
    let _ = if arguments.json {
        serde_json::to_writer(&mut out, &report).map_err(io::Error::from).and_then(|()| writeln!(out))
    } else {
        report.write(&mut out)
    };
    if report.ok { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) }
}

fn fail(code: u8, error: &dyn std::fmt::Display) -> ExitCode {
    // As above.
    let _ = writeln!(io::stderr().lock(), "gatehouse: {error}");
    ExitCode::from(code)
}
