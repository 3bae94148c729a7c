//! Clients that mean a gate of connections harm, the same for the filter in Envoy and for `gatehouse guard`; and who behaves beside them.
//!
//! | module | holds |
//! |---|---|
//! | [`beside`] | one who behaves: what a visit takes at the gate that is attacked, and at one like it that is not |
//! | [`garbage`] | bytes that no client of TLS sends |
//! | [`halfway`] | handshakes that never end, clients that send a byte at a time, clients that do not listen |
//! | [`shapes`] | certificates with many names, long chains, padded ones |
//! | [`storm`] | 100,000 connects a minute |
//! | [`turns`] | which tests run beside each other |

pub mod beside;
pub mod garbage;
pub mod halfway;
pub mod shapes;
pub mod storm;
pub mod turns;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process, and those that it starts from now on, have as many files open as they may at all, up to 100,000: shells give 1,024.
/// How many that is.
///
/// # Panics
/// When the system refuses what it allows.
pub fn many_files() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let most = maximum.map_or(100_000, |maximum| maximum.min(100_000));
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum }).expect("as many files as may be");
    usize::try_from(most).expect("a number of files")
}
