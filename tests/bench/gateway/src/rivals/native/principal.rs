//! A condition as a principal of RBAC, which can say all that is asked here.

use serde_json::{Value, json};

use crate::rivals::SCANNERS;
use crate::rivals::rules::{Text, When};

/// The principal.
///
/// # Panics
/// At a list: those are trees of their own.
pub(super) fn principal(when: &When) -> Value {
    match when {
        When::Always => json!({ "any": true }),
        When::Path(texts) => any(texts.iter().map(|text| json!({ "url_path": { "path": string(text) } }))),
        When::Method(methods) => any(methods.iter().map(|method| header(":method", &Text::Is(method.clone())))),
        When::Header(name, texts) => any(texts.iter().map(|text| header(name, text))),
        When::Query(name, texts) => any(texts.iter().map(|text| header(":path", &parameter(name, text)))),
        When::Address(networks) => any(networks.iter().map(|text| json!({ "remote_ip": range(text) }))),
        // Not one expression: Envoy refuses what compiles to as much as these names.
        When::Scanner => any(SCANNERS.iter().map(|name| {
            let text = json!({ "contains": name, "ignore_case": true });
            json!({ "header": { "name": "user-agent", "string_match": text } })
        })),
        When::Certificate => json!({ "not_id": { "any": true } }),
        When::Not(inner) => json!({ "not_id": principal(inner) }),
        When::Any(all) => any(all.iter().map(principal)),
        When::All(all) => match all.as_slice() {
            [one] => principal(one),
            all => json!({ "and_ids": { "ids": all.iter().map(principal).collect::<Vec<_>>() } }),
        },
        When::Listed(list) => panic!("list `{list}` within other conditions has no translation"),
    }
}

fn any(all: impl Iterator<Item = Value>) -> Value {
    let mut all: Vec<Value> = all.collect();
    if all.len() == 1 { all.swap_remove(0) } else { json!({ "or_ids": { "ids": all } }) }
}

/// A network as Envoy writes it.
pub(super) fn range(text: &str) -> Value {
    let all = if text.contains(':') { "128" } else { "32" };
    let (address, bits) = text.split_once('/').unwrap_or((text, all));
    json!({ "address_prefix": address, "prefix_len": bits.parse::<u32>().expect("bits") })
}

fn header(name: &str, text: &Text) -> Value {
    json!({ "header": matcher(name, text) })
}

/// A matcher of headers.
pub(super) fn matcher(name: &str, text: &Text) -> Value {
    match text {
        Text::Present => json!({ "name": name, "present_match": true }),
        text => json!({ "name": name, "string_match": string(text) }),
    }
}

fn string(text: &Text) -> Value {
    match text {
        Text::Present => json!({ "prefix": "" }),
        Text::Is(text) => json!({ "exact": text }),
        Text::Prefix(text) => json!({ "prefix": text }),
        Text::Suffix(text) => json!({ "suffix": text }),
        Text::Contains(text) => json!({ "contains": text }),
        Text::Regex(text) => json!({ "safe_regex": { "regex": whole(text) } }),
    }
}

/// Envoy's expressions match the whole text.
fn whole(regex: &str) -> String {
    let (begin, rest) = regex.split_once('^').map_or((".*", regex), |(before, rest)| (before, rest));
    let (rest, end) = rest.strip_suffix('$').map_or((rest, ".*"), |rest| (rest, ""));
    format!("{begin}{rest}{end}")
}

fn parameter(name: &str, text: &Text) -> Text {
    let value = match text {
        Text::Contains(part) => format!("[^&]*{}[^&]*", escaped(part)),
        Text::Is(value) => escaped(value),
        Text::Present => "[^&]*".to_owned(),
        other => panic!("`{other:?}` of a query has no translation"),
    };
    Text::Regex(format!("^.*[?&]{}={value}(?:&.*)?$", escaped(name)))
}

/// A text as an expression that is that text.
pub(super) fn escaped(text: impl AsRef<str>) -> String {
    let letters = text.as_ref().chars();
    letters.flat_map(|c| [(!c.is_ascii_alphanumeric() && c != '/').then_some('\\'), Some(c)]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_for_the_whole_text() {
        assert_eq!(whole("^/a$"), "/a");
        assert_eq!(whole("^a"), "a.*");
        assert_eq!(whole("a"), ".*a.*");
        assert_eq!(whole("(?i)^.*x$"), "(?i).*x");
    }
}
