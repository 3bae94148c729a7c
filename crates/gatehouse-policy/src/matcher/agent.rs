//! `agent`: class, name (in any letter case), and whether it is what it says.

use super::{Facts, Leaf, Truth};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    if leaf.kind == node::AGENT_VERIFIED {
        let verified = facts.signals.agent_verified().filter(|_| facts.known.has(Field::AgentVerified));
        return verified.map_or(Truth::Unknown, |verified| (verified == (leaf.word(node::A) != 0)).into());
    }
    let Some(agent) = facts.signals.agent().filter(|_| facts.known.has(Field::Agent)) else {
        return Truth::Unknown;
    };
    let holds = match leaf.kind {
        node::AGENT_CLASS => agent.class.as_str().as_bytes() == leaf.text(node::A),
        _ => agent.name.as_bytes().eq_ignore_ascii_case(leaf.text(node::A)),
    };
    holds.into()
}
