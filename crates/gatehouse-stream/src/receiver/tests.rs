//! Scenarios of the receiver alone; the pair is checked in `tests/pair.rs`.
