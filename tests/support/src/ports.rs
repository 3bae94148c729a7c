//! Free ports below the kernel's range for outgoing connections (from 32768), so that nothing takes one between a
//! process's end and its restart. Runs in parallel keep apart by a lock file per port, held until the process ends.

use std::fs::{File, TryLockError};
use std::net::TcpListener;
use std::sync::Mutex;

const FIRST: u16 = 18_000;
const LAST: u16 = 31_999;

static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A TCP port on loopback that is free now and that no other run of ours will pick while this process lives.
///
/// # Panics
/// When no port between 18000 and 31999 is free.
pub fn free() -> u16 {
    let folder = std::env::temp_dir().join("gatehouse-ports");
    std::fs::create_dir_all(&folder).expect("a folder for port locks");
    let span = u32::from(LAST - FIRST) + 1;
    let start = std::process::id().wrapping_mul(97) % span;
    for step in 0..span {
        let port = FIRST + ((start + step) % span) as u16;
        let Ok(lock) = File::create(folder.join(port.to_string())) else {
            continue;
        };
        if let Err(TryLockError::WouldBlock | TryLockError::Error(_)) = lock.try_lock() {
            continue;
        }
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            HELD.lock().expect("port locks").push(lock);
            return port;
        }
    }
    panic!("no free port between {FIRST} and {LAST}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn ports_differ_and_can_be_bound() {
        let (a, b) = (super::free(), super::free());
        assert_ne!(a, b);
        assert!(std::net::TcpListener::bind(("127.0.0.1", a)).is_ok());
        assert!(a < 32_768 && b < 32_768);
    }
}
