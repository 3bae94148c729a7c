//! A policy's regexes, as automata and as a gate compiles them inline, say what the oracle (regex-lite over bytes read as Latin-1)
//! says, for any bytes; every pattern that a policy takes is one that the oracle takes.

use gatehouse_engine::{Connection, Head, Policy};
use gatehouse_policy::document::json;
use gatehouse_policy::{Format, Source, compile, inline};
use gatehouse_verdict::Action;

use crate::asked::Worker;

/// One line with the pattern, then what it is searched in.
pub fn check(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let Ok(pattern) = core::str::from_utf8(&bytes[..at]) else { return };
    let value = bytes.get(at + 1..).unwrap_or_default();
    let text = document(pattern);
    let Ok(compiled) = compile(&[Source { name: "regex", text: &text, format: Format::Json }]) else { return };
    let oracle = regex_lite::Regex::new(pattern).expect("the oracle takes what a policy takes");
    let latin1: String = value.iter().copied().map(char::from).collect();
    let expected = oracle.is_match(&latin1);
    let automaton = Policy::load(compiled.image, 1).expect("what compiles loads");
    assert_eq!(found(&automaton, value), expected, "`{pattern}` in {}", value.escape_ascii());
    let inline = inline(&json("regex", &text).expect("it was read before")).expect("and compiled");
    assert_eq!(found(&inline, value), expected, "inline: `{pattern}` in {}", value.escape_ascii());
}

fn document(pattern: &str) -> String {
    let pattern: String =
        pattern.chars().map(|c| if c.is_ascii_alphanumeric() { c.into() } else { unicode(c) }).collect();
    format!(
        r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"p"}},"spec":{{"rules":[
        {{"name":"r","match":{{"headers":{{"x":{{"regex":"{pattern}"}}}}}},"then":"block"}}]}}}}"#
    )
}

/// The character as JSON escapes it.
fn unicode(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

fn found(policy: &Policy, value: &[u8]) -> bool {
    let connection = Connection::default();
    let pairs: [(&[u8], &[u8]); 3] = [(b":method", b"GET"), (b":path", b"/"), (b"x", value)];
    let head = Head::new(&pairs, &connection);
    Worker::default().judge(policy, head).verdict.action() == Action::Block
}
