//! A policy document as it was written: parsed into types that hold no impossible value, and nothing more. What the words
//! mean together (names, hosts and lists of several documents) is [`crate::compile`]'s to find out.
//!
//! | module | reads |
//! |---|---|
//! | this one | `apiVersion`, `kind`, `metadata`, and the frame of `spec` |
//! | `types` | what the others read into |
//! | `settings`, `client` | settings of a document, its `defaults` and its `mandates`; `client` |
//! | `list`, `outside`, `identity` | `lists`; where the house fetches one from; SPIFFE patterns, service accounts, trust domains |
//! | `rule`, `limit` | `rules`, `trap`; `limit` of a rule |
//! | `condition`, `request`, `who`, `pattern` | `match`: its frame, its fields, patterns in them |
//! | `kind` | what a document may say of connections, and what of requests |
//! | `normal` | one shape for all ways of nesting a match |
//! | `then`, `refusal` | `then` and `otherwise`; how answers look |
//! | `pack` | `use`: documents of ours that add rules to one of theirs |
//! | `quantity`, `moment`, `bounds` | numbers with a unit, moments and windows, and the bounds of all |

pub(crate) mod bounds;
mod client;
mod condition;
mod identity;
mod kind;
mod library;
mod limit;
mod list;
pub(crate) mod moment;
pub(crate) mod normal;
mod outside;
mod pack;
mod pattern;
mod quantity;
mod refusal;
mod request;
mod rule;
mod settings;
mod then;
pub(crate) mod types;
mod who;

pub use library::Library;
pub use outside::{Holds, Origin, Outside, Signature};
pub(crate) use pattern::{HostPattern, PathPattern, TextPattern};
#[cfg(feature = "yaml")]
pub(crate) use refusal::PLACEHOLDERS;

use crate::document::{Fields, Node, Place, Problems, Value, quoted};
use crate::text;
use identity::Context;
use types::{Document, Grant, Rollout, Rule, Settings, Tier, Traffic};

/// Layers, from the organisation down.
const GROUP: u8 = 4;

impl Document {
    /// Reads a document. `None`: its frame is wrong; `Some` may come with problems inside.
    pub(crate) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::of("document", node, "a policy document", problems)?;
        if let Some(version) = fields.require("apiVersion") {
            version.one_of(&["gatehouse.dev/v1"], problems);
        }
        let traffic = fields.require("kind").and_then(|kind| read_kind(kind, problems));
        let metadata = fields.require("metadata");
        let spec = fields.require("spec");
        fields.finish(problems);
        let metadata = metadata.and_then(|node| Metadata::read(node, problems));
        let document =
            spec.and_then(|node| read_spec(node, traffic.unwrap_or(Traffic::Requests), metadata, problems))?;
        kind::check(&document, problems);
        Some(document)
    }
}

fn read_spec(node: &Node, traffic: Traffic, metadata: Option<Metadata>, problems: &mut Problems) -> Option<Document> {
    let mut fields = Fields::of("spec", node, "`spec`", problems)?;
    let scope = fields.take("scope");
    let hosts = fields.take("hosts");
    let mode = fields.take("mode").and_then(|n| quantity::rollout(n, problems));
    let cx = match fields.take("trustDomains").and_then(|n| identity::trust_domains(n, problems)) {
        Some(trust_domains) => Context { trust_domains },
        None => Context::default(),
    };
    let lists = fields.take("lists").map_or_else(Vec::new, |n| list::read(n, problems));
    let mut rules = fields.take("rules").map_or_else(Vec::new, |n| rule::read(n, Tier::Rule, &cx, problems));
    let trap_place = fields.key_place("trap").clone();
    rules.extend(fields.take("trap").and_then(|n| rule::read_trap(n, &trap_place, problems)));
    let own = settings::read(&mut fields, problems);
    let half_life = fields.take("scores").and_then(|n| read_half_life(n, problems));
    let grants = fields.take("grants").map_or_else(Vec::new, |n| read_grants(n, problems));
    let uses = fields.take("use").map_or_else(Vec::new, |n| pack::read_uses(n, problems));
    let mut layer = |word: &'static str, tier: Tier| {
        let node = fields.take(word)?;
        let (settings, added) = read_layer(node, word, tier, &cx, problems)?;
        rules.extend(added);
        Some(settings)
    };
    let defaults = layer("defaults", Tier::Default).unwrap_or_default();
    let mandates = layer("mandates", Tier::Mandate).unwrap_or_default();
    fields.not_built(&["contract"]);
    fields.finish(problems);
    let scope = read_scope(scope, metadata.as_ref(), problems);
    let hosts = match hosts {
        Some(hosts) => read_hosts(hosts, problems),
        None => no_hosts(node, &scope, problems),
    };
    let layer = match (u8::try_from(scope.len()).unwrap_or(GROUP), hosts.is_empty()) {
        (0, true) => 1,
        (0, false) => GROUP,
        (segments, _) => segments,
    };
    let Metadata { name, place, .. } = metadata?;
    let mode = mode.unwrap_or(Rollout::Enforce);
    Some(Document {
        name: name?,
        traffic,
        place,
        scope,
        layer,
        hosts,
        mode,
        own,
        defaults,
        mandates,
        grants,
        uses,
        half_life,
        lists,
        rules,
    })
}

/// `defaults` or `mandates`: settings and rules.
fn read_layer(
    node: &Node,
    word: &'static str,
    tier: Tier,
    cx: &Context,
    problems: &mut Problems,
) -> Option<(Settings, Vec<Rule>)> {
    let mut fields = Fields::of("layer", node, format!("`{word}`"), problems)?;
    if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
        problems.push(
            &node.place,
            format!("`{word}` says nothing"),
            "write settings or `rules` in it, or leave it out",
        );
    }
    let settings = settings::read(&mut fields, problems);
    let rules = fields.take("rules").map_or_else(Vec::new, |n| rule::read(n, tier, cx, problems));
    fields.finish(problems);
    Some((settings, rules))
}

fn read_kind(node: &Node, problems: &mut Problems) -> Option<Traffic> {
    if matches!(&node.value, Value::String(kind) if kind == "Pack") {
        problems.push(&node.place, "a pack does not stand alone", "name it under `use:` of a policy");
        return None;
    }
    match node.one_of(&["Policy", "TcpPolicy"], problems)? {
        "TcpPolicy" => Some(Traffic::Connections),
        _ => Some(Traffic::Requests),
    }
}

/// The hosts of a document that names none.
fn no_hosts(node: &Node, scope: &[String], problems: &mut Problems) -> Vec<(HostPattern, Place)> {
    if scope.len() > 1 {
        let help = "write the hosts where it holds; only an organisation's document holds for every host";
        problems.push(&node.place, "the document names no `hosts`", help);
    }
    Vec::new()
}

fn read_hosts(node: &Node, problems: &mut Problems) -> Vec<(HostPattern, Place)> {
    let items = node.one_or_many();
    if items.is_empty() {
        problems.push(&node.place, "`hosts` is empty", "write the hosts where the document holds");
    }
    items.iter().filter_map(|item| Some((HostPattern::read(item, problems)?, item.place.clone()))).collect()
}

/// `scores: { halfLife }`.
fn read_half_life(node: &Node, problems: &mut Problems) -> Option<(u64, Place)> {
    let mut fields = Fields::of("scores", node, "`scores`", problems)?;
    let half_life = fields.require("halfLife");
    fields.finish(problems);
    let node = half_life?;
    Some((quantity::nanos(node, bounds::HALF_LIFE_MS, problems)?, node.place.clone()))
}

fn read_grants(node: &Node, problems: &mut Problems) -> Vec<Grant> {
    let Some(items) = node.list(problems) else { return Vec::new() };
    if items.is_empty() {
        problems.push(
            &node.place,
            "`grants` is empty",
            "write what is granted, or leave it out: hosts are then free to claim",
        );
    }
    items.iter().filter_map(|item| read_grant(item, problems)).collect()
}

/// `{ to, hosts }`.
fn read_grant(node: &Node, problems: &mut Problems) -> Option<Grant> {
    let mut fields = Fields::of("grant", node, "a grant", problems)?;
    let (to, hosts) = (fields.require("to"), fields.require("hosts"));
    fields.finish(problems);
    let to = to.and_then(|n| segments(n, problems));
    let hosts = hosts.map(|n| read_hosts(n, problems));
    let hosts = hosts?.into_iter().map(|(host, _)| host).collect();
    Some(Grant { to: to?, hosts, place: node.place.clone() })
}

#[derive(Debug)]
struct Metadata {
    name: Option<String>,
    place: Place,
    scope: Option<(Vec<String>, Place)>,
}

impl Metadata {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::of("metadata", node, "`metadata`", problems)?;
        let name_node = fields.require("name");
        let scope = fields.take("scope");
        for foreign in [fields.take("labels"), fields.take("annotations")].into_iter().flatten() {
            for entry in foreign.entries(problems).unwrap_or_default() {
                entry.value.string(problems);
            }
        }
        if let Some(namespace) = fields.take("namespace") {
            namespace.string(problems);
        }
        fields.finish(problems);
        let scope = scope.and_then(|n| Some((segments(n, problems)?, n.place.clone())));
        let place = name_node.map_or_else(|| node.place.clone(), |n| n.place.clone());
        Some(Self { name: name_node.and_then(|n| name(n, problems)), place, scope })
    }
}

/// The scope of `spec`, which is its long form, or of `metadata`; empty: none was written.
fn read_scope(node: Option<&Node>, metadata: Option<&Metadata>, problems: &mut Problems) -> Vec<String> {
    let short = metadata.and_then(|metadata| metadata.scope.as_ref());
    let long = node.and_then(|n| Some((segments(n, problems)?, n)));
    match (long, short) {
        (Some((long, node)), Some((short, place))) if long != *short => {
            let message = format!("the document has another scope at {place}");
            problems.push(&node.place, message, "write it once");
            long
        }
        (Some((long, _)), _) => long,
        (None, Some((short, _))) => short.clone(),
        (None, None) => Vec::new(),
    }
}

/// A name: lower-case letters, digits and hyphens.
fn name(node: &Node, problems: &mut Problems) -> Option<String> {
    let written = node.string(problems)?;
    if !text::is_name(written) {
        let help = "write 1 to 63 lower-case letters, digits and hyphens";
        problems.push(&node.place, format!("{} is not a name", quoted(written)), help);
        return None;
    }
    Some(written.to_owned())
}

/// The segments of a scope.
fn segments(node: &Node, problems: &mut Problems) -> Option<Vec<String>> {
    let written = node.string(problems)?;
    let segments: Vec<String> = written.split('/').map(str::to_owned).collect();
    if segments.len() > bounds::SCOPE || !segments.iter().all(|segment| text::is_name(segment)) {
        let help = "write organisation/tenant/workspace/group or the first of these, each of lower-case letters, digits and hyphens";
        problems.push(&node.place, format!("{} is not a scope", quoted(written)), help);
        return None;
    }
    Some(segments)
}
