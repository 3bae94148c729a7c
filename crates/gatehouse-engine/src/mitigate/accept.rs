//! In which form the client wants a refusal (`accept`, RFC 9110, 12.5.1).

use gatehouse_signals::Head;

/// Most media ranges that are looked at.
const MAX_RANGES: usize = 32;

/// Form of a refusal's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A small page.
    Html,
    /// Problem details (RFC 9457).
    Problem,
    /// One line of text.
    Text,
}

impl Form {
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Problem => "application/problem+json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// How exactly a media range names this form: 3 the type, 2 its family, 1 anything, 0 not at all.
    fn named_by(self, range: &[u8]) -> u8 {
        let is = |name: &str| range.eq_ignore_ascii_case(name.as_bytes());
        let exact = match self {
            Self::Html => is("text/html") || is("application/xhtml+xml"),
            Self::Problem => is("application/problem+json") || is("application/json"),
            Self::Text => is("text/plain"),
        };
        let family = match self {
            Self::Html | Self::Text => is("text/*"),
            Self::Problem => is("application/*"),
        };
        match (exact, family) {
            (true, _) => 3,
            (false, true) => 2,
            (false, false) => u8::from(is("*/*")),
        }
    }
}

/// The form that the client wants most; of equals problem details first, since most clients of an API are programs.
pub(crate) fn form(head: Head<'_>) -> Form {
    let mut best = (0, Form::Problem);
    for form in [Form::Problem, Form::Html, Form::Text] {
        let weight = weight(form, head);
        if weight > best.0 {
            best = (weight, form);
        }
    }
    best.1
}

/// The weight of the media range that names `form` most exactly, in thousandths; then that exactness.
fn weight(form: Form, head: Head<'_>) -> u32 {
    let mut found = (0, 0);
    let ranges = head.values(b"accept").flat_map(|value| value.split(|byte| *byte == b','));
    for range in ranges.take(MAX_RANGES) {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let exactness = form.named_by(parts.next().unwrap_or_default());
        if exactness > found.0 {
            found = (exactness, parts.find_map(quality).unwrap_or(1000));
        }
    }
    if found.1 == 0 { 0 } else { found.1 * 4 + u32::from(found.0) }
}

/// `q=0.8` in thousandths; `None`: another parameter.
fn quality(parameter: &[u8]) -> Option<u32> {
    let value = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let mut digits = value.iter().filter(|byte| **byte != b'.').take(4).map(|byte| u32::from(byte.wrapping_sub(b'0')));
    let mut total = 0;
    for scale in [1000, 100, 10, 1] {
        total += digits.next().unwrap_or(0).min(9) * scale;
    }
    Some(total.min(1000))
}
