//! Patterns of identities: a URI as it stands, or a SPIFFE id with `*` for whole segments.
//!
//! | pattern | meets |
//! |---|---|
//! | `spiffe://cluster.local/ns/ops/sa/web` | this id, byte by byte |
//! | `spiffe://cluster.local/ns/ops/sa/*` | one whole segment there |
//! | `spiffe://*/ns/ops/sa/web` | any trust domain (a policy warns of it) |
//! | `spiffe://cluster.local/ns/ops/**` | the rest of the path, one segment at least |
//!
//! A wildcard meets only what a SPIFFE id may hold there, so no other URI slips in by one.

use core::fmt;

use super::{MAX_ID_BYTES, SCHEME, Spiffe, SpiffeError, is_segment, is_trust_domain};

/// Why a text is no pattern of identities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternError {
    /// With its wildcards filled in it could be no SPIFFE id.
    Id(SpiffeError),
    /// `**` stands elsewhere than at the end of the path.
    Rest,
    /// A `*` that is not a whole segment.
    Star,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(error) => error.fmt(f),
            Self::Rest => f.write_str("`**` may stand only at the end of the path"),
            Self::Star => f.write_str("`*` stands for a whole segment, not for a part of one"),
        }
    }
}

impl core::error::Error for PatternError {}

/// `uri`, from a verified certificate, is what `pattern` names. Byte-wise, total, linear; a `pattern` that [`check`] refuses meets
/// nothing by its wildcards.
#[must_use]
pub fn matches(pattern: &[u8], uri: &[u8]) -> bool {
    if !pattern.contains(&b'*') {
        return !pattern.is_empty() && pattern == uri;
    }
    let (Some(pattern), Some(id)) = (pattern.strip_prefix(SCHEME), uri.strip_prefix(SCHEME)) else { return false };
    if uri.len() > MAX_ID_BYTES {
        return false;
    }
    let (mut pattern, mut id) = (segments(pattern).peekable(), segments(id));
    let mut first = true;
    while let Some(piece) = pattern.next() {
        let Some(segment) = id.next() else { return false };
        let fits = if first { is_trust_domain(segment) } else { is_segment(segment) };
        let met = match piece {
            b"**" if !first && pattern.peek().is_none() => return fits && id.all(is_segment),
            b"*" => fits,
            literal => fits && literal == segment,
        };
        if !met {
            return false;
        }
        first = false;
    }
    id.next().is_none()
}

/// Whether `pattern` can be meant so: a SPIFFE id whose segments may be `*`, the last ones `**`.
///
/// # Errors
/// It names no SPIFFE id, or has a wildcard where none may stand.
pub fn check(pattern: &[u8]) -> Result<(), PatternError> {
    let rest = pattern.strip_prefix(SCHEME).ok_or(PatternError::Id(SpiffeError::Scheme))?;
    let mut pieces = segments(rest).enumerate().peekable();
    let mut filled = SCHEME.to_vec();
    while let Some((number, piece)) = pieces.next() {
        if number > 0 {
            filled.push(b'/');
        }
        match piece {
            b"*" => filled.push(b'x'),
            b"**" if number > 0 && pieces.peek().is_none() => filled.push(b'x'),
            b"**" => return Err(PatternError::Rest),
            literal if literal.contains(&b'*') => return Err(PatternError::Star),
            literal => filled.extend_from_slice(literal),
        }
    }
    Spiffe::parse(&filled).map(|_| ()).map_err(PatternError::Id)
}

/// `pattern` does not say which trust domain is meant.
#[must_use]
pub fn any_trust_domain(pattern: &[u8]) -> bool {
    pattern.strip_prefix(SCHEME).and_then(|rest| segments(rest).next()) == Some(b"*")
}

/// The pattern of the service account `NAMESPACE/NAME` (either may be `*`) in a trust domain (which may be `*`).
///
/// # Errors
/// The parts make no pattern: a name is empty, one too many, or holds what none may.
pub fn service_account_pattern(ns_sa: &str, trust_domain: &str) -> Result<String, PatternError> {
    let (namespace, name) = ns_sa.split_once('/').ok_or(PatternError::Id(SpiffeError::Path))?;
    if [namespace, name].iter().any(|part| part.contains('/') || *part == "**") {
        return Err(PatternError::Id(SpiffeError::Path));
    }
    if trust_domain.contains('/') {
        return Err(PatternError::Id(SpiffeError::TrustDomain));
    }
    let pattern = format!("spiffe://{trust_domain}/ns/{namespace}/sa/{name}");
    check(pattern.as_bytes()).map(|()| pattern)
}

fn segments(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'/')
}
