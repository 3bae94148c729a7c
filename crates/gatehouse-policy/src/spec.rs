//! A policy document as it was written: parsed into types that hold no impossible value, and nothing more. What the words
//! mean together (names, hosts and lists of several documents) is [`crate::compile`]'s to find out.
//!
//! | module | reads |
//! |---|---|
//! | this one | `apiVersion`, `kind`, `metadata`, and the frame of `spec` |
//! | `client` | `client`, `lists`, and networks wherever they stand |
//! | `rule` | `rules` and `mode` |
//! | `condition` | `match` |
//! | `pattern` | hosts, paths, methods and texts inside `match` |
//! | `action` | `then` and `otherwise` |

mod action;
mod client;
mod condition;
mod pattern;
mod rule;

pub(crate) use action::Action;
pub(crate) use client::{Addresses, List, Trust};
pub(crate) use condition::Condition;
pub(crate) use pattern::{HostPattern, PathPattern, TextPattern};
pub(crate) use rule::Rule;

use gatehouse_verdict::Mode;

use crate::document::{Fields, Node, Place, Problems, quoted};
use crate::text;

/// Deepest scope: organisation / tenant / workspace / group.
const MAX_SCOPE: usize = 4;

/// One document.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) name: String,
    pub(crate) place: Place,
    /// 1 organisation, 2 tenant, 3 workspace, 4 group.
    pub(crate) layer: u8,
    /// Empty: every host.
    pub(crate) hosts: Vec<(HostPattern, Place)>,
    pub(crate) mode: Mode,
    pub(crate) trust: Option<(Trust, Place)>,
    pub(crate) lists: Vec<List>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) otherwise: Option<(Action, Place)>,
    pub(crate) ambiguous: Option<(Ambiguous, Place)>,
}

/// What happens to a request with more than one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguous {
    /// It is refused.
    Reject,
    /// Every reading is judged, and the strictest verdict wins.
    Strictest,
}

impl Document {
    /// Reads a document. `None`: its frame is wrong; `Some` may come with problems inside.
    pub(crate) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "a policy document", problems)?;
        if let Some(version) = fields.require("apiVersion") {
            version.one_of(&["gatehouse.dev/v1"], problems);
        }
        if let Some(kind) = fields.require("kind") {
            read_kind(kind, problems);
        }
        let metadata = fields.require("metadata");
        let spec = fields.require("spec");
        fields.finish(problems);
        let metadata = metadata.and_then(|node| Metadata::read(node, problems));
        spec.and_then(|node| Self::read_spec(node, metadata.as_ref(), problems))
    }

    fn read_spec(node: &Node, metadata: Option<&Metadata>, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`spec`", problems)?;
        let hosts = fields.take("hosts");
        let mode = fields.take("mode").and_then(|n| rule::read_mode(n, problems));
        let trust_place = fields.key_place("client").clone();
        let trust = fields.take("client").and_then(|n| client::read_client(n, problems));
        let lists = fields.take("lists").map_or_else(Vec::new, |n| client::read_lists(n, problems));
        let rules = fields.take("rules").map_or_else(Vec::new, |n| rule::read_rules(n, problems));
        let otherwise =
            fields.take("otherwise").and_then(|n| Some((action::read_otherwise(n, problems)?, n.place.clone())));
        let ambiguous = fields.take("ambiguous").and_then(|n| Some((read_ambiguous(n, problems)?, n.place.clone())));
        fields.not_built(&["backend", "contract", "defaults", "forward", "grants", "mandates"]);
        fields.finish(problems);
        let scope = metadata.and_then(|m| m.layer);
        let hosts = match hosts {
            Some(hosts) => read_hosts(hosts, problems),
            None => {
                if scope.is_some_and(|layer| layer > 1) {
                    let help = "write the hosts where it holds; only an organisation's document holds for every host";
                    problems.push(&node.place, "the document names no `hosts`", help);
                }
                Vec::new()
            }
        };
        let layer = scope.unwrap_or(if hosts.is_empty() { 1 } else { MAX_SCOPE as u8 });
        let Metadata { name, place, .. } = metadata?.clone();
        let mode = mode.unwrap_or(Mode::Enforce);
        let trust = trust.map(|trust| (trust, trust_place));
        Some(Self { name, place, layer, hosts, mode, trust, lists, rules, otherwise, ambiguous })
    }
}

fn read_kind(node: &Node, problems: &mut Problems) {
    if let crate::document::Value::String(kind) = &node.value
        && kind == "TcpPolicy"
    {
        problems.push(&node.place, "`TcpPolicy` is not built yet", "leave the document out");
        return;
    }
    node.one_of(&["Policy"], problems);
}

fn read_ambiguous(node: &Node, problems: &mut Problems) -> Option<Ambiguous> {
    match node.one_of(&["strictest", "reject"], problems)? {
        "reject" => Some(Ambiguous::Reject),
        _ => Some(Ambiguous::Strictest),
    }
}

fn read_hosts(node: &Node, problems: &mut Problems) -> Vec<(HostPattern, Place)> {
    let items = node.one_or_many();
    if items.is_empty() {
        problems.push(&node.place, "`hosts` is empty", "write the hosts where the document holds");
    }
    items.iter().filter_map(|item| Some((HostPattern::read(item, problems)?, item.place.clone()))).collect()
}

#[derive(Debug, Clone)]
struct Metadata {
    name: String,
    place: Place,
    layer: Option<u8>,
}

impl Metadata {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`metadata`", problems)?;
        let name = fields.require("name");
        let scope = fields.take("scope");
        fields.finish(problems);
        let layer = scope.and_then(|n| read_scope(n, problems));
        let name = name?;
        Some(Self { name: read_name(name, problems)?, place: name.place.clone(), layer })
    }
}

/// A name: lower-case letters, digits and hyphens.
fn read_name(node: &Node, problems: &mut Problems) -> Option<String> {
    let written = node.string(problems)?;
    if !text::is_name(written) {
        let help = "write 1 to 63 lower-case letters, digits and hyphens";
        problems.push(&node.place, format!("{} is not a name", quoted(written)), help);
        return None;
    }
    Some(written.to_owned())
}

/// The number of segments of a scope.
fn read_scope(node: &Node, problems: &mut Problems) -> Option<u8> {
    let written = node.string(problems)?;
    let segments = written.split('/').count();
    if segments > MAX_SCOPE || !written.split('/').all(text::is_name) {
        let help = "write organisation/tenant/workspace/group or the first of these, each of lower-case letters, digits and hyphens";
        problems.push(&node.place, format!("{} is not a scope", quoted(written)), help);
        return None;
    }
    u8::try_from(segments).ok()
}
