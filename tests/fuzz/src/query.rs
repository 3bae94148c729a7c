//! Every value of a parameter, however it is encoded or repeated, is among those that rules look at.

use gatehouse_signals::query::{MAX_PARAMETERS, parameters, readings, values};

/// See the module.
pub fn check(bytes: &[u8]) {
    assert!(parameters(bytes).count() <= MAX_PARAMETERS);
    for (name, value) in parameters(bytes).take(8) {
        let seen: Vec<_> = readings(bytes, name).collect();
        assert!(seen.iter().any(|reading| **reading == *value), "the value as it was received");
        assert!(values(bytes, name).all(|value| seen.contains(&value)), "each decoded value");
    }
}
