//! `gatehouse check POLICY…`: every problem of policy documents with its place, and what is allowed but probably not meant, from
//! the compiler that the house uses.

use std::io::{self, Write};
use std::path::PathBuf;

use gatehouse_policy::{Canonical, Surroundings};
use serde::Serialize;

use crate::loaded::{Documents, Supplied};
use crate::packs;
use crate::policies::Problem;
use crate::policies::folder::FolderError;
use crate::terminal::Paint;
use crate::when;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The documents compile together.
    pub ok: bool,
    /// Documents that were read.
    pub files: Vec<String>,
    /// Rules in them, where they compile.
    pub rules: usize,
    /// Size of the image, bytes, where they compile.
    pub image_bytes: usize,
    /// What is wrong.
    pub problems: Vec<Finding>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Finding>,
}

/// Something that was found, with every place that it speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Where, what, and what would be right.
    #[serde(flatten)]
    pub problem: Problem,
    /// Other places that the message names, as `file:line:column`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

/// Compiles these files, and every document of these folders, together; lists whose time is over are told, and what needs more
/// than is supplied.
///
/// # Errors
/// A file or folder cannot be read.
pub fn check(paths: &[PathBuf], supplied: &Supplied) -> Result<Report, FolderError> {
    let documents = Documents::read(paths, supplied.ranges.as_deref())?;
    let files: Vec<String> = documents.documents.iter().map(|document| document.name.clone()).collect();
    let findings = |problems: Vec<Problem>| problems.into_iter().map(|one| Finding::new(one, &files)).collect();
    let surroundings = Surroundings {
        now: Some(when::now() / 1_000_000_000),
        countries: supplied.geo.as_ref().is_some_and(|table| table.has_countries()),
        asns: supplied.geo.as_ref().is_some_and(|table| table.has_asns()),
        ..Surroundings::default()
    };
    let (ok, rules, image_bytes, problems, warnings) = match documents.compile(&surroundings) {
        Ok(compiled) => {
            let unproved = packs::unproved(&compiled.packs, &compiled.uses);
            let warnings = findings([compiled.warnings, unproved].concat());
            (true, compiled.rules, compiled.image.len(), Vec::new(), warnings)
        }
        Err(problems) => (false, 0, 0, findings(problems), Vec::new()),
    };
    Ok(Report { ok, files, rules, image_bytes, problems, warnings })
}

/// The long form of every document, each by itself.
///
/// # Errors
/// A file or folder cannot be read. The inner error: everything that is wrong with the documents.
pub fn canonical(paths: &[PathBuf]) -> Result<Result<Vec<Canonical>, Vec<Problem>>, FolderError> {
    Ok(Documents::read(paths, None)?.canonical())
}

impl Finding {
    fn new(problem: Problem, files: &[String]) -> Self {
        let mut also: Vec<String> =
            files.iter().flat_map(|file| places(&problem.message, file)).map(str::to_owned).collect();
        also.retain(|place| *place != problem.place);
        Self { problem, also }
    }
}

/// Each `FILE:LINE:COLUMN` in a message.
fn places<'m>(message: &'m str, file: &str) -> impl Iterator<Item = &'m str> {
    let begins =
        message.match_indices(file).filter(|(at, _)| *at == 0 || message.get(..*at).is_some_and(|m| m.ends_with(' ')));
    begins.filter_map(move |(at, _)| {
        let rest = message.get(at + file.len()..)?;
        let length = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b':').count();
        let (line, column) = rest.get(..length)?.strip_prefix(':')?.trim_end_matches(':').split_once(':')?;
        let sound = line.parse::<u32>().is_ok() && column.parse::<u32>().is_ok();
        sound.then(|| message.get(at..at + file.len() + line.len() + column.len() + 2)).flatten()
    })
}

impl Report {
    /// Writes it for people: one line a problem, then one that sums up.
    ///
    /// # Errors
    /// The writer fails.
    pub fn write(&self, out: &mut impl Write, paint: Paint) -> io::Result<()> {
        for Finding { problem, .. } in &self.problems {
            writeln!(out, "{}", painted(problem, paint))?;
        }
        for Finding { problem, .. } in &self.warnings {
            writeln!(out, "{} {}", paint.yellow("warning:"), painted(problem, paint))?;
        }
        let files = self.files.len();
        if self.ok {
            let (rules, bytes) = (self.rules, self.image_bytes);
            let fine = paint.green("fine:");
            return writeln!(out, "{fine} {files} document(s), {rules} rule(s), image of {bytes} bytes");
        }
        writeln!(out, "{} in {files} document(s)", paint.red(format!("{} problem(s)", self.problems.len())))
    }
}

/// As a problem shows itself, with its place set off.
fn painted(problem: &Problem, paint: Paint) -> String {
    let help = if problem.help.is_empty() { String::new() } else { format!("; {}", problem.help) };
    format!("{}: {}{help}", paint.bold(&problem.place), problem.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_in_a_message_is_found_and_nothing_else() {
        let said = "the rule `b` has the match of `a` at dir/p.yaml:3:5 and does `block`, see dir/p.yaml:12:7: xdir/p.yaml:1:1";
        assert_eq!(places(said, "dir/p.yaml").collect::<Vec<_>>(), ["dir/p.yaml:3:5", "dir/p.yaml:12:7"]);
        assert_eq!(places("dir/p.yaml is not dir/p.yaml:x:1", "dir/p.yaml").count(), 0);
    }
}
