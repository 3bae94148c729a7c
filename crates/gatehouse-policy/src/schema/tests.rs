//! The table against the readers, its examples against all three: readers, JSON Schema, structural schema.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::canonical::canonical;
use crate::document::{Problems, taken};
use crate::{Format, Source};

/// Objects that have no reader of their own: `otherwise` is read as a `then`, an empty map by its word.
const WITHOUT_READER: [&str; 2] = ["nothing", "otherwise"];

fn document_of(spec: &str) -> String {
    format!("{{ apiVersion: gatehouse.dev/v1, kind: Policy, metadata: {{ name: p }}, spec: {{ {spec} }} }}")
}

/// Every example of the table, as a `spec`, with the field that it is of.
fn examples() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for object in words::objects().filter(|object| !object.context.is_empty()) {
        for field in object.fields.iter().filter(|field| !field.example.is_empty()) {
            let context = if object.context == "@" { "@" } else { object.context };
            all.push((format!("{}.{}", object.id, field.word), context.replace('@', field.example)));
        }
    }
    all
}

fn read(text: &str) -> Result<(), Problems> {
    let packs = crate::tests::packs();
    let options = crate::Options::new(&packs);
    crate::compile_with(&[Source { name: "p", text, format: Format::Yaml }], &options).map(|_| ())
}

/// A document as a JSON value, read by this crate's own reader.
fn json_of(text: &str) -> Vec<Value> {
    fn value(node: &crate::document::Node) -> Value {
        use crate::document::Value as V;
        match &node.value {
            V::Null => Value::Null,
            V::Bool(b) => (*b).into(),
            V::Integer(n) => (*n).into(),
            V::Float(n) => (*n).into(),
            V::String(s) => s.as_str().into(),
            V::List(items) => items.iter().map(value).collect(),
            V::Map(entries) => entries.iter().map(|e| (e.key.clone(), value(&e.value))).collect(),
        }
    }
    let nodes = crate::document::yaml("p", text).unwrap_or_else(|problems| panic!("{problems}"));
    nodes.iter().map(value).collect()
}

#[test]
fn the_table_has_exactly_the_words_that_the_readers_take() {
    taken::all();
    for path in crate::tests::corpus_files() {
        read(&std::fs::read_to_string(path).expect("readable")).unwrap_or_else(|problems| panic!("{problems}"));
    }
    for (_, spec) in examples() {
        let _ = read(&document_of(&spec));
    }
    let mut readers = taken::all();
    readers.remove("");
    let table: BTreeMap<&str, BTreeSet<(&str, bool)>> = words::objects()
        .filter(|object| !WITHOUT_READER.contains(&object.id))
        .map(|object| (object.id, object.fields.iter().map(|field| (field.word, !field.is_built())).collect()))
        .collect();
    for (object, words) in &table {
        assert_eq!(readers.get(object), Some(words), "`{object}`: readers on the left, the table on the right");
    }
    assert_eq!(readers.keys().collect::<Vec<_>>(), table.keys().collect::<Vec<_>>());
}

#[test]
fn every_field_has_an_example_that_is_read() {
    for (field, spec) in examples() {
        read(&document_of(&spec)).unwrap_or_else(|problems| panic!("{field}: {problems}"));
    }
    let mut lacking: Vec<String> = words::objects()
        .filter(|object| !object.context.is_empty())
        .flat_map(|object| {
            object
                .fields
                .iter()
                .filter(|f| f.is_built() && f.example.is_empty())
                .map(move |f| format!("{}.{}", object.id, f.word))
        })
        .collect();
    // A step has no burst where there are several; `allow` and `verdict` need what their context does not have.
    let of_connections = ["match.destination", "then.reject", "otherwise.reject"];
    lacking.retain(|word| !of_connections.contains(&word.as_str()));
    assert_eq!(lacking, ["match.verdict", "step.burst", "then.allow"]);
}

#[test]
fn every_object_that_is_named_is_there_once() {
    let ids: Vec<&str> = words::objects().map(|object| object.id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    let schema: Value = serde_json::from_str(&json_schema()).expect("JSON");
    let mut named = BTreeSet::new();
    references(&schema, &mut named);
    for name in named {
        assert!(schema["$defs"].get(&name).is_some(), "{name}");
    }
}

fn references(value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get("$ref") {
                named.insert(reference.trim_start_matches("#/$defs/").to_owned());
            }
            map.values().for_each(|value| references(value, named));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, named)),
        _ => {}
    }
}

#[test]
fn every_kind_lets_its_own_examples_pass() {
    for kind in Kind::ALL {
        let about = kind.about();
        let pattern = regex_lite::Regex::new(about.pattern).expect("a pattern");
        assert!(!about.examples.is_empty());
        for example in about.examples {
            assert!(pattern.is_match(example), "{kind:?}: {example}");
        }
    }
}

#[test]
fn what_is_right_passes_the_schema_for_editors() {
    let schema: Value = serde_json::from_str(&json_schema()).expect("JSON");
    for path in crate::tests::corpus_files() {
        for document in json_of(&std::fs::read_to_string(&path).expect("readable")) {
            validate(&document, &schema, &schema).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        }
    }
    for (field, spec) in examples() {
        for document in json_of(&document_of(&spec)) {
            validate(&document, &schema, &schema).unwrap_or_else(|why| panic!("{field}: {why}"));
        }
    }
}

#[test]
fn what_is_wrong_does_not_pass_the_schema_for_editors() {
    let schema: Value = serde_json::from_str(&json_schema()).expect("JSON");
    for spec in [
        "rule: []",
        "mode: canary 100%",
        "hosts: [\"a b\"]",
        "rules: [{ name: r, match: { metod: GET }, then: block }]",
        "rules: [{ name: r, match: { path: /a }, then: blok }]",
        "rules: [{ name: r, match: { path: /a } }]",
        "rules: [{ name: r, match: { path: /a }, then: { block: {}, drop: {} } }]",
        "rules: [{ name: r, match: { path: /a }, limit: { rate: 10 }, then: limit }]",
        "rules: [{ name: r, match: { path: { prefix: /a, suffix: b } }, then: block }]",
        "otherwise: record",
        "requireMutualTls: \"true\"",
        "contract: { openapi: x }",
    ] {
        for document in json_of(&document_of(spec)) {
            assert!(validate(&document, &schema, &schema).is_err(), "{spec}");
        }
    }
}

#[test]
fn every_long_form_passes_the_structural_schema() {
    let definition = json_of(&crd()).remove(0);
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let check = |text: &str, what: &str| {
        for document in canonical(&[Source { name: "p", text, format: Format::Yaml }])
            .unwrap_or_else(|problems| panic!("{what}: {problems}"))
        {
            let json = serde_json::to_value(&document).expect("JSON");
            validate(&json["spec"], &schema["properties"]["spec"], schema)
                .unwrap_or_else(|why| panic!("{what}: {why}\n{}", document.yaml()));
        }
    };
    for path in crate::tests::corpus_files() {
        check(&std::fs::read_to_string(&path).expect("readable"), &path.display().to_string());
    }
    for (field, spec) in examples() {
        check(&document_of(&spec), &field);
    }
}

#[test]
fn the_structural_schema_is_structural_and_small() {
    let definition = json_of(&crd()).remove(0);
    // A client-side `kubectl apply` keeps the whole resource, as JSON, in one annotation of at most 256 KiB.
    let length = definition.to_string().len();
    assert!(length < 100_000, "{length}");
    structural(&definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "");
}

/// The rules of the API server for structural schemas, as far as ours can break them: one type at each place, nothing that
/// forbids by its absence, no references, `properties` and `additionalProperties` apart.
fn structural(schema: &Value, at: &str) {
    let map = schema.as_object().unwrap_or_else(|| panic!("{at}: no schema"));
    let either = map.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true));
    assert!(map.get("type").is_some_and(Value::is_string) != either, "{at}: exactly one type");
    for forbidden in
        ["$ref", "anyOf", "oneOf", "allOf", "not", "definitions", "deprecated", "patternProperties", "uniqueItems"]
    {
        assert!(map.get(forbidden).is_none(), "{at}: `{forbidden}`");
    }
    assert!(map.get("properties").is_none() || map.get("additionalProperties").is_none(), "{at}: both");
    let kind = map.get("type").and_then(Value::as_str).unwrap_or_default();
    assert!(kind != "array" || map.get("items").is_some(), "{at}: a list of what");
    for (word, inner) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
        structural(inner, &format!("{at}.{word}"));
    }
    for word in ["items", "additionalProperties"] {
        if let Some(inner) = map.get(word) {
            structural(inner, &format!("{at}.{word}"));
        }
    }
}

#[test]
fn every_link_of_the_reference_leads_to_a_heading() {
    let text = markdown();
    let anchors: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'))
                .map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() })
                .collect()
        })
        .collect();
    for link in text.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(anchors.contains(link), "{link}");
    }
    assert!(!text.contains("{{"), "a place was not filled in");
    for object in words::objects().filter(|object| object.id != "nothing") {
        assert!(text.contains(&format!("\n### {}\n", object.title)), "{}", object.id);
    }
}

/// Checks `value` against as much of JSON Schema as ours uses.
fn validate(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let Some(map) = schema.as_object() else {
        return if schema == &Value::Bool(false) { Err("nothing may stand here".into()) } else { Ok(()) };
    };
    for (word, rule) in map {
        let right = match word.as_str() {
            "$ref" => {
                let name = rule.as_str().and_then(|r| r.strip_prefix("#/$defs/")).expect("a reference");
                validate(value, &root["$defs"][name], root)?;
                true
            }
            "anyOf" => rule.as_array().expect("a list").iter().any(|one| validate(value, one, root).is_ok()),
            "enum" => rule.as_array().expect("a list").contains(value),
            "type" => has_type(value, rule.as_str().expect("a word")),
            "pattern" => value.as_str().is_none_or(|text| {
                regex_lite::Regex::new(rule.as_str().expect("a text")).expect("a pattern").is_match(text)
            }),
            "maxLength" => {
                value.as_str().is_none_or(|text| text.chars().count() as u64 <= rule.as_u64().expect("a number"))
            }
            "minimum" => value.as_i64().is_none_or(|n| n >= rule.as_i64().expect("a number")),
            "maximum" => value.as_i64().is_none_or(|n| n <= rule.as_i64().expect("a number")),
            "minProperties" => value.as_object().is_none_or(|m| m.len() as u64 >= rule.as_u64().expect("a number")),
            "maxProperties" => value.as_object().is_none_or(|m| m.len() as u64 <= rule.as_u64().expect("a number")),
            "required" => value.as_object().is_none_or(|m| {
                rule.as_array().expect("a list").iter().all(|key| m.contains_key(key.as_str().expect("a text")))
            }),
            "items" => {
                value.as_array().into_iter().flatten().try_for_each(|item| validate(item, rule, root)).map(|()| true)?
            }
            "properties" | "additionalProperties" | "propertyNames" => members(value, map, root).map(|()| true)?,
            "$schema" | "$defs" | "title" | "description" | "format" => true,
            "x-kubernetes-int-or-string" => value.is_string() || value.is_i64(),
            "x-kubernetes-preserve-unknown-fields" => true,
            other => panic!("`{other}` is not known here"),
        };
        if !right {
            return Err(format!("{value} is against `{word}: {rule}`"));
        }
    }
    Ok(())
}

fn members(value: &Value, schema: &serde_json::Map<String, Value>, root: &Value) -> Result<(), String> {
    let free = schema.get("x-kubernetes-preserve-unknown-fields").is_some();
    for (key, member) in value.as_object().into_iter().flatten() {
        if let Some(names) = schema.get("propertyNames") {
            validate(&Value::String(key.clone()), names, root)?;
        }
        match (schema.get("properties").and_then(|p| p.get(key)), schema.get("additionalProperties")) {
            (Some(own), _) => validate(member, own, root).map_err(|why| format!("{key}: {why}"))?,
            (None, Some(rest)) => validate(member, rest, root).map_err(|why| format!("{key}: {why}"))?,
            // A structural schema drops what it does not know: a long form may hold nothing of the kind.
            (None, None) if !free => return Err(format!("{key}: not known")),
            (None, None) => {}
        }
    }
    Ok(())
}

fn has_type(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        other => panic!("`{other}` is not known here"),
    }
}
