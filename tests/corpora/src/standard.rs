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
    let of_each = rules.saturating_sub(SHARED) / HOSTS;
    let all = networks(entries, 0x0001_1571);
    // Taken apart like cards, so that both lists hold every kind of network.
    let list = |first: usize| all.iter().skip(first).step_by(2).map(|text| format!("\"{text}\"")).collect::<Vec<_>>();
    let mut documents = vec![organisation(&list(0)), reputation(&list(1))];
    documents.extend((0..HOSTS).map(|host| of_host(host, of_each)));
    Corpus {
        name: format!("standard, {rules} rules, {entries} networks"),
        documents: texts(documents),
        rules: SHARED + HOSTS * of_each,
        asks: asks::asks(ASKS, &all, of_each),
    }
}

fn organisation(networks: &[String]) -> String {
    let spec = format!(
        r#""mode":"enforce","client":{{"address":{{"from":"x-forwarded-for","trust":["10.0.0.0/8"]}},"key":["identity","address"]}},
           "lists":{{"bad":{{"cidrs":[{}]}},"tools":{{"fingerprints":["t13d0000h1_000000000000_000000000000","t13d1111h1_111111111111_111111111111"]}}}},
           "mandates":{{"rules":[{}]}},"rules":[{}],"otherwise":"allow""#,
        networks.join(","),
        rules::mandates().join(","),
        rules::shared().join(","),
    );
    document("organisation", "acme", &spec)
}

fn reputation(networks: &[String]) -> String {
    let rule = r#"{"name":"ill-reputed","match":{"address":{"list":"worse"},"path":"/checkout/**"},"then":"block"}"#;
    let spec = format!(r#""mode":"enforce","lists":{{"worse":{{"cidrs":[{}]}}}},"rules":[{rule}]"#, networks.join(","));
    document("reputation", "acme", &spec)
}

fn of_host(host: usize, rules: usize) -> String {
    let all: Vec<String> = (0..rules).map(|number| rules::of_host(host, number)).collect();
    let spec = format!(r#""hosts":["{}"],"mode":"enforce","rules":[{}]"#, asks::host(host), all.join(","));
    document(&format!("shop-{host}"), &format!("acme/retail/shop-{host}"), &spec)
}
