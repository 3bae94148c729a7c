//! How long a limited client has to wait, and by which limit: `retry-after` (RFC 9110, 10.2.3) and the fields `ratelimit` and
//! `ratelimit-policy` of draft-ietf-httpapi-ratelimit-headers-11 (23 May 2026), which are lists of strings with parameters
//! (RFC 9651).
//!
//! Only on refusals, so `r` is always 0; `t` is the time to wait, for the draft asks that `retry-after` end no earlier. There is
//! no partition key: it would tell by what we count.

use core::fmt::Write as _;

use super::headers::Headers;
use super::input::Quota;

const SECOND_NS: u64 = 1_000_000_000;
/// Longest wait that is told, a year: a limit may say "never".
const MAX_WAIT_S: u64 = 365 * 24 * 3600;
/// Largest integer of a structured field (RFC 9651, 3.3.1).
const MAX_INTEGER: u64 = 999_999_999_999_999;
/// Longest name of a limit.
const MAX_NAME: usize = 64;

/// Whole seconds, rounded up, from one to a year.
pub(super) fn seconds(wait_ns: u64) -> u32 {
    u32::try_from(wait_ns.div_ceil(SECOND_NS).clamp(1, MAX_WAIT_S)).unwrap_or(u32::MAX)
}

/// Writes the fields of a limit.
pub(super) fn tell(headers: &mut Headers, wait_s: u32, quota: Option<&Quota<'_>>) {
    headers.set("retry-after", wait_s.to_string());
    if let Some(quota) = quota {
        let (mut now, mut policy) = (name(quota.name), name(quota.name));
        let window_s = quota.window_ns.div_ceil(SECOND_NS).max(1);
        // Writing to a string does not fail.
        let _ = write!(now, ";r=0;t={wait_s}");
        let _ = write!(policy, ";q={};w={window_s}", quota.quota.min(MAX_INTEGER));
        headers.set("ratelimit", now);
        headers.set("ratelimit-policy", policy);
    }
}

/// A string of structured fields (RFC 9651, 3.3.3), with room for its parameters; what it cannot hold is left out.
fn name(name: &str) -> String {
    let mut out = String::with_capacity(name.len().min(MAX_NAME) + 48);
    out.push('"');
    for c in name.chars().filter(|c| matches!(c, ' '..='~')).take(MAX_NAME) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    if out.len() == 1 {
        out.push_str("default");
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds_and_bounded() {
        for (wait_ns, wait_s) in
            [(0, 1), (1, 1), (SECOND_NS, 1), (SECOND_NS + 1, 2), (600 * SECOND_NS, 600), (u64::MAX, 31_536_000)]
        {
            assert_eq!(seconds(wait_ns), wait_s);
        }
    }

    #[test]
    fn names_are_strings_of_structured_fields() {
        assert_eq!(name("login"), r#""login""#);
        assert_eq!(name("a\"b\\c\r\né"), r#""a\"b\\c""#);
        assert_eq!(name("\n"), r#""default""#);
        assert_eq!(name(&"n".repeat(1000)).len(), MAX_NAME + 2);
    }
}
