//! The decision: (policy, request, what the worker keeps) to a [`Judged`] request; with its response's status to counts
//! ([`answered`]) and edits ([`respond`]); later, with the outcome, to its record.
//!
//! The gate, `gatehouse explain`, `test` and `replay` all come through here: one engine, one verdict.
//!
//! ```text
//!  Request ──judge()──► Judged { step: Forward(edits) | Reply(reply) | Drop, delay, verdict, subject }
//!                         │ kept by the host until the transaction ends
//!  status ────────────────┼──answered()──► failure limits, familiar clients
//!  response head ─────────┼──respond()───► Pass | Edit | Replace
//!  Head + Outcome ────────┴──record()────► Record (redacted)
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`exchange`] | the phases of one request as types, and [`judge`] |
//! | `decide` | the order of decision, on one screen |
//! | `limits`, `changes`, `knowledge` | counts; what is rolled out and taken back; what is known from elsewhere: all in one [`State`] |
//! | [`mitigate`] | the answer to a mitigated request, in the client's form and language |
//! | [`connect`] | TCP connections: who may open one |
//! | `respond` | rules that read the response |
//! | [`reference`](mod@reference) | reference ids |
//! | [`record`](mod@record) | head, verdict and outcome to the redacted record |

pub mod brake;
mod changes;
pub mod connect;
mod decide;
mod edits;
pub mod exchange;
mod grounds;
mod knowledge;
mod lazy;
mod limits;
pub mod mitigate;
pub mod record;
pub mod reference;
mod request;
mod respond;
mod scratch;
mod state;
mod subject;
mod trace;
mod unjudged;
pub mod verdicts;

pub use brake::Brake;
pub use changes::RolledBack;
pub use decide::action_of;
pub use edits::Pairs;
pub use exchange::{Judged, Reply, Settings, Step, WhenNoPolicy, answered, explain, judge};
/// What [`SharedSlots`] is made of.
pub use gatehouse_meter::shared as slots;
pub use gatehouse_policy::{Field, Fields, Policy, PolicyError};
pub use gatehouse_signals::geo;
pub use gatehouse_signals::sensitive::UsualTexts;
pub use gatehouse_signals::{Claims, Connection, Head, Pair};
pub use limits::{NoSlots, SharedSlots};
pub use record::{Carried, Context, Ended, Outcome, Transaction, connection, record};
pub use reference::References;
pub use request::{Now, Request, ResponseHead};
pub use respond::{Answer, respond};
pub use state::{Counts, State};
pub use subject::{Proof, Subject};
pub use trace::{Step as TraceStep, Sum, Trace};
pub use unjudged::unjudged;
pub use verdicts::Verdicts;
