//! A text made fit for where it stands.
//!
//! | context | a value that is put in |
//! |---|---|
//! | header | bytes other than printable ASCII, and `%`, are percent-encoded |
//! | HTML | `&`, `<`, `>` and both quotes as references; control characters left out |
//! | JSON | as in a JSON string, and fit for a script within HTML (`<`, `>`, `&`, U+2028, U+2029 escaped) |
//! | query | everything but unreserved characters (RFC 3986, 2.3) is percent-encoded |
//! | text | as it is, control characters but tab and line feed left out |

use core::fmt::Write as _;

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// In a header's value.
    Header,
    /// In a page: text or a quoted attribute; XML likewise.
    Html,
    /// In a JSON string, without its quotes.
    Json,
    /// In a URL's query.
    Query,
    /// Anywhere else.
    Text,
}

impl Context {
    /// Of a body of that type.
    pub(super) fn of(content_type: &str) -> Self {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is = |names: &[&str]| names.iter().any(|name| essence.eq_ignore_ascii_case(name));
        let suffix = essence.rsplit_once('+').map(|(_, suffix)| suffix).unwrap_or_default();
        let xml = suffix.eq_ignore_ascii_case("xml");
        if xml || is(&["text/html", "application/xhtml+xml", "text/xml", "application/xml"]) {
            return Self::Html;
        }
        let json = suffix.eq_ignore_ascii_case("json");
        if json || is(&["application/json", "text/json", "application/javascript", "text/javascript"]) {
            return Self::Json;
        }
        Self::Text
    }

    /// Writes a value.
    pub(super) fn push(self, out: &mut String, value: &str) {
        match self {
            Self::Header => percent(out, value, |byte| byte != b'%' && (b' '..=b'~').contains(&byte)),
            Self::Html => by_runs(out, value, is_plain, push_html),
            Self::Json => by_runs(out, value, is_plain, push_json),
            Self::Query => percent(out, value, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
            Self::Text => by_runs(out, value, is_plain, push_text),
        }
    }

    /// Writes what the operator wrote around the values: as it is, but for what the place cannot hold at all.
    pub(super) fn literal(self, out: &mut String, text: &str) {
        match self {
            Self::Header => percent(out, text, |byte| (b' '..=b'~').contains(&byte)),
            Self::Query => percent(out, text, |byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)),
            Self::Html | Self::Json | Self::Text => out.push_str(text),
        }
    }
}

/// Writes a value: what is plain as it stands, run by run, and every other character by `push`. Nothing but ASCII may be plain.
pub(super) fn by_runs(out: &mut String, value: &str, plain: fn(u8) -> bool, push: fn(&mut String, char)) {
    let mut rest = value;
    loop {
        let length = rest.bytes().take_while(|byte| plain(*byte)).count();
        let Some((run, after)) = rest.split_at_checked(length) else { return };
        out.push_str(run);
        let mut after = after.chars();
        let Some(other) = after.next() else { return };
        push(out, other);
        rest = after.as_str();
    }
}

/// Most of what is written; it stands for itself in a page, in JSON and in a text.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'.' | b',' | b'-' | b'/' | b':')
}

/// Percent-encodes the bytes that do not fit.
fn percent(out: &mut String, text: &str, fits: impl Fn(u8) -> bool) {
    for byte in text.bytes() {
        if fits(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n')
}

fn push_text(out: &mut String, c: char) {
    if !is_control(c) {
        out.push(c);
    }
}

fn push_html(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c if is_control(c) => {}
        c => out.push(c),
    }
}

fn push_json(out: &mut String, c: char) {
    match c {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\t' => out.push_str("\\t"),
        '<' | '>' | '&' | '\'' | '\u{2028}' | '\u{2029}' | '\0'..=' ' if c != ' ' => {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(context: Context, value: &str) -> String {
        let mut out = String::new();
        context.push(&mut out, value);
        out
    }

    #[test]
    fn the_content_type_decides_the_escaping() {
        for (content_type, context) in [
            ("text/html; charset=utf-8", Context::Html),
            ("TEXT/HTML", Context::Html),
            ("image/svg+xml", Context::Html),
            ("application/xhtml+xml;charset=utf-8", Context::Html),
            ("application/json", Context::Json),
            ("application/problem+json", Context::Json),
            ("application/vnd.shop.v1+JSON ; q=1", Context::Json),
            ("text/plain", Context::Text),
            ("", Context::Text),
            ("application/octet-stream", Context::Text),
        ] {
            assert_eq!(Context::of(content_type), context, "{content_type}");
        }
    }

    #[test]
    fn each_context_escapes_what_would_end_it() {
        let odd = "a\"<b>&'\\\r\n\0é%\u{2028}{x} ";
        assert_eq!(pushed(Context::Html, odd), "a&quot;&lt;b&gt;&amp;&#39;\\\né%\u{2028}{x} ");
        assert_eq!(pushed(Context::Json, odd), r#"a\"\u003cb\u003e\u0026\u0027\\\u000d\n\u0000é%\u2028{x} "#);
        assert_eq!(pushed(Context::Header, odd), r#"a"<b>&'\%0D%0A%00%C3%A9%25%E2%80%A8{x} "#);
        assert_eq!(pushed(Context::Query, "a b/ü?&=~"), "a%20b%2F%C3%BC%3F%26%3D~");
        assert_eq!(pushed(Context::Text, odd), "a\"<b>&'\\\né%\u{2028}{x} ");
    }

    #[test]
    fn what_is_plain_is_what_each_place_leaves_as_it_is() {
        for byte in (0..=u8::MAX).filter(|byte| is_plain(*byte)) {
            let c = char::from(byte);
            for push in [push_html, push_json, push_text] {
                let mut out = String::new();
                push(&mut out, c);
                assert!(byte.is_ascii() && out == c.to_string(), "{c:?} becomes {out:?}");
            }
        }
    }

    #[test]
    fn what_the_operator_wrote_stays_but_for_what_the_place_cannot_hold() {
        let literal = |context: Context, text| {
            let mut out = String::new();
            context.literal(&mut out, text);
            out
        };
        assert_eq!(literal(Context::Html, "<b>\r\n"), "<b>\r\n");
        assert_eq!(literal(Context::Header, "100%\r\nx: y"), "100%%0D%0Ax: y");
        assert_eq!(literal(Context::Query, "a=%20&b={c}\r"), "a=%20&b=%7Bc%7D%0D");
    }
}
