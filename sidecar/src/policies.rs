//! Policies: the folder is looked at, what changed is compiled, and what compiles is what gates get.
//!
//! ```text
//!  folder ─read─► contents ─(settled?)─► compile ─► Snapshot ─► kept on disk ─► every stream
//!                                           └─ problems: told in log, /status and metric; nothing else changes
//! ```

pub mod folder;
pub mod snapshot;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gatehouse_policy::document::{self, Node};
use gatehouse_policy::{Format, Outside, Source, Used};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::data::{DataError, DataFolder};
use crate::lists::Wanted;
use crate::metrics::Metrics;
use crate::packs::{self, PackView, Shelf};
use crate::references;
use crate::watched::stamp;
use folder::{Contents, Document, FolderError};
use snapshot::Kept;

pub use snapshot::Snapshot;

/// A change must look the same twice, this long apart, before it is taken: an editor may be half-way through a file.
const SETTLE: Duration = Duration::from_millis(50);
/// Looks at a folder that will not settle, before it is left to the next round.
const LOOKS: usize = 10;

/// The policy that gates are given, and what is known of the folder. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Policies {
    current: Arc<watch::Sender<Option<Snapshot>>>,
    report: Arc<Mutex<Report>>,
    /// What the policy in force wants fetched.
    lists: Arc<watch::Sender<Wanted>>,
    /// Those of the policy in force; `None`: it was kept from before a restart.
    documents: Arc<Mutex<Option<Arc<[Document]>>>>,
    ranges: Option<PathBuf>,
}

/// What `/status` says of policies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The folder that is looked at; `None`: no policies are configured.
    pub folder: Option<PathBuf>,
    /// Documents of the policy in force; empty where it was kept from before a restart.
    pub files: Vec<String>,
    /// Rules of the policy in force.
    pub rules: usize,
    /// When this process took the policy in force.
    pub since: Option<SystemTime>,
    /// What is wrong with the folder as it is now; empty: it is in force.
    pub problems: Vec<Problem>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
    /// Packs that the policy in force uses, and what they can prove.
    pub packs: Vec<PackView>,
}

/// One thing that is wrong, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `file:line:column`, or the file or folder.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What would be right; empty: the message says it.
    pub help: String,
}

impl Policies {
    /// The last good policy of this data folder, until the folder is looked at.
    ///
    /// # Errors
    /// What was kept cannot be read.
    pub fn open(data: &DataFolder, config: Option<&config::Policies>) -> Result<Self, DataError> {
        let kept = match config {
            None => None,
            Some(_) => match Snapshot::kept(data)? {
                Kept::Good(snapshot) => Some(snapshot),
                Kept::Nothing => None,
                Kept::Damaged => {
                    tracing::warn!(
                        "the kept policy is damaged and is not used; gates keep theirs until the folder compiles"
                    );
                    None
                }
            },
        };
        let report = Report {
            folder: config.map(|policies| policies.folder.clone()),
            since: kept.as_ref().map(|_| SystemTime::now()),
            ..Report::default()
        };
        Ok(Self {
            current: Arc::new(watch::Sender::new(kept)),
            report: Arc::new(Mutex::new(report)),
            lists: Arc::new(watch::Sender::new(None)),
            documents: Arc::default(),
            ranges: config.and_then(|policies| policies.ranges.clone()),
        })
    }

    /// The policy in force, and every one that follows.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Option<Snapshot>> {
        self.current.subscribe()
    }

    /// The lists that the policy in force wants fetched, and what follows.
    #[must_use]
    pub fn lists(&self) -> watch::Receiver<Wanted> {
        self.lists.subscribe()
    }

    /// The policy in force.
    #[must_use]
    pub fn current(&self) -> Option<Snapshot> {
        self.current.borrow().clone()
    }

    /// What is known of the folder.
    #[must_use]
    pub fn report(&self) -> Report {
        self.lock().clone()
    }

    /// The documents of the policy in force; `None`: there is none, or it was kept from before a restart.
    #[must_use]
    pub fn documents(&self) -> Option<Arc<[Document]>> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a document of the policy in force stands at `scope` or below; `None`: its documents are not known here.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> Option<bool> {
        let documents = self.documents()?;
        let nodes = documents.iter().filter_map(|file| match file.name.ends_with(".json") {
            true => document::json(&file.name, &file.text).ok().map(|node| node.one_or_many().to_vec()),
            false => document::yaml(&file.name, &file.text).ok(),
        });
        let below = |node: &Node| {
            let written = serde_json::Value::from(node)
                .pointer("/metadata/scope")
                .and_then(|scope| Some(scope.as_str()?.to_owned()));
            let rest = written.as_deref().and_then(|written| written.strip_prefix(scope).map(str::to_owned));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        Some(scope.is_empty() || nodes.flatten().any(|node| below(&node)))
    }

    /// The folder of the ranges that packs prove automata by.
    #[must_use]
    pub fn ranges(&self) -> Option<PathBuf> {
        self.ranges.clone()
    }

    /// Where proposed documents lie: `proposed` beside the policy folder.
    #[must_use]
    pub fn proposed(&self) -> Option<PathBuf> {
        self.lock().folder.as_ref().map(|folder| folder.parent().unwrap_or(folder).join("proposed"))
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        // A report is replaced field by field; a torn one is still a report.
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the folder, over and over.
#[derive(Debug)]
pub struct Watcher {
    policies: Policies,
    config: config::Policies,
    data: Arc<DataFolder>,
    metrics: Arc<Metrics>,
    /// Hash of the contents last tried, whether or not they compiled.
    tried: Option<[u8; 32]>,
    /// List files beside the documents, as the last compilation asked for them.
    files: Vec<PathBuf>,
    unreadable: Option<FolderError>,
}

impl Watcher {
    /// A watcher that has not looked yet.
    #[must_use]
    pub fn new(policies: Policies, config: config::Policies, data: Arc<DataFolder>, metrics: Arc<Metrics>) -> Self {
        Self { policies, config, data, metrics, tried: None, files: Vec::new(), unreadable: None }
    }

    /// Looks now and then until the token is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.config.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => self.look().await,
            }
        }
    }

    /// Looks once, and takes what changed.
    pub async fn look(&mut self) {
        match self.settled().await {
            Err(error) => self.cannot_read(error),
            Ok(None) => {}
            Ok(Some(contents)) => {
                self.tried = Some(contents.hash);
                self.try_contents(contents).await;
            }
        }
    }

    /// The folder's contents, if they are new and did not change while we looked.
    async fn settled(&mut self) -> Result<Option<Contents>, FolderError> {
        let mut seen = self.read().await?;
        if self.unreadable.take().is_some() {
            // It can be read again: what it holds is judged anew, so that the problem is taken back.
            self.tried = None;
        }
        if self.tried == Some(seen.hash) {
            return Ok(None);
        }
        for _ in 0..LOOKS {
            tokio::time::sleep(SETTLE).await;
            let again = self.read().await?;
            if again.hash == seen.hash {
                return Ok(Some(seen));
            }
            seen = again;
        }
        Ok(None)
    }

    async fn read(&self) -> Result<Contents, FolderError> {
        let (config, files) = (self.config.clone(), self.files.clone());
        let lost = FolderError { path: config.folder.clone(), problem: "the reader ended early".into() };
        tokio::task::spawn_blocking(move || read(&config, &files)).await.unwrap_or(Err(lost))
    }

    fn cannot_read(&mut self, error: FolderError) {
        if self.unreadable.as_ref() == Some(&error) {
            return;
        }
        let place = error.path.display().to_string();
        self.report(vec![Problem { place, message: error.problem.clone(), help: String::new() }]);
        self.unreadable = Some(error);
    }

    async fn try_contents(&mut self, contents: Contents) {
        let files: Vec<String> = contents.documents.iter().map(|document| document.name.clone()).collect();
        if files.is_empty() {
            let place = self.config.folder.display().to_string();
            let message = "no `*.yaml`, `*.yml` or `*.json` stands here; the policy in force stays".into();
            self.report(vec![Problem {
                place,
                message,
                help: "to allow everything, write a policy that says so".into(),
            }]);
            return;
        }
        let documents: Arc<[Document]> = contents.documents.into();
        let (source, config) = (Arc::clone(&documents), self.config.clone());
        let compiled = tokio::task::spawn_blocking(move || {
            let shelf = Shelf::open(Some(&config.folder), config.ranges.as_deref());
            let compiled = compile_with(&source, &shelf);
            (compiled, shelf.used())
        });
        let compiled = compiled.await.map(|(compiled, (packs, files))| {
            self.files = files;
            compiled.map(|compiled| Compiled { packs, ..compiled })
        });
        match compiled {
            Ok(Ok(compiled)) => {
                self.accept(files, compiled, &documents).await;
                *self.policies.documents.lock().unwrap_or_else(PoisonError::into_inner) = Some(documents);
            }
            Ok(Err(problems)) => self.report(problems),
            Err(error) => {
                let place = self.config.folder.display().to_string();
                let message = format!("the compiler ended early: {error}");
                self.report(vec![Problem { place, message, help: String::new() }]);
            }
        }
    }

    async fn accept(&mut self, files: Vec<String>, compiled: Compiled, documents: &Arc<[Document]>) {
        let before = self.policies.current();
        let same = before.as_ref().is_some_and(|snapshot| snapshot.digest() == compiled.digest);
        if !same {
            let revision = before.map_or(1, |snapshot| snapshot.revision().saturating_add(1));
            let snapshot = Snapshot::new(revision, compiled.image);
            self.keep(snapshot.clone(), Arc::clone(documents)).await;
            tracing::info!(revision, bytes = snapshot.size(), rules = compiled.rules, "policy compiled");
            self.policies.current.send_replace(Some(snapshot));
        }
        let lists: Arc<[Outside]> = compiled.lists.into();
        self.policies.lists.send_if_modified(|known| {
            let other = known.as_ref() != Some(&lists);
            if other {
                *known = Some(lists);
            }
            other
        });
        let mut report = self.policies.lock();
        report.files = files;
        report.rules = compiled.rules;
        report.problems = Vec::new();
        report.warnings = compiled.warnings;
        for list in compiled.packs.iter().flat_map(|pack| &pack.lists) {
            if let Some(problem) = &list.problem {
                tracing::warn!(list = list.name, problem, "a pack proves nothing by this list, its rules are left out");
            }
        }
        report.packs = compiled.packs;
        if !same || report.since.is_none() {
            report.since = Some(SystemTime::now());
        }
    }

    /// Keeps the policy for the next start, and its text for `gatehouse explain`. A disk that does not take it must not keep it
    /// from the gates.
    async fn keep(&self, snapshot: Snapshot, documents: Arc<[Document]>) {
        let data = Arc::clone(&self.data);
        let keep = move || {
            let (digest, revision) = (snapshot.digest(), snapshot.revision());
            let explained = references::policies::keep(&data, digest, revision, &documents);
            snapshot.keep(&data).and(explained)
        };
        match tokio::task::spawn_blocking(keep).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "policy not kept for the next start, or its text not for `explain`")
            }
            Err(error) => tracing::warn!(%error, "policy not kept for the next start"),
        }
    }

    fn report(&self, problems: Vec<Problem>) {
        self.metrics.policy_failures.inc();
        for problem in problems.iter().take(MAX_LOGGED) {
            tracing::error!(place = problem.place, problem = problem.message, help = problem.help, "policy refused");
        }
        if let Some(more) = problems.len().checked_sub(MAX_LOGGED).filter(|more| *more > 0) {
            tracing::error!(more, "policy refused, more problems stand in /status");
        }
        self.policies.lock().problems = problems;
    }
}

/// Problems of one change that are logged; all of them stand in `/status`.
const MAX_LOGGED: usize = 8;

/// A compiled folder.
#[derive(Debug)]
pub struct Compiled {
    /// The image.
    pub image: Vec<u8>,
    /// SHA-256 of the image.
    pub digest: [u8; 32],
    /// Number of rules.
    pub rules: usize,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
    /// Lists that the house fetches.
    pub lists: Vec<Outside>,
    /// Packs that it uses.
    pub packs: Vec<PackView>,
    /// Where it uses them.
    pub uses: Vec<Used>,
}

/// Compiles documents together, with the packs that ship with the house and nothing beside.
///
/// # Errors
/// Every problem of every document.
pub fn compile(documents: &[Document]) -> Result<Compiled, Vec<Problem>> {
    compile_with(documents, &Shelf::open(None, None))
}

/// The folder's documents, and a hash over them and over the state of what they may refer to.
fn read(config: &config::Policies, files: &[PathBuf]) -> Result<Contents, FolderError> {
    let mut contents = folder::read(&config.folder)?;
    let mut hash = Sha256::new_with_prefix(contents.hash);
    let ranges = config.ranges.as_deref().map(packs::stamps).unwrap_or_default();
    let beside = files.iter().map(|path| (path.clone(), stamp(path)));
    for (path, stamp) in ranges.into_iter().chain(beside).filter(|(_, stamp)| stamp.is_some()) {
        hash.update(format!("{}\0{stamp:?}\0", path.display()));
    }
    contents.hash = hash.finalize().into();
    Ok(contents)
}

/// Compiles documents together; the ending of a name says how it is written.
///
/// # Errors
/// Every problem of every document.
pub fn compile_with(documents: &[Document], shelf: &Shelf) -> Result<Compiled, Vec<Problem>> {
    let sources: Vec<Source<'_>> = documents
        .iter()
        .map(|document| Source {
            name: &document.name,
            text: &document.text,
            format: if document.name.ends_with(".json") { Format::Json } else { Format::Yaml },
        })
        .collect();
    let words = |problems: gatehouse_policy::document::Problems| problems.0.iter().map(Problem::from).collect();
    let surroundings = gatehouse_policy::Surroundings::default();
    let options = gatehouse_policy::Options::new(shelf).warn(&surroundings);
    let compiled = gatehouse_policy::compile_with(&sources, &options).map_err(words)?;
    Ok(Compiled {
        image: compiled.image,
        digest: compiled.digest,
        rules: compiled.rules,
        warnings: words(compiled.warnings),
        lists: compiled.lists,
        packs: Vec::new(),
        uses: compiled.uses,
    })
}

impl From<&gatehouse_policy::document::Problem> for Problem {
    fn from(problem: &gatehouse_policy::document::Problem) -> Self {
        Self { place: problem.place.to_string(), message: problem.message.clone(), help: problem.help.clone() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(f, "; {}", self.help) }
    }
}
