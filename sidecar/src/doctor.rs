//! Is this gateway healthy, and if not, what to type next: `gatehouse doctor`.
//!
//! What Envoy says of itself ([`dump`]) and what the house says become facts; [`checks`] judges them. Everything that was read is the text of
//! a stranger: it is cut and made printable before it is shown.

pub mod checks;
pub mod cluster;
mod connections;
pub mod dump;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use crate::render::Values;
use crate::terminal::{Paint, plain};

pub use cluster::Cluster;

/// Longest text of a stranger that is shown.
const MAX_SHOWN: usize = 200;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// Not so; something is to be done.
    Wrong,
    /// It could not be looked at.
    Unknown,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it ended.
    pub state: State,
    /// What was seen.
    pub said: String,
    /// What to type next, or to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What is known before it is judged; what nobody told is `None`.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// `/server_info` of Envoy.
    pub server: Option<Value>,
    /// `/config_dump` of Envoy.
    pub config: Option<Value>,
    /// `/stats?format=json` of Envoy.
    pub stats: Option<Value>,
    /// `/status` of the house, or why there is none.
    pub house: Option<Result<Value, String>>,
    /// SHA-256 of the gate's module by its file, as far as it could be read.
    pub digests: BTreeMap<String, String>,
    /// What the operator wrote of this place.
    pub values: Option<Values>,
}

/// All checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Nothing is wrong.
    pub ok: bool,
    /// In the order in which to mend them.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Judges what is known.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let findings = checks::all(facts);
        Self { ok: findings.iter().all(|finding| finding.state != State::Wrong), findings }
    }

    /// Judges a cluster in which these values are to be installed.
    #[must_use]
    pub fn before(cluster: &Cluster, values: &Values) -> Self {
        let findings = cluster::checks(cluster, values);
        Self { ok: findings.iter().all(|finding| finding.state != State::Wrong), findings }
    }

    /// For people.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        for Finding { check, state, said, next } in &self.findings {
            match state {
                State::Ok => writeln!(out, "{}       {check}: {said}", paint.green("ok"))?,
                State::Wrong => writeln!(out, "{}    {check}: {said}", paint.red("wrong"))?,
                State::Unknown => writeln!(out, "{}  {check}: {said}", paint.yellow("unknown"))?,
            }
            if let Some(next) = next {
                writeln!(out, "         next: {next}")?;
            }
        }
        let wrong = self.findings.iter().filter(|finding| finding.state == State::Wrong).count();
        let unknown = self.findings.iter().filter(|finding| finding.state == State::Unknown).count();
        writeln!(out, "{} checks, {wrong} wrong, {unknown} unknown", self.findings.len())
    }
}

/// Files from which Envoy has the gate, as its configuration names them.
#[must_use]
pub fn modules(config: &Value) -> Vec<String> {
    let dump::Dump { chains, fronts, .. } = dump::Dump::read(config);
    let of_requests = chains.into_iter().flat_map(|chain| chain.filters).filter_map(|filter| filter.gate);
    let of_connections = fronts.into_iter().filter_map(|front| front.gate.ok());
    of_requests.chain(of_connections).filter_map(|gate| gate.file).collect()
}

/// A stranger's text, cut and printable.
fn shown(text: &str) -> String {
    plain(&text.chars().take(MAX_SHOWN).collect::<String>())
}
