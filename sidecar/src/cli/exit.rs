//! How a verb ends: exit codes, what is said on standard error, and a reader that left early.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use gatehouse::policies::Problem;
use serde::Serialize;

const REFUSED: u8 = 1;
const USAGE: u8 = 2;
/// 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;

/// The answer is no.
pub(super) fn refused() -> ExitCode {
    ExitCode::from(REFUSED)
}

/// The input or the usage is wrong.
pub(super) fn usage() -> ExitCode {
    ExitCode::from(USAGE)
}

/// The operator stopped it.
pub(super) fn interrupted() -> ExitCode {
    ExitCode::from(INTERRUPTED)
}

/// Ends with an error.
pub(super) fn fail(code: ExitCode, error: &dyn Display) -> ExitCode {
    // There is nobody else to tell.
    let _ = writeln!(io::stderr().lock(), "gatehouse: {error}");
    code
}

/// The input is wrong in these places: a line each on standard error; as JSON on standard output too.
pub(super) fn wrong(problems: &[Problem], json: bool) -> ExitCode {
    self::problems(problems, json, usage())
}

/// The same, with another end.
pub(super) fn problems(problems: &[Problem], json: bool, code: ExitCode) -> ExitCode {
    #[derive(Serialize)]
    struct Wrong<'p> {
        ok: bool,
        problems: &'p [Problem],
    }
    let mut err = io::stderr().lock();
    for problem in problems {
        // As above.
        let _ = writeln!(err, "{problem}");
    }
    if json {
        return written(print_json(&Wrong { ok: false, problems }), code);
    }
    code
}

/// Says what is not as it was probably meant, a line each on standard error, and goes on.
pub(super) fn warn(problems: &[Problem]) {
    let mut err = io::stderr().lock();
    for problem in problems {
        // As above.
        let _ = writeln!(err, "warning: {problem}");
    }
}

/// Prints one JSON value and a line end.
pub(super) fn print_json(value: &impl Serialize) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)?;
    out.flush()
}

/// Ends with `code`, if the output was written. A reader that left early wanted no more of it: that is no failure.
pub(super) fn written(output: io::Result<()>, code: ExitCode) -> ExitCode {
    match output {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            fail(refused(), &format!("cannot write the output: {error}"))
        }
        _ => code,
    }
}
