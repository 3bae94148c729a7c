//! Values that say what they are: `Bearer …`, JSON Web Tokens, prefixed keys, email addresses, user information of a URI.

use super::{Class, Found};

/// Longest local part of an email address (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL_BYTES: usize = 64;

/// Prefixes that issuers give their keys, and the fewest bytes that must follow.
pub(super) const PREFIXES: [(&[u8], usize); 38] = [
    (b"sk_live_", 8),
    (b"sk_test_", 8),
    (b"pk_live_", 8),
    (b"pk_test_", 8),
    (b"rk_live_", 8),
    (b"rk_test_", 8),
    (b"whsec_", 12),
    (b"AKIA", 16),
    (b"ASIA", 16),
    (b"ghp_", 12),
    (b"gho_", 12),
    (b"ghu_", 12),
    (b"ghs_", 12),
    (b"ghr_", 12),
    (b"github_pat_", 12),
    (b"glpat-", 12),
    (b"xoxb-", 8),
    (b"xoxp-", 8),
    (b"xoxa-", 8),
    (b"xoxr-", 8),
    (b"xoxs-", 8),
    (b"xapp-", 12),
    (b"AIza", 16),
    (b"ya29.", 12),
    (b"SG.", 16),
    (b"npm_", 16),
    (b"pypi-", 16),
    (b"hf_", 16),
    (b"sk-", 16),
    (b"shpat_", 12),
    (b"shpss_", 12),
    (b"dop_v1_", 12),
    (b"sq0atp-", 12),
    (b"sq0csp-", 12),
    (b"key-", 16),
    (b"EAACEdEose0cBA", 4),
    (b"dapi", 32),
    (b"hvs.", 16),
];

/// What `Bearer`, `Basic` and `eyJ` begin with.
pub(super) const WORDS: &[u8] = b"Bbe";

/// For each first byte (its low five bits) a bit for each second byte (likewise) of [`WORDS`] and [`PREFIXES`]: it tells nearly
/// every other word from them.
const SECONDS: [u32; 32] = seconds();

#[expect(clippy::indexing_slicing, reason = "five bits are below 32, and constants are made before anything runs")]
const fn seconds() -> [u32; 32] {
    // `bearer`, `basic`, `eyJ`.
    let mut seconds = [0; 32];
    seconds[(b'b' & 31) as usize] = 1 << (b'e' & 31) | 1 << (b'a' & 31);
    seconds[(b'e' & 31) as usize] = 1 << (b'y' & 31);
    let mut rest: &[(&[u8], usize)] = &PREFIXES;
    while let [(prefix, _), others @ ..] = rest {
        if let [first, second, ..] = prefix {
            seconds[(*first & 31) as usize] |= 1 << (*second & 31);
        }
        rest = others;
    }
    seconds
}

/// The word at `at` may be one that says what it is.
#[inline]
pub(super) fn may_begin(text: &[u8], at: usize) -> bool {
    let Some([first, second]) = text.get(at..at + 2) else { return false };
    SECONDS.get(usize::from(*first & 31)).is_some_and(|seconds| seconds >> (*second & 31) & 1 != 0)
}

/// How many bytes after a prefix are looked at to tell a key from a word.
const JUDGED_BYTES: usize = 64;

/// What the word or the mark at `at` belongs to. Returns where the search goes on.
pub(super) fn at(runs: &mut Runs<'_>, at: usize, found: &mut Vec<Found>) -> usize {
    let hit = match runs.text.get(at) {
        Some(b'@') => email(runs.text, at),
        Some(b':') => userinfo(runs.text, at),
        _ => word(runs, at),
    };
    let Some((range, class)) = hit else { return at + 1 };
    found.push((range.clone(), class));
    // What follows `Bearer` is looked into: it may be of a class that says more.
    if class == Class::Bearer { range.start } else { range.end }
}

/// Remembers where the run of token characters and dots ends, and its next dot: each is searched for once, so that a long run
/// with many beginnings stays linear.
pub(super) struct Runs<'a> {
    text: &'a [u8],
    end: usize,
    dot: usize,
}

impl<'a> Runs<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, end: 0, dot: 0 }
    }

    /// End of the run that holds `at`.
    fn end(&mut self, at: usize) -> usize {
        if self.end <= at {
            let rest = self.text.get(at..).unwrap_or_default();
            self.end = at + rest.iter().take_while(|b| is_token(**b) || **b == b'.').count();
        }
        self.end
    }

    /// The first dot of the run from `at` on; the run's end where there is none.
    fn dot(&mut self, at: usize) -> usize {
        if self.dot < at {
            let rest = self.text.get(at..self.end(at)).unwrap_or_default();
            self.dot = at + rest.iter().take_while(|b| **b != b'.').count();
        }
        self.dot
    }
}

/// What begins with the word at `at`.
fn word(runs: &mut Runs<'_>, at: usize) -> Option<Found> {
    let rest = runs.text.get(at..)?;
    match rest.first()? {
        b'b' | b'B' => scheme(rest, at),
        b'e' => jwt(runs, rest, at),
        _ => None,
    }
    .or_else(|| prefixed(runs, rest, at))
}

/// `Bearer x`, `Basic x`: the range is `x`.
fn scheme(rest: &[u8], at: usize) -> Option<Found> {
    let is = |word: &[u8]| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let (length, class) = if is(b"bearer") {
        (6, Class::Bearer)
    } else if is(b"basic") {
        (5, Class::Basic)
    } else {
        return None;
    };
    let after = rest.get(length..)?;
    let gap = after.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'+' | b':' | b'=')).count();
    let value =
        after.get(gap..)?.iter().take_while(|b| !b.is_ascii_whitespace() && !b"\"',;&<>(){}".contains(b)).count();
    let start = at + length + gap;
    (gap > 0 && value > 0).then(|| (start..start + value, class))
}

/// Two or more parts of base64url, the first of which begins as a JSON object does.
fn jwt(runs: &mut Runs<'_>, rest: &[u8], at: usize) -> Option<Found> {
    if !rest.starts_with(b"eyJ") {
        return None;
    }
    let (end, dot) = (runs.end(at), runs.dot(at));
    let second = runs.text.get(dot + 1..end)?.iter().take(4).filter(|b| is_token(**b)).count();
    (dot >= at + 8 && second == 4).then_some((at..end, Class::Jwt))
}

fn prefixed(runs: &mut Runs<'_>, rest: &[u8], at: usize) -> Option<Found> {
    // The second byte tells nearly all words from nearly all prefixes, without comparing slices.
    let may = |prefix: &[u8]| prefix.get(1) == rest.get(1);
    let (prefix, fewest) = PREFIXES.iter().find(|(prefix, _)| may(prefix) && rest.starts_with(prefix))?;
    let end = runs.end(at);
    let tail = runs.text.get(at + prefix.len()..end)?;
    let judged = || tail.iter().take(JUDGED_BYTES);
    let mixed = judged().any(u8::is_ascii_digit)
        || (judged().any(u8::is_ascii_uppercase) && judged().any(u8::is_ascii_lowercase));
    // A prefix that says `live` or `test` is a key whatever follows; a short one may begin a plain word.
    let certain = *fewest == 8;
    (tail.len() >= *fewest && (mixed || certain)).then_some((at..end, Class::ApiKey))
}

/// The email address around the `@` at `at`.
fn email(text: &[u8], at: usize) -> Option<Found> {
    let local = text.get(..at)?.iter().rev().take(MAX_LOCAL_BYTES).take_while(|b| is_local(**b)).count();
    let after = text.get(at + 1..)?;
    let length = after.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | 0x80..)).count();
    let domain = after.get(..length)?;
    let domain = domain.trim_ascii_end();
    let domain = domain.strip_suffix(b".").unwrap_or(domain);
    let last = domain.rsplit(|byte| *byte == b'.').next()?;
    let is_name = last.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80) || last.starts_with(b"xn--");
    let real = local > 0 && last.len() < domain.len() && last.len() >= 2 && is_name;
    real.then(|| (at - local..at + 1 + domain.len(), Class::Email))
}

/// `://user:password@`: the range is what stands before the last `@` of the authority.
fn userinfo(text: &[u8], at: usize) -> Option<Found> {
    let authority = text.get(at..)?.strip_prefix(b"://")?;
    let length =
        authority.iter().take_while(|b| !matches!(b, b'/' | b'?' | b'#' | b'"' | b'<' | b'>' | 0..=b' ')).count();
    let before = authority.get(..length)?.iter().rposition(|byte| *byte == b'@')?;
    (before > 0).then(|| (at + 3..at + 3 + before, Class::Basic))
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-' | b'\'' | b'~' | 0x80..)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}
