//! `gatehouse test`: policy tests. Sequences of requests, or of connections, with a clock, and what the policy must say to each.
//!
//! ```yaml
//! policy: ../starter.yaml                # one, or a list; relative to this file
//! start: 2026-01-01T00:00:00Z            # the clock of each case begins here
//! request: { authority: shop.example }   # what every request has that does not say otherwise
//! connection: { host: orders.internal }  # and every connection
//! places: { 192.0.2.0/24: { country: DE, asn: 64500 } }
//! ranges: ranges                         # published ranges that packs prove automata by; relative to this file
//! lists: { banned: [203.0.113.9] }       # who is on the lists that the house fills; a case may add its own
//! cases:
//!   - name: guessing passwords is slowed down
//!     requests:
//!       - { request: POST /login, repeat: 10, every: 2s, answer: 401, expect: allow }
//!       - { at: 30s, request: POST /login, expect: { action: limit, status: 429, rule: login-guessing } }
//!   - name: exactly the frontend may connect
//!     connections:
//!       - { connection: "spiffe://cluster.local/ns/shop/sa/frontend", expect: allow }
//!       - { connection: no identity, expect: { action: reject, reason: no_peer } }
//! ```

mod case;
mod expect;
mod junit;
mod print;
mod run;
mod spread;
mod step;
#[cfg(test)]
mod tests;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gatehouse_engine::Policy;
use gatehouse_policy::document::{self, Problems};
use serde::Serialize;

use crate::judge::Step;
use crate::loaded::{self, Loaded, Supplied};
use crate::policies::Problem;
use case::File;

pub use expect::Mismatch;

/// Endings of test files.
const ENDINGS: [&str; 2] = [".test.yaml", ".test.yml"];
/// Deepest nesting of folders that is searched, so that links in a circle end.
const MAX_DEPTH: usize = 16;
/// Largest test file, bytes.
const MAX_FILE: u64 = 1 << 20;

/// What became of the tests.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Every case passed.
    pub ok: bool,
    /// Cases that were run.
    pub cases: usize,
    /// Cases that failed.
    pub failed: usize,
    files: Vec<FileReport>,
    /// Rules that hold for no request and no connection of any case; those of packs are proved by their own tests.
    unreached: Vec<String>,
    /// Lists of packs that are left out with their rules, because nothing proves them.
    pub unproved: Vec<Problem>,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct FileReport {
    file: String,
    cases: Vec<CaseReport>,
}

#[derive(Debug, Serialize)]
struct CaseReport {
    name: String,
    /// `file:line:column`.
    place: String,
    ok: bool,
    requests: u64,
    connections: u64,
    seconds: f64,
    failures: Vec<Failure>,
}

/// A request or a connection that was judged otherwise than expected.
#[derive(Debug, Serialize)]
struct Failure {
    #[serde(flatten)]
    which: Which,
    /// Which of its repetitions, from 1.
    repetition: u64,
    place: String,
    /// It in words.
    shown: String,
    mismatches: Vec<Mismatch>,
    /// Why the policy said what it said.
    trace: Vec<Step>,
}

/// Which of the case's requests or connections, from 1.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    Request(usize),
    Connection(usize),
}

/// Why no test could be run.
#[derive(Debug)]
pub enum TestError {
    /// A file or folder cannot be read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There are no tests.
    Nothing(PathBuf),
    /// Everything that is wrong with test files and policies.
    Wrong(Vec<Problem>),
}

/// A policy: its documents, and the ranges that its packs prove automata by.
type Key = (Vec<PathBuf>, Option<PathBuf>);

/// Runs every `*.test.yaml` under `path`, or that one file, with what is supplied where the file does not say its own.
///
/// # Errors
/// There are none, they cannot be read, or they (or their policies) are wrong; then none is run.
pub fn run(path: &Path, supplied: &Supplied) -> Result<Report, TestError> {
    let started = Instant::now();
    let files = read(path, supplied)?;
    let mut reached: BTreeMap<Key, (BTreeSet<String>, &Loaded)> = BTreeMap::new();
    let mut reports = Vec::new();
    for (file, loaded) in &files {
        let key = (file.policies.clone(), file.ranges.clone());
        let (seen, _) = reached.entry(key).or_insert_with(|| (BTreeSet::new(), loaded));
        let cases = file.cases.iter().map(|case| run::run(case, file, &loaded.policy, seen)).collect();
        reports.push(FileReport { file: file.name.clone(), cases });
    }
    let missed = |(seen, loaded): &(BTreeSet<String>, &Loaded)| {
        let own = loaded.policy.rule_names().filter(|name| !loaded.packed.contains(name));
        own.filter(|name| !seen.contains(name)).collect::<Vec<_>>()
    };
    let unreached: BTreeSet<String> = reached.values().flat_map(missed).collect();
    let mut unproved: Vec<Problem> = reached.values().flat_map(|(_, loaded)| loaded.unproved.iter().cloned()).collect();
    once_each(&mut unproved);
    let cases = || reports.iter().flat_map(|file| &file.cases);
    let failed = cases().filter(|case| !case.ok).count();
    Ok(Report {
        ok: failed == 0,
        cases: cases().count(),
        failed,
        unreached: unreached.into_iter().collect(),
        unproved,
        seconds: seconds(started),
        files: reports,
    })
}

/// Test files with their policies; every problem of all of them at once.
fn read(path: &Path, supplied: &Supplied) -> Result<Vec<(File, Loaded)>, TestError> {
    let mut names = Vec::new();
    if path.is_dir() {
        find(path, 0, &mut names)?;
        names.sort();
    } else {
        names.push(path.to_owned());
    }
    if names.is_empty() {
        return Err(TestError::Nothing(path.into()));
    }
    let (mut files, mut wrong) = (Vec::new(), Vec::new());
    for name in names {
        let text = text(&name).map_err(|source| TestError::Unreadable { path: name.clone(), source })?;
        match parse(&name, &text) {
            Err(problems) => wrong.extend(problems.0.iter().map(Problem::from)),
            Ok(mut file) => {
                file.supply(supplied);
                match loaded::load(&file.policies, file.ranges.as_deref()) {
                    Ok(loaded) => {
                        wrong.extend(unknown_lists(&file, &loaded.policy));
                        files.push((file, loaded));
                    }
                    Err(error) => wrong.extend(error.problems()),
                }
            }
        }
    }
    once_each(&mut wrong);
    if wrong.is_empty() { Ok(files) } else { Err(TestError::Wrong(wrong)) }
}

/// Files that share a policy would tell its problems once each.
fn once_each(problems: &mut Vec<Problem>) {
    let mut told = BTreeSet::new();
    problems.retain(|problem| told.insert(problem.to_string()));
}

fn text(path: &Path) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    fs::File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is larger than 1 MiB"));
    }
    Ok(text)
}

fn find(folder: &Path, depth: usize, names: &mut Vec<PathBuf>) -> Result<(), TestError> {
    let unreadable = |source| TestError::Unreadable { path: folder.into(), source };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if depth < MAX_DEPTH && !name.starts_with('.') {
                find(&path, depth + 1, names)?;
            }
        } else if ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            names.push(path);
        }
    }
    Ok(())
}

fn parse(path: &Path, text: &str) -> Result<File, Problems> {
    let name = path.display().to_string();
    let documents = document::yaml(&name, text)?;
    let mut problems = Problems::default();
    let file = File::read(&name, path, &documents, &mut problems);
    file.filter(|_| problems.is_empty()).ok_or(problems)
}

/// Subjects that a file puts on lists that are not there to be filled.
fn unknown_lists(file: &File, policy: &Policy) -> Vec<Problem> {
    let filled: Vec<&str> = policy.verdict_lists().collect();
    let mut problems = Problems::default();
    file.cases.iter().for_each(|case| case.lists.check(&filled, &mut problems));
    problems.0.iter().map(Problem::from).collect()
}

fn seconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1.0e6).round() / 1.0e6
}

impl std::fmt::Display for TestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable { path, source } => write!(f, "cannot read `{}`: {source}", path.display()),
            Self::Nothing(path) => write!(f, "`{}` holds no `*.test.yaml`", path.display()),
            Self::Wrong(problems) => {
                let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

impl std::error::Error for TestError {}
