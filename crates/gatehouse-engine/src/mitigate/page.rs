//! Our own words as a page for people: one file, no script, nothing fetched. It reads well without its style too, so that a
//! stricter content security policy than ours takes nothing away; light or dark is the browser's choice.

use super::escape::Context;
use super::input::Occasion;
use super::refuse::Refusal;
use super::words::Words;

/// Nothing may be loaded and nothing may run; the page's own style is allowed by its SHA-256 (a test holds the two together).
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
    style-src 'sha256-MXm/3AmySVlmhQpfesRy+BAxOGMxMQSS6K1pk43K9vc='; base-uri 'none'; form-action 'none'";

pub(super) const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\
main{max-width:34rem;margin:0 auto;padding:12vh 1.25rem 2rem}\
h1{font-size:1.6rem;line-height:1.2}\
code{font-size:1.15rem;user-select:all}";

const BEFORE_TITLE: &str = "\">\n<head>\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
    <meta name=\"color-scheme\" content=\"light dark\">\n\
    <meta name=\"robots\" content=\"noindex\">\n<title>";

/// The page.
pub(super) fn page(refusal: &Refusal<'_>, occasion: &Occasion<'_>, words: &Words) -> String {
    let (title, text) = words.told(refusal.problem);
    let mut out = String::with_capacity(1536);
    out.push_str("<!doctype html>\n<html lang=\"");
    out.push_str(words.tag);
    out.push_str(BEFORE_TITLE);
    Context::Html.push(&mut out, title);
    out.push_str("</title>\n<style>");
    out.push_str(STYLE);
    out.push_str("</style>\n</head>\n<body>\n<main>\n<h1>");
    Context::Html.push(&mut out, title);
    out.push_str("</h1>\n<p>");
    Context::Html.push(&mut out, text);
    if let Some(wait_s) = refusal.wait_s {
        out.push(' ');
        words.push_again(&mut out, wait_s);
    }
    out.push_str("</p>\n");
    push_support(&mut out, occasion);
    out.push_str("<p>");
    Context::Html.push(&mut out, words.quote);
    out.push_str("</p>\n<p>");
    Context::Html.push(&mut out, words.reference);
    out.push_str(": <code>");
    Context::Html.push(&mut out, occasion.reference);
    out.push_str("</code></p>\n</main>\n</body>\n</html>\n");
    out
}

/// The operator's text, then the link; where there is a link the page's address stays out of the request that follows it.
fn push_support(out: &mut String, occasion: &Occasion<'_>) {
    let (text, link) = (occasion.support.text, occasion.support.link());
    if text.is_none() && link.is_none() {
        return;
    }
    out.push_str("<p>");
    if let Some(text) = text {
        Context::Html.push(out, text);
        out.push_str(if link.is_some() { " " } else { "" });
    }
    if let Some(link) = link {
        out.push_str("<a rel=\"noreferrer\" href=\"");
        Context::Html.push(out, link);
        out.push_str("\">");
        Context::Html.push(out, link.strip_prefix("mailto:").unwrap_or(link));
        out.push_str("</a>");
    }
    out.push_str("</p>\n");
}
