//! `/status`: what the house knows of itself, as JSON. No secret is in any of these types.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::State;
use super::books::{BooksStatus, SinkAccount};
use crate::geo;
use crate::intake::guarded;
use crate::intake::streams::View;
use crate::ocsf::hex::Hex;
use crate::ocsf::time::Rfc3339;
use crate::packs::PackView;
use crate::policies::{Problem, Snapshot};
use crate::sink::board;
use crate::sink::expiry::Expiry;
use crate::spool::Stat;

/// The whole answer.
#[derive(Debug, Serialize)]
pub struct Status {
    version: &'static str,
    node: String,
    started: String,
    uptime_seconds: u64,
    streams: Vec<StreamStatus>,
    /// The door for gates of other machines.
    gates: Option<guarded::Standing>,
    policy: PolicyStatus,
    brake: super::brake::Brakes,
    geo: GeoStatus,
    lists: Vec<super::verdicts::List>,
    spool: SpoolStatus,
    sinks: Vec<SinkStatus>,
    books: BooksStatus,
    log: LogStatus,
}

#[derive(Debug, Serialize)]
struct StreamStatus {
    node: String,
    node_cluster: String,
    epoch: String,
    stream: u32,
    gate_version: String,
    since: String,
    window_bytes: u32,
    /// Version of the brakes in force there.
    brake: Option<u64>,
    /// Digest of the table of countries and systems in force there.
    table: Option<String>,
    table_longest_step_ns: u64,
    table_refusal: Option<String>,
    policy: Option<Stamp>,
    refusal: Option<Refusal>,
}

#[derive(Debug, Serialize)]
struct Stamp {
    revision: u64,
    digest: String,
}

#[derive(Debug, Serialize)]
struct Refusal {
    revision: u64,
    problem: String,
}

#[derive(Debug, Serialize)]
struct PolicyStatus {
    folder: Option<PathBuf>,
    /// 0: there is none.
    revision: u64,
    digest: Option<String>,
    bytes: usize,
    since: Option<String>,
    files: Vec<String>,
    rules: usize,
    /// Workers in which this very policy is in force, and all that are attached.
    workers_current: usize,
    workers: usize,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    packs: Vec<PackView>,
    rollout: super::policy::Rollout,
}

#[derive(Debug, Serialize)]
struct GeoStatus {
    #[serde(flatten)]
    view: geo::View,
    /// Workers in which this very table is in force, and all that are attached.
    workers_current: usize,
    workers: usize,
}

#[derive(Debug, Serialize)]
struct SpoolStatus {
    bytes: u64,
    free_bytes: u64,
    segments: usize,
    frames: u64,
    records: u64,
    full: bool,
    failed_syncs: u64,
    set_aside_records: u64,
}

#[derive(Debug, Serialize)]
struct SinkStatus {
    name: String,
    kind: &'static str,
    state: board::State,
    since: String,
    problem: Option<String>,
    last_error: Option<String>,
    last_error_at: Option<String>,
    /// Certificate files and until when they are good.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trust: Vec<Expiry>,
    /// Over restarts.
    #[serde(flatten)]
    account: Option<SinkAccount>,
    /// Since this process began.
    process: board::Tallies,
}

#[derive(Debug, Serialize)]
struct LogStatus {
    held_back_lines: u64,
    access_log_dropped_lines: u64,
}

impl Status {
    /// The house at this moment.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let views = state.intake.streams.views();
        let stat = state.spool.stat();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            node: state.node.clone(),
            started: time(state.started),
            uptime_seconds: state.started.elapsed().unwrap_or(Duration::ZERO).as_secs(),
            policy: PolicyStatus::of(state, &views),
            brake: super::brake::Brakes::of(state),
            geo: GeoStatus::of(state, &views),
            lists: super::verdicts::List::all(state),
            streams: views.into_iter().map(StreamStatus::from).collect(),
            gates: state.door.as_ref().map(|door| door.standing()),
            sinks: state.sinks.iter().map(|board| SinkStatus::of(board.status(), &stat)).collect(),
            spool: SpoolStatus::of(&stat, state.intake.is_closed()),
            books: BooksStatus::of(state.intake.books()),
            log: LogStatus {
                held_back_lines: state.log.held_back(),
                access_log_dropped_lines: state.intake.access_log_dropped(),
            },
        }
    }
}

impl GeoStatus {
    fn of(state: &State, views: &[View]) -> Self {
        let view = state.standing.geo.view();
        let has = |theirs: &View| view.digest.as_ref() == Some(&Hex(&theirs.table).to_string());
        Self { workers_current: views.iter().filter(|theirs| has(theirs)).count(), workers: views.len(), view }
    }
}

impl From<View> for StreamStatus {
    fn from(view: View) -> Self {
        Self {
            node: view.node,
            node_cluster: view.node_cluster,
            epoch: Hex(view.epoch.to_be_bytes()).to_string(),
            stream: view.stream_no,
            gate_version: view.gate_version,
            since: time(view.since),
            window_bytes: view.window,
            brake: view.brake,
            table: (!view.table.is_empty()).then(|| Hex(&view.table).to_string()),
            table_longest_step_ns: view.table_longest_step_ns,
            table_refusal: view.table_refusal,
            policy: view.policy.map(|(revision, digest)| Stamp { revision, digest: Hex(digest).to_string() }),
            refusal: view.refusal.map(|(revision, problem)| Refusal { revision, problem }),
        }
    }
}

impl PolicyStatus {
    fn of(state: &State, views: &[View]) -> Self {
        let report = state.policies.report();
        let current = state.policies.current();
        Self {
            folder: report.folder,
            bytes: current.as_ref().map_or(0, Snapshot::size),
            workers_current: super::workers_current(views, current.as_ref()),
            workers: views.len(),
            revision: current.as_ref().map_or(0, Snapshot::revision),
            digest: current.map(|snapshot| Hex(snapshot.digest()).to_string()),
            since: report.since.map(time),
            files: report.files,
            rules: report.rules,
            problems: report.problems,
            warnings: report.warnings,
            packs: report.packs,
            rollout: super::policy::Rollout::of(state),
        }
    }
}

impl SpoolStatus {
    /// `closed`: no gate may send.
    fn of(stat: &Stat, closed: bool) -> Self {
        Self {
            bytes: stat.bytes,
            free_bytes: stat.free_bytes,
            segments: stat.segments,
            frames: stat.frames,
            records: stat.records,
            full: stat.full || closed,
            failed_syncs: stat.failed_syncs,
            set_aside_records: stat.set_aside.records,
        }
    }
}

impl SinkStatus {
    fn of(status: board::Status, stat: &Stat) -> Self {
        let reader = stat.readers.iter().find(|reader| reader.name == status.name);
        let account = reader.map(|reader| SinkAccount::of(reader, stat));
        Self {
            name: status.name,
            kind: status.kind,
            state: status.state,
            since: status.since,
            problem: status.problem,
            last_error: status.last_error,
            last_error_at: status.last_error_at,
            trust: status.trust,
            account,
            process: status.tallies,
        }
    }
}

fn time(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Rfc3339(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)).to_string()
}
