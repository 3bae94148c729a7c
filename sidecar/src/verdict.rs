//! `gatehouse verdict`: puts subjects on a list that a policy fills `from: verdicts`, shows lists, takes subjects off.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::{self, AskError, At, asked};

/// `gatehouse verdict …`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Put subjects on a list for a time
    Add(Add),
    /// Show every list, or what is on one
    List(List),
    /// Take subjects off a list before their time
    Remove(Remove),
}

#[derive(Debug, Args)]
struct Add {
    /// Name of the list
    #[arg(long, value_name = "NAME")]
    list: String,
    #[command(flatten)]
    subjects: Subjects,
    /// How long, such as `30m` or `1h`; at most `366d`
    #[arg(long = "for", value_name = "DURATION")]
    hold: String,
    /// Why; it stands in the log, the audit file and `verdict list`
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
struct List {
    /// Name of a list [default: all lists, without what is on them]
    #[arg(long, value_name = "NAME")]
    list: Option<String>,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
struct Remove {
    /// Name of the list
    #[arg(long, value_name = "NAME")]
    list: String,
    #[command(flatten)]
    subjects: Subjects,
    /// All that are on the list
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    at: At,
}

/// Whom it is about; each may be given several times.
#[derive(Debug, Args)]
struct Subjects {
    /// An address, as the policy decides the client's
    #[arg(long, value_name = "ADDRESS")]
    address: Vec<String>,
    /// A network of at least /8 (IPv6: /16), such as 192.0.2.0/24
    #[arg(long, value_name = "NETWORK")]
    prefix: Vec<String>,
    /// A verified identity, spiffe://…
    #[arg(long, value_name = "ID")]
    identity: Vec<String>,
    /// A fingerprint, as records show it
    #[arg(long, value_name = "TEXT")]
    fingerprint: Vec<String>,
    /// An autonomous system, by its number
    #[arg(long, value_name = "NUMBER")]
    asn: Vec<String>,
    /// A client, by its key
    #[arg(long, value_name = "KEY")]
    client: Vec<String>,
}

/// Why it was not done.
#[derive(Debug)]
pub enum VerdictError {
    /// No house answers.
    Ask(AskError, Option<PathBuf>),
    /// Nobody is named.
    Nobody,
    /// The house says no, in its words.
    Refused(String),
}

impl VerdictError {
    /// The command was used wrongly; otherwise the answer is no.
    #[must_use]
    pub fn is_misuse(&self) -> bool {
        matches!(self, Self::Nobody | Self::Ask(AskError::Url(_), _))
    }
}

#[derive(Deserialize)]
struct Changed {
    list: String,
    kept: Option<bool>,
    removed: Option<usize>,
    workers: usize,
    workers_current: usize,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    entries: usize,
    fetched: Option<Fetched>,
    workers: usize,
    workers_current: usize,
}

#[derive(Deserialize)]
struct Fetched {
    from: String,
    age_seconds: u64,
    good: Option<String>,
    stale: bool,
    problem: Option<String>,
}

#[derive(Deserialize)]
struct Entries {
    total: usize,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    subject: String,
    until: String,
    reason: String,
}

/// Does what is asked, and writes to `out` what became of it; as JSON what the house says, as it says it.
///
/// # Errors
/// It was not done.
pub fn run(arguments: &Arguments, as_json: bool, out: &mut impl Write) -> Result<(), VerdictError> {
    match &arguments.verb {
        Verb::Add(add) => {
            let subjects = add.subjects.all();
            if subjects.is_empty() {
                return Err(VerdictError::Nobody);
            }
            let count = subjects.len();
            let body = json!({ "list": add.list, "subjects": subjects, "for": add.hold, "reason": add.reason });
            let said = ask(&add.at, "PUT", "/verdicts", Some(&body))?;
            tell(out, &said, as_json, |said: &Changed, out| {
                writeln!(out, "{count} subject(s) on `{}` for {}", said.list, add.hold)?;
                said.write(out)
            });
        }
        Verb::Remove(remove) => {
            let subjects = remove.subjects.all();
            let body = match (subjects.is_empty(), remove.all) {
                (true, false) => return Err(VerdictError::Nobody),
                (true, true) => json!({ "list": remove.list, "all": true }),
                (false, _) => json!({ "list": remove.list, "subjects": subjects, "all": remove.all }),
            };
            let said = ask(&remove.at, "PUT", "/verdicts/remove", Some(&body))?;
            tell(out, &said, as_json, |said: &Changed, out| {
                writeln!(out, "{} subject(s) taken off `{}`", said.removed.unwrap_or(0), said.list)?;
                said.write(out)
            });
        }
        Verb::List(List { list: None, at }) => {
            let said = ask(at, "GET", "/verdicts", None)?;
            tell(out, &said, as_json, |lists: &Vec<Listed>, out| {
                if lists.is_empty() {
                    writeln!(out, "there are no verdicts")?;
                }
                lists.iter().try_for_each(|list| list.write(out))
            });
        }
        Verb::List(List { list: Some(list), at }) => {
            let said = ask(at, "GET", &format!("/verdicts?list={list}"), None)?;
            tell(out, &said, as_json, |said: &Entries, out| {
                said.entries.iter().try_for_each(|entry| entry.write(out))?;
                match said.total - said.entries.len().min(said.total) {
                    0 => writeln!(out, "{} on `{list}`", said.total),
                    more => writeln!(out, "{} on `{list}`, {more} of them not shown", said.total),
                }
            });
        }
    }
    Ok(())
}

fn ask(at: &At, method: &str, path: &str, body: Option<&Value>) -> Result<String, VerdictError> {
    let body = body.map(Value::to_string);
    let said = asked(at, method, path, body.as_deref()).map_err(|error| VerdictError::Ask(error, at.folder()))?;
    said.map_err(VerdictError::Refused)
}

// A reader that left early wants no more of it.
fn tell<W: Write, T: for<'a> Deserialize<'a>>(
    out: &mut W,
    said: &str,
    json: bool,
    words: impl FnOnce(&T, &mut W) -> io::Result<()>,
) {
    let _ = match serde_json::from_str::<T>(said) {
        Ok(said) if !json => words(&said, out),
        _ => writeln!(out, "{}", said.trim_end()),
    };
}

impl Subjects {
    fn all(&self) -> Vec<Value> {
        let kinds = [
            ("address", &self.address),
            ("prefix", &self.prefix),
            ("identity", &self.identity),
            ("fingerprint", &self.fingerprint),
            ("asn", &self.asn),
            ("client", &self.client),
        ];
        kinds.into_iter().flat_map(|(kind, texts)| texts.iter().map(move |text| json!({ kind: text }))).collect()
    }
}

impl Changed {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "in force in {} of {} worker(s)", self.workers_current, self.workers)?;
        if self.kept == Some(false) {
            writeln!(out, "it could not be written down: a restart of the house would forget it")?;
        }
        Ok(())
    }
}

impl Listed {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { name, entries, fetched, workers, workers_current } = self;
        writeln!(out, "`{name}`: {entries}, in force in {workers_current} of {workers} worker(s)")?;
        let Some(Fetched { from, age_seconds, good, stale, problem }) = fetched else { return Ok(()) };
        let stale = if *stale { ", stale" } else { "" };
        match good {
            Some(_) => writeln!(out, "  from {from}, as of {age_seconds} s ago{stale}")?,
            None => writeln!(out, "  from {from}, never fetched yet{stale}")?,
        }
        problem.iter().try_for_each(|problem| writeln!(out, "  {problem}"))
    }
}

impl Entry {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{} until {}: {}", self.subject, self.until, self.reason)
    }
}

impl fmt::Display for VerdictError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(error, folder) => write!(f, "{error}; {}", ask::hint(folder.as_deref())),
            Self::Nobody => {
                f.write_str("nobody is named; write such as `--address 192.0.2.7`, `--prefix`, `--identity`, `--asn`")
            }
            Self::Refused(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for VerdictError {}
