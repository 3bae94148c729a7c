//! In which form the client wants a refusal (`accept`, RFC 9110, 12.5.1).
//!
//! A browser that opens a page names `text/html`; what scripts and programs send (`*/*`, `application/json`, nothing) gets problem
//! details.

use gatehouse_signals::Head;

use super::weighted::weighted;

/// Form of a refusal's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A small page.
    Html,
    /// Problem details (RFC 9457).
    Problem,
    /// A few lines of text.
    Text,
}

impl Form {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Problem => "application/problem+json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// How exactly a media range names this form: 3 the type, 2 its family, 1 anything, 0 not at all.
    fn named_by(self, range: &[u8]) -> u16 {
        let is = |name: &str| range.eq_ignore_ascii_case(name.as_bytes());
        let (exact, family) = match self {
            Self::Html => (is("text/html") || is("application/xhtml+xml"), is("text/*")),
            Self::Problem => (is("application/problem+json") || is("application/json"), is("application/*")),
            Self::Text => (is("text/plain"), is("text/*")),
        };
        match (exact, family) {
            (true, _) => 3,
            (false, true) => 2,
            (false, false) => u16::from(is("*/*")),
        }
    }
}

/// The form that the client wants most; of equals problem details first, since most clients of an API are programs.
pub(super) fn form(head: Head<'_>) -> Form {
    // Of each form: how exactly the range names it that does so most exactly, and the weight of that range.
    let mut forms = [Form::Problem, Form::Html, Form::Text].map(|form| (form, (0, 0)));
    for (range, weight) in weighted(head, b"accept") {
        for (form, named) in &mut forms {
            *named = (*named).max((form.named_by(range), weight));
        }
    }
    let mut best = (0, Form::Problem);
    for (form, (exactness, weight)) in forms {
        // Of equal weights the one that was named more exactly wins.
        let wanted = if exactness > 0 && weight > 0 { weight * 4 + exactness } else { 0 };
        if wanted > best.0 {
            best = (wanted, form);
        }
    }
    best.1
}
