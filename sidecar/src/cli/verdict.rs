//! `gatehouse verdict`: the lists that the house fills.

use std::io;
use std::process::ExitCode;

use gatehouse::verdict::{self, Arguments};

use super::exit::{self, fail};

pub(super) fn verdict(arguments: &Arguments, json: bool) -> ExitCode {
    match verdict::run(arguments, json, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(if error.is_misuse() { exit::usage() } else { exit::refused() }, &error),
    }
}
