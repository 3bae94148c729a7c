//! The report for people: a line a case, and for one that fails what was expected, what was said, and why.

use std::io::{self, Write};

use super::{CaseReport, Failure, Report, Which};
use crate::explain::steps;
use crate::terminal::{Paint, plain};

impl Report {
    /// Writes the report.
    ///
    /// # Errors
    /// The writer fails.
    pub fn write(&self, out: &mut impl Write, paint: Paint) -> io::Result<()> {
        for case in self.files.iter().flat_map(|file| &file.cases) {
            write_case(case, out, paint)?;
        }
        if !self.unreached.is_empty() {
            writeln!(out, "{}", paint.yellow("rules that no case reaches:"))?;
            self.unreached.iter().try_for_each(|rule| writeln!(out, "  {rule}"))?;
        }
        let passed = self.cases - self.failed;
        if self.ok {
            return writeln!(out, "{} {passed} case(s) passed", paint.green("fine:"));
        }
        writeln!(out, "{} {} of {} case(s) failed", paint.red("wrong:"), self.failed, self.cases)
    }
}

fn write_case(case: &CaseReport, out: &mut impl Write, paint: Paint) -> io::Result<()> {
    let name = plain(&case.name);
    if case.ok {
        let asked = match case.connections {
            0 => format!("{} request(s)", case.requests),
            some => format!("{some} connection(s)"),
        };
        return writeln!(out, "{} {name} ({asked})", paint.green("ok  "));
    }
    writeln!(out, "{} {name}  {}", paint.red("FAIL"), paint.dim(&case.place))?;
    case.failures.iter().try_for_each(|failure| write_failure(failure, out, paint))
}

pub(super) fn write_failure(failure: &Failure, out: &mut impl Write, paint: Paint) -> io::Result<()> {
    writeln!(out, "     {}: {}", failure.title(), failure.shown)?;
    for mismatch in &failure.mismatches {
        writeln!(out, "       {}", mismatch.field)?;
        writeln!(out, "         {} {}", paint.green("- expected"), plain(&mismatch.expected))?;
        writeln!(out, "         {} {}", paint.red("+ got     "), plain(&mismatch.got))?;
    }
    writeln!(out, "       why")?;
    let trace = serde_json::to_value(&failure.trace).unwrap_or_default();
    steps(&trace, "         ", out, paint)
}

impl Failure {
    /// Which request or connection, and where it stands.
    pub(super) fn title(&self) -> String {
        let which = match self.which {
            Which::Request(number) => format!("request {number}"),
            Which::Connection(number) => format!("connection {number}"),
        };
        let again = if self.repetition > 1 { format!(", repetition {}", self.repetition) } else { String::new() };
        format!("{which}{again} at {}", self.place)
    }
}
