//! `gatehouse mode`: sets, shows and releases the brake, with the house's help where it answers and without it where it does not.
//!
//! ```text
//!  the house answers                   ─► done at once, told in how many workers it is in force
//!  no house runs on the data folder    ─► written where the house keeps brakes: holds from its start
//!  a house runs there and is silent    ─► the file `brake`, which it looks for several times a second
//! ```

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use gatehouse_policy::document::{self, Problems};
use serde::Deserialize;

use crate::ask::{self, AskError, At, asked};
use crate::audit::{Audit, Who};
use crate::brake::{self, Brakes, Order};
use crate::data::{DataError, DataFolder};

/// `gatehouse mode …`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Let rules act as in monitor mode for a time: the brake
    Monitor(Monitor),
    /// Show the brakes that hold
    Show(Show),
    /// Release the brake before its time
    Release(Release),
}

#[derive(Debug, Args)]
struct Monitor {
    /// Only documents at or below this scope, `organisation/tenant/workspace/group` or the first of these [default: all]
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// How long, such as `30m` or `1h`; at most `7d`
    #[arg(long = "for", value_name = "DURATION")]
    hold: String,
    /// Why; it stands in the log, the audit file and `mode show`
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
struct Release {
    /// Only the brake of exactly this scope [default: every brake]
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    #[command(flatten)]
    at: At,
}

/// Why it was not done.
#[derive(Debug)]
pub enum ModeError {
    /// The house cannot be asked, and there is no data folder to write to.
    Ask(AskError, Option<PathBuf>),
    /// The data folder cannot be used.
    Data(DataError),
    /// As many brakes hold as may.
    Full(brake::Full),
    /// The file that brakes cannot be written or removed.
    File(PathBuf, io::Error),
    /// The house says no, in its words.
    Refused(String),
    /// What was asked for cannot be: everything that is wrong with it.
    Wrong(Problems),
}

impl ModeError {
    /// The command was used wrongly; otherwise the answer is no.
    #[must_use]
    pub fn is_misuse(&self) -> bool {
        matches!(self, Self::Wrong(_) | Self::Ask(AskError::Url(_), _))
    }
}

/// What the house says of brakes, as far as it is shown.
#[derive(Deserialize)]
struct Said {
    holding: Vec<Holding>,
    files: Vec<File>,
    workers: usize,
    workers_current: usize,
    kept: Option<bool>,
    released: Option<Vec<String>>,
    warning: Option<String>,
}

#[derive(Deserialize)]
struct Holding {
    scope: String,
    until: String,
    left_seconds: u64,
    reason: String,
    by: Who,
}

#[derive(Deserialize)]
struct File {
    path: PathBuf,
    holds: bool,
    problem: Option<String>,
}

/// Does what is asked, and writes to `out` what became of it; with `json` what the house says, as it says it. False: it is not in
/// force now.
///
/// # Errors
/// It was not done.
pub fn run(arguments: &Arguments, json: bool, out: &mut impl Write) -> Result<bool, ModeError> {
    match &arguments.verb {
        Verb::Monitor(monitor) => set(monitor, json, out),
        Verb::Show(show) => {
            let body =
                asked(&show.at, "GET", "/brake", None).map_err(|error| ModeError::Ask(error, show.at.folder()))?;
            let body = body.map_err(ModeError::Refused)?;
            tell(out, &body, json, |said, out| shown(said, out));
            Ok(true)
        }
        Verb::Release(release) => released(release, json, out),
    }
}

fn set(monitor: &Monitor, json: bool, out: &mut impl Write) -> Result<bool, ModeError> {
    let scope = monitor.scope.as_deref().unwrap_or_default();
    let body = serde_json::json!({ "scope": scope, "for": monitor.hold, "reason": monitor.reason }).to_string();
    // Judged here too: what is wrong with it is known without a house.
    let order = order(&body)?;
    match asked(&monitor.at, "PUT", "/brake", Some(&body)) {
        Ok(said) => {
            tell(out, &said.map_err(ModeError::Refused)?, json, |said, out| {
                said.holding.iter().filter(|one| one.scope == scope).try_for_each(|one| one.write(out))?;
                writeln!(out, "in force in {} of {} worker(s)", said.workers_current, said.workers)?;
                if let Some(warning) = &said.warning {
                    writeln!(out, "warning: {warning}")?;
                }
                if said.kept == Some(false) {
                    writeln!(out, "it could not be written down: a restart of the house would release it")?;
                }
                Ok(())
            });
            Ok(true)
        }
        Err(error) => {
            let words = match without_house(&monitor.at, error)? {
                Without::Dead(data) => {
                    let brakes = kept(&data);
                    brakes.set(order, by()).map_err(ModeError::Full)?;
                    "no house runs: the brake is written down and holds from the house's start until its time is over"
                }
                Without::Silent(folder) => {
                    write_file(&folder.join(brake::FILE), &body)?;
                    "the house does not answer: the file `brake` is written into its data folder, which it looks for"
                }
            };
            say(out, words);
            Ok(false)
        }
    }
}

fn released(release: &Release, json: bool, out: &mut impl Write) -> Result<bool, ModeError> {
    let scope = release.scope.as_deref();
    let path = scope.map_or_else(|| "/brake".to_owned(), |scope| format!("/brake?scope={scope}"));
    if let Some(scope) = scope.filter(|scope| !scope.is_empty() && !brake::is_scope(scope)) {
        let mut problems = Problems::default();
        problems.push(&document::Place::pointer("--scope"), format!("{} is no scope", document::quoted(scope)), "");
        return Err(ModeError::Wrong(problems));
    }
    match asked(&release.at, "DELETE", &path, None) {
        Ok(said) => {
            tell(out, &said.map_err(ModeError::Refused)?, json, |said, out| {
                let released = said.released.as_deref().unwrap_or_default();
                released.iter().try_for_each(|scope| writeln!(out, "released: {}", named(scope)))?;
                if released.is_empty() {
                    writeln!(out, "there was nothing to release")?;
                }
                writeln!(out, "in force in {} of {} worker(s)", said.workers_current, said.workers)
            });
            Ok(true)
        }
        Err(error) => {
            let words = match without_house(&release.at, error)? {
                Without::Dead(data) => {
                    kept(&data).release(scope, &by());
                    "no house runs: what was kept is released; gates brake until they hear from a house, or until its time is over"
                }
                Without::Silent(folder) => {
                    let file = folder.join(brake::FILE);
                    std::fs::remove_file(&file).map_err(|error| ModeError::File(file, error))?;
                    "the house does not answer: the file `brake` is removed; what was set otherwise holds until its time is over"
                }
            };
            say(out, words);
            Ok(false)
        }
    }
}

/// What can be done where no house answers.
enum Without {
    /// Nobody else has the data folder.
    Dead(Arc<DataFolder>),
    /// A house has it.
    Silent(PathBuf),
}

fn without_house(at: &At, error: AskError) -> Result<Without, ModeError> {
    let folder = at.folder().filter(|folder| folder.is_dir() && matches!(error, AskError::Silent { .. }));
    let Some(folder) = folder else {
        return Err(ModeError::Ask(error, at.folder()));
    };
    match DataFolder::open(&folder) {
        Ok(data) => Ok(Without::Dead(Arc::new(data))),
        Err(DataError::InUse { path, .. }) => Ok(Without::Silent(path)),
        Err(error) => Err(ModeError::Data(error)),
    }
}

fn kept(data: &Arc<DataFolder>) -> Brakes {
    Brakes::open(Arc::clone(data), Audit::new(Arc::clone(data)), Vec::new())
}

fn by() -> Who {
    Who::Uid(rustix::process::getuid().as_raw())
}

fn order(body: &str) -> Result<Order, ModeError> {
    let mut problems = Problems::default();
    let node = document::json("mode", body).map_err(ModeError::Wrong)?;
    let order = Order::read(&node, &mut problems);
    problems.or(order).map_err(ModeError::Wrong)?.ok_or_else(|| ModeError::Wrong(Problems::default()))
}

/// JSON is YAML: the house reads the file as it reads any other. Written aside and renamed, so that it is read whole.
fn write_file(path: &Path, body: &str) -> Result<(), ModeError> {
    let aside = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&aside)?;
        file.write_all(body.as_bytes())?;
        // Whatever this user's umask: the house may run as another.
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
        file.sync_all()?;
        std::fs::rename(&aside, path)
    };
    write().map_err(|error| ModeError::File(path.into(), error))
}

// A reader that left early wants no more of it.

fn tell<W: Write>(out: &mut W, body: &str, json: bool, words: impl FnOnce(&Said, &mut W) -> io::Result<()>) {
    let _ = match serde_json::from_str::<Said>(body) {
        Ok(said) if !json => words(&said, out),
        _ => writeln!(out, "{}", body.trim_end()),
    };
}

fn say(out: &mut impl Write, words: &str) {
    let _ = writeln!(out, "{words}");
}

fn shown(said: &Said, out: &mut impl Write) -> io::Result<()> {
    if said.holding.is_empty() {
        writeln!(out, "no brake holds")?;
    }
    said.holding.iter().try_for_each(|one| one.write(out))?;
    for file in said.files.iter().filter(|file| !file.holds) {
        let path = file.path.display();
        match &file.problem {
            Some(problem) => writeln!(out, "the file `{path}` does not brake: {problem}")?,
            None => writeln!(out, "the file `{path}` brakes no more; touch it to brake again, or remove it")?,
        }
    }
    writeln!(out, "in force in {} of {} worker(s)", said.workers_current, said.workers)
}

impl Holding {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (scope, minutes) = (named(&self.scope), self.left_seconds.div_ceil(60));
        let by = match &self.by {
            Who::Clock => String::new(),
            Who::Source(from) => format!(", by {from}"),
            Who::File(path) => format!(", by the file `{}`", path.display()),
            Who::Uid(uid) => format!(", by user {uid}"),
        };
        writeln!(out, "the brake holds for {scope} until {} ({minutes} min){by}: {}", self.until, self.reason)
    }
}

fn named(scope: &str) -> String {
    if scope.is_empty() { "everything".into() } else { format!("`{scope}`") }
}

impl fmt::Display for ModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(error, folder) => write!(f, "{error}; {}", ask::hint(folder.as_deref())),
            Self::Data(error) => error.fmt(f),
            Self::Full(full) => full.fmt(f),
            Self::File(path, error) => write!(f, "cannot change the file `{}`: {error}", path.display()),
            Self::Refused(words) => f.write_str(words),
            Self::Wrong(problems) => problems.fmt(f),
        }
    }
}

impl std::error::Error for ModeError {}
