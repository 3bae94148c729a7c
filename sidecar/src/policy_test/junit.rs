//! The report as JUnit XML, as CI systems read it: a suite a file, a test case a case.

use std::io::{self, Write};

use super::{CaseReport, Report};
use crate::terminal::Paint;

impl Report {
    /// Writes the XML.
    ///
    /// # Errors
    /// The writer fails.
    pub fn write_junit(&self, out: &mut impl Write) -> io::Result<()> {
        let (tests, failures) = (self.cases, self.failed);
        writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(
            out,
            "<testsuites name=\"gatehouse\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" time=\"{}\">",
            self.seconds
        )?;
        for file in &self.files {
            let name = escaped(&file.file);
            let failures = file.cases.iter().filter(|case| !case.ok).count();
            let time: f64 = file.cases.iter().map(|case| case.seconds).sum();
            let tests = file.cases.len();
            writeln!(
                out,
                "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" \
                 time=\"{time:.6}\">"
            )?;
            file.cases.iter().try_for_each(|case| write_case(case, &name, out))?;
            writeln!(out, "  </testsuite>")?;
        }
        writeln!(out, "</testsuites>")
    }
}

fn write_case(case: &CaseReport, class: &str, out: &mut impl Write) -> io::Result<()> {
    write!(out, "    <testcase classname=\"{class}\" name=\"{}\" time=\"{:.6}\"", escaped(&case.name), case.seconds)?;
    let Some(first) = case.failures.first() else { return writeln!(out, "/>") };
    let message = first.mismatches.first().map_or_else(String::new, |mismatch| {
        format!("{}: expected {}, got {}", mismatch.field, mismatch.expected, mismatch.got)
    });
    let mut text = Vec::new();
    for failure in &case.failures {
        super::print::write_failure(failure, &mut text, Paint::none())?;
    }
    let text = escaped(&String::from_utf8_lossy(&text));
    writeln!(out, ">\n      <failure type=\"verdict\" message=\"{}\">{text}</failure>", escaped(&message))?;
    writeln!(out, "    </testcase>")
}

/// Text for an attribute or an element; characters that XML 1.0 cannot hold are replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
