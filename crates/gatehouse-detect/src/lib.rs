//! Records to abuse findings and proposed verdicts.
//!
//! Nothing lives here yet. The crate exists so that its border (verdict, signals, meter) holds from the start.
