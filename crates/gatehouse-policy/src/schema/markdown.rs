//! The reference, `docs/policy.md`: prose from `policy.md.in`, tables from the table of words.

use std::fmt::Write as _;

use super::{Field, Kind, Object, Shape, Type, object, words};
use crate::canonical::canonical;
use crate::compile::{Format, Source, setting_orders};
use crate::document::{duration_text, list};
use crate::spec::bounds;

const TEMPLATE: &str = include_str!("policy.md.in");
const EXAMPLE: &str = include_str!("../../testdata/good/shop.yaml");

/// Rules (less their name) and settings whose long form the reference shows.
const SHORTHANDS: [&str; 18] = [
    "match: { path: [/a/**, { prefix: /b }] }, then: block",
    "match: { headers: { x-a: b } }, then: record",
    "match: { address: [192.0.2.7, { list: l }] }, then: allow",
    "match: { identity: none }, then: record",
    "match: { serviceAccounts: shop/frontend }, then: allow",
    "match: { agent: [crawler, scanner] }, then: record",
    "match: { score: 50 }, then: block",
    "match: { not: { method: GET } }, then: record",
    "match: { all: true }, then: { weigh: +20, label: probe }",
    "match: { response: { status: [401, 4xx] } }, then: record",
    "match: { path: /a }, limit: { rate: 10 per 60s }, then: limit",
    "match: { path: /a }, limit: { distinct: { of: address, over: 20 per 5m }, by: fingerprint, blockFor: 1h30m }, then: block",
    "lists: { banned: { from: verdicts } }",
    "hosts: shop.example.com",
    "client: { key: jwt.sub }",
    "otherwise: block",
    "identityHeaders: strip",
    "trap: { paths: /.env }",
];

/// The whole reference, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::new();
    for line in TEMPLATE.split_inclusive('\n') {
        let Some((before, rest)) = line.split_once("{{") else {
            out.push_str(line);
            continue;
        };
        let (word, after) = rest.split_once("}}").unwrap_or((rest, ""));
        out.push_str(before);
        let text = match word.split_once(": ") {
            Some((_, ids)) => ids.split(' ').filter_map(object).map(section).collect(),
            None => table(word),
        };
        out.push_str(&text);
        // A table ends its own last line.
        out.push_str(if text.ends_with('\n') { after.trim_start_matches('\n') } else { after });
    }
    out
}

fn table(word: &str) -> String {
    match word {
        "example" => EXAMPLE.to_owned(),
        "strictness" => {
            let row = |(word, order): (&str, &str)| format!("  | `{word}` | {order} |\n");
            "  | setting | from strict to weak |\n  |---|---|\n".to_owned()
                + &setting_orders().map(row).collect::<String>()
        }
        "later" => {
            let fields = words::objects().flat_map(|object| object.fields).filter(|field| !field.is_built());
            let mut words: Vec<&str> = fields.map(|field| field.word).collect();
            words.sort_unstable();
            list(&words)
        }
        "shorthands" => SHORTHANDS.into_iter().map(shorthand).collect(),
        "kinds" => {
            let mut kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| !kind.about().name.is_empty()).collect();
            kinds.sort_by_key(|kind| kind.about().name);
            kinds.into_iter().map(kind_row).collect()
        }
        "bounds" => bound_rows(),
        _ => String::new(),
    }
}

fn section(object: &Object) -> String {
    let mut out = format!("\n### {}\n", object.title);
    if !object.meaning.is_empty() {
        let _ = writeln!(out, "{}", object.meaning);
    }
    if object.one {
        out.push_str("Exactly one of:\n");
    }
    if object.fields.is_empty() {
        return out;
    }
    out.push_str("\n| field | value | default | meaning | example | since |\n|---|---|---|---|---|---|\n");
    for field in object.fields {
        let example = if field.example.is_empty() { String::new() } else { code(field.example) };
        let since = if field.is_built() { field.since } else { "not built yet" };
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {example} | {since} |",
            field.word,
            value(&field.shape),
            cell(default(object, field)),
            cell(field.meaning)
        );
    }
    out
}

/// In a map of exactly one field, nothing has a default.
const fn default(object: &Object, field: &Field) -> &'static str {
    if object.one { "" } else { field.default }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

fn value(shape: &Shape) -> String {
    match shape {
        Shape::One(one) => single(*one),
        Shape::Or(long, short) => format!("{}, or {}", single(*short), single(*long)),
        Shape::OrMany(long, short) => format!("{}, a list of these, or {}", single(*short), single(*long)),
        Shape::Many(one) => format!("{}, or a list of these", single(*one)),
        Shape::List(one) => format!("a list of {}", single(*one)),
        Shape::ListOr(one, other) => format!("a list of {}, or {}", single(*one), single(*other)),
        Shape::Values(long, short) => format!("{} or {}, or a list of these", single(*short), single(*long)),
        Shape::Names(kind, inner) => format!("a map: *{}* to {}", kind.about().name, value(inner)),
        Shape::Short(inner) => value(inner),
        Shape::Later => String::new(),
    }
}

fn single(one: Type) -> String {
    match one {
        Type::Bool => "`true`, `false`".to_owned(),
        Type::Integer(least, most) => format!("number, {least} to {most}"),
        Type::Status => "a status: `401`, `4xx`, `500-503`".to_owned(),
        Type::Text(Kind::ApiVersion) => "`gatehouse.dev/v1`".to_owned(),
        Type::Text(kind) => format!("*{}*", kind.about().name),
        Type::Word(words) => list(words),
        Type::Object("nothing") => "`{}`".to_owned(),
        Type::Object(id) => object(id).map_or_else(String::new, link),
        Type::Version => "`\"1.0\"`, `\"1.1\"`, `\"1.2\"`, `\"1.3\"`".to_owned(),
    }
}

fn link(object: &Object) -> String {
    let shown = match object.title.strip_prefix('A') {
        Some(rest) => format!("a{rest}"),
        None => object.title.to_owned(),
    };
    format!("[{shown}](#{})", anchor(object.title))
}

/// The anchor that readers of Markdown make of a heading.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

fn kind_row(kind: Kind) -> String {
    let about = kind.about();
    let examples: Vec<String> = about.examples.iter().map(|example| code(example)).collect();
    format!("| *{}* | {} | {} |\n", about.name, cell(about.meaning), examples.join(", "))
}

/// A row of a short form and what it stands for.
fn shorthand(short: &str) -> String {
    let rule = short.starts_with("match:");
    let spec = if rule { format!("rules: [{{ name: r, {short} }}]") } else { short.to_owned() };
    let text = format!("{{ apiVersion: gatehouse.dev/v1, kind: Policy, metadata: {{ name: p }}, spec: {{ {spec} }} }}");
    let documents = canonical(&[Source { name: "p", text: &text, format: Format::Yaml }]).unwrap_or_default();
    let flow = documents.first().map(|document| document.spec_flow(rule)).unwrap_or_default();
    format!("| {} | {} |\n", code(short), code(&flow))
}

fn bound_rows() -> String {
    let from_to = |(least, most): (u64, u64)| format!("{} to {}", duration_text(least), duration_text(most));
    let rows = [
        ("a document".to_owned(), "1 MiB, nested 32 deep".to_owned()),
        ("documents in one file".to_owned(), "16 MiB".to_owned()),
        ("the compiled image".to_owned(), format!("{} MiB", crate::MAX_IMAGE >> 20)),
        ("an inline policy in the gate's own configuration".to_owned(), format!("{} KiB", crate::MAX_INLINE >> 10)),
        ("segments of a scope".to_owned(), bounds::SCOPE.to_string()),
        ("a pattern, as written".to_owned(), format!("{} bytes", bounds::PATTERN)),
        ("a body".to_owned(), format!("{} KiB", crate::text::MAX_BODY >> 10)),
        ("headers of an answer".to_owned(), bounds::HEADERS.to_string()),
        ("`hops`".to_owned(), format!("0 to {}", bounds::HOPS)),
        ("the window of a rate".to_owned(), from_to(bounds::WINDOW_MS)),
        ("the number of a rate, `burst`, `inFlight`".to_owned(), format!("1 to {}", bounds::RATE)),
        ("`blockFor`".to_owned(), from_to(bounds::BLOCK_MS)),
        ("keys of a limit".to_owned(), bounds::KEY_PARTS.to_string()),
        ("steps of a limit".to_owned(), bounds::STEPS.to_string()),
        ("`delay`".to_owned(), format!("at most {}", duration_text(bounds::DELAY_MS))),
        ("a weight".to_owned(), format!("{} to {}", -bounds::WEIGHT, bounds::WEIGHT)),
        ("labels of one policy".to_owned(), bounds::LABELS.to_string()),
        (
            "half-life of scores".to_owned(),
            format!("{}; default {}", from_to(bounds::HALF_LIFE_MS), duration_text(bounds::HALF_LIFE_DEFAULT_MS)),
        ),
        ("trust domains of a document".to_owned(), bounds::TRUST_DOMAINS.to_string()),
    ];
    rows.into_iter().map(|(what, bound)| format!("| {what} | {bound} |\n")).collect()
}
