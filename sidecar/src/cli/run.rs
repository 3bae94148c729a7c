//! `gatehouse run`: configuration, logging, signals; then the house.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use gatehouse::config::{AccessLog, Config, Overrides};
use gatehouse::logging::{Form, Log};
use gatehouse::run;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::{self, fail};

/// Streams, connections that wait, segments, sinks and the admin pages, with room to spare.
const OPEN_FILES: u64 = 4096;

#[derive(Args)]
pub(super) struct Arguments {
    /// Configuration, one YAML file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of policy documents; wins over the configuration
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Data folder; wins over the configuration [default: /var/lib/gatehouse]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Form of the log on standard error [default: text on a terminal, json otherwise or with --json]
    #[arg(long, value_name = "FORM")]
    log: Option<LogForm>,
    /// Access log on standard output, one line a request [default: off]
    #[arg(long, value_name = "FORM")]
    access_log: Option<AccessLogForm>,
    /// Print the configuration as it is understood, and exit
    #[arg(long)]
    print_config: bool,
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

pub(super) fn run(arguments: Arguments, json: bool) -> ExitCode {
    let overrides = Overrides {
        data: arguments.data,
        policies: arguments.policies,
        log_form: arguments.log.or(json.then_some(LogForm::Json)).map(|form| match form {
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
        Err(error) => return fail(exit::usage(), &error),
    };
    if arguments.print_config {
        return exit::written(write!(io::stdout().lock(), "{config}"), ExitCode::SUCCESS);
    }
    let log = Log::install(config.log_form, config.log_level);
    let _ = raise_open_files(OPEN_FILES);
    // Two workers: the house waits for disks and peers, and shares its machine with the gateway.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .thread_name("gatehouse")
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(exit::refused(), &error),
    };
    match runtime.block_on(async { run::run(config, log, asked_to_stop()?).await.map_err(io::Error::other) }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(exit::refused(), &error),
    }
}

/// Each gate holds a file descriptor, and customary soft limits are below the number of gates served. How many there may be now; `None`: as
/// many as one likes.
pub(super) fn raise_open_files(files: u64) -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(files, |maximum| maximum.min(files));
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        tracing::warn!(%error, "limit of open files not raised");
    }
    getrlimit(Resource::Nofile).current
}

/// Resolves at SIGTERM or SIGINT.
pub(super) fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
