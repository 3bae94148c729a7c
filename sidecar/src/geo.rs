//! Countries and autonomous systems: files that the operator supplies become one compact table, which every gate is given.
//!
//! ```text
//!  files ─(changed and settled?)─► read (MMDB, CSV) ─► build ─► Image ─► every stream that does not have it
//!                                    └─ problems, age: told in log, /status and metrics; the last good table stays
//! ```
//! The files are read where they change and forgotten again: a database of cities is large, the table is at most 8 MiB.

mod csv;
mod image;
mod mmdb;
mod read;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use gatehouse_signals::geo::{self, BuildError, Table};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::ocsf::time::Rfc3339;
use crate::watched::{Stamp, stamp};
use read::{Facts, Kind, Taker};

pub use image::{Image, NAME};

/// How often files are looked at. A change must look the same twice, this long apart.
const EVERY: Duration = Duration::from_secs(1);
/// How often the log tells again that files are too old.
const TELL_AGE_EVERY: Duration = Duration::from_secs(24 * 3600);

/// The table that gates are given, and what is known of its files. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Geo {
    current: Arc<watch::Sender<Option<Image>>>,
    report: Arc<Mutex<Report>>,
    config: Option<Arc<config::Geo>>,
}

#[derive(Debug, Default)]
struct Report {
    /// The files of the table in force.
    files: Vec<(PathBuf, Facts)>,
    since: Option<SystemTime>,
    problems: Vec<Problem>,
}

/// What is wrong with one file, or with all of them together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file; empty: the table that they make.
    pub file: PathBuf,
    /// What is wrong, and what would help.
    pub problem: String,
}

/// The table as `/status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// SHA-256 of the table; `None`: there is none, and fields that need it are unknown.
    pub digest: Option<String>,
    /// Its size, bytes.
    pub bytes: usize,
    /// Ranges of addresses in it.
    pub ranges: usize,
    /// Since when this house gives it, RFC 3339.
    pub since: Option<String>,
    /// The files that it was made of.
    pub files: Vec<FileView>,
    /// What is wrong with the files as they are now; the table above stays.
    pub problems: Vec<Problem>,
}

/// One file of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileView {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Networks in it.
    pub networks: u64,
    /// When it was made, RFC 3339.
    pub built: String,
    /// How long ago, days.
    pub age_days: u64,
    /// Longer ago than `maxAge`.
    pub stale: bool,
}

impl Geo {
    /// No table yet.
    #[must_use]
    pub fn new(config: Option<&config::Geo>) -> Self {
        Self {
            current: Arc::new(watch::Sender::new(None)),
            report: Arc::default(),
            config: config.cloned().map(Arc::new),
        }
    }

    /// Files are configured, so that gates keep the table they have while there is none.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.config.is_some()
    }

    /// The table in force, and every one that follows.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Option<Image>> {
        self.current.subscribe()
    }

    /// What is known of the table and its files.
    #[must_use]
    pub fn view(&self) -> View {
        let (current, report) = (self.current.borrow().clone(), self.lock());
        let ms = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let time = |at| Rfc3339(u64::try_from(ms(at)).unwrap_or(u64::MAX)).to_string();
        let files = report.files.iter().map(|(path, facts)| {
            let age = age(facts);
            FileView {
                path: path.clone(),
                kind: facts.kind.clone(),
                networks: facts.networks,
                built: time(facts.built),
                age_days: age.as_secs() / 86_400,
                stale: self.is_stale(facts),
            }
        });
        View {
            digest: current.as_ref().map(Image::name),
            bytes: current.as_ref().map_or(0, Image::size),
            ranges: current.as_ref().map_or(0, Image::ranges),
            since: report.since.map(time),
            files: files.collect(),
            problems: report.problems.clone(),
        }
    }

    /// Age of the oldest file of the table in force; `None`: there is none.
    #[must_use]
    pub fn oldest(&self) -> Option<Duration> {
        self.lock().files.iter().map(|(_, facts)| age(facts)).max()
    }

    /// Looks at the files, over and over, until the token is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let Some(config) = self.config.clone() else { return };
        let mut watcher = Watcher { geo: self, config, seen: Vec::new(), tried: None, told_age: None };
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                // What is being read then is read to its end, and forgotten.
                () = stop.cancelled() => return,
                () = watcher.look() => {}
            }
        }
    }

    fn is_stale(&self, facts: &Facts) -> bool {
        self.config.as_ref().is_some_and(|config| age(facts) > config.max_age)
    }

    fn lock(&self) -> MutexGuard<'_, Report> {
        // A report is replaced field by field; a torn one is still a report.
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn age(facts: &Facts) -> Duration {
    facts.built.elapsed().unwrap_or_default()
}

/// What one look found at each file.
type Look = Vec<Stamp>;

struct Watcher {
    geo: Geo,
    config: Arc<config::Geo>,
    seen: Look,
    /// The look whose files were last tried, whether or not they made a table.
    tried: Option<Look>,
    told_age: Option<Instant>,
}

impl Watcher {
    async fn look(&mut self) {
        let found: Look = self.config.files.iter().map(|path| stamp(path)).collect();
        let settled = self.tried.is_none() || found == self.seen;
        self.seen.clone_from(&found);
        if settled && self.tried.as_ref() != Some(&found) {
            self.tried = Some(found);
            self.load().await;
        }
        self.tell_age();
    }

    async fn load(&mut self) {
        let files = self.config.files.clone();
        let loaded = tokio::task::spawn_blocking(move || load(&files)).await;
        let loaded = loaded.unwrap_or_else(|error| Err(whole(format!("the files could not be read: {error}"))));
        match loaded {
            Ok(Loaded { image, files, .. }) => self.take(image, files),
            Err(problems) => {
                for Problem { file, problem } in &problems {
                    tracing::error!(file = %file.display(), problem, "table of countries and systems is not changed");
                }
                self.geo.lock().problems = problems;
            }
        }
    }

    fn take(&mut self, image: Image, files: Vec<(PathBuf, Facts)>) {
        let (bytes, ranges) = (image.size(), image.ranges());
        let same = self.geo.current.borrow().as_ref().is_some_and(|known| known.digest() == image.digest());
        {
            let mut report = self.geo.lock();
            *report = Report {
                files,
                since: report.since.filter(|_| same).or_else(|| Some(SystemTime::now())),
                problems: Vec::new(),
            };
        }
        self.told_age = None;
        if !same {
            tracing::info!(bytes, ranges, digest = image.name(), "table of countries and systems is new");
            self.geo.current.send_replace(Some(image));
        }
    }

    fn tell_age(&mut self) {
        if self.told_age.is_some_and(|told| told.elapsed() < TELL_AGE_EVERY) {
            return;
        }
        let stale: Vec<FileView> = self.geo.view().files.into_iter().filter(|file| file.stale).collect();
        if !stale.is_empty() {
            self.told_age = Some(Instant::now());
        }
        for file in stale {
            let max_age_days = self.config.max_age.as_secs() / 86_400;
            let (path, age_days) = (file.path.display().to_string(), file.age_days);
            tracing::warn!(path, age_days, max_age_days, "file of countries and systems is old, get a newer one");
        }
    }
}

struct Loaded {
    image: Image,
    table: Table,
    files: Vec<(PathBuf, Facts)>,
}

/// One table of these files, for the command line. Blocks, for seconds where files are large.
///
/// # Errors
/// Everything that is wrong with the files.
pub fn table(paths: &[PathBuf]) -> Result<Table, Vec<Problem>> {
    load(paths).map(|loaded| loaded.table)
}

/// Reads every file and builds the table. Blocks, for seconds where files are large.
fn load(paths: &[PathBuf]) -> Result<Loaded, Vec<Problem>> {
    let (mut taker, mut locations, mut problems) = (Taker::default(), HashMap::new(), Vec::new());
    // What refers to locations comes after them, however the files are listed.
    let mut order: Vec<&PathBuf> = paths.iter().collect();
    order.sort_by_key(|path| !File::open(path).is_ok_and(csv::is_locations));
    let mut files = Vec::new();
    for path in order {
        match read::read(path, &mut locations, &mut taker) {
            Ok(facts) => files.push((path.clone(), facts)),
            Err(error) => problems.push(Problem { file: path.clone(), problem: error.to_string() }),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    files.sort_by_key(|(path, _)| paths.iter().position(|known| known == path));
    let bytes = geo::build(taker.into_said()).map_err(|error| whole(words(&error)))?;
    let table =
        Table::load(bytes.clone()).map_err(|error| whole(format!("the table that they make is broken: {error}")))?;
    Ok(Loaded { image: Image::new(bytes, table.ranges()), table, files })
}

fn words(error: &BuildError) -> String {
    match error {
        BuildError::TooLong { .. } => {
            format!("{error}; use a database of countries rather than of cities, and only one file for each of the two")
        }
        BuildError::Country(_) => error.to_string(),
    }
}

fn whole(problem: String) -> Vec<Problem> {
    vec![Problem { file: PathBuf::new(), problem }]
}
