//! Documents to policies: every file under `testdata`, images good and hostile, and what a policy in force answers.

mod corpus;
pub(crate) use corpus::{corpus_files, packs};
mod hostile;
mod inline;
mod inputs;
mod loader;
mod matching;
mod traffic;

use gatehouse_signals::{Claims, Connection, Head};

use crate::document::Problems;
use crate::{Compiled, Facts, Fields, Format, Phase, Policy, Rule, Signals, Source, Truth, compile};

/// A policy document with these lines under `spec`.
pub(crate) fn document(name: &str, spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!("---\napiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: {{ name: {name} }}\nspec:\n{spec}")
}

fn compiled(text: &str) -> Result<Compiled, Problems> {
    compile(&[Source { name: "policy.yaml", text, format: Format::Yaml }])
}

fn policy(text: &str) -> Policy {
    let compiled = compiled(text).unwrap_or_else(|problems| panic!("{problems}"));
    Policy::load(compiled.image, 7).expect("our own image loads")
}

/// Names of the rules of a host that hold, in the order of decision.
fn holding(policy: &Policy, host: &str, facts: impl Fn(Rule<'_>) -> Truth) -> Vec<String> {
    let scope = policy.for_host(host.as_bytes());
    let rules = scope.into_iter().flat_map(|scope| scope.all_rules(Phase::Request));
    rules.filter(|rule| facts(*rule) == Truth::True).map(Rule::id).collect()
}

pub(crate) fn facts<'a>(host: &'a str, path: &'a [u8], method: &'a str, head: Head<'a>) -> Facts<'a> {
    Facts {
        host: host.as_bytes(),
        path,
        case_insensitive: false,
        query: None,
        method: method.as_bytes(),
        address: head.connection.peer,
        head,
        claims: Claims::default(),
        wall_s: None,
        known: Fields::ALL,
        signals: &Nothing,
        response: None,
    }
}

/// Signals of which nothing is known.
struct Nothing;

impl Signals for Nothing {}

fn connection(peer: &str) -> Connection {
    Connection { peer: peer.parse().ok(), ..Connection::default() }
}
