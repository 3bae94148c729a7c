//! The Kafka sink against a real broker: nothing is missing, whatever happens on the way.
#![cfg(feature = "kafka")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test ends at its first surprise"
)]

mod delivery;
mod fatal;
mod house;
mod rights;
mod trust;
mod words;

#[expect(dead_code, reason = "not every helper is wanted here")]
#[path = "../house/mod.rs"]
mod live;
#[expect(dead_code, reason = "the broker has certificates of its own")]
#[path = "../../src/sink/tests/pki.rs"]
mod pki;
