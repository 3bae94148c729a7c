//! `gatehouse test`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use gatehouse::policy_test::{self, Report, TestError};
use gatehouse::terminal::Paint;

use super::exit::{self, fail};
use super::supplied::Supplies;

#[derive(Args)]
pub(super) struct Arguments {
    /// Folder that is searched for `*.test.yaml`, or one such file
    #[arg(value_name = "DIR")]
    tests: PathBuf,
    /// Write JUnit XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    supplies: Supplies,
}

pub(super) fn test(arguments: &Arguments, json: bool) -> ExitCode {
    let supplied = match arguments.supplies.read() {
        Ok(supplied) => supplied,
        Err(problems) => return exit::wrong(&problems, json),
    };
    let report = match policy_test::run(&arguments.tests, &supplied) {
        Ok(report) => report,
        Err(TestError::Wrong(problems)) => return exit::wrong(&problems, json),
        Err(error) => return fail(exit::usage(), &error),
    };
    exit::warn(&report.unproved);
    if let Some(path) = &arguments.junit
        && let Err(error) = junit(&report, path)
    {
        return fail(exit::usage(), &format!("cannot write `{}`: {error}", path.display()));
    }
    let output = if json { exit::print_json(&report) } else { report.write(&mut io::stdout().lock(), Paint::stdout()) };
    exit::written(output, if report.ok { ExitCode::SUCCESS } else { exit::refused() })
}

fn junit(report: &Report, path: &Path) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    report.write_junit(&mut file)?;
    file.flush()
}
