//! The long form of a policy document: every shorthand written out, one type at each place, as a Kubernetes structural schema
//! needs it. It is written from what the readers understood, so it cannot say anything else than what will be compiled, and
//! the long form of a long form is itself.

mod condition;
mod limit;
mod settings;
mod then;
mod written;

#[cfg(test)]
mod tests;

use serde::ser::{Serialize, Serializer};

use crate::compile::Source;
use crate::document::{Node, Problems, duration_text};
use crate::spec::moment::text::moment_text;
use crate::spec::types::{Document, Entries, Grant, List, Rollout, Rule, Tier, Use};
use crate::spec::{Holds, Outside};

pub(crate) use condition::condition as condition_key;
use written::list;
pub(crate) use written::{Map, Written};

/// One document in its long form.
#[derive(Debug, Clone, PartialEq)]
pub struct Canonical {
    name: String,
    written: Written,
}

impl Canonical {
    /// The document's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its `spec` (or the first rule of it, less the name) on one line, less what was not said in the short form.
    pub(crate) fn spec_flow(&self, rule: bool) -> String {
        let spec = self.written.get("spec");
        let shown = match rule {
            true => spec.and_then(|spec| spec.get("rules")).and_then(Written::first).map(|rule| rule.without("name")),
            false => spec.map(|spec| spec.without("mode")),
        };
        shown.map(|shown| shown.flow()).unwrap_or_default()
    }

    /// As YAML, fields in the order of the reference; it reads the same to YAML 1.1 and 1.2.
    #[must_use]
    pub fn yaml(&self) -> String {
        self.written.yaml()
    }
}

/// As JSON: fields in the order of the reference.
impl Serialize for Canonical {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.written.serialize(serializer)
    }
}

/// The long form of every document of the sources, in the order written. Packs stay names; a trap is the rule that it stands
/// for; comments, labels and annotations are gone.
///
/// # Errors
/// Every problem of every document; what several documents mean together is not looked at.
pub fn canonical(sources: &[Source<'_>]) -> Result<Vec<Canonical>, Problems> {
    let mut problems = Problems::default();
    let nodes = crate::compile::read(sources, &mut problems);
    let mut documents = Vec::new();
    for node in nodes.iter().flat_map(Node::one_or_many) {
        if let Some(document) = Document::read(node, &mut problems) {
            documents.push(Canonical { name: document.name.clone(), written: whole(&document) });
        }
    }
    problems.sort();
    problems.or(documents)
}

fn whole(document: &Document) -> Written {
    let metadata = Map::new().text("name", &document.name);
    let of =
        |tier: fn(Tier) -> bool| -> Vec<Written> { document.rules.iter().filter(|r| tier(r.tier)).map(rule).collect() };
    let scope = document.scope.join("/");
    let hosts = document.hosts.iter().map(|(host, _)| Written::Text(host.to_string()));
    let spec = Map::new()
        .some("scope", (!scope.is_empty()).then_some(Written::Text(scope)))
        .many("hosts", hosts)
        .text("mode", &mode(document.mode));
    let spec = settings::settings(spec, &document.own)
        .some("scores", document.half_life.as_ref().map(|(nanos, _)| half_life(*nanos)))
        .many("grants", document.grants.iter().map(grant))
        .some("defaults", layer(&document.defaults, of(|tier| tier == Tier::Default)))
        .some("mandates", layer(&document.mandates, of(|tier| tier == Tier::Mandate)))
        .many("use", document.uses.iter().map(used))
        .some("lists", lists(&document.lists))
        .many("rules", of(|tier| matches!(tier, Tier::Rule | Tier::Verdict)));
    Map::new()
        .text("apiVersion", "gatehouse.dev/v1")
        .text("kind", document.traffic.kind())
        .map("metadata", metadata)
        .map("spec", spec)
        .done()
}

fn layer(settings: &crate::spec::types::Settings, rules: Vec<Written>) -> Option<Written> {
    let map = settings::settings(Map::new(), settings).many("rules", rules);
    (!map.is_empty()).then(|| map.done())
}

/// `monitor`, `canary N%`, `enforce`.
fn mode(mode: Rollout) -> String {
    match mode {
        Rollout::Monitor => "monitor".to_owned(),
        Rollout::Canary(percent) => format!("canary {percent}%"),
        Rollout::Enforce => "enforce".to_owned(),
    }
}

/// Nanoseconds as a duration.
fn span(nanos: u64) -> String {
    duration_text(nanos / 1_000_000)
}

fn half_life(nanos: u64) -> Written {
    Map::new().text("halfLife", &span(nanos)).done()
}

fn grant(grant: &Grant) -> Written {
    let hosts = grant.hosts.iter().map(|host| Written::Text(host.to_string()));
    Map::new().text("to", &grant.to.join("/")).many("hosts", hosts).done()
}

fn used(used: &Use) -> Written {
    let version = used.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
    Written::Text(format!("packs/{}{version}", used.name))
}

fn lists(lists: &[List]) -> Option<Written> {
    let mut map = Map::new();
    for each in lists {
        let entries = entries(&each.entries);
        let files = each.files.iter().map(|(file, _)| Written::Text(file.clone()));
        let expires = each.expires.as_ref().map(|(moment, _)| Written::Text(moment_text(*moment)));
        map = map.map(&each.name, entries.many("files", files).some("expires", expires));
    }
    (!map.is_empty()).then(|| map.done())
}

fn entries(entries: &Entries) -> Map {
    let map = Map::new();
    match entries {
        Entries::Asns(asns) => map.list("asns", asns.iter().map(|asn| Written::Number(i64::from(*asn)))),
        Entries::Countries(codes) => map.list("countries", codes.iter().map(|code| Written::Text(country(*code)))),
        Entries::Fingerprints(texts) => map.list("fingerprints", texts.iter().cloned().map(Written::Text)),
        Entries::Identities(texts) => map.list("identities", texts.iter().cloned().map(Written::Text)),
        Entries::Networks(networks) => map.list("cidrs", networks.iter().map(|n| Written::Text(n.to_string()))),
        Entries::Verdicts(None) => map.map("from", Map::new().entry("verdicts", Written::Bool(true))),
        Entries::Verdicts(Some(outside)) => fetched(map, outside),
    }
}

fn fetched(map: Map, outside: &Outside) -> Map {
    let (word, text) = outside.origin.words();
    let of = (outside.of != Holds::Addresses).then(|| Written::Text(outside.of.word().to_owned()));
    let digest = outside.digest.map(|digest| {
        let hex = digest.iter().fold(String::from("sha256:"), |text, byte| format!("{text}{byte:02x}"));
        Written::Text(hex)
    });
    let signature = outside.signature.as_ref().map(|signature| {
        let (word, at) = signature.at.words();
        Map::new().text("key", &signature.key).text(word, at).done()
    });
    map.map("from", Map::new().text(word, text))
        .some("of", of)
        .text("every", &time(outside.every))
        .some("digest", digest)
        .some("signature", signature)
        .text("expires", &time(outside.expires))
}

fn time(duration: std::time::Duration) -> String {
    duration_text(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn country(code: [u8; 2]) -> String {
    code.iter().copied().map(char::from).collect()
}

fn rule(rule: &Rule) -> Written {
    Map::new()
        .text("name", &rule.name)
        .some("priority", (rule.priority != 0).then_some(Written::Number(i64::from(rule.priority))))
        .some("mode", rule.mode.map(|own| Written::Text(mode(own))))
        .entry("match", condition::condition(&rule.condition))
        .some("limit", rule.limit.as_ref().map(limit::limit))
        .entry("then", list(then::words(&rule.then)))
        .done()
}
