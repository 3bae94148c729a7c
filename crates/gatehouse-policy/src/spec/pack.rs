//! `use`: packs of rules and lists that ship with the product. A pack is a document of `kind: Pack`, found by its name in the
//! [`Library`], and added to the document that uses it: its rules after that document's own, its lists beside them, all names
//! with the pack's name before them.

use std::collections::BTreeSet;

use crate::compile::Source;
use crate::document::{Fields, Node, Place, Problems, quoted};
use crate::text;

use super::identity::Context;
use super::library::Library;
use super::types::{Addresses, Condition, Document, List, ListName, Rule, Tier, Use};
use super::{list, name, rule};

const PREFIX: &str = "packs/";

/// What a pack adds.
struct Pack {
    version: String,
    lists: Vec<List>,
    rules: Vec<Rule>,
}

/// Reads `use`.
pub(super) fn read_uses(node: &Node, problems: &mut Problems) -> Vec<Use> {
    let mut seen = BTreeSet::new();
    let mut uses = Vec::new();
    for item in node.one_or_many() {
        let Some(written) = item.string(problems) else { continue };
        let rest = written.strip_prefix(PREFIX).unwrap_or_default();
        let (pack, version) = rest.split_once('@').map_or((rest, None), |(pack, version)| (pack, Some(version)));
        if !text::is_name(pack) || version.is_some_and(|version| !is_version(version)) {
            let help = "write `packs/NAME`, or `packs/NAME@VERSION` to stay with one version";
            problems.push(&item.place, format!("{} is not a pack", quoted(written)), help);
        } else if !seen.insert(pack) {
            problems.push(&item.place, format!("{} is used twice", quoted(pack)), "keep one of them");
        } else {
            uses.push(Use { name: pack.to_owned(), version: version.map(str::to_owned), place: item.place.clone() });
        }
    }
    uses
}

fn is_version(text: &str) -> bool {
    let character = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    (1..=32).contains(&text.len()) && text.bytes().all(character)
}

impl Document {
    /// Adds the rules and lists of every pack that the document uses.
    pub(crate) fn add_packs(&mut self, library: &dyn Library, problems: &mut Problems) {
        for used in self.uses.clone() {
            let Some(source) = library.pack(&used.name) else {
                no_such_pack(&used, library, problems);
                continue;
            };
            let Some(pack) = Pack::read(&source, problems) else { continue };
            if let Some(wanted) = used.version.as_ref().filter(|wanted| **wanted != pack.version) {
                let message = format!("{} is here in version {}", quoted(&used.name), quoted(&pack.version));
                let help = format!("write `packs/{}` for the one that is here", used.name);
                problems.push(&used.place, format!("{message}, not {}", quoted(wanted)), help);
                continue;
            }
            let prefix = |name: &str| format!("{}-{name}", used.name);
            for mut list in pack.lists {
                list.files.iter_mut().for_each(|(file, _)| *file = format!("{PREFIX}{}/{file}", used.name));
                list.name = prefix(&list.name);
                list.place = used.place.clone();
                self.lists.push(list);
            }
            for mut rule in pack.rules {
                rule.name = prefix(&rule.name);
                rule.place = used.place.clone();
                rule.condition.rename_lists(&prefix, &used.place);
                self.rules.push(rule);
            }
        }
    }
}

fn no_such_pack(used: &Use, library: &dyn Library, problems: &mut Problems) {
    let names = library.packs();
    let help = match crate::document::nearest(&used.name, names.iter().copied()) {
        Some(near) => format!("did you mean `{PREFIX}{near}`?"),
        None if names.is_empty() => "packs are known to the house only: let it hand this policy out".to_owned(),
        None => format!("known are {}", crate::document::list(&names)),
    };
    problems.push(&used.place, format!("there is no pack {}", quoted(&used.name)), help);
}

impl Pack {
    fn read(source: &Source<'_>, problems: &mut Problems) -> Option<Self> {
        let nodes = match source.read() {
            Ok(nodes) => nodes,
            Err(found) => {
                problems.extend(found);
                return None;
            }
        };
        let [node] = nodes.as_slice() else {
            problems.push(&Place::text(source.name, 1, 1), "a pack is one document", "");
            return None;
        };
        let told = problems.0.len();
        let mut fields = Fields::of("pack", node, "a pack", problems)?;
        fields.require("apiVersion").and_then(|n| n.one_of(&["gatehouse.dev/v1"], problems));
        fields.require("kind").and_then(|n| n.one_of(&["Pack"], problems));
        let (metadata, spec) = (fields.require("metadata"), fields.require("spec"));
        fields.finish(problems);
        let mut fields = Fields::of("pack.metadata", metadata?, "`metadata`", problems)?;
        let (named, version) = (fields.require("name"), fields.require("version"));
        fields.finish(problems);
        named.and_then(|n| name(n, problems));
        let version = version.and_then(|n| n.string(problems)).map(str::to_owned);
        let mut fields = Fields::of("pack.spec", spec?, "`spec`", problems)?;
        let lists = fields.take("lists").map_or_else(Vec::new, |n| list::read(n, problems));
        let cx = Context::default();
        let rules = fields.take("rules").map_or_else(Vec::new, |n| rule::read(n, Tier::Rule, &cx, problems));
        fields.finish(problems);
        (problems.0.len() == told).then_some(Self { version: version?, lists, rules })
    }
}

impl Condition {
    /// Every list that it names gets another name, and the place of the word that brought it in.
    fn rename_lists(&mut self, rename: &dyn Fn(&str) -> String, place: &Place) {
        let change = |list: &mut ListName| {
            list.name = rename(&list.name);
            list.place = place.clone();
        };
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter_mut().for_each(|part| part.rename_lists(rename, place)),
            Self::Not(inner) => inner.rename_lists(rename, place),
            Self::Address(Addresses::List(list))
            | Self::Destination(Addresses::List(list))
            | Self::AsnList(list)
            | Self::CountryList(list)
            | Self::FingerprintList(list)
            | Self::IdentityList(list)
            | Self::Verdict(list) => change(list),
            _ => {}
        }
    }
}
