//! The words that all sides share: what was decided ([`Verdict`]), why ([`Reason`]), and the transaction [`Record`].
//!
//! | module | holds |
//! |---|---|
//! | [`verdict`] | actions, modes, verdicts, would-have entries |
//! | [`grounds`] | what a verdict rested on |
//! | [`record`] | the transaction record as a domain type; its wire form is in `gatehouse-proto` |
//! | [`redact`] | sensitive-data classes, keyed hashes, and what replaces a sensitive value |
//!
//! Nothing of ours is used here, and nothing here knows a clock, a socket or Envoy.

pub mod grounds;
pub mod record;
pub mod redact;
pub mod verdict;

pub use record::Record;
pub use verdict::{Action, Mode, Reason, Verdict, WouldHave};
