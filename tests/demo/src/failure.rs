//! What went wrong and what to do about it: every failure of the demo carries both.

use core::fmt;

/// A failure, told to the person at the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// Lines that explain it, such as the end of a log; empty: none.
    pub detail: String,
}

impl Failure {
    /// A failure without detail.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into(), detail: String::new() }
    }

    /// The same with lines that explain it.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  failed     {}", self.what)?;
        for line in self.detail.lines() {
            writeln!(f, "  | {line}")?;
        }
        write!(f, "  what to do {}", self.remedy)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[test]
    fn a_failure_says_what_and_what_to_do_with_the_log_between() {
        let failure = Failure::new("envoy ended early", "read the log").with_detail("one\ntwo");
        assert_eq!(failure.to_string(), "  failed     envoy ended early\n  | one\n  | two\n  what to do read the log");
    }
}
