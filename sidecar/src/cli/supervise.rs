//! `gatehouse supervise`.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use gatehouse::logging::{Form, Level, Log};
use gatehouse::supervise::{self, Supervised};

use gatehouse_policy::document::{Node, Place, Problems, Value};

use super::exit::{self, fail};

#[derive(Args)]
pub(super) struct Arguments {
    /// How long the child goes on after SIGTERM, while the gateway drains
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    linger: Duration,
    /// What this program is to do, such as `run --config FILE`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "VERB")]
    verb: Vec<OsString>,
}

/// A duration as every document of ours writes it.
fn duration(text: &str) -> Result<Duration, String> {
    let node = Node { value: Value::String(text.to_owned()), place: Place::pointer("--linger") };
    let mut problems = Problems::default();
    let read = node.duration(&mut problems);
    read.ok_or_else(|| "write a number and its unit, such as `30s`".to_owned())
}

pub(super) fn supervise(arguments: Arguments, json: bool) -> ExitCode {
    if arguments.verb.first().is_some_and(|verb| verb == "supervise") {
        return fail(exit::usage(), &"`supervise` watches another verb, such as `gatehouse supervise -- run`");
    }
    let program = match std::env::current_exe() {
        Ok(program) => program.into_os_string(),
        Err(error) => return fail(exit::refused(), &format!("cannot find this program's own file: {error}")),
    };
    let _log = Log::install(if json { Form::Json } else { Form::Automatic }, Level::Info);
    let supervised = Supervised { program, arguments: arguments.verb, linger: arguments.linger };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(supervise::supervise(&supervised))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(exit::refused(), &format!("cannot watch: {error}")),
    }
}
