//! `gatehouse check POLICY…`: every problem of policy documents with its place, from the compiler that the house uses.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::policies::folder::{self, Document, FolderError};
use crate::policies::{self, Problem};

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
    pub problems: Vec<Problem>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
}

/// Compiles these files, and every document of these folders, together.
///
/// # Errors
/// A file or folder cannot be read.
pub fn check(paths: &[PathBuf]) -> Result<Report, FolderError> {
    let mut documents: Vec<Document> = Vec::new();
    for path in paths {
        documents.extend(read(path)?);
    }
    let files = documents.iter().map(|document| document.name.clone()).collect();
    Ok(match policies::compile(&documents) {
        Ok(compiled) => Report {
            ok: true,
            files,
            rules: compiled.rules,
            image_bytes: compiled.image.len(),
            problems: Vec::new(),
            warnings: compiled.warnings,
        },
        Err(problems) => Report { ok: false, files, rules: 0, image_bytes: 0, problems, warnings: Vec::new() },
    })
}

/// Documents under the names that the operator gave, so that a place can be clicked.
fn read(path: &Path) -> Result<Vec<Document>, FolderError> {
    if !path.is_dir() {
        let document = folder::document(path)?;
        return Ok(vec![Document { name: path.display().to_string(), ..document }]);
    }
    let contents = folder::read(path)?;
    if contents.documents.is_empty() {
        let problem = "holds no `*.yaml`, `*.yml` or `*.json`".into();
        return Err(FolderError { path: path.into(), problem });
    }
    let named = |document: Document| Document { name: path.join(&document.name).display().to_string(), ..document };
    Ok(contents.documents.into_iter().map(named).collect())
}

impl Report {
    /// Writes it for people: one line a problem, then one that sums up.
    ///
    /// # Errors
    /// The writer fails.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for problem in &self.problems {
            writeln!(out, "{problem}")?;
        }
        for warning in &self.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        let files = self.files.len();
        if self.ok {
            let (rules, bytes) = (self.rules, self.image_bytes);
            return writeln!(out, "fine: {files} document(s), {rules} rule(s), image of {bytes} bytes");
        }
        writeln!(out, "{} problem(s) in {files} document(s)", self.problems.len())
    }
}
