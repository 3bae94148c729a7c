//! Every value of a cookie, over every header, quoted or encoded, is among those that rules look at.

use gatehouse_signals::cookie::{MAX_COOKIES, cookies, readings, values};

use crate::given::Given;

/// Headers; those named `cookie` count.
pub fn check(bytes: &[u8]) {
    let given = Given::read(bytes);
    let pairs = given.pairs();
    let head = given.head(&pairs);
    assert!(cookies(&head).count() <= MAX_COOKIES);
    for (name, value) in cookies(&head).take(8) {
        assert_eq!((name.trim_ascii(), value.trim_ascii()), (name, value));
        let seen: Vec<_> = readings(&head, name).collect();
        assert!(seen.iter().any(|reading| **reading == *value), "the value as it was received");
        assert!(values(&head, name).all(|value| seen.contains(&value)), "each decoded value");
    }
}
