//! `gatehouse mode`: the brake.

use std::io;
use std::process::ExitCode;

use gatehouse::mode::{self, Arguments};

use super::exit::{self, fail};

pub(super) fn mode(arguments: &Arguments, json: bool) -> ExitCode {
    match mode::run(arguments, json, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => exit::refused(),
        Err(error) => fail(if error.is_misuse() { exit::usage() } else { exit::refused() }, &error),
    }
}
