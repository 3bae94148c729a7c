//! Our own words as problem details and as text: what it is, when to try again, where to find help, the reference; never the why.

use super::escape::Context;
use super::input::Occasion;
use super::problem::PROBLEMS;
use super::refuse::Refusal;
use super::words::Words;

/// Problem details (RFC 9457) with the members `retryable`, `retryAfter` (seconds), `reference` and `support`.
pub(super) fn problem(refusal: &Refusal<'_>, occasion: &Occasion<'_>, words: &Words) -> String {
    let (title, text) = words.told(refusal.problem);
    let mut out = String::with_capacity(512);
    out.push_str("{\"type\":\"");
    out.push_str(PROBLEMS);
    out.push_str(refusal.problem.slug());
    member(&mut out, "\",\"title\":\"", title);
    out.push_str("\",\"status\":");
    out.push_str(&refusal.status.to_string());
    member(&mut out, ",\"detail\":\"", text);
    out.push_str("\",\"retryable\":");
    out.push_str(if refusal.problem.is_retryable() { "true" } else { "false" });
    if let Some(wait_s) = refusal.wait_s {
        out.push_str(",\"retryAfter\":");
        out.push_str(&wait_s.to_string());
    }
    member(&mut out, ",\"reference\":\"", occasion.reference);
    out.push('"');
    push_support(&mut out, occasion);
    out.push_str("}\n");
    out
}

/// Writes what stands before a string's text, and the text.
fn member(out: &mut String, before: &str, text: &str) {
    out.push_str(before);
    Context::Json.push(out, text);
}

fn push_support(out: &mut String, occasion: &Occasion<'_>) {
    let (text, link) = (occasion.support.text, occasion.support.link());
    if text.is_none() && link.is_none() {
        return;
    }
    out.push_str(",\"support\":{");
    if let Some(text) = text {
        member(out, "\"text\":\"", text);
        out.push_str(if link.is_some() { "\"," } else { "\"" });
    }
    if let Some(link) = link {
        member(out, "\"link\":\"", link);
        out.push('"');
    }
    out.push('}');
}

/// A few lines of text.
pub(super) fn text(refusal: &Refusal<'_>, occasion: &Occasion<'_>, words: &Words) -> String {
    let (title, text) = words.told(refusal.problem);
    let mut out = String::with_capacity(256);
    for line in [title, text] {
        out.push_str(line);
        out.push('\n');
    }
    if let Some(wait_s) = refusal.wait_s {
        words.push_again(&mut out, wait_s);
        out.push('\n');
    }
    for line in [occasion.support.text, occasion.support.link()].into_iter().flatten() {
        Context::Text.push(&mut out, line);
        out.push('\n');
    }
    out.push_str(words.reference);
    out.push_str(": ");
    Context::Text.push(&mut out, occasion.reference);
    out.push('\n');
    out
}
