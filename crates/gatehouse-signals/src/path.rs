//! One request, one reading: the canonical path, its other readings, and why there are any.

mod class;
mod readings;
mod scan;
mod segments;
mod shape;

use std::borrow::Cow;

pub use class::{MAX_CLASS_BYTES, MAX_CLASS_SEGMENTS, PathClass, class};

/// How many other readings a path may have, at most; a path with more is [`Ambiguity::ManyReadings`].
pub const MAX_READINGS: usize = 4;

/// The target of a request, read once for judging. The gate never rewrites what it forwards.
///
/// Canonical means: rooted, percent-encoding of unreserved characters undone, hex digits in upper case, bytes that may not
/// stand in a path encoded, dot segments removed (RFC 3986, 5.2.4), then slashes merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path<'a> {
    /// The canonical path; `*` for the asterisk form; `/` where none was sent (CONNECT).
    pub canonical: Cow<'a, [u8]>,
    /// What follows the first `?`, without fragment, as received.
    pub query: Option<&'a [u8]>,
    /// The authority of an absolute-form target (RFC 9112, 3.2.2), as received.
    pub authority: Option<&'a [u8]>,
    /// What other software behind the gate may take the path for, each canonical for that software; at most
    /// [`MAX_READINGS`], distinct from each other and from `canonical`.
    pub readings: Vec<Vec<u8>>,
    /// There are more readings than these; never where the gravest reason is a lesser one than [`Ambiguity::ManyReadings`].
    pub has_more: bool,
    /// The gravest reason why there is more than one reading; `None`: there is one.
    pub ambiguity: Option<Ambiguity>,
}

/// Why a path has more than one reading; the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ambiguity {
    /// A control byte, raw or encoded once (`%00`).
    ControlByte,
    /// A backslash, raw or encoded: a slash to some.
    Backslash,
    /// `%2F`: a slash to some.
    EscapedSlash,
    /// A dot or a slash in more bytes than UTF-8 allows (`%C0%AF`).
    Overlong,
    /// A dot segment with parameters (`..;x`): a dot segment to those who drop parameters first.
    DotSegmentParameter,
    /// `%25` before two hex digits: another character to those who decode twice.
    DoubleEncoding,
    /// More readings than [`MAX_READINGS`].
    ManyReadings,
    /// A percent sign that begins no escape.
    BadEscape,
    /// Absolute-form target: its authority may differ from the request's.
    AbsoluteForm,
    /// A fragment, which no client may send.
    Fragment,
    /// It does not begin with a slash.
    NotRooted,
    /// Dot segments.
    DotSegments,
    /// Repeated slashes.
    EmptySegments,
    /// Parameters (`;x=1`) in a segment.
    Parameters,
    /// A reserved character that need not be encoded, encoded (`%40`).
    EncodedReserved,
}

impl Ambiguity {
    /// Every ambiguity, gravest first.
    pub const ALL: [Self; 15] = [
        Self::ControlByte,
        Self::Backslash,
        Self::EscapedSlash,
        Self::Overlong,
        Self::DotSegmentParameter,
        Self::DoubleEncoding,
        Self::ManyReadings,
        Self::BadEscape,
        Self::AbsoluteForm,
        Self::Fragment,
        Self::NotRooted,
        Self::DotSegments,
        Self::EmptySegments,
        Self::Parameters,
        Self::EncodedReserved,
    ];

    /// Stable lower-case name, used in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ControlByte => "control_byte",
            Self::Backslash => "backslash",
            Self::EscapedSlash => "escaped_slash",
            Self::Overlong => "overlong",
            Self::DotSegmentParameter => "dot_segment_parameter",
            Self::DoubleEncoding => "double_encoding",
            Self::ManyReadings => "many_readings",
            Self::BadEscape => "bad_escape",
            Self::AbsoluteForm => "absolute_form",
            Self::Fragment => "fragment",
            Self::NotRooted => "not_rooted",
            Self::DotSegments => "dot_segments",
            Self::EmptySegments => "empty_segments",
            Self::Parameters => "parameters",
            Self::EncodedReserved => "encoded_reserved",
        }
    }

    /// Refused with 400 unless the policy says `ambiguous: strictest`; the others are judged on every reading.
    #[must_use]
    pub const fn reject_by_default(self) -> bool {
        matches!(
            self,
            Self::ControlByte
                | Self::Backslash
                | Self::EscapedSlash
                | Self::Overlong
                | Self::DotSegmentParameter
                | Self::DoubleEncoding
                | Self::ManyReadings
        )
    }
}

impl<'a> Path<'a> {
    /// Reads the raw `:path`. Total; linear in its length; allocates nothing where it is canonical already.
    #[must_use]
    pub fn parse(raw: &'a [u8]) -> Self {
        if let Some((path, query)) = scan::plain(raw) {
            let canonical = Cow::Borrowed(path);
            return Self { canonical, query, authority: None, readings: Vec::new(), has_more: false, ambiguity: None };
        }
        let target = scan::Target::split(raw);
        if raw == b"*" {
            return Self::plain(Cow::Borrowed(raw), &target, None);
        }
        let found = scan::features(target.path);
        if target.is_plain() && found.is_canonical() {
            return Self::plain(Cow::Borrowed(target.path), &target, None);
        }
        let canonical = segments::render(target.path, &segments::CANONICAL);
        let ambiguity = found.gravest().into_iter().chain(target.ambiguity()).min();
        let (readings, has_more) = match ambiguity {
            None => (Vec::new(), false),
            Some(_) => readings::others(&target, &found, &canonical),
        };
        let many = has_more.then_some(Ambiguity::ManyReadings);
        let ambiguity = ambiguity.into_iter().chain(many).min();
        Self { readings, has_more, ..Self::plain(Cow::Owned(canonical), &target, ambiguity) }
    }

    fn plain(canonical: Cow<'a, [u8]>, target: &scan::Target<'a>, ambiguity: Option<Ambiguity>) -> Self {
        let (query, authority) = (target.query, target.authority);
        Self { canonical, query, authority, readings: Vec::new(), has_more: false, ambiguity }
    }

    /// The canonical path first, then every other reading.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        core::iter::once(&*self.canonical).chain(self.readings.iter().map(Vec::as_slice))
    }
}

/// The canonical form of one literal segment (or of several, slashes between them) as an operator writes it: what
/// [`Path::canonical`] holds for it. Dots, `?` and `#` have no special meaning here.
#[must_use]
pub fn literal(written: &[u8]) -> Cow<'_, [u8]> {
    segments::literal(written)
}

#[cfg(test)]
mod tests;
