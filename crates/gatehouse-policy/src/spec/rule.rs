//! `rules` and `mode`.

use gatehouse_verdict::Mode;

use crate::document::{Fields, Node, Place, Problems, Value, quoted};

use super::{Action, Condition, read_name};

/// Names that stand for the document itself where a rule's name is shown.
const RESERVED_NAMES: [&str; 2] = ["ambiguous", "otherwise"];

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) priority: i16,
    /// `None`: the document's.
    pub(crate) mode: Option<Mode>,
    pub(crate) condition: Condition,
    pub(crate) action: Action,
}

pub(super) fn read_rules(node: &Node, problems: &mut Problems) -> Vec<Rule> {
    let items = node.list(problems).unwrap_or_default();
    items.iter().filter_map(|item| Rule::read(item, problems)).collect()
}

impl Rule {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "a rule", problems)?;
        let name = fields.require("name");
        let name_place = name.map_or_else(|| node.place.clone(), |n| n.place.clone());
        let name = name.and_then(|n| read_rule_name(n, problems));
        let priority = match fields.take("priority") {
            Some(n) => n.integer(-1000..=1000, problems).and_then(|n| i16::try_from(n).ok()),
            None => Some(0),
        };
        let mode = fields.take("mode").map(|n| read_mode(n, problems));
        let condition = fields.require("match").and_then(|n| Condition::read(n, problems));
        let action = fields.require("then").and_then(|n| Action::read(n, problems));
        fields.not_built(&["expires", "labels", "limit", "weight"]);
        fields.finish(problems);
        let mode = match mode {
            Some(read) => Some(read?),
            None => None,
        };
        Some(Self { name: name?, place: name_place, priority: priority?, mode, condition: condition?, action: action? })
    }
}

fn read_rule_name(node: &Node, problems: &mut Problems) -> Option<String> {
    let name = read_name(node, problems)?;
    if RESERVED_NAMES.contains(&name.as_str()) {
        problems.push(&node.place, format!("a rule may not be called {}", quoted(&name)), "choose another name");
        return None;
    }
    Some(name)
}

/// `monitor` or `enforce`.
pub(super) fn read_mode(node: &Node, problems: &mut Problems) -> Option<Mode> {
    if let Value::String(text) = &node.value
        && text.split_whitespace().next() == Some("canary")
    {
        problems.push(&node.place, "`canary` is not built yet", "write `monitor` or `enforce`");
        return None;
    }
    match node.one_of(&["monitor", "enforce"], problems)? {
        "monitor" => Some(Mode::Monitor),
        _ => Some(Mode::Enforce),
    }
}
