//! Sensitive-data classes in text, path segments and parameter values.
//!
//! Judged by form alone, in one linear pass that allocates only when something is found. The rules lean towards finding:
//! a slug taken for a token costs a readable path, a token taken for a slug costs a secret.

mod credentials;
mod digits;
mod runs;
mod scan;
mod usual;

use core::ops::Range;

use crate::percent;

pub use usual::UsualTexts;

/// How often a percent-encoded segment or value is decoded before it is judged, at most.
pub const MAX_DECODES: usize = 3;

/// What kind of sensitive value a text holds. Where two claim the same bytes, the earlier one here names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// JSON Web Token (RFC 7519).
    Jwt,
    /// A key with the well-known prefix of its issuer.
    ApiKey,
    /// Payment card number: 13 to 19 digits, single blanks or dashes between them, with a right check digit (ISO/IEC 7812).
    Card,
    /// Credentials of basic authentication (RFC 7617), or the user information of a URI.
    Basic,
    /// What follows the word `Bearer` (RFC 6750).
    Bearer,
    /// Email address.
    Email,
    /// Telephone number in international form (E.164), with its plus sign.
    Phone,
    /// A long run that looks drawn at random: session ids, hashes, keys of unknown issuers.
    Token,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 8] =
        [Self::Jwt, Self::ApiKey, Self::Card, Self::Basic, Self::Bearer, Self::Email, Self::Phone, Self::Token];

    /// Stable lower-case name, used in records: `api_key`, `card` …
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::ApiKey => "api_key",
            Self::Card => "card",
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Token => "token",
        }
    }
}

/// One find: where, and what.
type Found = (Range<usize>, Class);

/// Every sensitive value in `text`, as it stands (nothing is decoded), in order and disjoint. Linear in the length of the text,
/// which the caller bounds; there is at most one find for five of its bytes.
pub fn find(text: &[u8]) -> impl Iterator<Item = (Range<usize>, Class)> + use<> {
    let mut found = scan::scan(text).0;
    if found.len() > 1 {
        found.sort_unstable_by_key(|(range, _)| range.start);
        found.dedup_by(|(next, next_class), (kept, class)| {
            let joined = next.start < kept.end;
            if joined {
                kept.end = kept.end.max(next.end);
                *class = (*class).min(*next_class);
            }
            joined
        });
    }
    found.into_iter()
}

/// All of `text` is printable ASCII without a percent sign, and nothing sensitive stands in it: it may be shown as it is. As linear
/// as [`find`].
#[must_use]
pub fn is_plain(text: &[u8]) -> bool {
    let (found, plain) = scan::scan(text);
    plain && found.is_empty()
}

/// The class of a whole path segment or parameter value, percent-encoding undone up to [`MAX_DECODES`] times; `None`: nothing
/// sensitive was found in it.
#[must_use]
pub fn classify_segment(segment: &[u8]) -> Option<Class> {
    if segment.len() < scan::MIN_TEXT_BYTES {
        return None;
    }
    let class = |text: &[u8]| scan::scan(text).0.into_iter().map(|(_, class)| class).min();
    let mut text = std::borrow::Cow::Borrowed(segment);
    for _ in 0..MAX_DECODES {
        if let Some(class) = class(&text) {
            return Some(class);
        }
        match percent::decode(&text) {
            std::borrow::Cow::Owned(decoded) if decoded != *text => text = decoded.into(),
            _ => return None,
        }
    }
    class(&text)
}

#[cfg(test)]
mod tests;
