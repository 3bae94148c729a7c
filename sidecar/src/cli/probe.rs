//! `gatehouse probe`: what Kubernetes runs in the house's container, whose listener it cannot reach.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use gatehouse::ask::{Admin, AskError, At};
use gatehouse::terminal::plain;
use serde::Serialize;

use super::exit::{self, fail};

#[derive(Args)]
pub(super) struct Arguments {
    /// live: it answers; ready: it takes gates in and stores what they send
    #[arg(value_name = "WHAT")]
    what: What,
    #[command(flatten)]
    at: At,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Live,
    Ready,
}

#[derive(Serialize)]
struct Probed<'a> {
    ok: bool,
    status: u16,
    said: &'a str,
}

pub(super) fn probe(arguments: &Arguments, json: bool) -> ExitCode {
    let path = match arguments.what {
        What::Live => "/healthz",
        What::Ready => "/readyz",
    };
    let answer = match Admin::at(&arguments.at).and_then(|house| house.ask("GET", path, None)) {
        Ok(answer) => answer,
        Err(error @ AskError::Url(_)) => return fail(exit::usage(), &error),
        Err(error) => return fail(exit::refused(), &error),
    };
    let (ok, said) = (answer.status == 200, plain(answer.body.trim()));
    let output = if json {
        exit::print_json(&Probed { ok, status: answer.status, said: &said })
    } else {
        writeln!(io::stdout().lock(), "{said}")
    };
    exit::written(output, if ok { ExitCode::SUCCESS } else { exit::refused() })
}
