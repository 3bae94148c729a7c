//! A match as nodes of the image: preorder, the cheapest children first.

use crate::document::{Problems, nearest, quoted};
use crate::image::{Builder, Section, node};
use crate::spec::{Addresses, Condition, Document, HostPattern, PathPattern, TextPattern};

/// Writes the tree of `condition`.
pub(super) fn write(condition: &Condition, document: &Document, builder: &mut Builder, problems: &mut Problems) {
    let at = builder.push(Section::Nodes, &[0; 6]);
    let mut words = [0u32; 4];
    let kind = match condition {
        Condition::Always => u32::from(node::ALWAYS),
        Condition::All(parts) => {
            children(parts, document, builder, problems);
            u32::from(node::ALL)
        }
        Condition::Any(parts) => {
            children(parts, document, builder, problems);
            u32::from(node::ANY)
        }
        Condition::Not(inner) => {
            write(inner, document, builder, problems);
            u32::from(node::NOT)
        }
        Condition::Method(method) => leaf(node::METHOD, node::EQUALS, method, builder, &mut words),
        Condition::Host(HostPattern::Exact(host)) => leaf(node::HOST, node::EQUALS, host, builder, &mut words),
        Condition::Host(HostPattern::Under(domain)) => leaf(node::HOST, node::SUFFIX, domain, builder, &mut words),
        Condition::Path(pattern) => path(pattern, builder, &mut words),
        Condition::Header(name, TextPattern::Present(false)) => {
            // Written as the opposite of presence, one node deeper.
            let present = Condition::Header(name.clone(), TextPattern::Present(true));
            write(&present, document, builder, problems);
            u32::from(node::NOT)
        }
        Condition::Header(name, pattern) => header(name, pattern, builder, &mut words),
        Condition::Address(addresses) => {
            let (first, count) = networks(addresses, document, builder, problems);
            words = [first, count, 0, 0];
            u32::from(node::ADDRESS)
        }
    };
    let end = builder.count(Section::Nodes);
    builder.set(Section::Nodes, at, node::KIND, kind);
    builder.set(Section::Nodes, at, node::END, end);
    for (offset, word) in words.into_iter().enumerate() {
        builder.set(Section::Nodes, at, node::A + offset, word);
    }
}

fn children(parts: &[Condition], document: &Document, builder: &mut Builder, problems: &mut Problems) {
    let mut sorted: Vec<&Condition> = parts.iter().collect();
    sorted.sort_by_key(|part| cost(part));
    for part in sorted {
        write(part, document, builder, problems);
    }
}

/// How dear a test is, roughly; its order within `all` and `any` never changes the result.
fn cost(condition: &Condition) -> u32 {
    match condition {
        Condition::Always => 0,
        Condition::Method(_) => 1,
        Condition::Host(_) => 2,
        Condition::Path(PathPattern::Regex(_)) => 1000,
        Condition::Path(_) => 3,
        Condition::Address(_) => 8,
        Condition::Header(_, TextPattern::Regex(_)) => 1020,
        Condition::Header(..) => 20,
        Condition::Not(inner) => cost(inner),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().map(cost).fold(1, u32::saturating_add),
    }
}

fn leaf(kind: u8, test: u8, text: &str, builder: &mut Builder, words: &mut [u32; 4]) -> u32 {
    let [offset, length] = builder.text(text).words();
    *words = [offset, length, 0, 0];
    tagged(kind, test)
}

fn tagged(kind: u8, test: u8) -> u32 {
    u32::from(kind) | u32::from(test) << 8
}

fn path(pattern: &PathPattern, builder: &mut Builder, words: &mut [u32; 4]) -> u32 {
    let (test, text) = match pattern {
        PathPattern::Regex(regex) => {
            *words = [builder.regex(regex), 0, 0, 0];
            return tagged(node::PATH, node::REGEX);
        }
        PathPattern::Exact(text) => (node::EQUALS, text),
        PathPattern::Prefix(text) => (node::PREFIX, text),
        PathPattern::Suffix(text) => (node::SUFFIX, text),
        PathPattern::Segments(text) => (node::SEGMENTS, text),
    };
    leaf(node::PATH, test, text, builder, words)
}

fn header(name: &str, pattern: &TextPattern, builder: &mut Builder, words: &mut [u32; 4]) -> u32 {
    let (test, text) = match pattern {
        TextPattern::Regex(regex) => {
            let [offset, length] = builder.text(name).words();
            *words = [offset, length, builder.regex(regex), 0];
            return tagged(node::HEADER, node::REGEX);
        }
        TextPattern::Contains(text) => (node::CONTAINS, text.as_str()),
        TextPattern::Equals(text) => (node::EQUALS, text.as_str()),
        TextPattern::Prefix(text) => (node::PREFIX, text.as_str()),
        TextPattern::Suffix(text) => (node::SUFFIX, text.as_str()),
        TextPattern::Present(_) => (node::PRESENT, ""),
    };
    let [a, b] = builder.text(name).words();
    let [c, d] = builder.text(text).words();
    *words = [a, b, c, d];
    tagged(node::HEADER, test)
}

fn networks(addresses: &Addresses, document: &Document, builder: &mut Builder, problems: &mut Problems) -> (u32, u32) {
    match addresses {
        Addresses::Networks(networks) => builder.networks(networks),
        Addresses::List(name, place) => match document.lists.iter().find(|list| list.name == *name) {
            Some(list) => builder.networks(&list.networks),
            None => {
                let help = match nearest(name, document.lists.iter().map(|list| list.name.as_str())) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "write it under `lists`".to_owned(),
                };
                problems.push(place, format!("there is no list {}", quoted(name)), help);
                (0, 0)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::View;

    #[test]
    fn what_is_cheap_is_asked_before_a_regex() {
        let text = r#"{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{"name":"p"},"spec":{"rules":[{"name":"r","then":"block",
            "match":{"any":[{"path":{"regex":"x"}},{"headers":{"a":{"present":true}}}],"path":{"regex":"y"},"host":"h","method":"GET"}}]}}"#;
        let source = crate::Source { name: "p", text, format: crate::Format::Json };
        let image = crate::compile(&[source]).expect("compiles").image;
        let view = View::frame(image).expect("sound");
        let kinds: Vec<u8> = (0..7).map(|index| view.word(Section::Nodes, index, node::KIND) as u8).collect();
        use node::{ALL, ANY, HEADER, HOST, METHOD, PATH};
        assert_eq!(kinds, [ALL, METHOD, HOST, PATH, ANY, HEADER, PATH]);
    }
}
