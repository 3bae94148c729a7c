//! The rules for Envoy's own filters: RBAC (networks of lists in a tree, rules and limits of a host only at its virtual host)
//! and local rate limit.

mod limits;
mod principal;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use self::principal::principal;
use super::rules::{Book, Rule, Rules, Text, Then, When};

const TYPES: &str = "type.googleapis.com";
const RBAC: &str = "envoy.extensions.filters.http.rbac.v3";
/// The filters to which each virtual host gives its own rules and limits.
const OF_HOSTS: &str = "hosts";
const LIMITS_OF_HOSTS: &str = "limits-of-hosts";

/// The configuration.
pub(crate) struct Native {
    /// HTTP filters, in order.
    pub(crate) filters: Vec<Value>,
    /// What a host gives some of them itself, by their names.
    hosts: BTreeMap<String, Value>,
}

impl Native {
    /// Writes it.
    ///
    /// # Panics
    /// At a rule that has no such form.
    pub(crate) fn of(book: &Book) -> Self {
        let allowed = of_kind(&book.shared, |then| *then == Then::Allow);
        let shared = of_kind(&book.shared, |then| *then == Then::Block);
        let (listed, plain): (Vec<&Rule>, Vec<&Rule>) =
            shared.into_iter().partition(|rule| list_of(&rule.when).is_some());
        let mut filters: Vec<Value> =
            listed.into_iter().map(|rule| rbac(&rule.name, "matcher", &in_list(rule, book))).collect();
        filters.push(rbac("shared", "rules", &denying(&plain, &book.shared, &allowed)));
        filters.push(json!({ "name": OF_HOSTS, "typed_config": { "@type": format!("{TYPES}/{RBAC}.RBAC") } }));
        let limits = |name: &str, rules: &Rules| json!({ "name": name, "typed_config": limits::limiting(rules) });
        filters.push(limits("limits", &book.shared));
        filters.push(limits(LIMITS_OF_HOSTS, &Rules::default()));
        let per_route = |rules: &Rules| {
            let blocks = of_kind(rules, |then| *then == Then::Block);
            let kind = format!("{TYPES}/{RBAC}.RBACPerRoute");
            let rules_of_host = json!({ "@type": kind, "rbac": { "rules": denying(&blocks, rules, &allowed) } });
            json!({ OF_HOSTS: rules_of_host, LIMITS_OF_HOSTS: limits::limiting(rules) })
        };
        Self { filters, hosts: book.hosts.iter().map(|(host, rules)| (host.clone(), per_route(rules))).collect() }
    }

    /// Adds to a virtual host what it says itself.
    pub(crate) fn at_host(&self, virtual_host: &mut Value) {
        let host = virtual_host["domains"][0].as_str().unwrap_or_default().to_owned();
        if let Some(own) = self.hosts.get(&host) {
            virtual_host["typed_per_filter_config"] = own.clone();
        }
    }
}

fn of_kind(rules: &Rules, kind: fn(&Then) -> bool) -> Vec<&Rule> {
    rules.mandates.iter().chain(&rules.rules).filter(|rule| kind(&rule.then)).collect()
}

fn rbac(name: &str, field: &str, value: &Value) -> Value {
    json!({ "name": name, "typed_config": { "@type": format!("{TYPES}/{RBAC}.RBAC"), field: value } })
}

/// Rules that deny; what `allowed` lets in is left alone by those that are no mandates.
fn denying(rules: &[&Rule], of: &Rules, allowed: &[&Rule]) -> Value {
    let mut policies = Map::new();
    for rule in rules {
        let mut when = vec![rule.when.clone()];
        if !of.mandates.contains(*rule) {
            when.extend(allowed.iter().map(|rule| When::Not(Box::new(rule.when.clone()))));
        }
        let principals = [principal(&When::All(when))];
        policies.insert(rule.name.clone(), json!({ "permissions": [{ "any": true }], "principals": principals }));
    }
    json!({ "action": "DENY", "policies": policies })
}

/// The list that a rule asks, and the prefix of the paths that it asks it for.
fn list_of(when: &When) -> Option<(&str, Option<&str>)> {
    match when {
        When::Listed(list) => Some((list, None)),
        When::All(all) => match all.as_slice() {
            [When::Listed(list), When::Path(texts)] | [When::Path(texts), When::Listed(list)] => {
                match texts.as_slice() {
                    [Text::Prefix(prefix)] => Some((list, Some(prefix))),
                    other => panic!("`{other:?}` beside a list has no translation"),
                }
            }
            _ => None,
        },
        _ => None,
    }
}

/// A tree of the list's networks, for one prefix of paths or for all.
fn in_list(rule: &Rule, book: &Book) -> Value {
    let Some((list, prefix)) = list_of(&rule.when) else { panic!("{}: no list", rule.name) };
    let networks = book.lists.get(list).unwrap_or_else(|| panic!("{}: no list `{list}`", rule.name));
    let ranges: Vec<Value> = networks.iter().map(|text| principal::range(text)).collect();
    let action = |action: &str| {
        let kind = format!("{TYPES}/envoy.config.rbac.v3.Action");
        json!({ "action": { "name": action, "typed_config": { "@type": kind, "name": rule.name, "action": action } } })
    };
    let source = format!("{TYPES}/envoy.extensions.matching.common_inputs.network.v3.SourceIPInput");
    let tree = json!({
        "matcher_tree": {
            "input": { "name": "envoy.matching.inputs.source_ip", "typed_config": { "@type": source } },
            "custom_match": { "name": "envoy.matching.custom_matchers.trie_matcher", "typed_config": {
                "@type": format!("{TYPES}/xds.type.matcher.v3.IPMatcher"),
                "range_matchers": [{ "ranges": ranges, "on_match": action("DENY") }],
            } },
        },
        "on_no_match": action("ALLOW"),
    });
    let Some(prefix) = prefix else { return tree };
    let path = format!("{TYPES}/envoy.type.matcher.v3.HttpRequestHeaderMatchInput");
    json!({
        "matcher_tree": {
            "input": { "name": "envoy.matching.inputs.request_headers", "typed_config": { "@type": path, "header_name": ":path" } },
            "prefix_match_map": { "map": { prefix: { "matcher": tree } } },
        },
        "on_no_match": action("ALLOW"),
    })
}
