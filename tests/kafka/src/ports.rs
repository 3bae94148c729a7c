//! Free ports on loopback.

use std::net::TcpListener;
use std::sync::Mutex;

/// Below the range from which outgoing connections take theirs (32768 and up on Linux): none is taken between a kill and a
/// restart.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Ports that were free a moment ago, different ones with every call.
pub(crate) fn free<const N: usize>() -> [u16; N] {
    static NEXT: Mutex<Option<u16>> = Mutex::new(None);
    let mut next = NEXT.lock().unwrap();
    let begin = || RANGE.start + (std::process::id() % 240) as u16 * 50;
    let mut port = next.unwrap_or_else(begin);
    let ports = std::array::from_fn(|_| {
        loop {
            port = if port + 1 < RANGE.end { port + 1 } else { RANGE.start };
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    });
    *next = Some(port);
    ports
}
