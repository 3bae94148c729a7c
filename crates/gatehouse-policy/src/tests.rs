//! Documents to policies: every file under `testdata`, images good and hostile, and what a policy in force answers.

mod corpus;
mod hostile;
mod inline;
mod loader;
mod matching;

use gatehouse_signals::{Connection, Head};

use crate::document::Problems;
use crate::{Compiled, Facts, Format, Policy, Source, compile};

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

/// Names of the rules that hold for a request to `host`, in the order of decision.
fn holding<'p>(policy: &'p Policy, host: &str, facts: impl Fn(&crate::Rule<'p>) -> crate::Truth) -> Vec<String> {
    let scope = policy.for_host(host.as_bytes());
    let rules = scope.into_iter().flat_map(crate::Scope::rules);
    rules.filter(|rule| facts(rule) == crate::Truth::True).map(crate::Rule::id).collect()
}

fn facts<'a>(host: &'a str, path: &'a [u8], method: &'a str, head: Head<'a>) -> Facts<'a> {
    Facts { host: host.as_bytes(), path, method: method.as_bytes(), address: head.connection.peer, head }
}

fn connection(peer: &str) -> Connection {
    Connection { peer: peer.parse().ok(), ..Connection::default() }
}
