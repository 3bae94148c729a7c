//! What a target is made of, and what in its path has more than one reading. One pass, nothing allocated.

use super::Ambiguity;
use crate::percent::escape_at;

/// A request target, split.
pub(super) struct Target<'a> {
    /// The path as received; `/` where there is none.
    pub(super) path: &'a [u8],
    pub(super) query: Option<&'a [u8]>,
    pub(super) authority: Option<&'a [u8]>,
    /// There is a fragment; `Some`: what the path is to software that knows none.
    pub(super) fragment: Option<&'a [u8]>,
    rooted: bool,
}

impl<'a> Target<'a> {
    pub(super) fn split(raw: &'a [u8]) -> Self {
        let (authority, origin) = split_authority(raw);
        let before_fragment = origin.split(|byte| *byte == b'#').next().unwrap_or(origin);
        let (path, query) = split_once(before_fragment, b'?');
        let fragment = (before_fragment.len() < origin.len()).then(|| split_once(origin, b'?').0);
        let rooted = path.starts_with(b"/") || raw.is_empty() || authority.is_some();
        Self { path: if path.is_empty() { b"/" } else { path }, query, authority, fragment, rooted }
    }

    /// A plain origin-form target.
    pub(super) fn is_plain(&self) -> bool {
        self.rooted && self.fragment.is_none() && self.authority.is_none()
    }

    /// The gravest ambiguity of the target's form.
    pub(super) fn ambiguity(&self) -> Option<Ambiguity> {
        let absolute = self.authority.is_some().then_some(Ambiguity::AbsoluteForm);
        let fragment = self.fragment.is_some().then_some(Ambiguity::Fragment);
        let rooted = (!self.rooted).then_some(Ambiguity::NotRooted);
        absolute.or(fragment).or(rooted)
    }
}

/// Path and query of a target that is what nearly every one is: rooted, its own canonical form, with one reading. `None`: perhaps
/// it is not, and has to be looked at closely.
pub(super) fn plain(raw: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let (b'/', rest) = raw.split_first()? else { return None };
    // A segment that begins with a dot may be a dot segment; one without a byte is empty.
    let mut begins = true;
    for (at, byte) in rest.iter().enumerate() {
        match PLAIN.get(usize::from(*byte)).copied().unwrap_or(Plain::No) {
            Plain::Letter => begins = false,
            Plain::Dot if !begins => {}
            Plain::Slash if !begins => begins = true,
            Plain::Query => {
                let query = rest.get(at + 1..)?;
                return if query.contains(&b'#') { None } else { Some((raw.get(..=at)?, Some(query))) };
            }
            _ => return None,
        }
    }
    Some((raw, None))
}

/// What a byte is to [`plain`].
#[derive(Clone, Copy)]
enum Plain {
    Letter,
    Dot,
    Slash,
    Query,
    No,
}

static PLAIN: [Plain; 256] = {
    let mut table = [Plain::No; 256];
    let mut byte = 0_u8;
    loop {
        let plain = match byte {
            b'.' => Plain::Dot,
            b'/' => Plain::Slash,
            b'?' => Plain::Query,
            b';' => Plain::No,
            _ if may_stand(byte) => Plain::Letter,
            _ => Plain::No,
        };
        #[expect(
            clippy::indexing_slicing,
            reason = "while compiling; the index is a byte and the table has 256 entries"
        )]
        {
            table[byte as usize] = plain;
        }
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    table
};

/// The authority of an absolute-form target, and what follows it.
fn split_authority(raw: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let scheme = raw.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')).count();
    let after = raw.get(scheme..).and_then(|rest| rest.strip_prefix(b"://"));
    match after {
        Some(rest) if scheme > 0 => {
            let length = rest.iter().take_while(|b| !matches!(b, b'/' | b'?' | b'#')).count();
            let (authority, origin) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            (Some(authority), origin)
        }
        _ => (None, raw),
    }
}

fn split_once(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == separator) {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    }
}

/// What was found in a path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) control: bool,
    pub(super) backslash: bool,
    pub(super) escaped_slash: bool,
    pub(super) overlong: bool,
    pub(super) dot_params: bool,
    pub(super) double: bool,
    pub(super) bad_escape: bool,
    pub(super) dots: bool,
    /// A dot segment with a dot that is an escape.
    pub(super) escaped_dots: bool,
    pub(super) empty: bool,
    pub(super) params: bool,
    pub(super) reserved: bool,
    /// Written in another way than canonical, with the same meaning.
    respelled: bool,
}

impl Features {
    /// The path is its own canonical form and has no other reading.
    pub(super) fn is_canonical(self) -> bool {
        self == Self::default()
    }

    /// The gravest ambiguity found.
    pub(super) fn gravest(self) -> Option<Ambiguity> {
        let found = [
            (self.control, Ambiguity::ControlByte),
            (self.backslash, Ambiguity::Backslash),
            (self.escaped_slash, Ambiguity::EscapedSlash),
            (self.overlong, Ambiguity::Overlong),
            (self.dot_params, Ambiguity::DotSegmentParameter),
            (self.double, Ambiguity::DoubleEncoding),
            (self.bad_escape, Ambiguity::BadEscape),
            (self.dots, Ambiguity::DotSegments),
            (self.empty, Ambiguity::EmptySegments),
            (self.params, Ambiguity::Parameters),
            (self.reserved, Ambiguity::EncodedReserved),
        ];
        found.into_iter().find_map(|(is, ambiguity)| is.then_some(ambiguity))
    }
}

/// Where the scan stands in its segment: how many dots it holds, while it holds nothing else.
#[derive(Clone, Copy)]
struct Segment {
    bytes: usize,
    only_dots: bool,
    escapes: bool,
}

impl Segment {
    const NEW: Self = Self { bytes: 0, only_dots: true, escapes: false };

    fn is_dots(self) -> bool {
        self.only_dots && matches!(self.bytes, 1 | 2)
    }

    /// Tells of the dot segment that it is, at its end.
    fn end(self, found: &mut Features) {
        found.dots |= self.is_dots();
        found.escaped_dots |= self.is_dots() && self.escapes;
    }

    fn take(&mut self, byte: u8) {
        self.bytes += 1;
        self.only_dots &= byte == b'.';
    }
}

/// Finds in `path` everything that is not plain and canonical.
pub(super) fn features(path: &[u8]) -> Features {
    let mut found = Features::default();
    let mut segment = Segment::NEW;
    let mut utf8 = Overlong::default();
    let mut at = usize::from(path.starts_with(b"/"));
    while let Some(&raw) = path.get(at) {
        let (byte, width) = match raw {
            b'%' => match escape_at(path, at) {
                Some(byte) => {
                    escaped(&mut found, path, at, byte);
                    (byte, 3)
                }
                None => {
                    found.bad_escape = true;
                    (b'%', 1)
                }
            },
            byte => (byte, 1),
        };
        at += width;
        found.overlong |= byte >= 0x80 && utf8.is_overlong(byte);
        if width == 3 {
            segment.take(byte);
            segment.escapes = true;
        } else {
            unescaped(&mut found, &mut segment, byte);
        }
        if byte < 0x80 {
            utf8 = Overlong::default();
        }
    }
    segment.end(&mut found);
    found
}

/// A slash that ends an empty segment is a repeated one; the slash that a path ends with is not, since nothing ends after it.
fn unescaped(found: &mut Features, segment: &mut Segment, byte: u8) {
    match byte {
        b'/' => {
            segment.end(found);
            found.empty |= segment.bytes == 0;
            *segment = Segment::NEW;
        }
        b';' => {
            found.params = true;
            found.dot_params |= segment.is_dots();
            segment.take(byte);
        }
        _ => {
            found.backslash |= byte == b'\\';
            found.control |= byte.is_ascii_control();
            found.respelled |= !may_stand(byte);
            segment.take(byte);
        }
    }
}

fn escaped(found: &mut Features, path: &[u8], at: usize, byte: u8) {
    match byte {
        b'/' => found.escaped_slash = true,
        b'\\' => found.backslash = true,
        0..=0x1F | 0x7F => found.control = true,
        b'%' => {
            found.double |= begins_escape(path, at + 3);
        }
        _ if is_unreserved(byte) => found.respelled = true,
        _ if may_stand(byte) => found.reserved = true,
        _ => {}
    }
    let digits = path.get(at + 1..at + 3).unwrap_or_default();
    found.respelled |= digits.iter().any(u8::is_ascii_lowercase);
}

/// Two hex digits stand at `at`, each as it is or as an escape of it: once decoded they make an escape of the percent sign before.
fn begins_escape(path: &[u8], at: usize) -> bool {
    let digit = |at: usize| match escape_at(path, at) {
        Some(byte) => (byte.is_ascii_hexdigit(), at + 3),
        None => (path.get(at).is_some_and(u8::is_ascii_hexdigit), at + 1),
    };
    let (first, next) = digit(at);
    first && digit(next).0
}

/// Follows bytes of at least 0x80 for sequences that encode an ASCII character in more than one byte.
#[derive(Clone, Copy, Default)]
struct Overlong {
    before: [u8; 2],
}

impl Overlong {
    fn is_overlong(&mut self, byte: u8) -> bool {
        let [second, first] = self.before;
        self.before = [first, byte];
        let continues = (0x80..0xC0).contains(&byte);
        continues && (matches!(first, 0xC0 | 0xC1) || (second == 0xE0 && matches!(first, 0x80 | 0x81)))
    }
}

/// RFC 3986, 2.3.
pub(super) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// May stand unencoded in a segment (`pchar` of RFC 3986, 3.3).
pub(super) const fn may_stand(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@')
}
