//! `gatehouse check`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use gatehouse::check;
use gatehouse::sarif::Sarif;
use gatehouse::terminal::Paint;

use super::exit::{self, fail};
use super::supplied::Supplies;

#[derive(Args)]
pub(super) struct Arguments {
    /// Policy documents, or folders of them; all are compiled together
    #[arg(required = true, value_name = "POLICY")]
    policies: Vec<PathBuf>,
    /// Print SARIF 2.1.0
    #[arg(long)]
    sarif: bool,
    /// Print each document in its long form, as YAML (or as JSON); only each by itself is looked at
    #[arg(long, conflicts_with = "sarif")]
    canonical: bool,
    #[command(flatten)]
    supplies: Supplies,
}

pub(super) fn check(arguments: &Arguments, json: bool) -> ExitCode {
    if json && arguments.sarif {
        return fail(exit::usage(), &"`--json` and `--sarif` are two forms of one answer; give one");
    }
    if arguments.canonical {
        return canonical(&arguments.policies, json);
    }
    let supplied = match arguments.supplies.read() {
        Ok(supplied) => supplied,
        Err(problems) => return exit::wrong(&problems, json),
    };
    let report = match check::check(&arguments.policies, &supplied) {
        Ok(report) => report,
        Err(error) => return fail(exit::usage(), &format!("cannot read {error}")),
    };
    let output = match (json, arguments.sarif) {
        (true, _) => exit::print_json(&report),
        (_, true) => exit::print_json(&Sarif::of(&report)),
        _ => report.write(&mut io::stdout().lock(), Paint::stdout()),
    };
    exit::written(output, if report.ok { ExitCode::SUCCESS } else { exit::refused() })
}

fn canonical(policies: &[PathBuf], json: bool) -> ExitCode {
    let documents = match check::canonical(policies) {
        Ok(Ok(documents)) => documents,
        Ok(Err(problems)) => return exit::problems(&problems, json, exit::refused()),
        Err(error) => return fail(exit::usage(), &format!("cannot read {error}")),
    };
    let output = if json {
        exit::print_json(&documents)
    } else {
        let texts: Vec<String> = documents.iter().map(gatehouse_policy::Canonical::yaml).collect();
        write!(io::stdout().lock(), "{}", texts.join("---\n"))
    };
    exit::written(output, ExitCode::SUCCESS)
}
