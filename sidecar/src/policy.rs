//! `gatehouse policy diff OLD NEW`: how two policies differ, document by document and rule by rule, and as text.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::packs::Shelf;
use crate::policies::folder::{self, Document, FolderError};
use crate::rollout::diff::{Diff, diff};

/// `gatehouse policy …`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show how two policies differ; exit code 1: they do
    Diff(Compare),
}

#[derive(Debug, Args)]
struct Compare {
    /// A document, or a folder of them
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// A document, or a folder of them
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Folder of the published address ranges that packs prove automata by, as the house has it
    #[arg(long, value_name = "DIR")]
    ranges: Option<PathBuf>,
}

/// Does what is asked; whether the two mean the same and both compile.
///
/// # Errors
/// A file or folder cannot be read.
pub fn run(arguments: &Arguments, json: bool, out: &mut impl Write) -> Result<bool, FolderError> {
    let Verb::Diff(Compare { old, new, ranges }) = &arguments.verb;
    let found = diff(&read(old)?, &read(new)?, &Shelf::open(Some(below(new)), ranges.as_deref()));
    // A reader that left early wants no more of it.
    let _ = write(&found, json, out);
    Ok(found.same && found.old_problems.is_empty() && found.new_problems.is_empty())
}

fn write(found: &Diff, json: bool, out: &mut impl Write) -> io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, found).map_err(io::Error::from).and_then(|()| writeln!(out))
    } else {
        write!(out, "{found}")
    }
}

/// The folder that list files lie below.
fn below(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(path) }
}

/// Two single documents are the same file, whatever they are called.
fn read(path: &Path) -> Result<Vec<Document>, FolderError> {
    if path.is_dir() {
        return Ok(folder::read(path)?.documents);
    }
    let json = path.extension().is_some_and(|extension| extension == "json");
    let name = if json { "policy.json" } else { "policy.yaml" };
    Ok(vec![Document { name: name.into(), ..folder::document(path)? }])
}
