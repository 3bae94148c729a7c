//! From the policy language to [`When`]: the words that the corpora use.

use serde_json::{Map, Value};

use super::rules::{Rate, Text, When};

/// Reads a match.
///
/// # Errors
/// Why no other filter has it.
///
/// # Panics
/// At a word that is not known here.
pub(super) fn when(value: &Value) -> Result<When, &'static str> {
    let words = value.as_object().expect("a match is an object");
    let mut all = words.iter().map(|(word, value)| one(word, value)).collect::<Result<Vec<_>, _>>()?;
    Ok(if all.len() == 1 { all.swap_remove(0) } else { When::All(all) })
}

fn one(word: &str, value: &Value) -> Result<When, &'static str> {
    Ok(match word {
        "all" => When::Always,
        "path" => When::Path(each(value, path)),
        "method" => When::Method(each(value, string)),
        "headers" => named(value, When::Header),
        "query" => named(value, When::Query),
        "address" => match value["list"].as_str() {
            Some(list) => When::Listed(list.to_owned()),
            None => When::Address(each(value, string)),
        },
        "agent" if *value == serde_json::json!(["scanner"]) => When::Scanner,
        "identity" => When::Certificate,
        "not" => When::Not(Box::new(when(value)?)),
        "any" => When::Any(value.as_array().into_iter().flatten().map(when).collect::<Result<_, _>>()?),
        "tls" | "fingerprint" => return Err("ask for TLS, which there is none of"),
        other => panic!("`{other}: {value}` has no translation"),
    })
}

fn named(value: &Value, make: fn(String, Vec<Text>) -> When) -> When {
    let fields: &Map<String, Value> = value.as_object().expect("names");
    let mut all: Vec<When> = fields.iter().map(|(name, value)| make(name.clone(), each(value, text))).collect();
    if all.len() == 1 { all.swap_remove(0) } else { When::All(all) }
}

fn each<T>(value: &Value, read: fn(&Value) -> T) -> Vec<T> {
    value.as_array().map_or_else(|| vec![read(value)], |all| all.iter().map(read).collect())
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("`{value}` is no text")).to_owned()
}

fn text(value: &Value) -> Text {
    let Some((word, of)) = value.as_object().and_then(|words| words.iter().next()) else {
        return Text::Is(string(value));
    };
    match word.as_str() {
        "present" => Text::Present,
        "prefix" => Text::Prefix(string(of)),
        "suffix" => Text::Suffix(string(of)),
        "contains" => Text::Contains(string(of)),
        "regex" => Text::Regex(string(of)),
        other => panic!("`{other}` has no translation"),
    }
}

/// A path, whose patterns become prefixes where that says the same, else regular expressions.
fn path(value: &Value) -> Text {
    let Some(pattern) = value.as_str() else { return text(value) };
    if let Some(before) = pattern.strip_suffix("**")
        && !before.contains(['*', '{'])
    {
        return Text::Prefix(before.to_owned());
    }
    if !pattern.contains(['*', '{']) {
        return Text::Is(pattern.to_owned());
    }
    assert!(!pattern.contains("**"), "`{pattern}` has no translation");
    let segments = pattern.split('/').map(|segment| match segment {
        "*" => "[^/]+".to_owned(),
        _ if segment.starts_with('{') => "[^/]+".to_owned(),
        _ => segment.replace('.', "\\."),
    });
    Text::Regex(format!("^{}$", segments.collect::<Vec<_>>().join("/")))
}

/// Reads a limit.
///
/// # Errors
/// Why no other filter has it.
pub(super) fn rate(limit: &Value) -> Result<Rate, &'static str> {
    if !limit["count"].is_null() {
        return Err("count by the answer");
    }
    if !limit["distinct"].is_null() {
        return Err("count different values");
    }
    let text = limit["rate"].as_str().unwrap_or_default();
    let read = text.split_once(" per ").and_then(|(requests, time)| {
        let (number, unit) = time.split_at_checked(time.len().checked_sub(1)?)?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        Some((requests.parse().ok()?, number.parse::<u32>().ok()? * unit))
    });
    let (requests, seconds) = read.unwrap_or_else(|| panic!("`{text}` has no translation"));
    Ok(Rate { by: each(&limit["by"], string), requests, seconds })
}
