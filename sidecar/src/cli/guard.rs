//! `gatehouse guard`: configuration, logging, signals; then the guard.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use gatehouse::guard::{self, config::Config};
use gatehouse::logging::{Form, Log};

use super::exit::{self, fail};
use super::run::{asked_to_stop, raise_open_files};

#[derive(Args)]
pub(super) struct Arguments {
    /// Configuration, one YAML file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Say whether the configuration and its policies are right, and exit
    #[arg(long)]
    check: bool,
}

pub(super) fn run(arguments: &Arguments, json: bool) -> ExitCode {
    let config = match Config::read(&arguments.config) {
        Ok(config) => config,
        Err(problems) => return fail(exit::usage(), &problems),
    };
    if arguments.check {
        return match guard::check(&config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(problems) => fail(exit::usage(), &problems),
        };
    }
    let _log = Log::install(if json { Form::Json } else { config.log_form }, config.log_level);
    // Two for each connection, and some.
    let each = 2 * config.limits.connections as u64 + config.limits.handshakes as u64;
    let wanted = config.fronts.len() as u64 * each + 256;
    if let Some(allowed) = raise_open_files(wanted).filter(|allowed| *allowed < wanted) {
        let next = "raise the hard limit (`LimitNOFILE=` of the unit, `ulimit -Hn`), or lower `limits`";
        tracing::warn!(allowed, wanted, next, "fewer files may be open than `limits` lets in connections");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().thread_name("guard").enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(exit::refused(), &error),
    };
    match runtime.block_on(async { guard::run(config, asked_to_stop()?).await }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(exit::refused(), &io::Error::other(error)),
    }
}
