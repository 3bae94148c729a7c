//! `gatehouse books`: do the accounts of a running house close.

use std::io;
use std::process::ExitCode;

use clap::Args;
use gatehouse::ask::{self, AskError, At};
use gatehouse::books::{self, BooksError};

use super::exit::{self, fail};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    at: At,
}

pub(super) fn books(arguments: &Arguments, json: bool) -> ExitCode {
    match books::run(&arguments.at, json, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => exit::refused(),
        Err(BooksError::Ask(error @ AskError::Url(_))) => fail(exit::usage(), &error),
        Err(BooksError::Ask(error)) => {
            fail(exit::refused(), &format!("{error}; {}", ask::hint(arguments.at.folder().as_deref())))
        }
        Err(BooksError::Unclear(said)) => fail(exit::refused(), &format!("the house does not show its books: {said}")),
    }
}
