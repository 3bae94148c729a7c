//! The decision: (policy, request head, reference source) to a [`Judged`] request; later, with the outcome, to its record.
//!
//! The gate, `gatehouse explain` and `gatehouse replay` all come through here: one engine, one verdict.
//!
//! ```text
//!  Head ──judge()──► Judged { step: Forward(edits) | Reply(reply), verdict, policy }
//!                       │ kept by the host until the transaction ends
//!  Head + Outcome ──────┴──record()──► Record (redacted)
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`exchange`] | the phases of one request as types, and [`judge`] |
//! | [`decide`] | the order of decision, on one screen |
//! | [`mitigate`] | the reply to a mitigated request; the header edits of a forwarded one |
//! | [`reference`](mod@reference) | reference ids |
//! | [`record`](mod@record) | head, verdict and outcome to the redacted record |

pub mod decide;
pub mod exchange;
pub mod mitigate;
pub mod record;
pub mod reference;

pub use exchange::{Judged, Reply, Settings, Step, WhenNoPolicy, judge};
pub use gatehouse_policy::{Policy, PolicyError};
pub use gatehouse_signals::{Connection, Head, Pair};
pub use record::{Context, Outcome, record};
pub use reference::References;
