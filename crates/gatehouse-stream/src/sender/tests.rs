//! Scenarios of the sender alone; the pair is checked in `tests/pair.rs`.
