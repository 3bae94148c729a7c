//! TCP connections: who may open one, by what is known before a byte of it goes on.
//!
//! ```text
//!  Opening (connection, host, now) ──admit()──► Judged: allowed or rejected ──connection()──► record
//! ```
//! The documents of `kind: TcpPolicy` hold; the order of decision, modes, roll-out and rollback are those of requests.

mod lines;

pub use lines::Lines;

use gatehouse_policy::{Fields, Policy};
use gatehouse_signals::host::{Host, mesh_name};
use gatehouse_signals::{Claims, Connection, Head};
use gatehouse_verdict::{Action, Reason, Verdict};

use crate::exchange::{Judged, Settings};
use crate::request::{Now, Request};
use crate::state::State;
use crate::trace::Trace;

/// A connection that somebody opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// What is known of it.
    pub connection: &'a Connection,
    /// Whom the client wants to reach, canonical ([`destination`]); empty: not known.
    pub host: &'a [u8],
    /// When.
    pub now: Now,
}

impl<'a> Opening<'a> {
    /// `known`: as [`Request::known`] is.
    pub(crate) fn request(&self, known: Fields) -> Request<'a> {
        let head = Head::new(&[], self.connection);
        Request { head, claims: Claims::Unknown, known, now: self.now }
    }
}

/// Whom the client wants to reach by its server name, canonical: the host of a name of the mesh (`outbound_.PORT_.SUBSET_.HOST`), or
/// the name itself. Empty: it sent none.
#[must_use]
pub fn destination(connection: &Connection) -> Vec<u8> {
    let sni = connection.sni.as_deref().unwrap_or_default().as_bytes();
    Host::parse(mesh_name(sni).unwrap_or(sni)).name.into_owned()
}

/// Judges one connection. Total. Where no document speaks of its host, what holds without a policy holds.
#[must_use]
pub fn admit(policy: Option<&Policy>, settings: &Settings, opening: &Opening<'_>, state: &mut State) -> Judged {
    crate::decide::admit(policy, settings, (opening, Fields::ALL), state, None)
}

/// The same, and the whole way to the verdict. `known`: the fields that whoever tells of the connection knows of one at all; a gate and a
/// guard: all of them.
#[must_use]
pub fn explain_connection(
    policy: Option<&Policy>,
    settings: &Settings,
    opening: &Opening<'_>,
    known: Fields,
    state: &mut State,
) -> (Judged, Trace) {
    let mut trace = Trace::default();
    let judged = crate::decide::admit(policy, settings, (opening, known), state, Some(&mut trace));
    (judged, trace)
}

/// A connection that had not proven who opens it by the time that there is for it, or that could not be read: rejected.
#[must_use]
pub fn overdue(connection: &Connection) -> Judged {
    let verdict = Verdict { action: Some(Action::Drop), reason: Reason::Unproven, ..Verdict::default() };
    Judged::unjudged(verdict, connection.peer)
}

/// The words of the log for a verdict: `allowing: spiffe://…`, `rejecting: spiffe://…`; who and where to as [`parties`] has it.
#[must_use]
pub fn log_line(judged: &Judged, connection: &Connection, host: &[u8]) -> String {
    let word = if judged.verdict.mitigates() { "rejecting" } else { "allowing" };
    let rule = judged.verdict.rule.as_deref().unwrap_or(judged.verdict.reason.as_str());
    format!("{word}: {} ({rule})", parties(connection, host))
}

/// Who opens a connection, and to whom: `spiffe://… to orders.internal`; of one without a verified identity `no identity`, with the
/// address. `host` empty: it is not known.
#[must_use]
pub fn parties(connection: &Connection, host: &[u8]) -> String {
    let verified = connection.peer_uri.as_deref().filter(|_| connection.mutual_tls == Some(true));
    let who = verified.map_or_else(
        || connection.peer.map_or_else(|| "no identity".to_owned(), |peer| format!("no identity, from {peer}")),
        printable,
    );
    let host = printable(&String::from_utf8_lossy(host));
    if host.is_empty() { who } else { format!("{who} to {host}") }
}

/// Without what could break a line, and not longer than an identity may be.
fn printable(text: &str) -> String {
    text.chars().take(gatehouse_signals::identity::MAX_ID_BYTES).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests;
