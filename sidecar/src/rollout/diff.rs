//! How two sets of policy documents differ: document by document, setting by setting, rule by rule, and as text.
//!
//! What is compared is what is written, read as the compiler reads it: comments, order of fields and quotes make no difference
//! but in the text. Rules are told apart by their names.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use gatehouse_policy::document;
use serde::Serialize;
use serde_json::Value as Json;
use similar::TextDiff;

use crate::packs::Shelf;
use crate::policies::{self, Problem, folder::Document};

/// Where rules stand in a document, and what the place is called.
const TIERS: [(&str, &[&str]); 3] = [
    ("mandates", &["spec", "mandates", "rules"]),
    ("rules", &["spec", "rules"]),
    ("defaults", &["spec", "defaults", "rules"]),
];

/// Lines of the text that stand around a change.
const CONTEXT: usize = 3;
/// Bytes of the text, at most.
const MAX_TEXT: usize = 1 << 20;

/// The difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// Nothing differs in meaning.
    pub same: bool,
    /// Documents that only the new set has.
    pub added: Vec<String>,
    /// Documents that only the old set has.
    pub removed: Vec<String>,
    /// Documents of both that differ.
    pub changed: Vec<Changed>,
    /// Why the old set does not compile.
    pub old_problems: Vec<Problem>,
    /// Why the new set does not compile.
    pub new_problems: Vec<Problem>,
    /// The texts, in the unified form, file by file.
    pub text: String,
}

/// A document that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// Its name.
    pub document: String,
    /// Everything but its rules.
    pub settings: Vec<Setting>,
    /// Its rules.
    pub rules: Vec<RuleChange>,
}

/// One setting, with its values as JSON; an absent one is `null`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Such as `spec.hosts`.
    pub field: String,
    /// In the old document.
    pub old: Json,
    /// In the new one.
    pub new: Json,
}

/// One rule that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleChange {
    /// `policy/rule`.
    pub rule: String,
    /// `mandates`, `rules` or `defaults`.
    pub tier: &'static str,
    /// What happened to it.
    pub change: Change,
    /// What differs in it; of an added or removed rule all of it.
    pub fields: Vec<Setting>,
}

/// What happened to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Added,
    /// It says something else.
    Changed,
    /// It says the same at another place among the rules, which matters where priorities are equal.
    Moved,
    /// It is gone.
    Removed,
}

/// Compares two sets of documents. `shelf`: what they may refer to.
#[must_use]
pub fn diff(old: &[Document], new: &[Document], shelf: &Shelf) -> Diff {
    let (was, is) = (named(old), named(new));
    let only = |these: &BTreeMap<String, Json>, those: &BTreeMap<String, Json>| -> Vec<String> {
        these.keys().filter(|name| !those.contains_key(*name)).cloned().collect()
    };
    let (added, removed) = (only(&is, &was), only(&was, &is));
    let changed: Vec<Changed> = was.iter().filter_map(|(name, old)| Changed::of(name, old, is.get(name)?)).collect();
    let problems = |documents: &[Document]| match documents {
        [] => Vec::new(),
        _ => policies::compile_with(documents, shelf).err().unwrap_or_default(),
    };
    Diff {
        same: added.is_empty() && removed.is_empty() && changed.is_empty(),
        added,
        removed,
        changed,
        old_problems: problems(old),
        new_problems: problems(new),
        text: text(old, new),
    }
}

impl Changed {
    fn of(name: &str, old: &Json, new: &Json) -> Option<Self> {
        let mut rules = Vec::new();
        for (tier, path) in TIERS {
            compare_rules(name, tier, at(old, path), at(new, path), &mut rules);
        }
        let mut settings = Vec::new();
        compare("", &without_rules(old), &without_rules(new), 2, &mut settings);
        (!rules.is_empty() || !settings.is_empty()).then(|| Self { document: name.to_owned(), settings, rules })
    }
}

/// Documents by their own names; one without is called by its file and its place in it.
fn named(documents: &[Document]) -> BTreeMap<String, Json> {
    let mut named = BTreeMap::new();
    for file in documents {
        let nodes = if file.name.ends_with(".json") {
            document::json(&file.name, &file.text).map(|node| node.one_or_many().to_vec())
        } else {
            document::yaml(&file.name, &file.text)
        };
        // What cannot be read is told among the problems.
        for (place, node) in nodes.unwrap_or_default().iter().enumerate() {
            let json = Json::from(node);
            let name = json.pointer("/metadata/name").and_then(Json::as_str).map(str::to_owned);
            named.insert(name.unwrap_or_else(|| format!("{}#{}", file.name, place + 1)), json);
        }
    }
    named
}

fn at<'a>(document: &'a Json, path: &[&str]) -> &'a [Json] {
    let found = path.iter().try_fold(document, |value, key| value.get(*key));
    found.and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

fn without_rules(document: &Json) -> Json {
    let mut rest = document.clone();
    for (_, path) in TIERS {
        let Some((last, above)) = path.split_last() else { continue };
        let parent = above.iter().try_fold(&mut rest, |value, key| value.get_mut(*key));
        if let Some(map) = parent.and_then(Json::as_object_mut) {
            map.remove(*last);
        }
    }
    rest
}

/// What differs, down to so many levels of maps.
fn compare(field: &str, old: &Json, new: &Json, depth: u32, out: &mut Vec<Setting>) {
    if old == new {
        return;
    }
    let (Json::Object(was), Json::Object(is)) = (old, new) else {
        return out.push(Setting { field: field.to_owned(), old: old.clone(), new: new.clone() });
    };
    if depth == 0 {
        return out.push(Setting { field: field.to_owned(), old: old.clone(), new: new.clone() });
    }
    let more = is.keys().filter(|key| !was.contains_key(*key));
    for key in was.keys().chain(more) {
        let below = if field.is_empty() { key.clone() } else { format!("{field}.{key}") };
        let (old, new) = (was.get(key).unwrap_or(&Json::Null), is.get(key).unwrap_or(&Json::Null));
        compare(&below, old, new, depth - 1, out);
    }
}

fn compare_rules(document: &str, tier: &'static str, old: &[Json], new: &[Json], out: &mut Vec<RuleChange>) {
    let was: Vec<(&str, &Json)> = old.iter().map(|rule| (name(rule), rule)).collect();
    let is: Vec<(&str, &Json)> = new.iter().map(|rule| (name(rule), rule)).collect();
    let find = |rules: &[(&str, &Json)], name: &str| rules.iter().position(|(known, _)| *known == name);
    let mut tell = |rule: &str, change: Change, fields: Vec<Setting>| {
        out.push(RuleChange { rule: format!("{document}/{rule}"), tier, change, fields });
    };
    for (rule, old) in was.iter().filter(|(rule, _)| find(&is, rule).is_none()) {
        tell(rule, Change::Removed, all(old, &Json::Null));
    }
    // Ranks among the rules that both have: an added rule moves nobody.
    let common = |rules: &[(&str, &Json)], others: &[(&str, &Json)], rule: &str| {
        rules.iter().filter(|(known, _)| find(others, known).is_some()).position(|(known, _)| *known == rule)
    };
    for (rule, new) in &is {
        let Some((_, old)) = find(&was, rule).and_then(|place| was.get(place)) else {
            tell(rule, Change::Added, all(&Json::Null, new));
            continue;
        };
        let mut fields = Vec::new();
        compare("", old, new, 1, &mut fields);
        if !fields.is_empty() {
            tell(rule, Change::Changed, fields);
        } else if common(&was, &is, rule) != common(&is, &was, rule) {
            tell(rule, Change::Moved, fields);
        }
    }
}

fn name(rule: &Json) -> &str {
    rule.get("name").and_then(Json::as_str).unwrap_or_default()
}

/// Every field of a rule that the other set does not have.
fn all(old: &Json, new: &Json) -> Vec<Setting> {
    let rule = if new.is_null() { old } else { new };
    let fields = rule.as_object().into_iter().flatten().filter(|(key, _)| *key != "name");
    let setting = |(key, value): (&String, &Json)| {
        let (old, new) = if new.is_null() { (value.clone(), Json::Null) } else { (Json::Null, value.clone()) };
        Setting { field: key.clone(), old, new }
    };
    fields.map(setting).collect()
}

/// File by file, in the unified form.
fn text(old: &[Document], new: &[Document]) -> String {
    let mut files: BTreeMap<&str, [Option<&str>; 2]> = BTreeMap::new();
    for document in old {
        files.entry(document.name.as_str()).or_default()[0] = Some(&document.text);
    }
    for document in new {
        files.entry(document.name.as_str()).or_default()[1] = Some(&document.text);
    }
    let mut out = String::new();
    for (file, [was, is]) in files {
        if was == is || out.len() > MAX_TEXT {
            continue;
        }
        let label =
            |text: Option<&str>, side: &str| text.map_or_else(|| "/dev/null".to_owned(), |_| format!("{side}/{file}"));
        let lines = TextDiff::from_lines(was.unwrap_or_default(), is.unwrap_or_default());
        let mut unified = lines.unified_diff();
        let unified = unified.context_radius(CONTEXT).header(&label(was, "old"), &label(is, "new"));
        // Writing to a string cannot fail.
        let _ = write!(out, "{unified}");
    }
    if out.len() > MAX_TEXT {
        let end = (0..=MAX_TEXT).rev().find(|end| out.is_char_boundary(*end)).unwrap_or(0);
        out.truncate(end);
        out.push_str("\n… the text is longer than 1 MiB\n");
    }
    out
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (side, problems) in [("old", &self.old_problems), ("new", &self.new_problems)] {
            problems.iter().try_for_each(|problem| writeln!(f, "the {side} policy does not compile: {problem}"))?;
        }
        self.removed.iter().try_for_each(|name| writeln!(f, "- document {name}"))?;
        self.added.iter().try_for_each(|name| writeln!(f, "+ document {name}"))?;
        for changed in &self.changed {
            writeln!(f, "~ document {}", changed.document)?;
            changed.settings.iter().try_for_each(|setting| writeln!(f, "    {setting}"))?;
            for rule in &changed.rules {
                let (sign, words) = match rule.change {
                    Change::Added => ('+', ""),
                    Change::Changed => ('~', ""),
                    Change::Moved => ('~', " moved"),
                    Change::Removed => ('-', ""),
                };
                let tier = if rule.tier == "rules" { String::new() } else { format!(" ({})", rule.tier) };
                writeln!(f, "  {sign} rule {}{tier}{words}", rule.rule)?;
                rule.fields.iter().try_for_each(|setting| writeln!(f, "      {setting}"))?;
            }
        }
        if self.same {
            writeln!(f, "they mean the same")?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(f, "\n{}", self.text) }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.old, &self.new) {
            (Json::Null, new) => write!(f, "{}: {new}", self.field),
            (old, Json::Null) => write!(f, "{}: {old} → nothing", self.field),
            (old, new) => write!(f, "{}: {old} → {new}", self.field),
        }
    }
}
