//! Fields of a match about who the client is: address, identity, claims, fingerprint, agent, place, and what is held about it.

use gatehouse_signals::agent::AgentClass;

use crate::document::{Fields, Node, Problems, Value, quoted};
use crate::text;

use super::condition::each;
use super::identity::{self, Context};
use super::types::{Addresses, Condition, ListName};
use super::{bounds, client};

/// A value, `{ VALUE-WORD: value }`, or `{ list: NAME }`, or a list of these: the shape that fields with lists share.
fn listed(
    object: &'static str,
    word: &'static str,
    node: &Node,
    problems: &mut Problems,
    value: impl Fn(&Node, &mut Problems) -> Option<Condition>,
    list: impl Fn(ListName) -> Condition,
) -> Option<Condition> {
    each(node, problems, |node, problems| {
        if !matches!(node.value, Value::Map(_)) {
            return value(node, problems);
        }
        let mut fields = Fields::of(object, node, "this", problems)?;
        let found = [(word, fields.take(word)), ("list", fields.take("list"))];
        fields.finish(problems);
        match super::pattern::only(node, &found, problems)? {
            ("list", name) => list_name(name, problems).map(&list),
            (_, written) => value(written, problems),
        }
    })
}

fn list_name(node: &Node, problems: &mut Problems) -> Option<ListName> {
    Some(ListName { name: node.string(problems)?.to_owned(), place: node.place.clone() })
}

pub(super) fn address(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    addresses(node, problems, Condition::Address)
}

/// The address that the connection was made to, as `address` is written.
pub(super) fn destination(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    addresses(node, problems, Condition::Destination)
}

fn addresses(node: &Node, problems: &mut Problems, condition: fn(Addresses) -> Condition) -> Option<Condition> {
    let value = |node: &Node, problems: &mut Problems| {
        if node.one_or_many().is_empty() {
            problems.push(&node.place, "an empty list matches nothing", "write networks, or leave the field out");
            return None;
        }
        let networks = client::networks(node, problems);
        (!networks.is_empty()).then_some(Addresses::Networks(networks))
    };
    let value = |node: &Node, problems: &mut Problems| value(node, problems).map(condition);
    listed("address", "cidrs", node, problems, value, |list| condition(Addresses::List(list)))
}

/// A pattern, `none`, `{ pattern }`, `{ list }`, `{ present }`, or a list of these.
pub(super) fn identity(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    each(node, problems, |node, problems| {
        if !matches!(node.value, Value::Map(_)) {
            if matches!(&node.value, Value::String(word) if word == "none") {
                return Some(Condition::NoIdentity);
            }
            return identity::pattern(node, problems).map(Condition::Identity);
        }
        let mut fields = Fields::of("identity", node, "`identity`", problems)?;
        let found = ["pattern", "list", "present"].map(|word| (word, fields.take(word)));
        fields.finish(problems);
        match super::pattern::only(node, &found, problems)? {
            ("pattern", written) => identity::pattern(written, problems).map(Condition::Identity),
            ("list", name) => list_name(name, problems).map(Condition::IdentityList),
            (_, present) => match present.boolean(problems)? {
                true => Some(Condition::NoIdentity.negated()),
                false => Some(Condition::NoIdentity),
            },
        }
    })
}

pub(super) fn service_accounts(node: &Node, cx: &Context, problems: &mut Problems) -> Option<Condition> {
    each(node, problems, |node, problems| {
        let patterns = identity::service_account(node, cx, problems)?;
        Some(Condition::any(patterns.into_iter().map(Condition::Identity)))
    })
}

pub(super) fn fingerprints(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    let value = |node: &Node, problems: &mut Problems| fingerprint(node, problems).map(Condition::Fingerprint);
    listed("fingerprint", "equals", node, problems, value, Condition::FingerprintList)
}

pub(super) fn countries(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    let value = |node: &Node, problems: &mut Problems| country(node, problems).map(Condition::Country);
    listed("country", "equals", node, problems, value, Condition::CountryList)
}

pub(super) fn asns(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    let value = |node: &Node, problems: &mut Problems| asn(node, problems).map(Condition::Asn);
    listed("asn", "equals", node, problems, value, Condition::AsnList)
}

/// JA4 (`t13d1516h2_8daaf6152771_b186095e22b6`), or the gate's own over header order, which begins with `h`.
pub(super) fn fingerprint(node: &Node, problems: &mut Problems) -> Option<String> {
    let written = node.string(problems)?;
    let mut parts = written.split('_');
    let (head, tail) = (parts.next().unwrap_or_default(), parts);
    let lower = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let hashes =
        tail.clone().all(|part| part.len() == 12 && part.bytes().all(|b| b.is_ascii_hexdigit()) && lower(part));
    let ja4 = head.len() == 10 && head.starts_with(['t', 'q', 'd']) && lower(head) && tail.count() == 2 && hashes;
    let part = |part: &str| part == "-" || lower(part);
    let own = head.starts_with('h') && (4..=64).contains(&written.len()) && written.split('_').all(part);
    if !ja4 && !own {
        let help = "write a JA4 such as `t13d1516h2_8daaf6152771_b186095e22b6`, or one of the gate's own, which begin with `h`, as records show it";
        problems.push(&node.place, format!("{} is not a fingerprint", quoted(written)), help);
        return None;
    }
    Some(written.to_owned())
}

/// Two capital letters (ISO 3166-1 alpha-2).
pub(super) fn country(node: &Node, problems: &mut Problems) -> Option<[u8; 2]> {
    let written = node.string(problems)?;
    match <[u8; 2]>::try_from(written.as_bytes()) {
        Ok(code) if code.iter().all(u8::is_ascii_uppercase) => return Some(code),
        Ok(code) if code.iter().all(u8::is_ascii_alphabetic) => {
            let help = format!("write `{}`", written.to_ascii_uppercase());
            problems.push(&node.place, format!("{} is not a country", quoted(written)), help);
        }
        _ => {
            let help = "write the two capital letters of ISO 3166-1, such as `DE`";
            problems.push(&node.place, format!("{} is not a country", quoted(written)), help);
        }
    }
    None
}

/// The number of an autonomous system.
pub(super) fn asn(node: &Node, problems: &mut Problems) -> Option<u32> {
    if let Value::String(written) = &node.value {
        let digits = written.trim_start_matches(['A', 'S', 'a', 's']);
        let help = match digits.parse::<u32>() {
            Ok(number) if number > 0 => format!("write `{number}`"),
            _ => "write its number, such as `64496`".to_owned(),
        };
        problems.push(&node.place, format!("{} is not a number", quoted(written)), help);
        return None;
    }
    node.integer(1..=i64::from(u32::MAX), problems).and_then(|number| u32::try_from(number).ok())
}

/// `{ class, name, verified }`, or a class or a list of classes.
pub(super) fn agent(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    if !matches!(node.value, Value::Map(_)) {
        return each(node, problems, class);
    }
    let mut fields = Fields::of("agent", node, "`agent`", problems)?;
    let found = ["class", "name", "verified"].map(|word| (word, fields.take(word)));
    fields.finish(problems);
    let mut parts = Vec::new();
    for (word, node) in found {
        let Some(node) = node else { continue };
        parts.push(match word {
            "class" => each(node, problems, class),
            "name" => each(node, problems, agent_name),
            _ => node.boolean(problems).map(Condition::AgentVerified),
        });
    }
    if parts.is_empty() {
        problems.push(&node.place, "`agent` says nothing", "write `class`, `name` or `verified`");
        return None;
    }
    parts.into_iter().collect::<Option<Vec<_>>>().map(Condition::all)
}

fn class(node: &Node, problems: &mut Problems) -> Option<Condition> {
    let words = AgentClass::ALL.map(AgentClass::as_str);
    AgentClass::parse(node.one_of(&words, problems)?).map(Condition::AgentClass)
}

fn agent_name(node: &Node, problems: &mut Problems) -> Option<Condition> {
    let written = node.string(problems)?;
    if !text::is_parameter(written) {
        let help = format!("write 1 to {} printable bytes", bounds::PARAMETER);
        problems.push(&node.place, format!("{} is not the name of an agent", quoted(written)), help);
        return None;
    }
    Some(Condition::AgentName(written.to_owned()))
}

/// `{ list: NAME }` or a list of these.
pub(super) fn verdict(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    each(node, problems, |node, problems| {
        let mut fields = Fields::of("verdict", node, "`verdict`", problems)?;
        let list = fields.require("list");
        fields.finish(problems);
        list_name(list?, problems).map(Condition::Verdict)
    })
}

pub(super) fn label(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    each(node, problems, |node, problems| super::name(node, problems).map(Condition::Label))
}

/// A number, or `{ atLeast, label }`.
pub(super) fn score(node: &Node, _: &Context, problems: &mut Problems) -> Option<Condition> {
    let (number, label) = if matches!(node.value, Value::Map(_)) {
        let mut fields = Fields::of("score", node, "`score`", problems)?;
        let (number, label) = (fields.require("atLeast"), fields.take("label"));
        fields.finish(problems);
        (number?, label)
    } else {
        (node, None)
    };
    let label = match label {
        Some(node) => Some(super::name(node, problems)?),
        None => None,
    };
    let at_least = number.integer(1..=bounds::SCORE, problems).and_then(|n| u32::try_from(n).ok())?;
    Some(Condition::Score { at_least, label })
}
