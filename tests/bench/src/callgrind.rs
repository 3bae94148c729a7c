//! Counting instructions: a program runs itself under valgrind's callgrind, which counts while [`counted_calls`] runs.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Call;

/// Instructions inside [`counted_calls`] of this program, started with `words`; what callgrind writes is kept in `out`.
///
/// # Errors
/// There is no valgrind, the program fails under it, or it never came to its counted calls.
pub fn count<W: AsRef<std::ffi::OsStr>>(words: &[W], out: &Path) -> io::Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted_calls*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(words)
        .stdin(Stdio::null());
    let status = valgrind.status().map_err(|error| io::Error::other(format!("valgrind: {error}")))?;
    if !status.success() {
        return Err(io::Error::other(format!("valgrind ended with {status}")));
    }
    total(&fs::read_to_string(out)?).ok_or_else(|| io::Error::other("callgrind counted nothing"))
}

/// Callgrind counts while this runs.
#[inline(never)]
pub fn counted_calls(call: &mut Call, calls: u32) {
    (0..calls).for_each(|_| call());
}

/// The number behind `summary:` or `totals:` of callgrind's file.
fn total(file: &str) -> Option<u64> {
    let line = file.lines().find_map(|line| line.strip_prefix("summary:").or_else(|| line.strip_prefix("totals:")))?;
    line.trim().parse().ok().filter(|count| *count > 0)
}
