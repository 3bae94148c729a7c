//! The standard case: one organisation with twenty hosts behind one gateway, rules of every kind, lists, limits, fingerprints and
//! agents read, and traffic of which one request in twenty is mitigated.

mod asks;
mod rules;

use crate::{Corpus, document, networks, texts};

/// Hosts.
const HOSTS: usize = 20;
/// Rules of the organisation; the others are spread over the hosts.
const SHARED: usize = 40;
/// Requests.
const ASKS: usize = 4000;

/// 1,000 rules over 20 hosts and 100,000 networks in two lists.
#[must_use]
pub fn standard() -> Corpus {
    standard_of(1000, 100_000)
}

/// The same with so many rules (a multiple of 20, at least 100) and networks.
#[must_use]
pub fn standard_of(rules: usize, entries: usize) -> Corpus {
    corpus("standard", rules, entries, Kinds::Every)
}

/// The standard case without what has to be worked out of the text of headers, cookies and queries (agents, fingerprints, words in
/// values, regexes): paths, methods, identities, and the same lists and limits.
#[must_use]
pub fn lists_and_limits() -> Corpus {
    corpus("lists and limits", 1000, 100_000, Kinds::Plain)
}

/// Which rules there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kinds {
    Every,
    Plain,
}

fn corpus(name: &str, rules: usize, entries: usize, kinds: Kinds) -> Corpus {
    let of_each = rules.saturating_sub(SHARED) / HOSTS;
    let all = networks(entries, 0x0001_1571);
    // Taken apart like cards, so that both lists hold every kind of network.
    let list = |first: usize| all.iter().skip(first).step_by(2).map(|text| format!("\"{text}\"")).collect::<Vec<_>>();
    let mut documents = vec![organisation(&list(0), kinds), reputation(&list(1))];
    documents.extend((0..HOSTS).map(|host| of_host(host, of_each, kinds)));
    Corpus {
        name: format!("{name}, {rules} rules, {entries} networks"),
        documents: texts(documents),
        rules: SHARED + HOSTS * of_each,
        asks: asks::asks(ASKS, &all, of_each),
    }
}

fn organisation(networks: &[String], kinds: Kinds) -> String {
    let spec = format!(
        r#""mode":"enforce","client":{{"address":{{"from":"x-forwarded-for","trust":["10.0.0.0/8"]}},"key":["identity","address"]}},
           "lists":{{"bad":{{"cidrs":[{}]}},"tools":{{"fingerprints":["t13d0000h1_000000000000_000000000000","t13d1111h1_111111111111_111111111111"]}}}},
           "mandates":{{"rules":[{}]}},"rules":[{}],"otherwise":"allow""#,
        networks.join(","),
        of(kinds, "mandate", rules::mandates()).join(","),
        of(kinds, "shared", rules::shared()).join(","),
    );
    document("organisation", "acme", &spec)
}

fn reputation(networks: &[String]) -> String {
    let rule = r#"{"name":"ill-reputed","match":{"address":{"list":"worse"},"path":"/checkout/**"},"then":"block"}"#;
    let spec = format!(r#""mode":"enforce","lists":{{"worse":{{"cidrs":[{}]}}}},"rules":[{rule}]"#, networks.join(","));
    document("reputation", "acme", &spec)
}

fn of_host(host: usize, rules: usize, kinds: Kinds) -> String {
    let all = of(kinds, "path", (0..rules).map(|number| rules::of_host(host, number)).collect());
    let spec = format!(r#""hosts":["{}"],"mode":"enforce","rules":[{}]"#, asks::host(host), all.join(","));
    document(&format!("shop-{host}"), &format!("acme/retail/shop-{host}"), &spec)
}

/// The rules, of which those that are of no such kind make place for one of a path.
fn of(kinds: Kinds, name: &str, rules: Vec<String>) -> Vec<String> {
    const WORKED_OUT: [&str; 7] =
        ["\"agent", "\"fingerprint", "\"cookies", "\"query", "user-agent", "\"regex", "\"headers"];
    if kinds == Kinds::Every {
        return rules;
    }
    let plain = |(number, rule): (usize, String)| match WORKED_OUT.iter().any(|word| rule.contains(word)) {
        true => rules::of_path(name, number),
        false => rule,
    };
    rules.into_iter().enumerate().map(plain).collect()
}
