//! `gatehouse policy`: how policies differ.

use std::io;
use std::process::ExitCode;

use gatehouse::policy::{self, Arguments};

use super::exit::{self, fail};

pub(super) fn policy(arguments: &Arguments, json: bool) -> ExitCode {
    match policy::run(arguments, json, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => exit::refused(),
        Err(error) => fail(exit::usage(), &format!("cannot read {error}")),
    }
}
