//! The operator's bodies and header values: `{reference}`, `{retry_after}` and `{support}` replaced, `{{` as a brace, every other
//! brace as it stands (so that JSON needs no doubling).

use super::escape::Context;
use super::input::Support;

/// Where a text has grown so long, nothing more is put in: 64 KiB written by the operator may ask for a long support text a thousand
/// times.
const MAX_GROWTH: usize = 256 << 10;

/// What stands for the placeholders.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) reference: &'a str,
    /// Whole seconds; `None`: not known, written as 0.
    pub(super) wait_s: Option<u32>,
    pub(super) support: Support<'a>,
}

/// The text with its placeholders replaced, fit for its context. A query takes the reference only.
pub(super) fn expand(text: &str, context: Context, values: &Values<'_>) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        context.literal(&mut out, before);
        rest = match named(after, context) {
            Some((_, after)) if out.len() > MAX_GROWTH => after,
            Some((Name::Reference, after)) => {
                context.push(&mut out, values.reference);
                after
            }
            Some((Name::RetryAfter, after)) => {
                context.push(&mut out, &values.wait_s.unwrap_or(0).to_string());
                after
            }
            Some((Name::Support, after)) => {
                push_support(&mut out, context, &values.support);
                after
            }
            None => {
                context.literal(&mut out, "{");
                after.strip_prefix('{').unwrap_or(after)
            }
        };
    }
    context.literal(&mut out, rest);
    out
}

enum Name {
    Reference,
    RetryAfter,
    Support,
}

/// The name at the beginning of what follows a brace, and what comes after it.
fn named(after: &str, context: Context) -> Option<(Name, &str)> {
    if let Some(after) = after.strip_prefix("reference}") {
        return Some((Name::Reference, after));
    }
    if context == Context::Query {
        return None;
    }
    let retry_after = || after.strip_prefix("retry_after}").map(|after| (Name::RetryAfter, after));
    let support = || after.strip_prefix("support}").map(|after| (Name::Support, after));
    retry_after().or_else(support)
}

/// Text and link with a blank between, or what there is of them.
fn push_support(out: &mut String, context: Context, support: &Support<'_>) {
    let (text, link) = (support.text.unwrap_or_default(), support.link().unwrap_or_default());
    context.push(out, text);
    if !text.is_empty() && !link.is_empty() {
        context.push(out, " ");
    }
    context.push(out, link);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, context: Context) -> String {
        let support = Support { text: Some("<Ops> & co"), link: Some("https://help.example/?a=1&b=2") };
        expand(text, context, &Values { reference: "7Q2K", wait_s: Some(30), support })
    }

    #[test]
    fn placeholders_are_replaced_and_braces_stay() {
        assert_eq!(with("{reference}/{retry_after}", Context::Text), "7Q2K/30");
        assert_eq!(with(r#"{"a":{"b":{}},"r":"{reference}"}"#, Context::Json), r#"{"a":{"b":{}},"r":"7Q2K"}"#);
        assert_eq!(with("{{reference}} {refrence} {", Context::Text), "{reference}} {refrence} {");
        assert_eq!(with("{{{reference}", Context::Text), "{7Q2K");
    }

    #[test]
    fn support_is_escaped_for_its_context() {
        let link = "https://help.example/?a=1&amp;b=2";
        assert_eq!(with("<p>{support}</p>", Context::Html), format!("<p>&lt;Ops&gt; &amp; co {link}</p>"));
        assert_eq!(with("{support}", Context::Header), "<Ops> & co https://help.example/?a=1&b=2");
        let only_text = Values { reference: "", wait_s: None, support: Support { text: Some("x"), link: None } };
        assert_eq!(expand("{support}{retry_after}{reference}", Context::Text, &only_text), "x0");
    }

    #[test]
    fn a_query_takes_the_reference_only() {
        assert_eq!(with("r={reference}&s={support}&{{", Context::Query), "r=7Q2K&s=%7Bsupport%7D&%7B");
    }

    #[test]
    fn growth_is_bounded() {
        let support = "s".repeat(4096);
        let values = Values { reference: "", wait_s: None, support: Support { text: Some(&support), link: None } };
        assert!(expand(&"{support}".repeat(7000), Context::Text, &values).len() <= MAX_GROWTH + 4096);
    }
}
