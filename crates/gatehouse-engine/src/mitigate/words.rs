//! Our own words to a refused client, in each language that there is. They hold no character that HTML or JSON would have to escape
//! (a test holds it).

mod table;

use super::problem::Problem;

pub(super) use table::{ENGLISH, LANGUAGES};

/// One language's words.
#[derive(Debug)]
pub(super) struct Words {
    /// For `content-language` and `lang`.
    pub(super) tag: &'static str,
    /// Further tags that are served by these words, where shortening does not lead here.
    also: &'static [&'static str],
    /// What it is, and one sentence about it, by problem.
    ambiguous: (&'static str, &'static str),
    blocked: (&'static str, &'static str),
    no_policy: (&'static str, &'static str),
    limited: (&'static str, &'static str),
    /// What stands before and after the time in "try again in …".
    again: (&'static str, &'static str),
    /// Seconds, minutes, hours: short forms that do not change with the number.
    units: [&'static str; 3],
    pub(super) reference: &'static str,
    /// Asks to name the reference.
    pub(super) quote: &'static str,
}

impl Words {
    /// These words serve the language tag.
    pub(super) fn has_tag(&self, tag: &[u8]) -> bool {
        let is = |own: &str| own.as_bytes().eq_ignore_ascii_case(tag);
        is(self.tag) || self.also.iter().any(|own| is(own))
    }

    /// Title and sentence.
    pub(super) const fn told(&self, problem: Problem) -> (&'static str, &'static str) {
        match problem {
            Problem::AmbiguousRequest => self.ambiguous,
            Problem::Blocked => self.blocked,
            Problem::NoPolicy => self.no_policy,
            Problem::RateLimited => self.limited,
        }
    }

    /// Writes when to try again: seconds below two minutes, minutes below two hours, then hours, each rounded up.
    pub(super) fn push_again(&self, out: &mut String, wait_s: u32) {
        let [seconds, minutes, hours] = self.units;
        let (number, unit) = match wait_s {
            0..120 => (wait_s, seconds),
            120..7200 => (wait_s.div_ceil(60), minutes),
            _ => (wait_s.div_ceil(3600), hours),
        };
        let (before, after) = self.again;
        out.push_str(before);
        out.push_str(&number.to_string());
        // Not to be torn from its number.
        out.push('\u{a0}');
        out.push_str(unit);
        out.push_str(after);
    }
}
