//! Where something was written, and what is wrong with it.

use std::fmt;
use std::sync::Arc;

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a text: shown as `file:line:column`.
    Text {
        /// Name of the file, as it was given.
        file: Arc<str>,
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
    },
    /// In a value without lines: shown as `policy.spec.rules[2].match`.
    Pointer(Arc<str>),
}

impl Place {
    /// A place in a text; line and column count from 1.
    #[must_use]
    pub fn text(file: &str, line: usize, column: usize) -> Self {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self::Text { file: file.into(), line: narrow(line), column: narrow(column) }
    }

    /// A place in a value without lines.
    #[must_use]
    pub fn pointer(path: &str) -> Self {
        Self::Pointer(path.into())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Self::Pointer(path) => f.write_str(path),
        }
    }
}

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What is wrong: lower case, no final period, the operator's words in backticks.
    pub message: String,
    /// What would be right; empty: the message says it.
    pub help: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "; {}", self.help) }
    }
}

/// Every problem that was found, in the order met; at most [`Problems::CAP`] and one that says there are more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Problems beyond this many are not kept.
    pub const CAP: usize = 200;

    /// Adds a problem.
    pub fn push(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        if self.0.len() < Self::CAP {
            self.0.push(Problem { place: place.clone(), message: message.into(), help: help.into() });
        } else if self.0.len() == Self::CAP {
            self.0.push(Problem {
                place: place.clone(),
                message: format!("more than {} problems", Self::CAP),
                help: "the rest is not shown".into(),
            });
        }
    }

    /// Adds all problems of `other`.
    pub fn extend(&mut self, other: Self) {
        for problem in other.0 {
            self.push(&problem.place, problem.message, problem.help);
        }
    }

    /// Nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts them in the order of their places (files by name); those without lines come first, in the order met.
    pub fn sort(&mut self) {
        self.0.sort_by_key(|problem| match &problem.place {
            Place::Text { file, line, column } => Some((Arc::clone(file), *line, *column)),
            Place::Pointer(_) => None,
        });
    }

    /// `Ok(value)` if nothing is wrong.
    ///
    /// # Errors
    /// The problems themselves.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
