//! `gatehouse compare`.

use std::fs::File;
use std::io::{self, BufReader};
use std::process::ExitCode;

use clap::Args;
use gatehouse::compare::{Asked, Compared};

use super::exit::{self, fail};

#[derive(Args)]
pub(super) struct Arguments {
    /// The rule that stands for the other product, such as `migrate/theirs`
    #[arg(long, value_name = "DOCUMENT/RULE")]
    rule: String,
    /// Requests on which this rule decided do not count, such as `migrate/returned`; may be given several times
    #[arg(long, value_name = "DOCUMENT/RULE")]
    without: Vec<String>,
    /// Our events, one JSON object a line; `-` is standard input
    #[arg(required = true, value_name = "EVENTS")]
    events: Vec<String>,
}

pub(super) fn compare(arguments: &Arguments, json: bool) -> ExitCode {
    let asked = Asked { rule: arguments.rule.clone(), without: arguments.without.clone() };
    let mut compared = Compared::new(&asked);
    for name in &arguments.events {
        let read = match name.as_str() {
            "-" => compared.read(&asked, &mut io::stdin().lock()),
            name => File::open(name).and_then(|file| compared.read(&asked, &mut BufReader::new(file))),
        };
        if let Err(error) = read {
            return fail(exit::usage(), &format!("cannot read `{name}`: {error}"));
        }
    }
    if compared.requests == 0 {
        return fail(exit::usage(), &"no event of a request is in there; the file sink writes them, one a line");
    }
    let output = if json { exit::print_json(&compared) } else { compared.write(&mut io::stdout().lock()) };
    exit::written(output, if compared.agree() { ExitCode::SUCCESS } else { exit::refused() })
}
